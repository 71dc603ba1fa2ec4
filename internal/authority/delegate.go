package authority

import (
	"slices"

	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

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
