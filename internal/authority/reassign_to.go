package authority

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// maxOffered is the most people who are judged to be offered a request.
const maxOffered = 60

// HandOverTo lists the people to whom the person could hand a request over now, by name:
// each is judged as [Authority.Reassign] would, which judges again. Of very many, those
// in the groups that the request asks come first, and the rest is left out.
func (a *Authority) HandOverTo(ctx context.Context, s Session, request string) ([]countersign.Principal, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	return look(ctx, a, s, func(r *reading) ([]countersign.Principal, error) {
		c, _, err := a.find(r.tx, Caller{Session: &s}, request)
		if err != nil {
			return nil, err
		}
		return a.handOverTo(r.tx, s, c)
	})
}

func (a *Authority) handOverTo(tx *store.Tx, s Session, c *caseFile) ([]countersign.Principal, error) {
	ids, err := a.inQuestion(tx, s, c)
	if err != nil {
		return nil, err
	}
	of := a.dossier(tx, c)
	if err := of.expect(append([]string{s.Person.ID}, ids...)...); err != nil {
		return nil, err
	}
	to := func(id string) (approval.Reassigning, error) {
		return (&reassigning{a: a, s: s, request: c.row.ID, to: id, of: of}).weigh(tx, c)
	}
	if err := tx.Ahead(func() {
		for _, id := range ids {
			to(id)
		}
	}); err != nil {
		return nil, err
	}
	var out []countersign.Principal
	for _, id := range ids {
		in, err := to(id)
		if err != nil {
			return nil, err
		}
		if _, err := approval.Reassign(c.state, in); err == nil {
			out = append(out, countersign.Principal{ID: in.To.Person.ID, Name: in.To.Person.Name})
		}
	}
	slices.SortFunc(out, func(a, b countersign.Principal) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// inQuestion are those who may come into question: whoever is in a group that the request
// asks, that the policy approves by, or that whoever hands over is in, and their managers.
func (a *Authority) inQuestion(tx *store.Tx, s Session, c *caseFile) ([]string, error) {
	me := &reassigning{a: a, s: s, to: s.Person.ID}
	in, err := me.weigh(tx, c)
	if err != nil {
		return nil, err
	}
	var asked []string
	for _, clause := range c.state.Clauses() {
		asked = append(asked, clause.From...)
	}
	members, err := tx.Memberships()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, groups := range [][]string{asked, in.Approvers, in.From.Person.Groups} {
		for _, m := range members {
			if slices.Contains(groups, m.Group) && m.Person != s.Person.ID && !slices.Contains(ids, m.Person) {
				ids = append(ids, m.Person)
			}
		}
	}
	if line := in.From.Person.Managers; len(line) > 0 && !slices.Contains(ids, line[0]) {
		ids = append([]string{line[0]}, ids...)
	}
	return ids[:min(len(ids), maxOffered)], nil
}
