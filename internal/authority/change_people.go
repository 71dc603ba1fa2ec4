package authority

import (
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindPeopleChange,
	groups:    []string{GroupAdministrators},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutThePerson,
	fields:    eachOnce(fieldOfPerson),
	from:      fromNow(personNow),
	still:     stillNow(personNow),
	names:     nameOfPerson,
	check:     checkPeopleChanges,
	apply:     (*Authority).changePerson,
})

// Fields of a people change.
const (
	fieldGroupAdd    = "group.add"
	fieldGroupRemove = "group.remove"
	fieldPrivileged  = "privileged" // "true" or "false"
	fieldActive      = "active"     // "true" or "false"
	fieldLimit       = "limit"      // "limit" or "limit:KIND"; to "30000.00 EUR", or "" to take it away
)

// fieldOfPerson is what a change of a person changes: to come into a group and to leave
// it is one thing. Which fields there are is looked at by [checkPeopleChanges].
func fieldOfPerson(ch countersign.Change) string {
	if ch.Field == fieldGroupAdd || ch.Field == fieldGroupRemove {
		return "group " + ch.To
	}
	return "field " + ch.Field
}

// personNow is what a field of a person is now. To come into a group, or to leave it, is
// from nothing.
func personNow(tx *store.Tx, d *countersign.Document, field string) (is string, err error) {
	p, err := tx.Person(d.ID)
	if err != nil {
		return "", err
	}
	name, kind, _ := strings.Cut(field, ":")
	switch name {
	case fieldPrivileged:
		is = strconv.FormatBool(p.Privileged)
	case fieldActive:
		is = strconv.FormatBool(p.Active)
	case fieldLimit:
		limits, err := tx.LimitsOf(d.ID)
		for _, l := range limits {
			if l.Kind == kind {
				is = amountText(countersign.Amount{Value: countersign.FormatMinor(l.Minor, l.Currency), Currency: l.Currency})
			}
		}
		return is, err
	}
	return is, nil
}

func checkPeopleChanges(a *Authority, tx *store.Tx, d *countersign.Document) error {
	if err := isPerson(a, tx, d); err != nil {
		return err
	}
	if len(d.Changes) == 0 {
		return badChange("/changes", "want at least one")
	}
	for i, ch := range d.Changes {
		name, kind, _ := strings.Cut(ch.Field, ":")
		ok := false
		switch name {
		case fieldGroupAdd, fieldGroupRemove:
			ok = ch.To != "" && len(ch.To) <= 100
		case fieldPrivileged, fieldActive:
			ok = ch.To == "true" || ch.To == "false"
		case fieldLimit:
			_, _, err := parseLimit(ch.To)
			ok = err == nil && (kind == "" || countersign.ValidKind(kind))
		}
		if ch.Field != name && (name != fieldLimit || kind == "") { // only a limit is for a kind
			ok = false
		}
		if !ok {
			return badChange(changePointer(i), "is no change of a person that is known")
		}
	}
	return nil
}

func parseLimit(s string) (minor int64, currency string, err error) {
	if s == "" {
		return 0, "", nil
	}
	value, currency, _ := strings.Cut(s, " ")
	minor, err = countersign.ParseMinor(value, currency)
	return minor, currency, err
}

func (a *Authority) changePerson(tx *store.Tx, g agreed) error {
	d := g.doc
	p, err := tx.Person(d.ID)
	if err != nil {
		return err
	}
	var moved groupsMoved
	for _, ch := range d.Changes {
		name, kind, _ := strings.Cut(ch.Field, ":")
		switch name {
		case fieldGroupAdd:
			err = moved.join(tx, ch.To, d.ID)
		case fieldGroupRemove:
			err = moved.leave(tx, ch.To, d.ID)
		case fieldPrivileged:
			if v := ch.To == "true"; v != p.Privileged {
				p.Privileged, p.PrivilegedSince = v, tx.Now()
			}
		case fieldActive:
			if v := ch.To == "true"; v != p.Active {
				p.Active, p.ActiveSince = v, tx.Now()
			}
		case fieldLimit:
			minor, currency, _ := parseLimit(ch.To) // checked when it was proposed
			if currency == "" {
				_, err = tx.RemoveLimit(d.ID, kind)
			} else {
				_, err = tx.PutLimit(store.PersonLimit{Person: d.ID, Kind: kind, Currency: currency, Minor: minor})
			}
		}
		if err != nil {
			return err
		}
	}
	if err := tx.UpdatePerson(p); err != nil {
		return err
	}
	if !p.Active {
		if err := tx.EndSessionsOf(d.ID); err != nil {
			return err
		}
	}

	if _, err := appendEntry(tx, entry{typ: countersign.EntryPersonChanged, subject: d.ID, actor: g.actor, facts: g.facts()}); err != nil {
		return err
	}
	if err := moved.log(tx, entry{subject: d.ID, actor: g.actor, facts: g.facts()}); err != nil {
		return err
	}
	if err := tx.FactsChanged(); err != nil {
		return err
	}
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	return a.endFounding(tx, at)
}
