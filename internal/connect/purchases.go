package connect

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// ReadPurchases reads a purchase history and calls fn once for every row that is
// kept, in the order of the file. The fields are kind, id, line, entity,
// vendor_id, vendor, department, category, amount, debit_credit, currency, date,
// requester, approver, approved_at, account and account_scheme; amount, currency,
// date and one of vendor_id and vendor are required.
//
// Kind, ID and Line make an import repeatable: reading the same file again gives
// the same ones. A row without a document number gets "row-" and a digest of its
// content. When all three come again, the row is kept as well, and its Line ends in
// "#2", "#3" and so on.
//
// An error of fn or of Options.Progress stops the reading and is returned as it
// is. Errors about the file as a whole wrap [ErrFile]. The report is valid in each
// case, as far as the reading came.
func ReadPurchases(r io.Reader, m Mapping, o Options, fn func(Purchase) error) (Report, error) {
	tl := newTally()
	f := &reading{fields: purchaseFields, required: [][]string{{"amount"}, {"date"}, {"currency"}, {"vendor_id", "vendor"}}, mapping: m, options: o, tally: tl}
	return f.each(r, func(w *row) error {
		p := purchaseOf(w)
		if w.bad != nil {
			return nil
		}
		if p.VendorID == "" {
			p.VendorID = tl.derive(p.VendorName)
			p.VendorIDDerived = p.VendorID != ""
		}
		p.identify(tl)
		if err := tl.purchase(&p); err != nil {
			return err
		}
		return fn(p)
	})
}

func purchaseOf(w *row) Purchase {
	p := Purchase{
		Kind:       w.kind("kind", countersign.KindInvoice),
		ID:         w.text("id", maxID),
		Line:       w.text("line", maxID-20),
		Entity:     w.text("entity", maxID),
		VendorID:   w.text("vendor_id", maxID),
		VendorName: w.text("vendor", maxName),
		Department: w.text("department", maxID),
		Category:   w.text("category", maxID),
		Requester:  w.text("requester", maxID),
		Approver:   w.text("approver", maxID),
		Row:        w.first,
		RowLines:   w.lines,
	}
	p.Amount = w.amount("amount", w.currency("currency"))
	w.debitCredit("debit_credit", &p.Amount)
	if w.raw("date") == "" {
		w.fail("date", faultf(ReasonMissing, "the value is missing"))
	}
	p.Date = w.day("date")
	p.ApprovedAt = w.instant("approved_at")
	p.Account = w.account("account", "account_scheme")
	return p
}

// identify makes Kind, ID and Line unique; see [ReadPurchases].
func (p *Purchase) identify(tl *tally) {
	if p.ID == "" {
		sum := digest(p.Kind, p.Line, p.Entity, p.VendorID, p.VendorName, p.Department, p.Category, p.Amount.Value, p.Amount.Currency,
			p.Date.Format(time.DateOnly), p.Requester, p.Approver, p.ApprovedAt.Format(time.RFC3339Nano), accountText(p.Account))
		p.ID, p.IDDerived = "row-"+hex.EncodeToString(sum[:12]), true
	}
	line := p.Line
	h := sum64(p.Kind, p.ID, line)
	n := tl.keys[h] + 1
	for ; n > 1; n++ { // "#2" may itself be a line in the file
		p.Line = line + "#" + strconv.FormatUint(uint64(n), 10)
		again := sum64(p.Kind, p.ID, p.Line)
		if tl.keys[again] == 0 {
			tl.keys[again] = 1
			break
		}
	}
	tl.keys[h] = n
	if n > 1 {
		tl.report.RepeatedIDs++
	}
}

func accountText(a *countersign.Account) string {
	if a == nil {
		return ""
	}
	return a.Scheme + ":" + a.Value
}

var kindForm = strings.NewReplacer(" ", "_", "-", "_")

func (r *row) kind(name, otherwise string) string {
	s := kindForm.Replace(strings.ToLower(r.text(name, maxID)))
	if s == "" {
		return otherwise
	}
	if !countersign.ValidKind(s) {
		r.fail(name, faultf(ReasonKind, "not a kind: want a name as %q", countersign.KindPurchaseOrder))
	}
	return s
}

func (r *row) currency(name string) string {
	s := strings.ToUpper(r.raw(name))
	if s == "" {
		r.fail(name, faultf(ReasonMissing, "the currency is missing"))
	} else if _, ok := countersign.Exponent(s); !ok {
		r.fail(name, faultf(ReasonCurrency, "not an ISO 4217 currency: want three letters, as EUR"))
	}
	return s
}

func (r *row) amount(name, currency string) countersign.Amount {
	if r.bad != nil {
		return countersign.Amount{}
	}
	text := r.raw(name)
	if text == "" {
		r.fail(name, faultf(ReasonMissing, "the value is missing"))
		return countersign.Amount{}
	}
	value, f := parseAmount(text, currency, *r.options)
	if f != nil {
		r.fail(name, f)
		return countersign.Amount{}
	}
	return countersign.Amount{Value: value, Currency: currency}
}

// debitCredit makes the amount negative where a column of its own says so.
func (r *row) debitCredit(name string, a *countersign.Amount) {
	text := r.raw(name)
	if text == "" || r.bad != nil {
		return
	}
	switch strings.ToLower(text) {
	case "d", "dr", "debit", "s", "soll":
	case "c", "cr", "credit", "h", "haben", "credit note":
		if strings.HasPrefix(a.Value, "-") {
			r.fail(name, faultf(ReasonAmount, "a credit whose amount is negative already: which of the two it means cannot be told"))
			return
		}
		if strings.Trim(a.Value, "0.") != "" {
			a.Value = "-" + a.Value
		}
	default:
		r.fail(name, faultf(ReasonAmount, "neither debit nor credit: want D, debit, S or C, credit, H"))
	}
}

// day reads the day as it is written, whatever zone stands behind it.
func (r *row) day(name string) time.Time {
	t := r.date(name)
	if t.IsZero() {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func (r *row) instant(name string) time.Time {
	t := r.date(name)
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func (r *row) date(name string) time.Time {
	text := r.raw(name)
	if text == "" {
		return time.Time{}
	}
	t, f := parseTime(text, r.columns[name].layouts)
	if f != nil {
		r.fail(name, f)
	}
	return t
}

func (r *row) account(name, scheme string) *countersign.Account {
	value := r.text(name, maxID)
	if value == "" {
		return nil
	}
	a, f := parseAccount(value, r.text(scheme, 40))
	if f != nil {
		r.fail(name, f)
	}
	return a
}

// Summary is the report in sentences, for a person.
func (r Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows kept of %d lines", r.Kept, r.Lines)
	if r.First != "" {
		fmt.Fprintf(&b, ", from %s to %s", r.First, r.Last)
	}
	b.WriteString("\n")
	for _, l := range []struct {
		n    int64
		text string
	}{
		{r.BadLines, "lines were not kept"},
		{r.BlankLines, "lines are blank"},
		{r.Negatives, "amounts are negative (credits)"},
		{r.Zeros, "amounts are zero"},
		{r.MissingIDs, "rows have no document number: derived from their content"},
		{r.RepeatedIDs, "rows repeat an identifier: kept"},
		{r.DerivedVendorIDs, "rows have no vendor id: derived from the name"},
		{r.AmbiguousNames, "vendor names come with an id as well as without: their history is in two parts"},
		{r.WithoutVendor, "rows name no vendor at all"},
		{r.Redacted, "rows have a redacted vendor name"},
	} {
		if l.n > 0 {
			fmt.Fprintf(&b, "%d %s\n", l.n, l.text)
		}
	}
	if d := r.Duplicates; d.Groups > 0 {
		fmt.Fprintf(&b, "%d groups of rows with the same vendor, amount and day, %d rows beyond the first: kept\n", d.Groups, d.Extra)
	}
	return b.String()
}
