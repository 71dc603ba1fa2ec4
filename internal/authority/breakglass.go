package authority

import (
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
	leaf, err := countersign.ParseLeaf(w.leaf)
	if err != nil {
		return err
	}
	return a.tell(tx, leaf, row.ID)
}

// nameBreakGlass names or removes a person. A new name is effective after 72 hours.
func (a *Authority) nameBreakGlass(tx *store.Tx, c *caseFile, d *countersign.Document, actor string) error {
	for _, ch := range d.Changes {
		var err error
		if ch.To == "true" {
			err = tx.PutBreakGlassName(d.ID, tx.Now().Add(approval.BreakGlassNamesAfter))
		} else {
			err = tx.RemoveBreakGlassName(d.ID)
		}
		if err != nil {
			return err
		}
	}
	_, err := appendEntry(tx, entry{typ: countersign.EntryBreakGlassNamed, subject: d.ID, actor: actor, facts: map[string]string{"request": c.row.ID}})
	return err
}
