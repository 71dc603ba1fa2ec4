package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// hands is a clock that a test moves.
type hands struct {
	mu sync.Mutex
	at time.Time
}

func (h *hands) now() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.at }

func (h *hands) move(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.at = h.at.Add(d) }

// eachWithClock runs a test on every engine with a clock that it moves.
func eachWithClock(t *testing.T, test func(t *testing.T, db *store.DB, clock *hands)) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		clock := &hands{at: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
		cfg.Clock = clock.now
		test(t, storetest.Open(t, cfg), clock)
	})
}

func claim(t *testing.T, db *store.DB, limit int) []store.Claim {
	t.Helper()
	claims, err := db.Claim(t.Context(), time.Minute, limit)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func ids(claims []store.Claim) string {
	var all []string
	for _, c := range claims {
		all = append(all, c.ID)
	}
	return strings.Join(all, " ")
}

func enqueue(t *testing.T, db *store.DB, jobs ...store.Job) {
	t.Helper()
	write(t, db, func(tx *store.Tx) error {
		for _, j := range jobs {
			if err := tx.Enqueue(j); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestJobsAreClaimedAndDone(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		if _, ok, err := db.NextRun(t.Context()); ok || err != nil {
			t.Error(ok, err)
		}
		enqueue(t, db,
			store.Job{ID: "evt_1", Topic: "webhook", Subject: "req_1", Payload: []byte("one")},
			store.Job{ID: "evt_2", Topic: "webhook"},
			store.Job{ID: "evt_3", Topic: "webhook", Run: clock.now().Add(time.Hour)})
		claims := claim(t, db, 10)
		if ids(claims) != "evt_1 evt_2" || string(claims[0].Payload) != "one" || claims[0].Attempts != 1 ||
			!claims[0].Until.Equal(clock.now().Add(time.Minute)) {
			t.Fatalf("%+v", claims)
		}
		if again := claim(t, db, 10); len(again) != 0 {
			t.Errorf("claimed twice: %v", ids(again))
		}
		if err := db.Done(t.Context(), claims[0]); err != nil {
			t.Fatal(err)
		}
		if err := db.Done(t.Context(), claims[0]); !errors.Is(err, store.ErrConflict) {
			t.Errorf("done twice: %v", err)
		}
		// evt_2's claim lapses: its worker died. It is due again, and the dead worker's
		// claim is worth nothing any more.
		if at, ok, err := db.NextRun(t.Context()); err != nil || !ok || !at.Equal(clock.now().Add(time.Minute)) {
			t.Error(at, ok, err)
		}
		clock.move(time.Minute)
		second := claim(t, db, 10)
		if ids(second) != "evt_2" || second[0].Attempts != 2 {
			t.Fatalf("%+v", second)
		}
		if err := db.Done(t.Context(), claims[1]); !errors.Is(err, store.ErrConflict) {
			t.Errorf("done under a lapsed claim: %v", err)
		}
		if _, err := db.Failed(t.Context(), claims[1], store.DefaultDelivery, ""); !errors.Is(err, store.ErrConflict) {
			t.Errorf("failed under a lapsed claim: %v", err)
		}
		clock.move(time.Hour)
		if third := claim(t, db, 1); ids(third) != "evt_2" { // the longest due first, one at a time
			t.Errorf("%+v", third)
		}
	})
}

func TestFailedJobsWaitLongerAndDie(t *testing.T) {
	d := store.Delivery{Attempts: 4, First: time.Second, Longest: 3 * time.Second}
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		enqueue(t, db, store.Job{ID: "evt_1", Topic: "webhook"})
		for attempt, longest := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			claims := claim(t, db, 1)
			if len(claims) != 1 {
				t.Fatalf("attempt %d: not due", attempt+1)
			}
			dead, err := db.Failed(t.Context(), claims[0], d, "refused\x00\xff"+strings.Repeat("x", 1000))
			if err != nil || dead != (attempt == 3) {
				t.Fatal(attempt, dead, err)
			}
			if dead {
				break
			}
			at, ok, err := db.NextRun(t.Context())
			if wait := at.Sub(clock.now()); err != nil || !ok || wait < longest/2 || wait > longest {
				t.Errorf("attempt %d: waits %v, want %v to %v (%v)", attempt+1, at.Sub(clock.now()), longest/2, longest, err)
			}
			clock.move(longest)
		}
		clock.move(time.Hour)
		if claims := claim(t, db, 1); len(claims) != 0 {
			t.Error("a dead letter was claimed")
		}
		var counts store.OutboxCounts
		var letters []store.DeadLetter
		if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
			if counts, err = tx.OutboxCounts(); err != nil {
				return err
			}
			letters, err = tx.DeadLetters("", 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if counts.Dead != 1 || counts.Waiting != 0 || !counts.Oldest.IsZero() || len(letters) != 1 || letters[0].Attempts != 4 ||
			!strings.HasPrefix(letters[0].LastError, "refused\uFFFDx") || len(letters[0].LastError) > 510 {
			t.Errorf("%+v %+v", counts, letters)
		}
		write(t, db, func(tx *store.Tx) error { return tx.Requeue("evt_1") })
		if claims := claim(t, db, 1); ids(claims) != "evt_1" || claims[0].Attempts != 1 {
			t.Errorf("after requeuing: %+v", claims)
		}
		_, err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.Requeue("evt_1") })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("requeued while alive: %v", err)
		}
	})
}

// TestJobsWaitForTheirCheckpoint: nothing leaves before its entry is published.
func TestJobsWaitForTheirCheckpoint(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		var first, second string
		write(t, db, func(tx *store.Tx) error {
			a, openings := entry(tx, "req_a")
			b, more := entry(tx, "req_b")
			first, second = a.ID, b.ID
			return errors.Join(tx.AppendEntry(a, openings), tx.AppendEntry(b, more),
				tx.Enqueue(store.Job{ID: "evt_a", Topic: "x", Entry: first}),
				tx.Enqueue(store.Job{ID: "evt_b", Topic: "x", Entry: second}))
		})
		expect := func(want string) {
			t.Helper()
			_, ok, err := db.NextRun(t.Context())
			if err != nil || ok != (want != "") {
				t.Errorf("next run: %v, %v", ok, err)
			}
			if got := ids(claim(t, db, 10)); got != want {
				t.Errorf("claimed %q, want %q", got, want)
			}
		}
		expect("")
		sequence(t, db)
		expect("")
		due := db.Changed(store.OutboxGrew)
		if err := db.SetSigned(t.Context(), 1, []byte("1")); err != nil {
			t.Fatal(err)
		}
		<-due
		expect("evt_a")
		if err := db.SetSigned(t.Context(), 2, []byte("2")); err != nil {
			t.Fatal(err)
		}
		if got := ids(claim(t, db, 10)); got != "evt_b" {
			t.Errorf("claimed %q", got)
		}
	})
}

// TestEachJobIsClaimedOnce lets many workers claim at once.
func TestEachJobIsClaimedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const jobs, workers = 300, 8
		write(t, db, func(tx *store.Tx) error {
			for i := range jobs {
				if err := tx.Enqueue(store.Job{ID: fmt.Sprintf("evt_%03d", i), Topic: "x"}); err != nil {
					return err
				}
			}
			return nil
		})
		var mu sync.Mutex
		seen := map[string]int{}
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for idle := 0; idle < 3; {
					claims, err := db.Claim(context.Background(), time.Hour, 7)
					if err != nil {
						t.Error(err)
						return
					}
					if len(claims) == 0 {
						idle++
					}
					for _, c := range claims {
						mu.Lock()
						seen[c.ID]++
						mu.Unlock()
						if err := db.Done(context.Background(), c); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		if len(seen) != jobs {
			t.Errorf("%d of %d jobs were claimed", len(seen), jobs)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})
}

func TestJobsOfFailedTransactionsAreNotThere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		db.Write(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.Enqueue(store.Job{ID: "evt_1", Topic: "x"}), errors.New("no"))
		})
		_, err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(store.Job{Topic: "x"}) })
		if err == nil {
			t.Error("a job without an id was taken")
		}
		if claims := claim(t, db, 1); len(claims) != 0 {
			t.Errorf("%+v", claims)
		}
		enqueue(t, db, store.Job{ID: "evt_2", Topic: "x", Subject: "req_1"}, store.Job{ID: "evt_3", Topic: "x", Subject: "req_2"})
		write(t, db, func(tx *store.Tx) error {
			if n, err := tx.EraseJobs("req_1"); err != nil || n != 1 {
				return fmt.Errorf("erased %d, %v", n, err)
			}
			return nil
		})
		if got := ids(claim(t, db, 10)); got != "evt_3" {
			t.Error(got)
		}
	})
}
