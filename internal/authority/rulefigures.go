package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store"
)

// RuleFigures says how often the rules counted, over two times until now.
type RuleFigures struct {
	Month, Quarter Figures // the last 30 and the last 90 days
	// Open counts the requests of which something may still come: a policy that is
	// published now weighs them again.
	Open int
}

// Figures are numbers over some days.
type Figures struct {
	Since    time.Time
	Requests int            // submitted
	Counted  map[string]int // in how many of them each rule counted, as they were last weighed
}

// RuleFigures counts, for whoever may read the policy.
func (a *Authority) RuleFigures(ctx context.Context, s Session) (*RuleFigures, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out *RuleFigures
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		out = &RuleFigures{}
		for _, f := range []struct {
			days int
			to   *Figures
		}{{30, &out.Month}, {90, &out.Quarter}} {
			f.to.Since = tx.Now().AddDate(0, 0, -f.days)
			if f.to.Requests, f.to.Counted, err = tx.RuleCounts(f.to.Since); err != nil {
				return err
			}
		}
		out.Open, err = tx.CountOpen()
		return err
	})
	return out, fault(err)
}
