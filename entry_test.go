package countersign

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

func someLeaf() Leaf {
	return Leaf{Version: 1, ID: "ent_1", Org: "org_1", Type: EntryDecisionMade, Time: "2026-11-24T06:00:00.000000Z", Subject: "req_1", Actor: "per_1",
		Facts: map[string]string{"act": "approve"}, Commitments: map[string]string{"decision": "x"}}
}

// TestLeafHasOneForm: only canonical bytes of the known version are an entry.
func TestLeafHasOneForm(t *testing.T) {
	good := string(someLeaf().Bytes())
	if l, err := ParseLeaf([]byte(good)); err != nil || l.Facts["act"] != "approve" {
		t.Fatalf("%+v %v", l, err)
	}
	for name, bad := range map[string]string{
		"space": " " + good, "line end": good + "\n", "escape": strings.Replace(good, "approve", `\u0061pprove`, 1), "member missing": strings.Replace(good, `"actor":"per_1",`, "", 1),
		"another member": strings.Replace(good, `"v":1`, `"v":1,"w":1`, 1), "version": strings.Replace(good, `"v":1`, `"v":2`, 1), "number": strings.Replace(good, `"v":1`, `"v":1.0`, 1),
		"order": `{"v":1,` + strings.TrimSuffix(good[1:], `,"v":1}`) + "}", "no facts": strings.Replace(good, `"facts":{"act":"approve"},`, "", 1), "empty": "",
	} {
		if _, err := ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCommitmentBinds: the name, the salt and the value, by a formula that stands
// here a second time, byte for byte.
func TestCommitmentBinds(t *testing.T) {
	o := Opening{Salt: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32))), Value: "value"}
	got, err := o.Commitment("decision")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("countersign/commit/v1\x00" + "\x00\x00\x00\x08" + "decision" + strings.Repeat("s", 32) + "value"))
	if want := base64.StdEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{"", "AAAA", o.Salt + "\n", strings.Replace(o.Salt, "=", "", 1), o.Salt[:42] + "N="} {
		if c, err := (Opening{Salt: bad, Value: "value"}).Commitment("decision"); err == nil && bad != o.Salt {
			t.Errorf("salt %q commits to %s", bad, c)
		}
	}
}

// TestRuling16StatementIsTheChallenge: every member is in the bytes, always; only
// canonical bytes of the known version are a statement; any change changes the
// challenge.
func TestRuling16StatementIsTheChallenge(t *testing.T) {
	s := Statement{Version: 1, Org: "org_1", Approval: "req_1", Act: ActApprove, Person: "per_1"}
	text := string(s.Bytes())
	for _, member := range []string{"v", "org", "approval", "digest", "requirement_digest", "policy_digest", "act", "attestations", "reason", "person", "acting_for", "expires", "nonce"} {
		if !strings.Contains(text, `"`+member+`":`) {
			t.Errorf("no member %q in %s", member, text)
		}
	}
	if s.Challenge() != sha256.Sum256([]byte(text)) {
		t.Error("the challenge is not the digest of the bytes")
	}
	if back, err := ParseStatement([]byte(text)); err != nil || back.Challenge() != s.Challenge() {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", text + " ", strings.Replace(text, `"v":1`, `"v":2`, 1), strings.Replace(text, `"reason":"",`, "", 1), strings.Replace(text, `[]`, `null`, 1)} {
		if _, err := ParseStatement([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a statement", bad)
		}
	}
	seen := map[[32]byte]bool{s.Challenge(): true}
	for i, change := range []func(*Statement){
		func(s *Statement) { s.Org = "x" }, func(s *Statement) { s.Approval = "x" }, func(s *Statement) { s.Digest = "x" }, func(s *Statement) { s.RequirementDigest = "x" },
		func(s *Statement) { s.PolicyDigest = "x" }, func(s *Statement) { s.Act = ActDeny }, func(s *Statement) { s.Reason = "x" }, func(s *Statement) { s.Person = "x" },
		func(s *Statement) { s.ActingFor = "x" }, func(s *Statement) { s.Expires = "x" }, func(s *Statement) { s.Nonce = "x" },
		func(s *Statement) { s.Attestations = []Attestation{{ID: "x", Question: "y"}} }, func(s *Statement) { s.Attestations = []Attestation{{ID: "x", Question: "y", Answer: "z"}} },
	} {
		c := s
		change(&c)
		if seen[c.Challenge()] {
			t.Errorf("change %d does not change the challenge", i)
		}
		seen[c.Challenge()] = true
	}
}

// TestRuling8Merge: strictest in every dimension, in any order, and never weaker
// than either side.
func TestRuling8Merge(t *testing.T) {
	a := Requirement{Outcome: OutcomeStepUp, Assurance: AssuranceMFA, MaxAge: 900, Hold: 60, Clauses: []Clause{{Count: 1, From: []string{"finance"}}}, ReleaseWithin: 100}
	b := Requirement{Outcome: OutcomeAllow, Assurance: AssurancePhishingResistant, MaxAge: 300, Reason: true, DecideWithin: 50,
		Clauses: []Clause{{Count: 2, From: []string{"finance"}}, {Count: 1, From: []string{"treasury", "board"}}}, Attestations: []Attestation{{ID: "callback", Question: "?"}}, Watchers: []string{"audit"}}
	c := Requirement{Outcome: OutcomeDeny, NoVouching: true, Clauses: []Clause{{Count: 1, From: []string{"finance"}, OutsideChain: true}}}
	ab := a.Merge(b)
	if ab.Outcome != OutcomeStepUp || ab.Assurance != AssurancePhishingResistant || ab.MaxAge != 300 || ab.Hold != 60 || !ab.Reason || ab.DecideWithin != 50 || ab.ReleaseWithin != 100 || len(ab.Clauses) != 2 || ab.Clauses[1].Count != 2 {
		t.Errorf("%+v", ab)
	}
	same := func(x, y Requirement) bool { return x.Digest() == y.Digest() }
	if !same(ab, b.Merge(a)) || !same(ab.Merge(c), a.Merge(b.Merge(c))) || !same(ab.Merge(ab), ab) || !same(ab.Merge(a), ab) {
		t.Error("merging depends on the order, or does not settle")
	}
	if !AssuranceHardware.AtLeast(AssuranceMFA) || Assurance("x").AtLeast(AssuranceNone) || AssuranceMFA.AtLeast("x") || AssuranceNone.Valid() {
		t.Error("an unknown assurance counts")
	}
}
