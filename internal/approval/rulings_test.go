package approval

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

const (
	approve = countersign.ActApprove
	deny    = countersign.ActDeny
	revoke  = countersign.ActRevoke
)

var soon = noon.Add(time.Minute)

func TestTrapQuorumCountsPeople(t *testing.T) {
	both := person("bob", "finance", "treasury")
	s := opened(t, needs(clause(2, "finance", "treasury")))
	s = decided(t, s, both)
	wantStatus(t, s, countersign.StatusPending) // two groups, one person
	_, err := Decide(s, act(s, both, approve, soon))
	wantCode(t, err, countersign.CodeConflict, "already decided")
	wantStatus(t, decided(t, s, ann), countersign.StatusApproved)
	// Rows that got into the store by whatever way count no more than people do.
	s.Decisions = append(s.Decisions, s.Decisions[0])
	s.Decisions[1].ID = "dec_copy"
	if strict().met(s) {
		t.Error("two rows of one person met a clause of two")
	}
}

func TestTrapQuorumNeverOvershoots(t *testing.T) {
	s := opened(t, needs(clause(1, "finance"), clause(1, "treasury")))
	s = decided(t, s, ann)
	_, err := Decide(s, act(s, person("al", "finance"), approve, soon))
	wantCode(t, err, countersign.CodeConflict, "enough people of finance")
	s, err = Decide(s, act(s, person("al", "finance"), deny, soon)) // but may stop it
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusDenied)
}

func TestTrapQuorumBelowOneIsAnError(t *testing.T) {
	for _, n := range []int{0, -1} {
		_, err := Open(submitted(needs(clause(n, "finance"))))
		wantCode(t, err, countersign.CodeInternal, "at least one")
	}
	s := opened(t, needs(clause(1, "finance")))
	_, err := Reweigh(s, Weighing{Requirement: needs(clause(0, "plant")), PolicyDigest: newPol, Now: soon})
	wantCode(t, err, countersign.CodeInternal, "at least one")
	s.Requirement.Clauses = []countersign.Clause{{Count: 0, From: []string{"finance"}}} // a store that was tampered with
	if strict().met(s) {
		t.Error("a clause of nobody is met")
	}
}

func TestTrapNobodyIsExempt(t *testing.T) {
	admin := person("rita", "finance", "administrators")
	admin.Privileged, admin.Controller = true, true
	s := opened(t, needs(clause(1, "finance")))
	_, err := Decide(s, act(s, admin, approve, soon))
	wantCode(t, err, countersign.CodeForbidden, "asked for this")
}

func TestTrapNothingDisappears(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann)
	for _, end := range []func() (State, error){
		func() (State, error) { return Cancel(s, By{Person: "rita"}, soon) },
		func() (State, error) { return Expire(s, noon.Add(DefaultDecideWithin)) },
		func() (State, error) {
			return Reweigh(s, Weighing{Requirement: needs(clause(1, "treasury")), PolicyDigest: newPol, Candidates: people(ann, bob), Why: "a new policy", Now: soon})
		},
	} {
		next, err := end()
		wantCode(t, err, "")
		if len(next.Decisions) != 1 || next.Decisions[0].Person != "ann" || next.Version != s.Version+1 {
			t.Errorf("%s keeps %v", next.Status, next.Decisions)
		}
	}
}

// TestTrapTwoClocks: in time by the statement and late by the request is late, and
// the other way round.
func TestTrapTwoClocks(t *testing.T) {
	s := opened(t, needs(clause(1, "finance")))
	a := act(s, ann, approve, s.DecideBy)
	next, err := Decide(s, a)
	wantCode(t, err, countersign.CodeGone)
	wantStatus(t, next, countersign.StatusExpired)
	a = act(s, ann, approve, soon)
	a.Statement.Expires = soon.Format(time.RFC3339)
	_, err = Decide(s, a)
	wantCode(t, err, countersign.CodeGone, "the statement expired")
	a.Statement.Expires = "tomorrow"
	_, err = Decide(s, a)
	wantCode(t, err, countersign.CodeInvalid)
}

func TestRuling6StricterBindsThePerson(t *testing.T) {
	s := opened(t, needs(clause(1, "finance")))
	privileged := ann
	privileged.Weighed = &countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, MaxAge: 60, Hold: 3600,
		Reason: true, Watchers: []string{"watch"}, Clauses: []countersign.Clause{clause(2, "finance")}}
	a := act(s, privileged, approve, soon)
	a.Proof.Assurance = countersign.AssuranceMFA
	_, err := Decide(s, a)
	wantCode(t, err, countersign.CodeForbidden, "a passkey")
	a.Proof.Assurance = countersign.AssuranceHardware
	a.Proof.AuthTime = soon.Add(-61 * time.Second)
	_, err = Decide(s, a)
	wantCode(t, err, countersign.CodeForbidden, "older")
	a.Proof.AuthTime = soon
	_, err = Decide(s, a)
	wantCode(t, err, countersign.CodeInvalid, "/reason")
	a.Statement.Reason = "framework call-off"
	s, err = Decide(s, a)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusPending) // because of who approved, two are needed
	if got := strings.Join(MissingInWords(s), ";"); !strings.Contains(got, "1 person of finance") {
		t.Errorf("missing: %s", got)
	}
	b := act(s, bob, approve, soon)
	b.Proof.Assurance = countersign.AssuranceMFA // the stricter binds Ann only
	s, err = Decide(s, b)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusApproved)
	if want := soon.Add(time.Hour); !s.NotBefore.Equal(want) {
		t.Errorf("held until %v, want %v", s.NotBefore, want)
	}
	wantCode(t, MayRevoke(s, Candidate{Person: person("walt", "watch")}, soon), "")
	// A deny for one person leaves the others.
	s = opened(t, needs(clause(1, "finance")))
	barred := ann
	barred.Weighed = &countersign.Requirement{Outcome: countersign.OutcomeDeny}
	for _, what := range []countersign.Act{approve, deny} {
		_, err = Decide(s, act(s, barred, what, soon))
		wantCode(t, err, countersign.CodeForbidden, "the policy does not let Ann")
	}
	wantStatus(t, decided(t, s, bob), countersign.StatusApproved)
}

func TestRuling7NobodyNamed(t *testing.T) {
	_, err := Open(submitted(needs()))
	wantCode(t, err, countersign.CodeInvalid, "nobody is named")
	in := submitted(needs())
	in.Nominated = "ann"
	s, err := Open(in)
	wantCode(t, err, "")
	_, err = Decide(s, act(s, bob, approve, soon)) // an account and groups are not enough
	wantCode(t, err, countersign.CodeForbidden, "not the approver who was nominated")
	dora := act(s, person("dora"), approve, soon).actingFor(ann, Delegation{From: "ann", To: "dora", Starts: noon, Ends: noon.Add(time.Hour)})
	s, err = Decide(s, dora)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusApproved)
}

func TestRuling8OnceInEachClause(t *testing.T) {
	s := opened(t, needs(clause(1, "finance"), clause(1, "treasury")))
	wantStatus(t, decided(t, s, bob), countersign.StatusApproved) // in both groups
	s = opened(t, needs(clause(2, "finance"), clause(1, "treasury")))
	s = decided(t, s, bob)
	wantStatus(t, s, countersign.StatusPending)
	wantStatus(t, decided(t, s, ann), countersign.StatusApproved)
}

func TestRuling8Unsatisfiable(t *testing.T) {
	waits, never := countersign.StatusPending, countersign.StatusUnsatisfiable
	gone := ann
	gone.Active = false
	small := ann
	small.Limit = eur("10.00")
	cooling := ann
	cooling.CoolOffUntil = noon.Add(time.Hour)
	weak := ann
	weak.Strongest = countersign.AssuranceSession
	report := ann
	report.Managers = []string{"x", "rita"}
	outside := countersign.Clause{Count: 2, From: []string{"finance"}, OutsideChain: true}
	for name, c := range map[string]struct {
		clauses    []countersign.Clause
		candidates []Candidate
		want       countersign.Status
	}{
		"enough":                   {[]countersign.Clause{clause(2, "finance")}, people(ann, bob), waits},
		"the requester is none":    {[]countersign.Clause{clause(2, "finance")}, people(ann, rita), never},
		"twice the same person":    {[]countersign.Clause{clause(2, "finance")}, people(ann, ann), never},
		"inactive":                 {[]countersign.Clause{clause(2, "finance")}, people(gone, bob), never},
		"over the limit":           {[]countersign.Clause{clause(2, "finance")}, people(small, bob), never},
		"cool-off passes":          {[]countersign.Clause{clause(2, "finance")}, people(cooling, bob), waits},
		"a factor can be enrolled": {[]countersign.Clause{clause(2, "finance")}, people(weak, bob), waits},
		"in the chain":             {[]countersign.Clause{outside}, people(report, bob), never},
		"each its own set":         {[]countersign.Clause{clause(1, "finance"), clause(1, "plant")}, people(ann, bob), never},
		"one person for two":       {[]countersign.Clause{clause(1, "finance"), clause(1, "treasury")}, people(bob), waits},
		"nobody known":             {[]countersign.Clause{clause(1, "finance")}, nil, never},
	} {
		in := submitted(needs(c.clauses...))
		in.Candidates = c.candidates
		s, err := Open(in)
		wantCode(t, err, "")
		if s.Status != c.want {
			t.Errorf("%s: %s, want %s", name, s.Status, c.want)
		}
	}
	// Standing in for each other makes two people no more than two.
	in := submitted(needs(clause(2, "finance")))
	stands := Candidate{Person: bob, ActingFor: &Delegator{Person: ann, Delegation: Delegation{From: "ann", To: "bob", Starts: noon, Ends: noon.Add(time.Hour)}}}
	in.Candidates = []Candidate{{Person: ann}, stands}
	s, err := Open(in)
	wantCode(t, err, "")
	wantStatus(t, s, never)
}

func TestRuling16StatementAgrees(t *testing.T) {
	s := opened(t, needs(clause(1, "finance")))
	for name, c := range map[string]struct {
		spoil func(*Act)
		want  countersign.Code
	}{
		"digest":      {func(a *Act) { a.Statement.Digest = other }, countersign.CodeChanged},
		"requirement": {func(a *Act) { a.Statement.RequirementDigest = other }, countersign.CodeConflict},
		"policy":      {func(a *Act) { a.Statement.PolicyDigest = newPol }, countersign.CodeConflict},
		"version":     {func(a *Act) { a.Statement.Version = 2 }, countersign.CodeForbidden},
		"org":         {func(a *Act) { a.Statement.Org = "org_2" }, countersign.CodeForbidden},
		"approval":    {func(a *Act) { a.Statement.Approval = "req_2" }, countersign.CodeForbidden},
		"person":      {func(a *Act) { a.Statement.Person = "bob" }, countersign.CodeForbidden},
		"acting for":  {func(a *Act) { a.Statement.ActingFor = "bob" }, countersign.CodeForbidden},
		"nonce":       {func(a *Act) { a.Statement.Nonce = "" }, countersign.CodeInvalid},
		"act":         {func(a *Act) { a.Statement.Act = revoke }, countersign.CodeInvalid},
		"no act":      {func(a *Act) { a.Statement.Act = "" }, countersign.CodeInvalid},
		"seen":        {func(a *Act) { a.Version++ }, countersign.CodeConflict},
		"no id":       {func(a *Act) { a.Decision = "" }, countersign.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			for _, what := range []countersign.Act{approve, deny} {
				a := act(s, ann, what, soon)
				c.spoil(&a)
				next, err := Decide(s, a)
				wantCode(t, err, c.want)
				if next.Version != s.Version || len(next.Decisions) != 0 {
					t.Errorf("a refused act left %v", next.Decisions)
				}
			}
		})
	}
	approved := decided(t, s, ann)
	a := act(approved, ctl, revoke, soon)
	a.Statement.Digest = other
	_, err := Revoke(approved, a)
	wantCode(t, err, countersign.CodeChanged)
	_, err = Revoke(approved, act(approved, ctl, deny, soon))
	wantCode(t, err, countersign.CodeInvalid)
}

func TestRuling16AttestationsAreThoseAsked(t *testing.T) {
	r := needs(clause(1, "treasury"))
	r.Attestations = []countersign.Attestation{{ID: "callback", Question: "Did you call?"}, {ID: "callback", Question: "On an old number?"}}
	s := opened(t, r)
	yes := func(q string) countersign.Attestation {
		return countersign.Attestation{ID: "callback", Question: q, Answer: "yes"}
	}
	first, second := yes("Did you call?"), yes("On an old number?")
	empty := first
	empty.Answer = " "
	for name, answers := range map[string][]countersign.Attestation{
		"none": nil, "one": {first}, "one twice": {first, first}, "an empty one": {empty, second}, "another question": {first, yes("Really?")}, "one more": {first, second, yes("More?")},
	} {
		a := act(s, cleo, approve, soon)
		a.Statement.Attestations = answers
		if _, err := Decide(s, a); code(err) != countersign.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := act(s, cleo, approve, soon)
	a.Statement.Attestations = []countersign.Attestation{second, first}
	next, err := Decide(s, a)
	wantCode(t, err, "")
	if len(next.Decisions[0].Attestations) != 2 {
		t.Error("the answers are not recorded")
	}
	if _, err := Decide(s, act(s, cleo, deny, soon)); err != nil {
		t.Errorf("a denial needs no answers: %v", err)
	}
}

func TestRuling18MaxAge(t *testing.T) {
	for name, c := range map[string]struct {
		r    countersign.Requirement
		p    Proof
		want countersign.Code
	}{
		"fresh":                {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon.Add(-15 * time.Minute)}, ""},
		"ruling 38: one act":   {countersign.Requirement{Assurance: countersign.AssuranceMFA, NoVouching: true}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon, Authenticators: []string{"fac_pw", "fac_totp"}}, ""},
		"default over":         {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon.Add(-15*time.Minute - time.Microsecond)}, countersign.CodeForbidden},
		"set":                  {countersign.Requirement{Assurance: countersign.AssuranceMFA, MaxAge: 60}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon.Add(-61 * time.Second)}, countersign.CodeForbidden},
		"longer":               {countersign.Requirement{Assurance: countersign.AssuranceMFA, MaxAge: 3600}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon.Add(-time.Hour)}, ""},
		"no time at all":       {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: countersign.AssuranceMFA}, countersign.CodeForbidden},
		"from the future":      {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon.Add(time.Hour)}, countersign.CodeForbidden},
		"an old session":       {countersign.Requirement{Assurance: countersign.AssuranceSession}, Proof{Assurance: countersign.AssuranceSession, AuthTime: noon.Add(-5 * time.Hour)}, ""},
		"a session with age":   {countersign.Requirement{Assurance: countersign.AssuranceSession, MaxAge: 60}, Proof{Assurance: countersign.AssuranceSession, AuthTime: noon.Add(-time.Hour)}, countersign.CodeForbidden},
		"nothing asked":        {countersign.Requirement{}, Proof{AuthTime: noon}, countersign.CodeUnauthenticated},
		"vouched":              {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon, Vouched: true}, ""},
		"ruling 13: no vouch":  {countersign.Requirement{Assurance: countersign.AssuranceMFA, NoVouching: true}, Proof{Assurance: countersign.AssuranceMFA, AuthTime: noon, Vouched: true}, countersign.CodeForbidden},
		"ruling 19: synced":    {countersign.Requirement{Assurance: countersign.AssuranceHardware}, Proof{Assurance: countersign.AssurancePhishingResistant, AuthTime: noon}, countersign.CodeForbidden},
		"an unknown assurance": {countersign.Requirement{Assurance: countersign.AssuranceMFA}, Proof{Assurance: "biometric", AuthTime: noon}, countersign.CodeUnauthenticated},
	} {
		if err := proves(c.r, c.p, noon); code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestRuling20Delegation(t *testing.T) {
	good := Delegation{From: "ann", To: "dora", Kinds: []string{countersign.KindInvoice}, Starts: noon, Ends: noon.Add(time.Hour), Limit: eur("20000.00")}
	dora := person("dora")
	for name, c := range map[string]struct {
		spoil func(*Delegation, *Person, *Person)
		words string
	}{
		"good":             {func(*Delegation, *Person, *Person) {}, ""},
		"other giver":      {func(d *Delegation, _, _ *Person) { d.From = "bob" }, "not from Ann to Dora"},
		"other taker":      {func(d *Delegation, _, _ *Person) { d.To = "bob" }, "not from Ann to Dora"},
		"not yet":          {func(d *Delegation, _, _ *Person) { d.Starts = soon.Add(1) }, "starts on"},
		"over":             {func(d *Delegation, _, _ *Person) { d.Ends = soon }, "ended on"},
		"never ends":       {func(d *Delegation, _, _ *Person) { d.Ends = time.Time{} }, "ended on"},
		"other kind":       {func(d *Delegation, _, _ *Person) { d.Kinds = []string{countersign.KindPayment} }, "does not cover the kind invoice"},
		"its limit":        {func(d *Delegation, _, _ *Person) { d.Limit = eur("11999.99") }, "over the limit of Ann's delegation"},
		"other currency":   {func(d *Delegation, _, _ *Person) { d.Limit = &countersign.Amount{Value: "20000.00", Currency: "USD"} }, "cannot be compared"},
		"giver's limit":    {func(_ *Delegation, a, _ *Person) { a.Limit = eur("1.00") }, "over the limit of Ann"},
		"taker's limit":    {func(_ *Delegation, _, d *Person) { d.Limit = eur("1.00") }, "over the limit of Dora"},
		"giver gone":       {func(_ *Delegation, a, _ *Person) { a.Active = false }, "Ann is not active"},
		"taker asked":      {func(d *Delegation, _, p *Person) { d.To, p.ID = "rita", "rita" }, "asked for this"},
		"giver asked":      {func(d *Delegation, a, _ *Person) { d.From, a.ID = "rita", "rita" }, "asked for this"},
		"giver not in it":  {func(_ *Delegation, a, _ *Person) { a.Groups = nil }, "Ann is not in finance"},
		"to oneself":       {func(d *Delegation, _, p *Person) { d.To, p.ID = "ann", "ann" }, "not from"},
		"unreadable limit": {func(_ *Delegation, a, _ *Person) { a.Limit = eur("1e9") }, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := opened(t, needs(clause(1, "finance")))
			d, from, to := good, ann, dora
			c.spoil(&d, &from, &to)
			next, err := Decide(s, act(s, to, approve, soon).actingFor(from, d))
			if c.words == "" {
				wantCode(t, err, "")
				if got := next.Decisions[0]; got.ActingFor != "ann" || got.Limit.Value != "20000.00" || got.Groups[0] != "finance" {
					t.Errorf("recorded %+v", got)
				}
				return
			}
			wantCode(t, err, countersign.CodeForbidden, c.words)
		})
	}
	// The reporting line of either is the line.
	r := countersign.Clause{Count: 1, From: []string{"finance"}, OutsideChain: true}
	s := opened(t, needs(r))
	report := ann
	report.Managers = []string{"rita"}
	_, err := Decide(s, act(s, dora, approve, soon).actingFor(report, good))
	wantCode(t, err, countersign.CodeForbidden, "Ann reports to Rita")
}

func TestRuling35AllowHasNoDecisions(t *testing.T) {
	s := opened(t, countersign.Requirement{Outcome: countersign.OutcomeAllow})
	wantStatus(t, s, countersign.StatusApproved)
	if len(s.Decisions) != 0 || s.Version != 1 || !s.ReleaseBy.Equal(noon.Add(DefaultReleaseWithin)) || MissingInWords(s) != nil {
		t.Errorf("opened as %+v", s)
	}
	wantStatus(t, opened(t, countersign.Requirement{Outcome: countersign.OutcomeDeny}), countersign.StatusDenied)
	_, err := Open(submitted(countersign.Requirement{Outcome: "maybe"}))
	wantCode(t, err, countersign.CodeInternal, "not known")
	held := opened(t, countersign.Requirement{Outcome: countersign.OutcomeAllow, Hold: 60, ReleaseWithin: 120})
	if !held.NotBefore.Equal(noon.Add(time.Minute)) || !held.ReleaseBy.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("held until %v, release by %v", held.NotBefore, held.ReleaseBy)
	}
}

func TestRuling35OneDenialDenies(t *testing.T) {
	s := decided(t, opened(t, needs(clause(2, "finance"))), ann)
	a := act(s, ann, deny, soon)
	a.Proof = Proof{}
	_, err := Decide(s, a)
	wantCode(t, err, countersign.CodeUnauthenticated)
	a.Proof.Assurance = countersign.AssuranceSession
	s, err = Decide(s, a)
	wantCode(t, err, "")
	wantStatus(t, s, countersign.StatusDenied)
	if !s.EndedAt.Equal(soon) {
		t.Errorf("ended at %v", s.EndedAt)
	}
	for _, p := range []Person{rita, person("zoe", "plant"), {ID: "gone", Groups: []string{"finance"}}} {
		s := opened(t, needs(clause(1, "finance")))
		_, err := Decide(s, act(s, p, deny, soon))
		wantCode(t, err, countersign.CodeForbidden)
	}
}

// TestStateSurvivesItsJSON: what is stored comes back the same.
func TestStateSurvivesItsJSON(t *testing.T) {
	s := released(t)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if dump(t, back) != dump(t, s) {
		t.Errorf("%s came back as %s", dump(t, s), dump(t, back))
	}
	if _, err := Confirm(back, Settling{Source: "erp", Execution: "run-1", Now: soon}); err != nil {
		t.Error(err)
	}
}

func TestFollowsIsTheCompareAndSwap(t *testing.T) {
	s := opened(t, needs(clause(2, "finance")))
	first, second := decided(t, s, ann), decided(t, s, bob)
	if err := Follows(s, first); err != nil {
		t.Error(err)
	}
	wantCode(t, Follows(first, second), countersign.CodeConflict)
	wantCode(t, Follows(s, s), countersign.CodeConflict)
	first.ID = "req_2"
	wantCode(t, Follows(s, first), countersign.CodeInternal)
}
