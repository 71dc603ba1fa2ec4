package authority

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

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
)

// ExportConfig is an export of one organisation's log. The database may be in use by
// a running server; it is only read.
type ExportConfig struct {
	DB        *store.DB // bound to the organisation
	Verifiers []string  // the log's verifier keys: the checkpoint must be signed by one
	Dir       string    // made when it is not there

	// Since is the first entry whose tile is read from the database again. Whole tiles
	// before it are taken from the folder, where an earlier export left them.
	Since int64
	// WithoutOpenings leaves out what opens the commitments: the export then proves what
	// happened when, and shows nothing of what it was about.
	WithoutOpenings bool
	Progress        func(done, total int64)
}

// ExportResult says what an export wrote.
type ExportResult struct {
	Checkpoint audit.Checkpoint `json:"checkpoint"`
	Before     int64            `json:"before"`  // entries that the folder had already
	Written    int64            `json:"written"` // files that are new or changed
	Removed    int64            `json:"removed"` // files of openings that were erased meanwhile, and of tiles that have grown
}

// ErrNotPublished says that no checkpoint of the log has been published yet.
var ErrNotPublished = errors.New("no checkpoint of the log is published yet: start the server once")

// ExportLog writes the log, as it stood at the last published checkpoint, into a
// folder in the C2SP tiles layout, with the openings beside it; see [audit.Export].
// A folder that holds an earlier export of the same log is brought up to date: it
// must be the beginning of this log, only what is new or changed is written, and
// openings that have been erased since are removed. An export that was broken off can
// be repeated into the same folder. Memory does not grow with the log.
func ExportLog(ctx context.Context, cfg ExportConfig) (*ExportResult, error) {
	head, err := cfg.DB.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.SignedSize == 0 {
		return nil, ErrNotPublished
	}
	var keys []note.Verifier
	for _, k := range cfg.Verifiers {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, fmt.Errorf("log key %q: %w", k, err)
		}
		keys = append(keys, v)
	}
	x := &exporting{cfg: cfg, head: head, folder: &exportFolder{dir: cfg.Dir, openings: map[string]bool{}, partial: map[string]bool{}}, result: &ExportResult{}}
	if x.result.Checkpoint, err = audit.OpenCheckpoint(head.Checkpoint, head.Origin, keys...); err != nil {
		return nil, fmt.Errorf("the checkpoint in the database: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := x.continues(ctx, keys); err != nil {
		return nil, err
	}
	return x.result, x.run(ctx)
}

type exporting struct {
	cfg    ExportConfig
	head   store.Head
	folder *exportFolder
	result *ExportResult
}

// continues checks that the folder is empty, or holds the beginning of this log.
func (x *exporting) continues(ctx context.Context, keys []note.Verifier) error {
	kept, err := os.ReadFile(filepath.Join(x.cfg.Dir, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return x.unfinished()
	} else if err != nil {
		return err
	}
	c, err := audit.OpenCheckpoint(kept, x.head.Origin, keys...)
	if err != nil {
		return fmt.Errorf("the folder %s holds another log: %w (hint: export into an empty folder)", x.cfg.Dir, err)
	}
	now := x.result.Checkpoint
	if c.Size > now.Size {
		return fmt.Errorf("the folder %s has %d entries, and the database has published %d: the database is older (hint: countersign audit recover)", x.cfg.Dir, c.Size, now.Size)
	}
	root, err := audit.Root(c.Size, x.cfg.DB.Tiles(ctx, now.Size))
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("the folder %s does not hold the beginning of this log: the database was rewritten, or the folder (hint: keep the folder; countersign audit verify tells what it proves)", x.cfg.Dir)
	}
	x.result.Before = c.Size
	return nil
}

// unfinished accepts a folder that an export was broken off in.
func (x *exporting) unfinished() error {
	names, err := os.ReadDir(x.cfg.Dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Name() != "tile" && n.Name() != "openings" {
			return fmt.Errorf("the folder %s holds other things, as %s (hint: export into an empty folder)", x.cfg.Dir, n.Name())
		}
	}
	return nil
}

func (x *exporting) run(ctx context.Context) error {
	err := audit.Export(audit.ExportInput{
		Checkpoint: x.head.Checkpoint,
		Tiles:      x.cfg.DB.Tiles(ctx, x.result.Checkpoint.Size),
		Entries:    func(from int64, n int) ([]audit.Exported, error) { return x.entries(ctx, from, n) },
		Progress: func(done, total int64) {
			if x.cfg.Progress != nil {
				x.cfg.Progress(done, total)
			}
		},
		Stop: ctx.Err,
	}, x.folder)
	if err == nil {
		err = x.folder.tidy()
	}
	x.result.Written, x.result.Removed = x.folder.written, x.folder.removed
	return err
}

func (x *exporting) entries(ctx context.Context, from int64, n int) ([]audit.Exported, error) {
	if n == audit.TileWidth && from+int64(n) <= min(x.cfg.Since, x.result.Before) {
		out, err := x.folder.entries(from)
		for i := range out {
			if x.cfg.WithoutOpenings {
				out[i].Openings = nil
			}
		}
		return out, err
	}
	var out []audit.Exported
	err := x.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		out = nil
		rows, err := tx.Entries(from, n)
		if err != nil {
			return err
		}
		openings := map[string]map[string]countersign.Opening{}
		if !x.cfg.WithoutOpenings {
			if openings, err = tx.OpeningsBetween(from, from+int64(n)); err != nil {
				return err
			}
		}
		for i, r := range rows {
			if r.Index != from+int64(i) {
				return fmt.Errorf("entry %d is missing in the database", from+int64(i))
			}
			out = append(out, audit.Exported{Leaf: r.Leaf, Openings: openings[r.ID]})
		}
		return nil
	})
	return out, err
}

// exportFolder writes the files of an export into a folder. A file with the same
// content is left alone, every other one is put in place whole.
type exportFolder struct {
	dir              string
	written, removed int64
	openings         map[string]bool // files that this export has
	partial          map[string]bool
}

// entries reads a whole tile of entries, and its openings, as they stand in the folder.
func (f *exportFolder) entries(from int64) ([]audit.Exported, error) {
	number := numberedPath(from / audit.TileWidth)
	bundle, err := os.ReadFile(filepath.Join(f.dir, "tile", "entries", number))
	if err != nil {
		return nil, fmt.Errorf("%w (hint: export without --since, which writes what is missing)", err)
	}
	leaves, err := audit.ParseBundle(bundle)
	if err != nil {
		return nil, err
	}
	out := make([]audit.Exported, len(leaves))
	for i, leaf := range leaves {
		out[i].Leaf = leaf
	}
	lines, err := os.ReadFile(filepath.Join(f.dir, "openings", number+".jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	} else if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(lines) {
		var l struct {
			Index    int64                          `json:"index"`
			Openings map[string]countersign.Opening `json:"openings"`
		}
		if err := countersign.DecodeStrict(bytes.TrimSpace(line), &l); err != nil {
			return nil, fmt.Errorf("openings/%s.jsonl: %w", number, err)
		}
		if l.Index < from || l.Index >= from+int64(len(out)) {
			return nil, fmt.Errorf("openings/%s.jsonl has openings of entry %d", number, l.Index)
		}
		out[l.Index-from].Openings = l.Openings
	}
	return out, nil
}

// numberedPath writes a tile's number as its path (C2SP tlog-tiles).
func numberedPath(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/", n%1000) + path
	}
	return filepath.FromSlash(path)
}

// exportFile is one file on its way into the folder.
type exportFile struct {
	bytes.Buffer
	folder *exportFolder
	path   string
}

func (f *exportFolder) Create(path string) (io.WriteCloser, error) {
	return &exportFile{folder: f, path: path}, nil
}

func (e *exportFile) Close() error {
	f := e.folder
	if strings.HasPrefix(e.path, "openings/") {
		f.openings[e.path] = true
	}
	if strings.Contains(e.path, ".p/") {
		f.partial[e.path] = true
	}
	full := filepath.Join(f.dir, filepath.FromSlash(e.path))
	if have, err := os.ReadFile(full); err == nil && bytes.Equal(have, e.Bytes()) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		return err
	}
	f.written++
	return replaceFile(full, e.Bytes())
}

// replaceFile puts a file in place whole: it is there as it was, or as it shall be.
func replaceFile(path string, data []byte) error {
	h, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = h.Write(data)
	if err == nil {
		err = h.Sync()
	}
	if err = errors.Join(err, h.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

// tidy removes what an earlier export left and this one does not have: openings that
// were erased, and partial tiles that have grown.
func (f *exportFolder) tidy() error {
	return filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		old := strings.HasPrefix(rel, "openings/") && !f.openings[rel] || strings.Contains(rel, ".p/") && !f.partial[rel] ||
			strings.HasSuffix(rel, ".new") && strings.Contains(rel, "/")
		if !old {
			return nil
		}
		f.removed++
		return os.Remove(path)
	})
}
