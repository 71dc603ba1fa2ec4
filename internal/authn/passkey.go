package authn

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Passkey is a credential record (Web Authentication Level 3 §4): what is kept of a
// registration. Keys of passkeys that were removed are kept too, so that what they
// signed stays verifiable.
type Passkey struct {
	Authenticator  string   `json:"authenticator"`    // fac_…, set by the caller
	Person         string   `json:"person"`           // per_…, whom the enrolment was for
	CredentialID   []byte   `json:"credential_id"`    // unique within the organisation; the caller checks that
	COSEKey        []byte   `json:"cose_key"`         // CTAP2 canonical CBOR
	SPKI           []byte   `json:"spki"`             // the same key as SubjectPublicKeyInfo (DER)
	SignCount      uint32   `json:"sign_count"`       // highest seen
	BackupEligible bool     `json:"backup_eligible"`  // BE: may be synced between devices; never changes
	BackedUp       bool     `json:"backed_up"`        // BS, as last seen
	AAGUID         string   `json:"aaguid"`           // model, as a UUID; all zero where not told
	Transports     []string `json:"transports"`       // hints for browsers
	Format         string   `json:"format"`           // of the attestation statement
	Attestation    []byte   `json:"attestation"`      // attestationObject as registered
	ClientData     []byte   `json:"client_data_json"` // of the registration
	AttestedBy     string   `json:"attested_by"`      // the configured root that vouched for the device, or ""
	RPID           string   `json:"rp_id"`
	Origin         string   `json:"origin"`
	Simulated      bool     `json:"simulated"` // made by the demo's software authenticator
}

// Registration is a browser's answer to [RelyingParty.CreationOptions].
type Registration struct {
	Challenge TakenChallenge
	Handle    []byte // the person's user handle
	Response  []byte // RegistrationResponseJSON, at most 64 KiB
	Now       time.Time
}

// VerifyRegistration verifies a registration (Web Authentication Level 3 §7.1) and
// returns the record to keep, for the person whom the challenge names. The user must
// have been verified. An attestation that comes must verify; it counts for hardware
// only where its certificates lead to a configured root. The error is a
// [countersign.Problem].
func (rp *RelyingParty) VerifyRegistration(in Registration) (Passkey, error) {
	if in.Challenge.Purpose() != PurposeEnrol || in.Challenge.Person() == "" {
		return Passkey{}, refused(ErrChallenge, "this challenge was not made for an enrolment")
	}
	p, err := rp.verifyRegistration(in, in.Challenge.challenge.Sum())
	if err != nil {
		return Passkey{}, err
	}
	p.Person = in.Challenge.Person()
	return p, nil
}

func (rp *RelyingParty) verifyRegistration(in Registration, sum [32]byte) (Passkey, error) {
	r, err := parseResponse(in.Response)
	if err != nil {
		return Passkey{}, err
	}
	origin, err := rp.checkClientData(r.clientData, protocol.CreateCeremony, sum)
	if err != nil {
		return Passkey{}, err
	}
	parsed, err := protocol.CredentialCreationResponse{
		PublicKeyCredential: publicKeyCredential(r.rawID),
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.clientData}, AttestationObject: r.attestation, Transports: r.transports,
		},
	}.Parse()
	if err != nil {
		return Passkey{}, refused(errors.Join(ErrResponse, err), "the passkey's attestation cannot be read")
	}
	data := parsed.Response.AttestationObject.AuthData
	if _, err := rp.checkAuthenticatorData(parsed.Response.AttestationObject.RawAuthData); err != nil {
		return Passkey{}, err
	}
	simulated := string(data.AttData.AAGUID) == SimulatedAAGUID
	if simulated && !rp.config.Simulated {
		return Passkey{}, forbidden(ErrSimulated, "the demo's software authenticator is not accepted here")
	}
	spki, err := subjectPublicKeyInfo(data.AttData.CredentialPublicKey)
	if err != nil {
		return Passkey{}, err
	}
	// The library repeats the checks above and verifies the attestation statement. It
	// judges the validity of attestation certificates by the wall clock; the judgement
	// that counts, the chain to a configured root, is made by in.Now below.
	user := libraryUser{handle: in.Handle}
	session := rp.session(sum, in.Handle, nil)
	session.CredParams = credentialParameters()
	c, err := rp.lib.CreateCredential(user, session, parsed)
	if err != nil {
		return Passkey{}, refused(errors.Join(ErrAttestation, err), "the passkey's attestation does not verify")
	}
	attestedBy := ""
	if !c.Flags.BackupEligible && !simulated {
		attestedBy = rp.attestedBy(&parsed.Response.AttestationObject, in.Now)
	}
	return Passkey{
		CredentialID: c.ID, COSEKey: c.PublicKey, SPKI: spki, SignCount: c.Authenticator.SignCount,
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
		AAGUID: formatAAGUID(data.AttData.AAGUID), Transports: knownTransports(r.transports),
		Format: c.AttestationFormat, Attestation: r.attestation, ClientData: r.clientData, AttestedBy: attestedBy,
		RPID: rp.config.ID, Origin: origin, Simulated: simulated,
	}, nil
}

// Enrolment is what the log entry of the enrolment opens to. name is the person's,
// as shown then; by is how they came to enrol, see [Grant.By].
func (p Passkey) Enrolment(name, by string) countersign.Enrolment {
	b64 := base64.RawURLEncoding.EncodeToString
	return countersign.Enrolment{
		Authenticator: p.Authenticator, Person: p.Person, Name: name, Type: string(KindPasskey),
		CredentialID: b64(p.CredentialID), PublicKey: b64(p.SPKI), COSEKey: b64(p.COSEKey), RPID: p.RPID,
		AAGUID: p.AAGUID, BackupEligible: p.BackupEligible, Attestation: b64(p.Attestation), AttestedBy: p.AttestedBy,
		EnrolledBy: by, Simulated: p.Simulated,
	}
}

// AssertedCredential reads which credential a browser's answer claims to come from,
// so that the caller can load its record. Nothing of it is verified yet.
func AssertedCredential(response []byte) (credentialID []byte, err error) {
	r, err := parseResponse(response)
	return r.rawID, err
}

// Assertion is a browser's answer to [RelyingParty.RequestOptions].
type Assertion struct {
	Challenge TakenChallenge
	Passkey   Passkey // the record of the credential that answered
	Handle    []byte  // user handle of the record's person
	Response  []byte  // AuthenticationResponseJSON, at most 64 KiB
	Now       time.Time
}

// PasskeyProof is what an assertion proved. It can only come from verifying one.
type PasskeyProof struct {
	facts PasskeyFacts
}

// PasskeyFacts are the facts of one assertion. The flags are those of this
// assertion's own authenticator data, not of the enrolment.
type PasskeyFacts struct {
	At             time.Time
	Person         string // per_…
	UserPresent    bool
	UserVerified   bool
	BackupEligible bool
	BackedUp       bool
	SignCount      uint32
	CloneWarning   bool   // the counter went back: a signal, not a refusal (§7.2 step 22)
	UserHandle     []byte // as sent; nil where the browser sent none
	Hardware       bool   // attested to a root that is still configured, and bound to its device
	Purpose        Purpose
	Record         Passkey // as it is to be stored now: counter and backup state moved on
	Evidence       countersign.PasskeyEvidence

	sum [32]byte // the challenge it answered
}

// Facts returns what was proven.
func (p PasskeyProof) Facts() PasskeyFacts { return p.facts }

// VerifyAssertion verifies an assertion over the statement behind the challenge (Web
// Authentication Level 3 §7.2): the credential was offered and is the person's, the
// user was present and verified now, on our site and not in a frame, and the
// signature is the enrolled key's. The error is a [countersign.Problem].
func (rp *RelyingParty) VerifyAssertion(in Assertion) (PasskeyProof, error) {
	c, p := in.Challenge.challenge, in.Passkey
	if c.Purpose == "" || c.Purpose == PurposeEnrol {
		return PasskeyProof{}, refused(ErrChallenge, "this challenge cannot be asserted")
	}
	if p.Person == "" || (c.Person != "" && c.Person != p.Person) {
		return PasskeyProof{}, refused(ErrCredential, "this passkey belongs to another person")
	}
	if len(c.Allow) > 0 && !slices.ContainsFunc(c.Allow, func(id []byte) bool { return bytes.Equal(id, p.CredentialID) }) {
		return PasskeyProof{}, refused(ErrCredential, "this passkey was not among those that were asked for")
	}
	if len(c.Allow) == 0 && c.Purpose != PurposeSignIn {
		return PasskeyProof{}, refused(ErrChallenge, "this challenge offers no passkey")
	}
	facts, err := rp.verifyAssertion(in, c.Sum())
	if err != nil {
		return PasskeyProof{}, err
	}
	if len(c.Allow) == 0 && len(facts.UserHandle) == 0 {
		return PasskeyProof{}, refused(ErrCredential, "this passkey did not say whose it is")
	}
	facts.Purpose, facts.sum = c.Purpose, c.Sum()
	return PasskeyProof{facts: facts}, nil
}

func (rp *RelyingParty) verifyAssertion(in Assertion, sum [32]byte) (PasskeyFacts, error) {
	p := in.Passkey
	r, err := parseResponse(in.Response)
	if err != nil {
		return PasskeyFacts{}, err
	}
	if !bytes.Equal(r.rawID, p.CredentialID) || (len(r.userHandle) > 0 && !bytes.Equal(r.userHandle, in.Handle)) {
		return PasskeyFacts{}, refused(ErrCredential, "this passkey belongs to another person")
	}
	if p.RPID != rp.config.ID {
		return PasskeyFacts{}, refused(ErrRelyingParty, "this passkey was made for %q", p.RPID)
	}
	if p.Simulated && !rp.config.Simulated {
		return PasskeyFacts{}, forbidden(ErrSimulated, "the demo's software authenticator is not accepted here")
	}
	origin, err := rp.checkClientData(r.clientData, protocol.AssertCeremony, sum)
	if err != nil {
		return PasskeyFacts{}, err
	}
	data, err := rp.checkAuthenticatorData(r.authenticatorData)
	if err != nil {
		return PasskeyFacts{}, err
	}
	if data.BackupEligible != p.BackupEligible {
		return PasskeyFacts{}, refused(ErrBackup, "this passkey says now whether it may be copied, and said otherwise when it was enrolled")
	}
	if err := rp.checkSignature(in, r, sum); err != nil {
		return PasskeyFacts{}, err
	}
	data.At, data.Person, data.UserHandle = in.Now, p.Person, r.userHandle
	// §7.2 step 22. Many passkeys always send 0.
	data.CloneWarning = data.SignCount <= p.SignCount && (data.SignCount != 0 || p.SignCount != 0)
	p.SignCount, p.BackedUp = max(p.SignCount, data.SignCount), data.BackedUp
	data.Record = p
	data.Hardware = !data.BackupEligible && !p.Simulated && rp.trusts(p.AttestedBy)
	b64 := base64.RawURLEncoding.EncodeToString
	data.Evidence = countersign.PasskeyEvidence{
		Authenticator: p.Authenticator, CredentialID: b64(p.CredentialID), AuthenticatorData: b64(r.authenticatorData),
		ClientDataJSON: b64(r.clientData), Signature: b64(r.signature), UserHandle: b64(r.userHandle),
		RPID: rp.config.ID, Origin: origin, Simulated: p.Simulated,
	}
	return data, nil
}

// checkSignature lets the library do the whole of §7.2 once more, signature included.
func (rp *RelyingParty) checkSignature(in Assertion, r response, sum [32]byte) error {
	parsed, err := protocol.CredentialAssertionResponse{
		PublicKeyCredential: publicKeyCredential(r.rawID),
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.clientData},
			AuthenticatorData:     r.authenticatorData, Signature: r.signature, UserHandle: r.userHandle,
		},
	}.Parse()
	if err != nil {
		return refused(errors.Join(ErrResponse, err), "the passkey's answer cannot be read")
	}
	user := libraryUser{handle: in.Handle, credentials: []webauthn.Credential{{
		ID: in.Passkey.CredentialID, PublicKey: in.Passkey.COSEKey, AttestationFormat: in.Passkey.Format,
		Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: in.Passkey.BackupEligible, BackupState: in.Passkey.BackedUp},
		Authenticator: webauthn.Authenticator{SignCount: in.Passkey.SignCount},
	}}}
	if _, err := rp.lib.ValidateLogin(user, rp.session(sum, in.Handle, r.rawID), parsed); err != nil {
		return refused(errors.Join(ErrSignature, err), "the passkey's signature does not verify")
	}
	return nil
}

// Bits of the flags byte of authenticator data (Web Authentication Level 3 §6.1).
const (
	flagUserPresent    = 0x01
	flagUserVerified   = 0x04
	flagBackupEligible = 0x08
	flagBackedUp       = 0x10
)

// checkAuthenticatorData reads the fixed part of authenticator data itself: the flag
// that the library returns in its credential is latched from the enrolment and does
// not say whether the user was verified now.
func (rp *RelyingParty) checkAuthenticatorData(b []byte) (PasskeyFacts, error) {
	if len(b) < 37 {
		return PasskeyFacts{}, refused(ErrResponse, "the passkey's authenticator data is too short")
	}
	want := sha256.Sum256([]byte(rp.config.ID))
	if subtle.ConstantTimeCompare(b[:32], want[:]) != 1 {
		return PasskeyFacts{}, refused(ErrRelyingParty, "the passkey answered for another site than %q", rp.config.ID)
	}
	f := PasskeyFacts{
		UserPresent: b[32]&flagUserPresent != 0, UserVerified: b[32]&flagUserVerified != 0,
		BackupEligible: b[32]&flagBackupEligible != 0, BackedUp: b[32]&flagBackedUp != 0,
		SignCount: binary.BigEndian.Uint32(b[33:37]),
	}
	switch {
	case !f.UserPresent:
		return f, refused(ErrUserPresence, "the passkey was used without the person's touch")
	case !f.UserVerified:
		return f, refused(ErrUserVerification, "the passkey did not verify the person").
			WithHint("use a passkey that asks for a fingerprint, a face or a PIN")
	case f.BackedUp && !f.BackupEligible:
		return f, refused(ErrBackup, "the passkey says that it is copied and that it cannot be")
	}
	return f, nil
}

// session is the library's record of a ceremony. Expires stays zero: the library
// would read the wall clock, and the statement's expiry has been judged already.
func (rp *RelyingParty) session(sum [32]byte, handle, credentialID []byte) webauthn.SessionData {
	s := webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), RelyingPartyID: rp.config.ID,
		UserID: handle, UserVerification: protocol.VerificationRequired,
	}
	if credentialID != nil {
		s.AllowedCredentialIDs = [][]byte{credentialID}
	}
	return s
}

func publicKeyCredential(rawID []byte) protocol.PublicKeyCredential {
	return protocol.PublicKeyCredential{RawID: rawID, Credential: protocol.Credential{
		ID: base64.RawURLEncoding.EncodeToString(rawID), Type: string(protocol.PublicKeyCredentialType),
	}}
}

// libraryUser shows one person to the library.
type libraryUser struct {
	handle      []byte
	credentials []webauthn.Credential
}

func (u libraryUser) WebAuthnID() []byte                         { return u.handle }
func (u libraryUser) WebAuthnName() string                       { return "" }
func (u libraryUser) WebAuthnDisplayName() string                { return "" }
func (u libraryUser) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

// knownTransports keeps what Web Authentication Level 3 §5.8.4 lists: the list goes
// back to browsers as a hint and comes from them unsigned.
func knownTransports(list []string) []string {
	var known []string
	for _, t := range list {
		switch protocol.AuthenticatorTransport(t) {
		case protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal:
			if !slices.Contains(known, t) {
				known = append(known, t)
			}
		}
	}
	return known
}
