package store_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// statuses reads the statuses that there are, out of where they are listed.
func statuses(t *testing.T) (all []countersign.Status) {
	t.Helper()
	source, err := os.ReadFile("../../approval.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\tStatus\w+ +Status = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, countersign.Status(m[1]))
	}
	if len(all) < 9 || !slices.Contains(all, countersign.StatusRevoked) {
		t.Fatalf("found %v", all)
	}
	return all
}

// TestEveryStatusIsOpenOrOver: a request of any status is found among what waits, or among
// what is finished, by who asked for it, and never in both: the queries name the statuses,
// and a new one must be named there too.
func TestEveryStatusIsOpenOrOver(t *testing.T) {
	all := statuses(t)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := map[countersign.Status]string{}
		write(t, db, func(tx *store.Tx) error {
			for i, s := range all {
				id := countersign.NewID(countersign.PrefixRequest, tx.Now().Add(time.Duration(i)*time.Millisecond))
				ids[s] = id
				a := store.Approval{ID: id, Source: "erp", Kind: countersign.KindInvoice, Object: string(s), Revision: "1", Document: []byte("{}"), Submission: "{}",
					Status: s, Version: 1, State: "{}", WeighedEntry: "ent_1", EntryID: "ent_1", Requester: "per_1", Created: tx.Now()}
				if err := tx.InsertApproval(&a); err != nil {
					return err
				}
			}
			return nil
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			open, err := tx.OpenRequests("", 100)
			if err != nil {
				return err
			}
			rows, err := tx.FinishedOf("per_1", time.Time{}, "", 100)
			if err != nil {
				return err
			}
			var over []string
			for _, f := range rows {
				over = append(over, f.ID)
			}
			for s, id := range ids {
				if slices.Contains(open, id) == slices.Contains(over, id) {
					t.Errorf("%s: open %v, over %v", s, slices.Contains(open, id), slices.Contains(over, id))
				}
			}
			n, err := tx.CountFinishedOf("per_1", 100)
			if n != len(over) || n+len(open) != len(all) {
				t.Errorf("%d are counted as finished, %d listed, %d open, of %d", n, len(over), len(open), len(all))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
