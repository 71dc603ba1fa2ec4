package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// The tests use the idempotency and outbox tables as any table: they are small and
// belong to this part of the store.

func put(tx *store.Tx, key string, status int) error {
	return tx.ExecOne(`INSERT INTO idempotency
		(org_id, caller, method, path, key, fingerprint, status, body, subject, expires_us)
		VALUES ($1, 'c', 'm', 'p', $2, $3, $4, $3, '', 0)`, key, []byte("x"), status)
}

func get(tx *store.Tx, key string) (status int, err error) {
	err = tx.Row(`SELECT status FROM idempotency WHERE org_id = $1 AND key = $2`, key).Scan(&status)
	return status, err
}

func swap(tx *store.Tx, key string, from, to int) error {
	return tx.ExecOne(`UPDATE idempotency SET status = $4 WHERE org_id = $1 AND key = $2 AND status = $3`, key, from, to)
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM idempotency WHERE org_id = $1`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// write runs fn in a transaction that must succeed.
func write(t *testing.T, db *store.DB, fn func(*store.Tx) error) store.Committed {
	t.Helper()
	c, err := db.Write(t.Context(), fn)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWriteIsSeenAfterwards(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write(t, db, func(tx *store.Tx) error {
			if err := put(tx, "a", 1); err != nil {
				return err
			}
			if n, err := get(tx, "a"); err != nil || n != 1 {
				return fmt.Errorf("its own write reads as %d, %v", n, err)
			}
			return nil
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			if n, err := get(tx, "a"); err != nil || n != 1 {
				return fmt.Errorf("the committed row reads as %d, %v", n, err)
			}
			if _, err := get(tx, "b"); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("a missing row: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestOrganisationsDoNotSeeEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		other := db.For("org_11111111111111111111111111")
		write(t, db, func(tx *store.Tx) error { return put(tx, "a", 1) })
		if n := count(t, other); n != 0 {
			t.Errorf("the other organisation sees %d rows", n)
		}
		write(t, other, func(tx *store.Tx) error { return put(tx, "a", 2) })
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			var n int
			if err := tx.Across().Row(`SELECT COUNT(*) FROM idempotency WHERE key = $1`, "a").Scan(&n); err != nil {
				return err
			}
			if n != 2 {
				return fmt.Errorf("across all organisations there are %d rows, want 2", n)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestQueryThatForgetsTheOrganisationIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, text := range []string{`SELECT COUNT(*) FROM idempotency`, `SELECT COUNT(*) FROM idempotency WHERE key = $2`} {
			args := []any{}
			if strings.Contains(text, "$2") {
				args = append(args, "a")
			}
			err := db.Read(t.Context(), func(tx *store.Tx) error {
				return tx.Row(text, args...).Scan(new(int))
			})
			if err == nil {
				t.Errorf("%s was run", text)
			}
		}
		err := db.For("").Read(t.Context(), func(tx *store.Tx) error { _, err := get(tx, "a"); return err })
		if err == nil {
			t.Error("a query without any organisation was run")
		}
	})
}

func TestFailedFunctionLeavesNothing(t *testing.T) {
	boom := errors.New("boom")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, fn := range map[string]func(*store.Tx) error{
			"error": func(tx *store.Tx) error { put(tx, "a", 1); return boom },
			"panic": func(tx *store.Tx) error { put(tx, "a", 1); panic(boom) },
			// One rule for both engines: what PostgreSQL poisons, SQLite does not forgive.
			"failed query": func(tx *store.Tx) error { put(tx, "a", 1); put(tx, "a", 2); return nil },
			"bad argument": func(tx *store.Tx) error { put(tx, "a", 1); put(tx, "a\x00b", 1); return nil },
		} {
			if _, err := db.Write(t.Context(), fn); err == nil {
				t.Errorf("%s: no error", name)
			} else if name == "error" && !errors.Is(err, boom) {
				t.Errorf("%s: %v", name, err)
			} else if name == "failed query" && !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("%s: %v", name, err)
			} else if name == "bad argument" && !errors.Is(err, store.ErrText) {
				t.Errorf("%s: %v", name, err)
			}
			if n := count(t, db); n != 0 {
				t.Fatalf("%s: %d rows are left", name, n)
			}
		}
	})
}

func TestReadCannotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		err := db.Read(t.Context(), func(tx *store.Tx) error { return put(tx, "a", 1) })
		if !errors.Is(err, store.ErrRefused) {
			t.Errorf("a statement that writes: %v", err)
		}
		err = db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.Row(`DELETE FROM idempotency WHERE org_id = $1 RETURNING 1`).Scan(new(int))
		})
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("a query that writes: %v", err)
		}
	})
}

// TestSwapHasOneWinner lets 200 goroutines change one row by compare-and-swap.
func TestSwapHasOneWinner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write(t, db, func(tx *store.Tx) error { return put(tx, "a", 0) })
		var wins, losses atomic.Int64
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				_, err := db.Write(t.Context(), func(tx *store.Tx) error { return swap(tx, "a", 0, i+1) })
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, store.ErrConflict):
					losses.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if wins.Load() != 1 || losses.Load() != 199 {
			t.Errorf("%d won and %d lost", wins.Load(), losses.Load())
		}
	})
}

// TestSumIsReadInsideTheWrite lets transactions read a sum and write under a bound,
// which only serial execution keeps.
func TestSumIsReadInsideTheWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, err := db.Write(t.Context(), func(tx *store.Tx) error {
					var sum int
					if err := tx.Row(`SELECT CAST(COALESCE(SUM(status), 0) AS BIGINT) FROM idempotency WHERE org_id = $1`).Scan(&sum); err != nil {
						return err
					}
					if sum+10 > 100 {
						return errors.New("over the bound")
					}
					return put(tx, fmt.Sprint(i), 10)
				})
				if err != nil && err.Error() != "over the bound" {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := count(t, db); n != 10 {
			t.Errorf("%d rows of 10 were written under a bound of 100", n)
		}
	})
}

func TestContextThatHasEndedRunsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ran := false
		if _, err := db.Write(ctx, func(tx *store.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
			t.Errorf("error %v, ran %v", err, ran)
		}
	})
}

func TestValuesComeBack(t *testing.T) {
	type status string
	at := time.Date(2026, 11, 24, 5, 6, 7, 123456000, time.UTC)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var text *string
		write(t, db, func(tx *store.Tx) error {
			return tx.ExecOne(`INSERT INTO outbox
				(org_id, id, topic, subject, payload, entry_id, dead, attempts, run_us, last_error, created_us)
				VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, 'é', $9)`,
				"a", status("open"), "", []byte{0, 1, 2}, true, uint16(7), at, time.Time{})
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			var topic status
			var payload []byte
			var dead bool
			var attempts uint8
			var run, created time.Time
			var none *int64
			if err := tx.Row(`SELECT topic, payload, dead, attempts, run_us, created_us, last_error,
				(SELECT size FROM log_head WHERE org_id = 'nobody') FROM outbox WHERE org_id = $1 AND id = $2`, "a").
				Scan(&topic, &payload, &dead, &attempts, &run, &created, &text, &none); err != nil {
				return err
			}
			if topic != "open" || string(payload) != "\x00\x01\x02" || !dead || attempts != 7 || !run.Equal(at) ||
				!created.IsZero() || *text != "é" || none != nil {
				return fmt.Errorf("read %q %q %v %d %v %v %q %v", topic, payload, dead, attempts, run, created, *text, none)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestRowsMayBeLeftOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write(t, db, func(tx *store.Tx) error {
			for i := range 5 {
				if err := put(tx, fmt.Sprint(i), i); err != nil {
					return err
				}
			}
			return nil
		})
		for range 3 {
			write(t, db, func(tx *store.Tx) error {
				rows := tx.Query(`SELECT key FROM idempotency WHERE org_id = $1`)
				if !rows.Next() {
					return errors.New("no row")
				}
				return nil // rows are not closed
			})
		}
		all, err := func() (all []int, err error) {
			err = db.Read(t.Context(), func(tx *store.Tx) error {
				all, err = store.List(tx, func(row store.Scanner) (n int, err error) { err = row.Scan(&n); return n, err },
					`SELECT status FROM idempotency WHERE org_id = $1 ORDER BY key`)
				return err
			})
			return all, err
		}()
		if err != nil || fmt.Sprint(all) != "[0 1 2 3 4]" {
			t.Error(all, err)
		}
	})
}

func TestClosedStoreRefuses(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		db, err := store.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Write(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if err := db.Read(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("a second close: %v", err)
		}
	})
}

func TestServerTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		at, err := db.ServerTime(t.Context())
		if err != nil || time.Since(at).Abs() > time.Minute {
			t.Error(at, err)
		}
	})
}

// entry makes a log entry about a subject with one opening.
func entry(tx *store.Tx, subject string) (countersign.Leaf, map[string]countersign.Opening) {
	o := countersign.NewOpening([]byte(`{"about":"` + subject + `"}`))
	c, err := o.Commitment(countersign.OpeningDetail)
	if err != nil {
		panic(err)
	}
	return countersign.Leaf{
		Version: countersign.LeafVersion, ID: countersign.NewID(countersign.PrefixEntry, tx.Now()), Org: tx.Org(),
		Type: countersign.EntrySettingsChanged, Time: tx.Now().Format("2006-01-02T15:04:05.000000Z"),
		Subject: subject, Actor: "system", Facts: map[string]string{},
		Commitments: map[string]string{countersign.OpeningDetail: c},
	}, map[string]countersign.Opening{countersign.OpeningDetail: o}
}

func appendEntry(tx *store.Tx, subject string) error {
	leaf, openings := entry(tx, subject)
	return tx.AppendEntry(leaf, openings)
}
