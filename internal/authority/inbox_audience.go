package authority

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// concern copies out of a request's state what the pages search by: whom it concerns,
// how pressing it is, and until when it is held. It is an index: whoever reads judges
// by the state itself.
func concern(row *store.Approval, s approval.State) {
	row.Outcome, row.Held = s.Requirement.Outcome, time.Time{}
	if s.Status == countersign.StatusApproved {
		row.Held = s.NotBefore
	}
	row.Audience, row.Pressing = audienceOf(row, s), pressing(row.Rules, s.Requirement)
}

// audienceOf lists whom a request concerns.
func audienceOf(row *store.Approval, s approval.State) []store.Audience {
	waits := s.Status == countersign.StatusPending
	open := waits || s.Status == countersign.StatusUnsatisfiable
	held := s.Status == countersign.StatusApproved && !s.NotBefore.IsZero()
	group := store.AudienceGroup
	if countersign.InternalKind(s.Kind) { // never decided in another's place
		group = store.AudienceInner
	}
	var out audience
	for _, c := range s.Clauses() {
		part := store.PartSee
		// After break-glass two people are needed whatever the clauses ask.
		if waits && (s.UsedBreakGlass() || lacks(s, c) > 0) {
			part = store.PartDecide
		}
		for _, g := range c.From {
			out.add(group+g, part, open)
		}
		if len(c.From) == 0 && s.Nominated != "" {
			out.add(s.Nominated, part, open)
		}
	}
	if s.Nominated != "" {
		out.add(s.Nominated, store.PartSee, open)
	}
	for _, g := range s.Requirement.Watchers {
		out.add(store.AudienceWatch+g, store.PartWatch, open || held)
	}
	for _, r := range s.Requesters {
		// Who asked for what is over is found by the request itself; an owner is not.
		if open || held || r.ID != row.Requester {
			out.add(store.AudienceOwn+r.ID, store.PartAsk, open)
		}
	}
	if !waits && !held {
		return out // who decided on what is over is found by their decision
	}
	for _, d := range s.Decisions {
		if d.Void == "" { // else they may decide again
			out.add(store.AudienceOwn+d.Person, store.PartDone, waits)
		}
	}
	return out
}

// audience is a list without repetitions.
type audience []store.Audience

func (a *audience) add(who, part string, live bool) {
	for _, have := range *a {
		if have.Who == who && have.Part == part {
			return
		}
	}
	*a = append(*a, store.Audience{Who: who, Part: part, Live: live})
}

// lacks is how many more people a clause needs. The state machine alone counts people:
// it is asked about a request that has this clause only, until it misses nothing.
func lacks(s approval.State, c countersign.Clause) int {
	if len(s.Decisions) == 0 {
		return c.Count
	}
	s.Status = countersign.StatusPending
	s.Requirement = countersign.Requirement{Outcome: countersign.OutcomeStepUp}
	decisions := make([]approval.Decision, len(s.Decisions))
	for i, d := range s.Decisions {
		d.Weighed = nil
		decisions[i] = d
	}
	s.Decisions = decisions
	sentences := func(count int) int {
		only := c
		only.Count = count
		s.Requirement.Clauses = []countersign.Clause{only}
		return len(approval.MissingInWords(s))
	}
	// What break-glass still needs is a sentence of its own, whatever the clause.
	always := sentences(0)
	for have := range c.Count {
		if sentences(have+1) > always {
			return c.Count - have
		}
	}
	return 0
}

// pressing orders requests by the weight of what was found: the assurance that it asks
// for, then how many rules counted, then how many people it needs. The smaller, the
// more pressing.
func pressing(rules string, r countersign.Requirement) int64 {
	weight := int64(0)
	for _, a := range []countersign.Assurance{countersign.AssuranceSession, countersign.AssuranceMFA, countersign.AssurancePhishingResistant, countersign.AssuranceHardware} {
		if r.Assurance.AtLeast(a) {
			weight += 10_000
		}
	}
	people := 0
	for _, c := range r.Clauses {
		people += c.Count
	}
	return -(weight + 100*int64(min(len(strings.Fields(rules)), 99)) + int64(min(people, 99)))
}

// ruleNames are the names of the rules that counted, a space around each.
func ruleNames(reasons []countersign.Reason) string {
	var b strings.Builder
	for _, r := range reasons {
		if !policy.Counts(&r) || strings.Contains(b.String(), " "+r.Rule+" ") {
			continue
		}
		if b.Len() == 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.Rule)
		b.WriteByte(' ')
	}
	return b.String()
}

// weighedRules reads them out of what a weighing left in the log.
func weighedRules(opening []byte) (string, error) {
	var r struct {
		Reasons []countersign.Reason `json:"reasons"`
	}
	err := json.Unmarshal(opening, &r)
	return ruleNames(r.Reasons), err
}

// searchWords is what a person would search a document by, folded.
func searchWords(d *countersign.Document) string {
	words := []string{d.ID, d.Subject}
	if d.Payee != nil {
		words = append(words, d.Payee.ID, d.Payee.Name)
	}
	if d.Requester != nil {
		words = append(words, d.Requester.ID, d.Requester.Name)
	}
	return foldName(strings.Join(words, " "))
}
