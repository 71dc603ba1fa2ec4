package backtest

import (
	"math"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/signal"
)

// past is what is known at a moment: everything of the days before.
type past struct {
	base    string
	vendors map[uint32]*vendorPast
	windows []signal.Window
	sums    []map[sumKey]*sumPast // one for each window
}

func newPast(base string, windows []signal.Window) *past {
	p := &past{base: base, vendors: map[uint32]*vendorPast{}, windows: windows, sums: make([]map[sumKey]*sumPast, len(windows))}
	for i := range p.sums {
		p.sums[i] = map[sumKey]*sumPast{}
	}
	return p
}

// vendorPast is a vendor's history, by currency, and the accounts it was paid to,
// the one paid last first.
type vendorPast struct {
	stats    []signal.Purchases
	accounts []accountPast
}

type accountPast struct {
	scheme, value uint32
	first         int32
}

func (p *past) vendor(id uint32) *vendorPast {
	v := p.vendors[id]
	if v == nil {
		v = &vendorPast{}
		p.vendors[id] = v
	}
	return v
}

// bought adds a document to its vendor's history.
func (v *vendorPast) bought(b *Book, d *purchase) {
	currency, at := b.text(d.head.currency), timeOf(d.head.day)
	i := slices.IndexFunc(v.stats, func(s signal.Purchases) bool { return s.Currency == currency })
	if i < 0 {
		i = len(v.stats)
		v.stats = append(v.stats, signal.Purchases{Currency: currency})
	}
	if d.overflow {
		v.stats[i].AddTooLarge(at)
	} else {
		v.stats[i].Add(at, d.minor)
	}

	if d.head.account != 0 {
		v.paid(d.head)
	}
}

func (v *vendorPast) paid(r *row) {
	a := accountPast{r.scheme, r.account, r.day}
	i := slices.IndexFunc(v.accounts, func(have accountPast) bool { return have.scheme == a.scheme && have.value == a.value })
	if i >= 0 {
		a = v.accounts[i]
		v.accounts = slices.Delete(v.accounts, i, i+1)
	}
	v.accounts = slices.Insert(v.accounts, 0, a)
}

// sumKey says whose documents a sum is of.
type sumKey struct {
	kind uint32
	signal.Group[uint32]
}

func keyOf(w *signal.Window, d *purchase) (sumKey, string) {
	g, missing := signal.GroupOf(w.By, d.head.vendor, d.head.requester, d.category)
	return sumKey{d.head.kind, g}, missing
}

// sumPast is one running sum over a window. Entries that have left the window are
// taken out when it is asked again.
type sumPast struct {
	entries        []sumEntry // oldest first
	total          int64
	count, unknown int
}

type sumEntry struct {
	id    string
	minor int64
	day   int32
	known bool
}

// leave takes out what was submitted at or before the window's beginning.
func (s *sumPast) leave(since time.Time) {
	n := 0
	for n < len(s.entries) && !timeOf(s.entries[n].day).After(since) {
		s.take(&s.entries[n], -1)
		n++
	}
	if n == len(s.entries) {
		s.entries = nil
		return
	}
	s.entries = s.entries[n:]
}

func (s *sumPast) take(e *sumEntry, sign int) {
	if !e.known {
		s.unknown += sign
		return
	}
	s.count += sign
	s.total += int64(sign) * e.minor
}

// sum returns what is in a window beside the document itself, or false where it is
// not known.
func (p *past) sum(i int, d *purchase, now time.Time) (signal.Sum, bool) {
	w := &p.windows[i]
	k, missing := keyOf(w, d)
	if missing != "" || w.Below.Currency != p.base {
		return signal.Sum{}, false
	}
	out := signal.Sum{Window: w.Name, Total: signal.Money{Currency: p.base}}
	s := p.sums[i][k]
	if s == nil {
		return out, true
	}
	s.leave(now.Add(-w.Within))
	own := sumPast{}
	if d.head.again { // the object itself does not count (its earlier revisions)
		for j := range s.entries {
			if s.entries[j].id == d.head.id {
				own.take(&s.entries[j], 1)
			}
		}
	}
	out.Count, out.Unknown, out.Total.Minor = s.count-own.count, s.unknown-own.unknown, s.total-own.total
	return out, true
}

// submitted adds a document to the sums of the windows. base is its amount in the
// policy's currency on its own day, where that is known.
func (p *past) submitted(d *purchase) {
	for i := range p.windows {
		w := &p.windows[i]
		k, missing := keyOf(w, d)
		if missing != "" || w.Below.Currency != p.base || !w.Counts(d.base, d.baseKnown) {
			continue
		}
		s := p.sums[i][k]
		if s == nil {
			s = &sumPast{}
			p.sums[i][k] = s
		}
		// A total near the end of 64 bits is not added to: what does not fit is not known.
		known := d.baseKnown && s.total < math.MaxInt64/2
		s.entries = append(s.entries, sumEntry{d.head.id, d.base, d.head.day, known})
		s.take(&s.entries[len(s.entries)-1], 1)
	}
}
