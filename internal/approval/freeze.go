package approval

import (
	"fmt"
	"time"

	"github.com/countersign/countersign"
)

// MaxFreeze is how long one person can freeze a vendor or a person (ruling 22).
const MaxFreeze = 72 * time.Hour

// Freeze stops releases that touch a vendor or a person.
type Freeze struct {
	ID       string // frz_…
	Subject  string // ven_… or per_…
	PlacedBy string // person id
	Placed   time.Time
	Ends     time.Time // from this instant on it is over; zero: until it is lifted
}

// InForce reports whether the freeze holds at the time.
func (f Freeze) InForce(now time.Time) bool { return f.Ends.IsZero() || now.Before(f.Ends) }

// FreezeActor is a person who places, extends or lifts a freeze, with the proof of
// that act.
type FreezeActor struct {
	Person Person
	Proof  Proof
}

// stepUp is what placing, extending and lifting a freeze ask of each person's act.
var stepUp = countersign.Requirement{Assurance: countersign.AssuranceMFA}

// CheckFreeze says why one person may not place the freeze: it needs a step-up, and
// ends within 72 hours. Placing it says nothing about its subject, so its subject
// may place it too.
func CheckFreeze(f Freeze, by FreezeActor) error {
	if f.Subject == "" || f.PlacedBy == "" || f.PlacedBy != by.Person.ID || !by.Person.Active {
		return countersign.NewProblem(countersign.CodeForbidden, "a freeze names its subject, and an active person places it")
	}
	if d := f.Ends.Sub(f.Placed); d <= 0 || d > MaxFreeze {
		return countersign.NewProblem(countersign.CodeInvalid, "a freeze lasts up to 72 hours, not %s", d).
			WithHint("two people can extend it")
	}
	return proves(stepUp, by.Proof, f.Placed)
}

// CheckFreezeChange says why these people may not extend or lift the freeze: that
// needs two distinct active people, each with a step-up, and never its subject.
// Placing it does not bar from it.
func CheckFreezeChange(f Freeze, by []FreezeActor, now time.Time) error {
	distinct := map[string]bool{}
	for _, a := range by {
		switch {
		case a.Person.ID == "" || !a.Person.Active:
			return countersign.NewProblem(countersign.CodeForbidden, "%s is not active", a.Person.Name)
		case a.Person.ID == f.Subject:
			return countersign.NewProblem(countersign.CodeForbidden, "%s is frozen, and cannot extend or lift that", a.Person.Name)
		}
		if err := proves(stepUp, a.Proof, now); err != nil {
			return fmt.Errorf("%s: %w", a.Person.Name, err)
		}
		distinct[a.Person.ID] = true
	}
	if len(distinct) < 2 {
		return countersign.NewProblem(countersign.CodeForbidden, "extending or lifting a freeze needs two people").WithHint("ask a second person")
	}
	return nil
}
