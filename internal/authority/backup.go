package authority

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// BackupType is the type of the only backup format there is.
const BackupType = "countersign.backup/v1"

// The files in a backup, which is a plain tar archive: the manifest first, then the
// database as SQLite opens it. Keys and guard are never in it: whoever has the backup
// can read what is not encrypted, and can neither sign nor hide that it is old.
const (
	backupManifest = "manifest.json"
	backupDatabase = "countersign.db"
)

// Manifest says what a backup holds.
type Manifest struct {
	Type          string       `json:"type"`
	Program       string       `json:"program"` // version that wrote it
	MadeAt        string       `json:"made_at"`
	Driver        string       `json:"driver"`
	Schema        string       `json:"schema"` // digest of the schema that the program knows
	Organisations []BackedUp   `json:"organisations"`
	Content       *BackupBytes `json:"content,omitempty"` // absent where the server's own tools made the copy
}

// BackedUp is one organisation's log as the backup has it.
type BackedUp struct {
	Org        string `json:"org"`
	Name       string `json:"name"`
	Host       string `json:"host"`
	Origin     string `json:"origin"`
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	SignedSize int64  `json:"signed_size"`
	Checkpoint string `json:"checkpoint"` // the last published one; "" before the first
}

// BackupBytes is the database in a backup.
type BackupBytes struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// BackupConfig is a backup of a whole database. It may be in use by a running server.
type BackupConfig struct {
	DB      *store.DB
	File    string // that must not exist; "-" is not a file
	Program string // version, for the manifest
	// Progress is told what is being done, in words, and how far it is.
	Progress func(step string, done, total int64)
}

func (c BackupConfig) progress(step string, done, total int64) {
	if c.Progress != nil {
		c.Progress(step, done, total)
	}
}

// Backup writes a consistent copy of an SQLite database into one file, checks the
// copied logs whole, and makes the file durable before it gets its name. It returns
// [store.ErrNotSQLite] for a PostgreSQL database: its own tools copy it, and
// [DescribeBackup] tells what the copy must hold.
func Backup(ctx context.Context, cfg BackupConfig) (*Manifest, error) {
	if cfg.DB.Driver() != store.SQLite {
		return nil, store.ErrNotSQLite
	}
	if _, err := os.Lstat(cfg.File); err == nil {
		return nil, fmt.Errorf("%s exists already: a backup overwrites nothing", cfg.File)
	}
	dir, err := os.MkdirTemp(filepath.Dir(cfg.File), ".backup-") // on the same disk, readable by us alone
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, backupDatabase)
	cfg.progress("copy", 0, 1)
	if err := cfg.DB.CopyTo(ctx, copied); err != nil {
		return nil, err
	}
	m, err := describeCopy(ctx, cfg, copied)
	if err != nil {
		return nil, fmt.Errorf("the copy is not sound, and no backup was made: %w", err)
	}
	archive := filepath.Join(dir, "archive")
	if err := writeArchive(ctx, archive, copied, m); err != nil {
		return nil, err
	}
	if err := os.Link(archive, cfg.File); err != nil { // unlike a rename it overwrites nothing
		if errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("%s exists already: a backup overwrites nothing", cfg.File)
		}
		if err := os.Rename(archive, cfg.File); err != nil { // a file system without links
			return nil, err
		}
	}
	return m, checkpoint.SyncDir(filepath.Dir(cfg.File))
}

// describeCopy opens a copy, checks its logs whole, and says what it holds.
func describeCopy(ctx context.Context, cfg BackupConfig, path string) (*Manifest, error) {
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: path, Connections: 1})
	if err != nil {
		return nil, err
	}
	of := cfg
	of.DB = db
	m, err := DescribeBackup(ctx, of)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	m.Content = &BackupBytes{File: backupDatabase, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}
	return m, err
}

// DescribeBackup says what a copy of the database as it is now must hold at least,
// after checking the logs whole. With PostgreSQL it is written beside a copy that the
// server's own tools make.
func DescribeBackup(ctx context.Context, cfg BackupConfig) (*Manifest, error) {
	schema, err := store.SchemaDigest(cfg.DB.Driver())
	if err != nil {
		return nil, err
	}
	m := &Manifest{Type: BackupType, Program: cfg.Program, MadeAt: stamp(cfg.DB.Now()), Driver: cfg.DB.Driver(), Schema: schema, Organisations: []BackedUp{}}
	var orgs []store.Organisation
	if err := cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		orgs, err = tx.Organisations()
		return err
	}); err != nil {
		return nil, err
	}
	for _, o := range orgs {
		head, err := cfg.DB.For(o.ID).CheckLog(ctx, func(done, total int64) error {
			cfg.progress("check "+o.Name, done, total)
			return ctx.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		m.Organisations = append(m.Organisations, BackedUp{Org: o.ID, Name: o.Name, Host: o.Host, Origin: head.Origin, Size: head.Size, Root: head.Root.String(),
			SignedSize: head.SignedSize, Checkpoint: string(head.Checkpoint)})
	}
	return m, nil
}

func writeArchive(ctx context.Context, path, database string, m *Manifest) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	manifest, err := countersign.Canonical(m)
	if err != nil {
		return err
	}
	made, err := time.Parse(countersign.TimeFormat, m.MadeAt)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	head := func(name string, size int64) error {
		return w.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: made.Truncate(time.Second), Typeflag: tar.TypeReg})
	}
	if err := head(backupManifest, int64(len(manifest))); err != nil {
		return err
	}
	if _, err := w.Write(manifest); err != nil {
		return err
	}
	if err := head(m.Content.File, m.Content.Bytes); err != nil {
		return err
	}
	in, err := os.Open(database)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := io.Copy(w, &stoppable{ctx, in}); err != nil {
		return err
	}
	return errors.Join(w.Close(), out.Sync())
}

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(b)
}

// ErrBackup says that a file is not a whole, unchanged backup.
var ErrBackup = errors.New("backup")

// maxManifest bounds a manifest, in bytes.
const maxManifest = 16 << 20

// ReadBackup reads the manifest of a backup, and checks the content's digest while it
// writes the database to content, which may be [io.Discard].
func ReadBackup(ctx context.Context, r io.Reader, content io.Writer) (*Manifest, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrBackup}, args...)...)
	}
	t := tar.NewReader(&stoppable{ctx, r})
	h, err := t.Next()
	if err != nil || h.Name != backupManifest || h.Size > maxManifest {
		return nil, bad("it does not begin with a manifest: it is not one of ours")
	}
	raw, err := io.ReadAll(t)
	if err != nil {
		return nil, bad("%w", err)
	}
	m := &Manifest{}
	if err := countersign.DecodeStrict(raw, m); err != nil {
		return nil, bad("its manifest cannot be read: %w", err)
	}
	if m.Type != BackupType || m.Driver != store.SQLite || m.Content == nil {
		return m, bad("type %q of %q is not one that can be restored", m.Type, m.Driver)
	}
	if h, err = t.Next(); err != nil || h.Name != m.Content.File || h.Size != m.Content.Bytes {
		return m, bad("the database is missing or has another length than the manifest says: the file is cut off or was changed")
	}
	sum := sha256.New()
	if err := copyHashed(content, sum, t); err != nil {
		return m, bad("the database: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.Content.SHA256 {
		return m, bad("the database's SHA-256 is %s, the manifest says %s: the file was changed", got, m.Content.SHA256)
	}
	if _, err := t.Next(); err != io.EOF {
		return m, bad("something follows the database, or the end is missing")
	}
	return m, nil
}

func copyHashed(w io.Writer, sum hash.Hash, r io.Reader) error {
	_, err := io.Copy(io.MultiWriter(w, sum), r)
	return err
}

// RestoreConfig is where a backup is restored to.
type RestoreConfig struct {
	Backup io.Reader
	Path   string // of the database, which must not exist
	// Progress is told how far the check of the restored logs is.
	Progress func(done, total int64)
}

// Restore puts the database of a backup in place. It verifies the digest, opens the
// database, checks its logs whole and against the manifest, and only then gives it its
// name; an existing database is never overwritten. Sign-ins, open challenges and
// invitations of that time do not come back to life.
//
// Keys and guard are not in a backup: the server that starts on the restored database
// compares it with the guard, and refuses to sign when more was published since
// (ruling 30).
func Restore(ctx context.Context, cfg RestoreConfig) (*Manifest, error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, err := os.Lstat(cfg.Path + suffix); err == nil {
			return nil, fmt.Errorf("%s exists already: a restore overwrites nothing (hint: move the data folder away first, and keep it)", cfg.Path+suffix)
		}
	}
	dir := filepath.Dir(cfg.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(dir, ".restore-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	path := filepath.Join(work, backupDatabase)
	m, err := unpack(ctx, cfg.Backup, path)
	if err != nil {
		return m, err
	}
	if err := checkRestored(ctx, cfg, path, m); err != nil {
		return m, err
	}
	if err := os.Link(path, cfg.Path); err != nil {
		if errors.Is(err, os.ErrExist) {
			return m, fmt.Errorf("%s exists already: a restore overwrites nothing", cfg.Path)
		}
		if err := os.Rename(path, cfg.Path); err != nil {
			return m, err
		}
	}
	return m, checkpoint.SyncDir(dir)
}

func unpack(ctx context.Context, r io.Reader, path string) (*Manifest, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := ReadBackup(ctx, r, f)
	if err != nil {
		return m, err
	}
	return m, f.Sync()
}

// checkRestored compares the logs with the manifest, and ends what was open then.
func checkRestored(ctx context.Context, cfg RestoreConfig, path string, m *Manifest) error {
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: path, Connections: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	for _, o := range m.Organisations {
		head, err := db.For(o.Org).CheckLog(ctx, func(done, total int64) error {
			if cfg.Progress != nil {
				cfg.Progress(done, total)
			}
			return ctx.Err()
		})
		if err != nil {
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		if head.Origin != o.Origin || head.Size != o.Size || head.Root.String() != o.Root {
			return fmt.Errorf("%w: the log of %s is another one than the manifest says", ErrBackup, o.Name)
		}
	}
	if err := db.ForgetSignIns(ctx); err != nil {
		return err
	}
	return db.Close()
}
