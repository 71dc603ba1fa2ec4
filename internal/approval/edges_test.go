package approval

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
)

// TestSentBackHasTimeToDecide: the window to decide is long over when an approved
// request goes back; it starts again, or sending back would be an end.
func TestSentBackHasTimeToDecide(t *testing.T) {
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	at := noon.Add(DefaultDecideWithin + 24*time.Hour)
	r := releasing(s, "run-1", at)
	r.Alerts = []Alert{{ID: "alr_1", Sentence: "supplier breach", Raised: at}}
	s, err := Release(s, r)
	wantCode(t, err, countersign.CodeNotReleasable)
	if !s.DecideBy.Equal(at.Add(DefaultDecideWithin)) {
		t.Errorf("decide by %v", s.DecideBy)
	}
	s, err = Decide(s, act(s, bob, approve, at.Add(time.Hour)))
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusApproved)
}

func TestApprovedStaysWhereNothingIsStricter(t *testing.T) {
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	for _, c := range [][]Candidate{nil, people(ann, bob)} {
		next, err := Reweigh(s, Weighing{Requirement: s.Requirement, PolicyDigest: newPol, Candidates: c, Why: "a new policy", Now: soon})
		wantCode(t, err, "")
		if next.Status != countersign.StatusApproved || next.Version != s.Version {
			t.Errorf("%s at version %d", next.Status, next.Version)
		}
	}
}

func TestCancelBy(t *testing.T) {
	s := opened(t, needs(clause(1, "finance")))
	for name, c := range map[string]struct {
		by   By
		want countersign.Code
	}{
		"the source": {By{Source: "erp"}, ""}, "the requester": {By{Person: "rita"}, ""},
		"another source": {By{Source: "other"}, countersign.CodeNotFound}, "an approver": {By{Person: "ann"}, countersign.CodeForbidden},
		"nobody": {By{}, countersign.CodeInternal}, "both": {By{Source: "erp", Person: "rita"}, countersign.CodeInternal},
	} {
		if _, err := Cancel(s, c.by, soon); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Cancel(s, By{Source: "erp"}, s.DecideBy.Add(time.Hour))
	wantCode(t, err, countersign.CodeGone, "expired on 2026-12-01T12:00:00Z")
}

// TestRuling4SupersedeIsCompareAndSwap: only what the caller saw is replaced.
func TestRuling4SupersedeIsCompareAndSwap(t *testing.T) {
	s := opened(t, needs(clause(2, "finance")))
	later := decided(t, s, ann)
	_, err := Supersede(later, Superseding{Source: "erp", By: "req_2", Version: s.Version, Now: soon})
	wantCode(t, err, countersign.CodeConflict)
	for _, by := range []string{"", s.ID} {
		_, err = Supersede(later, Superseding{Source: "erp", By: by, Version: later.Version, Now: soon})
		wantCode(t, err, countersign.CodeInternal)
	}
	next, err := Supersede(later, Superseding{Source: "erp", By: "req_2", Version: later.Version, Now: soon})
	wantCode(t, err, "")
	if next.SupersededBy != "req_2" || next.Status != countersign.StatusSuperseded {
		t.Errorf("%s by %q", next.Status, next.SupersededBy)
	}
}

// TestLimitHoldsCreditsToo: a limit that cannot be compared is passed, not ignored.
func TestLimitHoldsCreditsToo(t *testing.T) {
	for _, c := range []struct {
		limit, sum *countersign.Amount
		over       bool
	}{
		{nil, nil, false}, {nil, eur("9.00"), false}, {eur("9.00"), eur("9.00"), false}, {eur("9.00"), eur("9.01"), true},
		{eur("9.00"), eur("-9.00"), false}, {eur("9.00"), eur("-9.01"), true}, {eur("9.00"), nil, true},
		{eur("9.00"), eur("nine"), true}, {eur("9"), eur("1.00"), true}, {eur("9.00"), &countersign.Amount{Value: "1.00", Currency: "USD"}, true},
	} {
		if _, over := overLimit("Ann", c.limit, c.sum); over != c.over {
			t.Errorf("limit %v, amount %v: over %v", c.limit, c.sum, over)
		}
	}
	if got := smallest(nil, eur("5.00"), eur("3.00"), eur("4.00")); got.Value != "3.00" {
		t.Errorf("smallest is %v", got)
	}
}

func TestEligibleSaysEveryReason(t *testing.T) {
	r := needs(clause(1, "finance"))
	r.Assurance = countersign.AssurancePhishingResistant
	s := opened(t, r)
	p := person("rita", "plant")
	p.Active, p.Limit, p.CoolOffUntil, p.Strongest = false, eur("1.00"), noon.Add(time.Hour), countersign.AssuranceMFA
	e := Eligible(s, Candidate{Person: p}, soon)
	want := []string{ObstacleInactive, ObstacleRequester, ObstacleGroup, ObstacleLimit, ObstacleCoolOff, ObstacleFactor}
	var got []string
	for _, o := range e.Obstacles {
		got = append(got, o.Code)
		if o.Sentence == "" {
			t.Errorf("%s says nothing", o.Code)
		}
	}
	if e.MayApprove || e.MayDeny || len(got) != len(want) {
		t.Fatalf("obstacles %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("obstacles %v, want %v", got, want)
		}
	}
	if e := Eligible(s, Candidate{Person: ann}, soon); !e.MayApprove || !e.MayDeny || len(e.Clauses) != 1 {
		t.Errorf("Ann: %+v", e)
	}
	if e := Eligible(s, Candidate{Person: ann}, s.DecideBy); e.MayApprove || e.MayDeny || e.Obstacles[0].Code != ObstacleStatus {
		t.Errorf("after the deadline: %+v", e)
	}
}

func TestOpenRefusesWhatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(*Submitted){
		"no id": func(in *Submitted) { in.ID = "" }, "no org": func(in *Submitted) { in.Org = "" }, "no source": func(in *Submitted) { in.Source = "" },
		"no time": func(in *Submitted) { in.Now = time.Time{} }, "no digest": func(in *Submitted) { in.Digest = "" }, "no policy": func(in *Submitted) { in.PolicyDigest = "sha-256:" },
		"no outcome": func(in *Submitted) { in.Requirement = countersign.Requirement{} }, "assurance": func(in *Submitted) { in.Requirement.Assurance = "biometric" },
		"a negative hold": func(in *Submitted) { in.Requirement.Hold = -1 }, "an endless hold": func(in *Submitted) { in.Requirement.Hold = longest + 1 },
	} {
		in := submitted(needs(clause(1, "finance")))
		spoil(&in)
		s, err := Open(in)
		if code(err) != countersign.CodeInternal || s.Status != "" {
			t.Errorf("%s: %s, %v", name, s.Status, err)
		}
	}
}

// TestRuling10FactsAsOfThen: the decision keeps what it was judged by, and a later
// change of groups neither adds to it nor takes away.
func TestRuling10FactsAsOfThen(t *testing.T) {
	p := person("bob", "treasury", "finance", "finance")
	p.Limit, p.Privileged = eur("20000.00"), true
	s := decided(t, opened(t, needs(clause(2, "finance"))), p)
	d := s.Decisions[0]
	if len(d.Groups) != 2 || d.Groups[0] != "finance" || d.Limit.Value != "20000.00" || !d.Privileged || d.Assurance != countersign.AssurancePhishingResistant ||
		d.Digest != doc || d.RequirementDigest != s.RequirementDigest || d.PolicyDigest != pol || len(d.Authenticators) != 1 || !d.At.Equal(soon) {
		t.Errorf("recorded %+v", d)
	}
	p.Groups[0], p.Groups[1], p.Groups[2] = "plant", "plant", "plant" // the caller's own slice, used again
	wantStatus(t, decided(t, s, ann), countersign.StatusApproved)
}
