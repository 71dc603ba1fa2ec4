package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

var _ = register(change{
	kind:      countersign.KindFactorReset,
	groups:    []string{GroupAdministrators},
	deciders:  secondPerson,
	proposers: thoseWhoDecide,
	assurance: countersign.AssuranceMFA,
	about:     aboutThePerson,
	fields:    noFields,
	from:      nothingToFill,
	still:     nothingToFill,
	names:     nameOfPerson,
	check:     isPerson,
	apply: func(a *Authority, tx *store.Tx, g agreed) error {
		return a.resetFactors(tx, g.doc.ID, removal{actor: g.actor, request: g.request})
	},
})
