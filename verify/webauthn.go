package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

// Flags of authenticator data (Web Authentication Level 3 §6.1).
const (
	flagUserPresent    = 0x01
	flagUserVerified   = 0x04
	flagBackupEligible = 0x08
	flagBackedUp       = 0x10
	flagAttested       = 0x40
	flagExtensions     = 0x80
	authDataLen        = 37 // hash of the relying party, flags, counter
)

// assertion is a WebAuthn assertion with its parts decoded.
type assertion struct {
	authData   []byte
	clientData []byte
	signature  []byte
	client     *jcs.Node // clientData, parsed
}

// passkeySteps verifies the assertion (Web Authentication Level 3 §7.2) with the
// key that the enrolment entry holds.
func (c *checker) passkeySteps(f *caseFile, m *madeDecision) {
	if c.failed() {
		return
	}
	id := m.decision.ID
	if !c.step(StepEnrolment, id, m.openEnrolment(f)) || m.enrolment == nil {
		return
	}
	p, en := m.decision.Evidence.Passkey, m.enrolment
	a, err := openAssertion(p)
	if err == nil {
		err = a.checkChallenge(m.statement.Challenge())
	}
	if !c.step(StepPasskeyChallenge, id, err) {
		return
	}
	err = a.checkOrigin(p.Origin, en.RPID)
	if err == nil {
		err = c.opts.expectedOrigin(p.Origin, en.RPID)
	}
	c.step(StepPasskeyOrigin, p.Origin, err)
	c.step(StepUserVerification, id, a.checkFlags(en.BackupEligible))
	c.step(StepPasskeySignature, id+": by "+en.Authenticator, a.checkSignature(en.PublicKey))
	c.v.Simulated = c.v.Simulated || en.Simulated || p.Simulated
}

// openEnrolment finds the enrolment of the passkey: of the same person, and in the
// log before the decision; otherwise an operator could invent a key for the past.
func (m *madeDecision) openEnrolment(f *caseFile) error {
	p := m.decision.Evidence.Passkey
	e := f.enrolments[p.Authenticator]
	if e == nil {
		return fmt.Errorf("no entry enrols the authenticator %q", jcs.Clip(p.Authenticator))
	}
	switch {
	case e.Index > m.entry.Index:
		return fmt.Errorf("%s was enrolled after the decision", p.Authenticator)
	case e.Leaf.Subject != m.decision.Person.ID:
		return fmt.Errorf("%s is enrolled for %s, not for %s", p.Authenticator, jcs.Clip(e.Leaf.Subject), m.decision.Person.ID)
	case e.Leaf.Facts["type"] != "passkey":
		return fmt.Errorf("%s is not enrolled as a passkey", p.Authenticator)
	}
	o, shown := e.Openings[countersign.OpeningEnrolment]
	if !shown {
		return nil
	}
	var en countersign.Enrolment
	if !jcs.IsCanonical([]byte(o.Value)) {
		return errors.New("the enrolment is not in canonical form")
	}
	if err := countersign.DecodeStrict([]byte(o.Value), &en); err != nil {
		return fmt.Errorf("enrolment: %w", err)
	}
	switch {
	case en.Authenticator != p.Authenticator || en.Type != "passkey":
		return errors.New("the enrolment is of another authenticator than its entry says")
	case en.Person != m.decision.Person.ID:
		return fmt.Errorf("the key is bound to %s, not to %s", jcs.Clip(en.Person), m.decision.Person.ID)
	case en.CredentialID != p.CredentialID:
		return errors.New("the assertion is of another credential")
	case en.RPID != p.RPID:
		return fmt.Errorf("enrolled for %q, used for %q", jcs.Clip(en.RPID), jcs.Clip(p.RPID))
	case en.Simulated != p.Simulated:
		return errors.New("enrolment and evidence differ on whether the authenticator is simulated")
	}
	m.enrolment = &en
	return nil
}

func openAssertion(p *countersign.PasskeyEvidence) (a assertion, err error) {
	for _, part := range []struct {
		name string
		text string
		into *[]byte
	}{{"authenticator data", p.AuthenticatorData, &a.authData}, {"client data", p.ClientDataJSON, &a.clientData}, {"signature", p.Signature, &a.signature}} {
		if *part.into, err = jcs.DecodeBase64(base64.RawURLEncoding, part.text); err != nil {
			return a, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if a.client, err = jcs.Parse(a.clientData); err != nil {
		return a, fmt.Errorf("client data: %w", err)
	}
	if len(a.authData) < authDataLen {
		return a, fmt.Errorf("authenticator data has %d bytes, want %d", len(a.authData), authDataLen)
	}
	if len(a.authData) > authDataLen && a.authData[32]&(flagAttested|flagExtensions) == 0 {
		return a, errors.New("authenticator data is longer than its flags say")
	}
	return a, nil
}

// text returns a string member of the client data.
func (a assertion) text(name string) (string, bool) { return a.client.Member(name).Text() }

func (a assertion) checkChallenge(want [32]byte) error {
	if typ, _ := a.text("type"); typ != "webauthn.get" {
		return fmt.Errorf("the client data is of type %q, want %q", jcs.Clip(typ), "webauthn.get")
	}
	if have, _ := a.text("challenge"); have != base64.RawURLEncoding.EncodeToString(want[:]) {
		return errors.New("what was signed is not the digest of the statement")
	}
	return nil
}

// checkOrigin checks where the ceremony took place. A page in a foreign frame can
// be clicked without being seen, so neither crossOrigin nor topOrigin may be set.
func (a assertion) checkOrigin(origin, rpID string) error {
	if have, _ := a.text("origin"); have != origin || origin == "" {
		return fmt.Errorf("signed at %q, the evidence says %q", jcs.Clip(have), jcs.Clip(origin))
	}
	if n := a.client.Member("crossOrigin"); n != nil && string(n.Canonical()) != "false" {
		return errors.New("signed in a frame of another origin")
	}
	if a.client.Member("topOrigin") != nil {
		return errors.New("signed under a page of another origin")
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("%q is not a web origin", jcs.Clip(origin))
	}
	if host := u.Hostname(); rpID == "" || (host != rpID && !strings.HasSuffix(host, "."+rpID)) {
		return fmt.Errorf("the origin %s is not of the relying party %q", origin, jcs.Clip(rpID))
	}
	sum := sha256.Sum256([]byte(rpID))
	if !bytes.Equal(sum[:], a.authData[:32]) {
		return fmt.Errorf("the authenticator signed for another relying party than %q", rpID)
	}
	return nil
}

func (o Options) expectedOrigin(origin, rpID string) error {
	if o.RPID != "" && rpID != o.RPID {
		return fmt.Errorf("relying party %q, expected %q", jcs.Clip(rpID), o.RPID)
	}
	if len(o.Origins) > 0 && !slices.Contains(o.Origins, origin) {
		return fmt.Errorf("origin %q is not among those expected", jcs.Clip(origin))
	}
	return nil
}

// checkFlags reads the flags of this assertion, not those of the enrolment.
// Whether a key may be backed up never changes (§6.1.3).
func (a assertion) checkFlags(backupEligible bool) error {
	flags := a.authData[32]
	switch {
	case flags&flagUserPresent == 0:
		return errors.New("nobody was present")
	case flags&flagUserVerified == 0:
		return errors.New("the person was not verified")
	case flags&flagBackedUp != 0 && flags&flagBackupEligible == 0:
		return errors.New("a key that cannot be backed up says that it is")
	case (flags&flagBackupEligible != 0) != backupEligible:
		return errors.New("it differs from the enrolment on whether the key can be backed up")
	}
	return nil
}

// checkSignature verifies the signature over the authenticator data and the
// client data's digest with a SubjectPublicKeyInfo in base64url.
func (a assertion) checkSignature(publicKey string) error {
	der, err := jcs.DecodeBase64(base64.RawURLEncoding, publicKey)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	sum := sha256.Sum256(a.clientData)
	signed := append(bytes.Clone(a.authData), sum[:]...)
	ok := false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		ok, err = verifyECDSA(k, signed, a.signature)
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, signed, a.signature)
	case *rsa.PublicKey:
		digest := sha256.Sum256(signed)
		if k.N.BitLen() < 2048 {
			return fmt.Errorf("an RSA key of %d bits is too short", k.N.BitLen())
		}
		ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], a.signature) == nil
	default:
		return fmt.Errorf("a key of type %T is not known", key)
	}
	if err == nil && !ok {
		err = errors.New("the signature is not by the enrolled key over these bytes")
	}
	return err
}

// verifyECDSA pairs each curve with its digest, as the COSE algorithms ES256,
// ES384 and ES512 do.
func verifyECDSA(k *ecdsa.PublicKey, signed, signature []byte) (bool, error) {
	var digest []byte
	switch k.Curve {
	case elliptic.P256():
		d := sha256.Sum256(signed)
		digest = d[:]
	case elliptic.P384():
		d := sha512.Sum384(signed)
		digest = d[:]
	case elliptic.P521():
		d := sha512.Sum512(signed)
		digest = d[:]
	default:
		return false, errors.New("a curve that is not known")
	}
	return ecdsa.VerifyASN1(k, digest, signature), nil
}
