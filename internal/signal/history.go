package signal

import (
	"cmp"
	"slices"
	"time"
)

// RecentPurchases is how many of a vendor's latest purchases make its usual amount.
const RecentPurchases = 60

// Spent is one purchase of a vendor.
type Spent struct {
	At    int64 // microseconds since 1970
	Minor int64
}

// Purchases are the figures of a vendor's settled purchases in one currency, as a
// server keeps them and as a replay does.
type Purchases struct {
	Currency    string
	Count       int64
	Sum         int64
	TooLarge    bool // the sum is beyond 64 bits: it is not known
	First, Last time.Time
	Recent      []Spent // the latest, newest first, at most [RecentPurchases]
}

// Add adds one purchase.
func (p *Purchases) Add(at time.Time, minor int64) {
	p.count(at)
	sum, fits := addMinor(p.Sum, minor)
	p.Sum, p.TooLarge = sum, p.TooLarge || !fits

	s := Spent{at.UnixMicro(), minor}
	i, _ := slices.BinarySearchFunc(p.Recent, s, func(a, b Spent) int { return cmp.Compare(b.At, a.At) })
	if i >= RecentPurchases {
		return
	}
	if len(p.Recent) == RecentPurchases {
		p.Recent = p.Recent[:RecentPurchases-1]
	}
	p.Recent = slices.Insert(p.Recent, i, s)
}

// AddTooLarge adds a purchase whose own amount is beyond 64 bits.
func (p *Purchases) AddTooLarge(at time.Time) {
	p.count(at)
	p.TooLarge = true
}

func (p *Purchases) count(at time.Time) {
	if p.Count == 0 || at.Before(p.First) {
		p.First = at
	}
	if at.After(p.Last) {
		p.Last = at
	}
	p.Count++
}

// Summarise turns a vendor's figures, by currency, into history in the currency base, at
// the rates of now. What cannot be converted is left out as "not known", never counted as
// nothing.
func (f *Facts) Summarise(all []Purchases, base, source string) *History {
	h := &History{Source: source}
	largest, yearAgo := int64(0), f.Now.AddDate(-1, 0, 0).UnixMicro()
	known := true
	var sum int64
	var recent []Spent
	for i := range slices.Backward(all) { // of purchases at one moment, those of a later currency come first
		p := &all[i]
		h.Count += int(p.Count)
		if h.First.IsZero() || p.First.Before(h.First) {
			h.First = p.First
		}
		if p.Last.After(h.Last) {
			h.Last = p.Last
		}

		m, _, missing := f.InBase(Money{Minor: p.Sum, Currency: p.Currency}, base)
		if missing != "" || p.TooLarge {
			known = false
			continue
		}
		sum += m.Minor
		for _, s := range p.Recent {
			m, _, missing := f.InBase(Money{Minor: s.Minor, Currency: p.Currency}, base)
			if missing != "" {
				known = false
				break
			}
			recent = append(recent, Spent{s.At, m.Minor})
			if s.At > yearAgo {
				largest = max(largest, m.Minor)
			}
		}
	}
	if !known {
		return h
	}

	h.Sum = Money{Minor: sum, Currency: base}
	if len(recent) > 0 {
		h.Usual = &Money{Minor: usual(recent, len(all)), Currency: base}
		h.Largest = &Money{Minor: largest, Currency: base}
	}
	return h
}

// usual is the median of the latest purchases, which are newest first in each currency.
func usual(recent []Spent, currencies int) int64 {
	if currencies > 1 {
		slices.SortStableFunc(recent, func(a, b Spent) int { return cmp.Compare(b.At, a.At) })
		recent = recent[:min(len(recent), RecentPurchases)]
	}

	var room [RecentPurchases]int64
	v := room[:0]
	for _, s := range recent {
		v = append(v, s.Minor)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return v[n/2-1]/2 + v[n/2]/2 + (v[n/2-1]%2+v[n/2]%2)/2
	}
	return v[len(v)/2]
}

// Group says whose documents a window sums, beside their kind; the zero value stands for
// everybody's. T is how a vendor, a person and a category are named.
type Group[T comparable] struct{ Vendor, Requester, Category T }

// GroupOf returns whose documents are summed for a document, or the field without which
// that cannot be told.
func GroupOf[T comparable](by Scope, vendor, requester, category T) (g Group[T], missing string) {
	var none T
	if by != ByRequesterCategory {
		if g.Vendor = vendor; vendor == none {
			return g, "payee"
		}
	}
	if by != ByVendor {
		if g.Requester = requester; requester == none {
			return g, "requester"
		}
	}
	if by == ByRequesterCategory {
		if g.Category = category; category == none {
			return g, "category"
		}
	}
	return g, ""
}

// Counts reports whether a request is part of the window's sums: its amount in the
// policy's currency is below the limit, or not known. A credit makes no sum smaller. The
// store asks the same of its rows.
func (w *Window) Counts(minor int64, known bool) bool {
	return !known || minor > 0 && minor < w.Below.Minor
}
