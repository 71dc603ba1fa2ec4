package authority

import (
	"slices"
	"strings"

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

// proposedDelegation reads the terms out of the document that proposes them.
func proposedDelegation(d *countersign.Document) (DelegationBody, error) {
	b := DelegationBody{Reason: d.Subject}
	for i, ch := range d.Changes {
		pointer := changePointer(i)
		if ch.From != "" || slices.ContainsFunc(d.Changes[:i], func(o countersign.Change) bool { return o.Field == ch.Field }) {
			return b, countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: "a delegation is made anew: each field once, and from nothing"})
		}
		switch ch.Field {
		case fieldDelegate:
			b.To = ch.To
		case fieldDelegateStarts:
			b.Starts = ch.To
		case fieldDelegateEnds:
			b.Ends = ch.To
		case fieldDelegateKinds:
			if ch.To != "" {
				b.Kinds = strings.Split(ch.To, ",")
			}
		case fieldDelegateLimit:
			value, currency, _ := strings.Cut(ch.To, " ")
			b.Limit = &countersign.Amount{Value: value, Currency: currency}
		default:
			return b, countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: "is nothing that a delegation says: want to, starts_at, ends_at, kinds, limit"})
		}
	}
	return b, nil
}

// inWhosePlace names both people of a proposed delegation in the document, so that
// whoever decides reads names beside ids.
func inWhosePlace(tx *store.Tx, d *countersign.Document) (map[string]string, error) {
	names := map[string]string{}
	for name, id := range map[string]string{"delegator": d.ID, "delegate": changedTo(d, fieldDelegate)} {
		p, err := tx.Person(id)
		if err != nil {
			return nil, countersign.Invalid(countersign.FieldError{Pointer: "/changes", Detail: "the " + name + " is no person here: want an id as per_…"})
		}
		names[name] = p.Name
	}
	return names, nil
}

// mayDelegateFor refuses a proposed delegation that could not be made, and one that
// comes from nobody who answers for the delegator.
func (a *Authority) mayDelegateFor(tx *store.Tx, d *countersign.Document) error {
	who := d.Requester.ID
	groups, err := groupNames(tx, who)
	if err != nil {
		return err
	}
	if !slices.Contains(groups, GroupAdministrators) {
		above, err := manages(tx, who, d.ID)
		if err != nil {
			return err
		}
		if !above {
			return countersign.NewProblem(countersign.CodeForbidden, "only who is above them in the reporting line, or an administrator, proposes a delegation for somebody").
				WithHint("people make their own themselves, at once")
		}
	}
	b, err := proposedDelegation(d)
	if err != nil {
		return err
	}
	_, err = a.delegationTerms(tx, d.ID, b)
	return err
}

// delegateFor makes the delegation that a second person agreed to.
func (a *Authority) delegateFor(tx *store.Tx, c *caseFile, d *countersign.Document, actor string) error {
	b, err := proposedDelegation(d)
	if err != nil {
		return err
	}
	row, err := a.delegationTerms(tx, d.ID, b)
	if err != nil {
		return err
	}
	row.CreatedBy = actor
	return a.makeDelegation(tx, row, map[string]string{"request": c.row.ID}, map[string]any{"reason": b.Reason})
}
