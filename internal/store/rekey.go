package store

import "github.com/countersign/countersign"

// Sealed is an authenticator's sealed secret.
type Sealed struct {
	ID      string // of the authenticator
	Secret  string
	Version int64
}

// SealedSecrets lists sealed secrets of authenticators in use whose id is above after,
// in the order of their ids.
func (tx *Tx) SealedSecrets(after string, limit int) ([]Sealed, error) {
	return List(tx, func(s Scanner) (v Sealed, err error) {
		err = s.Scan(&v.ID, &v.Secret, &v.Version)
		return v, err
	}, `SELECT id, secret, version FROM authenticator WHERE org_id = $1 AND id > $2 AND secret <> '' AND removed_us = 0 ORDER BY id LIMIT $3`, after, limit)
}

// SetSealedSecret replaces a sealed secret by the same one, sealed anew. [ErrConflict]
// when the authenticator was changed meanwhile.
func (tx *Tx) SetSealedSecret(v Sealed) error {
	return tx.ExecOne(`UPDATE authenticator SET secret = $3, version = version + 1 WHERE org_id = $1 AND id = $2 AND version = $4 AND removed_us = 0`,
		v.ID, v.Secret, v.Version)
}

// KnownFingerprint tells which of an account's fingerprints, one for each key that
// there ever was, a vendor's record has it under; "" for none.
func (tx *Tx) KnownFingerprint(vendor string, fingerprints []string) (string, error) {
	for _, f := range fingerprints { // two or three: one for each rotation
		var n int64
		if err := tx.Row(`SELECT COUNT(*) FROM vendor_account WHERE org_id = $1 AND vendor_id = $2 AND fingerprint = $3`, vendor, f).Scan(&n); err != nil {
			return "", err
		}
		if n > 0 {
			return f, nil
		}
	}
	return "", nil
}

// RekeyAccount writes a vendor's account under another fingerprint of the same account.
func (tx *Tx) RekeyAccount(vendor, old, fresh string) error {
	return tx.ExecOne(`UPDATE vendor_account SET fingerprint = $4 WHERE org_id = $1 AND vendor_id = $2 AND fingerprint = $3`, vendor, old, fresh)
}

// UnplacedBySubject returns the entries about a subject that wait for their place, in
// the order in which they will get it.
func (tx *Tx) UnplacedBySubject(subject string) ([]Entry, error) {
	return List(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry WHERE org_id = $1 AND subject = $2 AND seq IS NULL ORDER BY turn, place`, subject)
}

// SetOrigin renames the organisation's log in the organisation's row. [Tx.ReopenLog]
// does the same in the log's head; both belong in one transaction.
func (tx *Tx) SetOrigin(old, fresh string) error {
	return tx.ExecOne(`UPDATE organisation SET origin = $3 WHERE org_id = $1 AND origin = $2`, old, fresh)
}

// OpeningsBetween returns the openings of the entries from index first to before end,
// by entry and name: those that have not been erased.
func (tx *Tx) OpeningsBetween(first, end int64) (map[string]map[string]countersign.Opening, error) {
	return tx.openingsBetween(first, end)
}
