package signal

import (
	"math"
	"slices"
	"strconv"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
)

// base returns the document's amount in the policy's currency, and where it comes
// from in words.
func (f *Facts) base(s *Settings) (m Money, source, missing string) {
	m, missing = f.Amount()
	if missing != "" {
		return m, "", missing
	}
	c, rate, missing := f.InBase(m, s.Base)
	return c, amountSource(m, rate), missing
}

func amountSource(m Money, rate *Rate) string {
	if rate == nil {
		return "document"
	}
	return "document, " + m.String() + " at the rate " + rate.Value + " of " + day(rate.Date) + " (" + rate.Source + ")"
}

var thresholdSettings = section{
	shape: shape.ListOf("signal.over_threshold is true when the amount reaches one of these",
		shape.ObjectOf("a threshold; a filter that is left out admits everything",
			shape.Optional("kinds", shape.KindsOf("for these kinds of documents")),
			shape.Optional("category", shape.TextOf("for this category")),
			shape.Optional("entity", shape.TextOf("for this legal entity")),
			shape.Optional("currency", shape.CurrencyOf("for documents in this currency")),
			shape.Required("amount", shape.AmountOf("true from this amount on")),
		)),
	read: func(s *Settings, w Written) {
		for _, e := range w.Items() {
			if m, ok := e.Member("amount").Amount(); ok {
				s.Thresholds = append(s.Thresholds, Threshold{Kinds: e.Member("kinds").Kinds(), Category: e.Member("category").Text(),
					Entity: e.Member("entity").Text(), Currency: e.Member("currency").Text(), Amount: m})
			}
		}
	},
	never: func(s *Settings) bool { return len(s.Thresholds) == 0 },
}

// overThreshold holds the amount against every threshold that is set for such a
// document; one that is reached is enough.
func overThreshold(f *Facts, s *Settings) answer {
	if f.Document == nil {
		return cannot("document")
	}
	own, missingAmount := f.Amount()
	var reached, nearest *Threshold
	var missing []string
	for i := range s.Thresholds {
		t := &s.Thresholds[i]
		applies, lacks := t.applies(f.Document, own, missingAmount)
		if lacks != "" {
			missing = append(missing, lacks)
		}
		if !applies {
			continue
		}
		at, lacks := f.reaches(own, missingAmount, t.Amount, s.Base)
		switch {
		case lacks != "":
			missing = append(missing, lacks)
		case at && (reached == nil || t.Amount.Minor > reached.Amount.Minor):
			reached = t
		case !at && (nearest == nil || t.Amount.Minor < nearest.Amount.Minor):
			nearest = t
		}
	}
	source := "document"
	if missingAmount == "" {
		_, rate, _ := f.InBase(own, s.Base)
		source = amountSource(own, rate)
	}
	switch {
	case reached != nil:
		return say(true, own.String(), reached.Amount.String()+" or more", source)
	case len(missing) > 0:
		slices.Sort(missing)
		return cannot(slices.Compact(missing)...)
	case nearest != nil:
		return say(false, own.String(), "below "+nearest.Amount.String(), source)
	}
	return say(false, "", "no threshold is set for such a document", "policy")
}

// applies reports whether the threshold is meant for such a document; lacks names
// the field without which that cannot be told.
func (t *Threshold) applies(d *countersign.Document, m Money, missingAmount string) (applies bool, lacks string) {
	if len(t.Kinds) > 0 && !slices.Contains(t.Kinds, d.Kind) {
		return false, ""
	}
	for _, p := range [...]struct{ want, have, field string }{
		{t.Category, d.Category, "category"}, {t.Entity, d.Entity, "entity"}, {t.Currency, m.Currency, missingAmount},
	} {
		if p.want == "" || p.want == p.have {
			continue
		}
		if p.have == "" {
			lacks = p.field
			continue
		}
		return false, ""
	}
	return lacks == "", lacks
}

// reaches compares directly within one currency, and else in the policy's.
func (f *Facts) reaches(m Money, missing string, limit Money, base string) (bool, string) {
	if missing != "" {
		return false, missing
	}
	c, missing := f.Compare(m, limit, base)
	return missing == "" && c >= 0, missing
}

// Compare orders two amounts: directly when they have one currency, and else in
// the currency base. Where it cannot, missing says what it lacks.
func (f *Facts) Compare(a, b Money, base string) (order int, missing string) {
	if a.Currency != b.Currency {
		var lacks string
		if a, _, missing = f.InBase(a, base); missing != "" {
			return 0, missing
		}
		if b, _, lacks = f.InBase(b, base); lacks != "" {
			return 0, lacks
		}
	}
	switch {
	case a.Minor < b.Minor:
		return -1, ""
	case a.Minor > b.Minor:
		return 1, ""
	}
	return 0, ""
}

var bandSettings = section{
	shape: shape.ListOf("signal.cumulative is true when requests below a limit together reach it",
		shape.ObjectOf("a window",
			shape.Required("by", shape.OneOf("whose requests are summed", string(ByVendorRequester), string(ByVendor), string(ByRequesterCategory))),
			shape.Required("within", shape.DurationOf("how far back")),
			shape.Required("limit", shape.AmountOf("the limit that a purchase may be split under")),
		)),
	read: func(s *Settings, w Written) {
		for _, e := range w.Items() {
			m, ok := e.Member("limit").Amount()
			within := e.Member("within").Duration(0)
			if !ok || within == 0 {
				continue
			}
			if m.Currency != s.Base {
				e.Member("limit").Fail("", "want an amount in %s: sums are kept in the policy's currency", s.Base)
				continue
			}

			win := Window{By: Scope(e.Member("by").Text()), Within: within, Below: m}
			win.Name = string(win.By) + "/" + e.Member("within").Text() + "/" + countersign.FormatMinor(m.Minor, m.Currency) + m.Currency
			if slices.ContainsFunc(s.Bands, func(b Band) bool { return b.Window.Name == win.Name }) {
				e.Fail("", "this window stands twice")
			}
			s.Bands = append(s.Bands, Band{Window: win})
		}
	},
	never: func(s *Settings) bool { return len(s.Bands) == 0 },
}

// cumulative finds purchases that were split to stay below a limit: n requests of
// which each is below it while their sum reaches it. One that reaches the limit
// alone is no split; thresholds catch it.
func cumulative(f *Facts, s *Settings) answer {
	if len(s.Bands) == 0 {
		return say(false, "", "no window is set", "policy")
	}
	amount, _, missingAmount := f.base(s)
	if missingAmount != "" {
		return cannot(missingAmount)
	}
	var missing []string
	best := answer{state: countersign.False}
	for i := range s.Bands {
		w := &s.Bands[i].Window
		limit, _, lacks := f.InBase(w.Below, s.Base)
		if lacks != "" {
			missing = append(missing, lacks)
			continue
		}
		if amount.Minor >= limit.Minor {
			continue
		}
		sum := f.sum(w.Name)
		if sum == nil || sum.Total.Currency != "" && sum.Total.Currency != s.Base {
			missing = append(missing, "sums."+w.Name)
			continue
		}
		total, ok := addMinor(sum.Total.Minor, amount.Minor)
		value := plural(sum.Count+1, "request") + " of " + Money{total, s.Base}.String() + " together"
		comparison := limit.String() + " or more within " + days(w.Within) + ", each below it"
		switch {
		case !ok:
			missing = append(missing, "sums."+w.Name+" (too large)")
		case sum.Count > 0 && total >= limit.Minor:
			return say(true, value, comparison, w.by())
		case sum.Unknown > 0:
			missing = append(missing, "amounts of "+plural(sum.Unknown, "request")+" in sums."+w.Name)
		default:
			best = say(false, value, comparison, w.by())
		}
	}
	if len(missing) > 0 {
		return cannot(missing...)
	}
	return best
}

func (f *Facts) sum(window string) *Sum {
	for i := range f.Sums {
		if f.Sums[i].Window == window {
			return &f.Sums[i]
		}
	}
	return nil
}

// by says whose requests the window sums.
func (w *Window) by() string {
	switch w.By {
	case ByVendorRequester:
		return "requests of the same kind to this vendor by this requester"
	case ByVendor:
		return "requests of the same kind to this vendor"
	}
	return "requests of the same kind and category by this requester"
}

func addMinor(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

func mulMinor(a int64, times int) (int64, bool) {
	if times <= 0 || a < 0 || a > math.MaxInt64/int64(times) {
		return 0, false
	}
	return a * int64(times), true
}

var unusualSettings = section{
	shape: shape.ObjectOf("when an amount is unusual for a vendor",
		shape.Optional("observations", shape.NumberOf("with fewer settled purchases it cannot be told", 5, 1000)),
		shape.Optional("times_usual", shape.NumberOf("more than this many times the median; 0: not asked", 0, 10000)),
		shape.Optional("times_largest", shape.NumberOf("more than this many times the largest of twelve months; 0: not asked", 0, 10000)),
	),
	read: func(s *Settings, w Written) {
		u := &s.Unusual
		u.Observations = w.Member("observations").Number(u.Observations)
		u.TimesUsual = w.Member("times_usual").Number(u.TimesUsual)
		u.TimesLargest = w.Member("times_largest").Number(u.TimesLargest)
	},
}

// unusualAmount holds the amount against the vendor's own past. Below the least
// number of observations there is no "usual", and new_vendor says more.
func unusualAmount(f *Facts, s *Settings) answer {
	amount, _, missing := f.base(s)
	if missing != "" {
		return cannot(missing)
	}
	h := f.History
	if h == nil {
		return cannot("history")
	}
	if h.Count < s.Unusual.Observations {
		a := cannot("history.usual")
		a.value = plural(h.Count, "settled purchase")
		a.comparison = "at least " + plural(s.Unusual.Observations, "observation") + " needed"
		return a
	}
	for _, m := range [...]struct {
		field, words string
		stored       *Money
		times        int
	}{
		{"history.usual", " times the usual ", h.Usual, s.Unusual.TimesUsual},
		{"history.largest", " times the largest of twelve months, ", h.Largest, s.Unusual.TimesLargest},
	} {
		if m.times == 0 {
			continue
		}
		if m.stored == nil || m.stored.Currency != s.Base {
			return cannot(m.field)
		}
		limit, ok := mulMinor(m.stored.Minor, m.times)
		if ok && amount.Minor > limit { // a product beyond 64 bits is above any amount
			return say(true, amount.String(), "more than "+strconv.Itoa(m.times)+m.words+m.stored.String(), h.Source)
		}
	}
	usual := "within what is usual"
	if h.Usual != nil {
		usual = "usual " + h.Usual.String() + " over " + plural(h.Count, "purchase")
	}
	return say(false, amount.String(), usual, h.Source)
}
