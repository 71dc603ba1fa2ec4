package store_test

import (
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestUseIsTheLast: each purpose has one time, and it never goes back; what was removed
// is not listed.
func TestUseIsTheLast(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		f := store.Authenticator{ID: "fac_1", Person: "per_1", Type: store.FactorTOTP, State: "{}", Standing: "{}", Version: 1}
		use := func(want int, purposes ...string) {
			t.Helper()
			write(t, db, func(tx *store.Tx) error {
				for _, p := range purposes {
					if err := tx.RecordUse(f.ID, p); err != nil {
						return err
					}
				}
				all, err := tx.Uses(f.Person)
				if err != nil {
					return err
				}
				if len(all) != want {
					t.Errorf("%d uses, want %d", len(all), want)
				}
				for _, u := range all {
					if u.Authenticator != f.ID || u.At.IsZero() || u.At.After(tx.Now()) {
						t.Errorf("%+v", u)
					}
				}
				return nil
			})
		}
		write(t, db, func(tx *store.Tx) error { f.Created = tx.Now(); return tx.InsertAuthenticator(f) })
		use(0)
		use(1, store.UseSignIn)
		use(2, store.UseSignIn, store.UseAct)
		write(t, db, func(tx *store.Tx) error { f.Removed = tx.Now(); return tx.UpdateAuthenticator(f) })
		use(0)
	})
}
