package authority

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// ConfirmBody confirms an enrolment: with the digits that the enrolee read out.
type ConfirmBody struct {
	Compare string     `json:"compare"` // six digits, with or without a space
	StepUp  StepUpBody `json:"step_up"`
}

// ConfirmEnrolment records that a second person has confirmed an enrolment with the
// enrolee: never the enrolee, never the inviter (ruling 14), and nobody who has an
// enrolment of the inviter's waiting. The digits that the enrolee reads out are compared
// here, so that nobody confirms without having asked. The password that came with it is
// theirs from now on.
func (a *Authority) ConfirmEnrolment(ctx context.Context, s Session, authenticator string, body ConfirmBody) error {
	if err := a.administrator(ctx, s); err != nil {
		return err
	}
	j, err := a.stepUp(ctx, s, "confirm:"+authenticator, body.StepUp)
	if err != nil {
		return fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		row, err := a.confirm(tx, s.Person.ID, authenticator, body.Compare)
		if err != nil {
			return err
		}
		detail, err := countersign.Canonical(map[string]any{"evidence": j.Evidence()})
		if err != nil {
			return err
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntryEnrolmentConfirmed, subject: row.Person, actor: s.Person.ID,
			facts: map[string]string{"authenticator": row.ID}, openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return fault(err)
}

// confirm sets an enrolment, and the password that came with it, into force.
func (a *Authority) confirm(tx *store.Tx, by, authenticator, digits string) (store.Authenticator, error) {
	row, err := tx.Authenticator(authenticator)
	if err != nil {
		return row, err
	}
	if row.Type != store.FactorPasskey && row.Type != store.FactorTOTP { // a password is confirmed with what it came with
		return row, notFound()
	}
	standing, err := standingOf(row)
	if err != nil {
		return row, err
	}
	if err := a.independent(tx, by, standing.InvitedBy); err != nil {
		return row, err
	}
	if standing, err = standing.Confirm(by, tx.Now()); err != nil {
		return row, err
	}
	if err := a.sameDigits(row, digits); err != nil {
		return row, err
	}
	if row, err = stands(tx, row, standing); err != nil {
		return row, err
	}
	return row, a.confirmPassword(tx, row, by)
}

func standingOf(row store.Authenticator) (s authn.Standing, err error) {
	return s, json.Unmarshal([]byte(row.Standing), &s)
}

// stands stores an authenticator's new standing.
func stands(tx *store.Tx, row store.Authenticator, s authn.Standing) (store.Authenticator, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return row, err
	}
	row.Standing = string(text)
	return row, tx.UpdateAuthenticator(row)
}

// independent refuses a confirmer who invited the inviter to something that nobody has
// confirmed: both could be the one person.
func (a *Authority) independent(tx *store.Tx, confirmer, inviter string) error {
	if !countersign.IsID(countersign.PrefixPerson, inviter) {
		return nil
	}
	factors, err := tx.Authenticators(inviter)
	if err != nil {
		return err
	}
	for _, f := range factors {
		s, err := standingOf(f)
		if err != nil {
			return err
		}
		if s.Confirmed() != nil && s.InvitedBy == confirmer {
			return countersign.NewProblem(countersign.CodeForbidden, "you invited whoever sent this invitation, and that enrolment is not confirmed").
				WithHint("let a third person confirm one of the two")
		}
	}
	return nil
}

// beside is what is stored with a password that waits: the authenticator that it came
// with, and is confirmed with.
type beside struct {
	Authenticator string `json:"beside"`
}

// password stores the password that came with an enrolment. Where the enrolment waits
// for a second person, so does the password, beside the one that the person has.
func (e *enrolling) password(tx *store.Tx, standing authn.Standing) error {
	a := e.a
	phc := []byte(a.hashing.Hash(e.body.Password))
	if standing.Confirmed() == nil {
		return a.setPassword(tx, e.s.Person.ID, phc)
	}
	record, err := json.Marshal(beside{e.row.ID})
	if err != nil {
		return err
	}
	text, err := json.Marshal(standing)
	if err != nil {
		return err
	}
	id := countersign.NewID(countersign.PrefixAuthenticator, tx.Now())
	return tx.InsertAuthenticator(store.Authenticator{ID: id, Person: e.s.Person.ID, Type: store.FactorPassword, Name: "password", Record: string(record), State: "{}",
		Standing: string(text), Secret: a.keys.Ring.Seal(a.place(id), phc), Created: tx.Now()})
}

// setPassword sets or replaces a person's password by its hash.
func (a *Authority) setPassword(tx *store.Tx, person string, phc []byte) error {
	all, err := tx.Authenticators(person)
	if err != nil {
		return err
	}
	if row, err := passwordOf(all); err != nil {
		return err
	} else if row.ID != "" && waits(row) == nil {
		row.Secret = a.keys.Ring.Seal(a.place(row.ID), phc)
		return tx.UpdateAuthenticator(row)
	}
	id := countersign.NewID(countersign.PrefixAuthenticator, tx.Now())
	return tx.InsertAuthenticator(store.Authenticator{ID: id, Person: person, Type: store.FactorPassword, Name: "password", Record: "{}", State: "{}", Standing: "{}",
		Secret: a.keys.Ring.Seal(a.place(id), phc), Created: tx.Now()})
}

// confirmPassword lets the password that came with an authenticator take the place of
// the one before. That one is removed, and what it opened ends with it.
func (a *Authority) confirmPassword(tx *store.Tx, with store.Authenticator, by string) error {
	all, err := tx.Authenticators(with.Person)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(f store.Authenticator) bool {
		var b beside
		return f.Type == store.FactorPassword && json.Unmarshal([]byte(f.Record), &b) == nil && b.Authenticator == with.ID && waits(f) != nil
	})
	if i < 0 {
		return nil
	}
	if old, err := passwordOf(all); err != nil {
		return err
	} else if waits(old) == nil {
		if err := a.removeFactor(tx, old, by); err != nil {
			return err
		}
	}
	standing, err := standingOf(all[i])
	if err != nil {
		return err
	}
	if standing, err = standing.Confirm(by, tx.Now()); err != nil {
		return err
	}
	_, err = stands(tx, all[i], standing)
	return err
}

// waits reports that an authenticator waits for its confirmation. One whose standing
// cannot be read waits for ever.
func waits(row store.Authenticator) error {
	s, err := standingOf(row)
	if err != nil {
		return err
	}
	return s.Confirmed()
}

// passwordOf finds the password that a person signs in with; where they have none, one
// that waits to be confirmed; else the zero row.
func passwordOf(all []store.Authenticator) (found store.Authenticator, err error) {
	for _, f := range all {
		if f.Type != store.FactorPassword {
			continue
		}
		s, err := standingOf(f)
		if err != nil {
			return found, err
		}
		if found.ID == "" || s.Confirmed() == nil {
			found = f
		}
	}
	return found, nil
}
