package store_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// What is read of many vendors at once is what is read of each alone, and what the tables
// hold: one with more accounts than are read does not crowd the others out.
func TestFactsOfVendorsAreThoseOfEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		accounts := map[string]int{"V-1": 70, "V-2": 2, "V-3": 0, "V-4": 1, "V-none": 0}
		write(t, db, func(tx *store.Tx) error {
			for id, n := range accounts {
				if id == "V-none" {
					continue
				}
				if err := tx.PutVendor(store.Vendor{ID: id, Name: "Name " + id, Status: "active", Source: "erp", CreatedBy: "elif", Since: day}); err != nil {
					return err
				}
				for i := range n {
					if _, err := tx.PutVendorAccount(store.VendorAccount{Vendor: id, Fingerprint: fmt.Sprintf("f%02d", i), First: day,
						Paid: day.AddDate(0, 0, i%7), Source: "erp"}); err != nil {
						return err
					}
				}
				for i, currency := range []string{"USD", "EUR", "EUR"} {
					if _, err := tx.InsertPurchase(store.Purchase{Kind: "invoice", ID: id + currency, Line: fmt.Sprint(i), Vendor: id, Currency: currency,
						Minor: int64(100 + i), Dated: day, Source: "erp", Settles: tx.Now().Add(time.Duration(i) * time.Hour)}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			ids := []string{"V-1", "V-2", "V-3", "V-4", "V-none"}
			all, err := tx.FactsOfVendors(ids, true)
			if err != nil {
				return err
			}
			for _, id := range ids {
				alone, err := tx.FactsOfVendors([]string{id}, true)
				if err != nil {
					return err
				}
				var want store.VendorFacts
				if want.Vendor, err = tx.Vendor(id); err == nil {
					want.OnRecord = true
				}
				if want.Accounts, err = tx.VendorAccounts(id); err != nil {
					return err
				}
				if want.Stats, err = tx.VendorStats(id); err != nil {
					return err
				}
				if want.Unsettled, err = tx.Unsettled(id); err != nil {
					return err
				}
				if !reflect.DeepEqual(*all[id], want) || !reflect.DeepEqual(*alone[id], want) {
					t.Errorf("%s: together %+v\nalone %+v\nwant %+v", id, *all[id], *alone[id], want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
