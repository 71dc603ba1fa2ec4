package authority

import (
	"context"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Cancel is [Authority.Withdraw] without a reason.
func (a *Authority) Cancel(ctx context.Context, c Caller, id string) (*countersign.Approval, error) {
	return a.Withdraw(ctx, c, id, "")
}

// Withdraw takes a request back before it is released, whether it waits or is approved:
// by the source that submitted it, or by whoever asked. The reason may be empty. Those
// who decided are told. Withdrawing it again changes nothing.
func (a *Authority) Withdraw(ctx context.Context, c Caller, id, reason string) (*countersign.Approval, error) {
	w := &withdrawing{a: a, c: c, id: id}
	switch {
	case c.Key != nil:
		if err := c.Key.need(authn.ScopeSubmit); err != nil {
			return nil, err
		}
		w.by.Source, w.actor = c.Key.Source, c.Key.ID
	case c.Session != nil:
		if err := c.Session.browse(); err != nil {
			return nil, err
		}
		w.by.Person, w.actor = c.Session.Person.ID, c.Session.Person.ID
	}
	if reason != "" {
		var err error
		if w.reason, err = writtenText("/reason", reason); err != nil {
			return nil, err
		}
	}
	_, err := a.db.Write(ctx, w.write)
	if err == nil {
		err = w.refused
	}
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.view(w.file, w.viewer)
	return out, fault(err)
}

// withdrawing is one call of Withdraw.
type withdrawing struct {
	a          *Authority
	c          Caller
	id, reason string
	by         approval.By
	actor      string

	// of the write, set anew whenever it runs
	file    *caseFile
	viewer  viewer
	refused error
}

func (w *withdrawing) write(tx *store.Tx) (err error) {
	w.refused = nil
	if w.file, w.viewer, err = w.a.find(tx, w.c, w.id); err != nil {
		return err
	}
	f := w.file
	if f.state.Status == countersign.StatusCancelled {
		return nil
	}
	next, err := approval.Cancel(f.state, w.by, tx.Now())
	e := entry{typ: countersign.EntryRequestCancelled, actor: w.actor}
	if err != nil {
		if next.Version == f.state.Version {
			return err
		}
		// Past its deadline: that it expired stands.
		w.refused, e = err, entry{typ: countersign.EntryRequestExpired, actor: actorSystem}
	} else if w.reason != "" {
		detail, err := countersign.Canonical(map[string]string{"reason": w.reason})
		if err != nil {
			return err
		}
		e.openings = map[string][]byte{countersign.OpeningDetail: detail}
	}
	if _, err := w.a.advance(tx, &f.row, f.state, next, e); err != nil {
		return err
	}
	f.state = next
	return nil
}
