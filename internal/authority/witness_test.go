package authority_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/verify"
)

// witnessed lets the house's log be cosigned by witnesses of these names.
func (h *house) witnessed(names ...string) []*testkit.Witness {
	h.t.Helper()
	var all []*testkit.Witness
	for _, name := range names {
		w := testkit.NewWitness(name)
		w.Now = h.clock.Now
		h.must(w.Follow(h.a.Organisation().Origin, h.a.Verifiers()...))
		h.cfg.Witnesses = append(h.cfg.Witnesses, checkpoint.Witness{Key: w.Key(), Ask: w.Ask})
		all = append(all, w)
	}
	if h.stop != nil {
		h.stop()
	}
	h.reopen()
	return all
}

// asked asks every witness for the last published checkpoint, and returns what went
// wrong.
func (h *house) asked() error {
	var errs []error
	for _, w := range h.a.Witnesses() {
		errs = append(errs, h.a.AskWitness(h.ctx, w.Witness))
	}
	return errors.Join(errs...)
}

// cosignedBy verifies a receipt offline with a policy that names the witnesses.
func (h *house) cosignedBy(receipt []byte, need int, witnesses ...*testkit.Witness) error {
	o := verify.Options{Keys: h.a.Verifiers(), WitnessesNeeded: need}
	for _, w := range witnesses {
		o.Witnesses = append(o.Witnesses, w.Key())
	}
	_, err := verify.Receipt(receipt, o)
	return err
}

func (h *house) openAlerts(about, external string) (found []store.Alert) {
	h.t.Helper()
	h.must(h.db.Read(h.ctx, func(tx *store.Tx) error {
		found = nil
		all, err := tx.OpenAlerts([]string{about})
		for _, a := range all {
			if strings.HasPrefix(a.External, external) {
				found = append(found, a)
			}
		}
		return err
	}))
	return found
}

// TestRuling31WitnessesCosign: what is published is cosigned by who is outside, and a
// receipt that is made later shows it to whoever verifies, though the log went on.
func TestRuling31WitnessesCosign(t *testing.T) {
	each(t, func(h *house) {
		w := h.witnessed("witness.example/w1", "witness.example/w2")
		out := h.submit(order("PO-1", "900.00"))
		if err := h.cosignedBy(out.Receipt, 1, w...); err == nil {
			t.Error("nobody was asked yet, and the receipt is cosigned")
		}
		h.must(h.asked())
		head := h.checkpoint()
		for _, x := range w {
			if !bytes.Contains(head, []byte("\n— "+x.Name+" ")) {
				t.Errorf("the published checkpoint has no cosignature of %s:\n%s", x.Name, head)
			}
			if size, _ := x.Size(h.a.Organisation().Origin); size != h.published().Size {
				t.Errorf("%s has cosigned %d entries", x.Name, size)
			}
		}
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		receipt := h.get(out.ID).Receipt
		h.must(h.cosignedBy(receipt, 2, w...))
		if err := h.cosignedBy(receipt, 3, append(w, testkit.NewWitness("witness.example/w1"))...); err == nil {
			t.Error("three of two witnesses have cosigned")
		}
		stored, err := h.db.Cosigned(h.ctx)
		h.must(err)
		if h.stop != nil {
			h.stop()
		}
		h.reopen() // what is stored is taken up, and goes on growing
		h.must(h.cosignedBy(h.get(out.ID).Receipt, 2, w...))
		h.must(h.asked())
		if again, err := h.db.Cosigned(h.ctx); err != nil || again.Size <= stored.Size {
			t.Errorf("after a restart %d entries are cosigned, %v; before %d", again.Size, err, stored.Size)
		}
	})
}

// TestRuling29NobodyWaitsForAWitness: with every witness down, answers go on. After an
// hour there is one alert and a note, and both end when the witness is there again.
func TestRuling29NobodyWaitsForAWitness(t *testing.T) {
	each(t, func(h *house) {
		w := h.witnessed("witness.example/w1")[0]
		h.must(h.asked())
		w.Down(true)
		out := h.submit(order("PO-1", "900.00"))
		if out.Status != countersign.StatusApproved {
			t.Fatalf("with the witness down: %s", out.Status)
		}
		h.must(h.a.Publish(h.ctx))
		const overdue = "overdue:witness.example/w1+"
		note := func(want int) {
			t.Helper()
			h.must(authority.NoteOverdue(h.a, h.ctx))
			if found := h.openAlerts(store.AboutOperation, overdue); len(found) != want {
				t.Errorf("%d alerts are open, want %d: %+v", len(found), want, found)
			}
			said := false
			for _, c := range h.a.Ready(h.ctx) {
				said = said || c.Name == "witness"
				if !c.OK && c.Name != "log" { // the alert's own entry may be on its way
					t.Errorf("not ready: %+v", c)
				}
			}
			if said != (want > 0) {
				t.Errorf("a note about an overdue witness: %v", said)
			}
		}
		if err := h.asked(); err == nil {
			t.Fatal("a witness that is down has cosigned")
		}
		note(0)
		h.clock.forward(61 * time.Minute)
		note(1)
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		note(1)
		if h.stop != nil {
			h.stop()
		}
		h.reopen() // another process knows of it too
		note(1)
		w.Down(false)
		h.must(h.asked())
		note(0)
		h.clock.forward(2 * time.Hour) // nothing new but the closing itself
		h.must(h.a.Publish(h.ctx))
		h.must(h.asked())
		note(0)
	})
}

// TestRuling31RollBackFoundByAWitness: guard and database were both put back; the
// witness has seen more, and nothing is signed any more.
func TestRuling31RollBackFoundByAWitness(t *testing.T) {
	each(t, func(h *house) {
		h.witnessed("witness.example/w1")
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		h.must(h.asked())
		putBack := h.copied()
		for i := range 5 { // more than the recovery itself will write
			h.submit(order(fmt.Sprintf("PO-2%d", i), "900.00"))
		}
		h.must(h.a.Publish(h.ctx))
		h.must(h.asked())
		putBack()
		h.loseGuard()
		if _, err := h.recover(); err != nil { // by the database's own word, as whoever hides something would
			t.Fatal(err)
		}
		h.reopen()
		h.broken = true // the log that is served is not the one that was seen
		if err := h.asked(); !errors.Is(err, checkpoint.ErrGuard) || !strings.Contains(err.Error(), "older") {
			t.Fatalf("the witness knows more, and is answered %v", err)
		}
		if out, err := h.a.Submit(h.ctx, h.key, body(order("PO-3", "900.00"), nil)); err == nil && out.Approval.Status == countersign.StatusApproved {
			t.Error("a log that a witness contradicts is still signed")
		}
		if found := h.openAlerts(store.AboutOrganisation, "witness:"); len(found) != 1 || found[0].Severity != "critical" {
			t.Errorf("alerts: %+v", found)
		}
	})
}

// TestRuling31AnotherTreeFoundByAWitness: as many entries, but others.
func TestRuling31AnotherTreeFoundByAWitness(t *testing.T) {
	h := onSQLite(t)
	h.witnessed("witness.example/w1")
	putBack := h.copied()
	h.submit(order("PO-1", "900.00"))
	h.must(h.asked())
	putBack()
	h.loseGuard()
	if _, err := h.recover(); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	for i := range 5 { // past what the witness has seen
		h.submit(order(fmt.Sprintf("PO-X%d", i), "900.00"))
	}
	h.broken = true
	if err := h.asked(); !errors.Is(err, checkpoint.ErrGuard) || !strings.Contains(err.Error(), "another tree") {
		t.Fatalf("the witness saw another tree, and is answered %v", err)
	}
}

// What does not verify is not kept, and what other answers mean is said.
func TestAnswersOfWitnesses(t *testing.T) {
	h := onSQLite(t)
	w := h.witnessed("witness.example/w1")[0]
	false1 := testkit.NewWitness("witness.example/w1")
	h.must(false1.Follow(h.a.Organisation().Origin, h.a.Verifiers()...))
	before := h.checkpoint()
	answer := func(status int, kind, text string) func(context.Context, []byte) (int, string, []byte, error) {
		return func(context.Context, []byte) (int, string, []byte, error) { return status, kind, []byte(text), nil }
	}
	for name, c := range map[string]struct {
		ask  func(context.Context, []byte) (int, string, []byte, error)
		want string
	}{
		"another key of the name": {false1.Ask, "no cosignature"},
		"the way is barred":       {func(context.Context, []byte) (int, string, []byte, error) { return 0, "", nil, errors.New("no route") }, "no route"},
		"unknown log":             {answer(404, "", ""), "does not follow the log"},
		"unknown key":             {answer(403, "", ""), "does not accept"},
		"busy":                    {answer(429, "", ""), "status 429"},
		"its own size again":      {answer(409, "text/x.tlog.size", "0\n"), "refuses to go on"},
		"a size of another form":  {answer(409, "text/plain", "1\n"), "want its size as"},
		"moved":                   {answer(302, "", ""), "status 302"},
	} {
		h.cfg.Witnesses = []checkpoint.Witness{{Key: w.Key(), Ask: c.ask}}
		h.reopen()
		if err := h.asked(); err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, checkpoint.ErrGuard) {
			t.Errorf("%s: %v", name, err)
		}
		h.submit(order("PO-"+strings.ReplaceAll(name, " ", "-"), "900.00")) // and the log goes on
	}
	if bytes.Contains(h.checkpoint(), []byte("witness.example")) || bytes.Contains(before, []byte("witness.example")) {
		t.Error("a cosignature was kept that nobody made")
	}
	h.cfg.Witnesses = make([]checkpoint.Witness, checkpoint.MaxWitnesses+1)
	if _, err := authority.Open(h.ctx, h.cfg); err == nil {
		t.Error("more witnesses than a log may have")
	}
}
