package authority

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// RequestPage reads a request for a page. Whoever may not see it cannot learn that it is
// there. All of it is one snapshot.
func (a *Authority) RequestPage(ctx context.Context, s Session, id string) (*RequestView, error) {
	return a.requestPage(ctx, s, id, func(*pageReader, *RequestView) error { return nil })
}

// RequestPageWhole is RequestPage with the attachments, the thread of questions, and what
// took its place.
func (a *Authority) RequestPageWhole(ctx context.Context, s Session, id string) (*RequestView, error) {
	return a.requestPage(ctx, s, id, (*pageReader).rest)
}

func (a *Authority) requestPage(ctx context.Context, s Session, id string, more func(*pageReader, *RequestView) error) (*RequestView, error) {
	head, err := a.publisher.Last()
	if err != nil && !errors.Is(err, checkpoint.ErrNotCovered) {
		return nil, fault(err)
	}
	page, err := look(ctx, a, s, func(r *reading) (*requestShown, error) { return r.request(head, id, more) })
	if err != nil {
		return nil, err
	}
	return page.whole(ctx, a, head)
}

// requestShown is a request as it was read, before its receipt is put together.
type requestShown struct {
	view    *RequestView
	c       *caseFile
	entries []audit.Logged // of the receipt
}

// whole adds the receipt, which is proven out of tiles that never change.
func (p *requestShown) whole(ctx context.Context, a *Authority, head checkpoint.Head) (*RequestView, error) {
	if p.c.allows() {
		if err := a.withReceipt(ctx, p.c, p.view.Approval, p.entries, head); err != nil {
			return nil, fault(err)
		}
	}
	return p.view, nil
}

// request reads a request for a page, with more that the page shows.
func (r *reading) request(head checkpoint.Head, id string, more func(*pageReader, *RequestView) error) (*requestShown, error) {
	a, tx, s := r.a, r.tx, r.s
	if err := s.live.MaySee(id); err != nil {
		return nil, notFound().WithCause(err)
	}
	if err := tx.Ahead(func() { requestAhead(tx, s, id) }); err != nil {
		return nil, err
	}
	f, v, err := a.find(tx, Caller{Session: &s}, id)
	if err != nil {
		return nil, err
	}
	f.asOf(tx.Now())
	p := &pageReader{a: a, tx: tx, c: f, v: v, s: s, of: a.dossier(tx, f), published: head.Tree.N, names: map[string]string{}}
	out := &requestShown{c: f}
	if out.view, err = p.read(); err != nil {
		return nil, err
	}
	if out.view.Approval, err = a.view(f, v); err != nil {
		return nil, err
	}
	if f.allows() {
		if out.entries, err = receiptEntries(tx, f); err != nil {
			return nil, err
		}
	}
	return out, more(p, out.view)
}

// requestAhead asks ahead for what the page of a request begins with.
func requestAhead(tx *store.Tx, s Session, id string) {
	findAhead(tx, Caller{Session: &s}, id)
	if entries, err := tx.EntriesAbout(id, maxTimeline); err == nil {
		if people, keys, err := actorsOf(entries); err == nil {
			tx.PeopleByID(people)
			tx.KeysByID(keys)
		}
	}
	tx.Attachments(id)
	thread, _ := tx.Questions(id)
	if ids := entriesOfThread(thread); len(ids) > 0 {
		tx.EntriesByID(ids)
		tx.OpeningsOfEach(ids)
	}
}

// RequestForm is RequestPage with what the person can prove themself with. Whoever was
// handed over sees of that what they sign in with, and no list.
func (a *Authority) RequestForm(ctx context.Context, s Session, id string) (*RequestView, error) {
	return a.requestPage(ctx, s, id, func(p *pageReader, out *RequestView) error {
		r := &reading{a: a, tx: p.tx, s: s}
		login, err := loginName(p.tx, s.Person.ID)
		out.Means = &Means{Login: login}
		if err != nil || s.browse() != nil {
			return err
		}
		have, err := r.authenticators()
		if err == nil {
			out.Means.Authenticators = have.Items
		}
		return err
	})
}

// ReassignForm is RequestPage with whom the person could hand the request over to, where
// they may: see [Authority.HandOverTo].
func (a *Authority) ReassignForm(ctx context.Context, s Session, id string) (*RequestView, error) {
	return a.requestPage(ctx, s, id, func(p *pageReader, out *RequestView) (err error) {
		if !slices.Contains(out.You.Acts, CanReassign) {
			return nil
		}
		if err := s.browse(); err != nil {
			return err
		}
		out.HandTo, err = a.handOverTo(p.tx, s, p.c)
		return err
	})
}

// InboxView is a page of the inbox with one request beside it.
type InboxView struct {
	InboxPage
	Preview *RequestView         // nil where none was asked for, or it cannot be shown
	Why     *countersign.Problem // why it cannot be shown
}

// PreviewFirst asks for the first request of the page.
const PreviewFirst = "first"

// InboxView reads a page of a person's inbox, see [Authority.Inbox], and beside it the
// request of an id, or the first one, or none where preview is "".
func (a *Authority) InboxView(ctx context.Context, s Session, q InboxQuery, preview string) (*InboxView, error) {
	head, err := a.publisher.Last()
	if err != nil && !errors.Is(err, checkpoint.ErrNotCovered) {
		return nil, fault(err)
	}
	var shown *requestShown
	out, err := look(ctx, a, s, func(r *reading) (*InboxView, error) {
		shown = nil
		page, err := r.inboxPage(q)
		if err != nil {
			return nil, err
		}
		out, id := &InboxView{InboxPage: *page}, preview
		if id == PreviewFirst && len(page.Items) > 0 {
			id = page.Items[0].ID
		}
		if id == "" || id == PreviewFirst {
			return out, nil
		}
		shown, err = r.request(head, id, func(*pageReader, *RequestView) error { return nil })
		return out, out.without(err)
	})
	if err != nil || shown == nil {
		return out, err
	}
	out.Preview, err = shown.whole(ctx, a, head)
	return out, fault(out.without(err))
}

// without keeps why a request cannot be shown: the list is shown all the same, unless
// something failed here.
func (v *InboxView) without(err error) error {
	if err == nil {
		return nil
	}
	if err = fault(err); errors.As(err, &v.Why) && v.Why.Code != countersign.CodeInternal {
		return nil
	}
	return err
}
