package signal

import (
	"slices"
	"strconv"

	countersign "github.com/countersign/countersign"
)

// Payment is what the lines of a document pay to one account of one payee.
type Payment struct {
	Lines int                `json:"lines"` // how many lines pay it
	First string             `json:"first"` // number of the first of them
	Payee *countersign.Payee `json:"payee"` // as those lines name them

	// As the members of the same names of [Facts], of this payee; nil: not looked up,
	// as where the payee has no number.
	Vendor      *Vendor      `json:"vendor,omitempty"`
	History     *History     `json:"history,omitempty"`
	BankChanges []BankChange `json:"bank_changes,omitzero"`
}

// mostNamed is how many vendors, or differences, one finding names.
const mostNamed = 3

// paidLines counts the lines that pay somebody. In a payment batch all must.
func (f *Facts) paidLines() int {
	if f.Document == nil {
		return 0
	}
	if f.Document.Kind == countersign.KindPaymentBatch {
		return len(f.Document.Lines)
	}
	n := 0
	for i := range f.Document.Lines {
		if f.Document.Lines[i].Payee != nil {
			n++
		}
	}
	return n
}

// perPayee asks about everybody who is paid: the document's own payee and those of
// its lines. The strictest answer stands: true for one is true, and else what cannot
// be told for one cannot be told.
func perPayee(ask func(*Facts, *Settings) answer) func(*Facts, *Settings) answer {
	return func(f *Facts, s *Settings) answer {
		lines := f.paidLines()
		batch := f.Document != nil && f.Document.Kind == countersign.KindPaymentBatch
		if lines == 0 && !batch {
			return ask(f, s)
		}
		covered := 0
		for i := range f.Payments {
			covered += f.Payments[i].Lines
		}
		if lines == 0 || covered != lines {
			return cannot("payments")
		}
		var t told
		if f.Document.Payee != nil {
			t.add(ask(f, s), nil)
		}
		of := *f
		doc := *f.Document
		of.Document = &doc
		for i := range f.Payments {
			p := &f.Payments[i]
			doc.Payee, of.Vendor, of.History, of.BankChanges = p.Payee, p.Vendor, p.History, p.BankChanges
			t.add(ask(&of, s), p)
		}
		return t.strictest(lines)
	}
}

// told collects the answers about the payees of one document.
type told struct {
	by [3]struct { // by state: false, cannot say, true
		first answer
		any   bool
		lines int
		names []string
	}
	missing []string
}

// add takes one answer; p is nil for the document's own payee.
func (t *told) add(a answer, p *Payment) {
	at := 1
	switch a.state {
	case countersign.False:
		at = 0
	case countersign.True:
		at = 2
	}
	b := &t.by[at]
	if !b.any {
		b.any, b.first = true, a
	}
	for _, m := range a.missing {
		if !slices.Contains(t.missing, m) {
			t.missing = append(t.missing, m)
		}
	}
	if p == nil {
		return
	}
	b.lines += p.Lines
	if name := p.name(); len(b.names) <= mostNamed && !slices.Contains(b.names, name) {
		b.names = append(b.names, name)
	}
}

func (t *told) strictest(lines int) answer {
	for at := len(t.by) - 1; at > 0; at-- {
		b := &t.by[at]
		if !b.any {
			continue
		}
		a := b.first
		if at == 1 {
			a.missing = t.missing
		}
		if b.lines > 0 {
			of := plural(b.lines, "line")
			if b.lines < lines {
				of = strconv.Itoa(b.lines) + " of " + plural(lines, "line")
			}
			value := of + ", to " + few(b.names)
			if a.value != "" {
				value += ": " + a.value
			}
			a.value = value
		}
		return a
	}
	a := t.by[0].first
	a.value = "none of " + plural(lines, "line")
	return a
}

func (p *Payment) name() string {
	switch {
	case p.Payee == nil:
		return "nobody named"
	case p.Payee.Name == "":
		return p.Payee.ID
	case p.Payee.ID == "":
		return p.Payee.Name
	}
	return p.Payee.Name + " (" + p.Payee.ID + ")"
}

// few joins the first names, and says that there are more.
func few(names []string) string {
	if len(names) > mostNamed {
		return join(names[:mostNamed]) + " and others"
	}
	return join(names)
}

// linesTo says how many lines pay one of these vendors.
func (f *Facts) linesTo(vendors ...string) string {
	n := 0
	for i := range f.Payments {
		if p := f.Payments[i].Payee; p != nil && slices.Contains(vendors, p.ID) {
			n += f.Payments[i].Lines
		}
	}
	if n == 0 {
		return ""
	}
	return " (" + strconv.Itoa(n) + " of " + plural(f.paidLines(), "line") + ")"
}
