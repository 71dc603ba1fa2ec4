package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/countersign/countersign"
)

// TokenKind is the first letters of an opaque token: they say at a glance, and to
// scanners of leaked secrets, what it opens.
type TokenKind string

// The kinds of tokens.
const (
	TokenSession    TokenKind = "css" // of a session: cookie or bearer
	TokenHandOver   TokenKind = "csh" // in a hand-over link
	TokenInvitation TokenKind = "csi" // in an invitation
)

// secretDigits is 256 bits in base32.
const secretDigits = 52

// NewToken makes a token of 256 random bits, as css_…, and the hash that alone is
// stored.
func NewToken(kind TokenKind) (token, hash string) {
	token = string(kind) + "_" + newSecret()
	return token, TokenHash(token)
}

func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return encodeCrockford(b[:])
}

// TokenHash is SHA-256 of a token in hexadecimal: what a session, a link or a key is
// found by. The token has 256 random bits, so that a plain hash cannot be turned back.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// ParseToken reports whether s has the form of a token of the kind, and returns its
// hash. What has not need not be looked up.
func ParseToken(kind TokenKind, s string) (hash string, ok bool) {
	secret, ok := strings.CutPrefix(s, string(kind)+"_")
	if !ok || !validSecret(secret) {
		return "", false
	}
	return TokenHash(s), true
}

func validSecret(s string) bool {
	if len(s) != secretDigits {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(crockford, s[i]) < 0 {
			return false
		}
	}
	return true
}

func sameHash(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// Scope is something that an API key may do.
type Scope string

// The scopes (ruling 11). None decides, enrols, publishes, closes alerts, lifts
// freezes; only provisioning sets people, groups and limits, and that is logged.
const (
	ScopeSubmit       Scope = "submit"
	ScopeEvaluate     Scope = "evaluate"
	ScopeFacts        Scope = "facts"
	ScopeAlert        Scope = "alert"
	ScopeVouch        Scope = "vouch"
	ScopeRelease      Scope = "release"
	ScopeAudit        Scope = "audit"
	ScopeEvents       Scope = "events"
	ScopeProvisioning Scope = "provisioning"
)

// Scopes lists every scope there is.
func Scopes() []Scope {
	return []Scope{ScopeSubmit, ScopeEvaluate, ScopeFacts, ScopeAlert, ScopeVouch, ScopeRelease, ScopeAudit, ScopeEvents, ScopeProvisioning}
}

// Valid reports whether s is one of [Scopes].
func (s Scope) Valid() bool {
	for _, known := range Scopes() {
		if s == known {
			return true
		}
	}
	return false
}

const apiKeyPrefix = "cs_"

// NewAPIKey makes the secret of the key with identifier id (key_…) and the hash that
// alone is stored. The key is cs_, the 26 characters of its identifier, _ and 256
// random bits; it is shown once.
func NewAPIKey(id string) (key, hash string) {
	key = apiKeyPrefix + strings.TrimPrefix(id, countersign.PrefixKey+"_") + "_" + newSecret()
	return key, TokenHash(key)
}

// ParseAPIKey reads which key a caller presents, so that its record can be loaded.
// Nothing is verified yet.
func ParseAPIKey(s string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(s, apiKeyPrefix)
	if !ok {
		return "", false
	}
	name, secret, ok := strings.Cut(rest, "_")
	id = countersign.PrefixKey + "_" + name
	if !ok || !validSecret(secret) || !countersign.IsID(countersign.PrefixKey, id) {
		return "", false
	}
	return id, true
}

// VerifyAPIKey compares a presented key with the stored hash in constant time. Where
// there is no such key, pass "": that is never equal.
func VerifyAPIKey(presented, hash string) bool { return sameHash(hash, TokenHash(presented)) }
