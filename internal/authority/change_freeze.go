package authority

import (
	"errors"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindFreezeExtend,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  twoPeople,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutTheFrozen,
	fields: eachOnce(func(ch countersign.Change) string {
		if ch.Field == fieldUntil {
			return ch.Field
		}
		return ""
	}),
	from:  fromNow(freezeNow),
	still: stillNow(freezeNow),
	names: namesOfFreeze,
	check: checkExtension,
	apply: (*Authority).extendFreeze,
})

var _ = register(change{
	kind:      countersign.KindFreezeLift,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  twoPeople,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutTheFrozen,
	fields:    noFields,
	from:      nothingToFill,
	still:     nothingToFill,
	names:     namesOfFreeze,
	check:     checkFreeze,
	apply:     (*Authority).liftFreeze,
})

// fieldUntil is the field of a freeze that is extended.

func aboutTheFrozen(tx *store.Tx, d *countersign.Document) ([]string, error) {
	f, err := tx.Freeze(d.ID)
	return []string{f.About}, err
}

func namesOfFreeze(tx *store.Tx, d *countersign.Document, add func(name, text string)) error {
	f, err := tx.Freeze(d.ID)
	if err != nil {
		return err
	}
	add("frozen_because", f.Reason)
	return subjectNamed(tx, f.About, "frozen", add)
}

func freezeNow(tx *store.Tx, d *countersign.Document, _ string) (string, error) {
	f, err := tx.Freeze(d.ID)
	return stamp(f.Expires), err
}

func checkFreeze(_ *Authority, tx *store.Tx, d *countersign.Document) error {
	f, err := tx.Freeze(d.ID)
	if err != nil || !f.Lifted.IsZero() || !f.Expires.After(tx.Now()) {
		return badChange("/id", "is no freeze in force")
	}
	return nil
}

func checkExtension(a *Authority, tx *store.Tx, d *countersign.Document) error {
	if err := checkFreeze(a, tx, d); err != nil {
		return err
	}
	_, err := extendUntil(d, tx.Now())
	return err
}

func extendUntil(d *countersign.Document, now time.Time) (time.Time, error) {
	for _, ch := range d.Changes {
		if ch.Field == fieldUntil {
			t, err := time.Parse(time.RFC3339, ch.To)
			if err == nil && t.After(now) && t.Before(now.AddDate(0, 0, 90)) {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, badChange("/changes", `want {"field": "until", "to": a time within 90 days (RFC 3339)}`)
}

// extendFreeze lets a freeze last longer, which two people, not its subject, decided on.
func (a *Authority) extendFreeze(tx *store.Tx, g agreed) error {
	f, err := tx.Freeze(g.doc.ID)
	if err != nil {
		return err
	}
	until, err := extendUntil(g.doc, f.Placed)
	if err != nil {
		return err
	}
	if err := tx.ExtendFreeze(g.doc.ID, until); err != nil {
		return err
	}
	return freezeChanged(tx, g, countersign.EntryFreezePlaced)
}

// liftFreeze ends a freeze, which two people, not its subject, decided on.
func (a *Authority) liftFreeze(tx *store.Tx, g agreed) error {
	if _, err := tx.Freeze(g.doc.ID); err != nil {
		return err
	}
	if err := tx.LiftFreeze(g.doc.ID); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return freezeChanged(tx, g, countersign.EntryFreezeLifted)
}

func freezeChanged(tx *store.Tx, g agreed, typ countersign.EntryType) error {
	if _, err := appendEntry(tx, entry{typ: typ, subject: g.doc.ID, actor: g.actor, facts: g.facts()}); err != nil {
		return err
	}
	return tx.FactsChanged()
}
