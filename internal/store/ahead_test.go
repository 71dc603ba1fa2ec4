package store_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestAheadIsOneRoundTripAndNeverStale(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write(t, db, func(tx *store.Tx) error { return errors.Join(put(tx, "a", 1), put(tx, "b", 2), put(tx, "2", 22)) })
		before := db.Trips()
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			chained := 0
			err := tx.Ahead(func() {
				get(tx, "a")
				if _, err := get(tx, "b"); err == nil { // only once there is an answer
					chained++
					get(tx, "2")
				}
				get(tx, "none")
				get(tx, "a") // asked once
			})
			if err != nil || chained != 2 {
				t.Errorf("ahead: %v, the dependent call began %d times", err, chained)
			}
			for key, want := range map[string]int{"a": 1, "b": 2, "2": 22} {
				if got, err := get(tx, key); err != nil || got != want {
					t.Errorf("%s is %d, %v, want %d", key, got, err, want)
				}
			}
			if _, err := get(tx, "none"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("what is not there: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := db.Trips().Since(before), (store.Trips{Reads: 1, Statements: 2, Together: 2}); got != want {
			t.Errorf("asked %+v, want %+v", got, want)
		}

		write(t, db, func(tx *store.Tx) error {
			if err := tx.Ahead(func() { get(tx, "a") }); err != nil {
				return err
			}
			if err := swap(tx, "a", 1, 7); err != nil {
				return err
			}
			if got, err := get(tx, "a"); err != nil || got != 7 {
				t.Errorf("after the transaction's own change it is %d, %v", got, err)
			}
			return nil
		})
	})
}

func TestAheadOnlyReads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, err := db.Write(t.Context(), func(tx *store.Tx) error {
			return tx.Ahead(func() { put(tx, "a", 1) })
		})
		if !errors.Is(err, store.ErrRefused) || count(t, db) != 0 {
			t.Errorf("a change asked ahead: %v", err)
		}
	})
}

func TestAheadFailsLikeAnyQuery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			ahead := tx.Ahead(func() {
				get(tx, "a")
				tx.Row(`SELECT nothing FROM idempotency WHERE org_id = $1`).Scan(new(int))
			})
			if ahead == nil {
				t.Error("a wrong query passed")
			}
			if _, err := get(tx, "a"); err == nil {
				t.Error("the transaction went on")
			}
			return nil
		})
		if err == nil {
			t.Error("the transaction ended well")
		}
	})
}
