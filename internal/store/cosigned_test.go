package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// The last cosigned checkpoint is replaced only by whoever has read it, never by a
// smaller one, and never by one of more entries than there are.
func TestCosignedCheckpointsCompareAndSwap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db, 5)
		if _, err := db.Cosigned(t.Context()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a new log is cosigned: %v", err)
		}
		at := func(size int64, by string) store.Cosigned {
			return store.Cosigned{Size: size, Checkpoint: fmt.Appendf(nil, "checkpoint %d of %s", size, by)}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(db.SetSigned(t.Context(), 3, []byte("checkpoint 3")))
		for _, step := range []struct {
			name      string
			old, next store.Cosigned
			ok        bool
		}{
			{"more than there is", store.Cosigned{}, at(6, "a"), false},
			{"the first", store.Cosigned{}, at(3, "a"), true},
			{"the first again", store.Cosigned{}, at(4, "a"), false},
			{"a second witness", at(3, "a"), at(3, "ab"), true},
			{"from what was replaced", at(3, "a"), at(4, "a"), false},
			{"more than there is, later", at(3, "ab"), at(6, "a"), false},
			{"larger", at(3, "ab"), at(4, "a"), true},
			{"smaller", at(4, "a"), at(3, "a"), false},
			{"none", at(4, "a"), store.Cosigned{Size: 5}, false},
		} {
			if err := db.SetCosigned(t.Context(), step.old, step.next); (err == nil) != step.ok {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		c, err := db.Cosigned(t.Context())
		if err != nil || c.Size != 4 || string(c.Checkpoint) != "checkpoint 4 of a" {
			t.Errorf("%+v, %v", c, err)
		}
		h, err := db.Head(t.Context())
		if err != nil || string(h.Checkpoint) != "checkpoint 3 of ab" {
			t.Errorf("what was published of the same size is %q, %v", h.Checkpoint, err)
		}
		write(t, db, func(tx *store.Tx) error { return tx.ReopenLog(storetest.Origin, "new.example/log") })
		if _, err := db.Cosigned(t.Context()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a log of a new origin is cosigned: %v", err)
		}
	})
}
