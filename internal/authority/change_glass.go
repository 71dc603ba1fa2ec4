package authority

import (
	"slices"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindBreakGlassNames,
	groups:    []string{GroupAdministrators},
	deciders:  twoPeople,
	proposers: thoseWhoDecide,
	assurance: countersign.AssurancePhishingResistant,
	about:     aboutThePerson,
	fields:    eachOnce(fieldOfPerson),
	from:      fromNow(breakGlassNow),
	still:     stillNow(breakGlassNow),
	names:     nameOfPerson,
	check:     checkBreakGlassName,
	apply:     (*Authority).nameBreakGlass,
})

// fieldBreakGlass is the one field of a break-glass name: "true" or "false".
const fieldBreakGlass = "break_glass"

func breakGlassNow(tx *store.Tx, d *countersign.Document, _ string) (string, error) {
	names, err := tx.BreakGlassNames()
	named := slices.ContainsFunc(names, func(n store.BreakGlassName) bool { return n.Person == d.ID })
	return strconv.FormatBool(named), err
}

func checkBreakGlassName(a *Authority, tx *store.Tx, d *countersign.Document) error {
	if err := isPerson(a, tx, d); err != nil {
		return err
	}
	if len(d.Changes) == 0 {
		return badChange("/changes", "want at least one")
	}
	for i, ch := range d.Changes {
		if ch.Field != fieldBreakGlass || ch.To != "true" && ch.To != "false" {
			return badChange(changePointer(i), "is no change of a person that is known")
		}
	}
	return nil
}

// nameBreakGlass names or removes a person. A new name is effective after 72 hours.
func (a *Authority) nameBreakGlass(tx *store.Tx, g agreed) error {
	d := g.doc
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
	if _, err := appendEntry(tx, entry{typ: countersign.EntryBreakGlassNamed, subject: d.ID, actor: g.actor, facts: g.facts()}); err != nil {
		return err
	}
	return tx.FactsChanged()
}
