package store_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestTripsCountWhatIsAsked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		before := db.Trips()
		var c store.TripCounter
		ctx := store.CountTrips(t.Context(), &c)

		look := func(ctx context.Context) {
			if err := db.Read(ctx, func(tx *store.Tx) error {
				_, err := tx.Head()
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		look(ctx)
		look(t.Context()) // somebody else's
		if _, err := db.Write(ctx, func(tx *store.Tx) error {
			if err := put(tx, "a", 1); err != nil {
				return err
			}
			return swap(tx, "a", 1, 2)
		}); err != nil {
			t.Fatal(err)
		}

		want := store.Trips{Reads: 1, Writes: 1, Statements: 3}
		if got := c.Trips(); got != want {
			t.Errorf("the caller asked %+v, want %+v", got, want)
		}
		want = store.Trips{Reads: 2, Writes: 1, Statements: 4}
		if got := db.Trips().Since(before); got != want {
			t.Errorf("the database was asked %+v, want %+v", got, want)
		}
	})
}
