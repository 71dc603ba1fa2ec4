package store_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestTrapUpdateIsCompareAndSwap: of two who read the same version of a request only
// one changes it, whatever the isolation of the transactions around it.
func TestTrapUpdateIsCompareAndSwap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := store.Approval{ID: "req_1", Source: "erp", Kind: "purchase_order", Object: "PO-1", Revision: "1", Digest: "d", Document: []byte("{}"),
			Submission: "{}", Status: countersign.StatusPending, Version: 1, State: "{}", WeighedEntry: "ent_1", EntryID: "ent_1"}
		write(t, db, func(tx *store.Tx) error {
			a.Created = tx.Now()
			return tx.InsertApproval(&a)
		})
		change := func(status countersign.Status) error {
			_, err := db.Write(t.Context(), func(tx *store.Tx) error {
				next := a // as it was read before, by both
				next.Status, next.Version = status, 2
				return tx.UpdateApproval(&next, 1)
			})
			return err
		}
		if err := change(countersign.StatusApproved); err != nil {
			t.Fatal(err)
		}
		if err := change(countersign.StatusDenied); !errors.Is(err, store.ErrConflict) {
			t.Errorf("the second one: %v", err)
		}
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			have, err := tx.Approval("req_1")
			if have.Status != countersign.StatusApproved || have.Version != 2 {
				t.Errorf("%s, version %d", have.Status, have.Version)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
