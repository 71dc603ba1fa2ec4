package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindAlertClose,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutTheAlerted,
	fields:    noFields,
	from:      nothingToFill,
	still:     nothingToFill,
	names:     namesOfAlert,
	check:     checkAlertOpen,
	apply:     (*Authority).closeAlert,
})

func aboutTheAlerted(tx *store.Tx, d *countersign.Document) ([]string, error) {
	al, err := tx.Alert(d.ID)
	return []string{al.About}, err
}

func namesOfAlert(tx *store.Tx, d *countersign.Document, add func(name, text string)) error {
	al, err := tx.Alert(d.ID)
	if err != nil {
		return err
	}
	add("alert", al.Title)
	add("alert_severity", al.Severity)
	return subjectNamed(tx, al.About, "alert_about", add)
}

func checkAlertOpen(_ *Authority, tx *store.Tx, d *countersign.Document) error {
	al, err := tx.Alert(d.ID)
	if err != nil || !al.Closed.IsZero() {
		return badChange("/id", "is no open alert")
	}
	return nil
}

func (a *Authority) closeAlert(tx *store.Tx, g agreed) error {
	if err := tx.CloseAlert(g.doc.ID, g.actor); err != nil {
		return err
	}
	if _, err := appendEntry(tx, entry{typ: countersign.EntryAlertClosed, subject: g.doc.ID, actor: g.actor, facts: g.facts()}); err != nil {
		return err
	}
	return tx.FactsChanged()
}
