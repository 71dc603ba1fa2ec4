package approval

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
)

// handing hands s over from one person to another, with the house's approvers.
func handing(s State, from, to Person) (State, error) {
	return Reassign(s, Reassigning{From: Candidate{Person: from}, To: Candidate{Person: to}, Approvers: []string{"approvers"}, Now: soon})
}

// nominated is a request that waits for one nominated person.
func nominated(t *testing.T, who string) State {
	t.Helper()
	in := submitted(needs())
	in.Requirement.Clauses, in.Nominated = nil, who
	s, err := Open(in)
	wantCode(t, err, "")
	return s
}

func TestReassignMovesTheNominationAndNothingElse(t *testing.T) {
	ann, cat := person("ann", "finance"), person("cat", "approvers")
	s := nominated(t, "ann")
	next, err := handing(s, ann, cat)
	wantCode(t, err, "")
	wantStatus(t, next, countersign.StatusPending)
	if next.Nominated != "cat" || next.Version != s.Version+1 || len(next.Decisions) != 0 {
		t.Errorf("handed over to %q at version %d with %d decisions", next.Nominated, next.Version, len(next.Decisions))
	}
	if next.RequirementDigest != s.RequirementDigest || !next.DecideBy.Equal(s.DecideBy) {
		t.Error("handing over changed what is required or until when")
	}
	_, err = Decide(next, act(next, ann, approve, soon))
	wantCode(t, err, countersign.CodeForbidden, "not the approver who was nominated")
	wantStatus(t, decided(t, next, cat), countersign.StatusApproved)
}

// TestTrapHandingOverMakesNoApprover: ruling 7: nobody is eligible merely by having an
// account, and a colleague's word is less than the source's.
func TestTrapHandingOverMakesNoApprover(t *testing.T) {
	s := nominated(t, "ann")
	_, err := handing(s, person("ann", "finance"), person("pat", "canteen"))
	wantCode(t, err, countersign.CodeForbidden, "in no group that approves this")
	ann := person("ann", "finance")
	ann.Managers = []string{"max", "zoe"}
	for _, to := range []Person{person("bob", "finance"), person("cat", "approvers"), person("zoe")} { // a group of Ann's, the policy's, upwards
		next, err := handing(s, ann, to)
		wantCode(t, err, "")
		wantStatus(t, decided(t, next, to), countersign.StatusApproved)
	}
}

func TestReassignNeverToWhoMustNotDecide(t *testing.T) {
	limited := person("lia", "approvers")
	limited.Limit = eur("1.00")
	gone := person("gus", "approvers")
	gone.Active = false
	denied := person("dee", "approvers")
	denied.Weighed = &countersign.Requirement{Outcome: countersign.OutcomeDeny}
	weak := person("wim", "approvers")
	weak.Strongest = countersign.AssuranceSession
	for _, c := range []struct {
		to   Person
		says string
	}{
		{person("rita", "approvers"), "asked for this"}, {limited, "over the limit"}, {gone, "not active"}, {denied, "the policy does not let"},
		{weak, "needs a factor"},
	} {
		s := nominated(t, "ann")
		s.Requirement.Assurance = countersign.AssuranceMFA
		s.Amount = eur("100.00")
		next, err := handing(s, person("ann", "finance"), c.to)
		wantCode(t, err, countersign.CodeForbidden, c.says)
		if next.Nominated != "ann" || next.Version != s.Version {
			t.Errorf("%s: a refusal changed the request", c.to.Name)
		}
	}
	s := nominated(t, "ann")
	_, err := handing(s, person("ann", "finance"), person("ann", "finance"))
	wantCode(t, err, countersign.CodeInvalid, "not to oneself")
}

func TestReassignOnlyByWhoIsAsked(t *testing.T) {
	cat := person("cat", "approvers")
	s := nominated(t, "ann")
	_, err := handing(s, person("bob", "finance"), cat)
	wantCode(t, err, countersign.CodeForbidden, "only they may hand it over")
	_, err = handing(s, person("rita", "finance"), cat)
	wantCode(t, err, countersign.CodeForbidden, "does not choose who decides")
	rita := nominated(t, "ann")
	rita.Nominated = "rita" // whoever asked was nominated: they cannot pick another either
	_, err = handing(rita, person("rita", "finance"), cat)
	wantCode(t, err, countersign.CodeForbidden, "does not choose who decides")
	byGroup := opened(t, needs(clause(2, "finance")))
	_, err = handing(byGroup, person("pat", "canteen"), person("bob", "finance"))
	wantCode(t, err, countersign.CodeForbidden, "neither the nominated approver nor may decide")
	_, err = handing(byGroup, person("ann", "finance"), cat) // cat approves things, but is not asked here
	wantCode(t, err, countersign.CodeForbidden, "not in finance")
	next, err := handing(byGroup, person("ann", "finance"), person("bob", "finance"))
	wantCode(t, err, "")
	// Who handed over has not decided, and still may: two people of finance are needed.
	wantStatus(t, decided(t, next, person("ann", "finance"), person("bob", "finance")), countersign.StatusApproved)
}

func TestReassignAfterTheDecisionIsRefused(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann)
	_, err := handing(s, ann, bob)
	wantCode(t, err, countersign.CodeConflict, "already decided")
	_, err = handing(s, bob, ann)
	wantCode(t, err, countersign.CodeConflict, "already decided")
}

func TestReassignEndsSomewhere(t *testing.T) {
	ann, bob := person("ann", "approvers"), person("bob", "approvers")
	s := nominated(t, "ann")
	var err error
	for range maxReassigned {
		s, err = handing(s, ann, bob)
		wantCode(t, err, "")
		ann, bob = bob, ann
	}
	_, err = handing(s, ann, bob)
	wantCode(t, err, countersign.CodeState, "handed over 20 times")
}

func TestReassignAfterTheDeadlineExpires(t *testing.T) {
	s := nominated(t, "ann")
	next, err := Reassign(s, Reassigning{From: Candidate{Person: person("ann")}, To: Candidate{Person: person("cat", "approvers")}, Approvers: []string{"approvers"},
		Now: noon.Add(DefaultDecideWithin)})
	wantCode(t, err, countersign.CodeGone)
	wantStatus(t, next, countersign.StatusExpired)
}

func TestWithdrawAnApproval(t *testing.T) {
	approved := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	for _, by := range []By{{Source: "erp"}, {Person: "rita"}} {
		next, err := Cancel(approved, by, soon)
		wantCode(t, err, "")
		wantStatus(t, next, countersign.StatusCancelled)
		if len(next.Decisions) != 1 {
			t.Error("withdrawing forgot who decided")
		}
	}
	_, err := Cancel(approved, By{Source: "other"}, soon)
	wantCode(t, err, countersign.CodeNotFound)
	_, err = Cancel(approved, By{Person: "ann"}, soon)
	wantCode(t, err, countersign.CodeForbidden, "only who asked")
	_, err = Cancel(released(t), By{Source: "erp"}, soon)
	wantCode(t, err, countersign.CodeState)
	approved.Kind = countersign.KindPeopleChange // was carried out when it was approved
	_, err = Cancel(approved, By{Person: "rita"}, soon)
	wantCode(t, err, countersign.CodeState, "carried out")
	late, err := Cancel(decided(t, opened(t, needs(clause(1, "finance"))), ann), By{Source: "erp"}, noon.Add(100*24*time.Hour))
	wantCode(t, err, countersign.CodeGone)
	wantStatus(t, late, countersign.StatusExpired)
}
