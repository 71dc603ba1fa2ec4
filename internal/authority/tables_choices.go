package authority

import (
	"context"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// TableChoices is what the control owner's tables can be narrowed to.
type TableChoices struct {
	Kinds     []string                // the organisation's own
	Groups    []string                // that have members
	Rules     []string                // of the policy in force
	Deciders  []countersign.Principal // by name, at most 500
	Vendor    string                  // name of the vendor that the filter names; "" where it is not known
	Requester string                  // name of the requester that the filter names; "" where they are not on record
}

const mostDeciders = 500

// TableChoices lists what a filter can name, and gives the names of what this one names.
func (a *Authority) TableChoices(ctx context.Context, s Session, f TableFilter) (*TableChoices, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out *TableChoices
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		out = &TableChoices{Kinds: slices.Clone(at.settings.Kinds)}
		members, err := tx.Memberships()
		if err != nil {
			return err
		}
		for _, m := range members {
			out.Groups = append(out.Groups, m.Group)
		}
		slices.Sort(out.Groups)
		out.Groups = slices.Compact(out.Groups)
		_, v, err := a.policyNow(tx, at)
		if err != nil {
			return err
		}
		for _, r := range v.Rules() {
			out.Rules = append(out.Rules, r.Name)
		}
		if v, err := tx.Vendor(f.Vendor); err == nil {
			out.Vendor = v.Name
		}
		if p, err := tx.Person(f.Requester); err == nil {
			out.Requester = p.Name
		}
		deciders, err := tx.Deciders(mostDeciders)
		for _, p := range deciders {
			out.Deciders = append(out.Deciders, countersign.Principal{ID: p.ID, Name: p.Name})
		}
		return err
	})
	return out, fault(err)
}
