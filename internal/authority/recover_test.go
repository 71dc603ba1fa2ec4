package authority_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
)

// down ends the authority and closes its database, as when the server stops.
func (h *house) down() {
	h.t.Helper()
	if h.stop != nil {
		h.stop()
	}
	h.must(h.db.Close())
}

// up opens the database again, with the keys of the origin that it names.
func (h *house) up() {
	h.t.Helper()
	db, err := store.Open(h.ctx, h.store)
	h.must(err)
	h.t.Cleanup(func() { // before the house looks at what it was first given
		if !h.broken {
			h.ctx = context.Background()
			h.inspect()
			h.broken = true
		}
		if h.stop != nil {
			h.stop()
		}
		db.Close()
	})
	h.db = db.For(h.db.Org())
	head, err := h.db.Head(h.ctx)
	h.must(err)
	h.cfg.DB = h.db
	h.cfg.Keys, err = checkpoint.OpenKeys(h.cfg.Keys.Dir, head.Origin)
	h.must(err)
}

// copied copies the database as it is now, and returns what puts the copy in its place.
func (h *house) copied() (putBack func()) {
	h.t.Helper()
	h.must(h.a.Publish(h.ctx))
	kept := h.store
	if h.db.Driver() == store.SQLite {
		kept.Path = filepath.Join(h.t.TempDir(), "kept.db")
		h.must(h.db.CopyTo(h.ctx, kept.Path))
	} else {
		name := fmt.Sprintf("cs_kept_%d_%d", os.Getpid(), houses.Add(1))
		h.down()
		h.must(postgres("CREATE DATABASE " + name + " TEMPLATE " + databaseOf(h.t, kept.DSN)))
		h.t.Cleanup(func() {
			if err := postgres("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				h.t.Error(err)
			}
		})
		kept.DSN = onDatabase(h.t, kept.DSN, name)
		h.up()
		h.reopen()
	}
	return func() {
		h.t.Helper()
		h.down()
		h.store = kept
		h.up()
	}
}

// published is the last published head.
func (h *house) published() audit.Checkpoint {
	h.t.Helper()
	v, err := note.NewVerifier(h.a.Verifiers()[0])
	h.must(err)
	c, err := audit.OpenCheckpoint(h.checkpoint(), h.a.Organisation().Origin, v)
	h.must(err)
	return c
}

// loseGuard replaces the guard by an empty one.
func (h *house) loseGuard() {
	h.t.Helper()
	h.must(h.guard.Close())
	dir := filepath.Join(filepath.Dir(h.cfg.Keys.Dir), "guard")
	h.must(os.RemoveAll(dir))
	g, err := store.OpenFileGuard(dir)
	h.must(err)
	h.guard.Guard = g
}

func (h *house) recover(change ...func(*authority.RecoverConfig)) (*authority.Recovered, error) {
	h.t.Helper()
	cfg := authority.RecoverConfig{DB: h.db, Keys: h.cfg.Keys, Guard: h.guard}
	authority.RecoverClock(&cfg, h.clock.Now)
	for _, c := range change {
		c(&cfg)
	}
	return authority.Recover(h.ctx, cfg)
}

func newOrigin(c *authority.RecoverConfig) { c.NewOrigin = true }

// refuses wants the log not to be opened.
func (h *house) refuses() {
	h.t.Helper()
	if _, err := authority.Open(h.ctx, h.cfg); !errors.Is(err, checkpoint.ErrGuard) {
		h.t.Fatalf("the authority opened over a log that contradicts the guard: %v", err)
	}
}

// TestRuling30OldDatabase is the whole ceremony: an older copy of the database is put
// in place, nothing is signed, recovery says what is lost, and only with a new origin
// the log goes on; whatever was proven before stays proven.
func TestRuling30OldDatabase(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-1", "900.00"))
		putBack := h.copied()
		lost := h.submit(order("PO-2", "900.00"))
		published := h.published()
		first := h.a.Organisation().Origin
		newest := h.copied()
		putBack()
		h.refuses()
		before, err := h.db.Head(h.ctx)
		h.must(err)
		if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) || !strings.Contains(err.Error(), "it is older") {
			t.Fatalf("recovery of an older database: %v", err)
		}
		if after, _ := h.db.Head(h.ctx); after.Size != before.Size || after.Origin != first {
			t.Errorf("a refused recovery changed the log: %+v", after)
		}
		r, err := h.recover(newOrigin)
		h.must(err)
		if !r.Done || !r.NewOrigin || r.Origin != first+"/2" || r.Continues != published || r.Lost != published.Size-before.Size || r.Size <= before.Size {
			t.Errorf("%+v, published %+v, before %d", r, published, before.Size)
		}
		h.reload()
		h.reopen()
		if again, err := h.recover(); err != nil || again.Done {
			t.Errorf("recovered again: %+v %v", again, err)
		}
		h.verified(lost.Receipt) // of what this database does not even know
		out := h.submit(order("PO-2", "900.00"))
		v := h.verified(out.Receipt)
		if v.Checkpoint.Origin != r.Origin || h.a.Organisation().Origin != r.Origin {
			t.Errorf("a new receipt is of the log %q", v.Checkpoint.Origin)
		}
		if _, err := verify.Receipt(out.Receipt, verify.Options{Keys: h.a.Verifiers(), Origin: first}); err == nil {
			t.Error("a receipt of the new origin passes for one of the old")
		}
		report := h.exported()
		if len(report.Recoveries) != 1 || report.Recoveries[0].OldSize != published.Size || report.Recoveries[0].OldRoot != published.Root.String() {
			t.Errorf("the export's recoveries: %+v", report.Recoveries)
		}
		h.who["rosa"].signIn()
		alerts, err := h.a.Alerts(h.ctx, h.who["rosa"].session, true, "", 50)
		h.must(err)
		if !slices.ContainsFunc(alerts.Items, func(a countersign.Alert) bool {
			return a.Severity == "critical" && strings.Contains(a.Title, "new origin")
		}) {
			t.Errorf("no alert asks to look: %+v", alerts)
		}
		// The newest copy of the old origin turns up: it may not go on as if nothing had been.
		newest()
		h.refuses()
		if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) || !strings.Contains(err.Error(), "continued as") {
			t.Errorf("the old origin goes on beside the new one: %v", err)
		}
		if r, err = h.recover(newOrigin); err != nil || r.Origin != first+"/3" {
			t.Fatalf("%+v %v", r, err)
		}
		h.reload()
		h.reopen()
		h.verified(lost.Receipt)
		h.verified(out.Receipt)
	})
}

// reload reads the keys of the origin that the database names now.
func (h *house) reload() {
	h.t.Helper()
	head, err := h.db.Head(h.ctx)
	h.must(err)
	h.cfg.Keys, err = checkpoint.OpenKeys(h.cfg.Keys.Dir, head.Origin)
	h.must(err)
}

// TestRuling30LostGuard: growth is proven from the checkpoint that an auditor kept, or
// from the database's own, and the entry says which.
func TestRuling30LostGuard(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-1", "900.00"))
		kept := h.checkpoint()
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		for _, c := range []struct {
			by     string
			change func(*authority.RecoverConfig)
		}{{authority.ProvenByEarlier, func(r *authority.RecoverConfig) { r.Earlier = kept }}, {authority.ProvenByDatabase, func(*authority.RecoverConfig) {}}} {
			h.down()
			h.loseGuard()
			h.up()
			h.refuses()
			if _, err := h.recover(c.change, newOrigin); err == nil {
				t.Error("a new origin was opened without need")
			}
			r, err := h.recover(c.change)
			h.must(err)
			if !r.Done || r.NewOrigin || r.ProvenBy != c.by || r.Continues.Size != r.Size-1 {
				t.Errorf("%+v", r)
			}
			h.reopen()
			h.verified(h.submit(order("PO-after-"+c.by[:3], "900.00")).Receipt)
			h.must(h.a.Publish(h.ctx))
		}
		if report := h.exported(); len(report.Recoveries) != 2 || report.Recoveries[0].OldOrigin != h.a.Organisation().Origin {
			t.Errorf("%+v", report.Recoveries)
		}
	})
}

// TestRuling31RollBackFoundByAnAuditor: guard and database were both put back; only
// the checkpoint that an auditor kept tells.
func TestRuling31RollBackFoundByAnAuditor(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-1", "900.00"))
		putBack := h.copied()
		h.submit(order("PO-2", "900.00"))
		kept := h.checkpoint()
		putBack()
		h.loseGuard()
		earlier := func(r *authority.RecoverConfig) { r.Earlier = kept }
		if _, err := h.recover(earlier); !errors.Is(err, authority.ErrGrowth) || !strings.Contains(err.Error(), authority.ProvenByEarlier) {
			t.Fatalf("recovery in spite of an auditor's checkpoint: %v", err)
		}
		if _, err := h.recover(func(r *authority.RecoverConfig) { r.Earlier = []byte("not a checkpoint\n") }); err == nil || errors.Is(err, authority.ErrGrowth) {
			t.Errorf("an earlier checkpoint that is none: %v", err)
		}
		r, err := h.recover(earlier, newOrigin)
		h.must(err)
		if r.Lost == 0 {
			t.Errorf("%+v", r)
		}
		h.reload()
		h.reopen()
	})
}

// TestRuling30RewrittenDatabase: a database that has enough entries, but others.
func TestRuling30RewrittenDatabase(t *testing.T) {
	each(t, func(h *house) {
		putBack := h.copied()
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		putBack()
		_, err := h.db.Write(h.ctx, func(tx *store.Tx) error {
			for range 20 {
				leaf, openings, err := audit.NewEntry(audit.EntrySpec{ID: countersign.NewID(countersign.PrefixEntry, tx.Now()), Org: tx.Org(),
					Type: countersign.EntryFactsRecorded, Time: tx.Now(), Subject: "facts", Actor: "system"})
				if err != nil {
					return err
				}
				if err := tx.AppendEntry(leaf, openings); err != nil {
					return err
				}
			}
			return nil
		})
		h.must(err)
		if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) || !strings.Contains(err.Error(), "not those that were published") {
			t.Fatalf("recovery of a rewritten database: %v", err)
		}
		h.refuses()
		r, err := h.recover(newOrigin)
		h.must(err)
		if r.Lost != 0 || r.Found == "" {
			t.Errorf("%+v", r)
		}
		h.reload()
		h.reopen()
	})
}

// TestRecoveryOfChangedEntries: what was changed inside the log is not recovered from,
// not even under a new name.
func TestRecoveryOfChangedEntries(t *testing.T) {
	each(t, func(h *house) {
		h.broken = true
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		h.write(func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE audit_opening SET value = $2 WHERE org_id = $1 AND name = 'detail'`, []byte(`{"title":"something else"}`))
			return err
		})
		for _, change := range []func(*authority.RecoverConfig){func(*authority.RecoverConfig) {}, newOrigin} {
			if _, err := h.recover(change); !errors.Is(err, store.ErrLog) || !strings.Contains(err.Error(), "entry ") {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestRecoveryBrokenOff: a recovery that could not be published is finished by the
// next one, without a second entry.
func TestRecoveryBrokenOff(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		h.down()
		h.loseGuard()
		h.up()
		h.guard.trouble(errors.New("the guard's disk is away"))
		if _, err := h.recover(); err == nil || !strings.Contains(err.Error(), "run it again") {
			t.Fatalf("%v", err)
		}
		size, err := h.db.Head(h.ctx)
		h.must(err)
		h.guard.trouble(nil)
		r, err := h.recover()
		h.must(err)
		if !r.Done || r.Size != size.Size {
			t.Errorf("%+v, want %d entries", r, size.Size)
		}
		// The same, broken off after the new origin was written.
		h.reopen()
		putBack := h.copied()
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		putBack()
		h.guard.trouble(errors.New("the guard's disk is away"))
		if _, err := h.recover(newOrigin); err == nil {
			t.Fatal("recovered without a guard")
		}
		h.guard.trouble(nil)
		h.reload()
		h.reopen()
		h.verified(h.submit(order("PO-3", "900.00")).Receipt)
		if report := h.exported(); len(report.Recoveries) != 2 {
			t.Errorf("%+v", report.Recoveries)
		}
	})
}

// TestRecoveryWithoutKeys: keys that were lost cannot go on with the log that they
// signed; new ones begin a new origin.
func TestRecoveryWithoutKeys(t *testing.T) {
	each(t, func(h *house) {
		out := h.submit(order("PO-1", "900.00"))
		old := h.a.Verifiers()
		h.must(h.a.Publish(h.ctx))
		h.down()
		h.must(os.RemoveAll(h.cfg.Keys.Dir))
		h.up()
		h.refuses()
		if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) {
			t.Fatalf("%v", err)
		}
		r, err := h.recover(newOrigin)
		h.must(err)
		h.reload()
		h.reopen()
		if r.Lost != 0 || r.Continues.Size == 0 {
			t.Errorf("%+v", r)
		}
		if _, err := verify.Receipt(out.Receipt, verify.Options{Keys: old}); err != nil {
			t.Errorf("what the lost key signed: %v", err)
		}
		h.verified(h.submit(order("PO-2", "900.00")).Receipt)
	})
}

// TestRecoveryWithRotation: after a rotation the key in force is the one that goes on.
func TestRecoveryWithRotation(t *testing.T) {
	each(t, func(h *house) {
		_, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
		h.must(err)
		putBack := h.copied()
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		h.down()
		h.loseGuard()
		h.up()
		_, err = h.recover()
		h.must(err)
		h.reopen()
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		putBack()
		_, err = h.recover(newOrigin)
		h.must(err)
		h.reload()
		h.reopen()
		_, err = h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
		h.must(err)
		h.verified(h.submit(order("PO-3", "900.00")).Receipt)
		if report := h.exported(); len(report.NewKeys) != 2 || len(report.Recoveries) != 1 {
			t.Errorf("%+v", report)
		}
	})
}

// TestRecoveryFromBeforeARotation: the guard has what a key signed that the older
// database does not know of.
func TestRecoveryFromBeforeARotation(t *testing.T) {
	each(t, func(h *house) {
		putBack := h.copied()
		r, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
		h.must(err)
		out := h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		putBack()
		if _, err := authority.Open(h.ctx, h.cfg); !errors.Is(err, checkpoint.ErrGuard) || !strings.Contains(err.Error(), "it is older") {
			t.Errorf("%v", err)
		}
		if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) || !strings.Contains(err.Error(), "it is older") {
			t.Errorf("%v", err)
		}
		_, err = h.recover(newOrigin)
		h.must(err)
		h.reload()
		h.reopen()
		h.verified(out.Receipt)
		if !slices.Contains(h.a.Verifiers(), r.New) {
			t.Errorf("the key of the part that is lost is forgotten: %v", h.a.Verifiers())
		}
	})
}

func TestRecoveryCanBeStopped(t *testing.T) {
	h := onSQLite(t)
	h.must(h.a.Publish(h.ctx))
	if _, err := h.recover(func(r *authority.RecoverConfig) { r.Progress = func(int64, int64) error { return context.Canceled } }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	other := h.cfg
	other.DB = h.db.For("org_00000000000000000000000000")
	if _, err := authority.Recover(h.ctx, authority.RecoverConfig{DB: other.DB, Keys: h.cfg.Keys, Guard: h.guard}); err == nil {
		t.Error("an organisation that does not exist was recovered")
	}
}
