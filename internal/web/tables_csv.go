package web

import (
	"encoding/csv"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// requestColumns are the columns of the export of requests.
var requestColumns = []string{"request", "kind", "number", "revision", "subject", "vendor", "payee", "amount", "currency", "requester", "requester_id", "source", "status", "outcome",
	"submitted_at", "due_at", "held_until", "ended_at", "policy_version", "rules", "deciders", "approvals", "approvals_needed", "founding", "tampered"}

func exportRequests(v *visit) error {
	f, err := v.tableFilter()
	if err != nil {
		return err
	}
	return writeCSV(v, "requests", requestColumns, v.org.AllRequests(v.ctx(), *v.session, f.TableFilter), requestCells)
}

func requestCells(r authority.RequestRow) []string {
	var amount countersign.Amount
	if r.Amount != nil {
		amount = *r.Amount
	}
	deciders := make([]string, len(r.Deciders))
	for i, p := range r.Deciders {
		deciders[i] = p.Name
	}
	return []string{r.ID, r.Kind, r.Object, r.Revision, r.Subject, r.Vendor, r.Payee, amount.Value, amount.Currency, r.Requester, r.RequesterKey, r.Source, string(r.Status), string(r.Outcome),
		exact(r.Created), exact(r.Due), exact(r.HeldUntil), exact(r.Ended), versionText(r.PolicyVersion), strings.Join(r.Rules, " "), strings.Join(deciders, "; "),
		strconv.Itoa(r.Progress.Have), strconv.Itoa(r.Progress.Need), strconv.FormatBool(r.Founding), strconv.FormatBool(r.Tampered)}
}

// decisionColumns are the columns of the export of decisions.
var decisionColumns = []string{"decision", "decided_at", "act", "person", "person_id", "acting_for", "acting_for_id", "factor", "assurance", "simulated", "break_glass", "unexpected", "reason",
	"void", "log_entry", "log_index", "request", "kind", "number", "vendor", "payee", "amount", "currency", "requester", "source", "status", "policy_version"}

func exportDecisions(v *visit) error {
	f, err := v.tableFilter()
	if err != nil {
		return err
	}
	return writeCSV(v, "decisions", decisionColumns, v.org.AllDecisions(v.ctx(), *v.session, f.TableFilter), decisionCells)
}

func decisionCells(d authority.DecisionRow) []string {
	var forWhom countersign.Principal
	if d.ActingFor != nil {
		forWhom = *d.ActingFor
	}
	var amount countersign.Amount
	r := d.Request
	if r.Amount != nil {
		amount = *r.Amount
	}
	return []string{d.ID, exact(d.At), string(d.Act), d.Person.Name, d.Person.ID, forWhom.Name, forWhom.ID, d.Factor, string(d.Assurance), strconv.FormatBool(d.Simulated),
		strconv.FormatBool(d.BreakGlass), strconv.FormatBool(d.Unexpected), d.Reason, d.Void, d.Entry, versionText(d.Index), r.ID, r.Kind, r.Object, r.Vendor, r.Payee, amount.Value,
		amount.Currency, r.Requester, r.Source, string(r.Status), versionText(r.PolicyVersion)}
}

// exact is a time for machines: RFC 3339 in UTC, and nothing where there is none.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// flushRows is after how many rows what is written goes out, so that an export needs
// no more memory than a page.
const flushRows = 200

// writeCSV sends rows as CSV (RFC 4180, UTF-8) while they are read. What goes wrong
// before the first row is an error page; what goes wrong later breaks the answer off,
// so that nobody takes a part for the whole.
func writeCSV[Row any](v *visit, name string, columns []string, rows iter.Seq2[Row, error], cells func(Row) []string) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	row, err, ok := next()
	if ok && err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+v.now().UTC().Format("20060102")+`.csv"`)
	v.status = http.StatusOK
	out := csv.NewWriter(v.w)
	out.UseCRLF = true
	out.Write(columns) // an error stays with the writer, and is found below
	for n := 1; ok; n++ {
		if err == nil {
			line := cells(row)
			for i := range line {
				line[i] = cell(line[i])
			}
			err = out.Write(line)
		}
		if n%flushRows == 0 {
			out.Flush()
			http.NewResponseController(v.w).Flush() // where it cannot, the rows go out later
		}
		if err != nil {
			v.site.cfg.Log.Warn("an export was broken off", "page", v.route.pattern, "error", err)
			panic(http.ErrAbortHandler)
		}
		row, err, ok = next()
	}
	out.Flush()
	return nil // whoever hung up does not read it
}

// cell keeps a program that opens the file from taking a text for a formula: one that
// begins like one gets an apostrophe before it (CWE-1236). A number is none, and stays.
func cell(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 && !countersign.IsDecimal(s) {
		return "'" + s
	}
	return s
}
