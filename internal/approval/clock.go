package approval

import (
	"time"

	"github.com/countersign/countersign"
)

// ClockTolerance is how far two clocks may be apart (ruling 24).
const ClockTolerance = 5 * time.Minute

// ClockSane says whether the clock may be trusted to allow, decide and release by
// (ruling 24): it does not disagree with the database's clock, and is not behind
// the last entry of the log. A zero time is one that is not there to compare with.
// The error is the problem "unavailable".
//
// A log may be silent for long, so a clock ahead of the last entry proves nothing;
// [ClockSteady] finds such a jump.
func ClockSane(now, last, db time.Time) error {
	if now.IsZero() {
		return countersign.NewProblem(countersign.CodeUnavailable, "the clock cannot be read")
	}
	if !last.IsZero() && last.Sub(now) > ClockTolerance {
		return countersign.NewProblem(countersign.CodeUnavailable, "the clock shows %s, but the last entry is of %s", stamp(now), stamp(last)).
			WithHint("set the clock right; nothing is decided or released until then")
	}
	if !db.IsZero() && now.Sub(db).Abs() > ClockTolerance {
		return countersign.NewProblem(countersign.CodeUnavailable, "the clock shows %s, but that of the database %s", stamp(now), stamp(db)).
			WithHint("set the clocks right; nothing is decided or released until then")
	}
	return nil
}

// ClockSteady finds a jump: expected is an earlier reading moved on by the time
// that a steady counter measured since. The error is the problem "unavailable".
func ClockSteady(now, expected time.Time) error {
	// Round strips Go's own steady reading: it is the wall clock that is judged.
	if d := now.Round(0).Sub(expected.Round(0)).Abs(); d > ClockTolerance {
		return countersign.NewProblem(countersign.CodeUnavailable, "the clock jumped by %s, to %s", d.Round(time.Second), stamp(now)).
			WithHint("set the clock right; nothing is decided or released until then")
	}
	return nil
}
