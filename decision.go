package countersign

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Act is a person's verdict.
type Act string

// The acts.
const (
	ActApprove Act = "approve"
	ActDeny    Act = "deny"
	ActRevoke  Act = "revoke" // takes an approval back before release
)

// Decision is one person's verdict on a request, with its evidence. One eligible
// denial denies.
type Decision struct {
	ID           string        `json:"id"`
	Person       Principal     `json:"person"`
	ActingFor    *Principal    `json:"acting_for,omitempty"`
	Act          Act           `json:"act"`
	Reason       string        `json:"reason,omitempty"`
	Unexpected   bool          `json:"unexpected,omitempty"` // "I did not expect this"
	Attestations []Attestation `json:"attestations,omitempty"`
	Groups       []string      `json:"groups"`          // the person's groups as of then
	Limit        *Amount       `json:"limit,omitempty"` // the person's limit as of then
	Privileged   bool          `json:"privileged,omitempty"`
	BreakGlass   bool          `json:"break_glass,omitempty"`
	Evidence     Evidence      `json:"evidence"`
	At           string        `json:"at"`
}

// Principal is a person or a service as shown to others.
type Principal struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Statement is what an approver signs. Its canonical bytes are stored as evidence;
// SHA-256 of them is the WebAuthn challenge, and nothing else in any document
// defines it. Every member is present in every statement, so that two statements
// never share bytes by leaving something out.
type Statement struct {
	Version           int           `json:"v"` // 1
	Org               string        `json:"org"`
	Approval          string        `json:"approval"` // request id
	Digest            Digest        `json:"digest"`   // of the document
	RequirementDigest Digest        `json:"requirement_digest"`
	PolicyDigest      Digest        `json:"policy_digest"`
	Act               Act           `json:"act"`
	Attestations      []Attestation `json:"attestations"`
	Reason            string        `json:"reason"`
	Person            string        `json:"person"`
	ActingFor         string        `json:"acting_for"`
	Expires           string        `json:"expires"` // RFC 3339, UTC
	Nonce             string        `json:"nonce"`   // 32 random bytes, base64url without padding
}

// StatementVersion is the only version of [Statement] there is.
const StatementVersion = 1

// Bytes returns the statement's canonical bytes.
func (s Statement) Bytes() []byte {
	if s.Attestations == nil {
		s.Attestations = []Attestation{}
	}
	b, err := Canonical(s)
	if err != nil { // strings and ints always marshal
		panic(err)
	}
	return b
}

// Challenge is the WebAuthn challenge for the statement: SHA-256 of its bytes.
func (s Statement) Challenge() [32]byte { return sha256.Sum256(s.Bytes()) }

// ParseStatement reads canonical statement bytes and refuses any other form.
func ParseStatement(b []byte) (Statement, error) {
	var s Statement
	if err := DecodeStrict(b, &s); err != nil {
		return s, fmt.Errorf("statement: %w", err)
	}
	if s.Version != StatementVersion {
		return s, fmt.Errorf("statement: version %d is not known", s.Version)
	}
	if string(s.Bytes()) != string(b) {
		return s, fmt.Errorf("statement: not in canonical form")
	}
	return s, nil
}

// Evidence is how an act was proven. It stores the facts; the assurance beside
// them was derived from them when the act was judged, and can be derived again.
type Evidence struct {
	Assurance   Assurance        `json:"assurance"`
	AMR         []string         `json:"amr"`       // authentication methods (RFC 8176)
	Statement   json.RawMessage  `json:"statement"` // the canonical bytes of the Statement
	AuthTime    string           `json:"auth_time"` // of the oldest factor that was counted
	Passkey     *PasskeyEvidence `json:"passkey,omitempty"`
	TOTP        *TOTPEvidence    `json:"totp,omitempty"`
	FirstFactor *FirstFactor     `json:"first_factor,omitempty"`
	Weaker      string           `json:"weaker,omitempty"` // says in words what this evidence cannot prove
}

// PasskeyEvidence is a WebAuthn assertion (Web Authentication Level 3 §7.2) as it
// came, in base64url without padding: enough to verify it for ever.
type PasskeyEvidence struct {
	Authenticator     string `json:"authenticator"` // fac_… whose enrolment entry holds the public key
	CredentialID      string `json:"credential_id"`
	AuthenticatorData string `json:"authenticator_data"`
	ClientDataJSON    string `json:"client_data_json"`
	Signature         string `json:"signature"`
	UserHandle        string `json:"user_handle,omitempty"`
	RPID              string `json:"rp_id"`
	Origin            string `json:"origin"`
	Simulated         bool   `json:"simulated,omitempty"` // made by the demo's software authenticator
}

// TOTPEvidence says which authenticator and time step were used. It is stated by
// the server: the server knows the secret, so the code proves nothing to others.
type TOTPEvidence struct {
	Authenticator string `json:"authenticator"`
	Step          int64  `json:"step"` // RFC 6238 time step of 30 s
}

// FirstFactor is the different, fresh factor that a code came on top of.
type FirstFactor struct {
	Method   string `json:"method"`              // "pwd", "passkey", "idp", or "vouched"
	At       string `json:"at"`                  // RFC 3339
	StatedBy string `json:"stated_by,omitempty"` // key_… of the caller who vouched
}

// Enrolment is what the enrolment entry opens to: the public key of a passkey, or
// the fact of a code generator, bound to a person.
type Enrolment struct {
	Authenticator  string `json:"authenticator"`
	Person         string `json:"person"`
	Name           string `json:"name"` // the person's
	Type           string `json:"type"` // "passkey" or "totp"
	CredentialID   string `json:"credential_id,omitempty"`
	PublicKey      string `json:"public_key,omitempty"` // SubjectPublicKeyInfo (DER), base64url
	COSEKey        string `json:"cose_key,omitempty"`   // as registered, base64url
	RPID           string `json:"rp_id,omitempty"`
	AAGUID         string `json:"aaguid,omitempty"`
	BackupEligible bool   `json:"backup_eligible,omitempty"` // may be synced between devices
	Attestation    string `json:"attestation,omitempty"`     // attestationObject as registered, base64url
	AttestedBy     string `json:"attested_by,omitempty"`     // the configured root that vouches for the device, if any
	EnrolledBy     string `json:"enrolled_by"`               // how: "setup", "invitation:inv_…", "factor:fac_…", "operator"
	Simulated      bool   `json:"simulated,omitempty"`
}
