package web

import (
	"encoding/csv"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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

// Bounds of an export. The server's own bound is for answers that are written at once:
// a long table goes on for as long as it flows.
const (
	exportWrite = 30 * time.Second // to write a handful of rows; who takes them slower is let go
	exportLasts = 30 * time.Minute // the whole
)

// flowing writes what takes long: each write moves the deadline of the connection on,
// as far as the end of the whole. The browser that hangs up ends it by the context.
type flowing struct {
	v     *visit
	out   *http.ResponseController
	moved time.Time
	until time.Time
}

// errTooLong ends an answer that takes longer than any may.
var errTooLong = errors.New("the export took longer than " + exportLasts.String())

// flow begins an answer that takes long.
func (v *visit) flow() (*flowing, error) {
	f := &flowing{v: v, out: http.NewResponseController(v.w), until: v.now().Add(exportLasts)}
	// A deadline of reading that passes would be taken for a browser that hung up.
	if err := f.out.SetReadDeadline(f.until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return f, f.move()
}

// move moves the deadline on, not more often than once in a second.
func (f *flowing) move() error {
	now := f.v.now()
	if now.After(f.until) {
		return errTooLong
	}
	if now.Sub(f.moved) < time.Second {
		return nil
	}
	f.moved = now
	next := now.Add(exportWrite)
	if next.After(f.until) {
		next = f.until
	}
	if err := f.out.SetWriteDeadline(next); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (f *flowing) Write(b []byte) (int, error) {
	if err := f.move(); err != nil {
		return 0, err
	}
	return f.v.w.Write(b)
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
	flow, err := v.flow()
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+v.now().UTC().Format("20060102")+`.csv"`)
	v.status = http.StatusOK
	out := csv.NewWriter(flow)
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
			if e := flow.out.Flush(); err == nil && !errors.Is(e, http.ErrNotSupported) { // where it cannot, the rows go out later
				err = e
			}
		}
		if err != nil {
			v.site.cfg.Log.Warn("an export was broken off", "page", v.route.pattern, "error", err)
			panic(http.ErrAbortHandler)
		}
		row, err, ok = next()
	}
	out.Flush()
	if out.Error() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// formulaStarts are the characters that a text may begin with to be taken for a formula:
// those themselves, their full-width forms (U+FF1D, FF0B, FF0D, FF20), which programs
// read as the same, and the white space that they skip.
const formulaStarts = "=+-@＝＋－＠\t\r\n"

// cell keeps a program that opens the file from taking a text for a formula: one that
// begins like one gets an apostrophe before it (CWE-1236). A number is none, and stays.
func cell(s string) string {
	if r, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formulaStarts, r) && !countersign.IsDecimal(s) {
		return "'" + s
	}
	return s
}
