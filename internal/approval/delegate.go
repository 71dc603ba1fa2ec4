package approval

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// Delegation lets one person act for another for a time (ruling 20). It never
// widens: the smallest limit counts, and both are checked for separation of duties.
type Delegation struct {
	ID     string              // del_…
	From   string              // person id of whom it comes from
	To     string              // person id of who may act
	Kinds  []string            // of documents; none means all
	Starts time.Time           // from this instant
	Ends   time.Time           // up to, not including; required
	Limit  *countersign.Amount // nil where it sets none of its own
	Own    bool                // made by whom it comes from alone; otherwise two others agreed to it
}

// Delegator is the person acted for, with the delegation that allows it.
type Delegator struct {
	Person     Person
	Delegation Delegation
}

// covers says why the delegation does not let the person act on this request.
func (g Delegator) covers(s State, p Person, now time.Time) error {
	d := g.Delegation
	switch {
	case d.From != g.Person.ID || d.To != p.ID || d.From == d.To:
		return fmt.Errorf("the delegation is not from %s to %s", g.Person.Name, p.Name)
	case now.Before(d.Starts):
		return fmt.Errorf("the delegation from %s starts on %s", g.Person.Name, stamp(d.Starts))
	case !now.Before(d.Ends):
		return fmt.Errorf("the delegation from %s ended on %s", g.Person.Name, stamp(d.Ends))
	case len(d.Kinds) > 0 && !slices.Contains(d.Kinds, s.Kind):
		return fmt.Errorf("the delegation from %s does not cover the kind %s", g.Person.Name, s.Kind)
	}
	return nil
}

// beyond says that an act needs more than the delegator could prove themself: who made a
// delegation alone gives away no more than they have.
func (g Delegator) beyond(need countersign.Assurance) (Obstacle, bool) {
	have := g.Person.Strongest
	if !g.Delegation.Own || have == countersign.AssuranceNone || have.AtLeast(need) {
		return Obstacle{}, false
	}
	return Obstacle{Code: ObstacleDelegation, ApproveOnly: true,
		Sentence: fmt.Sprintf("%s has no factor of assurance %s themself, and so none to give away", g.Person.Name, need)}, true
}

// overLimit reports whether an amount is over a limit. Where a limit is set and the
// amount is not known, or cannot be compared with it, it is over.
func overLimit(whose string, limit, amount *countersign.Amount) (Obstacle, bool) {
	if limit == nil {
		return Obstacle{}, false
	}
	o := Obstacle{Code: ObstacleLimit, ApproveOnly: true}
	most, err := limit.Minor()
	if err != nil {
		o.Sentence = fmt.Sprintf("the limit of %s cannot be read", whose)
		return o, true
	}
	if amount == nil {
		o.Sentence = fmt.Sprintf("the amount is not known, and the limit of %s is %s %s", whose, limit.Value, limit.Currency)
		return o, true
	}
	n, err := amount.Minor()
	if err != nil || amount.Currency != limit.Currency {
		o.Sentence = fmt.Sprintf("the amount cannot be compared with the limit of %s, %s %s", whose, limit.Value, limit.Currency)
		return o, true
	}
	// A credit is held to the limit by its size: a large one is no less risky.
	if max(n, -n) > most {
		o.Sentence = fmt.Sprintf("%s %s is over the limit of %s, %s %s", amount.Value, amount.Currency, whose, limit.Value, limit.Currency)
		return o, true
	}
	return Obstacle{}, false
}

// smallest returns the smallest of the limits that are set. It is for the record:
// every one of them is checked by itself.
func smallest(limits ...*countersign.Amount) *countersign.Amount {
	var least *countersign.Amount
	for _, l := range limits {
		if l == nil {
			continue
		}
		if least == nil {
			least = l
			continue
		}
		a, errA := l.Minor()
		b, errB := least.Minor()
		if errA == nil && errB == nil && l.Currency == least.Currency && a < b {
			least = l
		}
	}
	return least
}
