package authority

import (
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// subjectsOf names whom a change to Countersign itself is about: people by id, or
// something that is nobody.
func subjectsOf(tx *store.Tx, d *countersign.Document) ([]string, error) {
	if kind := changes[d.Kind]; kind != nil {
		return kind.about(tx, d)
	}
	return nil, nil
}

// aboutThemselves bars whom a change is about from deciding on it, for themselves or
// for another (ruling 22), before they could spoil it by having decided.
func (a *Authority) aboutThemselves(tx *store.Tx, c *caseFile, people ...string) (*countersign.Requirement, error) {
	m, err := c.matter()
	if err != nil {
		return nil, err
	}
	subjects, err := subjectsOf(tx, m.doc)
	if err != nil || !slices.ContainsFunc(people, func(p string) bool { return p != "" && slices.Contains(subjects, p) }) {
		return nil, err
	}
	return &countersign.Requirement{Outcome: countersign.OutcomeDeny}, nil
}

// bystanders leaves out whom a change is about, so that one that nobody else could
// decide on says so.
func bystanders(tx *store.Tx, d *countersign.Document, all []approval.Candidate) ([]approval.Candidate, error) {
	subjects, err := subjectsOf(tx, d)
	if errors.Is(err, store.ErrNotFound) {
		return all, nil // it is refused where it is carried out
	}
	if err != nil {
		return all, err
	}
	return slices.DeleteFunc(all, func(c approval.Candidate) bool { return slices.Contains(subjects, c.Person.ID) }), nil
}

// decidedByOthers refuses to carry out what its subject helped to decide.
func decidedByOthers(tx *store.Tx, c *caseFile, doc *countersign.Document) error {
	subjects, err := subjectsOf(tx, doc)
	if err != nil {
		return err
	}
	for _, d := range c.state.Decisions {
		if d.Stands() && (slices.Contains(subjects, d.Person) || (d.ActingFor != "" && slices.Contains(subjects, d.ActingFor))) {
			return countersign.NewProblem(countersign.CodeForbidden, "%s is whom this is about", d.Name)
		}
	}
	return nil
}
