package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// Reassign hands a request that waits over to another eligible person: by the nominated
// approver, or, where nobody in particular is asked, by whoever may decide. It is no
// decision, and what is required stays what it is. The new person is told.
func (a *Authority) Reassign(ctx context.Context, s Session, request string, body countersign.ReassignBody) (*countersign.Approval, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	reason, err := writtenText("/reason", body.Reason)
	if err != nil {
		return nil, err
	}
	r := &reassigning{a: a, s: s, request: request, to: body.To, reason: reason}
	if _, err := a.db.Write(ctx, r.write); err != nil {
		return nil, fault(err)
	}
	if r.refused != nil {
		return nil, fault(r.refused)
	}
	out, err := a.view(r.file, r.viewer)
	return out, fault(err)
}

// reassigning is one call of Reassign.
type reassigning struct {
	a                   *Authority
	s                   Session
	request, to, reason string

	// of the transaction, set anew whenever it runs
	of      *dossier // nil until somebody is weighed
	file    *caseFile
	viewer  viewer
	refused error
}

func (r *reassigning) write(tx *store.Tx) (err error) {
	r.refused = nil
	if r.file, r.viewer, err = r.a.find(tx, Caller{Session: &r.s}, r.request); err != nil {
		return err
	}
	c := r.file
	in, err := r.weigh(tx, c)
	if err != nil {
		return err
	}
	next, err := approval.Reassign(c.state, in)
	if err != nil {
		if next.Version == c.state.Version {
			return err
		}
		// Past its deadline: that it expired stands.
		r.refused = err
		_, err = r.a.advance(tx, &c.row, c.state, next, entry{typ: countersign.EntryRequestExpired, actor: actorSystem})
		return err
	}
	detail, err := countersign.Canonical(map[string]string{"reason": r.reason})
	if err != nil {
		return err
	}
	e := entry{typ: countersign.EntryRequestReassigned, actor: r.s.Person.ID, facts: map[string]string{"to": next.Nominated},
		openings: map[string][]byte{countersign.OpeningDetail: detail}}
	if c.state.Nominated != "" {
		e.facts["from"] = c.state.Nominated
	}
	c.row.Nominated = next.Nominated
	if _, err := r.a.advance(tx, &c.row, c.state, next, e); err != nil {
		return err
	}
	c.state = next
	return tx.Nominate(c.row.ID, next.Nominated)
}

// weigh puts together who hands over to whom, each weighed for this request, and the
// groups that the policy in force approves by.
func (r *reassigning) weigh(tx *store.Tx, c *caseFile) (approval.Reassigning, error) {
	in := approval.Reassigning{Now: tx.Now()}
	person, err := identify(tx, directory, r.to)
	if errors.Is(err, store.ErrNotFound) {
		return in, countersign.Invalid(countersign.FieldError{Pointer: "/to", Detail: "is nobody on record here"})
	} else if err != nil {
		return in, err
	}
	if r.of == nil || r.of.tx != tx {
		r.of = r.a.dossier(tx, c)
	}
	of := r.of
	if in.From, err = of.actor(r.s.Person.ID, "", false); err != nil {
		return in, err
	}
	if in.To, err = of.actor(person.ID, "", false); err != nil {
		return in, err
	}
	at, err := r.a.current(tx)
	if err != nil {
		return in, err
	}
	_, v, err := r.a.policyNow(tx, at)
	if err != nil {
		return in, err
	}
	for _, clause := range v.Fallback().Clauses {
		in.Approvers = append(in.Approvers, clause.From...)
	}
	return in, nil
}
