package authority

import (
	"context"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// SubmitRetried is Submit with something happening between what is weighed ahead and the
// writing transaction, and, with collide, with a first attempt to write that is rolled
// back as PostgreSQL does on a serialization failure.
func SubmitRetried(a *Authority, ctx context.Context, key Key, body countersign.RequestBody, between func(), collide bool) (*countersign.Approval, error) {
	s := &submission{a: a, key: key}
	if err := a.db.Read(ctx, func(tx *store.Tx) error { return s.prepare(tx, Parsed{RequestBody: body}) }); err != nil {
		return nil, err
	}
	between()
	if collide {
		boom := errors.New("40001")
		if _, err := a.db.Write(ctx, func(tx *store.Tx) error {
			if err := s.write(tx); err != nil {
				return err
			}
			return boom
		}); !errors.Is(err, boom) {
			return nil, err
		}
	}
	c, err := a.db.Write(ctx, s.write)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, &s.caseFile, c, key.viewer())
}
