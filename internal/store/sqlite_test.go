package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// heldGroup hands in functions while the writer is busy, so that they meet in one
// group, and returns what became of each.
func heldGroup(t *testing.T, db *store.DB, fns ...func(*store.Tx) error) []error {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		db.Write(t.Context(), func(*store.Tx) error { close(entered); <-leave; return nil })
	})
	<-entered
	errs := make([]error, len(fns))
	for i, fn := range fns {
		all.Go(func() { _, errs[i] = db.Write(t.Context(), fn) })
		for db.Queued() != i+1 { // in this order
			runtime.Gosched()
		}
	}
	close(leave)
	all.Wait()
	return errs
}

func TestGroupIsOneCommit(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	before := db.Stats()
	var fns []func(*store.Tx) error
	for i := range 100 {
		fns = append(fns, func(tx *store.Tx) error { return put(tx, fmt.Sprint(i), i) })
	}
	for i, err := range heldGroup(t, db, fns...) {
		if err != nil {
			t.Error(i, err)
		}
	}
	after := db.Stats()
	// The one that held the writer up was alone; all that waited meanwhile are one group.
	if commits := after.Commits - before.Commits; commits != 2 || after.Jobs-before.Jobs != 101 || after.Largest != 100 {
		t.Errorf("%d commits of %d functions, the largest of %d", commits, after.Jobs-before.Jobs, after.Largest)
	}
}

// TestOneFailureDoesNotSpoilTheGroup: each kind of failure between two good functions,
// in one group, where the later one sees the earlier one's writes.
func TestOneFailureDoesNotSpoilTheGroup(t *testing.T) {
	for name, bad := range map[string]func(*store.Tx) error{
		"error":          func(tx *store.Tx) error { return errors.Join(put(tx, "bad", 1), errors.New("no")) },
		"panic":          func(tx *store.Tx) error { put(tx, "bad", 1); panic("no") },
		"failed query":   func(tx *store.Tx) error { put(tx, "bad", 1); return put(tx, "bad", 2) },
		"wrong text":     func(tx *store.Tx) error { put(tx, "bad", 1); _, err := tx.Exec(`NONSENSE $1`); return err },
		"its own commit": func(tx *store.Tx) error { _, err := tx.Exec(`COMMIT`); return err },
		"unclosed rows": func(tx *store.Tx) error {
			put(tx, "bad", 1)
			tx.Query(`SELECT key FROM idempotency WHERE org_id = $1`).Next()
			return errors.New("no")
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := storetest.Open(t, storetest.SQLite(t))
			errs := heldGroup(t, db,
				func(tx *store.Tx) error { return put(tx, "first", 1) },
				bad,
				func(tx *store.Tx) error {
					if _, err := get(tx, "bad"); !errors.Is(err, store.ErrNotFound) {
						return fmt.Errorf("the failed function's row: %v", err)
					}
					return swap(tx, "first", 1, 2)
				})
			if errs[0] != nil || errs[1] == nil || errs[2] != nil {
				t.Error(errs)
			}
			if n := count(t, db); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// TestFunctionThatEndsItsGoroutine, as t.Fatal does, fails its group; the writer goes
// on.
func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	errs := heldGroup(t, db,
		func(tx *store.Tx) error { return put(tx, "a", 1) },
		func(tx *store.Tx) error { put(tx, "b", 1); runtime.Goexit(); return nil })
	if errs[0] == nil || errs[1] == nil {
		t.Error(errs)
	}
	write(t, db, func(tx *store.Tx) error { return put(tx, "c", 1) })
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestWithdrawnBeforeItStarts: a context that ends in the queue means that the
// function does not run.
func TestWithdrawnBeforeItStarts(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	entered, leave := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		db.Write(t.Context(), func(*store.Tx) error { close(entered); <-leave; return nil })
	})
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	ran, withdrawn := false, make(chan struct{})
	all.Go(func() {
		defer close(withdrawn)
		if _, err := db.Write(ctx, func(*store.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for db.Queued() != 1 {
		runtime.Gosched()
	}
	cancel()
	<-withdrawn
	close(leave)
	all.Wait()
	write(t, db, func(*store.Tx) error { return nil })
	if ran {
		t.Error("it ran")
	}
	// Once it has started its outcome counts, whatever the context does.
	ctx, cancel = context.WithCancel(t.Context())
	if _, err := db.Write(ctx, func(tx *store.Tx) error { cancel(); return put(tx, "a", 1) }); err != nil {
		t.Error(err)
	}
}

func TestSettingsAreReadBack(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000", "foreign_keys": "1", "trusted_schema": "0"} {
		values, err := db.Pragmas(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v != want {
				t.Errorf("%s is %s on connection %d, want %s", name, v, i, want)
			}
		}
	}
	values, err := db.Pragmas("query_only")
	if err != nil || len(values) < 2 || values[0] != "0" || strings.Contains(strings.Join(values[1:], ""), "0") {
		t.Errorf("query_only: %v, %v", values, err)
	}
	path := filepath.Join(t.TempDir(), "x.db")
	for _, wrong := range []string{"synchronous = NORMAL", "busy_timeout = 0", "foreign_keys = OFF"} {
		if err := store.RefusesPragma(t.Context(), path, wrong); err == nil || !strings.Contains(err.Error(), "refusing") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if err := store.RefusesPragma(t.Context(), path, "cache_spill = ON"); err != nil {
		t.Error(err)
	}
}

func TestVersionFloor(t *testing.T) {
	for version, ok := range map[string]bool{"3.51.2": false, "3.51.3": true, "3.54.1": true, "3.9.9": false, "4.0.0": true, "3.52": true, "x": false, "": false} {
		if err := store.CheckSQLiteVersion(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	cfg := storetest.SQLite(t)
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), cfg)
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second opener: %v", err)
	}
	out, err := otherProcess(t, "open", cfg.Path)
	if err == nil || !strings.Contains(out, store.ErrInUse.Error()) {
		t.Errorf("another process: %v, %s", err, out)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := otherProcess(t, "open", cfg.Path); err != nil {
		t.Errorf("another process, afterwards: %v, %s", err, out)
	}
}

// otherProcess runs this test binary again to do one thing; see TestMain.
func otherProcess(t testing.TB, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "STORE_TEST_DO="+strings.Join(args, "\n"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMain lets the test binary be another process that opens a database.
func TestMain(m *testing.M) {
	do := os.Getenv("STORE_TEST_DO")
	if do == "" {
		os.Exit(m.Run())
	}
	what, where, _ := strings.Cut(do, "\n")
	cfg := store.Config{Driver: store.SQLite, Path: where, Org: storetest.Org}
	if what == "open postgres" {
		cfg = store.Config{Driver: store.Postgres, DSN: where, Org: storetest.Org}
	}
	db, err := store.Open(context.Background(), cfg)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestDatabaseIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	db := storetest.Open(t, store.Config{Driver: store.SQLite, Path: path, Org: storetest.Org})
	write(t, db, func(tx *store.Tx) error { return put(tx, "a", 1) })
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", suffix, info.Mode())
		}
	}
}

func TestStrangePaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "per%20cent.db", "what?.db", "hash#.db", "ü&mode=memory.db"} {
		path := filepath.Join(dir, name)
		db, err := store.Open(t.Context(), store.Config{Driver: store.SQLite, Path: path, Org: storetest.Org})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		write(t, db, func(tx *store.Tx) error { return put(tx, "a", 1) })
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"", ":memory:", filepath.Join(dir, "no", "folder.db")} {
		if db, err := store.Open(t.Context(), store.Config{Driver: store.SQLite, Path: path}); err == nil {
			db.Close()
			t.Errorf("%q was opened", path)
		}
	}
}

// TestLongReadEndsWithItsContext: a scan stops when its caller has gone.
func TestLongReadEndsWithItsContext(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	rows := 0
	err := db.Read(ctx, func(tx *store.Tx) error {
		all := tx.Across().Query(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000) SELECT i FROM n`)
		for all.Next() {
			if rows++; rows == 1000 {
				cancel()
			}
		}
		return all.Err()
	})
	if !errors.Is(err, context.Canceled) || rows > 1100 {
		t.Errorf("%v after %d rows", err, rows)
	}
}

// TestManyDifferentTexts: prepared statements do not pile up.
func TestManyDifferentTexts(t *testing.T) {
	db := storetest.Open(t, storetest.SQLite(t))
	write(t, db, func(tx *store.Tx) error {
		for i := range 3000 {
			if err := tx.Row(fmt.Sprintf(`SELECT %d FROM log_head WHERE org_id = $1`, i)).Scan(new(int)); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestSameTextInsideItself: a query may run again while its rows are being read.
func TestSameTextInsideItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if db.Driver() == store.Postgres {
			t.Skip("one query at a time on a connection of PostgreSQL: read a list first")
		}
		write(t, db, func(tx *store.Tx) error {
			for i := range 3 {
				if err := put(tx, fmt.Sprint(i), i); err != nil {
					return err
				}
			}
			text := `SELECT key FROM idempotency WHERE org_id = $1 ORDER BY key`
			outer, seen := tx.Query(text), ""
			for outer.Next() {
				inner := tx.Query(text)
				for inner.Next() {
					seen += "."
				}
				if inner.Err() != nil {
					return inner.Err()
				}
			}
			if seen != "........." || outer.Err() != nil {
				return fmt.Errorf("%q, %v", seen, outer.Err())
			}
			return nil
		})
	})
}

func TestPlaceholders(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT $2 WHERE org_id = $1`:            `SELECT ?2 WHERE org_id = ?1`,
		`SELECT '$9', "a$8" WHERE org_id = $1`:   `SELECT '$9', "a$8" WHERE org_id = ?1`,
		`SELECT 1 WHERE org_id = $1 {{skip}}`:    `SELECT 1 WHERE org_id = ?1 `,
		`SELECT $1, $2, $3, $2, $10, $4 `:        "",
		`SELECT $2`:                              "",
		`SELECT $1 {{nosuch}}`:                   "",
		`SELECT $99999999999999999999 FROM x $1`: "",
	} {
		got, _, err := store.Render(text)
		if (err == nil) != (want != "") || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
