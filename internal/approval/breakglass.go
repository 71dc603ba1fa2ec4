package approval

import (
	"fmt"
	"time"

	"github.com/countersign/countersign"
)

// Times of break-glass (ruling 21).
const (
	BreakGlassNamesAfter  = 72 * time.Hour     // from the two people's agreement until a new name counts
	BreakGlassReviewAfter = 7 * 24 * time.Hour // an older use without review blocks the next
)

// BreakGlass is what is known about a person's break-glass at the moment of the
// act. It replaces which group signs: never the digest, the hold, separation of
// duties, or the two people with phishing-resistant factors.
type BreakGlass struct {
	Person   string    // person id: the name on the list
	NamedAt  time.Time // when two people agreed on the name
	PerUse   countersign.Amount
	PerMonth countersign.Amount
	// UsedThisMonth is the sum of earlier uses in this calendar month; it must be in
	// the currency of PerMonth.
	UsedThisMonth countersign.Amount
	// OldestUnreviewed is when the oldest use that nobody has reviewed took place;
	// zero where all are reviewed.
	OldestUnreviewed time.Time
}

// Open says why break-glass may not be used for the amount now. An amount that is
// not known or not in the caps' currency cannot be capped, and is refused.
func (b BreakGlass) Open(amount *countersign.Amount, now time.Time) error {
	if b.NamedAt.IsZero() || b.Person == "" {
		return fmt.Errorf("break-glass is not open to this person")
	}
	if from := b.NamedAt.Add(BreakGlassNamesAfter); now.Before(from) {
		return fmt.Errorf("the name is on the break-glass list from %s on", stamp(from))
	}
	if !b.OldestUnreviewed.IsZero() && !now.Before(b.OldestUnreviewed.Add(BreakGlassReviewAfter)) {
		return fmt.Errorf("the break-glass use of %s was never reviewed", stamp(b.OldestUnreviewed))
	}
	if amount == nil {
		return fmt.Errorf("break-glass is capped by amount, and the amount is not known")
	}
	n, err := amount.Minor()
	if err != nil {
		return fmt.Errorf("break-glass is capped by amount: %w", err)
	}
	n = max(n, -n)
	use, errUse := b.PerUse.Minor()
	month, errMonth := b.PerMonth.Minor()
	used, errUsed := b.UsedThisMonth.Minor()
	sameCurrency := b.PerUse.Currency == amount.Currency && b.PerMonth.Currency == amount.Currency && b.UsedThisMonth.Currency == amount.Currency
	switch {
	case errUse != nil || errMonth != nil || errUsed != nil || !sameCurrency || used < 0:
		return fmt.Errorf("the caps of break-glass cannot be compared with %s %s", amount.Value, amount.Currency)
	case n > use:
		return fmt.Errorf("%s %s is over the break-glass cap of %s for one use", amount.Value, amount.Currency, b.PerUse.Value)
	case used > month || n > month-used:
		return fmt.Errorf("%s %s is over what the break-glass cap of %s leaves for this month", amount.Value, amount.Currency, b.PerMonth.Value)
	}
	return nil
}
