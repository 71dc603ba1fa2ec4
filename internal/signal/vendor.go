package signal

import (
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/shape"
)

var newVendorSettings = section{
	shape: shape.ObjectOf("how long a vendor is new",
		shape.Optional("purchases", shape.NumberOf("fewer settled purchases than this", 1, 1000)),
		shape.Optional("age", shape.DurationOf("or the first one more recent than this")),
	),
	read: func(s *Settings, w Written) {
		s.NewVendor.Purchases = w.Member("purchases").Number(s.NewVendor.Purchases)
		s.NewVendor.Age = w.Member("age").Duration(s.NewVendor.Age)
	},
}

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
	parts := make([]string, min(len(f.Differences), mostNamed))
	for i, d := range f.Differences[:len(parts)] {
		parts[i] = d.Field + " " + strconv.Quote(d.Claimed) + " where " + strconv.Quote(d.Stored) + " is on record"
	}
	value := join(parts)
	if more := len(f.Differences) - len(parts); more > 0 {
		value += " and " + strconv.Itoa(more) + " more"
	}
	return say(true, value, "the same as on record", "records")
}

// Differences lists where a document claims a fact about the payee otherwise than it
// is stored (ruling 9). What either side leaves out is no difference, and neither
// are case and spacing. The answer is never nil.
func Differences(d *countersign.Document, v *Vendor) []Difference {
	out := []Difference{}
	if d == nil || d.Payee == nil || v == nil || !v.OnRecord {
		return out
	}
	for _, f := range [...]struct{ field, claimed, stored string }{
		{"vendor.name", d.Payee.Name, v.Name},
		{"vendor.tax_id", d.Payee.TaxID, v.TaxID},
		{"vendor.country", d.Payee.Country, v.Country},
	} {
		if f.claimed != "" && f.stored != "" && !strings.EqualFold(strings.Join(strings.Fields(f.claimed), " "), strings.Join(strings.Fields(f.stored), " ")) {
			out = append(out, Difference{Field: f.field, Claimed: f.claimed, Stored: f.stored})
		}
	}
	return out
}
