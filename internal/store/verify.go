package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

// LogFault says what in a stored log contradicts the rest, and where.
type LogFault struct {
	Index int64 // of the first entry that does not fit; -1 when it is no single one
	What  string
}

func (f *LogFault) Error() string {
	if f.Index < 0 {
		return "the stored log is not sound: " + f.What
	}
	return fmt.Sprintf("the stored log is not sound: entry %d: %s", f.Index, f.What)
}

// Is makes a fault an [ErrLog].
func (f *LogFault) Is(target error) bool { return target == ErrLog }

func faultAt(index int64, format string, args ...any) error {
	return &LogFault{index, fmt.Sprintf(format, args...)}
}

// CheckEdge is the check at start: it hashes the entries of the last, growing tile
// again, puts the tree's root together from them and the stored tiles, and compares it
// with the stored root; and it sees whether entries are missing at the end or have
// indices behind it. Nothing may be signed when it returns an error. It takes
// milliseconds whatever the size.
func (db *DB) CheckEdge(ctx context.Context) (h Head, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		if h, err = tx.Head(); err != nil {
			return err
		}
		return tx.checkEdge(h)
	})
	return h, err
}

func (tx *Tx) checkEdge(h Head) error {
	if h.SignedSize > h.Size {
		return faultAt(-1, "a checkpoint of %d entries is recorded, but there are %d", h.SignedSize, h.Size)
	}
	first := max(0, (h.Size-1)/audit.TileWidth*audit.TileWidth)
	entries, err := tx.Entries(first, audit.TileWidth+1)
	if err != nil {
		return err
	}
	if int64(len(entries)) != h.Size-first {
		return faultAt(-1, "%d entries have an index from %d on, want %d", len(entries), first, h.Size-first)
	}
	var last []byte
	for i, e := range entries {
		if e.Index != first+int64(i) {
			return faultAt(first+int64(i), "it is missing")
		}
		hash := audit.LeafHash(e.Leaf)
		last = append(last, hash[:]...)
	}
	edge := audit.TileKey{Level: 0, Index: first / audit.TileWidth}
	read := func(k audit.TileKey) ([]byte, error) {
		if k == edge {
			return last, nil
		}
		return tx.tile(k)
	}
	root, err := audit.Root(h.Size, read)
	if err != nil {
		return faultAt(-1, "%v", err)
	}
	if root != h.Root {
		return faultAt(-1, "the tiles and the last entries do not give the stored root of %d entries", h.Size)
	}
	if len(last) == audit.TileBytes { // a full tile is met through the hash above it
		return tx.checkFull(edge, entries)
	}
	return nil
}

// checkFull compares the hash over the last full tile's entries with the one that
// stands for it on the level above.
func (tx *Tx) checkFull(edge audit.TileKey, entries []Entry) error {
	hashes := make([]tlog.Hash, len(entries))
	for i, e := range entries {
		hashes[i] = audit.LeafHash(e.Leaf)
	}
	full, err := audit.Append(0, nil, hashes)
	if err != nil {
		return err
	}
	above := audit.TileKey{Level: 1, Index: edge.Index / audit.TileWidth}
	stored, err := tx.tile(above)
	if err != nil {
		return faultAt(-1, "tile 1/%d: %v", above.Index, err)
	}
	at := int(edge.Index%audit.TileWidth) * tlog.HashSize
	if len(stored) < at+tlog.HashSize || tlog.Hash(stored[at:]) != full.Root {
		return faultAt(-1, "the last %d entries do not give the hash that the tree has for them", len(entries))
	}
	return nil
}

// checkPage is how many entries are checked with one snapshot.
const checkPage = 1024

// CheckLog is the full check: every entry in order, its canonical form, what the
// columns beside it say, every opening against its commitment, every tile, and the
// root. It names the first entry that does not fit. progress, which may be nil, is
// told how far it is, and its error ends the check. Memory does not grow with the log.
func (db *DB) CheckLog(ctx context.Context, progress func(done, total int64) error) (Head, error) {
	h, err := db.CheckEdge(ctx)
	if err != nil && !errors.Is(err, ErrLog) {
		return h, err
	}
	edgeErr := err // told last: the first entry at fault says more
	w := &logWalk{tiles: map[audit.TileKey][]byte{}}
	for w.next < h.Size {
		err := db.Read(ctx, func(tx *Tx) error { return w.page(tx, h.Size) })
		if err != nil {
			return h, err
		}
		if progress != nil {
			if err := progress(w.next, h.Size); err != nil {
				return h, err
			}
		}
	}
	if w.root != h.Root && h.Size > 0 {
		return h, faultAt(-1, "the %d entries do not give the stored root", h.Size)
	}
	return h, edgeErr
}

// logWalk builds the tree again, from the left, keeping only its right edge.
type logWalk struct {
	next  int64
	root  tlog.Hash
	tiles map[audit.TileKey][]byte
}

func (w *logWalk) page(tx *Tx, total int64) error {
	limit := min(checkPage, total-w.next)
	rows, err := List(tx, scanChecked, `SELECT id, seq, subject, leaf FROM audit_entry
		WHERE org_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3`, w.next, limit)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return faultAt(w.next, "it is missing")
	}
	openings, err := tx.openingsBetween(w.next, w.next+limit)
	if err != nil {
		return err
	}
	leaves := make([]tlog.Hash, len(rows))
	for i, e := range rows {
		if e.Index != w.next+int64(i) {
			return faultAt(w.next+int64(i), "it is missing")
		}
		if err := e.check(tx.org, openings[e.ID]); err != nil {
			return err
		}
		leaves[i] = audit.LeafHash(e.Leaf)
	}
	return w.grow(tx, leaves)
}

// grow adds leaves to the tree and compares its tiles with the stored ones.
func (w *logWalk) grow(tx *Tx, leaves []tlog.Hash) error {
	a, err := audit.Append(w.next, func(k audit.TileKey) ([]byte, error) { return w.tiles[k], nil }, leaves)
	if err != nil {
		return err
	}
	for _, k := range slices.SortedFunc(maps.Keys(a.Tiles), fromBelow) {
		data := a.Tiles[k]
		w.tiles[k] = data
		stored, err := tx.tile(k)
		if err != nil {
			return faultAt(-1, "tile %d/%d: %v", k.Level, k.Index, err)
		}
		if len(stored) < len(data) || string(stored[:len(data)]) != string(data) {
			return faultAt(w.firstDifferent(k, stored, data), "tile %d/%d has another hash than the entries give", k.Level, k.Index)
		}
	}
	w.next, w.root = a.Size, a.Root
	for k := range w.tiles {
		if k.Index < w.next>>(8*(k.Level+1))-1 {
			delete(w.tiles, k)
		}
	}
	return nil
}

// fromBelow orders tiles so that the one that names the entry comes first.
func fromBelow(a, b audit.TileKey) int {
	return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Index, b.Index))
}

// firstDifferent is the index of the first entry whose hash is another one in the
// stored tile, or -1 on the levels above.
func (w *logWalk) firstDifferent(k audit.TileKey, stored, data []byte) int64 {
	if k.Level != 0 {
		return -1
	}
	for i := 0; i+tlog.HashSize <= len(data); i += tlog.HashSize {
		if i+tlog.HashSize > len(stored) || string(stored[i:i+tlog.HashSize]) != string(data[i:i+tlog.HashSize]) {
			return k.Index*audit.TileWidth + int64(i/tlog.HashSize)
		}
	}
	return -1
}

// checkedEntry is an entry with the column that repeats a part of its leaf.
type checkedEntry struct {
	Entry
	subject string
}

func scanChecked(row Scanner) (e checkedEntry, err error) {
	err = row.Scan(&e.ID, &e.Index, &e.subject, &e.Leaf)
	return e, err
}

// check checks what an entry says against what stands beside it.
func (e checkedEntry) check(org string, openings map[string]countersign.Opening) error {
	leaf, err := countersign.ParseLeaf(e.Leaf)
	if err != nil {
		return faultAt(e.Index, "%v", err)
	}
	if leaf.ID != e.ID || leaf.Subject != e.subject || leaf.Org != org {
		return faultAt(e.Index, "its leaf is of %s about %s in %s, its row of %s about %s in %s",
			leaf.ID, leaf.Subject, leaf.Org, e.ID, e.subject, org)
	}
	for name, o := range openings {
		want, ok := leaf.Commitments[name]
		if !ok {
			return faultAt(e.Index, "it has an opening %q without a commitment", name)
		}
		if got, err := o.Commitment(name); err != nil || got != want {
			return faultAt(e.Index, "its opening %q does not fit its commitment", name)
		}
	}
	return nil
}

// openingsBetween returns the openings of the entries from first to before end, by
// entry and name.
func (tx *Tx) openingsBetween(first, end int64) (map[string]map[string]countersign.Opening, error) {
	all := map[string]map[string]countersign.Opening{}
	rows := tx.Query(`SELECT o.entry_id, o.name, o.salt, o.value FROM audit_entry e JOIN audit_opening o
		ON o.org_id = e.org_id AND o.entry_id = e.id WHERE e.org_id = $1 AND e.seq >= $2 AND e.seq < $3`, first, end)
	defer rows.Close()
	for rows.Next() {
		var id, name string
		var salt, value []byte
		if err := rows.Scan(&id, &name, &salt, &value); err != nil {
			return nil, err
		}
		if all[id] == nil {
			all[id] = map[string]countersign.Opening{}
		}
		all[id][name] = countersign.Opening{Salt: base64.StdEncoding.EncodeToString(salt), Value: string(value)}
	}
	return all, rows.Err()
}
