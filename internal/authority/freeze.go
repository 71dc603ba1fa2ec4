package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// FreezeBody places a freeze: of a vendor or a person, for at most 72 hours.
type FreezeBody struct {
	Vendor string `json:"vendor,omitempty"`
	Person string `json:"person,omitempty"` // per_…
	Reason string `json:"reason"`
	Hours  int    `json:"hours,omitempty"` // default and most: 72

	StepUp StepUpBody `json:"step_up"`
}

// freezeAgain is how long after their freeze the same person cannot freeze the same
// subject again: else one person's freeze would have no end. Another person may, once
// it is over: they answer for it themselves.
const freezeAgain = 7 * 24 * time.Hour

// Freeze stops everything of a vendor or a person for a time. It needs a step-up of
// one person (ruling 22), who is in some group; extending or lifting it is a request
// that two others decide.
func (a *Authority) Freeze(ctx context.Context, s Session, body FreezeBody) (store.Freeze, error) {
	var none store.Freeze
	if err := s.browse(); err != nil {
		return none, err
	}
	about, err := freezeSubject(body)
	if err != nil {
		return none, err
	}
	j, err := a.stepUp(ctx, s, "freeze:"+about, body.StepUp)
	if err != nil {
		return none, fault(err)
	}
	var row store.Freeze
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		row = store.Freeze{ID: countersign.NewID(countersign.PrefixFreeze, tx.Now()), About: about, Reason: body.Reason, PlacedBy: s.Person.ID,
			Placed: tx.Now(), Expires: tx.Now().Add(time.Duration(body.Hours) * time.Hour)}
		if body.Hours == 0 {
			row.Expires = tx.Now().Add(approval.MaxFreeze)
		}
		p, err := a.people(tx).candidate("", s.Person.ID)
		if err != nil {
			return err
		}
		if err := a.judged(tx, j); err != nil {
			return err
		}
		if len(p.Groups) == 0 {
			return countersign.NewProblem(countersign.CodeForbidden, "only members of a group may place a freeze").
				WithHint("tell an approver or a controller what you saw")
		}
		if err := mayFreeze(tx, about, s.Person.ID); err != nil {
			return err
		}
		f := approval.Freeze{ID: row.ID, Subject: about, PlacedBy: s.Person.ID, Placed: row.Placed, Ends: row.Expires}
		if err := approval.CheckFreeze(f, approval.FreezeActor{Person: p, Proof: proofOf(j)}); err != nil {
			return err
		}
		if err := tx.InsertFreeze(row); err != nil {
			return err
		}
		detail, err := countersign.Canonical(map[string]any{"about": about, "reason": body.Reason, "expires_at": stamp(row.Expires), "evidence": j.Evidence()})
		if err != nil {
			return err
		}
		w, err := appendEntry(tx, entry{typ: countersign.EntryFreezePlaced, subject: row.ID, actor: s.Person.ID,
			openings: map[string][]byte{countersign.OpeningDetail: detail}})
		if err != nil {
			return err
		}
		if err := a.tell(tx, w.entry, row.ID); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return row, fault(err)
}

// mayFreeze refuses what would extend a freeze, which is for two people: a second one
// while the first is in force, and the same person's again soon after it.
func mayFreeze(tx *store.Tx, about, person string) error {
	inForce, err := tx.Freezes([]string{about})
	if err != nil {
		return err
	}
	if len(inForce) > 0 {
		return countersign.NewProblem(countersign.CodeState, "this is frozen until %s already: extending a freeze is for two people", stamp(inForce[0].Expires)).
			WithHint("propose to extend it")
	}
	again, err := tx.FrozenBy(about, person, tx.Now().Add(-freezeAgain))
	if err == nil && again {
		err = countersign.NewProblem(countersign.CodeState, "you froze this within the last 7 days already: to freeze it for longer is for two people").
			WithHint("ask somebody else to freeze it, and propose to extend that")
	}
	return err
}

func freezeSubject(b FreezeBody) (string, error) {
	switch {
	case b.Reason == "" || len(b.Reason) > 2000:
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/reason", Detail: "required, at most 2000 bytes"})
	case b.Hours < 0 || b.Hours > 72:
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/hours", Detail: "want 1 to 72"})
	case (b.Vendor == "") == (b.Person == ""):
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/vendor", Detail: "want exactly one of vendor and person"})
	case b.Vendor != "":
		return store.AboutVendor(b.Vendor), nil
	case !countersign.IsID(countersign.PrefixPerson, b.Person):
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/person", Detail: "want the id of a person, as per_…"})
	}
	return b.Person, nil
}
