package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/authn"
)

// HashWeakly makes passwords cheap to hash, so that stories can use many. Only tests
// can reach it: production has one set of parameters and no way to lower them.
func HashWeakly(a *Authority) { a.hashing = authn.Argon2{Memory: 64, Passes: 1, Threads: 1} }

// ServerClock sets the database's clock, which tests move as they move their own.
func ServerClock(a *Authority, now func() time.Time) {
	a.clock.server = func(context.Context) (time.Time, error) { return now(), nil }
}

// Sweep does what the loop does every ten minutes.
func Sweep(a *Authority, ctx context.Context) error {
	_, err := a.db.Write(ctx, a.sweep)
	return err
}

// NoteOverdue does what the loop does after each time that it has asked a witness.
func NoteOverdue(a *Authority, ctx context.Context) error {
	for _, w := range a.publisher.Witnesses() {
		if err := a.noteOverdue(ctx, w.Witness); err != nil {
			return err
		}
	}
	return nil
}

// Impatient lets answers wait only so long for a witness.
func Impatient(a *Authority, d time.Duration) { a.patience = d }
