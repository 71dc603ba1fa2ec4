package authority

import (
	"sync/atomic"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// secretRing is the ring of sealing keys in use. A rotation exchanges it whole.
type secretRing struct{ ring atomic.Pointer[authn.KeyRing] }

// Seal encrypts with the newest key.
func (r *secretRing) Seal(p authn.Place, value []byte) string { return r.ring.Load().Seal(p, value) }

// Open decrypts with whichever key it was sealed with.
func (r *secretRing) Open(p authn.Place, sealed string) ([]byte, error) {
	return r.ring.Load().Open(p, sealed)
}

// Stale reports whether a value was sealed with a key before the newest.
func (r *secretRing) Stale(sealed string) bool { return r.ring.Load().Stale(sealed) }

// accountNames are the keys that name accounts. A rotation exchanges them whole.
type accountNames struct {
	names   atomic.Pointer[authn.Fingerprints]
	rotated atomic.Bool // there is more than one key
}

// useSecrets takes the folder's keys for sealing and naming into use.
func (a *Authority) useSecrets() error {
	a.keys.mu.RLock()
	seal, hmac := secretKeys(a.keys.Seal), secretKeys(a.keys.HMAC)
	a.keys.mu.RUnlock()
	ring, err := authn.NewKeyRing(seal...)
	if err != nil {
		return err
	}
	names, err := authn.NewFingerprints(hmac...)
	if err != nil {
		return err
	}
	a.ring.ring.Store(&ring)
	a.fingerprints.names.Store(&names)
	a.fingerprints.rotated.Store(len(hmac) > 1)
	return nil
}

// fingerprint names an account among those of a vendor. After a rotation of the key
// an account that the vendor's record has under an older name keeps that name until
// it is recorded again: a new key must not make every account look like a new one. An
// account that the record does not have gets the newest name, which is what every
// other mention of it gets in the same transaction, so that equal stays equal.
func (a *Authority) fingerprint(tx *store.Tx, vendor string, acc countersign.Account) (string, error) {
	names := a.fingerprints.names.Load()
	if !a.fingerprints.rotated.Load() {
		return names.Account(tx.Org(), acc), nil
	}
	every := names.Every(tx.Org(), acc)
	known, err := tx.KnownFingerprint(vendor, every)
	if known == "" {
		known = every[0]
	}
	return known, err
}

// recordedFingerprint is fingerprint for writing: an account that is recorded again
// moves to its newest name, so that the older keys fall out of use by themselves.
func (a *Authority) recordedFingerprint(tx *store.Tx, vendor string, acc countersign.Account) (string, error) {
	known, err := a.fingerprint(tx, vendor, acc)
	if err != nil {
		return "", err
	}
	newest := a.fingerprints.names.Load().Account(tx.Org(), acc)
	if known != newest {
		err = tx.RekeyAccount(vendor, known, newest)
	}
	return newest, err
}
