package authority

import (
	"context"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// SetUpLink makes the link by which the first administrator enrols, while nobody has
// enrolled yet; afterwards it is nil. The administrator is added where they are not on
// record. Every start makes a fresh link: whoever lost the one before is not locked
// out, and the first enrolment ends them all.
func (a *Authority) SetUpLink(ctx context.Context, first NewPerson) (*Invited, error) {
	needed, err := a.NeedsSetUp(ctx)
	if err != nil || !needed {
		return nil, err
	}
	first.Groups = []string{GroupAdministrators}
	id, err := a.AddPersonOffline(ctx, first)
	if err != nil {
		return nil, err
	}
	return a.InviteOffline(ctx, id, true)
}

// overtaken reports whether a set-up link came too late: somebody has enrolled since.
func overtaken(tx *store.Tx, inv authn.Invitation) (bool, error) {
	if !inv.Setup {
		return false, nil
	}
	n, err := tx.CountAuthenticators()
	return n > 0, err
}
