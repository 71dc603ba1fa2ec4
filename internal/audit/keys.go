package audit

import (
	"crypto/rand"
	"fmt"

	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
)

// Key is a signing key of the log in the encodings of C2SP signed-note.
type Key struct {
	Signer   string // PRIVATE+KEY+name+hash+base64: secret, kept outside the database
	Verifier string // name+hash+base64: given to whoever verifies
}

// GenerateKey makes an Ed25519 key. Its name is the log's origin, as C2SP
// tlog-checkpoint recommends and the verifier demands; a rotated key has the same
// name and another hash.
func GenerateKey(origin string) (Key, error) {
	if err := CheckOrigin(origin); err != nil {
		return Key{}, err
	}
	signer, verifier, err := note.GenerateKey(rand.Reader, origin)
	return Key{Signer: signer, Verifier: verifier}, err
}

// CheckOrigin checks that a log can be named so: printable ASCII without spaces and
// without a plus sign, as host/log/organisation.
func CheckOrigin(origin string) error {
	if _, err := verify.ParseCheckpoint(Checkpoint{Origin: origin}.Body()); err != nil {
		return fmt.Errorf("origin %q: want printable ASCII without spaces and plus signs, as %q", origin, "countersign.example/audit/1")
	}
	return nil
}

// NewSigner reads the secret form of a key, which must be named as the origin.
func NewSigner(secret, origin string) (note.Signer, error) {
	s, err := note.NewSigner(secret)
	if err != nil {
		return nil, fmt.Errorf("log key: %w", err) // the text of the error does not hold the key
	}
	if s.Name() != origin {
		return nil, fmt.Errorf("log key is named %q, the log %q", s.Name(), origin)
	}
	return s, nil
}

// KeyID names a verifier key for people and for log entries: name+hash.
func KeyID(v note.Verifier) string { return fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash()) }
