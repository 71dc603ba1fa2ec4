package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// A person's delegations are found in either part, newest first, a page at a time; one
// that was ended or is over counts no more, and is ended once.
func TestDelegations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var ids []string
		for i, pair := range [][2]string{{"per_a", "per_b"}, {"per_b", "per_c"}, {"per_a", "per_c"}, {"per_d", "per_e"}} {
			write(t, db, func(tx *store.Tx) error {
				now := tx.Now().Add(time.Duration(i) * time.Second) // ids sort by the time they were made
				d := store.Delegation{ID: countersign.NewID(countersign.PrefixDelegation, now), From: pair[0], To: pair[1], Kinds: "[]",
					Starts: tx.Now(), Ends: tx.Now().Add(time.Hour), Created: tx.Now(), CreatedBy: "operator"}
				if i == 2 {
					d.Starts, d.Ends = tx.Now().Add(-2*time.Hour), tx.Now().Add(-time.Hour)
				}
				ids = append(ids[:i], d.ID)
				return tx.InsertDelegation(d)
			})
		}
		list := func(person, before string, limit int) (found []int) {
			err := db.Read(t.Context(), func(tx *store.Tx) error {
				found = nil
				rows, err := tx.Delegations(person, before, limit)
				for _, r := range rows {
					for i, id := range ids {
						if id == r.ID {
							found = append(found, i)
						}
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, c := range []struct {
			person, before string
			limit          int
			want           string
		}{{"", "", 10, "3210"}, {"per_a", "", 10, "20"}, {"per_b", "", 10, "10"}, {"per_c", "", 1, "2"}, {"per_c", ids[2], 10, "1"}, {"", ids[1], 10, "0"}, {"per_x", "", 10, ""}} {
			have := ""
			for _, i := range list(c.person, c.before, c.limit) {
				have += string(rune('0' + i))
			}
			if have != c.want {
				t.Errorf("of %q before %q: %s, want %s", c.person, c.before, have, c.want)
			}
		}
		counted := func(person string) (n int) {
			if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
				n, err = tx.CountDelegationsFrom(person)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := counted("per_a"); n != 1 {
			t.Errorf("%d count for whom one is over", n)
		}
		write(t, db, func(tx *store.Tx) error { return tx.RevokeDelegation(ids[0]) })
		if n := counted("per_a"); n != 0 {
			t.Errorf("%d count after the last was ended", n)
		}
		if _, err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.RevokeDelegation(ids[0]) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("ended twice: %v", err)
		}
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			d, err := tx.Delegation(ids[0])
			if err == nil && (d.To != "per_b" || d.Revoked.IsZero()) {
				t.Errorf("%+v", d)
			}
			if _, missing := tx.Delegation("del_x"); !errors.Is(missing, store.ErrNotFound) {
				t.Errorf("one that is not there: %v", missing)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
