package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// removal says who removes an authenticator, and why.
type removal struct {
	actor   string
	request string // req_… of the change that was agreed to, if any
	reason  string // of what was done offline: it has no request that says it
}

// resetFactors removes all of a person's authenticators, so that an invitation can
// begin anew. Their public keys stay.
func (a *Authority) resetFactors(tx *store.Tx, person string, by removal) error {
	all, err := tx.Authenticators(person)
	if err != nil {
		return err
	}
	for _, f := range all {
		// Whoever has others reset their factors may have lost them: what was approved with
		// them and not released yet goes back.
		f.Reported = tx.Now()
		if err := a.remove(tx, f, by); err != nil {
			return err
		}
	}
	if err := tx.EndSessionsOf(person); err != nil {
		return err
	}
	if err := tx.DropInvitations(person, purposeEnrol); err != nil {
		return err
	}
	return tx.FactsChanged()
}

func (a *Authority) removeFactor(tx *store.Tx, f store.Authenticator, actor string) error {
	return a.remove(tx, f, removal{actor: actor})
}

func (a *Authority) remove(tx *store.Tx, f store.Authenticator, by removal) error {
	f.Removed = tx.Now()
	if err := tx.UpdateAuthenticator(f); err != nil {
		return err
	}
	e := entry{typ: countersign.EntryAuthenticatorRemoved, subject: f.Person, actor: by.actor, facts: map[string]string{"authenticator": f.ID, "type": f.Type}}
	if by.request != "" {
		e.facts["request"] = by.request
	}
	if by.reason != "" {
		detail, err := countersign.Canonical(map[string]string{"reason": by.reason})
		if err != nil {
			return err
		}
		e.openings = map[string][]byte{countersign.OpeningDetail: detail}
	}
	w, err := appendEntry(tx, e)
	if err != nil {
		return err
	}
	return a.tell(tx, w.entry, f.Person)
}

// ResetFactorsOffline removes all of a person's authenticators on the data folder,
// stamped "operator", and makes the invitation by which they enrol anew. Of two
// administrators one cannot have the other's factors reset: a second person would have
// to decide, and the only one there is has lost them. The operator invites, so that the
// other administrator, who is then not the inviter, confirms the new enrolment.
func (a *Authority) ResetFactorsOffline(ctx context.Context, login, reason string) (*Invited, error) {
	if reason == "" || len(reason) > 2000 {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/reason", Detail: "required, at most 2000 bytes"})
	}
	var out *Invited
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		p, err := identify(tx, directory, login)
		if errors.Is(err, store.ErrNotFound) {
			return countersign.NewProblem(countersign.CodeNotFound, "nobody on record is called %q", clipText(login)).WithHint("want the login name, or per_…")
		} else if err != nil {
			return err
		}
		if !p.Active {
			return countersign.NewProblem(countersign.CodeState, "%s is not active", p.Name)
		}
		if err := a.resetFactors(tx, p.ID, removal{actor: actorOperator, reason: reason}); err != nil {
			return err
		}
		out, err = a.invite(tx, authn.Invitation{Org: tx.Org(), Person: p.ID, InvitedBy: actorOperator}, nil)
		return err
	})
	return out, err
}
