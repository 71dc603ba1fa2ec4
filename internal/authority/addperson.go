package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// EndSessions signs a person out everywhere, as an administrator does who hears that a
// device was lost. It takes nothing away that signing in anew does not give back, so one
// administrator is enough; the log says who did.
func (a *Authority) EndSessions(ctx context.Context, s Session, person string) error {
	if err := a.administrator(ctx, s); err != nil {
		return err
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Person(person); err != nil {
			return err
		}
		if err := tx.EndSessionsOf(person); err != nil {
			return err
		}
		_, err := appendEntry(tx, entry{typ: countersign.EntryPersonChanged, subject: person, actor: s.Person.ID, facts: map[string]string{"sessions": "ended"}})
		return err
	})
	return fault(err)
}

// AddPersonSubject is what a step-up for adding a person is made for.
func AddPersonSubject(login string) string { return "person:" + foldLogin(login) }

// AddPerson puts somebody on record whom no directory brought in, by the name that they
// sign in with. They are in no group and have no limit: they may do nothing until two
// people have agreed to it (ruling 7).
func (a *Authority) AddPerson(ctx context.Context, s Session, p NewPerson, body StepUpBody) (id string, err error) {
	if err := a.administrator(ctx, s); err != nil {
		return "", err
	}
	facts := countersign.FactsBody{People: []countersign.PersonFact{{Subject: p.Login, Name: p.Name, Email: p.Email}}}
	if err := countersign.ValidateFacts(&facts); err != nil {
		return "", err
	}
	if len(p.Groups) > 0 {
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/groups", Detail: "nobody comes into a group by being added: propose it, and a second person decides"})
	}
	j, err := a.stepUp(ctx, s, AddPersonSubject(p.Login), body)
	if err != nil {
		return "", fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		switch known, err := identify(tx, directory, p.Login); {
		case err == nil:
			return countersign.NewProblem(countersign.CodeConflict, "%q is the login name of %s already", clipText(p.Login), known.Name)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		r := recorder{a: a, tx: tx, source: directory, actor: s.Person.ID}
		if err := r.record(facts); err != nil {
			return err
		}
		row, err := identify(tx, directory, p.Login)
		id = row.ID
		return err
	})
	return id, fault(err)
}
