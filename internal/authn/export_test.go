package authn

import (
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// VerifyRegistrationOf verifies against a challenge that the standard's vectors fix.
func (rp *RelyingParty) VerifyRegistrationOf(in Registration, sum [32]byte) (Passkey, error) {
	return rp.verifyRegistration(in, sum)
}

// VerifyAssertionOf verifies against a challenge that the standard's vectors fix.
func (rp *RelyingParty) VerifyAssertionOf(in Assertion, sum [32]byte) (PasskeyFacts, error) {
	return rp.verifyAssertion(in, sum)
}

// ProofOf makes a proof that was not verified, for tables over all combinations.
func ProofOf(f PasskeyFacts, act TakenChallenge) *PasskeyProof {
	f.sum, f.Purpose = act.challenge.Sum(), act.Purpose()
	return &PasskeyProof{facts: f}
}

// SubjectPublicKeyInfo is the conversion of COSE keys.
var SubjectPublicKeyInfo = subjectPublicKeyInfo

// AttestedBy follows an attestation's certificates to a configured root.
func (rp *RelyingParty) AttestedBy(a *protocol.AttestationObject, now time.Time) string {
	return rp.attestedBy(a, now)
}

// CodeProofOf makes a proof for tables over all combinations.
func CodeProofOf(authenticator, person string, step int64, at time.Time) *CodeProof {
	return &CodeProof{authenticator, person, step, at}
}

// ParsePHC reads a stored password hash.
func ParsePHC(s string) error {
	_, _, _, err := parsePHC(s)
	return err
}
