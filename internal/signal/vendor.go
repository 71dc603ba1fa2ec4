package signal

import "strconv"

// newVendor counts settled purchases. A vendor that is not on record at all has
// none: that is known, not missing.
func newVendor(f *Facts, s *Settings) answer {
	if f.Document != nil && f.Document.Payee == nil {
		return cannot("payee")
	}
	h := f.History
	if h == nil {
		return cannot("history")
	}
	value := plural(h.Count, "settled purchase")
	if h.Unsettled > 0 {
		value += ", " + strconv.Itoa(h.Unsettled) + " not settled yet"
	}
	if h.Count < s.NewVendor.Purchases {
		return say(true, value, "fewer than "+strconv.Itoa(s.NewVendor.Purchases), h.Source)
	}
	if s.NewVendor.Age <= 0 {
		return say(false, value, strconv.Itoa(s.NewVendor.Purchases)+" or more", h.Source)
	}
	if h.First.IsZero() {
		return cannot("history.first")
	}
	young := f.Now.Sub(h.First) < s.NewVendor.Age
	return say(young, value+", the first "+ago(f.Now, h.First), "first at least "+days(s.NewVendor.Age)+" ago", h.Source)
}

// claimsDiffer reports where the request says one thing and the records another.
func claimsDiffer(f *Facts, _ *Settings) answer {
	if f.Differences == nil {
		return cannot("differences")
	}
	if len(f.Differences) == 0 {
		return say(false, "", "nothing differs", "records")
	}
	parts := make([]string, len(f.Differences))
	for i, d := range f.Differences {
		parts[i] = d.Field + " " + strconv.Quote(d.Claimed) + " where " + strconv.Quote(d.Stored) + " is on record"
	}
	return say(true, join(parts), "the same as on record", "records")
}
