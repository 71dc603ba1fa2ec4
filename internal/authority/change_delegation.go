package authority

import (
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindDelegation,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  secondPerson,
	proposers: whoeverCheckLets,
	assurance: countersign.AssuranceMFA,
	about: func(_ *store.Tx, d *countersign.Document) ([]string, error) { // whose authority it is, and who gets it
		return []string{d.ID, changedTo(d, fieldDelegate)}, nil
	},
	fields: byItsCheck,
	from:   byItsCheck,
	still:  byItsCheck,
	names:  inWhosePlace,
	check:  (*Authority).mayDelegateFor,
	apply:  (*Authority).delegateFor,
})

// Fields of a proposed delegation. The document is about the delegator.
const (
	fieldDelegate       = "to"        // per_…
	fieldDelegateStarts = "starts_at" // optional
	fieldDelegateEnds   = "ends_at"
	fieldDelegateKinds  = "kinds" // with commas between; optional
	fieldDelegateLimit  = "limit" // "35000.00 EUR"; optional
)

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
func inWhosePlace(tx *store.Tx, d *countersign.Document, _ func(name, text string)) error {
	names := map[string]string{}
	for name, id := range map[string]string{"delegator": d.ID, "delegate": changedTo(d, fieldDelegate)} {
		p, err := tx.Person(id)
		if err != nil {
			return badChange("/changes", "the %s is no person here: want an id as per_…", name)
		}
		names[name] = p.Name
	}
	d.Custom = names
	return nil
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
func (a *Authority) delegateFor(tx *store.Tx, g agreed) error {
	b, err := proposedDelegation(g.doc)
	if err != nil {
		return err
	}
	row, err := a.delegationTerms(tx, g.doc.ID, b)
	if err != nil {
		return err
	}
	row.CreatedBy = g.actor
	return a.makeDelegation(tx, row, g.facts(), map[string]any{"reason": b.Reason})
}
