package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// fingerprint names an account among those of a vendor. After a rotation of the key
// an account that the vendor's record has under an older name keeps that name until
// it is recorded again: a new key must not make every account look like a new one. An
// account that the record does not have gets the newest name, which is what every
// other mention of it gets in the same transaction, so that equal stays equal.
func (a *Authority) fingerprint(tx *store.Tx, vendor string, acc countersign.Account) (string, error) {
	if !a.keys.Names.Rotated() {
		return a.keys.Names.Newest(tx.Org(), acc), nil
	}
	every := a.keys.Names.Every(tx.Org(), acc)
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
	newest := a.keys.Names.Newest(tx.Org(), acc)
	if known != newest {
		err = tx.RekeyAccount(vendor, known, newest)
	}
	return newest, err
}
