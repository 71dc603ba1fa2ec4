package authn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

const keyID = "key_01k0000000000000000000000a"

var fac = countersign.NewID(countersign.PrefixAuthenticator, now)

// actOf takes a decision's challenge for a person, and says which request it is about.
func actOf(t testing.TB, person string) (act authn.TakenChallenge, request string) {
	t.Helper()
	s := statement(person)
	return take(t, decisionChallenge(t, s)), s.Approval
}

func liveSession(t testing.TB, person string, factors ...authn.Factor) *authn.LiveSession {
	t.Helper()
	opened := now.Add(-time.Hour)
	s, _, err := authn.NewSession(org, person, factors, opened)
	if err != nil {
		t.Fatal(err)
	}
	s.LastSeen = now
	l, err := s.Live(authn.DefaultSessionLimits(), now)
	if err != nil {
		t.Fatal(err)
	}
	return &l
}

func handOver(t testing.TB, person, request, method string, at time.Time) *authn.LiveSession {
	t.Helper()
	h, token, err := authn.NewHandOver(authn.Vouching{Org: org, Person: person, Request: request, Key: keyID, Method: method, At: at}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, s, _, err := h.Redeem(token, now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Live(authn.DefaultSessionLimits(), now)
	if err != nil {
		t.Fatal(err)
	}
	return &l
}

func ago(d time.Duration) time.Time { return now.Add(-d) }

// option is one value of one dimension of the table.
type option struct {
	name string
	set  func(f *authn.Facts)
	// what it is worth by itself, for the oracle
	passkey, hardware, code, first, idpMulti, session bool
}

var nothing = option{name: "-", set: func(*authn.Facts) {}}

func dimensions(t *testing.T, person string) [][]option {
	act, request := actOf(t, person)
	other := newPerson()
	otherAct, _ := actOf(t, person)
	uv := authn.PasskeyFacts{At: now, Person: person, UserPresent: true, UserVerified: true}
	passkey := func(name string, counts, hardware bool, change func(*authn.PasskeyFacts), in authn.TakenChallenge) option {
		p := uv
		change(&p)
		return option{name: name, set: func(f *authn.Facts) { f.Passkey = authn.ProofOf(p, in) }, passkey: counts, hardware: hardware}
	}
	factor := func(name string, x authn.Factor, o option) option {
		o.name, o.set = name, func(f *authn.Facts) { f.Factors = append(f.Factors, x) }
		return o
	}
	return [][]option{
		{{name: "act", set: func(f *authn.Facts) { f.Act, f.Person = act, person }}},
		{
			nothing,
			passkey("uv", true, false, func(*authn.PasskeyFacts) {}, act),
			passkey("synced", true, false, func(p *authn.PasskeyFacts) { p.BackupEligible = true }, act),
			passkey("hardware", true, true, func(p *authn.PasskeyFacts) { p.Hardware = true }, act),
			passkey("hardware that may be copied", true, false, func(p *authn.PasskeyFacts) { p.Hardware, p.BackupEligible = true, true }, act),
			passkey("simulated", true, false, func(p *authn.PasskeyFacts) { p.Hardware, p.Evidence.Simulated = true, true }, act),
			passkey("not verified", false, false, func(p *authn.PasskeyFacts) { p.UserVerified = false }, act),
			passkey("not present", false, false, func(p *authn.PasskeyFacts) { p.UserPresent = false }, act),
			passkey("old", false, false, func(p *authn.PasskeyFacts) { p.At = ago(16 * time.Minute) }, act),
			passkey("from the future", false, false, func(p *authn.PasskeyFacts) { p.At = ago(-time.Second) }, act),
			passkey("another person's", false, false, func(p *authn.PasskeyFacts) { p.Person = other }, act),
			passkey("of another act", false, false, func(*authn.PasskeyFacts) {}, otherAct),
		},
		{
			nothing,
			{name: "code", code: true, set: func(f *authn.Facts) { f.Code = authn.CodeProofOf(fac, person, 9, now) }},
			{name: "old code", set: func(f *authn.Facts) { f.Code = authn.CodeProofOf(fac, person, 9, ago(16*time.Minute)) }},
			{name: "another's code", set: func(f *authn.Facts) { f.Code = authn.CodeProofOf(fac, other, 9, now) }},
			{name: "no step", set: func(f *authn.Facts) { f.Code = authn.CodeProofOf(fac, person, 0, now) }},
		},
		{
			nothing,
			factor("password in the act", authn.Factor{Method: "pwd", At: now}, option{first: true, session: true}),
			factor("old password", authn.Factor{Method: "pwd", At: ago(16 * time.Minute)}, option{}),
			factor("idp by password", authn.Factor{Method: "idp", At: ago(time.Minute), StatedBy: "idp", Methods: []string{"pwd"}}, option{first: true, session: true}),
			factor("idp by code only", authn.Factor{Method: "idp", At: ago(time.Minute), StatedBy: "idp", Methods: []string{"otp"}}, option{session: true}),
			factor("idp says nothing", authn.Factor{Method: "idp", At: ago(time.Minute), StatedBy: "idp"}, option{session: true}),
			factor("idp by two factors", authn.Factor{Method: "idp", At: ago(time.Minute), StatedBy: "idp", Methods: []string{"mfa"}, Multi: true}, option{first: true, idpMulti: true, session: true}),
			factor("old idp by two factors", authn.Factor{Method: "idp", At: ago(16 * time.Minute), StatedBy: "idp", Methods: []string{"mfa"}, Multi: true}, option{}),
			factor("a code as first factor", authn.Factor{Method: "totp", At: now}, option{}),
			factor("a recovery code", authn.Factor{Method: "recovery", At: now}, option{}),
		},
		sessions(t, person, request),
	}
}

// sessions are the sessions in which a person may act on a request.
func sessions(t *testing.T, person, request string) []option {
	session := func(name string, l *authn.LiveSession, o option) option {
		o.name, o.set = name, func(f *authn.Facts) { f.Session = l }
		return o
	}
	return []option{
		nothing,
		session("old session", liveSession(t, person, authn.Factor{Method: "pwd", At: ago(time.Hour)}), option{session: true}),
		session("fresh session", liveSession(t, person, authn.Factor{Method: "pwd", At: ago(10 * time.Minute)}), option{session: true, first: true}),
		session("fresh session by passkey", liveSession(t, person, authn.Factor{Method: "passkey", At: ago(10 * time.Minute)}), option{session: true, first: true}),
		session("idp session of two factors", liveSession(t, person, authn.Factor{Method: "idp", At: ago(time.Minute), StatedBy: "idp", Methods: []string{"mfa"}, Multi: true}), option{session: true, first: true}),
		session("another's session", liveSession(t, newPerson(), authn.Factor{Method: "pwd", At: now}), option{}),
		session("hand-over", handOver(t, person, request, "pwd", ago(time.Minute)), option{first: true}),
		session("hand-over by code", handOver(t, person, request, "otp", ago(time.Minute)), option{}),
		session("old hand-over", handOver(t, person, request, "pwd", ago(16*time.Minute)), option{}),
		session("hand-over for another request", handOver(t, person, "req_other", "pwd", ago(time.Minute)), option{}),
	}
}

// TestAssuranceTable goes through every combination and compares with an oracle that
// knows only what each part is worth by itself.
func TestAssuranceTable(t *testing.T) {
	person := newPerson()
	dims := dimensions(t, person)
	count := map[countersign.Assurance]int{}
	var walk func(i int, chosen []option)
	walk = func(i int, chosen []option) {
		if i < len(dims) {
			for _, o := range dims[i] {
				walk(i+1, append(slices.Clone(chosen), o))
			}
			return
		}
		var f authn.Facts
		var sum option
		var names []string
		for _, o := range chosen {
			o.set(&f)
			names = append(names, o.name)
			sum.passkey, sum.hardware = sum.passkey || o.passkey, sum.hardware || o.hardware
			sum.code, sum.first = sum.code || o.code, sum.first || o.first
			sum.idpMulti, sum.session = sum.idpMulti || o.idpMulti, sum.session || o.session
		}
		want := countersign.AssuranceNone
		switch {
		case sum.passkey && sum.hardware:
			want = countersign.AssuranceHardware
		case sum.passkey:
			want = countersign.AssurancePhishingResistant
		case sum.code && sum.first, sum.idpMulti:
			want = countersign.AssuranceMFA
		case sum.session:
			want = countersign.AssuranceSession
		}
		got := authn.Derive(f, authn.Demand{}, now)
		count[got.Assurance]++
		if got.Assurance != want {
			t.Fatalf("%s: got %q, want %q", strings.Join(names, ", "), got.Assurance, want)
		}
		if err := consistent(got); err != nil {
			t.Fatalf("%s: %v", strings.Join(names, ", "), err)
		}
	}
	walk(0, nil)
	if len(count) != 5 {
		t.Errorf("not every assurance occurs: %v", count)
	}
}

// consistent checks that a judgement says what it rests on.
func consistent(j authn.Judgement) error {
	switch {
	case j.Assurance == countersign.AssuranceNone:
		if j.AMR != nil || !j.AuthTime.IsZero() || j.Passkey != nil || j.TOTP != nil || j.FirstFactor != nil {
			return fmt.Errorf("nothing counts, and yet %+v", j)
		}
		return nil
	case j.AuthTime.IsZero() || j.AuthTime.After(now):
		return fmt.Errorf("counted at %v", j.AuthTime)
	case !slices.IsSorted(j.AMR):
		return fmt.Errorf("methods %v", j.AMR)
	case (j.Weaker == "") != (j.Assurance == countersign.AssuranceHardware):
		return fmt.Errorf("%s is weaker because %q", j.Assurance, j.Weaker)
	case (j.Passkey != nil) != j.Assurance.AtLeast(countersign.AssurancePhishingResistant):
		return fmt.Errorf("%s with a passkey: %v", j.Assurance, j.Passkey != nil)
	case j.TOTP != nil && j.FirstFactor == nil:
		return fmt.Errorf("a code without a first factor")
	case j.Assurance == countersign.AssuranceMFA && !slices.Contains(j.AMR, "mfa"):
		return fmt.Errorf("methods %v", j.AMR)
	}
	return nil
}

// TestAssuranceNeverRises is the property: taking a fact away, letting the facts age,
// or asking for fresher ones or refusing vouching never makes the result stronger.
func TestAssuranceNeverRises(t *testing.T) {
	person := newPerson()
	dims := dimensions(t, person)
	rng := rand.New(rand.NewPCG(1, 2))
	rank := []countersign.Assurance{"", countersign.AssuranceSession, countersign.AssuranceMFA, countersign.AssurancePhishingResistant, countersign.AssuranceHardware}
	level := func(f authn.Facts, d authn.Demand, at time.Time) int {
		return slices.Index(rank, authn.Derive(f, d, at).Assurance)
	}
	for range 20000 {
		var f authn.Facts
		future := false
		for i, d := range dims {
			o := d[rng.IntN(len(d))]
			o.set(&f)
			if i == 3 { // several factors may come in one act
				d[rng.IntN(len(d))].set(&f)
			}
			future = future || strings.Contains(o.name, "future")
		}
		demand := authn.Demand{MaxAge: time.Duration(rng.IntN(30)) * time.Minute, NoVouching: rng.IntN(2) == 0}
		full := level(f, demand, now)
		less := f
		switch rng.IntN(5) {
		case 0:
			less.Passkey = nil
		case 1:
			less.Code = nil
		case 2:
			less.Session = nil
		case 3:
			less.Factors = less.Factors[:len(less.Factors)/2]
		case 4:
			less.Person = newPerson()
		}
		if got := level(less, demand, now); got > full {
			t.Fatalf("with less: %v rose to %v", rank[full], rank[got])
		}
		if older := now.Add(time.Duration(rng.IntN(40)) * time.Minute); !future {
			if got := level(f, demand, older); got > full {
				t.Fatalf("%v later: %v rose to %v", older.Sub(now), rank[full], rank[got])
			}
		}
		strict := authn.Demand{MaxAge: min(demand.MaxAge, time.Duration(rng.IntN(30))*time.Minute), NoVouching: true}
		if strict.MaxAge > 0 {
			if got := level(f, strict, now); got > full {
				t.Fatalf("asked for more: %v rose to %v", rank[full], rank[got])
			}
		}
	}
}

// An act belongs to the person whom its statement names, and to an act at all.
func TestActIsOfTheNamedPerson(t *testing.T) {
	person, other := newPerson(), newPerson()
	otherAct, _ := actOf(t, other)
	signIn := take(t, ceremony(t, authn.PurposeSignIn, person))
	for name, act := range map[string]authn.TakenChallenge{"another's act": otherAct, "a sign-in": signIn, "no act": {}} {
		f := authn.Facts{Act: act, Person: person, Session: liveSession(t, person, authn.Factor{Method: "pwd", At: now}), Code: authn.CodeProofOf(fac, person, 7, now)}
		if got := authn.Derive(f, authn.Demand{}, now).Assurance; got != countersign.AssuranceNone {
			t.Errorf("%s counts as %q", name, got)
		}
	}
}

func TestMaxAgeCoversEveryFactor(t *testing.T) {
	person := newPerson()
	act, _ := actOf(t, person)
	for _, c := range []struct {
		first, code time.Duration
		maxAge      time.Duration
		want        countersign.Assurance
	}{
		{14 * time.Minute, 0, 0, countersign.AssuranceMFA},
		{15 * time.Minute, 0, 0, countersign.AssuranceMFA},
		{15*time.Minute + 1, 0, 0, countersign.AssuranceNone},
		{14 * time.Minute, 0, 5 * time.Minute, countersign.AssuranceNone},
		{time.Minute, 6 * time.Minute, 5 * time.Minute, countersign.AssuranceSession},
		{time.Minute, time.Minute, 5 * time.Minute, countersign.AssuranceMFA},
		{40 * time.Minute, 0, time.Hour, countersign.AssuranceMFA},
	} {
		f := authn.Facts{Act: act, Person: person, Code: authn.CodeProofOf(fac, person, 7, ago(c.code)), Factors: []authn.Factor{{Method: "pwd", At: ago(c.first)}}}
		j := authn.Derive(f, authn.Demand{MaxAge: c.maxAge}, now)
		if j.Assurance != c.want {
			t.Errorf("%+v: got %q", c, j.Assurance)
		}
		if j.Assurance == countersign.AssuranceMFA && !j.AuthTime.Equal(ago(max(c.first, c.code))) {
			t.Errorf("%+v: auth time %v", c, j.AuthTime)
		}
	}
	// Where the demand sets a limit, a session is held to it as well.
	old := authn.Facts{Act: act, Person: person, Session: liveSession(t, person, authn.Factor{Method: "pwd", At: ago(50 * time.Minute)})}
	if got := authn.Derive(old, authn.Demand{}, now).Assurance; got != countersign.AssuranceSession {
		t.Errorf("no limit: %q", got)
	}
	if got := authn.Derive(old, authn.Demand{MaxAge: 5 * time.Minute}, now).Assurance; got != countersign.AssuranceNone {
		t.Errorf("5 minutes: %q", got)
	}
}

// Ruling 13: what a calling system states can stand for a first factor, where the
// policy does not refuse it; the evidence says who stated it.
func TestRuling13Vouching(t *testing.T) {
	person := newPerson()
	act, request := actOf(t, person)
	f := authn.Facts{Act: act, Person: person, Session: handOver(t, person, request, "pwd", ago(2*time.Minute))}
	if got := authn.Derive(f, authn.Demand{}, now).Assurance; got != countersign.AssuranceNone {
		t.Errorf("handed over, nothing proven: %q", got)
	}
	f.Code = authn.CodeProofOf(fac, person, 7, now)
	j := authn.Derive(f, authn.Demand{}, now)
	if j.Assurance != countersign.AssuranceMFA || j.FirstFactor.StatedBy != keyID || !strings.Contains(j.Weaker, keyID) || !strings.Contains(j.Weaker, "server knows") {
		t.Errorf("%+v", j)
	}
	e := j.Evidence()
	if e.FirstFactor.Method != "vouched" || e.AuthTime != "2026-11-24T05:58:00.000000Z" || e.TOTP.Step != 7 || string(e.Statement) != string(act.Statement()) {
		t.Errorf("%+v", e)
	}
	if got := authn.Derive(f, authn.Demand{NoVouching: true}, now).Assurance; got != countersign.AssuranceNone {
		t.Errorf("vouching refused: %q", got)
	}
}

// Ruling 38: password and code in one act, on one challenge, suffice.
func TestRuling38PasswordAndCodeInOneAct(t *testing.T) {
	person := newPerson()
	act, _ := actOf(t, person)
	secret := authn.NewTOTPSecret()
	_, r := authn.VerifyTOTP(secret, authn.TOTPState{}, code(t, secret, now), now)
	proof, ok := r.Proof(fac, person, now)
	if !ok {
		t.Fatal(r.Err)
	}
	j := authn.Derive(authn.Facts{Act: act, Person: person, Code: &proof, Factors: []authn.Factor{{Method: authn.MethodPassword, At: now}}}, authn.Demand{}, now)
	if j.Assurance != countersign.AssuranceMFA || !slices.Equal(j.AMR, []string{"mfa", "otp", "pwd"}) || j.Authenticator() != fac {
		t.Errorf("%+v", j)
	}
	_, r = authn.VerifyTOTP(secret, authn.TOTPState{}, wrong(code(t, secret, now)), now)
	if _, ok := r.Proof(fac, person, now); ok {
		t.Error("a wrong code gives a proof")
	}
}

// A passkey used to sign in proves who came in; it never counts as the act itself.
func TestTrapSessionIsNotAnAct(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeSignIn, Org: org, Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := d.assert(t, rp, c)
	if err != nil {
		t.Fatal(err)
	}
	act, _ := actOf(t, d.person)
	for _, a := range []authn.TakenChallenge{act, take(t, c)} {
		if got := authn.Derive(authn.Facts{Act: a, Person: d.person, Passkey: &proof}, authn.Demand{}, now).Assurance; got != countersign.AssuranceNone {
			t.Errorf("a sign-in counts as %q for an act of purpose %s", got, a.Purpose())
		}
	}
	// The real thing, end to end.
	dc := decisionChallenge(t, statement(d.person), d.record)
	if proof, err = d.assert(t, rp, dc, d.record); err != nil {
		t.Fatal(err)
	}
	j := authn.Derive(authn.Facts{Act: take(t, dc), Person: d.person, Passkey: &proof}, authn.Demand{}, now)
	if j.Assurance != countersign.AssurancePhishingResistant || j.Authenticator() != d.record.Authenticator || !strings.Contains(j.Weaker, "proves nothing") {
		t.Errorf("%+v", j)
	}
	if got := authn.Derive(authn.Facts{Act: act, Person: d.person, Passkey: &proof}, authn.Demand{}, now).Assurance; got != countersign.AssuranceNone {
		t.Errorf("an assertion over another statement counts as %q", got)
	}
}
