package authority_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A furnished house is made once for each engine and copied for each story: to enrol
// everybody anew would be most of a story's time.
type furnished struct {
	once sync.Once
	h    *house
	dir  string // keys and guard
	file []byte // the SQLite database
	name string // of the PostgreSQL database that is copied
}

var templates = map[string]*furnished{store.SQLite: {}, store.Postgres: {}}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range templates {
		if f.name != "" {
			if err := postgres("DROP DATABASE " + f.name); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		if f.dir != "" {
			os.RemoveAll(f.dir)
		}
	}
	os.Exit(code)
}

// postgres runs one statement on the server.
func postgres(text string) error {
	cfg, err := pgx.ParseConfig(os.Getenv("COUNTERSIGN_TEST_POSTGRES"))
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

var houses atomic.Int64

// each runs a story on every engine, each time in a house of its own, and checks the
// log from the outside afterwards.
func each(t *testing.T, story func(h *house)) {
	t.Helper()
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) { story(moveIn(t, cfg)) })
}

// onSQLite moves into a house on SQLite, where a test is about something else than the
// database.
func onSQLite(t *testing.T) *house {
	t.Helper()
	return moveIn(t, storetest.SQLite(t))
}

func furnish(t testing.TB, cfg store.Config) *furnished {
	f := templates[cfg.Driver]
	f.once.Do(func() {
		dir, err := os.MkdirTemp("", "house")
		if err != nil {
			t.Fatal(err)
		}
		f.dir = dir
		made := store.Config{Driver: cfg.Driver, Path: filepath.Join(dir, "house.db")}
		if cfg.Driver == store.Postgres {
			name := fmt.Sprintf("cs_house_%d", os.Getpid())
			if err := postgres("CREATE DATABASE " + name + " TEMPLATE " + databaseOf(t, cfg.DSN)); err != nil {
				t.Fatal(err)
			}
			f.name, made.DSN, made.Path, made.Connections = name, onDatabase(t, cfg.DSN, name), "", cfg.Connections
		}
		h := found(t, made, dir)
		if cfg.Driver == store.SQLite {
			if f.file, err = os.ReadFile(made.Path); err != nil {
				t.Fatal(err)
			}
		}
		f.h = h
	})
	if f.h == nil {
		t.Fatal("the house could not be furnished; the first test says why")
	}
	return f
}

// moveIn gives a story a house of its own.
func moveIn(t testing.TB, cfg store.Config) *house {
	t.Helper()
	f := furnish(t, cfg)
	h := &house{t: t, ctx: t.Context(), store: cfg, original: cfg, clock: &clock{steady: start.Add(10 * time.Minute)}, key: f.h.key, who: map[string]*dweller{}}
	for login, d := range f.h.who {
		c := *d
		c.h = h
		if d.key != nil {
			c.key = cloneKey(t, d.key)
		}
		h.who[login] = &c
	}
	h.store.Clock = h.clock.Now
	if cfg.Driver == store.SQLite {
		h.store.Path = filepath.Join(filepath.Dir(cfg.Path), fmt.Sprintf("house%d.db", houses.Add(1)))
		if err := os.WriteFile(h.store.Path, f.file, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		name := fmt.Sprintf("cs_house_%d_%d", os.Getpid(), houses.Add(1))
		if err := postgres("CREATE DATABASE " + name + " TEMPLATE " + f.name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := postgres("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				t.Error(err)
			}
		})
		h.store.DSN = onDatabase(t, cfg.DSN, name)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	if err := privateKeys(dir); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(h.ctx, h.store)
	h.must(err)
	h.open(db.For(f.h.db.Org()), dir)
	t.Cleanup(func() {
		h.ctx = context.Background()
		h.inspect()
		h.close()
		db.Close()
	})
	return h
}

// privateKeys gives copied keys their owner's mode again, whatever the umask.
func privateKeys(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "keys", "*.key"))
	for _, n := range names {
		err = errors.Join(err, os.Chmod(n, 0o600))
	}
	return err
}

func databaseOf(t testing.TB, dsn string) string {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Database
}

func onDatabase(t testing.TB, dsn, name string) string {
	return strings.Replace(dsn, databaseOf(t, dsn), name, 1)
}

// step checks what can be checked quickly after every act of a story: the edge of the
// tree against the stored entries, and that no decision is without its entry.
func (h *house) step() {
	h.t.Helper()
	if h.broken {
		return
	}
	h.must(h.a.Publish(h.ctx))
	_, err := h.db.CheckEdge(h.ctx)
	h.must(err)
}

// inspect checks everything from the outside when a story is over: the stored log
// against itself; an export of it, verified with nothing but the public key; the rows
// against the log.
func (h *house) inspect() {
	if h.t.Failed() || h.broken || h.t.Skipped() {
		return
	}
	h.must(h.a.Publish(h.ctx))
	_, err := h.db.CheckLog(h.ctx, nil)
	h.must(err)
	report := h.exported()
	var requests, decisions, unplaced, withoutEntry int64
	h.read(func(tx *store.Tx) (err error) {
		if unplaced, err = tx.UnplacedEntries(); err != nil {
			return err
		}
		for text, n := range map[string]*int64{
			`SELECT COUNT(*) FROM approval WHERE org_id = $1`: &requests,
			`SELECT COUNT(*) FROM decision WHERE org_id = $1`: &decisions,
			`SELECT COUNT(*) FROM decision d WHERE d.org_id = $1 AND NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.org_id = $1 AND e.id = d.entry_id AND e.subject = d.approval_id)`: &withoutEntry,
		} {
			if err := tx.Row(text).Scan(n); err != nil {
				return err
			}
		}
		return nil
	})
	if requests != report.Requests || unplaced != 0 || withoutEntry != 0 || (decisions != report.Decisions && !h.erased) {
		h.t.Errorf("%d requests and %d decisions stored, %d and %d logged; %d decisions without entry, %d entries without place",
			requests, decisions, report.Requests, report.Decisions, withoutEntry, unplaced)
	}
}

// exported exports the log into memory and verifies the export.
func (h *house) exported() *audit.ExportReport {
	h.t.Helper()
	files := h.export()
	report, err := audit.VerifyExport(files, audit.ExportOptions{Keys: h.a.Verifiers(), Origin: h.a.Organisation().Origin, RPID: rpID, Origins: []string{publicURL}})
	h.must(err)
	return report
}

func (h *house) export() fs.FS {
	h.t.Helper()
	checkpoint, err := h.a.Checkpoint()
	h.must(err)
	head, err := h.db.Head(h.ctx)
	h.must(err)
	files := memory{}
	err = audit.Export(audit.ExportInput{Checkpoint: checkpoint, Tiles: h.db.Tiles(h.ctx, head.Size),
		Entries: func(from int64, n int) (out []audit.Exported, err error) {
			err = h.db.Read(h.ctx, func(tx *store.Tx) error {
				out = nil
				rows, err := tx.Entries(from, n)
				for _, r := range rows {
					openings, err := tx.Openings(r.ID)
					if err != nil {
						return err
					}
					out = append(out, audit.Exported{Leaf: r.Leaf, Openings: openings})
				}
				return err
			})
			return out, err
		}}, files)
	h.must(err)
	return fstest.MapFS(files)
}

// memory takes the files of an export.
type memory fstest.MapFS

type memoryFile struct {
	bytes.Buffer
	m    memory
	path string
}

func (m memory) Create(path string) (io.WriteCloser, error) {
	return &memoryFile{m: m, path: path}, nil
}

func (f *memoryFile) Close() error {
	f.m[f.path] = &fstest.MapFile{Data: f.Bytes()}
	return nil
}

// entries lists the types of a subject's entries, in order.
func (h *house) entries(subject string) []countersign.EntryType {
	h.t.Helper()
	var out []countersign.EntryType
	h.must(h.a.Publish(h.ctx))
	h.read(func(tx *store.Tx) error {
		out = nil
		rows, err := tx.EntriesBySubject(subject, -1, 1000)
		if err != nil {
			return err
		}
		for _, r := range rows {
			leaf, err := countersign.ParseLeaf(r.Leaf)
			if err != nil {
				return err
			}
			out = append(out, leaf.Type)
		}
		return nil
	})
	return out
}

// cloneKey copies a software passkey: it counts, and is used by one story only.
func cloneKey(t testing.TB, k *softkey.Key) *softkey.Key {
	data, err := k.Save()
	if err != nil {
		t.Fatal(err)
	}
	c, err := softkey.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
