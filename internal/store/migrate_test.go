package store_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestFourProcessesMigrateAtOnce starts four on one empty PostgreSQL database.
func TestFourProcessesMigrateAtOnce(t *testing.T) {
	cfg := storetest.EmptyPostgres(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if out, err := otherProcess(t, "open postgres", cfg.DSN); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	write(t, storetest.Open(t, cfg), func(tx *store.Tx) error { return put(tx, "a", 1) })
}

// TestFourProcessesOnOneFolder: one migrates and runs, the others are refused, and the
// database is whole.
func TestFourProcessesOnOneFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { otherProcess(t, "open", path) })
	}
	all.Wait()
	write(t, storetest.Open(t, store.Config{Driver: store.SQLite, Path: path, Org: storetest.Org}), func(tx *store.Tx) error { return put(tx, "a", 1) })
}

// TestOpeningAgainKeepsTheData, and a newer schema than the program's is refused.
func TestOpeningAgainKeepsTheData(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		db, err := store.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		write(t, db, func(tx *store.Tx) error { return put(tx, "a", 1) })
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = store.Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
		insert := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`
		if db.Driver() == store.Postgres {
			insert = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`
		}
		if err := db.Raw(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = store.Open(t.Context(), cfg); err == nil {
			db.Close()
			t.Error("a schema that this program does not know was opened")
		}
	})
}
