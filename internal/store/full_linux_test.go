package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// smallDisk is a file system of 4 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a small file system cannot be mounted: %v", err)
		}
		t.Skipf("a small file system cannot be mounted (run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk: a clear error, nothing acknowledged is lost, reads go on, and writes
// go on when there is space again.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := store.Config{Driver: store.SQLite, Path: filepath.Join(dir, "x.db"), Org: storetest.Org}
	fillAndGoOn(t, cfg, ballast)
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.CheckLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// fillAndGoOn fills the disk twice, makes room by taking the ballast away, writes on, and
// closes the database.
func fillAndGoOn(t *testing.T, cfg store.Config, ballast string) {
	t.Helper()
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	}()
	write(t, db, func(tx *store.Tx) error { return tx.CreateLog(storetest.Origin) })
	acknowledged := fillDisk(t, db)
	if n := count(t, db); int64(n) != acknowledged {
		t.Errorf("%d rows are there, %d were acknowledged", n, acknowledged)
	}
	acknowledged += fillDisk(t, db) // a checkpoint may have made a little room; then it is full again
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	write(t, db, func(tx *store.Tx) error { return errors.Join(big(tx, "after"), appendEntry(tx, "req_a")) })
	checkTree(t, db, 1+acknowledged)
	if n := count(t, db); int64(n) != acknowledged+1 {
		t.Errorf("%d rows are there, want %d", n, acknowledged+1)
	}
}

func big(tx *store.Tx, key string) error {
	return tx.ExecOne(`INSERT INTO idempotency
		(org_id, caller, method, path, key, fingerprint, status, body, subject, expires_us)
		VALUES ($1, 'c', 'm', 'p', $2, $3, 1, $4, '', 0)`, key, []byte("x"), make([]byte, 8<<10))
}

// fillDisk writes from several goroutines until there is no space left, and returns
// how many writes were acknowledged.
func fillDisk(t *testing.T, db *store.DB) int64 {
	t.Helper()
	round := rand.Int64()
	var acknowledged atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				_, err := db.Write(t.Context(), func(tx *store.Tx) error {
					return errors.Join(big(tx, fmt.Sprint(round, " ", g, " ", i)), appendEntry(tx, "req_a"))
				})
				if errors.Is(err, store.ErrFull) {
					return
				}
				if err != nil {
					t.Errorf("a full disk gave: %v", err)
					return
				}
				acknowledged.Add(1)
			}
			t.Error("the disk did not become full")
		})
	}
	all.Wait()
	return acknowledged.Load()
}
