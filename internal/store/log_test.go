package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"golang.org/x/mod/sumdb/tlog"
)

// sequence places all entries that wait.
func sequence(t *testing.T, db *store.DB) store.Head {
	t.Helper()
	h, err := db.Sequence(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fill appends n entries, a few in each transaction, and places them.
func fill(t *testing.T, db *store.DB, n int) store.Head {
	t.Helper()
	for done := 0; done < n; {
		some := min(100, n-done)
		write(t, db, func(tx *store.Tx) error {
			for i := range some {
				if err := appendEntry(tx, fmt.Sprintf("req_%d", (done+i)%10)); err != nil {
					return err
				}
			}
			return nil
		})
		done += some
	}
	return sequence(t, db)
}

// checkTree proves every index contiguous, the root the one of the entries by an
// independent computation, and a few inclusion proofs out of the stored tiles.
func checkTree(t *testing.T, db *store.DB, want int64) {
	t.Helper()
	head, err := db.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Size != want {
		t.Fatalf("the log has %d entries, want %d", head.Size, want)
	}
	var hashes []tlog.Hash // RFC 6962 as golang.org/x/mod stores it, next to our tiles
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var entries []store.Entry
	if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
		entries, err = tx.Entries(0, int(want)+1)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if e.Index != int64(i) {
			t.Fatalf("entry %d has index %d", i, e.Index)
		}
		stored, err := tlog.StoredHashes(int64(i), e.Leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, stored...)
	}
	root, err := tlog.TreeHash(want, reader)
	if err != nil || root != head.Root {
		t.Fatalf("the root is %v, the entries give %v (%v)", head.Root, root, err)
	}
	for _, index := range []int64{0, want / 2, want - 1} {
		proof, err := audit.InclusionProof(want, index, db.Tiles(t.Context(), want))
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, want, root, index, audit.LeafHash(entries[index].Leaf)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.CheckLog(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestEntriesGetTheirPlaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := write(t, db, func(tx *store.Tx) error {
			return errors.Join(appendEntry(tx, "req_a"), appendEntry(tx, "req_b"))
		})
		if len(c.Entries) != 2 {
			t.Fatalf("%d entries", len(c.Entries))
		}
		if db.Driver() == store.SQLite {
			if c.Entries[0].Index != 0 || c.Entries[1].Index != 1 || c.Tree.N != 2 {
				t.Errorf("%+v", c)
			}
		} else if c.Entries[0].Index != store.Unplaced {
			t.Errorf("%+v", c)
		}
		h := sequence(t, db)
		if h.Size != 2 || h.Origin != storetest.Origin || h.Checkpoint != nil {
			t.Errorf("%+v", h)
		}
		if c.Tree.N == 2 && c.Tree.Hash != h.Root {
			t.Error("the committed tree has another root than the head")
		}
		checkTree(t, db, 2)
		fill(t, db, 700)
		db.ForgetTiles()
		checkTree(t, db, 702)
		if h := sequence(t, db); h.Size != 702 {
			t.Errorf("sequencing again gives %d", h.Size)
		}
	})
}

// TestFullTilesAtTheEdge crosses every way in which a size can meet a tile's end.
func TestFullTilesAtTheEdge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		size := int64(0)
		for _, n := range []int{255, 1, 1, 254, 1, 256, 512} {
			size += int64(n)
			fill(t, db, n)
			checkTree(t, db, size)
		}
		if db.Driver() == store.SQLite && len(db.EdgeTiles()) > 4 {
			t.Errorf("the writer holds %d tiles of a tree with two levels", len(db.EdgeTiles()))
		}
	})
}

func TestEntriesAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var leaf countersign.Leaf
		var openings map[string]countersign.Opening
		write(t, db, func(tx *store.Tx) error {
			leaf, openings = entry(tx, "per_x")
			return errors.Join(appendEntry(tx, "per_y"), tx.AppendEntry(leaf, openings))
		})
		var waiting int64
		if err := db.Read(t.Context(), func(tx *store.Tx) (err error) { waiting, err = tx.UnplacedEntries(); return err }); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int64{store.SQLite: 0, store.Postgres: 2}[db.Driver()]; waiting != want {
			t.Errorf("%d entries wait, want %d", waiting, want)
		}
		sequence(t, db)
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			e, err := tx.EntryByID(leaf.ID)
			if err != nil || !bytes.Equal(e.Leaf, leaf.Bytes()) || e.Index != 1 {
				return fmt.Errorf("by id: %+v, %v", e, err)
			}
			found, err := tx.EntriesBySubject("per_x", -1, 10)
			if err != nil || len(found) != 1 || found[0].ID != leaf.ID {
				return fmt.Errorf("by subject: %+v, %v", found, err)
			}
			if found, err = tx.EntriesBySubject("per_x", 1, 10); err != nil || len(found) != 0 {
				return fmt.Errorf("next page: %+v, %v", found, err)
			}
			if _, err := tx.EntryByID("ent_none"); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("a missing one: %v", err)
			}
			got, err := tx.Openings(leaf.ID)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(openings) {
				return fmt.Errorf("openings: %v, %v", got, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestEntryThatDoesNotFitIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, spoil := range map[string]func(*countersign.Leaf, map[string]countersign.Opening){
			"organisation": func(l *countersign.Leaf, _ map[string]countersign.Opening) { l.Org = "org_other" },
			"id":           func(l *countersign.Leaf, _ map[string]countersign.Opening) { l.ID = "ent_1" },
			"opening":      func(_ *countersign.Leaf, o map[string]countersign.Opening) { o["other"] = countersign.Opening{} },
			"salt": func(_ *countersign.Leaf, o map[string]countersign.Opening) {
				o[countersign.OpeningDetail] = countersign.Opening{Salt: "*"}
			},
			"length": func(l *countersign.Leaf, _ map[string]countersign.Opening) {
				l.Facts["x"] = strings.Repeat("x", store.MaxLeaf)
			},
		} {
			_, err := db.Write(t.Context(), func(tx *store.Tx) error {
				leaf, openings := entry(tx, "req_a")
				spoil(&leaf, openings)
				tx.AppendEntry(leaf, openings)
				return nil // even when the error is overlooked
			})
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if h := sequence(t, db); h.Size != 0 {
			t.Errorf("%d entries", h.Size)
		}
	})
}

// TestFailedFunctionTakesItsEntriesBack mixes failing and good functions; the good
// ones' indices have no holes.
func TestFailedFunctionTakesItsEntriesBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var all sync.WaitGroup
		for i := range 120 {
			all.Go(func() {
				_, err := db.Write(t.Context(), func(tx *store.Tx) error {
					if err := appendEntry(tx, "req_a"); err != nil {
						return err
					}
					if i%3 == 0 {
						return errors.New("no")
					}
					return nil
				})
				if (err != nil) != (i%3 == 0) {
					t.Error(i, err)
				}
			})
		}
		all.Wait()
		sequence(t, db)
		checkTree(t, db, 80)
	})
}

func TestLogIsMadeOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.CreateLog("again") })
		if !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
		other := db.For("org_11111111111111111111111111")
		if _, err := other.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.CreateLog("other"); err != nil {
				return err
			}
			if err := appendEntry(tx, "req_a"); err != nil {
				return err
			}
			return errors.New("no")
		}); err == nil {
			t.Error("no error")
		}
		if _, err := other.Head(t.Context()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a log that was taken back: %v", err)
		}
		if db.Driver() == store.SQLite {
			if _, err := other.Write(t.Context(), func(tx *store.Tx) error { return appendEntry(tx, "req_a") }); err == nil {
				t.Error("an entry was appended to a log that is not there")
			}
		}
		write(t, other, func(tx *store.Tx) error { return errors.Join(tx.CreateLog("other"), appendEntry(tx, "req_a")) })
		sequence(t, other)
		checkTree(t, other, 1)
	})
}

// TestThreeSequencersAtOnce runs three without the lease beside writers: places stay
// contiguous, and follow cause and effect.
func TestThreeSequencersAtOnce(t *testing.T) {
	db := storetest.Open(t, storetest.Postgres(t))
	const writers, each = 8, 40
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sequencers, all sync.WaitGroup
	for range 3 {
		sequencers.Go(func() {
			for ctx.Err() == nil {
				if err := db.SequenceWithoutLease(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if _, err := db.Write(t.Context(), func(tx *store.Tx) error {
					return appendEntry(tx, fmt.Sprintf("req_%d", w))
				}); err != nil {
					t.Error(i, err)
				}
			}
		})
	}
	all.Wait()
	stop()
	sequencers.Wait()
	sequence(t, db)
	checkTree(t, db, writers*each)
	for w := range writers { // each writer's entries stand in the order it wrote them
		var found []store.Entry
		if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
			found, err = tx.EntriesBySubject(fmt.Sprintf("req_%d", w), -1, each+1)
			return err
		}); err != nil || len(found) != each {
			t.Fatal(len(found), err)
		}
		last := ""
		for _, e := range found {
			leaf, err := countersign.ParseLeaf(e.Leaf)
			if err != nil || leaf.Time < last {
				t.Fatalf("writer %d: an entry of %s stands after one of %s (%v)", w, leaf.Time, last, err)
			}
			last = leaf.Time
		}
	}
}

func TestSequencerLease(t *testing.T) {
	cfg := storetest.Postgres(t)
	clock := struct {
		sync.Mutex
		time.Time
	}{Time: time.Now()}
	cfg.Clock = func() time.Time { clock.Lock(); defer clock.Unlock(); return clock.Time }
	db := storetest.Open(t, cfg)
	step := func(holder string, want int64) {
		t.Helper()
		write(t, db, func(tx *store.Tx) error { return appendEntry(tx, "req_a") })
		h, err := db.Sequence(t.Context(), holder)
		if err != nil || h.Size != want {
			t.Errorf("%s: %d entries are placed, want %d (%v)", holder, h.Size, want, err)
		}
	}
	step("one", 1)
	step("two", 1) // one has the lease
	step("one", 3)
	clock.Lock()
	clock.Time = clock.Add(time.Minute)
	clock.Unlock()
	step("two", 4) // one is gone
	step("one", 4)
}

func TestSignedNeverGoesBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db, 5)
		for _, step := range []struct {
			size int64
			ok   bool
		}{{6, false}, {3, true}, {2, false}, {3, true}, {5, true}, {3, false}} {
			err := db.SetSigned(t.Context(), step.size, fmt.Appendf(nil, "checkpoint %d", step.size))
			if step.ok != (err == nil) || err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("size %d: %v", step.size, err)
			}
		}
		h, err := db.Head(t.Context())
		if err != nil || h.SignedSize != 5 || string(h.Checkpoint) != "checkpoint 5" {
			t.Errorf("%+v, %v", h, err)
		}
		write(t, db, func(tx *store.Tx) error { return tx.ReopenLog(storetest.Origin, "new.example/log") })
		if h, err = db.Head(t.Context()); err != nil || h.SignedSize != 0 || h.Checkpoint != nil || h.Size != 5 || h.Origin != "new.example/log" {
			t.Errorf("under a new origin: %+v, %v", h, err)
		}
		_, err = db.Write(t.Context(), func(tx *store.Tx) error { return tx.ReopenLog(storetest.Origin, "x") })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("under a wrong old origin: %v", err)
		}
	})
}

func TestChangedTellsOfGrowth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		grew, due := db.Changed(store.LogGrew), db.Changed(store.OutboxGrew)
		write(t, db, func(tx *store.Tx) error { return appendEntry(tx, "req_a") })
		<-grew
		select {
		case <-due:
			t.Error("the outbox grew, it is said")
		default:
		}
		write(t, db, func(tx *store.Tx) error { return tx.Enqueue(store.Job{ID: "evt_1", Topic: "x"}) })
		<-due
	})
}
