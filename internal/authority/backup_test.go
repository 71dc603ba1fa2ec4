package authority_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// backup makes a backup beside the running authority.
func (h *house) backup() (file string, m *authority.Manifest) {
	h.t.Helper()
	reader, err := store.OpenReader(h.ctx, h.store)
	h.must(err)
	defer reader.Close()
	file = filepath.Join(h.t.TempDir(), "countersign.backup")
	m, err = authority.Backup(h.ctx, authority.BackupConfig{DB: reader, File: file, Program: "test"})
	h.must(err)
	return file, m
}

// restore puts a backup in place of the database.
func (h *house) restore(file string) *authority.Manifest {
	h.t.Helper()
	h.down()
	f, err := os.Open(file)
	h.must(err)
	defer f.Close()
	h.store.Path = filepath.Join(h.t.TempDir(), "data", "countersign.db")
	m, err := authority.Restore(h.ctx, authority.RestoreConfig{Backup: f, Path: h.store.Path})
	h.must(err)
	h.up()
	return m
}

// TestRuling30BackupAndRestore is the whole ceremony: a backup while the server runs,
// a restore, a server that does not sign because more was published since, and a
// recovery.
func TestRuling30BackupAndRestore(t *testing.T) {
	h := onSQLite(t)
	out := h.submit(order("PO-1", "900.00"))
	h.must(h.a.Publish(h.ctx))
	file, m := h.backup()
	head, err := h.db.Head(h.ctx)
	h.must(err)
	o := m.Organisations[0]
	if len(m.Organisations) != 1 || o.Org != h.a.Org() || o.Size != head.Size || o.Root != head.Root.String() || o.Origin != head.Origin ||
		o.Checkpoint != string(head.Checkpoint) || m.Program != "test" {
		t.Errorf("manifest %+v, head %+v", m, head)
	}
	// Nothing was published since: the server starts as if nothing had been.
	h.restore(file)
	h.reopen()
	h.verified(h.get(out.ID).Receipt)
	var sessions int
	h.read(func(tx *store.Tx) error {
		return tx.Row(`SELECT (SELECT COUNT(*) FROM session WHERE org_id = $1) + (SELECT COUNT(*) FROM challenge WHERE org_id = $1) + (SELECT COUNT(*) FROM invitation WHERE org_id = $1)`).Scan(&sessions)
	})
	if sessions != 0 {
		t.Errorf("%d sessions, challenges and invitations came back to life", sessions)
	}
	lost := h.submit(order("PO-2", "900.00"))
	h.must(h.a.Publish(h.ctx))
	h.restore(file)
	h.refuses()
	if _, err := h.recover(); !errors.Is(err, authority.ErrGrowth) {
		t.Errorf("%v", err)
	}
	r, err := h.recover(newOrigin)
	h.must(err)
	if r.Lost != 1 {
		t.Errorf("%+v", r)
	}
	h.reload()
	h.reopen()
	h.verified(lost.Receipt)
	h.verified(h.submit(order("PO-2", "900.00")).Receipt)
}

// TestRuling32BackupHasNoKeys: neither keys nor guard are in a backup, by name or by
// content.
func TestRuling32BackupHasNoKeys(t *testing.T) {
	h := onSQLite(t)
	h.submit(order("PO-1", "900.00"))
	_, err := h.a.RotateKeyOffline(h.ctx, checkpoint.KindSeal)
	h.must(err)
	file, _ := h.backup()
	data, err := os.ReadFile(file)
	h.must(err)
	info, err := os.Stat(file)
	h.must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the backup: %v", info.Mode())
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		h.must(err)
		names = append(names, e.Name)
	}
	if !slices.Equal(names, []string{"manifest.json", "countersign.db"}) {
		t.Errorf("the backup holds %v", names)
	}
	keys, err := filepath.Glob(filepath.Join(h.cfg.Keys.Dir, "*.key"))
	h.must(err)
	if len(keys) != 4 {
		t.Fatalf("keys: %v", keys)
	}
	for _, k := range keys {
		secret, err := os.ReadFile(k)
		h.must(err)
		text := strings.TrimSpace(string(secret))
		if parts := strings.SplitN(text, "+", 5); parts[0] == "PRIVATE" { // PRIVATE+KEY+name+hash+secret, which may hold a '+'
			text = parts[4]
		}
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("the backup holds %s", filepath.Base(k))
		}
	}
	if bytes.Contains(data, []byte("CSGUARD1")) {
		t.Error("the backup holds the guard")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRestoreRefuses: a backup that was changed or cut off, and a place where a database
// is.
func TestRestoreRefuses(t *testing.T) {
	h := onSQLite(t)
	h.submit(order("PO-1", "900.00"))
	file, _ := h.backup()
	good, err := os.ReadFile(file)
	h.must(err)
	restore := func(data []byte, path string) error {
		_, err := authority.Restore(h.ctx, authority.RestoreConfig{Backup: bytes.NewReader(data), Path: path})
		return err
	}
	path := filepath.Join(t.TempDir(), "x.db")
	changed := func(at int) []byte {
		bad := slices.Clone(good)
		bad[at] ^= 0x20
		return bad
	}
	chance := rand.New(rand.NewPCG(steady.Seed(t), 1))
	for range 30 {
		at := 512 + chance.IntN(len(good)-512-1536) // behind the first name, before the archive's empty end
		if err := restore(changed(at), path); err == nil && !padding(good, at) {
			t.Errorf("a backup with another byte %d was restored", at)
			os.Remove(path)
		}
	}
	for _, n := range []int{0, 100, 600, len(good) / 2, len(good) - 1600} {
		if err := restore(good[:n], path); err == nil {
			t.Errorf("a backup cut off after %d of %d bytes was restored", n, len(good))
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused restore left a database")
	}
	h.must(restore(good, path))
	if err := restore(good, path); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
		t.Errorf("a database was overwritten: %v", err)
	}
	h.must(os.Rename(path, path+"-wal"))
	if err := restore(good, path); err == nil {
		t.Error("a database was put beside another one's write-ahead log")
	}
	if _, err := authority.Backup(h.ctx, authority.BackupConfig{DB: h.db, File: file}); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
		t.Errorf("a backup was overwritten: %v", err)
	}
}

// padding reports whether a byte is one of the zeros that fill up the archive's blocks,
// or in a header field that means nothing here, as the time.
func padding(data []byte, at int) bool {
	r := &counting{Reader: bytes.NewReader(data)}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err != nil {
			return true
		}
		begin := r.n
		if at < begin {
			return true
		}
		if at < begin+int(h.Size) {
			return false
		}
		io.Copy(io.Discard, t)
	}
}

type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// TestBackupOfUnsoundLog: no backup is made of a log that was changed.
func TestBackupOfUnsoundLog(t *testing.T) {
	h := onSQLite(t)
	h.broken = true
	h.submit(order("PO-1", "900.00"))
	h.write(func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE audit_opening SET value = $2 WHERE org_id = $1 AND name = 'detail'`, []byte(`{}`))
		return err
	})
	file := filepath.Join(t.TempDir(), "b")
	if _, err := authority.Backup(h.ctx, authority.BackupConfig{DB: h.db, File: file}); !errors.Is(err, store.ErrLog) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a backup was made")
	}
}

// TestBackupOfPostgres: the server's own tools make the copy; what it must hold is told.
func TestBackupOfPostgres(t *testing.T) {
	h := moveIn(t, storetest.Postgres(t))
	h.submit(order("PO-1", "900.00"))
	h.must(h.a.Publish(h.ctx))
	if _, err := authority.Backup(h.ctx, authority.BackupConfig{DB: h.db, File: filepath.Join(t.TempDir(), "b")}); !errors.Is(err, store.ErrNotSQLite) {
		t.Errorf("%v", err)
	}
	m, err := authority.DescribeBackup(h.ctx, authority.BackupConfig{DB: h.db})
	h.must(err)
	if len(m.Organisations) != 1 || m.Organisations[0].Size == 0 || m.Content != nil {
		t.Errorf("%+v", m)
	}
}
