package authority

import (
	"context"
	"time"
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
	return look(ctx, a, s, (*reading).ruleFigures)
}

func (r *reading) ruleFigures() (*RuleFigures, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	out := &RuleFigures{}
	quarter, month := r.tx.Now().AddDate(0, 0, -90), r.tx.Now().AddDate(0, 0, -30)
	all, recent, err := r.tx.RuleCounts(quarter, month)
	if err != nil {
		return nil, err
	}
	out.Quarter = Figures{Since: quarter, Requests: all.Requests, Counted: all.Rules}
	out.Month = Figures{Since: month, Requests: recent.Requests, Counted: recent.Rules}
	out.Open, err = r.tx.CountOpen()
	return out, err
}
