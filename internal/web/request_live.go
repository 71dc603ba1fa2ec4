package web

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// changedView says that the request is no longer as it is shown.
type changedView struct{ Path, Text string }

// watchRequest tells an open page that its request has changed: once, and without
// touching what is being read.
func watchRequest(v *visit) error { return v.stream((*stream).followRequest) }

// errTold ends a stream that has said all it had to say.
var errTold = errors.New("told")

func (s *stream) followRequest(ctx context.Context) error {
	v, id := s.v, s.v.path("id")
	changes, err := v.org.Watch(ctx, *v.session)
	if err != nil {
		return s.over("inbox.over.session")
	}
	// Looked at after the watch began: what changed in between is seen by one or the other.
	now, err := v.org.Get(ctx, v.caller(), id)
	if err != nil { // not there, or not the visitor's to see any more
		s.event("over", nil)
		return nil
	}
	if strconv.FormatInt(now.Version, 10) != v.query("version") {
		return s.changed(id)
	}
	s.write([]byte(": open\n\n"))
	_, err = s.watch(ctx, changes, func(all []authority.Change) error {
		if !slices.ContainsFunc(all, func(c authority.Change) bool {
			return c.Resync || c.Request == id && c.Type != countersign.EntryAttachmentStored
		}) {
			return nil
		}
		if err := s.changed(id); err != nil {
			return err
		}
		return errTold
	})
	if errors.Is(err, errTold) {
		return nil
	}
	return err
}

// changed shows the banner; after it the page need not ask again.
func (s *stream) changed(id string) error {
	b, err := s.v.site.execute("request", "changed", changedView{Path: "/r/" + id, Text: s.v.t("request.changed")})
	if err != nil {
		return err
	}
	s.event("", b.Bytes())
	s.event("over", nil)
	return nil
}
