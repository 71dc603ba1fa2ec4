package authn

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// PasskeyTimeout is what browsers are told; the statement's expiry is what counts.
const PasskeyTimeout = ChallengeLife

// SimulatedAAGUID is the model number of the software authenticator of the demo and
// of tests: these 16 bytes. What it makes is stamped simulated.
const SimulatedAAGUID = "countersign demo"

// RelyingPartyConfig says for which site passkeys are made. ID comes from the public
// URL at set-up; another ID means that every passkey is lost.
type RelyingPartyConfig struct {
	Org     string              // org_…
	ID      string              // domain, as "approvals.example.com" or "localhost"
	Name    string              // shown by some browsers
	Origins []string            // exactly as browsers write them: "https://approvals.example.com", "http://localhost:8080"
	Roots   []*x509.Certificate // attestation roots whose devices count as hardware; none: nothing is hardware
	// Simulated accepts the software authenticator, which proves nothing. Only the
	// demo and tests set it.
	Simulated bool
}

// RelyingParty makes options for browsers and verifies what comes back (Web
// Authentication Level 3 §7). It holds no state and may be shared.
type RelyingParty struct {
	config RelyingPartyConfig
	lib    *webauthn.WebAuthn
}

// algorithms that a passkey may use, most wanted first: those that the standard
// library can verify offline. P-256, Ed25519, RSA for older Windows Hello, P-384,
// P-521.
var algorithms = []webauthncose.COSEAlgorithmIdentifier{
	webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256, webauthncose.AlgES384, webauthncose.AlgES512,
}

// NewRelyingParty checks the configuration: every origin must be https (or localhost)
// and lie at or below the domain.
func NewRelyingParty(c RelyingPartyConfig) (*RelyingParty, error) {
	if !countersign.IsID(countersign.PrefixOrganisation, c.Org) {
		return nil, fmt.Errorf("relying party: want the id of an organisation, as org_…")
	}
	if c.Name == "" || len(c.Origins) == 0 {
		return nil, fmt.Errorf("relying party: want a name and at least one origin")
	}
	if err := protocol.ValidateRPID(c.ID); err != nil || c.ID != strings.ToLower(c.ID) {
		return nil, fmt.Errorf("relying party: %q is no domain in lower case", c.ID)
	}
	if _, err := netip.ParseAddr(c.ID); err == nil {
		return nil, fmt.Errorf("relying party: %q is an address: passkeys need a domain", c.ID)
	}
	for _, o := range c.Origins {
		if err := checkOrigin(c.ID, o); err != nil {
			return nil, err
		}
	}
	c.Origins, c.Roots = slices.Clone(c.Origins), slices.Clone(c.Roots)
	lib, err := webauthn.New(&webauthn.Config{
		RPID: c.ID, RPDisplayName: c.Name, RPOrigins: c.Origins,
		// Chromium returns payment and prf outputs unasked; none is read here.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("relying party: %w", err)
	}
	return &RelyingParty{config: c, lib: lib}, nil
}

func checkOrigin(domain, origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin) {
		return fmt.Errorf("relying party: origin %q: want scheme, host and port only, in lower case", origin)
	}
	host := u.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return fmt.Errorf("relying party: origin %q: passkeys work over https, and over http on localhost only", origin)
	}
	if (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80") {
		return fmt.Errorf("relying party: origin %q: browsers leave the usual port out", origin)
	}
	if host != domain && !strings.HasSuffix(host, "."+domain) {
		return fmt.Errorf("relying party: origin %q does not lie at or below %q", origin, domain)
	}
	return nil
}

// CanAttest reports whether there is a root that could vouch for hardware: without
// one, a policy that asks for hardware does not load (ruling 19).
func (rp *RelyingParty) CanAttest() bool { return len(rp.config.Roots) > 0 }

// NewUserHandle returns the random user handle of a person: 32 bytes that name
// nobody (Web Authentication Level 3 §14.6.1: at most 64 bytes, no e-mail address).
func NewUserHandle() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// User is the person as a browser shows them when a passkey is made or chosen.
type User struct {
	Handle      []byte // see NewUserHandle; stays the same for the person's life
	Name        string // tells accounts apart: "mara@example.com"
	DisplayName string // "Mara Lind"
}

// CreationOptions returns the options for navigator.credentials.create, in the form
// that PublicKeyCredential.parseCreationOptionsFromJSON takes. exclude are the
// person's passkeys, so that one device is not enrolled twice. Attestation is asked
// for only where a root could judge it: elsewhere it costs privacy and gives nothing.
func (rp *RelyingParty) CreationOptions(user User, c Challenge, exclude []Passkey) (json.RawMessage, error) {
	if c.Purpose != PurposeEnrol {
		return nil, fmt.Errorf("creation options: want a challenge made for enrolment")
	}
	if len(user.Handle) < 16 || len(user.Handle) > 64 {
		return nil, fmt.Errorf("creation options: want a user handle of 16 to 64 bytes")
	}
	sum := c.Sum()
	o := protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: rp.config.ID, CredentialEntity: protocol.CredentialEntity{Name: rp.config.Name}},
		User: protocol.UserEntity{ID: protocol.URLEncodedBase64(user.Handle), DisplayName: user.DisplayName,
			CredentialEntity: protocol.CredentialEntity{Name: user.Name}},
		Challenge:             sum[:],
		Parameters:            credentialParameters(),
		Timeout:               int(PasskeyTimeout / time.Millisecond),
		CredentialExcludeList: descriptors(exclude),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired,
		},
		Attestation: protocol.PreferNoAttestation,
	}
	if rp.CanAttest() {
		o.Attestation = protocol.PreferDirectAttestation
	}
	return json.Marshal(o)
}

// RequestOptions returns the options for navigator.credentials.get, in the form that
// PublicKeyCredential.parseRequestOptionsFromJSON takes. allow must be those passkeys
// whose ids the challenge lists; none lets the person choose (usernameless sign-in).
func (rp *RelyingParty) RequestOptions(c Challenge, allow []Passkey) (json.RawMessage, error) {
	if c.Purpose == PurposeEnrol {
		return nil, fmt.Errorf("request options: a challenge for enrolment cannot be asserted")
	}
	if len(allow) == 0 && c.Purpose != PurposeSignIn {
		return nil, fmt.Errorf("request options: want the person's passkeys: only a sign-in may name none")
	}
	if !slices.EqualFunc(c.Allow, allow, func(id []byte, p Passkey) bool { return string(id) == string(p.CredentialID) }) {
		return nil, fmt.Errorf("request options: the passkeys are not those that the challenge lists")
	}
	sum := c.Sum()
	return json.Marshal(protocol.PublicKeyCredentialRequestOptions{
		Challenge:          sum[:],
		Timeout:            int(PasskeyTimeout / time.Millisecond),
		RelyingPartyID:     rp.config.ID,
		AllowedCredentials: descriptors(allow),
		UserVerification:   protocol.VerificationRequired,
	})
}

// Offer lists the passkeys that may answer the challenge. It is called before the
// challenge is stored.
func (c Challenge) Offer(passkeys []Passkey) Challenge {
	c.Allow = make([][]byte, 0, len(passkeys))
	for _, p := range passkeys {
		c.Allow = append(c.Allow, p.CredentialID)
	}
	return c
}

func credentialParameters() []protocol.CredentialParameter {
	params := make([]protocol.CredentialParameter, len(algorithms))
	for i, a := range algorithms {
		params[i] = protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a}
	}
	return params
}

func descriptors(passkeys []Passkey) []protocol.CredentialDescriptor {
	list := make([]protocol.CredentialDescriptor, 0, len(passkeys))
	for _, p := range passkeys {
		d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: p.CredentialID}
		for _, t := range p.Transports {
			d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
		}
		list = append(list, d)
	}
	return list
}

// formatAAGUID writes the 16 bytes of a model number as a UUID.
func formatAAGUID(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
