package store_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

func queueJob(tx *store.Tx, id string) error {
	return tx.Enqueue(store.Job{ID: id, Topic: "t"})
}

func jobThere(tx *store.Tx, id string) bool {
	return tx.Row(`SELECT id FROM outbox WHERE org_id = $1 AND id = $2`, id).Scan(new(string)) == nil
}

func TestTogetherIsOneRoundTripInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		before := db.Trips()
		write(t, db, func(tx *store.Tx) error {
			return tx.Together(func() error { return errors.Join(queueJob(tx, "a"), queueJob(tx, "b"), queueJob(tx, "c")) })
		})
		if got, want := db.Trips().Since(before), (store.Trips{Writes: 1, Statements: 1, Together: 2}); got != want {
			t.Errorf("asked %+v, want %+v", got, want)
		}

		write(t, db, func(tx *store.Tx) error {
			return tx.Together(func() error {
				if err := queueJob(tx, "d"); err != nil {
					return err
				}
				if !jobThere(tx, "d") || !jobThere(tx, "a") {
					t.Error("a question comes before what was written before it")
				}
				return tx.Ahead(func() { jobThere(tx, "d") })
			})
		})
	})
}

func TestTogetherIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sorry := errors.New("sorry")
		for name, c := range map[string]struct {
			fn   func(tx *store.Tx) error
			want error
		}{
			"a statement that fails": {func(tx *store.Tx) error { return errors.Join(queueJob(tx, "x"), queueJob(tx, "x")) }, nil},
			"the function fails":     {func(tx *store.Tx) error { return errors.Join(queueJob(tx, "x"), sorry) }, sorry},
		} {
			_, err := db.Write(t.Context(), func(tx *store.Tx) error {
				if err := queueJob(tx, "y"); err != nil {
					return err
				}
				tx.Together(func() error { return c.fn(tx) }) // an error that is overheard
				return nil
			})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			db.Read(t.Context(), func(tx *store.Tx) error {
				if jobThere(tx, "x") || jobThere(tx, "y") {
					t.Errorf("%s: a part was committed", name)
				}
				return nil
			})
		}
	})
}
