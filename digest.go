package countersign

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/jcs"
)

// Digest is the SHA-256 of canonical bytes, written "sha-256:" and 64 lower-case
// hexadecimal digits.
type Digest string

const digestPrefix = "sha-256:"

// SumBytes returns the digest of bytes as they are. The caller has made them
// canonical.
func SumBytes(canonical []byte) Digest {
	sum := sha256.Sum256(canonical)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// Valid reports whether d has the one form that a digest is written in.
func (d Digest) Valid() bool {
	hexa, ok := strings.CutPrefix(string(d), digestPrefix)
	if !ok || len(hexa) != 64 {
		return false
	}
	for i := range len(hexa) {
		if c := hexa[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Equal compares two digests in constant time.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare([]byte(d), []byte(other)) == 1
}

// ParseDigest reads a digest that came from outside.
func ParseDigest(s string) (Digest, error) {
	d := Digest(s)
	if !d.Valid() {
		return "", fmt.Errorf("digest %q: want %q and 64 lower-case hexadecimal digits", jcs.Clip(s), digestPrefix)
	}
	return d, nil
}
