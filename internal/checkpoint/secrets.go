package checkpoint

import (
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

// Ring is the ring of sealing keys in use. A rotation exchanges it whole.
type Ring struct{ ring atomic.Pointer[authn.KeyRing] }

// Seal encrypts with the newest key.
func (r *Ring) Seal(p authn.Place, value []byte) string { return r.ring.Load().Seal(p, value) }

// Open decrypts with whichever key it was sealed with.
func (r *Ring) Open(p authn.Place, sealed string) ([]byte, error) {
	return r.ring.Load().Open(p, sealed)
}

// Stale reports whether a value was sealed with a key before the newest.
func (r *Ring) Stale(sealed string) bool { return r.ring.Load().Stale(sealed) }

// AccountNames are the keys that name accounts. A rotation exchanges them whole.
type AccountNames struct {
	names   atomic.Pointer[authn.Fingerprints]
	rotated atomic.Bool // there is more than one key
}

// Newest names an account with the newest key.
func (n *AccountNames) Newest(org string, acc countersign.Account) string {
	return n.names.Load().Account(org, acc)
}

// Every names an account with each key, the newest first.
func (n *AccountNames) Every(org string, acc countersign.Account) []string {
	return n.names.Load().Every(org, acc)
}

// Rotated reports whether there is more than one key.
func (n *AccountNames) Rotated() bool { return n.rotated.Load() }

// UseSecrets takes the keys for sealing and naming that were read from the folder into
// use. A new one is used once the log has announced it.
func (k *Keys) UseSecrets() error {
	k.mu.RLock()
	seal, hmac := secretKeys(k.seal), secretKeys(k.hmac)
	k.mu.RUnlock()

	ring, err := authn.NewKeyRing(seal...)
	if err != nil {
		return err
	}
	names, err := authn.NewFingerprints(hmac...)
	if err != nil {
		return err
	}
	k.Ring.ring.Store(&ring)
	k.Names.names.Store(&names)
	k.Names.rotated.Store(len(hmac) > 1)
	return nil
}

// secretKeys are the keys of a ring, oldest first: a ring seals with its last.
func secretKeys(ring map[int][32]byte) []authn.SecretKey {
	var numbers []int
	for n := range ring {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)

	var keys []authn.SecretKey
	for _, n := range numbers {
		keys = append(keys, authn.SecretKey{ID: KeyName(n), Key: ring[n]})
	}
	return keys
}

// KeyName is the name of a sealing or naming key, as k2.
func KeyName(n int) string { return "k" + strconv.Itoa(n) }

// NewestSecret is the number of the newest key of a kind, [KindSeal] or [KindHMAC], in
// the folder.
func (k *Keys) NewestSecret(kind string) int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if kind == KindHMAC {
		return newest(k.hmac)
	}
	return newest(k.seal)
}

// OldestName is the key that accounts were named with first.
func (k *Keys) OldestName() [32]byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	oldest := 0
	for n := range k.hmac {
		if oldest == 0 || n < oldest {
			oldest = n
		}
	}
	return k.hmac[oldest]
}

// Spare is a key of the log's origin that can sign and is none of those in use: it was
// made, and never announced.
func (k *Keys) Spare(used []string) (verifier string, found bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, l := range slices.Backward(k.log) {
		if l.Signer != nil && !slices.Contains(used, l.Verifier) {
			return l.Verifier, true
		}
	}
	return "", false
}
