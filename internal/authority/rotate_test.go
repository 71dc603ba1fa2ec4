package authority_test

import (
	"errors"
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

// opens reports whether one of the keys alone opens a checkpoint.
func (h *house) opens(checkpoint []byte, key string) bool {
	h.t.Helper()
	v, err := note.NewVerifier(key)
	h.must(err)
	_, err = audit.OpenCheckpoint(checkpoint, h.a.Organisation().Origin, v)
	return err == nil
}

func (h *house) checkpoint() []byte {
	h.t.Helper()
	h.must(h.a.Publish(h.ctx))
	c, err := h.a.Checkpoint()
	h.must(err)
	return c
}

// restart ends the authority and opens it anew, with the keys as they are on the disk.
func (h *house) restart() {
	h.t.Helper()
	if h.stop != nil {
		h.stop()
	}
	keys, err := checkpoint.OpenKeys(h.cfg.Keys.Dir, h.cfg.Keys.Origin)
	h.must(err)
	h.cfg.Keys = keys
	h.reopen()
}

// TestRuling32RotationIsAnnouncedInTheLog: the old key signs the checkpoint that
// covers the announcement, the new one from then on, and receipts of both times verify.
func TestRuling32RotationIsAnnouncedInTheLog(t *testing.T) {
	each(t, func(h *house) {
		before := h.submit(order("PO-1", "900.00"))
		old := h.a.Verifiers()[0]
		samuel := h.who["samuel"]
		r, err := h.a.RotateKey(h.ctx, samuel.session, checkpoint.KindLog, samuel.stepUp("rotate:log"))
		h.must(err)
		if !r.Published || r.Old != old || r.New == old || !slices.Equal(h.a.Verifiers(), []string{old, r.New}) {
			t.Fatalf("%+v, verifiers %v", r, h.a.Verifiers())
		}
		covering := h.checkpoint()
		if !h.opens(covering, old) || !h.opens(covering, r.New) {
			t.Errorf("the checkpoint that covers the announcement is not signed by both keys:\n%s", covering)
		}
		after := h.submit(order("PO-2", "900.00"))
		if next := h.checkpoint(); h.opens(next, old) || !h.opens(next, r.New) {
			t.Errorf("the checkpoint after the announcement is not signed by the new key alone:\n%s", next)
		}
		for _, c := range []struct {
			receipt []byte
			key     string
			want    bool
		}{{before.Receipt, old, true}, {after.Receipt, r.New, true}, {after.Receipt, old, false}} {
			_, err := verify.Receipt(c.receipt, verify.Options{Keys: []string{c.key}})
			if (err == nil) != c.want {
				t.Errorf("receipt verified: %v, want %v: %v", err == nil, c.want, err)
			}
		}
		// The old secret may go now; its public half stays.
		h.must(os.Remove(filepath.Join(h.cfg.Keys.Dir, "log-1.key")))
		h.restart()
		h.submit(order("PO-3", "900.00"))
		if report := h.exported(); !slices.Equal(report.NewKeys, []string{r.New}) {
			t.Errorf("the export announces %v", report.NewKeys)
		}
		again, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
		h.must(err)
		if again.Old != r.New || !again.Published {
			t.Errorf("%+v", again)
		}
	})
}

// TestRuling32RotationBrokenOff: a key that was made and not announced does nothing;
// one that was announced and not published signs beside the old one next time.
func TestRuling32RotationBrokenOff(t *testing.T) {
	each(t, func(h *house) {
		old := h.a.Verifiers()[0]
		made, err := h.cfg.Keys.AddLogKey(h.cfg.Keys.Origin)
		h.must(err)
		h.restart()
		h.submit(order("PO-1", "900.00"))
		if c := h.checkpoint(); !h.opens(c, old) || h.opens(c, made.Verifier) || len(h.a.Verifiers()) != 1 {
			t.Fatalf("a key that was not announced is used: %v\n%s", h.a.Verifiers(), c)
		}
		if h.stop != nil {
			h.stop() // nobody else publishes
		}
		h.guard.trouble(errors.New("the guard's disk is away"))
		r, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
		h.must(err)
		if r.New != made.Verifier || r.Published {
			t.Fatalf("%+v, want the key that was made before, not published", r)
		}
		h.guard.trouble(nil)
		h.restart()
		if c := h.checkpoint(); !h.opens(c, old) || !h.opens(c, r.New) {
			t.Errorf("after a restart the announcement is covered without both keys:\n%s", c)
		}
		h.submit(order("PO-2", "900.00"))
		if c := h.checkpoint(); h.opens(c, old) || !h.opens(c, r.New) {
			t.Errorf("the new key does not sign alone:\n%s", c)
		}
		h.must(os.Remove(filepath.Join(h.cfg.Keys.Dir, "log-2.key")))
		if keys, err := checkpoint.OpenKeys(h.cfg.Keys.Dir, h.cfg.Keys.Origin); err == nil {
			cfg := h.cfg
			cfg.Keys = keys
			if _, err := authority.Open(h.ctx, cfg); !errors.Is(err, checkpoint.ErrKeys) {
				t.Errorf("without the key that signs: %v", err)
			}
		}
	})
}

// TestRotationWhileOthersWork: nothing is signed by a key before its time while many
// submit.
func TestRotationWhileOthersWork(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-first", "90.00"))
		done := make(chan error, 8)
		for g := range 8 {
			go func() {
				for i := range 10 {
					if _, err := h.a.Submit(h.ctx, h.key, body(order("PO-"+string(rune('a'+g))+string(rune('a'+i)), "90.00"), nil)); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 3 {
			_, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindLog)
			h.must(err)
		}
		for range 8 {
			h.must(<-done)
		}
		h.restart()
		if report := h.exported(); len(report.NewKeys) != 3 {
			t.Errorf("%d rotations", len(report.NewKeys))
		}
	})
}

func TestRotationIsForAdministrators(t *testing.T) {
	h := onSQLite(t)
	marta, samuel := h.who["marta"], h.who["samuel"]
	_, err := h.a.RotateKey(h.ctx, marta.session, checkpoint.KindLog, marta.stepUp("rotate:log"))
	h.refused(err, countersign.CodeForbidden)
	_, err = h.a.RotateKey(h.ctx, samuel.session, checkpoint.KindSeal, samuel.stepUp("rotate:log"))
	h.refused(err, countersign.CodeConflict)
	_, err = h.a.RotateKey(h.ctx, samuel.session, "password", samuel.stepUp("rotate:password"))
	h.refused(err, countersign.CodeInvalid)
	if names, _ := filepath.Glob(filepath.Join(h.cfg.Keys.Dir, "*.key")); len(names) != 3 {
		t.Errorf("a refused rotation left %v", names)
	}
}

// TestRuling32SealRotation: secrets are sealed anew, so that the old key is not needed
// any more.
func TestRuling32SealRotation(t *testing.T) {
	each(t, func(h *house) {
		r, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindSeal)
		h.must(err)
		if r.Old != "k1" || r.New != "k2" || r.Resealed == 0 || r.Left != 0 {
			t.Fatalf("%+v", r)
		}
		h.must(os.Remove(filepath.Join(h.cfg.Keys.Dir, "seal-1.key")))
		h.restart()
		out := h.submit(order("PO-1", "30000.00"))
		h.clock.forward(31e9)
		marta := h.who["marta"]
		done, err := marta.byCode(out.ID, marta.code(0))
		h.must(err)
		if done.Status != countersign.StatusApproved {
			t.Errorf("%s", done.Status)
		}
		// A key that was made and not announced is announced by the next rotation.
		h.must(os.WriteFile(filepath.Join(h.cfg.Keys.Dir, "seal-3.key"), []byte(strings.Repeat("QUFB", 10)+"QUE=\n"), 0o600))
		h.restart()
		r, err = h.a.RotateKeyOffline(h.ctx, checkpoint.KindSeal)
		h.must(err)
		if r.New != "k3" || r.Resealed == 0 {
			t.Errorf("%+v", r)
		}
	})
}

// TestRuling02AccountsAfterRotation: a new key for naming accounts does not make the
// accounts in history look like others, and the ones that are others still do.
func TestRuling02AccountsAfterRotation(t *testing.T) {
	each(t, func(h *house) {
		own := &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
		other := &countersign.Account{Scheme: "iban", Value: "GB29NWBK60161331926819"}
		h.vendor("V-7", "Nordwind Technik GmbH", 12, own)
		pay := func(id string, to *countersign.Account) *countersign.Approval {
			return h.submit(&countersign.Document{Kind: countersign.KindPayment, ID: id, Revision: "1", Entity: "DE01",
				Amount: &countersign.Amount{Value: "900.00", Currency: "EUR"}, Payee: &countersign.Payee{ID: "V-7", Name: "Nordwind Technik GmbH", Account: to},
				Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"}})
		}
		said := func(a *countersign.Approval) string {
			var b strings.Builder
			b.WriteString(string(a.Outcome))
			for _, f := range a.Findings {
				b.WriteString(" " + f.Signal + "=" + string(f.State))
			}
			return b.String()
		}
		right, wrong := said(pay("P-1", own)), said(pay("P-2", other))
		if right == wrong {
			t.Fatalf("the accounts make no difference: %s", right)
		}
		_, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindHMAC)
		h.must(err)
		if got := said(pay("P-3", own)); got != right {
			t.Errorf("the vendor's own account after the rotation:\n%s\nwant\n%s", got, right)
		}
		if got := said(pay("P-4", other)); got != wrong {
			t.Errorf("another account after the rotation:\n%s\nwant\n%s", got, wrong)
		}
		// Recorded again, it moves to the new name: one row, as before.
		h.vendor("V-7", "Nordwind Technik GmbH", 1, own)
		_, err = h.a.RecordFacts(h.ctx, h.key, countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: "V-7", Name: "Nordwind Technik GmbH", Country: "DE",
			CreatedAt: "2020-01-01", Accounts: []countersign.AccountFact{{Account: *own}}}}})
		h.must(err)
		h.read(func(tx *store.Tx) error {
			rows, err := tx.VendorAccounts("V-7")
			if len(rows) != 1 || !strings.HasPrefix(rows[0].Fingerprint, "fp1.k2.") {
				t.Errorf("accounts on record: %+v", rows)
			}
			return err
		})
		if got := said(pay("P-5", own)); got != right {
			t.Errorf("recorded again:\n%s\nwant\n%s", got, right)
		}
	})
}

// TestKeysOfOtherLogs: keys of another organisation are refused; those of an origin
// before this one verify and do not sign.
func TestKeysOfOtherLogs(t *testing.T) {
	dir := t.TempDir()
	const origin = "a.example/log/org_1"
	if _, err := checkpoint.OpenKeys(dir, origin); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"b.example/log/org_1", "a.example/log/org_2", "a.example/log/org_1/x", "a.example/log/org_1/2"} {
		if _, err := checkpoint.OpenKeys(dir, other); !errors.Is(err, checkpoint.ErrKeys) {
			t.Errorf("%s: %v", other, err)
		}
	}
	keys, err := checkpoint.OpenKeys(dir, origin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.AddLogKey(origin + "/2"); err != nil {
		t.Fatal(err)
	}
	next, err := checkpoint.OpenKeys(dir, origin+"/2")
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Verifiers()) != 2 {
		t.Fatalf("verifiers %v", next.Verifiers())
	}
	if _, err := next.Signer(next.Verifiers()[1]); err != nil {
		t.Errorf("the key of the origin itself does not sign: %v", err)
	}
	if _, err := next.Signer(next.Verifiers()[0]); !errors.Is(err, checkpoint.ErrKeys) {
		t.Errorf("a key of the origin before signs: %v", err)
	}
	if keys, err = checkpoint.OpenKeys(dir, origin); err != nil || len(keys.Verifiers()) != 1 {
		t.Errorf("%v: a key of a later origin counts: %v", err, keys.Verifiers())
	}
	if err := os.Chmod(filepath.Join(dir, "log-1.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.OpenKeys(dir, origin); !errors.Is(err, checkpoint.ErrKeys) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}
