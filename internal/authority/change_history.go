package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindHistoryConfirm,
	groups:    []string{GroupAdministrators, GroupControllers},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutNobody,
	fields:    noFields,
	from:      nothingToFill,
	still:     nothingToFill,
	names: func(tx *store.Tx, d *countersign.Document, add func(name, text string)) error {
		v, err := tx.Vendor(d.ID)
		add("vendor", v.Name)
		return err
	},
	check: func(_ *Authority, tx *store.Tx, d *countersign.Document) error {
		if n, err := tx.Unsettled(d.ID); err != nil || n == 0 {
			return badChange("/id", "is no vendor with history that does not count yet")
		}
		return nil
	},
	apply: func(_ *Authority, tx *store.Tx, g agreed) error {
		if _, err := tx.FoldVendor(g.doc.ID, 100000); err != nil {
			return err
		}
		return tx.FactsChanged()
	},
})
