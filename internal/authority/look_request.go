package authority

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign"
)

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
	head, err := a.book.last()
	if err != nil && !errors.Is(err, errNotCovered) {
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
