package authority

import (
	"context"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// SetUp is the invitation of the first administrator.
type SetUp struct {
	Invited
	Name string // whose it is
}

// SetUpLink makes the link by which the first administrator enrols, while nobody has
// enrolled yet; afterwards it is nil. The administrator is added where they are not on
// record; without a login it is the one who was named before. Every start makes a
// fresh link, which withdraws the one before: whoever lost it is not locked out.
func (a *Authority) SetUpLink(ctx context.Context, first NewPerson) (*SetUp, error) {
	needed, err := a.NeedsSetUp(ctx)
	if err != nil || !needed {
		return nil, err
	}
	var person store.Person
	if first.Login == "" {
		if person, err = a.firstAdministrator(ctx); err != nil {
			return nil, err
		}
		first.Login = "admin"
	}
	if first.Name == "" {
		first.Name = "First administrator"
	}
	if person.ID == "" {
		first.Groups = []string{GroupAdministrators}
		person.Name = first.Name
		if person.ID, err = a.AddPersonOffline(ctx, first); err != nil {
			return nil, err
		}
	}
	inv, err := a.InviteOffline(ctx, person.ID, true)
	if err != nil {
		return nil, err
	}
	return &SetUp{*inv, person.Name}, nil
}

// firstAdministrator is the administrator who was named first, or nobody.
func (a *Authority) firstAdministrator(ctx context.Context) (p store.Person, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		p = store.Person{}
		members, err := tx.Memberships()
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Group != GroupAdministrators {
				continue
			}
			q, err := tx.Person(m.Person)
			if err != nil {
				return err
			}
			if p.ID == "" || q.Created.Before(p.Created) {
				p = q
			}
		}
		return nil
	})
	return p, err
}

// overtaken reports whether a set-up link came too late: somebody has enrolled since.
func overtaken(tx *store.Tx, inv authn.Invitation) (bool, error) {
	if !inv.Setup {
		return false, nil
	}
	n, err := tx.CountAuthenticators()
	return n > 0, err
}
