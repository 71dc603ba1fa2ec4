package authn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

const origin = "https://approvals.example.com"

var (
	now = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	org = countersign.NewID(countersign.PrefixOrganisation, now)
)

func newPerson() string { return countersign.NewID(countersign.PrefixPerson, now) }

func relyingParty(t testing.TB, change ...func(*authn.RelyingPartyConfig)) *authn.RelyingParty {
	t.Helper()
	c := authn.RelyingPartyConfig{Org: org, ID: "approvals.example.com", Name: "Countersign", Origins: []string{origin}, Simulated: true}
	for _, f := range change {
		f(&c)
	}
	rp, err := authn.NewRelyingParty(c)
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// enrolChallenge begins an enrolment for a person.
func enrolChallenge(t testing.TB, person string) authn.Challenge {
	t.Helper()
	c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeEnrol, Org: org, Person: person, Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func take(t testing.TB, c authn.Challenge) authn.TakenChallenge {
	t.Helper()
	taken, err := c.Take(c.Purpose, authn.Binding("browser"), now)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func statement(person string) countersign.Statement {
	d := countersign.SumBytes([]byte("{}"))
	return countersign.Statement{
		Version: 1, Org: org, Approval: countersign.NewID(countersign.PrefixRequest, now), Digest: d, RequirementDigest: d, PolicyDigest: d,
		Act: countersign.ActApprove, Person: person, Expires: now.Add(authn.ChallengeLife).Format(time.RFC3339), Nonce: authn.NewNonce(),
	}
}

func decisionChallenge(t testing.TB, s countersign.Statement, passkeys ...authn.Passkey) authn.Challenge {
	t.Helper()
	c, err := authn.DecisionChallenge(s, now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Offer(passkeys)
}

// device is a person with a software key.
type device struct {
	person string
	handle []byte
	key    *softkey.Key
	record authn.Passkey
}

// enrol registers a fresh key, with knobs set before.
func enrol(t testing.TB, rp *authn.RelyingParty, b softkey.Behaviour) (*device, error) {
	t.Helper()
	d := &device{person: newPerson(), handle: authn.NewUserHandle(), key: softkey.New()}
	d.key.Behaviour = b
	c := enrolChallenge(t, d.person)
	options, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara@example.com", DisplayName: "Mara Lind"}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Register(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	d.record, err = rp.VerifyRegistration(authn.Registration{Challenge: take(t, c), Handle: d.handle, Response: answer, Now: now})
	d.record.Authenticator = countersign.NewID(countersign.PrefixAuthenticator, now)
	return d, err
}

func mustEnrol(t testing.TB, rp *authn.RelyingParty, b softkey.Behaviour) *device {
	t.Helper()
	d, err := enrol(t, rp, b)
	if err != nil {
		t.Fatal(err)
	}
	d.key.Behaviour = softkey.Behaviour{BackupEligible: b.BackupEligible, BackedUp: b.BackedUp}
	return d
}

func (d *device) assert(t testing.TB, rp *authn.RelyingParty, c authn.Challenge, allow ...authn.Passkey) (authn.PasskeyProof, error) {
	t.Helper()
	options, err := rp.RequestOptions(c, allow)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Assert(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	return rp.VerifyAssertion(authn.Assertion{Challenge: take(t, c), Passkey: d.record, Handle: d.handle, Response: answer, Now: now})
}

func TestPasskeyStory(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	e := d.record.Enrolment("Mara Lind", "setup")
	if e.Person != d.person || e.Type != "passkey" || e.PublicKey == "" || e.Attestation == "" || !e.Simulated || e.AttestedBy != "" {
		t.Errorf("enrolment %+v", e)
	}

	// Without a name: the passkey says whose it is.
	signIn, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeSignIn, Org: org, Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := d.assert(t, rp, signIn)
	if err != nil {
		t.Fatal(err)
	}
	if f := proof.Facts(); !bytes.Equal(f.UserHandle, d.handle) || f.Person != d.person || f.CloneWarning {
		t.Errorf("sign-in facts %+v", f)
	}
	d.record = proof.Facts().Record

	// Over a request, with the list of the person's passkeys.
	s := statement(d.person)
	proof, err = d.assert(t, rp, decisionChallenge(t, s, d.record), d.record)
	if err != nil {
		t.Fatal(err)
	}
	f := proof.Facts()
	if !f.UserPresent || !f.UserVerified || f.BackupEligible || f.Hardware || f.SignCount != 2 || f.Record.SignCount != 2 {
		t.Errorf("facts %+v", f)
	}
	ev := f.Evidence
	if ev.Authenticator != d.record.Authenticator || !ev.Simulated || ev.Origin != origin || ev.RPID != "approvals.example.com" {
		t.Errorf("evidence %+v", ev)
	}
	client, _ := base64.RawURLEncoding.DecodeString(ev.ClientDataJSON)
	sum := s.Challenge()
	if !bytes.Contains(client, []byte(base64.RawURLEncoding.EncodeToString(sum[:]))) {
		t.Error("the evidence does not name the statement")
	}
}

// Ruling 16: nothing but SHA-256 of the statement's canonical bytes is the challenge.
func TestRuling16StatementIsTheChallenge(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	s := statement(d.person)
	c := decisionChallenge(t, s, d.record)
	if c.Sum() != s.Challenge() {
		t.Fatal("the challenge is not the statement's")
	}
	other := s
	other.Act = countersign.ActDeny
	sum := other.Challenge()
	d.key.Behaviour.Challenge = sum[:]
	if _, err := d.assert(t, rp, c, d.record); !errors.Is(err, authn.ErrChallenge) {
		t.Errorf("signed a denial, taken for an approval: %v", err)
	}
	// A ceremony and a statement never share bytes.
	if _, err := authn.ParseCeremony(s.Bytes()); err == nil {
		t.Error("a statement passes for a ceremony")
	}
	cer := authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeSignIn, Org: org}, now)
	if _, err := countersign.ParseStatement(cer.Bytes()); err == nil {
		t.Error("a ceremony passes for a statement")
	}
	if back, err := authn.ParseCeremony(cer.Bytes()); err != nil || back != cer {
		t.Errorf("ceremony does not read back: %v", err)
	}
}

func TestRegistrationRefusals(t *testing.T) {
	elsewhere := []byte("another statement, 32 bytes long!")[:32]
	cases := map[string]struct {
		behave softkey.Behaviour
		want   error
	}{
		"user not verified":         {softkey.Behaviour{NoUserVerification: true}, authn.ErrUserVerification},
		"user not present":          {softkey.Behaviour{NoUserPresence: true}, authn.ErrUserPresence},
		"other relying party":       {softkey.Behaviour{RPID: "example.com"}, authn.ErrRelyingParty},
		"other origin":              {softkey.Behaviour{Origin: "https://approvals.example.com.evil.example"}, authn.ErrOrigin},
		"origin in another case":    {softkey.Behaviour{Origin: "https://Approvals.example.com"}, authn.ErrOrigin},
		"origin with a path":        {softkey.Behaviour{Origin: origin + "/"}, authn.ErrOrigin},
		"other challenge":           {softkey.Behaviour{Challenge: elsewhere}, authn.ErrChallenge},
		"other ceremony":            {softkey.Behaviour{Type: "webauthn.get"}, authn.ErrResponse},
		"in a frame":                {softkey.Behaviour{CrossOrigin: true}, authn.ErrOrigin},
		"with a top origin":         {softkey.Behaviour{TopOrigin: "https://shop.example"}, authn.ErrOrigin},
		"in a frame of ours":        {softkey.Behaviour{CrossOrigin: true, TopOrigin: origin}, authn.ErrOrigin},
		"copied, cannot be copied":  {softkey.Behaviour{BackedUp: true}, authn.ErrBackup},
		"well behaved":              {softkey.Behaviour{}, nil},
		"synced":                    {softkey.Behaviour{BackupEligible: true, BackedUp: true}, nil},
		"Chromium's extra outputs":  {softkey.Behaviour{Extensions: `{"prf":{"enabled":false},"credProps":{"rk":true},"payment":{"isPayment":true}}`}, nil},
		"outputs of no known shape": {softkey.Behaviour{Extensions: `{"prf":[1],"appid":"yes","largeBlob":7}`}, nil},
	}
	rp := relyingParty(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := enrol(t, rp, c.behave)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			checkRefused(t, err, c.want)
			if d.record.CredentialID != nil || d.record.Person != "" {
				t.Error("a refused registration gives a record")
			}
		})
	}
}

func checkRefused(t *testing.T, err, want error) {
	t.Helper()
	var p *countersign.Problem
	if !errors.Is(err, want) || !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem because %v", err, want)
	}
}

func TestAssertionRefusals(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	elsewhere := []byte("another statement, 32 bytes long!")[:32]
	cases := map[string]struct {
		behave softkey.Behaviour
		want   error
	}{
		"user not verified now":  {softkey.Behaviour{NoUserVerification: true}, authn.ErrUserVerification},
		"user not present":       {softkey.Behaviour{NoUserPresence: true}, authn.ErrUserPresence},
		"other relying party":    {softkey.Behaviour{RPID: "example.com"}, authn.ErrRelyingParty},
		"other origin":           {softkey.Behaviour{Origin: "https://evil.example"}, authn.ErrOrigin},
		"plain http":             {softkey.Behaviour{Origin: "http://approvals.example.com"}, authn.ErrOrigin},
		"other challenge":        {softkey.Behaviour{Challenge: elsewhere}, authn.ErrChallenge},
		"a registration":         {softkey.Behaviour{Type: "webauthn.create"}, authn.ErrResponse},
		"a payment dialog":       {softkey.Behaviour{Type: "payment.get"}, authn.ErrResponse},
		"in a frame":             {softkey.Behaviour{CrossOrigin: true}, authn.ErrOrigin},
		"with a top origin":      {softkey.Behaviour{TopOrigin: "https://shop.example"}, authn.ErrOrigin},
		"bogus signature":        {softkey.Behaviour{BreakSignature: true}, authn.ErrSignature},
		"backup eligible now":    {softkey.Behaviour{BackupEligible: true}, authn.ErrBackup},
		"copied, cannot be":      {softkey.Behaviour{BackedUp: true}, authn.ErrBackup},
		"somebody else's handle": {softkey.Behaviour{ClaimUserHandle: authn.NewUserHandle()}, authn.ErrCredential},
		"no handle":              {softkey.Behaviour{HideUserHandle: true}, nil},
		"payment output":         {softkey.Behaviour{Extensions: `{"payment":{"browserBoundSignature":{"signature":"AA"}},"appid":true}`}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d.key.Behaviour = c.behave
			_, err := d.assert(t, rp, decisionChallenge(t, statement(d.person), d.record), d.record)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			checkRefused(t, err, c.want)
		})
	}
}

func TestAssertionOfAnotherPerson(t *testing.T) {
	rp := relyingParty(t)
	mara, otto := mustEnrol(t, rp, softkey.Behaviour{}), mustEnrol(t, rp, softkey.Behaviour{})
	otto.key.Behaviour.IgnoreLists = true

	// Otto's key answers a challenge that was made for Mara and her passkey.
	c := decisionChallenge(t, statement(mara.person), mara.record)
	_, err := otto.assert(t, rp, c, mara.record)
	checkRefused(t, err, authn.ErrCredential)

	// The caller is tricked into loading Mara's record for Otto's answer.
	options, _ := rp.RequestOptions(c, []authn.Passkey{mara.record})
	answer, err := otto.key.Assert(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rp.VerifyAssertion(authn.Assertion{Challenge: take(t, c), Passkey: mara.record, Handle: mara.handle, Response: answer, Now: now})
	checkRefused(t, err, authn.ErrCredential)

	// The same, with the credential id changed to Mara's: the key is still Otto's.
	var m map[string]any
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatal(err)
	}
	id := base64.RawURLEncoding.EncodeToString(mara.record.CredentialID)
	m["id"], m["rawId"] = id, id
	m["response"].(map[string]any)["userHandle"] = base64.RawURLEncoding.EncodeToString(mara.handle)
	forged, _ := json.Marshal(m)
	_, err = rp.VerifyAssertion(authn.Assertion{Challenge: take(t, c), Passkey: mara.record, Handle: mara.handle, Response: forged, Now: now})
	checkRefused(t, err, authn.ErrSignature)

	// Mara's second passkey is hers, but was not offered.
	second := *mara
	second.key = softkey.New()
	second.key.Behaviour.IgnoreLists = true
	ce := enrolChallenge(t, mara.person)
	creation, _ := rp.CreationOptions(authn.User{Handle: mara.handle, Name: "mara", DisplayName: "Mara"}, ce, []authn.Passkey{mara.record})
	registered, err := second.key.Register(creation, origin)
	if err != nil {
		t.Fatal(err)
	}
	if second.record, err = rp.VerifyRegistration(authn.Registration{Challenge: take(t, ce), Handle: mara.handle, Response: registered, Now: now}); err != nil {
		t.Fatal(err)
	}
	_, err = second.assert(t, rp, c, mara.record)
	checkRefused(t, err, authn.ErrCredential)
}

func TestUsernamelessNeedsUserHandle(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	d.key.Behaviour.HideUserHandle = true
	c, err := authn.CeremonyChallenge(authn.NewCeremony(authn.Ceremony{Purpose: authn.PurposeSignIn, Org: org, Binding: authn.Binding("browser")}, now), now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.assert(t, rp, c)
	checkRefused(t, err, authn.ErrCredential)
	// Only a sign-in may be usernameless.
	open := decisionChallenge(t, statement(d.person))
	if _, err := rp.RequestOptions(open, nil); err == nil {
		t.Error("a decision was offered to any passkey")
	}
	_, err = rp.VerifyAssertion(authn.Assertion{Challenge: take(t, open), Passkey: d.record, Handle: d.handle, Now: now})
	checkRefused(t, err, authn.ErrChallenge)
}

func TestCounterGoingBackIsASignal(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	for range 5 {
		proof, err := d.assert(t, rp, decisionChallenge(t, statement(d.person), d.record), d.record)
		if err != nil || proof.Facts().CloneWarning {
			t.Fatalf("%v, warning %v", err, proof.Facts().CloneWarning)
		}
		d.record = proof.Facts().Record
	}
	d.key.Behaviour.CounterBack = 3
	proof, err := d.assert(t, rp, decisionChallenge(t, statement(d.person), d.record), d.record)
	if err != nil {
		t.Fatal(err)
	}
	if f := proof.Facts(); !f.CloneWarning || f.SignCount != 2 || f.Record.SignCount != 5 {
		t.Errorf("warning %v, seen %d, kept %d", f.CloneWarning, f.SignCount, f.Record.SignCount)
	}
}

func TestRuling19HardwareNeedsAConfiguredRoot(t *testing.T) {
	wall := time.Now() // the library holds attestation certificates against the wall clock
	maker, err := softkey.NewMaker("Fjord Keys AB", wall)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := softkey.NewMaker("Somebody", wall)
	if err != nil {
		t.Fatal(err)
	}
	trusting := relyingParty(t, func(c *authn.RelyingPartyConfig) { c.Roots = append(c.Roots, maker.Root()) })
	model := []byte("0123456789abcdef")
	cases := map[string]struct {
		rp     *authn.RelyingParty
		behave softkey.Behaviour
		want   bool
	}{
		"attested to a configured root": {trusting, softkey.Behaviour{Maker: maker, AAGUID: model}, true},
		"no root configured":            {relyingParty(t), softkey.Behaviour{Maker: maker, AAGUID: model}, false},
		"another root":                  {trusting, softkey.Behaviour{Maker: stranger, AAGUID: model}, false},
		"no attestation":                {trusting, softkey.Behaviour{AAGUID: model}, false},
		"may be copied":                 {trusting, softkey.Behaviour{Maker: maker, AAGUID: model, BackupEligible: true}, false},
		"simulated":                     {trusting, softkey.Behaviour{Maker: maker}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			now := now
			if wall.After(now) {
				now = wall
			}
			d := mustEnrolAt(t, c.rp, c.behave, now)
			proof, err := d.assert(t, c.rp, decisionChallenge(t, statement(d.person), d.record), d.record)
			if err != nil {
				t.Fatal(err)
			}
			if got := proof.Facts().Hardware; got != c.want || (d.record.AttestedBy != "") != c.want {
				t.Errorf("hardware %v, attested by %q, want %v", got, d.record.AttestedBy, c.want)
			}
			// Taking the root out takes hardware away.
			if c.want {
				bare := relyingParty(t)
				if proof, err = d.assert(t, bare, decisionChallenge(t, statement(d.person), d.record), d.record); err != nil || proof.Facts().Hardware {
					t.Errorf("still hardware without the root (%v)", err)
				}
			}
		})
	}
	if !trusting.CanAttest() || relyingParty(t).CanAttest() {
		t.Error("CanAttest is wrong")
	}
}

// mustEnrolAt enrols at a given time; attestation chains are judged by it.
func mustEnrolAt(t *testing.T, rp *authn.RelyingParty, b softkey.Behaviour, at time.Time) *device {
	t.Helper()
	d := &device{person: newPerson(), handle: authn.NewUserHandle(), key: softkey.New()}
	d.key.Behaviour = b
	c := enrolChallenge(t, d.person)
	options, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara", DisplayName: "Mara"}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Register(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	if d.record, err = rp.VerifyRegistration(authn.Registration{Challenge: take(t, c), Handle: d.handle, Response: answer, Now: at}); err != nil {
		t.Fatal(err)
	}
	d.key.Behaviour = softkey.Behaviour{BackupEligible: b.BackupEligible}
	return d
}

func TestSimulatedIsRefusedOutsideTheDemo(t *testing.T) {
	demo, real := relyingParty(t), relyingParty(t, func(c *authn.RelyingPartyConfig) { c.Simulated = false })
	_, err := enrol(t, real, softkey.Behaviour{})
	checkRefused(t, err, authn.ErrSimulated)
	d := mustEnrol(t, demo, softkey.Behaviour{})
	_, err = d.assert(t, real, decisionChallenge(t, statement(d.person), d.record), d.record)
	checkRefused(t, err, authn.ErrSimulated)
}

func base64Of(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func bytesOf(s string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return b
}
