// Package backtest runs a history of purchases through a policy and reports what
// the policy would have done to it: what passes, what steps up and what is denied,
// by which rule and why, what could not be said for want of which fact, and who
// would be asked most.
//
// The replay is honest about time: each document knows only the days before its
// own, and documents of one day do not know each other. It is honest about what a
// file does not hold as well: a fact that the file has no column for is unknown, and
// by default an unknown condition fires. So every figure comes twice, as the policy
// answers with this file, and by what the file does say alone.
//
// The package is pure: it reads no clock, no database and no network.
package backtest

import (
	"errors"
	"slices"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
)

// Options say how a history is tried.
type Options struct {
	Policy *policy.Version
	Rates  *Rates // into the policy's currency; nil: none
	// WarmUp is how many days from the first one only make history and are not
	// counted: at the beginning of a file every vendor looks new.
	WarmUp int
	// Top is how many departments, people and sets of missing fields are listed; 0
	// is 10. All of them are counted.
	Top int
	// Report is the reader's account of the file, where there is one.
	Report *connect.Report
	// Progress is called every 1,024 rows and once at the end. Its error stops the
	// trial and is returned as it is.
	Progress func(done, total int) error
}

const progressEvery = 1024

// Try weighs every purchase of the book in the order of their days. It brings the
// rows of the book into that order.
func Try(b *Book, o Options) (*Result, error) {
	if o.Policy == nil {
		return nil, errors.New("backtest: no policy is given")
	}
	if o.Top <= 0 {
		o.Top = 10
	}
	if o.Rates == nil {
		o.Rates = &Rates{}
	}
	if o.Progress == nil {
		o.Progress = func(_, _ int) error { return nil }
	}
	b.prepare()
	t := &trial{book: b, options: o, base: o.Policy.Currency(), needed: o.Policy.Currencies(), past: newPast(o.Policy.Currency(), o.Policy.Windows())}
	t.tally = newTally(t)
	if err := t.run(); err != nil {
		return nil, err
	}
	return t.tally.result(), nil
}

// trial is one history on its way through one policy.
type trial struct {
	book    *Book
	options Options
	base    string
	needed  []string // currencies that the policy itself names
	past    *past
	tally   *tally
	counted int32 // the first day that is counted
	next    int   // rows after which progress is told again
	done    int
}

// purchase is one document: the rows that are its positions.
type purchase struct {
	rows                 []row
	head                 *row // of the number, the vendor and the people, which all rows share
	department, category uint32
	minor                int64
	overflow             bool // the positions do not add up within 64 bits
	base                 int64
	baseKnown            bool // base is the amount in the policy's currency
	rates                []signal.Rate
}

func (t *trial) run() error {
	rows := t.book.rows
	if len(rows) > 0 {
		t.counted = rows[0].day + int32(t.options.WarmUp)
	}
	t.tally.span(rows, t.counted)
	var today []purchase
	for from := 0; from < len(rows); {
		today = today[:0]
		day, to := rows[from].day, from
		for to < len(rows) && rows[to].day == day {
			n := t.book.positions(to)
			today = append(today, t.document(rows[to:to+n]))
			to += n
		}
		if err := t.day(today); err != nil {
			return err
		}
		from = to
	}
	return t.options.Progress(len(rows), len(rows))
}

// day weighs the documents of one day, and only then adds them to what is known.
func (t *trial) day(today []purchase) error {
	for i := range today {
		d := &today[i]
		if d.head.day >= t.counted {
			t.weigh(d)
		} else {
			t.tally.warmUp++
		}
		if t.done += len(d.rows); t.done >= t.next {
			t.next = t.done + progressEvery
			if err := t.options.Progress(t.done, len(t.book.rows)); err != nil {
				return err
			}
		}
	}
	for i := range today {
		d := &today[i]
		if d.head.vendor != 0 {
			t.past.vendor(d.head.vendor).bought(t.book, d)
		}
		t.past.submitted(d)
	}
	return nil
}

// document puts the positions together. Where they are of several departments or
// categories, those of the largest position stand for the document.
func (t *trial) document(rows []row) purchase {
	d := purchase{rows: rows, head: &rows[0]}
	largest := &rows[0]
	for i := range rows {
		r := &rows[i]
		sum := d.minor + r.minor
		d.overflow = d.overflow || (r.minor != 0 && (sum > d.minor) != (r.minor > 0))
		d.minor = sum
		if r.minor > largest.minor {
			largest = r
		}
	}
	d.department, d.category = largest.department, largest.category
	f := signal.Facts{Now: timeOf(d.head.day)}
	d.rates = t.ratesOf(&d, f.Now)
	f.Rates = d.rates
	if !d.overflow {
		m, _, missing := f.InBase(signal.Money{Minor: d.minor, Currency: t.book.text(d.head.currency)}, t.base)
		d.base, d.baseKnown = m.Minor, missing == ""
	}
	return d
}

// ratesOf returns the rates of that day for every currency that the weighing can
// meet: the document's, those of the vendor's history, and those of the policy.
func (t *trial) ratesOf(d *purchase, now time.Time) []signal.Rate {
	if len(t.options.Rates.by) == 0 {
		return []signal.Rate{}
	}
	currencies := append(slices.Clone(t.needed), t.book.text(d.head.currency))
	if v := t.past.vendors[d.head.vendor]; v != nil && d.head.vendor != 0 {
		for i := range v.stats {
			currencies = append(currencies, v.stats[i].Currency)
		}
	}
	slices.Sort(currencies)
	out := []signal.Rate{}
	for _, c := range slices.Compact(currencies) {
		if r, ok := t.options.Rates.On(c, now); ok && c != t.base {
			out = append(out, r)
		}
	}
	return out
}

// weigh asks the policy about one document and counts the answer.
func (t *trial) weigh(d *purchase) {
	f := t.facts(d)
	r := t.options.Policy.Evaluate(&f, policy.StageSubmit)
	t.tally.add(d, &f, &r)
}

// facts is what is known about a document on its day. What the file has no column
// for stays unknown. What Countersign keeps itself, and a file cannot hold, is as
// on the first day of use: nobody has raised an alert, frozen or denied anything.
func (t *trial) facts(d *purchase) signal.Facts {
	b := t.book
	f := signal.Facts{Now: timeOf(d.head.day), Source: "file", Document: t.countersigned(d), Rates: d.rates,
		Alerts: []signal.Alert{}, Freezes: []signal.Freeze{}, BankChanges: []signal.BankChange{},
		Denials: []signal.Denial{}, Differences: []signal.Difference{}, Sums: []signal.Sum{},
		Requester: person(b.text(d.head.requester)), Approver: person(b.text(d.head.approver))}
	if f.Approver != nil {
		f.Submission = &countersign.Submission{Approver: f.Approver.ID}
	}
	if d.head.vendor != 0 {
		f.Vendor, f.History = t.vendor(d, &f)
	}
	for i := range t.past.windows {
		if s, known := t.past.sum(i, d, f.Now); known {
			f.Sums = append(f.Sums, s)
		}
	}
	return f
}

// person is somebody whom the file names. Each subject counts as one natural person;
// nothing else is known about them.
func person(subject string) *signal.Person {
	if subject == "" {
		return nil
	}
	return &signal.Person{ID: subject, Claimed: subject, Name: subject, Type: "person"}
}

// vendor is on record from its first purchase on. Accounts are known where the file
// names accounts, and the vendor was paid before.
func (t *trial) vendor(d *purchase, f *signal.Facts) (*signal.Vendor, *signal.History) {
	b := t.book
	past := t.past.vendors[d.head.vendor]
	v := &signal.Vendor{OnRecord: past != nil, ID: b.text(d.head.vendor), Name: b.text(d.head.vendorName), RecordedSource: "file",
		Fingerprint: b.fingerprint(d.head.scheme, d.head.account)}
	if b.accounts {
		v.LastPaid = []string{}
	}
	if past == nil {
		return v, &signal.History{Source: "file", Sum: signal.Money{Currency: t.base}}
	}
	for i, a := range past.accounts {
		print := b.fingerprint(a.scheme, a.value)
		v.Accounts = append(v.Accounts, signal.Account{Fingerprint: print, FirstSeen: timeOf(a.first)})
		if i < 3 {
			v.LastPaid = append(v.LastPaid, print)
		}
	}
	return v, f.Summarise(past.stats, t.base, "file")
}

// fingerprint names an account for comparison. It never leaves the package.
func (b *Book) fingerprint(scheme, account uint32) string {
	if account == 0 {
		return ""
	}
	return b.text(scheme) + ":" + b.text(account)
}

// countersigned is the document as a caller would send it.
func (t *trial) countersigned(d *purchase) *countersign.Document {
	b, r := t.book, d.head
	doc := &countersign.Document{Kind: b.text(r.kind), ID: r.id, Revision: "1", Entity: b.text(r.entity),
		CostCentre: b.text(d.department), Category: b.text(d.category), Requester: b.party(r),
		Dates: &countersign.Dates{Issued: timeOf(r.day).Format(time.DateOnly)}}
	currency := b.text(r.currency)
	if !d.overflow {
		doc.Amount = &countersign.Amount{Value: countersign.FormatMinor(d.minor, currency), Currency: currency}
	}
	if r.vendor != 0 || r.vendorName != 0 {
		doc.Payee = &countersign.Payee{ID: b.text(r.vendor), Name: b.text(r.vendorName)}
		if r.account != 0 {
			doc.Payee.Account = &countersign.Account{Scheme: b.text(r.scheme), Value: b.text(r.account)}
		}
	}
	if len(d.rows) == 1 && r.line == "" {
		return doc // whether it has positions is not known
	}
	for i := range d.rows {
		p := &d.rows[i]
		number := p.line
		if number == "" {
			number = "1"
		}
		doc.Lines = append(doc.Lines, countersign.Line{Number: number, Category: b.text(p.category), CostCentre: b.text(p.department),
			Amount: &countersign.Amount{Value: countersign.FormatMinor(p.minor, currency), Currency: currency}})
	}
	return doc
}
