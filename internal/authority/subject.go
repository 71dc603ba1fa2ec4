package authority

import (
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// subjectOf names whom a change to Countersign itself is about: a person by id, or
// something that is nobody.
func subjectOf(tx *store.Tx, kind, object string) (string, error) {
	switch kind {
	case countersign.KindPeopleChange, countersign.KindFactorReset, countersign.KindBreakGlassNames:
		return object, nil
	case countersign.KindFreezeExtend, countersign.KindFreezeLift:
		f, err := tx.Freeze(object)
		return f.About, err
	case countersign.KindAlertClose:
		al, err := tx.Alert(object)
		return al.About, err
	}
	return "", nil
}

// aboutThemselves bars whom a change is about from deciding on it, for themselves or
// for another (ruling 22), before they could spoil it by having decided.
func (a *Authority) aboutThemselves(tx *store.Tx, c *caseFile, people ...string) (*countersign.Requirement, error) {
	subject, err := subjectOf(tx, c.row.Kind, c.row.Object)
	if err != nil || subject == "" || !slices.Contains(people, subject) {
		return nil, err
	}
	return &countersign.Requirement{Outcome: countersign.OutcomeDeny}, nil
}

// bystanders leaves out whom a change is about, so that one that nobody else could
// decide on says so.
func bystanders(tx *store.Tx, kind, object string, all []approval.Candidate) ([]approval.Candidate, error) {
	subject, err := subjectOf(tx, kind, object)
	if errors.Is(err, store.ErrNotFound) {
		return all, nil // it is refused where it is carried out
	}
	if err != nil || subject == "" {
		return all, err
	}
	return slices.DeleteFunc(all, func(c approval.Candidate) bool { return c.Person.ID == subject }), nil
}

// decidedByOthers refuses to carry out what its subject helped to decide.
func decidedByOthers(tx *store.Tx, c *caseFile) error {
	subject, err := subjectOf(tx, c.row.Kind, c.row.Object)
	if err != nil || subject == "" {
		return err
	}
	for _, d := range c.state.Decisions {
		if d.Stands() && (d.Person == subject || d.ActingFor == subject) {
			return countersign.NewProblem(countersign.CodeForbidden, "%s is whom this is about", d.Name)
		}
	}
	return nil
}
