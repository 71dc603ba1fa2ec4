package authn

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/countersign/countersign"
	"golang.org/x/crypto/chacha20poly1305"
)

// SecretKey is one key of a ring, of 32 bytes, with the id that is written beside
// everything made with it.
type SecretKey struct {
	ID  string // 1 to 32 lower-case letters, digits and hyphens
	Key [32]byte
}

// KeyRing seals what must be read again: secrets of code generators, webhook secrets.
// It opens with any of its keys and seals with the newest.
type KeyRing struct{ keys []SecretKey }

// Place is where a sealed value is stored. It is bound into the seal, so that rows
// and columns cannot be exchanged under it.
type Place struct {
	Org    string `json:"org"`
	Table  string `json:"table"`
	Column string `json:"column"`
	Row    string `json:"row"`
}

const sealPrefix = "sealed.v1."

var keyIDRE = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func checkKeys(keys []SecretKey) error {
	if len(keys) == 0 {
		return fmt.Errorf("key ring: want at least one key")
	}
	for i, k := range keys {
		if !keyIDRE.MatchString(k.ID) {
			return fmt.Errorf("key ring: key id %q: want 1 to 32 lower-case letters, digits and hyphens", k.ID)
		}
		if k.Key == [32]byte{} {
			return fmt.Errorf("key ring: key %s is all zeros", k.ID)
		}
		if slices.ContainsFunc(keys[:i], func(o SecretKey) bool { return o.ID == k.ID || o.Key == k.Key }) {
			return fmt.Errorf("key ring: key %s stands twice", k.ID)
		}
	}
	return nil
}

// NewKeyRing makes a ring of keys, the oldest first.
func NewKeyRing(keys ...SecretKey) (KeyRing, error) {
	if err := checkKeys(keys); err != nil {
		return KeyRing{}, err
	}
	return KeyRing{keys: slices.Clone(keys)}, nil
}

// additional is the associated data of a seal: canonical JSON, so that no two places
// share bytes.
func (p Place) additional(keyID string) []byte {
	b, err := countersign.Canonical(struct {
		Version int    `json:"v"`
		Key     string `json:"key"`
		Place   Place  `json:"place"`
	}{1, keyID, p})
	if err != nil { // strings always marshal
		panic(err)
	}
	return b
}

// Seal encrypts a value for its place with the newest key (XChaCha20-Poly1305, whose
// nonces may be random without counting). The text is sealed.v1., the key's id, a dot,
// and nonce and ciphertext in base64url.
func (r KeyRing) Seal(p Place, value []byte) string {
	k := r.keys[len(r.keys)-1]
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return sealPrefix + k.ID + "." + base64.RawURLEncoding.EncodeToString(k.aead().Seal(nonce, nonce, value, p.additional(k.ID)))
}

func (k SecretKey) aead() cipher.AEAD {
	a, err := chacha20poly1305.NewX(k.Key[:])
	if err != nil { // the key has the right length by type
		panic(err)
	}
	return a
}

// Open decrypts a sealed value at its place. It fails where the value was changed,
// moved from another place, or sealed with a key that is not in the ring.
func (r KeyRing) Open(p Place, sealed string) ([]byte, error) {
	id, data, err := parseSealed(sealed)
	if err != nil {
		return nil, err
	}
	for _, k := range r.keys {
		if k.ID != id {
			continue
		}
		value, err := k.aead().Open(nil, data[:chacha20poly1305.NonceSizeX], data[chacha20poly1305.NonceSizeX:], p.additional(k.ID))
		if err != nil {
			return nil, fmt.Errorf("sealed %s of %s: it was changed, or moved from another place", p.Column, p.Table)
		}
		return value, nil
	}
	return nil, fmt.Errorf("sealed %s of %s: key %q is not in the key folder; restore it there", p.Column, p.Table, id)
}

func parseSealed(s string) (keyID string, data []byte, err error) {
	rest, ok := strings.CutPrefix(s, sealPrefix)
	id, text, cut := strings.Cut(rest, ".")
	if !ok || !cut {
		return "", nil, fmt.Errorf("sealed value: not in the form %s…", sealPrefix)
	}
	data, err = base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return "", nil, fmt.Errorf("sealed value: damaged")
	}
	return id, data, nil
}

// Stale reports whether a value was sealed with a key that is not the newest, and is
// to be sealed again.
func (r KeyRing) Stale(sealed string) bool {
	id, _, err := parseSealed(sealed)
	return err == nil && id != r.keys[len(r.keys)-1].ID
}

// Fingerprints name bank accounts in history without holding them: HMAC-SHA-256 over
// organisation, scheme and normalised value (ruling 2). They are for comparing inside
// only; approvers read the account itself.
type Fingerprints struct{ keys []SecretKey }

// NewFingerprints makes fingerprints with keys, the oldest first.
func NewFingerprints(keys ...SecretKey) (Fingerprints, error) {
	if err := checkKeys(keys); err != nil {
		return Fingerprints{}, err
	}
	return Fingerprints{keys: slices.Clone(keys)}, nil
}

// Account returns the fingerprint of an account under the newest key, as
// fp1.<key id>.<64 hexadecimal digits>. The holder's name and the BIC are left out:
// they do not say where the money goes.
func (f Fingerprints) Account(org string, a countersign.Account) string {
	return f.keys[len(f.keys)-1].fingerprint(org, a)
}

// Every returns the account's fingerprints under all keys, the newest first: what to
// look for in history that was written before a rotation.
func (f Fingerprints) Every(org string, a countersign.Account) []string {
	all := make([]string, 0, len(f.keys))
	for _, k := range slices.Backward(f.keys) {
		all = append(all, k.fingerprint(org, a))
	}
	return all
}

func (k SecretKey) fingerprint(org string, a countersign.Account) string {
	scheme := strings.ToLower(strings.TrimSpace(a.Scheme))
	b, err := countersign.Canonical(struct {
		Use    string `json:"use"`
		Org    string `json:"org"`
		Scheme string `json:"scheme"`
		Value  string `json:"value"`
	}{"account", org, scheme, normalAccount(scheme, a.Value)})
	if err != nil { // strings always marshal
		panic(err)
	}
	m := hmac.New(sha256.New, k.Key[:])
	m.Write(b)
	return "fp1." + k.ID + "." + hex.EncodeToString(m.Sum(nil))
}

// normalAccount takes out what people and systems write differently for one account,
// and no more: two accounts that look the same here would hide a change. An IBAN has
// no case and no spaces (ISO 13616); of other schemes only the spaces are known to
// mean nothing.
func normalAccount(scheme, value string) string {
	value = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, value)
	if scheme == "iban" {
		return strings.ToUpper(value)
	}
	return value
}
