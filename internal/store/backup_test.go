package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestReaderBesideTheServer: a second process may read while the first one writes, and
// can write nothing.
func TestReaderBesideTheServer(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		fill(t, db, 10)
		r, err := store.OpenReader(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for want := int64(11); want < 20; want++ {
			fill(t, db, 1)
			h, err := r.CheckLog(t.Context(), nil)
			if err != nil || h.Size != want {
				t.Fatalf("the reader sees %d entries, want %d: %v", h.Size, want, err)
			}
		}
		if _, err := r.Write(t.Context(), func(tx *store.Tx) error { return put(tx, "a", 1) }); !errors.Is(err, store.ErrRefused) {
			t.Errorf("a reader wrote: %v", err)
		}
	})
}

func TestReaderWantsADatabase(t *testing.T) {
	dir := t.TempDir()
	cfg := store.Config{Driver: store.SQLite, Path: filepath.Join(dir, "none.db")}
	if _, err := store.OpenReader(t.Context(), cfg); err == nil {
		t.Error("a database that does not exist was opened")
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("opening left %v", names)
	}
	if err := os.WriteFile(cfg.Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenReader(t.Context(), cfg); err == nil {
		t.Error("an empty file was opened as a database")
	}
}

// TestCopyUnderLoad: a copy made while several write is whole, opens by itself and
// begins the log that went on.
func TestCopyUnderLoad(t *testing.T) {
	cfg := storetest.SQLite(t)
	db := storetest.Open(t, cfg)
	fill(t, db, 300)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := db.Write(t.Context(), func(tx *store.Tx) error { return appendEntry(tx, "req_a") }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	reader, err := store.OpenReader(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, from := range []*store.DB{db, reader} {
		path := filepath.Join(t.TempDir(), "it's a copy.db")
		if err := from.CopyTo(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		copied := storetest.Open(t, store.Config{Driver: store.SQLite, Path: path, Org: cfg.Org})
		h, err := copied.CheckLog(t.Context(), nil)
		if err != nil || h.Size < 300 {
			t.Errorf("the copy has %d entries: %v", h.Size, err)
		}
		if err := from.CopyTo(t.Context(), path); err == nil {
			t.Error("a copy overwrote a file")
		}
	}
	close(stop)
	all.Wait()
}

// TestCopyHasNoTraces: what was erased is not in a copy, not even in free pages.
func TestCopyHasNoTraces(t *testing.T) {
	cfg := storetest.SQLite(t)
	db := storetest.Open(t, cfg)
	secret := []byte("to be forgotten")
	write(t, db, func(tx *store.Tx) error { return put(tx, string(bytes.Repeat(secret, 50)), 1) })
	write(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM idempotency WHERE org_id = $1`)
		return err
	})
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.CopyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, secret) {
		t.Error("the copy holds what was deleted")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy can be read by others: %v", info.Mode())
	}
}

func TestCopyIsTheServersBusiness(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres(t))
	if err := db.CopyTo(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNotSQLite) {
		t.Errorf("copying a PostgreSQL database: %v", err)
	}
}
