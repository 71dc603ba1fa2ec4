package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
)

// What came of a job takes its place, once: not after the claim has ended, and not a
// second time where it waits already.
func TestReplace(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		write(t, db, func(tx *store.Tx) error {
			for _, id := range []string{"evt_1", "evt_2"} {
				if err := tx.Enqueue(store.Job{ID: id, Topic: "t"}); err != nil {
					return err
				}
			}
			return nil
		})
		claims := claim(t, db, 10)
		if len(claims) != 2 {
			t.Fatalf("%d claims", len(claims))
		}
		later := store.Job{ID: "later", Topic: "t", Run: clock.now().Add(time.Hour)}
		if err := db.Replace(t.Context(), claims[0], []store.Job{{ID: "evt_1.per_1", Topic: "t"}, later}); err != nil {
			t.Fatal(err)
		}
		if err := db.Replace(t.Context(), claims[1], []store.Job{later}); err != nil {
			t.Fatalf("a job that waits already: %v", err)
		}
		if err := db.Replace(t.Context(), claims[1], []store.Job{{ID: "again", Topic: "t"}}); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("a claim that has ended: %v", err)
		}
		if got := claim(t, db, 10); len(got) != 1 || got[0].ID != "evt_1.per_1" {
			t.Fatalf("due are %v", got)
		}
		clock.move(2 * time.Hour)
		if got := claim(t, db, 10); len(got) != 2 { // the lease of the other has ended too
			t.Fatalf("an hour later %v", got)
		}
	})
}

// A job that is planned for later is not what waits longest.
func TestPlannedJobsAreNotLate(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		write(t, db, func(tx *store.Tx) error {
			return tx.Enqueue(store.Job{ID: "later", Topic: "t", Run: clock.now().Add(time.Hour)})
		})
		oldest := func() (c store.OutboxCounts) {
			if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
				c, err = tx.OutboxCounts()
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := oldest(); c.Waiting != 1 || !c.Oldest.IsZero() {
			t.Errorf("before its time: %+v", c)
		}
		clock.move(2 * time.Hour)
		if c := oldest(); c.Oldest.IsZero() {
			t.Errorf("after its time: %+v", c)
		}
	})
}

// Members are the active people of a group, and delegations those in force.
func TestWhoIsTold(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		write(t, db, func(tx *store.Tx) error {
			for _, p := range []store.Person{{ID: "per_1", Active: true}, {ID: "per_2", Active: false}, {ID: "per_3", Active: true}} {
				p.Name, p.Handle, p.Settings = p.ID, []byte(p.ID), "{}"
				if err := tx.InsertPerson(p); err != nil {
					return err
				}
			}
			for _, p := range []string{"per_1", "per_2"} {
				if _, err := tx.AddMembership("finance", p); err != nil {
					return err
				}
			}
			return errors.Join(
				tx.InsertDelegation(store.Delegation{ID: "del_1", From: "per_1", To: "per_3", Kinds: "[]", Starts: tx.Now(), Ends: tx.Now().Add(time.Hour)}),
				tx.InsertDelegation(store.Delegation{ID: "del_2", From: "per_1", To: "per_3", Kinds: "[]", Starts: tx.Now().Add(time.Minute), Ends: tx.Now().Add(time.Hour)}))
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			people, err := tx.MembersOf("finance", 10)
			if err != nil {
				return err
			}
			rows, err := tx.DelegationsFrom("per_1")
			if len(people) != 1 || people[0].ID != "per_1" || len(rows) != 1 || rows[0].ID != "del_1" {
				t.Errorf("%v %v", people, rows)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
