package authn

import (
	"crypto/subtle"
	"encoding/base64"
	"slices"

	"github.com/countersign/countersign/internal/jcs"
	"github.com/go-webauthn/webauthn/protocol"
)

// Bounds on what a browser sends, in bytes. An attestation with a chain of
// certificates is the largest.
const (
	maxResponse     = 64 << 10
	maxClientData   = 8 << 10
	maxCredentialID = 1023 // Web Authentication Level 3 §4, credential id
)

// response is a browser's RegistrationResponseJSON or AuthenticationResponseJSON (Web
// Authentication Level 3 §5.1), with the members that are read and no others: client
// extension results are never looked at, so that whatever a browser puts there can
// neither help nor hurt.
type response struct {
	rawID                                                             []byte
	clientData, attestation, authenticatorData, signature, userHandle []byte
	transports                                                        []string
}

// parseResponse reads a response strictly as JSON, with members that are not known
// passed over, as browsers add to them.
func parseResponse(data []byte) (response, error) {
	var r response
	if len(data) > maxResponse {
		return r, refused(ErrResponse, "the passkey's answer is larger than %d bytes", maxResponse)
	}
	n, err := jcs.Parse(data)
	if err != nil {
		return r, refused(ErrResponse, "the passkey's answer is no JSON text: %v", err)
	}
	var id, kind string
	if !text(n.Member("type"), &kind) || kind != string(protocol.PublicKeyCredentialType) {
		return r, refused(ErrResponse, `the passkey's answer is not of type "public-key"`)
	}
	if !text(n.Member("id"), &id) || !bytesOf(n.Member("rawId"), &r.rawID) || len(r.rawID) == 0 || len(r.rawID) > maxCredentialID {
		return r, refused(ErrResponse, "the passkey's answer has no credential id")
	}
	if id != base64.RawURLEncoding.EncodeToString(r.rawID) {
		return r, refused(ErrResponse, "the passkey's answer has two different credential ids")
	}
	inner := n.Member("response")
	if !bytesOf(inner.Member("clientDataJSON"), &r.clientData) || len(r.clientData) > maxClientData {
		return r, refused(ErrResponse, "the passkey's answer has no client data")
	}
	for _, m := range [...]struct {
		name string
		to   *[]byte
	}{{"attestationObject", &r.attestation}, {"authenticatorData", &r.authenticatorData}, {"signature", &r.signature}, {"userHandle", &r.userHandle}} {
		member := inner.Member(m.name)
		if member == nil || string(member.Canonical()) == "null" { // older browsers write null for no user handle
			continue
		}
		if !bytesOf(member, m.to) {
			return r, refused(ErrResponse, "the passkey's answer: %s is not base64url", m.name)
		}
	}
	if t := inner.Member("transports"); t != nil && t.Decode(&r.transports) != nil {
		return r, refused(ErrResponse, "the passkey's answer: transports is no list of names")
	}
	return r, nil
}

func text(n *jcs.Node, to *string) bool { return n != nil && n.Decode(to) == nil }

func bytesOf(n *jcs.Node, to *[]byte) bool {
	var s string
	if !text(n, &s) {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	*to = b
	return err == nil
}

// checkClientData verifies the client data (Web Authentication Level 3 §7.1 steps
// 7–11, §7.2 steps 11–15) and returns the origin. It reads the same bytes once more
// than the library does, more strictly: encoding/json accepts members in another case
// and takes the last of two, and the library compares origins loosely.
func (rp *RelyingParty) checkClientData(data []byte, kind protocol.CeremonyType, sum [32]byte) (origin string, err error) {
	n, err := jcs.Parse(data)
	if err != nil {
		return "", refused(ErrResponse, "the passkey's client data is no JSON text: %v", err)
	}
	var typ, challenge string
	if !text(n.Member("type"), &typ) || typ != string(kind) {
		return "", refused(ErrResponse, "the passkey's client data is not of type %q", kind)
	}
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	if !text(n.Member("challenge"), &challenge) || subtle.ConstantTimeCompare([]byte(challenge), []byte(want)) != 1 {
		return "", refused(ErrChallenge, "the passkey signed another statement than the one that was shown")
	}
	if !text(n.Member("origin"), &origin) || !slices.Contains(rp.config.Origins, origin) {
		return "", refused(ErrOrigin, "the passkey was used on another site")
	}
	cross := n.Member("crossOrigin")
	if cross != nil && string(cross.Canonical()) != "false" {
		return "", refused(ErrOrigin, "the passkey was used inside a frame of another site")
	}
	// A page that frames ours could cover what is signed (clickjacking).
	if n.Member("topOrigin") != nil {
		return "", refused(ErrOrigin, "the passkey was used inside a frame of another site")
	}
	return origin, nil
}
