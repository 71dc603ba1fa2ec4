package authority

import (
	"context"

	"github.com/countersign/countersign/internal/store"
)

// Directory is the source whose subjects are what people sign in with, and which
// every other source may use.
const Directory = directory

// IdentifyOffline finds people by a source's identifiers, on the data folder: subject
// → per_…. One that nobody has is an error.
func (a *Authority) IdentifyOffline(ctx context.Context, source string, subjects ...string) (map[string]string, error) {
	var ids map[string]string
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		ids = make(map[string]string, len(subjects))
		for _, s := range subjects {
			p, err := identify(tx, source, s)
			if err != nil {
				return err
			}
			ids[s] = p.ID
		}
		return nil
	})
	return ids, err
}
