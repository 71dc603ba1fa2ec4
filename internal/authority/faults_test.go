package authority_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit/steady"
	"golang.org/x/mod/sumdb/tlog"
)

// desk is a request at each stage, to see what works while something is wrong.
type desk struct {
	h                 *house
	pending, approved string
	doc               *countersign.Document
	n                 int
}

func (h *house) desk() *desk {
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	d := &desk{h: h, doc: order("PO-approved", "30000.00")}
	d.approved = h.submit(d.doc).ID
	h.who["marta"].approve(d.approved)
	d.pending = h.submit(order("PO-pending", "31000.00", func(o *countersign.Document) { o.Category = "b" })).ID
	return d
}

// acts are the verbs that allow, decide or release. Each returns what it answered.
func (d *desk) acts() map[string]func() error {
	h := d.h
	return map[string]func() error{
		"submit": func() error {
			d.n++
			_, err := h.a.Submit(h.ctx, h.key, body(order("PO-n"+string(rune('a'+d.n)), "9.00"), nil))
			return err
		},
		"challenge": func() error {
			_, err := h.who["daniel"].challenge(d.pending, countersign.ActApprove)
			return err
		},
		"check": func() error {
			_, err := h.a.Check(h.ctx, h.key, countersign.ReleaseBody{Request: d.approved, Document: body(d.doc, nil).Document})
			return err
		},
		"release": func() error {
			_, err := h.release(d.approved, d.doc, "run-1")
			return err
		},
		"propose": func() error {
			_, err := h.who["samuel"].propose(countersign.KindPeopleChange, h.who["priya"].id, countersign.Change{Field: "privileged", To: "true"})
			return err
		},
		"tick": func() error { return h.a.Tick(h.ctx) },
	}
}

// stopped wants every act refused as unavailable while reading goes on.
func (d *desk) stopped() {
	d.h.t.Helper()
	for name, act := range d.acts() {
		if code := codeOf(act()); code != countersign.CodeUnavailable {
			d.h.t.Errorf("%s answers %q", name, code)
		}
	}
	if s := d.h.get(d.approved).Status; s != countersign.StatusApproved {
		d.h.t.Errorf("reading shows %s", s)
	}
}

// works wants every act to work.
func (d *desk) works() {
	d.h.t.Helper()
	acts := d.acts()
	for _, name := range []string{"submit", "challenge", "check", "release", "propose", "tick"} {
		if err := acts[name](); err != nil {
			d.h.t.Errorf("%s: %s", name, describe(err))
		}
	}
}

// A clock that jumps over five minutes, forward or back, stops allowing, deciding and
// releasing, also in the middle of a decision; when it is right again, all goes on.
func TestRuling24ClockJumps(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": 6 * time.Minute, "back": -6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			each(t, func(h *house) {
				d := h.desk()
				c, err := h.who["daniel"].challenge(d.pending, countersign.ActApprove)
				h.must(err)
				h.clock.jump(by)
				d.stopped()
				_, err = h.who["daniel"].answer(d.pending, c)
				h.refused(err, countersign.CodeUnavailable)
				h.clock.jump(-by)
				_, err = h.who["daniel"].answer(d.pending, c) // it was not taken
				h.must(err)
				d.pending = h.submit(order("PO-pending2", "31000.00", func(o *countersign.Document) { o.Category = "c" })).ID
				d.works()
				h.clock.jump(4 * time.Minute) // a correction, and no jump
				h.submit(order("PO-z", "9.00"))
			})
		})
	}
}

// A clock that disagrees with the database's, or with the last entry, is as bad.
func TestRuling24ClockDisagrees(t *testing.T) {
	each(t, func(h *house) {
		d := h.desk()
		authority.ServerClock(h.a, func() time.Time { return h.clock.Now().Add(-6 * time.Minute) })
		h.clock.forward(time.Minute) // it is asked every half minute
		d.stopped()
		authority.ServerClock(h.a, h.clock.Now)
		h.clock.forward(time.Minute)
		d.works()
		// After a restart there is no earlier reading, but the last entry is there.
		h.clock.jump(-6 * time.Minute)
		if h.stop != nil {
			h.stop()
		}
		h.reopen()
		_, err := h.a.Submit(h.ctx, h.key, body(order("PO-q", "9.00"), nil))
		h.refused(err, countersign.CodeUnavailable)
		h.clock.jump(6 * time.Minute)
		h.submit(order("PO-q", "9.00"))
	})
}

// A guard that fails: nothing allows, since no checkpoint is published; what was
// committed is allowed when the guard is there again, and nothing is done twice.
func TestGuardFails(t *testing.T) {
	each(t, func(h *house) {
		d := h.desk()
		h.guard.trouble(errors.New("the disk of the guard is gone"))
		out := h.submit(order("PO-1", "9.00"))
		if out.Status != countersign.StatusPending || len(out.Receipt) > 0 {
			h.t.Errorf("allowed without a checkpoint: %s", out.Status)
		}
		again := h.submit(order("PO-1", "9.00"))
		if again.ID != out.ID || again.Status != countersign.StatusPending {
			h.t.Errorf("again: %s %s", again.ID, again.Status)
		}
		decided, err := h.who["daniel"].byPasskey(d.pending, countersign.ActApprove)
		h.must(err)
		if decided.Status != countersign.StatusPending {
			h.t.Errorf("decided without a checkpoint: %s", decided.Status)
		}
		_, err = h.release(d.approved, d.doc, "run-1")
		h.refused(err, countersign.CodeUnavailable)
		_, err = h.release(d.approved, d.doc, "run-1")
		h.refused(err, countersign.CodeUnavailable)
		if s := h.get(out.ID).Status; s != countersign.StatusPending {
			h.t.Errorf("reading shows %s", s)
		}
		_, err = h.a.Receipt(h.ctx, authority.Caller{Key: &h.key}, out.ID)
		h.refused(err, countersign.CodeUnavailable)

		h.guard.trouble(nil)
		h.must(h.a.Publish(h.ctx))
		for _, id := range []string{out.ID, d.pending} {
			if got := h.get(id); got.Status != countersign.StatusApproved {
				h.t.Errorf("%s is %s", id, got.Status)
			} else {
				h.verified(got.Receipt)
			}
		}
		r, err := h.release(d.approved, d.doc, "run-1")
		h.must(err)
		h.verified(r.Receipt)
		_, err = h.release(d.approved, d.doc, "run-2")
		h.refused(err, countersign.CodeReleased)
	})
}

// A guard that holds a tree of the same log which this database never had: nothing is
// signed any more, whatever comes.
func TestRuling29ForeignCheckpointStopsSigning(t *testing.T) {
	each(t, func(h *house) {
		h.broken = true
		d := h.desk()
		h.must(h.a.Publish(h.ctx))
		origin := h.a.Organisation().Origin
		held, err := h.guard.Load(h.ctx, origin)
		h.must(err)
		signer, err := h.cfg.Keys.Signer(h.a.Verifiers()[0])
		h.must(err)
		foreign, err := audit.Checkpoint{Origin: origin, Size: 5000, Root: tlog.Hash{1}}.Sign(signer)
		h.must(err)
		h.must(h.guard.Advance(h.ctx, origin, held, foreign))
		out, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "9.00"), nil))
		if err == nil && out.Approval.Status == countersign.StatusApproved {
			h.t.Error("allowed on a log that somebody else continued")
		}
		for range 3 {
			if err := h.a.Publish(h.ctx); !errors.Is(err, checkpoint.ErrGuard) {
				h.t.Errorf("publish: %v", err)
			}
		}
		_, err = h.release(d.approved, d.doc, "run-1")
		h.refused(err, countersign.CodeUnavailable)
		if h.stop != nil {
			h.stop()
		}
		if _, err := authority.Open(h.ctx, h.cfg); !errors.Is(err, checkpoint.ErrGuard) {
			h.t.Errorf("open: %v", err)
		}
	})
}

// Connections that are lost: at most one answer is "unavailable", nothing is done
// twice, and it goes on.
func TestConnectionsLost(t *testing.T) {
	each(t, func(h *house) {
		if h.store.Driver != store.Postgres {
			return // a file has no connections
		}
		d := h.desk()
		for round := range 3 {
			if err := postgres("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + databaseOf(h.t, h.store.DSN) + "'"); err != nil {
				h.t.Fatal(err)
			}
			id := "PO-r" + string(rune('0'+round))
			deadline := time.Now().Add(steady.Limit)
			for {
				out, err := h.a.Submit(h.ctx, h.key, body(order(id, "9.00"), nil))
				if err == nil && out.Approval.Status == countersign.StatusApproved {
					break
				}
				if err != nil {
					h.refused(err, countersign.CodeUnavailable)
				}
				if time.Now().After(deadline) {
					h.t.Fatal("it does not recover")
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		d.works()
	})
}

// A closed database: everything is unavailable, and nothing panics.
func TestDatabaseClosed(t *testing.T) {
	each(t, func(h *house) {
		h.broken = true
		d := h.desk()
		if h.stop != nil {
			h.stop()
		}
		h.must(h.db.Close())
		acts := d.acts()
		delete(acts, "tick") // answers nobody
		for name, act := range acts {
			if code := codeOf(act()); code != countersign.CodeUnavailable {
				h.t.Errorf("%s answers %q", name, code)
			}
		}
		_, err := h.a.Get(h.ctx, authority.Caller{Key: &h.key}, d.approved)
		h.refused(err, countersign.CodeUnavailable)
	})
}

// A full disk: allowing, deciding and releasing stop, reading goes on, nothing is lost,
// and it recovers. The facts that a rolled-back group had changed are not remembered.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a small file system cannot be mounted: %v", err)
		}
		t.Skipf("a small file system cannot be mounted (run as root): %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	h := moveIn(t, store.Config{Driver: store.SQLite, Path: filepath.Join(dir, "x.db")})
	d := h.desk()
	ballast := filepath.Join(dir, "ballast")
	fill := func() {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		h.must(err)
		defer f.Close()
		for size := 1 << 16; size > 0; size /= 2 {
			for {
				if _, err := f.Write(make([]byte, size)); err != nil {
					break
				}
			}
		}
	}
	fill()
	code := countersign.Code("")
	for i := 0; code == "" && i < 2000; i++ { // what is left of the write-ahead log's room
		fill()
		_, err := h.a.Submit(h.ctx, h.key, body(order("PO-f"+time.Duration(i).String(), "9.00"), nil))
		code = codeOf(err)
	}
	if code != countersign.CodeUnavailable {
		t.Fatalf("a full disk answers %q", code)
	}
	d.h = h
	for _, name := range []string{"submit", "challenge", "release", "propose"} {
		if code := codeOf(d.acts()[name]()); code != countersign.CodeUnavailable {
			t.Errorf("%s answers %q", name, code)
		}
	}
	if s := h.get(d.approved).Status; s != countersign.StatusApproved {
		t.Errorf("reading shows %s", s)
	}
	h.must(os.Remove(ballast))
	d.works()
}
