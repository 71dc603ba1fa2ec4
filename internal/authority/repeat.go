package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Call names a call that its caller may repeat under an Idempotency-Key.
type Call struct {
	Caller  string // key_… or per_…
	Method  string
	Path    string
	Key     string
	Payload [32]byte // digest of the body
}

func (c Call) key() store.CallKey {
	return store.CallKey{Caller: c.Caller, Method: c.Method, Path: c.Path, Key: c.Key}
}

// KeptAnswer is what a call was answered. It holds no secret.
type KeptAnswer struct {
	Status  int // HTTP
	Body    []byte
	Subject string // the id that the answer is about: an erasure of that clears it
}

// How long a call may be in progress before it counts as given up, and how long its
// answer is repeated.
const (
	callProgress = 2 * time.Minute
	CallKept     = 24 * time.Hour
)

// BeginCall looks a call up. Nil means that it is new, and now in progress: the caller
// carries it out and ends it with [Authority.FinishCall] or [Authority.ForgetCall].
// Otherwise the answer is the one that it got before.
func (a *Authority) BeginCall(ctx context.Context, c Call) (*KeptAnswer, error) {
	var state store.CallState
	var answer store.Answer
	_, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		state, answer, err = tx.BeginCall(c.key(), c.Payload[:], tx.Now().Add(callProgress))
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	switch state {
	case store.CallDiffers:
		return nil, countersign.NewProblem(countersign.CodeKeyReused, "this Idempotency-Key came with another body before").WithHint("use a fresh key for another call")
	case store.CallInProgress:
		p := countersign.NewProblem(countersign.CodeConflict, "a call with this Idempotency-Key is in progress").WithHint("ask again in a moment")
		p.RetryAfterSeconds = 1
		return nil, p
	case store.CallDone:
		return &KeptAnswer{Status: answer.Status, Body: answer.Body}, nil
	}
	return nil, nil
}

// FinishCall keeps the answer of a call that is in progress, to be repeated for
// [CallKept].
func (a *Authority) FinishCall(ctx context.Context, c Call, answer KeptAnswer) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		return tx.FinishCall(c.key(), store.Answer{Status: answer.Status, Body: answer.Body}, answer.Subject, tx.Now().Add(CallKept))
	})
	return fault(err)
}

// ForgetCall lets a call that came to nothing be tried again.
func (a *Authority) ForgetCall(ctx context.Context, c Call) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error { return tx.ForgetCall(c.key()) })
	return fault(err)
}
