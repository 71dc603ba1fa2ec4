package web

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// TestCoolingFactorIsNotAskedForAgain: whoever has enrolled what is needed, and only
// waits until it counts, is not told to enrol it.
func TestCoolingFactorIsNotAskedForAgain(t *testing.T) {
	later := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		factor authority.OwnFactor
		need   countersign.Assurance
		want   bool
	}{
		{authority.OwnFactor{Type: "passkey", CountsFrom: later}, countersign.AssurancePhishingResistant, true},
		{authority.OwnFactor{Type: "totp", CountsFrom: later}, countersign.AssurancePhishingResistant, false},
		{authority.OwnFactor{Type: "totp", CountsFrom: later}, countersign.AssuranceMFA, true},
		{authority.OwnFactor{Type: "passkey", CountsFrom: later}, countersign.AssuranceHardware, false},
		{authority.OwnFactor{Type: "passkey"}, countersign.AssurancePhishingResistant, false},
	} {
		r := &authority.RequestView{}
		r.You.Factors = []authority.OwnFactor{c.factor}
		q := &requestReader{r: r}
		if got := q.cooling(string(c.need)); got != c.want {
			t.Errorf("%+v for %s: cooling is %v, not %v", c.factor, c.need, got, c.want)
		}
	}
}

// TestLeadCountsEachClause: what is lacking beside the visitor is said of each clause. One
// person counts in every clause that they belong to, and in no other.
func TestLeadCountsEachClause(t *testing.T) {
	texts, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	approvers, treasury, nominated := countersign.Clause{Count: 1, From: []string{"approvers"}}, countersign.Clause{Count: 3, From: []string{"treasury"}}, countersign.Clause{Count: 1}
	lead := func(change func(*authority.RequestView)) string {
		r := sampleRequest(func(r *authority.RequestView) {
			r.Approval.Requirement.Hold, r.Decisions = 0, nil
			r.Missing = []authority.MissingClause{{Clause: approvers, Lacks: 1}, {Clause: treasury, Have: 1, Lacks: 2}}
			r.You.Clauses = nil
		}, change)
		return (&requestReader{r: r, tx: texts, me: galleryMe}).lead()
	}
	for name, c := range map[string]struct {
		change func(*authority.RequestView)
		want   string
	}{
		"one of both": {func(r *authority.RequestView) { r.You.Clauses = []countersign.Clause{approvers} }, "Beside yours, the approval of 2 more people of treasury is needed."},
		"the other":   {func(r *authority.RequestView) { r.You.Clauses = []countersign.Clause{treasury} }, "Beside yours, the approval of 1 more person of approvers and 1 more person of treasury is needed."},
		"in both": {func(r *authority.RequestView) { r.You.Clauses = []countersign.Clause{approvers, treasury} },
			"Beside yours, the approval of 1 more person of treasury is needed."},
		"the last of both": {func(r *authority.RequestView) {
			r.Missing[1].Lacks, r.You.Clauses = 1, []countersign.Clause{approvers, treasury}
		}, "Your approval is the last that is needed."},
		"in another's place": {func(r *authority.RequestView) {
			r.You.Acts, r.You.ActingFor = nil, []authority.ActingFor{{Acts: []string{authority.CanApprove}, Clauses: []countersign.Clause{approvers}}}
		}, "Beside yours, the approval of 2 more people of treasury is needed."},
		"with the one who is named": {func(r *authority.RequestView) {
			r.Missing, r.You.Clauses = []authority.MissingClause{{Clause: approvers, Lacks: 1}, {Clause: nominated, Lacks: 1}}, []countersign.Clause{approvers}
			r.Nominated = &countersign.Principal{ID: "per_x", Name: "Omar Haddad"}
		}, "Beside yours, the approval of Omar Haddad is needed."},
		"by break-glass": {func(r *authority.RequestView) {
			r.You.Acts, r.You.BreakGlass, r.Missing = nil, true, []authority.MissingClause{{Clause: approvers, Lacks: 1}}
		}, "Beside yours, the approval of another person with a passkey is needed."},
	} {
		if got := lead(c.change); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
