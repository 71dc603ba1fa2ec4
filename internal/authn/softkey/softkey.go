// Package softkey is a software authenticator: it makes passkeys and signs with them
// as a browser and a security key would together. The demo lets a visitor be somebody
// with it, and tests use its knobs to misbehave. Anybody who holds a [Key] holds the
// private key, so that what it signs proves nothing: its model number
// ([authn.SimulatedAAGUID]) makes the core stamp everything as simulated, and refuse
// it outside the demo.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/authn"
)

// Behaviour are the knobs. The zero value behaves well.
type Behaviour struct {
	NoUserPresence     bool
	NoUserVerification bool
	BackupEligible     bool   // a passkey that may be synced
	BackedUp           bool   // and is
	RPID               string // answers for this relying party instead of the one asked for
	Origin             string // says that it was used here instead
	Type               string // ceremony type to claim
	Challenge          []byte // signs this instead of the challenge asked for
	CrossOrigin        bool   // says that it was used in a frame
	TopOrigin          string // of this site
	CounterBack        uint32 // counts so far back, instead of one up
	BreakSignature     bool
	HideUserHandle     bool
	ClaimUserHandle    []byte // says that it belongs to somebody else
	IgnoreLists        bool   // answers though it was not asked, registers though it was excluded
	AAGUID             []byte // model number, instead of the simulated one
	Maker              *Maker // attests registrations
	Extensions         string // client extension results, as a JSON object
}

// Key is one passkey on one software device. It is not safe for concurrent use.
type Key struct {
	Behaviour Behaviour

	private *ecdsa.PrivateKey
	id      []byte
	handle  []byte
	rpID    string
	count   uint32
}

// New makes a device that holds no passkey yet.
func New() *Key { return &Key{} }

// CredentialID returns the passkey's id, or nil before it is registered.
func (k *Key) CredentialID() []byte { return k.id }

type saved struct {
	Private []byte `json:"private"`
	ID      []byte `json:"id"`
	Handle  []byte `json:"handle"`
	RPID    string `json:"rp_id"`
	Count   uint32 `json:"count"`
}

// Save returns the passkey for storing, private key and all. The demo keeps it in its
// own folder.
func (k *Key) Save() ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("software key: nothing is registered yet")
	}
	der, err := x509.MarshalECPrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	return json.Marshal(saved{der, k.id, k.handle, k.rpID, k.count})
}

// Load reads what [Key.Save] wrote.
func Load(data []byte) (*Key, error) {
	var s saved
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	private, err := x509.ParseECPrivateKey(s.Private)
	if err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	return &Key{private: private, id: s.ID, handle: s.Handle, rpID: s.RPID, count: s.Count}, nil
}

type b64 []byte

func (b b64) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

func (b *b64) UnmarshalText(t []byte) error {
	d, err := base64.RawURLEncoding.DecodeString(string(t))
	*b = d
	return err
}

type descriptor struct {
	ID b64 `json:"id"`
}

// options holds the members of both kinds of options that the device looks at.
type options struct {
	Challenge b64 `json:"challenge"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	RPID string `json:"rpId"`
	User struct {
		ID b64 `json:"id"`
	} `json:"user"`
	Exclude []descriptor `json:"excludeCredentials"`
	Allow   []descriptor `json:"allowCredentials"`
}

func (o options) lists(list []descriptor, id []byte) bool {
	return slices.ContainsFunc(list, func(d descriptor) bool { return string(d.ID) == string(id) })
}

// Register answers creation options, as a page at origin would get it from
// navigator.credentials.create, and returns the RegistrationResponseJSON.
func (k *Key) Register(creation []byte, origin string) ([]byte, error) {
	var o options
	if err := json.Unmarshal(creation, &o); err != nil {
		return nil, fmt.Errorf("software key: creation options: %w", err)
	}
	if err := k.allowed(o.RP.ID, origin); err != nil {
		return nil, err
	}
	if k.private != nil && o.lists(o.Exclude, k.id) && !k.Behaviour.IgnoreLists {
		return nil, fmt.Errorf("software key: this device is enrolled already")
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	k.private, k.id, k.handle, k.rpID, k.count = private, make([]byte, 32), o.User.ID, o.RP.ID, 0
	rand.Read(k.id)
	client := k.clientData("webauthn.create", o.Challenge, origin)
	data, err := k.attestedData()
	if err != nil {
		return nil, err
	}
	attestation, err := k.attestation(data, client)
	if err != nil {
		return nil, err
	}
	return k.answer(map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(attestation), "transports": []string{"internal"}})
}

// Assert answers request options, as a page at origin would get it from
// navigator.credentials.get, and returns the AuthenticationResponseJSON.
func (k *Key) Assert(request []byte, origin string) ([]byte, error) {
	var o options
	if err := json.Unmarshal(request, &o); err != nil {
		return nil, fmt.Errorf("software key: request options: %w", err)
	}
	if k.private == nil {
		return nil, fmt.Errorf("software key: nothing is registered yet")
	}
	if err := k.allowed(o.RPID, origin); err != nil {
		return nil, err
	}
	if (k.rpID != o.RPID || len(o.Allow) > 0 && !o.lists(o.Allow, k.id)) && !k.Behaviour.IgnoreLists {
		return nil, fmt.Errorf("software key: this device holds none of the passkeys that are asked for")
	}
	k.count++
	if k.Behaviour.CounterBack > 0 {
		k.count -= min(k.count, k.Behaviour.CounterBack+1)
	}
	client := k.clientData("webauthn.get", o.Challenge, origin)
	data := k.fixedData(o.RPID, 0)
	signature, err := sign(k.private, data, client)
	if err != nil {
		return nil, err
	}
	if k.Behaviour.BreakSignature {
		signature[len(signature)-1] ^= 1
	}
	members := map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
	switch {
	case k.Behaviour.ClaimUserHandle != nil:
		members["userHandle"] = b64(k.Behaviour.ClaimUserHandle)
	case !k.Behaviour.HideUserHandle:
		members["userHandle"] = b64(k.handle)
	}
	return k.answer(members)
}

// allowed does what a browser does: a page may use the relying parties at or above
// its own domain only.
func (k *Key) allowed(rpID, origin string) error {
	u, err := url.Parse(origin)
	if err != nil || rpID == "" || u.Hostname() != rpID && !strings.HasSuffix(u.Hostname(), "."+rpID) {
		return fmt.Errorf("software key: a page at %q may not use passkeys of %q", origin, rpID)
	}
	return nil
}

func or[T comparable](wanted, usual T) T {
	var zero T
	if wanted != zero {
		return wanted
	}
	return usual
}

// clientData is §5.8.1.1's serialisation: the members in a fixed order.
func (k *Key) clientData(kind string, challenge []byte, origin string) []byte {
	if k.Behaviour.Challenge != nil {
		challenge = k.Behaviour.Challenge
	}
	b, err := json.Marshal(struct {
		Type        string `json:"type"`
		Challenge   b64    `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
		TopOrigin   string `json:"topOrigin,omitempty"`
	}{or(k.Behaviour.Type, kind), challenge, or(k.Behaviour.Origin, origin), k.Behaviour.CrossOrigin, k.Behaviour.TopOrigin})
	if err != nil { // strings and bools always marshal
		panic(err)
	}
	return b
}

// Bits of the flags byte (Web Authentication Level 3 §6.1).
const (
	flagUP = 0x01
	flagUV = 0x04
	flagBE = 0x08
	flagBS = 0x10
	flagAT = 0x40
)

// fixedData is the 37 bytes that all authenticator data begins with.
func (k *Key) fixedData(rpID string, flags byte) []byte {
	b := k.Behaviour
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{!b.NoUserPresence, flagUP}, {!b.NoUserVerification, flagUV}, {b.BackupEligible, flagBE}, {b.BackedUp, flagBS}} {
		if f.set {
			flags |= f.bit
		}
	}
	hash := sha256.Sum256([]byte(or(b.RPID, rpID)))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.count)
}

// attestedData is the authenticator data of a registration, with the new key.
func (k *Key) attestedData() ([]byte, error) {
	data := k.fixedData(k.rpID, flagAT)
	aaguid := []byte(authn.SimulatedAAGUID)
	if len(k.Behaviour.AAGUID) == 16 {
		aaguid = k.Behaviour.AAGUID
	}
	data = append(data, aaguid...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.id)))
	data = append(data, k.id...)
	public, err := k.private.PublicKey.ECDH()
	if err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	point := public.Bytes() // 4, x, y
	// COSE_Key (RFC 9053 §7.1.1): kty EC2, alg ES256, crv P-256, x, y.
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21)
	data = append(cborBytes(data, point[1:33]), 0x22)
	return cborBytes(data, point[33:]), nil
}

// attestation is the attestationObject: none, or packed where there is a maker.
func (k *Key) attestation(data, client []byte) ([]byte, error) {
	if k.Behaviour.Maker == nil {
		return cborBytes(append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0"), "\x68authData"...), data), nil
	}
	signature, err := sign(k.Behaviour.Maker.key, data, client)
	if err != nil {
		return nil, err
	}
	b := []byte("\xa3\x63fmt\x66packed\x67attStmt\xa3\x63alg\x26\x63sig")
	b = append(cborBytes(b, signature), "\x63x5c\x81"...)
	b = append(cborBytes(b, k.Behaviour.Maker.leaf), "\x68authData"...)
	return cborBytes(b, data), nil
}

// cborBytes appends a byte string (RFC 8949 §3.1, major type 2).
func cborBytes(b, value []byte) []byte {
	switch n := len(value); {
	case n < 24:
		b = append(b, 0x40|byte(n))
	case n < 256:
		b = append(b, 0x58, byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0x59), uint16(n))
	}
	return append(b, value...)
}

// sign signs authenticator data and the hash of the client data (§6.3.3).
func sign(key *ecdsa.PrivateKey, data, client []byte) ([]byte, error) {
	clientHash := sha256.Sum256(client)
	sum := sha256.Sum256(slices.Concat(data, clientHash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("software key: %w", err)
	}
	return signature, nil
}

func (k *Key) answer(response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "authenticatorAttachment": "platform",
		"response": response, "clientExtensionResults": json.RawMessage(or(k.Behaviour.Extensions, "{}")),
	})
}
