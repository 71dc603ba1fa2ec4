package authority_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// exportTo exports the log into a folder beside the running authority.
func (h *house) exportTo(dir string, change ...func(*authority.ExportConfig)) (*authority.ExportResult, error) {
	h.t.Helper()
	h.must(h.a.Publish(h.ctx))
	reader, err := store.OpenReader(h.ctx, h.store)
	h.must(err)
	defer reader.Close()
	cfg := authority.ExportConfig{DB: reader.For(h.db.Org()), Verifiers: h.a.Verifiers(), Dir: dir}
	for _, c := range change {
		c(&cfg)
	}
	return authority.ExportLog(h.ctx, cfg)
}

// verifies verifies the export in a folder with nothing but the public keys.
func (h *house) verifies(dir string) *audit.ExportReport {
	h.t.Helper()
	r, err := audit.VerifyExport(os.DirFS(dir), audit.ExportOptions{Keys: h.a.Verifiers(), Origin: h.a.Organisation().Origin, RPID: rpID, Origins: []string{publicURL}})
	h.must(err)
	return r
}

// filler appends entries that mean nothing.
func (h *house) filler(n int) {
	h.t.Helper()
	h.write(func(tx *store.Tx) error {
		for range n {
			leaf, openings, err := audit.NewEntry(audit.EntrySpec{ID: countersign.NewID(countersign.PrefixEntry, tx.Now()), Org: tx.Org(), Type: countersign.EntryFactsRecorded,
				Time: tx.Now(), Subject: "facts", Actor: "system", Openings: map[string][]byte{countersign.OpeningDetail: []byte(`{"filler":true}`)}})
			if err != nil {
				return err
			}
			if err := tx.AppendEntry(leaf, openings); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestExportBesideTheServer: an export is made while the authority works, is brought
// up to date by the next one, and verifies each time.
func TestExportBesideTheServer(t *testing.T) {
	each(t, func(h *house) {
		dir := filepath.Join(t.TempDir(), "export")
		h.submit(order("PO-1", "900.00"))
		h.filler(300)
		first, err := h.exportTo(dir)
		h.must(err)
		if r := h.verifies(dir); r.Entries != first.Checkpoint.Size || first.Before != 0 || first.Written == 0 {
			t.Errorf("%+v, verified %d", first, r.Entries)
		}
		if again, err := h.exportTo(dir); err != nil || again.Written != 0 || again.Removed != 0 || again.Before != first.Checkpoint.Size {
			t.Errorf("the same again: %+v %v", again, err)
		}
		h.filler(300)
		h.submit(order("PO-2", "900.00"))
		second, err := h.exportTo(dir, func(c *authority.ExportConfig) { c.Since = first.Checkpoint.Size })
		h.must(err)
		if second.Written == 0 || second.Written > first.Written+8 || second.Removed == 0 {
			t.Errorf("%+v after %+v", second, first)
		}
		if r := h.verifies(dir); r.Requests != 2 || r.Entries != second.Checkpoint.Size || r.Erased != 0 {
			t.Errorf("%+v", r)
		}
		// Without openings, anew and in the same folder.
		for _, d := range []string{dir, filepath.Join(t.TempDir(), "bare")} {
			_, err := h.exportTo(d, func(c *authority.ExportConfig) { c.WithoutOpenings = true })
			h.must(err)
			if r := h.verifies(d); r.Openings != 0 || r.Entries != second.Checkpoint.Size {
				t.Errorf("%+v", r)
			}
			if _, err := os.Stat(filepath.Join(d, "openings", "000.jsonl")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("openings are there: %v", err)
			}
		}
	})
}

// TestRuling33ExportForgets: an export that is brought up to date loses the openings
// that were erased meanwhile.
func TestRuling33ExportForgets(t *testing.T) {
	h := onSQLite(t)
	dir := t.TempDir()
	h.filler(600)
	_, err := h.exportTo(dir)
	h.must(err)
	before := h.verifies(dir)
	h.write(func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM audit_opening WHERE org_id = $1 AND entry_id IN (SELECT id FROM audit_entry WHERE org_id = $1 AND seq BETWEEN 256 AND 600)`)
		return err
	})
	_, err = h.exportTo(dir)
	h.must(err)
	if after := h.verifies(dir); after.Erased-before.Erased != 345 || after.Entries != before.Entries {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if _, err := os.Stat(filepath.Join(dir, "openings", "001.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of openings that were all erased: %v", err)
	}
}

// TestExportBrokenOff: an export that was stopped has no checkpoint, and the next one
// completes it.
func TestExportBrokenOff(t *testing.T) {
	h := onSQLite(t)
	dir := t.TempDir()
	h.filler(1000)
	ctx, stop := context.WithCancel(h.ctx)
	reader, err := store.OpenReader(h.ctx, h.store)
	h.must(err)
	defer reader.Close()
	h.must(h.a.Publish(h.ctx))
	_, err = authority.ExportLog(ctx, authority.ExportConfig{DB: reader.For(h.db.Org()), Verifiers: h.a.Verifiers(), Dir: dir,
		Progress: func(done, _ int64) {
			if done >= 512 {
				stop()
			}
		}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an export that was broken off has a checkpoint")
	}
	_, err = h.exportTo(dir)
	h.must(err)
	h.verifies(dir)
}

// TestExportIntoAnotherFolder: a folder that holds something else, another log, or
// more than this database is not written to.
func TestExportIntoAnotherFolder(t *testing.T) {
	each(t, func(h *house) {
		dir := t.TempDir()
		putBack := h.copied()
		h.filler(300)
		h.submit(order("PO-1", "900.00"))
		_, err := h.exportTo(dir)
		h.must(err)
		other := t.TempDir()
		h.must(os.WriteFile(filepath.Join(other, "letter.txt"), []byte("dear"), 0o600))
		if _, err := h.exportTo(other); err == nil || !strings.Contains(err.Error(), "letter.txt") {
			t.Errorf("a folder with other things: %v", err)
		}
		h.must(os.WriteFile(filepath.Join(other, "checkpoint"), []byte("x"), 0o600))
		if _, err := h.exportTo(other); err == nil {
			t.Error("a folder with another checkpoint was written to")
		}
		putBack()
		h.broken = true
		reader, err := store.OpenReader(h.ctx, h.store)
		h.must(err)
		defer reader.Close()
		_, err = authority.ExportLog(h.ctx, authority.ExportConfig{DB: reader.For(h.db.Org()), Verifiers: h.a.Verifiers(), Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "older") {
			t.Errorf("an older database exported over a newer export: %v", err)
		}
		h.verifies(dir)
	})
}
