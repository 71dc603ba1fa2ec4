package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestServerThatWouldLoseCommitsIsRefused(t *testing.T) {
	cfg := storetest.Postgres(t)
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Raw(t.Context(), `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(t.Context(), cfg); err == nil {
		db.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), "synchronous_commit") {
		t.Error(err)
	}
}

func TestUnreachableServer(t *testing.T) {
	_, err := store.Open(t.Context(), store.Config{Driver: store.Postgres, DSN: "host=/nonexistent user=x dbname=x"})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := store.Open(t.Context(), store.Config{Driver: store.Postgres, DSN: "host=x port=abc"}); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a wrong connection string: %v", err)
	}
	if _, err := store.Open(t.Context(), store.Config{Driver: "mysql"}); err == nil {
		t.Error("an unknown driver was opened")
	}
}

// TestLostConnection ends the server's process in the middle of a transaction: a clear
// error, nothing written, and the next transaction has a new connection.
func TestLostConnection(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres(t))
	_, err := db.Write(t.Context(), func(tx *store.Tx) error {
		if err := put(tx, "a", 1); err != nil {
			return err
		}
		return tx.Row(`SELECT pg_terminate_backend(pg_backend_pid()), $1`).Scan(new(bool), new(string))
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	write(t, db, func(tx *store.Tx) error { return put(tx, "b", 1) })
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestCallerWhoHangsUp: its queries end, its commit does not.
func TestCallerWhoHangsUp(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres(t))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := db.Write(ctx, func(tx *store.Tx) error {
		if err := put(tx, "a", 1); err != nil {
			return err
		}
		cancel()
		return nil
	}); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if _, err := db.Write(ctx, func(tx *store.Tx) error { cancel(); return put(tx, "b", 1) }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestCollisionIsNotTheCallersMatter: even a function that overlooks the error of a
// collision is run again.
func TestCollisionIsNotTheCallersMatter(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres(t))
	write(t, db, func(tx *store.Tx) error { return put(tx, "a", 0) })
	runs := 0
	write(t, db, func(tx *store.Tx) error {
		runs++
		n, err := get(tx, "a")
		if err != nil {
			return err
		}
		if runs == 1 { // somebody else, in between
			if _, err := db.Write(context.Background(), func(tx *store.Tx) error { return swap(tx, "a", 0, 10) }); err != nil {
				return err
			}
		}
		swap(tx, "a", n, n+1)
		return nil
	})
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		if n, err := get(tx, "a"); n != 11 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return nil
	})
	if err != nil || runs != 2 || db.Stats().Retries != 1 {
		t.Errorf("%v, %d runs, %d retries", err, runs, db.Stats().Retries)
	}
}
