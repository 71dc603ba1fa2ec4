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
	return look(ctx, a, s, func(r *reading) (*TableChoices, error) { return r.choices(f) })
}

func (r *reading) choices(f TableFilter) (*TableChoices, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	at, err := r.settings()
	if err != nil {
		return nil, err
	}
	out := &TableChoices{Kinds: slices.Clone(at.settings.Kinds)}
	members, err := r.tx.Memberships()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		out.Groups = append(out.Groups, m.Group)
	}
	slices.Sort(out.Groups)
	out.Groups = slices.Compact(out.Groups)
	_, v, err := r.a.policyNow(r.tx, at)
	if err != nil {
		return nil, err
	}
	for _, rule := range v.Rules() {
		out.Rules = append(out.Rules, rule.Name)
	}
	if f.Vendor+f.Requester != "" {
		known, err := r.names(store.AboutVendor(f.Vendor), f.Requester)
		if err != nil {
			return nil, err
		}
		out.Vendor, out.Requester = known[store.AboutVendor(f.Vendor)], known[f.Requester]
	}
	deciders, err := r.tx.Deciders(mostDeciders)
	for _, p := range deciders {
		out.Deciders = append(out.Deciders, countersign.Principal{ID: p.ID, Name: p.Name})
	}
	return out, err
}
