package authority

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// breakGlass reads what is known about a person's break-glass now (ruling 21).
func (a *Authority) breakGlass(tx *store.Tx, c *caseFile, person string) (*approval.BreakGlass, error) {
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	b := &approval.BreakGlass{}
	limit := at.settings.BreakGlassAmount
	if limit == nil {
		return b, nil // off: the empty record opens for nobody
	}
	names, err := tx.BreakGlassNames()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(names, func(n store.BreakGlassName) bool { return n.Person == person })
	if i < 0 {
		return b, nil
	}
	minor, err := limit.Minor()
	if err != nil {
		return nil, err
	}
	month := time.Date(tx.Now().Year(), tx.Now().Month(), 1, 0, 0, 0, 0, time.UTC)
	uses, err := tx.BreakGlassUses(month)
	if err != nil {
		return nil, err
	}
	used := int64(0)
	for _, u := range uses {
		if !u.Used.Before(month) && u.Approval != c.row.ID && u.Currency == limit.Currency {
			used += u.Minor
		}
		if u.Reviewed.IsZero() && (b.OldestUnreviewed.IsZero() || u.Used.Before(b.OldestUnreviewed)) {
			b.OldestUnreviewed = u.Used
		}
	}
	b.Person, b.NamedAt = person, names[i].Effective.Add(-approval.BreakGlassNamesAfter)
	b.PerUse = *limit
	b.PerMonth = countersign.Amount{Value: countersign.FormatMinor(minor*int64(at.settings.breakGlassPerMonth()), limit.Currency), Currency: limit.Currency}
	b.UsedThisMonth = countersign.Amount{Value: countersign.FormatMinor(used, limit.Currency), Currency: limit.Currency}
	return b, nil
}

// brokenGlass records a use, which waits for its review.
func (a *Authority) brokenGlass(tx *store.Tx, row store.Approval, d countersign.Decision) error {
	state, err := stateOf(row)
	if err != nil {
		return err
	}
	u := store.BreakGlassUse{Approval: row.ID, Used: tx.Now()}
	if state.Amount != nil {
		minor, err := state.Amount.Minor()
		if err != nil {
			return err
		}
		u.Currency, u.Minor = state.Amount.Currency, max(minor, -minor)
	}
	if err := tx.InsertBreakGlassUse(u); err != nil {
		return err
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryBreakGlassUsed, subject: row.ID, actor: d.Person.ID, facts: map[string]string{"decision": d.ID}})
	if err != nil {
		return err
	}
	return a.tell(tx, w.entry, row.ID)
}

// BreakGlassUse is a use of break-glass that waits for its review.
type BreakGlassUse struct {
	Request string              `json:"request"`
	Amount  *countersign.Amount `json:"amount,omitempty"`
	UsedAt  string              `json:"used_at"`
}

// BreakGlassUses lists uses, oldest first.
type BreakGlassUses struct {
	Items []BreakGlassUse `json:"items"`
}

// BreakGlassToReview lists the uses that nobody has reviewed. After seven days one
// blocks the next use (ruling 21).
func (a *Authority) BreakGlassToReview(ctx context.Context, s Session) (*BreakGlassUses, error) {
	return look(ctx, a, s, (*reading).toReview)
}

func (r *reading) toReview() (*BreakGlassUses, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	out := &BreakGlassUses{Items: []BreakGlassUse{}}
	rows, err := r.tx.BreakGlassUses(r.tx.Now())
	for _, u := range rows {
		if u.Reviewed.IsZero() {
			out.Items = append(out.Items, viewUse(u))
		}
	}
	return out, err
}

func viewUse(u store.BreakGlassUse) BreakGlassUse {
	v := BreakGlassUse{Request: u.Approval, UsedAt: stamp(u.Used)}
	if u.Currency != "" {
		v.Amount = &countersign.Amount{Value: countersign.FormatMinor(u.Minor, u.Currency), Currency: u.Currency}
	}
	return v
}

// tookPart reports whether a person asked for a request or decided on it, or another did
// in their place.
func tookPart(tx *store.Tx, request, person string) (bool, error) {
	row, err := tx.Approval(request)
	if err != nil {
		return false, err
	}
	s, err := stateOf(row)
	return row.Requester == person ||
		slices.ContainsFunc(s.Requesters, func(r approval.Requester) bool { return r.ID == person }) ||
		slices.ContainsFunc(s.Decisions, func(d approval.Decision) bool { return d.Person == person || d.ActingFor == person }), err
}

// ReviewBreakGlass records that a controller or administrator, who did not take part
// in it, has looked at a use.
func (a *Authority) ReviewBreakGlass(ctx context.Context, s Session, request string, body StepUpBody) error {
	if err := a.member(ctx, s, GroupControllers, GroupAdministrators); err != nil {
		return err
	}
	j, err := a.stepUp(ctx, s, "review:"+request, body)
	if err != nil {
		return fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		if err := tx.ReviewBreakGlass(request, s.Person.ID); errors.Is(err, store.ErrConflict) {
			return countersign.NewProblem(countersign.CodeNotFound, "there is no use of break-glass here that waits for a review")
		} else if err != nil {
			return err
		}
		if part, err := tookPart(tx, request, s.Person.ID); err != nil {
			return err
		} else if part {
			return countersign.NewProblem(countersign.CodeForbidden, "whoever took part in it cannot review it")
		}
		detail, err := countersign.Canonical(map[string]any{"evidence": j.Evidence()})
		if err != nil {
			return err
		}
		_, err = appendEntry(tx, entry{typ: countersign.EntryBreakGlassReviewed, subject: request, actor: s.Person.ID,
			openings: map[string][]byte{countersign.OpeningDetail: detail}})
		return err
	})
	return fault(err)
}
