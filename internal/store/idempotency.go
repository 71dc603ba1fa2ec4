package store

import (
	"errors"
	"time"
)

// CallKey names one call that a caller may repeat.
type CallKey struct {
	Caller string // key_… or per_…
	Method string
	Path   string
	Key    string // the Idempotency-Key
}

// CallState is what the store knows of a call.
type CallState int

// The states of a call, as [Tx.BeginCall] finds it.
const (
	CallNew        CallState = iota // not seen: it is now in progress, and the caller carries it out
	CallInProgress                  // it is being carried out elsewhere: answer 409
	CallDone                        // it was carried out: repeat the answer
	CallDiffers                     // the key came with another payload: answer 422
)

// Answer is what a call was answered.
type Answer struct {
	Status int // HTTP
	Body   []byte
}

// BeginCall looks a call up and, when it is new, marks it as in progress for at most
// until: a process that dies leaves it so. fingerprint is a digest of the payload.
//
// A call whose work is one transaction begins and finishes in that transaction, so
// that nobody ever sees it in progress.
func (tx *Tx) BeginCall(k CallKey, fingerprint []byte, until time.Time) (CallState, Answer, error) {
	n, err := tx.Exec(`INSERT INTO idempotency
		(org_id, caller, method, path, key, fingerprint, status, body, subject, expires_us)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $8, '', $7)
		ON CONFLICT (org_id, caller, method, path, key) DO UPDATE
		SET fingerprint = excluded.fingerprint, status = 0, body = excluded.body, subject = '', expires_us = excluded.expires_us
		WHERE idempotency.expires_us <= $9`,
		k.Caller, k.Method, k.Path, k.Key, fingerprint, until, []byte{}, tx.now)
	if err != nil {
		return CallNew, Answer{}, err
	}
	if n == 1 {
		return CallNew, Answer{}, nil
	}
	var a Answer
	var seen []byte
	err = tx.Row(`SELECT fingerprint, status, body FROM idempotency
		WHERE org_id = $1 AND caller = $2 AND method = $3 AND path = $4 AND key = $5`,
		k.Caller, k.Method, k.Path, k.Key).Scan(&seen, &a.Status, &a.Body)
	switch {
	case err != nil:
		return CallNew, Answer{}, err
	case string(seen) != string(fingerprint):
		return CallDiffers, Answer{}, nil
	case a.Status == 0:
		return CallInProgress, Answer{}, nil
	}
	return CallDone, a, nil
}

// FinishCall keeps the answer of a call that is in progress, to be repeated until
// expires. subject is the id that the answer is about, for erasure.
func (tx *Tx) FinishCall(k CallKey, a Answer, subject string, expires time.Time) error {
	if a.Status == 0 {
		return tx.fail(errors.New("an answer needs a status"))
	}
	if a.Body == nil {
		a.Body = []byte{}
	}
	return tx.ExecOne(`UPDATE idempotency SET status = $6, body = $7, subject = $8, expires_us = $9
		WHERE org_id = $1 AND caller = $2 AND method = $3 AND path = $4 AND key = $5 AND status = 0`,
		k.Caller, k.Method, k.Path, k.Key, a.Status, a.Body, subject, expires)
}

// ForgetCall removes a call that came to nothing, so that it can be tried again.
func (tx *Tx) ForgetCall(k CallKey) error {
	_, err := tx.Exec(`DELETE FROM idempotency
		WHERE org_id = $1 AND caller = $2 AND method = $3 AND path = $4 AND key = $5 AND status = 0`,
		k.Caller, k.Method, k.Path, k.Key)
	return err
}

// PurgeCalls deletes up to limit calls that have expired and returns how many.
func (tx *Tx) PurgeCalls(limit int) (int64, error) {
	return tx.Exec(`DELETE FROM idempotency WHERE org_id = $1 AND expires_us <= $2 AND (caller, method, path, key) IN (
		SELECT caller, method, path, key FROM idempotency WHERE org_id = $1 AND expires_us <= $2
		ORDER BY expires_us LIMIT $3)`, tx.now, limit)
}

// EraseCalls deletes the kept answers about one subject and returns how many.
func (tx *Tx) EraseCalls(subject string) (int64, error) {
	return tx.Exec(`DELETE FROM idempotency WHERE org_id = $1 AND subject = $2`, subject)
}
