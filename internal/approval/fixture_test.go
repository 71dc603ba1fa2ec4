package approval

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

var (
	noon   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	doc    = countersign.SumBytes([]byte("document"))
	other  = countersign.SumBytes([]byte("another document"))
	pol    = countersign.SumBytes([]byte("policy"))
	newPol = countersign.SumBytes([]byte("newer policy"))
)

func person(id string, groups ...string) Person {
	return Person{ID: id, Name: strings.ToUpper(id[:1]) + id[1:], Active: true, Groups: groups}
}

func eur(v string) *countersign.Amount { return &countersign.Amount{Value: v, Currency: "EUR"} }

func people(ps ...Person) []Candidate {
	var out []Candidate
	for _, p := range ps {
		out = append(out, Candidate{Person: p})
	}
	return out
}

var (
	ann  = person("ann", "finance")
	bob  = person("bob", "finance", "treasury")
	cleo = person("cleo", "treasury")
	rita = person("rita", "finance") // asks
	ctl  = Person{ID: "ctl", Name: "Ctl", Active: true, Controller: true}
)

func clause(count int, from ...string) countersign.Clause {
	return countersign.Clause{Count: count, From: from}
}

func needs(clauses ...countersign.Clause) countersign.Requirement {
	return countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssuranceMFA, Clauses: clauses}
}

func submitted(r countersign.Requirement) Submitted {
	return Submitted{ID: "req_1", Org: "org_1", Source: "erp", Kind: countersign.KindInvoice, Digest: doc, Amount: eur("12000.00"), Requirement: r, PolicyDigest: pol,
		Requesters: []Requester{{ID: "rita", Name: "Rita", Manager: "boss"}}, Candidates: people(ann, bob, cleo, rita), Now: noon}
}

func opened(t testing.TB, r countersign.Requirement) State {
	t.Helper()
	s, err := Open(submitted(r))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var acts int

// act makes a flawless act of the person on the state; tests spoil it.
func act(s State, p Person, what countersign.Act, at time.Time) Act {
	acts++
	return Act{Decision: fmt.Sprintf("dec_%d", acts), Version: s.Version, Candidate: Candidate{Person: p}, Now: at,
		Statement: countersign.Statement{Version: 1, Org: s.Org, Approval: s.ID, Digest: s.Digest, RequirementDigest: s.RequirementDigest, PolicyDigest: s.PolicyDigest,
			Act: what, Person: p.ID, Expires: at.Add(5 * time.Minute).Format(time.RFC3339), Nonce: "n"},
		Proof: Proof{Assurance: countersign.AssurancePhishingResistant, AuthTime: at, Authenticators: []string{"fac_" + p.ID}}}
}

func (a Act) actingFor(p Person, d Delegation) Act {
	a.ActingFor = &Delegator{Person: p, Delegation: d}
	a.Statement.ActingFor = p.ID
	return a
}

func decided(t testing.TB, s State, ps ...Person) State {
	t.Helper()
	for _, p := range ps {
		var err error
		if s, err = Decide(s, act(s, p, countersign.ActApprove, s.CreatedAt.Add(time.Minute))); err != nil {
			t.Fatalf("%s: %v", p.ID, err)
		}
	}
	return s
}

func standing(s State, at time.Time) Standing {
	return Standing{Source: s.Source, Digest: s.Digest, Requirement: s.Requirement, PolicyDigest: pol, Candidates: people(ann, bob, cleo, rita), Now: at}
}

func releasing(s State, execution string, at time.Time) Releasing {
	return Releasing{Standing: standing(s, at), Execution: execution, Lease: "lea_1"}
}

func released(t testing.TB) State {
	t.Helper()
	s := decided(t, opened(t, needs(clause(1, "finance"))), ann)
	s, err := Release(s, releasing(s, "run-1", noon.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// code is the problem's code, "" for no error.
func code(err error) countersign.Code {
	if err == nil {
		return ""
	}
	var p *countersign.Problem
	if !errors.As(err, &p) {
		return countersign.Code("no problem: " + err.Error())
	}
	return p.Code
}

func wantCode(t testing.TB, err error, want countersign.Code, words ...string) {
	t.Helper()
	if code(err) != want {
		t.Fatalf("error %q (%v), want %q", code(err), err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("error %q does not say %q", err, w)
		}
	}
}

func wantStatus(t testing.TB, s State, want countersign.Status) {
	t.Helper()
	if s.Status != want {
		t.Fatalf("status %s, want %s", s.Status, want)
	}
}
