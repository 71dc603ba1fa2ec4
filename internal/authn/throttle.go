package authn

import (
	"time"

	"github.com/countersign/countersign"
)

// Limits of guessing (ruling 18; NIST SP 800-63B-4 §3.2.2: at most 100 consecutive
// failures).
const (
	LockAfter = 5                // failures in a row, and again after every further five
	FirstLock = 15 * time.Minute // doubling with every further lock
	EndAfter  = 100              // failures in a row: the authenticator is ended for good
)

// Throttle counts the failures of one secret in a row. It belongs to one
// authenticator, so that locking it leaves the person's others alone. It is stored
// with the authenticator, by compare-and-swap and before the result is acted on, so
// that a restart or a second replica forgets nothing.
type Throttle struct {
	Failures    int       `json:"failures"`     // in a row; a success sets it to 0
	LockedUntil time.Time `json:"locked_until"` // zero where not locked
	Ended       bool      `json:"ended"`        // never to be used again
}

// Check reports why an attempt may not even be looked at now, or nil.
func (t Throttle) Check(now time.Time) error {
	if t.Ended || t.Failures >= EndAfter {
		return countersign.NewProblem(countersign.CodeLocked, "this has failed %d times in a row and is ended for good", t.Failures).
			WithHint("use another authenticator, or ask an administrator for a new enrolment").WithCause(ErrEnded)
	}
	if now.Before(t.LockedUntil) {
		p := countersign.NewProblem(countersign.CodeLocked, "this is locked after %d failures in a row", t.Failures).
			WithHint("wait, or use a passkey, which is never locked").WithCause(ErrLocked)
		p.RetryAfterSeconds = int((t.LockedUntil.Sub(now) + time.Second - 1) / time.Second)
		return p
	}
	return nil
}

// Fail counts one failure at now and locks or ends where the limits say so.
func (t Throttle) Fail(now time.Time) Throttle {
	t.Failures++
	if t.Failures >= EndAfter {
		t.Ended = true
		return t
	}
	if t.Failures%LockAfter == 0 {
		t.LockedUntil = now.Add(FirstLock << (t.Failures/LockAfter - 1)) // at most 2^18 × 15 minutes
	}
	return t
}

// Succeed forgets the failures. What has ended stays ended.
func (t Throttle) Succeed() Throttle { return Throttle{Ended: t.Ended} }

// JustLocked reports whether the step from before to t locked or ended, which is
// worth an entry in the log and a word to the person.
func (t Throttle) JustLocked(before Throttle) bool {
	return t.Ended != before.Ended || t.LockedUntil.After(before.LockedUntil)
}
