package authority

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// endFounding leaves the founding state once two administrators can prove themselves
// (ruling 14). It never comes back.
func (a *Authority) endFounding(tx *store.Tx, at *settingsAt) error {
	if !at.founding {
		return nil
	}
	members, err := tx.Memberships()
	if err != nil {
		return err
	}
	able := 0
	for _, m := range members {
		if m.Group != GroupAdministrators {
			continue
		}
		factors, err := tx.Authenticators(m.Person)
		if err != nil {
			return err
		}
		p, err := tx.Person(m.Person)
		if err != nil {
			return err
		}
		if p.Active && slices.ContainsFunc(factors, func(f store.Authenticator) bool { return f.Type == store.FactorPasskey || f.Type == store.FactorTOTP }) {
			able++
		}
	}
	if able < 2 {
		return nil
	}
	ended, err := tx.EndFounding()
	if err != nil || !ended {
		return err
	}
	if _, err := appendEntry(tx, entry{typ: countersign.EntryFoundingEnded, subject: tx.Org(), actor: actorSystem}); err != nil {
		return err
	}
	return tx.FactsChanged()
}

// mayFound refuses proposals of whoever is no administrator while the organisation is
// founding: one person is enough for them then, and that person is an administrator.
func mayFound(tx *store.Tx, at *settingsAt, person string) error {
	if !at.founding {
		return nil
	}
	groups, err := tx.GroupsOf(person)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(groups, func(m store.Membership) bool { return m.Group == GroupAdministrators }) {
		return countersign.NewProblem(countersign.CodeForbidden, "while the organisation is founding, only administrators propose changes").
			WithHint("it is founded when two administrators have enrolled")
	}
	return nil
}
