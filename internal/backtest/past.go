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

// recentPurchases is how many of a vendor's latest purchases make its usual amount:
// as many as a running server keeps at hand.
const recentPurchases = 60

// vendorPast is a vendor's history, by currency, and the accounts it was paid to,
// the one paid last first.
type vendorPast struct {
	stats    []vendorStat
	accounts []accountPast
}

type vendorStat struct {
	currency    uint32
	count       int
	sum         int64
	overflow    bool
	first, last int32
	recent      []spent // oldest first, at most recentPurchases
}

type spent struct {
	day   int32
	minor int64
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
func (v *vendorPast) bought(d *purchase) {
	i := slices.IndexFunc(v.stats, func(s vendorStat) bool { return s.currency == d.head.currency })
	if i < 0 {
		i = len(v.stats)
		v.stats = append(v.stats, vendorStat{currency: d.head.currency, first: d.head.day})
	}
	s := &v.stats[i]
	s.count++
	s.last = d.head.day
	sum := s.sum + d.minor
	s.overflow = s.overflow || d.overflow || (d.minor != 0 && (sum > s.sum) != (d.minor > 0))
	s.sum = sum
	if !d.overflow {
		if len(s.recent) == recentPurchases {
			copy(s.recent, s.recent[1:])
			s.recent = s.recent[:recentPurchases-1]
		}
		s.recent = append(s.recent, spent{d.head.day, d.minor})
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

// history puts the figures together in the policy's currency, at the rates of now.
// What cannot be converted is left out as "not known", never counted as nothing.
func (v *vendorPast) history(b *Book, f *signal.Facts, base string) *signal.History {
	h := &signal.History{Source: "file"}
	known := true
	var sum int64
	var recent []spent
	largest := int64(0)
	yearAgo := dayOf(f.Now.AddDate(-1, 0, 0))
	for i := range v.stats {
		s := &v.stats[i]
		h.Count += s.count
		if first := timeOf(s.first); h.First.IsZero() || first.Before(h.First) {
			h.First = first
		}
		if last := timeOf(s.last); last.After(h.Last) {
			h.Last = last
		}
		currency := b.text(s.currency)
		m, _, missing := f.InBase(signal.Money{Minor: s.sum, Currency: currency}, base)
		if missing != "" || s.overflow {
			known = false
			continue
		}
		sum += m.Minor
		for _, r := range s.recent {
			m, _, missing := f.InBase(signal.Money{Minor: r.minor, Currency: currency}, base)
			if missing != "" {
				known = false
				break
			}
			recent = append(recent, spent{r.day, m.Minor})
			if r.day > yearAgo && m.Minor > largest {
				largest = m.Minor
			}
		}
	}
	if !known {
		return h
	}
	h.Sum = signal.Money{Minor: sum, Currency: base}
	if len(recent) > 0 {
		if len(v.stats) > 1 {
			slices.SortStableFunc(recent, func(a, b spent) int { return int(a.day) - int(b.day) })
			recent = recent[max(0, len(recent)-recentPurchases):]
		}
		h.Usual = &signal.Money{Minor: median(recent), Currency: base}
		h.Largest = &signal.Money{Minor: largest, Currency: base}
	}
	return h
}

func median(recent []spent) int64 {
	var room [recentPurchases]int64
	v := room[:0]
	for _, s := range recent {
		v = append(v, s.minor)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return v[n/2-1]/2 + v[n/2]/2 + (v[n/2-1]%2+v[n/2]%2)/2
	}
	return v[len(v)/2]
}

// sumKey says whose documents a sum is of; 0 stands for everybody's.
type sumKey struct{ kind, vendor, requester, category uint32 }

// keyOf returns whose documents a window sums for a document, or the field without
// which that cannot be told.
func keyOf(w *signal.Window, d *purchase) (k sumKey, missing string) {
	k.kind = d.head.kind
	switch w.By {
	case signal.ByVendorRequester:
		k.vendor, k.requester = d.head.vendor, d.head.requester
	case signal.ByVendor:
		k.vendor = d.head.vendor
	case signal.ByRequesterCategory:
		k.requester, k.category = d.head.requester, d.category
	}
	switch {
	case w.By != signal.ByRequesterCategory && k.vendor == 0:
		return k, "payee"
	case w.By != signal.ByVendor && k.requester == 0:
		return k, "requester"
	case w.By == signal.ByRequesterCategory && k.category == 0:
		return k, "category"
	}
	return k, ""
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
// policy's currency on its own day, where that is known. Credits make no sum smaller.
func (p *past) submitted(d *purchase) {
	for i := range p.windows {
		w := &p.windows[i]
		k, missing := keyOf(w, d)
		if missing != "" || w.Below.Currency != p.base || (d.baseKnown && (d.base <= 0 || d.base >= w.Below.Minor)) {
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
