package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Names of the steps of verifying an export. They are stable.
const (
	ExportCheckpoint = "checkpoint signature" // by a key of the log
	ExportContiguity = "contiguity"           // every entry from the first to the last is there
	ExportEntry      = "entry"                // a leaf in its one form, of the one organisation
	ExportTile       = "tile"                 // the entries' hashes are those of the tiles
	ExportOpening    = "opening"              // every opening opens its commitment
	ExportHistory    = "history"              // what happened could happen
	ExportRoot       = "root"                 // the tree is the one that was signed
	ExportRollback   = "roll-back"            // not shorter than an earlier checkpoint
	ExportFork       = "fork"                 // continues the earlier checkpoint
)

// ExportOptions are the verifier's own inputs.
type ExportOptions struct {
	Keys    []string // verifier keys of the log, got out of band; one must have signed
	Origin  string   // of the log expected, where given
	Earlier []byte   // a signed checkpoint kept from another day, where given
	RPID    string   // WebAuthn relying party expected, where given
	Origins []string // web origins accepted, where given

	Progress func(done, total int64) // called after each 256 entries, where given
	Stop     func() error            // asked as often; its error ends the verification
}

// Recovery is a break in the log's history that the log itself announces.
type Recovery struct {
	Index     int64  `json:"index"`
	OldOrigin string `json:"old_origin"`
	OldSize   int64  `json:"old_size"`
	OldRoot   string `json:"old_root"`
}

// ExportReport is the result of verifying an export.
type ExportReport struct {
	OK     bool   `json:"ok"`
	Failed string `json:"failed,omitempty"` // the step that failed
	Detail string `json:"detail,omitempty"`
	Entry  int64  `json:"entry"` // index of the first entry that is wrong, −1 where none is to be named

	Checkpoint Checkpoint `json:"checkpoint"`
	Entries    int64      `json:"entries"`  // verified
	Openings   int64      `json:"openings"` // opened
	Erased     int64      `json:"erased"`   // commitments without an opening

	Requests   int64      `json:"requests"` // submitted
	Decisions  int64      `json:"decisions"`
	Releases   int64      `json:"releases"`
	Open       int64      `json:"open"`                 // pending or approved at the end
	Unresolved int64      `json:"unresolved,omitempty"` // entries about requests of a log before a recovery
	NewKeys    []string   `json:"new_keys,omitempty"`   // announced by rotations, oldest first
	Recoveries []Recovery `json:"recoveries,omitempty"`
	Simulated  int64      `json:"simulated,omitempty"` // decisions with the demo's software authenticator
}

// ExportError is the error of an export that does not verify.
type ExportError struct {
	Step   string
	Entry  int64 // −1 where no entry is to be named
	Detail string
}

func (e *ExportError) Error() string {
	if e.Entry < 0 {
		return "export: " + e.Step + ": " + e.Detail
	}
	return fmt.Sprintf("export: %s: entry %d: %s", e.Step, e.Entry, e.Detail)
}

// VerifyExport verifies an exported log: it rebuilds the tree from the entries,
// compares it with the tiles and the signed checkpoint, opens every opening, and
// follows what happened to every request. The error is an [*ExportError] that names
// the first step and entry that failed; another error says that the options cannot
// be used, a file could not be read, or Stop ended it. The report is returned in
// every case. Memory grows with the number of people, policies and requests that
// are open at the same time, not with the number of entries.
func VerifyExport(files fs.FS, opts ExportOptions) (*ExportReport, error) {
	x := &exportVerifier{files: files, opts: opts, report: &ExportReport{Entry: -1}, edge: edgeTiles{changed: map[TileKey][]byte{}}}
	x.edge.below = func(k TileKey) ([]byte, error) { return nil, ErrTile } // the edge is all kept
	x.history = newHistory(x)
	err := x.run()
	var failed *ExportError
	if errors.As(err, &failed) {
		x.report.Failed, x.report.Detail, x.report.Entry = failed.Step, failed.Detail, failed.Entry
	}
	x.report.OK = err == nil
	return x.report, err
}

type exportVerifier struct {
	files   fs.FS
	opts    ExportOptions
	report  *ExportReport
	keys    []note.Verifier
	edge    edgeTiles
	size    int64     // entries appended so far
	root    tlog.Hash // of them
	org     string
	history *history
}

func (x *exportVerifier) run() error {
	for _, k := range x.opts.Keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("log key %q: %w", k, err)
		}
		x.keys = append(x.keys, v)
	}
	if err := x.checkpoint(); err != nil {
		return err
	}
	x.root, _ = Root(0, x.edge.read)
	for from := int64(0); from < x.report.Checkpoint.Size; from += TileWidth {
		if x.opts.Stop != nil {
			if err := x.opts.Stop(); err != nil {
				return err
			}
		}
		if err := x.batch(from); err != nil {
			return err
		}
		if x.opts.Progress != nil {
			x.opts.Progress(x.size, x.report.Checkpoint.Size)
		}
	}
	return x.end()
}

func (x *exportVerifier) checkpoint() error {
	signed, err := x.read("checkpoint")
	if errors.Is(err, fs.ErrNotExist) {
		return &ExportError{ExportCheckpoint, -1, "there is no checkpoint: the export was broken off"}
	}
	if err != nil {
		return err
	}
	head, _, err := verify.OpenCheckpoint(signed, x.keys...)
	if err == nil && x.opts.Origin != "" && head.Origin != x.opts.Origin {
		err = fmt.Errorf("the log is %q, expected %q", head.Origin, x.opts.Origin)
	}
	if err != nil {
		return &ExportError{ExportCheckpoint, -1, err.Error()}
	}
	x.report.Checkpoint = head
	return nil
}

// batch verifies the entries of one tile.
func (x *exportVerifier) batch(from int64) error {
	number := from / TileWidth
	n := int(min(TileWidth, x.report.Checkpoint.Size-from))
	leaves, torn, err := x.leaves(number, n)
	if err != nil {
		return err
	}
	if err := x.appendLeaves(from, leaves, n, torn); err != nil {
		return err
	}
	openings, err := x.openings(number)
	if err != nil {
		return &ExportError{ExportOpening, from, openingsPath(number) + ": " + err.Error()}
	}
	for i, raw := range leaves {
		index := from + int64(i)
		if err := x.entry(index, raw, openings[index]); err != nil {
			return err
		}
		delete(openings, index)
	}
	for index := range openings {
		return &ExportError{ExportOpening, from, fmt.Sprintf("%s has openings of entry %d, which is not of this tile", openingsPath(number), index)}
	}
	return nil
}

// leaves reads a tile of entries. Where it is torn it returns what can be read, so
// that the first entry that differs can be named.
func (x *exportVerifier) leaves(number int64, n int) (leaves [][]byte, torn, err error) {
	data, err := x.read(entriesPath(number, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &ExportError{ExportContiguity, number * TileWidth, fmt.Sprintf("%s is missing", entriesPath(number, n))}
	}
	if err != nil {
		return nil, nil, err
	}
	leaves, torn = ParseBundle(data)
	return leaves, torn, nil
}

// appendLeaves puts the batch on the tree and compares each tile that is now full
// with the one in the export. The hashes of the leaves are compared before their
// number, so that a removed entry is named itself.
func (x *exportVerifier) appendLeaves(from int64, leaves [][]byte, want int, torn error) error {
	tile, err := x.read(tilePath(0, from/TileWidth, want))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(tile) != want*tlog.HashSize) {
		return &ExportError{ExportTile, -1, fmt.Sprintf("%s is missing or has another length", tilePath(0, from/TileWidth, want))}
	}
	if err != nil {
		return err
	}
	hashes := make([]tlog.Hash, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = LeafHash(leaf)
		if i >= want || hashes[i] != tlog.Hash(tile[i*tlog.HashSize:]) {
			return &ExportError{ExportTile, from + int64(i), "its bytes are not those that the tree was built on: changed, removed or put in"}
		}
	}
	if torn != nil {
		return &ExportError{ExportContiguity, from + int64(len(leaves)), torn.Error()}
	}
	if len(leaves) != want {
		return &ExportError{ExportContiguity, from + int64(len(leaves)), fmt.Sprintf("the entry is missing: %d entries where %d should be", len(leaves), want)}
	}
	a, err := Append(x.size, x.edge.read, hashes)
	if err != nil {
		return err
	}
	x.size, x.root = a.Size, a.Root
	for key, data := range a.Tiles {
		x.edge.changed[key] = data
		if len(data) < TileBytes {
			continue // it may grow; what is left of them is compared in the end
		}
		if err := x.compareTile(key, data); err != nil {
			return err
		}
		delete(x.edge.changed, key)
	}
	return nil
}

func (x *exportVerifier) compareTile(key TileKey, data []byte) error {
	path := tilePath(key.Level, key.Index, len(data)/tlog.HashSize)
	have, err := x.read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(have, data) {
		return &ExportError{ExportTile, -1, fmt.Sprintf("%s is not the tile of these entries", path)}
	}
	return nil
}

func (x *exportVerifier) openings(number int64) (map[int64]map[string]countersign.Opening, error) {
	data, err := x.read(openingsPath(number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // all erased
	}
	if err != nil {
		return nil, err
	}
	return parseOpenings(data)
}

// entry verifies one entry and what it means.
func (x *exportVerifier) entry(index int64, raw []byte, openings map[string]countersign.Opening) error {
	leaf, err := countersign.ParseLeaf(raw)
	if err == nil && x.org == "" {
		x.org = leaf.Org
	}
	if err == nil && leaf.Org != x.org {
		err = fmt.Errorf("of the organisation %q in the log of %q", leaf.Org, x.org)
	}
	if err != nil {
		return &ExportError{ExportEntry, index, err.Error()}
	}
	for name, o := range openings {
		have, err := o.Commitment(name)
		if err == nil && (leaf.Commitments[name] == "" || have != leaf.Commitments[name]) {
			err = fmt.Errorf("%q is not what was committed to", name)
		}
		if err != nil {
			return &ExportError{ExportOpening, index, err.Error()}
		}
	}
	x.report.Entries++
	x.report.Openings += int64(len(openings))
	x.report.Erased += int64(len(leaf.Commitments) - len(openings))
	if err := x.history.next(index, leaf, openings); err != nil {
		return &ExportError{ExportHistory, index, err.Error()}
	}
	return nil
}

func (x *exportVerifier) end() error {
	head := x.report.Checkpoint
	if x.root != head.Root {
		return &ExportError{ExportRoot, -1, fmt.Sprintf("the tree of these entries has the root %v, the checkpoint says %v", x.root, head.Root)}
	}
	for key, data := range x.edge.changed {
		if err := x.compareTile(key, data); err != nil {
			return err
		}
	}
	if err := x.history.end(); err != nil {
		return err
	}
	x.report.Open = int64(len(x.history.open))
	if x.opts.Earlier == nil {
		return nil
	}
	earlier, _, err := verify.OpenCheckpoint(x.opts.Earlier, x.keys...)
	if err != nil {
		return fmt.Errorf("earlier checkpoint: %w", err)
	}
	if earlier.Origin != head.Origin {
		return &ExportError{ExportFork, -1, fmt.Sprintf("the earlier checkpoint is of the log %q; a recovery to a new origin is announced in the log itself", earlier.Origin)}
	}
	if earlier.Size > head.Size {
		return &ExportError{ExportRollback, head.Size, fmt.Sprintf("the log had %d entries when the earlier checkpoint was signed, and has %d now", earlier.Size, head.Size)}
	}
	root, err := Root(earlier.Size, x.exportedTile)
	if err != nil {
		return err
	}
	if root != earlier.Root {
		return &ExportError{ExportFork, -1, fmt.Sprintf("the first %d entries are not those of the earlier checkpoint: the log was rewritten", earlier.Size)}
	}
	return nil
}

// exportedTile reads a tile of the export, which has been compared by then.
func (x *exportVerifier) exportedTile(k TileKey) ([]byte, error) {
	hashes := x.report.Checkpoint.Size>>(k.Level*tileHeight) - k.Index*TileWidth
	return x.read(tilePath(k.Level, k.Index, int(min(TileWidth, hashes))))
}

// maxExportFile bounds what is read of one file: 256 entries of the largest size,
// with openings of large documents.
const maxExportFile = 512 << 20

func (x *exportVerifier) read(path string) ([]byte, error) {
	f, err := x.files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxExportFile+1))
	if err == nil && len(data) > maxExportFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxExportFile)
	}
	return data, err
}

// again reads one entry that was verified before.
func (x *exportVerifier) again(index int64) (verify.CaseEntry, error) {
	number := index / TileWidth
	leaves, torn, err := x.leaves(number, int(min(TileWidth, x.report.Checkpoint.Size-number*TileWidth)))
	if err = errors.Join(err, torn); err != nil {
		return verify.CaseEntry{}, err
	}
	if index%TileWidth >= int64(len(leaves)) {
		return verify.CaseEntry{}, fmt.Errorf("entry %d is no longer there", index)
	}
	openings, err := x.openings(number)
	if err != nil {
		return verify.CaseEntry{}, err
	}
	leaf, err := countersign.ParseLeaf(leaves[index%TileWidth])
	return verify.CaseEntry{Index: index, Leaf: leaf, Openings: openings[index]}, err
}

func byIndex(entries []verify.CaseEntry) []verify.CaseEntry {
	slices.SortFunc(entries, func(a, b verify.CaseEntry) int { return cmp.Compare(a.Index, b.Index) })
	return entries
}
