package authn_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

func ceremony(t *testing.T, p authn.Purpose, person string) authn.Challenge {
	t.Helper()
	c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: p, Org: org, Person: person, Subject: "x", Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A sign-in that names a person takes no passkey of another, even where the list of
// passkeys was left open or was filled wrongly.
func TestNamedSignInTakesOnlyTheirPasskeys(t *testing.T) {
	rp := relyingParty(t)
	mara, otto := mustEnrol(t, rp, softkey.Behaviour{}), mustEnrol(t, rp, softkey.Behaviour{})
	_, err := otto.assert(t, rp, ceremony(t, authn.PurposeSignIn, mara.person))
	checkRefused(t, err, authn.ErrCredential)
	c := ceremony(t, authn.PurposeSignIn, mara.person).Offer([]authn.Passkey{otto.record})
	_, err = otto.assert(t, rp, c, otto.record)
	checkRefused(t, err, authn.ErrCredential)
}

// The record must be that of the credential that answered, whatever the caller loaded.
func TestRecordOfAnotherCredential(t *testing.T) {
	rp := relyingParty(t)
	mara, otto := mustEnrol(t, rp, softkey.Behaviour{}), mustEnrol(t, rp, softkey.Behaviour{})
	otto.key.Behaviour = softkey.Behaviour{IgnoreLists: true, HideUserHandle: true}
	c := decisionChallenge(t, statement(mara.person), mara.record)
	options, err := rp.RequestOptions(c, []authn.Passkey{mara.record})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := otto.key.Assert(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := authn.AssertedCredential(answer); err != nil || !bytes.Equal(id, otto.record.CredentialID) {
		t.Errorf("%v", err)
	}
	_, err = rp.VerifyAssertion(authn.Assertion{Challenge: take(t, c), Passkey: mara.record, Handle: mara.handle, Response: answer, Now: now})
	checkRefused(t, err, authn.ErrCredential)
}

// A challenge of one purpose is answered by the ceremony of that purpose only.
func TestCeremoniesDoNotMix(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	// A key that signs a sign-in's challenge as a registration gets nowhere.
	signIn, key := ceremony(t, authn.PurposeSignIn, d.person), softkey.New()
	signed := signIn.Sum()
	key.Behaviour.Challenge = signed[:]
	creation, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara", DisplayName: "Mara"}, enrolChallenge(t, d.person), nil)
	if err != nil {
		t.Fatal(err)
	}
	registered, err := key.Register(creation, origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, taken := range []authn.TakenChallenge{take(t, signIn), {}} {
		_, err := rp.VerifyRegistration(authn.Registration{Challenge: taken, Handle: d.handle, Response: registered, Now: now})
		checkRefused(t, err, authn.ErrChallenge)
	}
	enrolment := enrolChallenge(t, d.person).Offer([]authn.Passkey{d.record})
	if _, err := rp.RequestOptions(enrolment, []authn.Passkey{d.record}); err == nil {
		t.Error("an enrolment was offered for assertion")
	}
	if _, err := rp.CreationOptions(authn.User{Handle: d.handle}, ceremony(t, authn.PurposeSignIn, ""), nil); err == nil {
		t.Error("a sign-in was offered for registration")
	}
	// A key that signs the enrolment's challenge as an assertion gets nowhere either.
	sum := enrolment.Sum()
	d.key.Behaviour.Challenge = sum[:]
	options, err := rp.RequestOptions(decisionChallenge(t, statement(d.person), d.record), []authn.Passkey{d.record})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Assert(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, taken := range []authn.TakenChallenge{take(t, enrolment), {}} {
		_, err = rp.VerifyAssertion(authn.Assertion{Challenge: taken, Passkey: d.record, Handle: d.handle, Response: answer, Now: now})
		checkRefused(t, err, authn.ErrChallenge)
	}
	// A decision offered to one passkey is not asked of another list.
	if _, err := rp.RequestOptions(decisionChallenge(t, statement(d.person), d.record), nil); err == nil {
		t.Error("the list of the challenge was ignored")
	}
}

func TestPasskeyOfAnotherDomain(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	d.record.RPID = "example.com"
	_, err := d.assert(t, rp, decisionChallenge(t, statement(d.person), d.record), d.record)
	checkRefused(t, err, authn.ErrRelyingParty)
}

func TestResponsesThatCannotBeRead(t *testing.T) {
	h := honestAssertion(t)
	change := func(f func(m, response map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(h.answer, &m); err != nil {
			t.Fatal(err)
		}
		f(m, m["response"].(map[string]any))
		out, _ := json.Marshal(m)
		return out
	}
	refuses := map[string][]byte{
		"nothing": nil, "no object": []byte("[]"), "null": []byte("null"), "no JSON": []byte("{"),
		"a member twice": []byte(strings.Replace(string(h.answer), `{`, `{"type":"public-key",`, 1)),
		"too large":      change(func(m, _ map[string]any) { m["padding"] = strings.Repeat("a", 64<<10) }),
		"two ids":        change(func(m, _ map[string]any) { m["id"] = "AAAA" }),
		"padded":         change(func(m, _ map[string]any) { m["rawId"] = m["rawId"].(string) + "=" }),
		"no id":          change(func(m, _ map[string]any) { delete(m, "rawId") }),
		"long id":        change(func(m, _ map[string]any) { id := base64Of(make([]byte, 1024)); m["id"], m["rawId"] = id, id }),
		"another type":   change(func(m, _ map[string]any) { m["type"] = "password" }),
		"no response":    change(func(m, _ map[string]any) { delete(m, "response") }),
		"no client data": change(func(_, r map[string]any) { delete(r, "clientDataJSON") }),
		"huge client":    change(func(_, r map[string]any) { r["clientDataJSON"] = base64Of(bytes.Repeat([]byte(" "), 9<<10)) }),
		"short data":     change(func(_, r map[string]any) { r["authenticatorData"] = base64Of(make([]byte, 36)) }),
		"not base64":     change(func(_, r map[string]any) { r["signature"] = "a+b/" }),
		"client twice": change(func(_, r map[string]any) {
			client := string(bytesOf(r["clientDataJSON"].(string)))
			r["clientDataJSON"] = base64Of([]byte(strings.Replace(client, `{`, `{"origin":"https://evil.example",`, 1)))
		}),
	}
	for name, answer := range refuses {
		_, err := h.rp.VerifyAssertion(authn.Assertion{Challenge: h.taken, Passkey: h.d.record, Handle: h.d.handle, Response: answer, Now: now})
		t.Run(name, func(t *testing.T) { checkRefused(t, err, authn.ErrResponse) })
	}
	// Older browsers write null where there is no user handle, and newer ones add members.
	for name, answer := range map[string][]byte{
		"null handle": change(func(_, r map[string]any) { r["userHandle"] = nil }),
		"new members": change(func(m, r map[string]any) { m["hint"], r["level"] = "x", 4 }),
	} {
		if _, err := h.rp.VerifyAssertion(authn.Assertion{Challenge: h.taken, Passkey: h.d.record, Handle: h.d.handle, Response: answer, Now: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys that the standard library could not verify offline are refused at enrolment.
func TestKeysThatAreNotAccepted(t *testing.T) {
	rsa := func(bytesOfModulus int, e ...byte) []byte {
		n := bytes.Repeat([]byte{0xc1}, bytesOfModulus)
		out := []byte{0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59, byte(bytesOfModulus >> 8), byte(bytesOfModulus)}
		out = append(append(out, n...), 0x21, 0x40|byte(len(e)))
		return append(out, e...)
	}
	if _, err := authn.SubjectPublicKeyInfo(rsa(256, 1, 0, 1)); err != nil {
		t.Errorf("RSA of 2048 bits: %v", err)
	}
	offCurve := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, bytes.Repeat([]byte{1}, 32)...)
	offCurve = append(append(offCurve, 0x22, 0x58, 0x20), bytes.Repeat([]byte{2}, 32)...)
	for name, key := range map[string][]byte{
		"RSA of 1024 bits": rsa(128, 1, 0, 1), "RSA, exponent 1": rsa(256, 1), "RSA, even exponent": rsa(256, 1, 0, 0),
		"RSA of 16384 bits": rsa(2048, 1, 0, 1), "point off the curve": offCurve, "nothing": nil, "no key": {0xa0},
	} {
		_, err := authn.SubjectPublicKeyInfo(key)
		t.Run(name, func(t *testing.T) { checkRefused(t, err, authn.ErrAlgorithm) })
	}
}

func TestThrottle(t *testing.T) {
	var state authn.Throttle
	for range 99 {
		state = state.Fail(now)
	}
	if state.Ended || state.Succeed() != (authn.Throttle{}) {
		t.Error("99 failures end it, or a success does not forget them")
	}
	before := state
	if state = state.Fail(now); !state.Ended || !state.JustLocked(before) || !state.Succeed().Ended {
		t.Error("100 failures do not end it for good")
	}
	// A success in between starts the count anew.
	secret := authn.NewTOTPSecret()
	totp := authn.TOTPState{}
	for range 4 {
		totp, _ = authn.VerifyTOTP(secret, totp, wrong(code(t, secret, now)), now)
	}
	totp, r := authn.VerifyTOTP(secret, totp, code(t, secret, now), now)
	if !r.Accepted || totp.Throttle.Failures != 0 {
		t.Errorf("%+v", totp)
	}
}

func TestStoredParametersAreBounded(t *testing.T) {
	good := cheap.Hash(goodPassword)
	if err := authn.ParsePHC(good); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"m=2097152,t=1,p=1", "m=64,t=21,p=1", "m=64,t=1,p=17", "m=7,t=1,p=1", "m=64,t=0,p=1"} {
		if err := authn.ParsePHC(strings.Replace(good, "m=64,t=1,p=1", p, 1)); err == nil {
			t.Errorf("%s: accepted", p)
		}
	}
}

func TestEnrolmentOfACode(t *testing.T) {
	e := authn.TOTPEnrolment(fac, newPerson(), "Mara Lind", "setup")
	if e.Type != "totp" || e.PublicKey != "" || e.Authenticator != fac {
		t.Errorf("%+v", e)
	}
}
