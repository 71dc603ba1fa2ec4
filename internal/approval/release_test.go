package approval

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
)

func TestRuling21BreakGlassCaps(t *testing.T) {
	good := BreakGlass{Person: "emma", NamedAt: noon.Add(-BreakGlassNamesAfter), PerUse: *eur("1000.00"), PerMonth: *eur("1500.00"), UsedThisMonth: *eur("500.00")}
	for name, c := range map[string]struct {
		spoil func(*BreakGlass)
		sum   *countersign.Amount
		open  bool
	}{
		"good":                  {func(*BreakGlass) {}, eur("1000.00"), true},
		"a credit":              {func(*BreakGlass) {}, eur("-1000.00"), true},
		"over one use":          {func(*BreakGlass) {}, eur("1000.01"), false},
		"a large credit":        {func(*BreakGlass) {}, eur("-1000.01"), false},
		"over the month":        {func(b *BreakGlass) { b.UsedThisMonth = *eur("500.01") }, eur("1000.00"), false},
		"month used up":         {func(b *BreakGlass) { b.UsedThisMonth = *eur("1500.01") }, eur("0.00"), false},
		"a negative sum":        {func(b *BreakGlass) { b.UsedThisMonth = *eur("-1.00") }, eur("1.00"), false},
		"no caps":               {func(b *BreakGlass) { b.PerUse, b.PerMonth = countersign.Amount{}, countersign.Amount{} }, eur("1.00"), false},
		"no amount":             {func(*BreakGlass) {}, nil, false},
		"other currency":        {func(*BreakGlass) {}, &countersign.Amount{Value: "1.00", Currency: "USD"}, false},
		"named 71 h ago":        {func(b *BreakGlass) { b.NamedAt = noon.Add(-71 * time.Hour) }, eur("1.00"), false},
		"not named":             {func(b *BreakGlass) { b.NamedAt = time.Time{} }, eur("1.00"), false},
		"a use to review":       {func(b *BreakGlass) { b.OldestUnreviewed = noon.Add(-6 * 24 * time.Hour) }, eur("1.00"), true},
		"unreviewed for 7 days": {func(b *BreakGlass) { b.OldestUnreviewed = noon.Add(-7 * 24 * time.Hour) }, eur("1.00"), false},
	} {
		b := good
		c.spoil(&b)
		if err := b.Open(c.sum, noon); (err == nil) != c.open {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRuling21BreakGlassKeepsTheRest(t *testing.T) {
	emma, finn := person("emma", "plant"), person("finn", "plant")
	key := func(p Person) *BreakGlass {
		return &BreakGlass{Person: p.ID, NamedAt: noon.Add(-BreakGlassNamesAfter), PerUse: *eur("90000.00"), PerMonth: *eur("90000.00"), UsedThisMonth: *eur("0.00")}
	}
	r := needs(countersign.Clause{Count: 1, From: []string{"finance"}, OutsideChain: true})
	r.Hold = 3600
	s := opened(t, r)
	a := act(s, emma, approve, soon)
	a.BreakGlass = key(finn)
	_, err := Decide(s, a)
	wantCode(t, err, countersign.CodeForbidden, "not on the break-glass list")
	report := emma
	report.Managers = []string{"rita"}
	a = act(s, report, approve, soon)
	a.BreakGlass = key(emma)
	_, err = Decide(s, a)
	wantCode(t, err, countersign.CodeForbidden, "reports to Rita")
	a = act(s, emma, approve, soon)
	a.BreakGlass = key(emma)
	s, err = Decide(s, a)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusPending)
	_, err = Decide(s, act(s, emma, approve, soon))
	wantCode(t, err, countersign.CodeForbidden) // not of finance, and has decided
	s, err = Decide(s, act(s, ann, approve, soon))
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusApproved)
	if !s.UsedBreakGlass() || !s.NotBefore.Equal(soon.Add(time.Hour)) {
		t.Errorf("break-glass %v, held until %v", s.UsedBreakGlass(), s.NotBefore)
	}
	// An earlier approval by a code is no passkey: a second passkey is still needed.
	s = opened(t, needs(clause(2, "finance")))
	a = act(s, ann, approve, soon)
	a.Proof.Assurance = countersign.AssuranceMFA
	s, err = Decide(s, a)
	wantCode(t, err, "")
	a = act(s, emma, approve, soon)
	a.BreakGlass = key(emma)
	s, err = Decide(s, a)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusPending)
	wantStatus(t, decided(t, s, bob), countersign.StatusApproved)
}

func TestRuling22Freeze(t *testing.T) {
	strong := Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon}
	f := Freeze{ID: "frz_1", Subject: "cleo", PlacedBy: "ann", Placed: noon, Ends: noon.Add(MaxFreeze)}
	wantCode(t, CheckFreeze(f, FreezeActor{ann, strong}), "")
	long, never, back := f, f, f
	long.Ends, never.Ends, back.Ends = f.Ends.Add(1), time.Time{}, noon
	for _, bad := range []Freeze{long, never, back} {
		wantCode(t, CheckFreeze(bad, FreezeActor{ann, strong}), countersign.CodeInvalid, "72 hours")
	}
	wantCode(t, CheckFreeze(f, FreezeActor{bob, strong}), countersign.CodeForbidden)
	wantCode(t, CheckFreeze(f, FreezeActor{ann, Proof{Assurance: countersign.AssuranceSession, AuthTime: noon}}), countersign.CodeForbidden)
	two := []FreezeActor{{ann, strong}, {bob, strong}}
	wantCode(t, CheckFreezeChange(f, two, noon), "")
	for name, bad := range map[string][]FreezeActor{
		"nobody": nil, "one": two[:1], "one twice": {two[0], two[0]}, "its subject": {two[0], {cleo, strong}}, "three with its subject": {two[0], two[1], {cleo, strong}},
		"somebody who left": {two[0], {Person{ID: "gone"}, strong}},
	} {
		if code(CheckFreezeChange(f, bad, noon)) != countersign.CodeForbidden {
			t.Errorf("%s may lift it", name)
		}
	}
	wantCode(t, CheckFreezeChange(f, []FreezeActor{two[0], {bob, Proof{}}}, noon), countersign.CodeUnauthenticated)
	if !f.InForce(noon) || f.InForce(f.Ends) || !never.InForce(noon.Add(time.Hour*1e5)) {
		t.Error("a freeze holds from its placing up to its end, or until it is lifted")
	}
}

func TestRuling22Revoke(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann, bob)
	for name, c := range map[string]struct {
		p    Person
		want countersign.Code
	}{
		"an approver": {ann, ""}, "a controller": {ctl, ""}, "another": {cleo, countersign.CodeForbidden}, "the requester": {rita, countersign.CodeForbidden},
		"a controller who left": {Person{ID: "x", Controller: true}, countersign.CodeForbidden},
	} {
		a := act(s, c.p, revoke, soon)
		a.Proof = Proof{Assurance: countersign.AssuranceSession}
		next, err := Revoke(s, a)
		if code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (next.Status != countersign.StatusRevoked || next.Decisions[2].Act != revoke) {
			t.Errorf("%s: %s", name, next.Status)
		}
	}
	a := act(s, ann, revoke, soon)
	a.Proof = Proof{}
	_, err := Revoke(s, a)
	wantCode(t, err, countersign.CodeUnauthenticated)
	r := released(t)
	_, err = Revoke(r, act(r, ann, revoke, soon))
	wantCode(t, err, countersign.CodeState)
}

func TestRuling23HoldCountsFromTheLastDecision(t *testing.T) {
	r := needs(clause(2, "finance"))
	r.Hold, r.ReleaseWithin = 3600, 60
	s := opened(t, r)
	if !s.DecideBy.Equal(noon.Add(DefaultDecideWithin)) {
		t.Errorf("decide by %v", s.DecideBy)
	}
	s, err := Decide(s, act(s, ann, approve, noon.Add(time.Hour)))
	wantCode(t, err, "")
	last := noon.Add(5 * time.Hour)
	s, err = Decide(s, act(s, bob, approve, last))
	wantCode(t, err, "")
	if !s.NotBefore.Equal(last.Add(time.Hour)) || !s.ReleaseBy.Equal(last.Add(time.Hour+time.Minute)) {
		t.Errorf("held until %v, release by %v", s.NotBefore, s.ReleaseBy)
	}
	_, err = Release(s, releasing(s, "run-1", s.NotBefore.Add(-1)))
	wantCode(t, err, countersign.CodeNotReleasable, "held until")
	_, err = Release(s, releasing(s, "run-1", s.NotBefore))
	wantCode(t, err, "")
	next, err := Release(s, releasing(s, "run-1", s.ReleaseBy))
	wantCode(t, err, countersign.CodeGone)
	wantStatus(t, next, countersign.StatusExpired)
}

func TestRuling24Clock(t *testing.T) {
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for name, c := range map[string]struct {
		now, last, db time.Time
		sane          bool
	}{
		"all agree": {noon, noon, noon, true}, "within": {noon, at(ClockTolerance), at(-ClockTolerance), true}, "an idle night": {noon, at(-12 * time.Hour), noon, true},
		"behind the log": {noon, at(ClockTolerance + 1), noon, false}, "ahead of the database": {noon, noon, at(-ClockTolerance - 1), false},
		"behind the database": {noon, noon, at(ClockTolerance + 1), false}, "nothing to compare with": {noon, time.Time{}, time.Time{}, true}, "no clock": {time.Time{}, noon, noon, false},
	} {
		if err := ClockSane(c.now, c.last, c.db); (err == nil) != c.sane || (err != nil && code(err) != countersign.CodeUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantCode(t, ClockSteady(noon, at(ClockTolerance)), "")
	wantCode(t, ClockSteady(noon, at(ClockTolerance+1)), countersign.CodeUnavailable, "jumped")
	wantCode(t, ClockSteady(noon, at(-ClockTolerance-1)), countersign.CodeUnavailable)
}

func TestRuling25Lease(t *testing.T) {
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	for _, bad := range []func(*Releasing){
		func(r *Releasing) { r.Execution = " " },
		func(r *Releasing) { r.For = MaxLease + 1 },
		func(r *Releasing) { r.For = -1 },
	} {
		r := releasing(s, "run-1", soon)
		bad(&r)
		_, err := Release(s, r)
		wantCode(t, err, countersign.CodeInvalid)
	}
	r := releasing(s, "run-1", soon)
	r.For = time.Minute
	s, err := Release(s, r)
	wantCode(t, err, "")
	if l := s.Lease; l.Outcome != LeaseOpen || !l.Expires.Equal(soon.Add(time.Minute)) || !s.Due().Equal(l.Expires) || l.Digest != doc {
		t.Errorf("lease %+v", s.Lease)
	}
	again, err := Release(s, r) // the same answer, and nothing to write
	wantCode(t, err, "")
	if again.Version != s.Version || *again.Lease != *s.Lease {
		t.Errorf("again: %+v", again.Lease)
	}
	if same, err := Expire(s, soon.Add(time.Minute-1)); err != nil || same.Version != s.Version {
		t.Errorf("lapsed early: %v", err)
	}
	r.Now = soon.Add(time.Minute) // past its end, found by the caller itself
	lapsed, err := Release(s, r)
	wantCode(t, err, countersign.CodeReleased, "outcome is not known")
	if lapsed.Lease.Outcome != LeaseLapsed || lapsed.Version != s.Version+1 {
		t.Errorf("lapsed: %+v", lapsed.Lease)
	}
	_, err = Confirm(lapsed, Settling{Source: "other", Execution: "run-1", Now: r.Now})
	wantCode(t, err, countersign.CodeNotFound)
	abandoned, err := Abandon(lapsed, Settling{Source: "erp", Execution: "run-1", Now: r.Now})
	wantCode(t, err, "")
	if abandoned.Lease.Outcome != LeaseAbandoned || abandoned.Due() != (time.Time{}) {
		t.Errorf("abandoned: %+v", abandoned.Lease)
	}
}

func TestRuling26OnlyTheSource(t *testing.T) {
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	for _, source := range []string{"", "other"} {
		r := releasing(s, "run-1", soon)
		r.Source = source
		_, err := Release(s, r)
		wantCode(t, err, countersign.CodeNotFound)
		_, err = CheckRelease(s, r.Standing)
		wantCode(t, err, countersign.CodeNotFound)
	}
}

func TestRuling27WhatTightens(t *testing.T) {
	stricter := needs(clause(1, "finance"))
	stricter.Assurance = countersign.AssurancePhishingResistant
	denied := countersign.Requirement{Outcome: countersign.OutcomeDeny}
	for name, c := range map[string]struct {
		f    func(*Standing)
		code string
		want countersign.Status
	}{
		"nothing":                  {func(*Standing) {}, "", countersign.StatusReleased},
		"an alert they knew":       {func(f *Standing) { f.Alerts = []Alert{{Raised: soon.Add(-1)}} }, "", countersign.StatusReleased},
		"an alert":                 {func(f *Standing) { f.Alerts = []Alert{{Raised: soon}} }, ObjectionAlert, countersign.StatusPending},
		"a freeze":                 {func(f *Standing) { f.Freezes = []Freeze{{Subject: "ven_1", Ends: f.Now.Add(1)}} }, ObjectionFrozen, countersign.StatusPending},
		"a freeze that is over":    {func(f *Standing) { f.Freezes = []Freeze{{Subject: "ven_1", Ends: f.Now}} }, "", countersign.StatusReleased},
		"a bank change they knew":  {func(f *Standing) { f.BankChanges = []BankChange{{Since: noon}} }, "", countersign.StatusReleased},
		"a newer bank change":      {func(f *Standing) { f.BankChanges = []BankChange{{Since: soon}} }, ObjectionBankChange, countersign.StatusPending},
		"to the new account":       {func(f *Standing) { f.BankChanges = []BankChange{{Since: noon, ToNew: true}} }, ObjectionBankChange, countersign.StatusPending},
		"the approver left":        {func(f *Standing) { f.Inactive = []string{"ann"} }, ObjectionInactive, countersign.StatusPending},
		"somebody else left":       {func(f *Standing) { f.Inactive = []string{"bob", ""} }, "", countersign.StatusReleased},
		"the factor was reported":  {func(f *Standing) { f.Reported = []string{"fac_ann"} }, ObjectionFactor, countersign.StatusPending},
		"a stricter policy":        {func(f *Standing) { f.Requirement = stricter }, ObjectionStricter, countersign.StatusPending},
		"a looser policy":          {func(f *Standing) { f.Requirement = countersign.Requirement{Outcome: countersign.OutcomeAllow} }, "", countersign.StatusReleased},
		"the policy denies":        {func(f *Standing) { f.Requirement = denied }, ObjectionDenied, countersign.StatusRevoked},
		"nobody is left to decide": {func(f *Standing) { f.Inactive, f.Candidates = []string{"ann"}, nil }, ObjectionInactive, countersign.StatusUnsatisfiable},
	} {
		t.Run(name, func(t *testing.T) {
			s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
			r := releasing(s, "run-1", noon.Add(time.Hour))
			c.f(&r.Standing)
			objections, err := CheckRelease(s, r.Standing)
			wantCode(t, err, "")
			next, err := Release(s, r)
			wantStatus(t, next, c.want)
			if c.code == "" {
				wantCode(t, err, "")
				if len(objections) > 0 {
					t.Errorf("check says %v", objections)
				}
				return
			}
			wantCode(t, err, countersign.CodeNotReleasable)
			if len(objections) != 1 || objections[0].Code != c.code || next.Decisions[0].Stands() || next.Lease != nil {
				t.Errorf("check says %v; decisions %+v", objections, next.Decisions)
			}
			if next.Status == countersign.StatusPending && (!next.DecideBy.After(r.Now) || !next.NotBefore.IsZero() || !next.ReleaseBy.IsZero()) {
				t.Errorf("sent back with decide by %v, not before %v, release by %v", next.DecideBy, next.NotBefore, next.ReleaseBy)
			}
		})
	}
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	r := releasing(s, "run-1", soon)
	r.Requirement = countersign.Requirement{}
	_, err := Release(s, r)
	wantCode(t, err, countersign.CodeInternal) // not weighed: not released
}

// TestRuling27TheDelegatorLeft: whose authority was used must still have it.
func TestRuling27TheDelegatorLeft(t *testing.T) {
	s := opened(t, needs(clause(1, "finance")))
	a := act(s, person("dora"), approve, soon).actingFor(ann, Delegation{From: "ann", To: "dora", Starts: noon, Ends: noon.Add(time.Hour)})
	s, err := Decide(s, a)
	wantCode(t, err, "")
	r := releasing(s, "run-1", noon.Add(time.Hour))
	r.Inactive = []string{"ann"}
	next, err := Release(s, r)
	wantCode(t, err, countersign.CodeNotReleasable, "no longer active")
	wantStatus(t, next, countersign.StatusPending)
}

// TestReleaseCountsAgain: a row that was changed behind our back is not released.
func TestReleaseCountsAgain(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann)
	s.Status, s.ReleaseBy = countersign.StatusApproved, noon.Add(time.Hour)
	next, err := Release(s, releasing(s, "run-1", soon))
	wantCode(t, err, countersign.CodeNotReleasable, "do not meet the requirement")
	wantStatus(t, next, countersign.StatusApproved)
}

func TestRuling27ReweighKeepsWhatWasSignedAlike(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann)
	same, err := Reweigh(s, Weighing{Requirement: needs(clause(1, "finance")), PolicyDigest: newPol, Candidates: people(ann, bob), Why: "a new policy", Now: soon})
	wantCode(t, err, "")
	if same.Version != s.Version || !same.Decisions[0].Stands() || same.PolicyDigest != pol {
		t.Error("a looser policy changed the request")
	}
	next, err := Reweigh(s, Weighing{Requirement: needs(clause(1, "treasury")), PolicyDigest: newPol, Candidates: people(ann, bob), Why: "a new policy", Now: soon})
	wantCode(t, err, "")
	if next.Decisions[0].Stands() || next.PolicyDigest != newPol || next.RequirementDigest != next.Requirement.Digest() || len(next.Requirement.Clauses) != 2 {
		t.Errorf("reweighed to %+v", next)
	}
	short := needs(clause(2, "finance"))
	short.DecideWithin = 3600
	next, err = Reweigh(s, Weighing{Requirement: short, PolicyDigest: newPol, Candidates: people(ann, bob), Why: "a new policy", Now: soon})
	wantCode(t, err, "")
	if !next.DecideBy.Equal(noon.Add(time.Hour)) {
		t.Errorf("decide by %v", next.DecideBy)
	}
}

func BenchmarkOpenSilent(b *testing.B) {
	in := submitted(countersign.Requirement{Outcome: countersign.OutcomeAllow})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	s := opened(b, needs(clause(2, "finance")))
	a := act(s, ann, approve, soon)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decide(s, a); err != nil {
			b.Fatal(err)
		}
	}
}
