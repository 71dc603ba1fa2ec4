package authority

import (
	"context"
	"encoding/json"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// What an authenticator was used for last, as [AuthenticatorView] says it.
const (
	UsedForSignIn   = store.UseSignIn
	UsedForAct      = store.UseAct
	UsedForDecision = store.UseDecision
)

// usedDecisions is how many decisions of a person are looked through for the last one
// that an authenticator was used for.
const usedDecisions = 200

// lastUse is the last use of an authenticator: when and for what, or since when there
// was none.
type lastUse struct {
	at      time.Time
	purpose string
	unused  time.Time // no use since then is certain, and what was before is not known
}

func (u *lastUse) see(at time.Time, purpose string) {
	if at.After(u.at) {
		u.at, u.purpose = at, purpose
	}
}

// lastUses reads what each of a person's authenticators was used for last. Decisions
// hold the evidence themselves, and are read there; what else was proven was written
// down, as is every use of a password, which evidence does not name.
func lastUses(tx *store.Tx, person string, rows []store.Authenticator) (map[string]*lastUse, error) {
	out, passwords := map[string]*lastUse{}, map[string]bool{}
	for _, row := range rows {
		out[row.ID], passwords[row.ID] = &lastUse{}, row.Type == store.FactorPassword
	}
	recorded, err := tx.Uses(person)
	if err != nil {
		return nil, err
	}
	see := func(id string, at time.Time, purpose string) {
		if u := out[id]; u != nil {
			u.see(at, purpose)
		}
	}
	for _, u := range recorded {
		see(u.Authenticator, u.At, u.Purpose)
	}
	made, err := tx.LastDecisions(person, usedDecisions)
	if err != nil {
		return nil, err
	}
	for _, d := range made {
		var body struct {
			Evidence countersign.Evidence `json:"evidence"`
		}
		if err := json.Unmarshal([]byte(d.Body), &body); err != nil {
			return nil, err
		}
		e := body.Evidence
		if e.Passkey != nil {
			see(e.Passkey.Authenticator, d.At, UsedForDecision)
		}
		if e.TOTP != nil {
			see(e.TOTP.Authenticator, d.At, UsedForDecision)
		}
	}
	if len(made) == usedDecisions {
		oldest := made[len(made)-1].At
		for id, u := range out {
			if u.at.Before(oldest) && !passwords[id] {
				*u = lastUse{unused: oldest}
			}
		}
	}
	return out, nil
}

// passwordUsed writes down that a password was right and is used for an act. It is a
// transaction of its own, and a small one beside the hash.
func (a *Authority) passwordUsed(ctx context.Context, id string, purpose authn.Purpose) error {
	what := store.UseAct
	if purpose == authn.PurposeDecide {
		what = store.UseDecision
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error { return tx.RecordUse(id, what) })
	return err
}
