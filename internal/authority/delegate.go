package authority

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// delegator finds the delegation under which a person acts for another: of several, the
// one that lets the most pass.
func (a *Authority) delegator(tx *store.Tx, c *caseFile, person, from string) (*approval.Delegator, error) {
	if countersign.InternalKind(c.row.Kind) {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "changes to Countersign itself are not decided in another's place")
	}
	all, err := tx.DelegationsTo(person)
	if err != nil {
		return nil, err
	}
	var best *approval.Delegation
	for _, row := range all {
		if row.From != from {
			continue
		}
		d, err := a.delegationFor(tx, row, c.row.Kind)
		if err != nil {
			return nil, err
		}
		if best == nil || wider(d, *best, c.row.Kind) {
			best = &d
		}
	}
	if best == nil {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "nobody of that id has delegated to you now")
	}
	p, err := a.candidate(tx, c.row.Kind, from)
	return &approval.Delegator{Person: p, Delegation: *best}, err
}

// delegationFor is a delegation for a document of a kind, its limit in the currency that
// amounts are compared in. Where a kind has no amount by its nature, a limit bounds
// nothing: such a kind is covered where it is named, and otherwise held to a limit that
// it can never be shown to keep.
func (a *Authority) delegationFor(tx *store.Tx, row store.Delegation, kind string) (approval.Delegation, error) {
	d, err := delegationOf(row)
	if err != nil || d.Limit == nil {
		return d, err
	}
	if moneyless(kind) {
		if slices.Contains(d.Kinds, kind) {
			d.Limit = nil
		}
		return d, nil
	}
	d.Limit, err = a.limitInBase(tx, []store.PersonLimit{{Currency: row.Currency, Minor: row.Minor}}, kind)
	return d, err
}

// wider reports whether a delegation lets more of a kind pass than another.
func wider(d, other approval.Delegation, kind string) bool {
	covers := func(d approval.Delegation) bool { return len(d.Kinds) == 0 || slices.Contains(d.Kinds, kind) }
	if covers(d) != covers(other) {
		return covers(d)
	}
	if d.Limit == nil || other.Limit == nil {
		return d.Limit == nil && other.Limit != nil
	}
	x, errX := d.Limit.Minor()
	y, errY := other.Limit.Minor()
	return errX == nil && errY == nil && x > y
}
