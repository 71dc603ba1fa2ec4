package authn

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
