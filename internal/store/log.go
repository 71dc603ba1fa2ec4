package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxLeaf is the most bytes that a leaf may have: tiles of entries write its length
// in 16 bits (C2SP tlog-tiles).
const MaxLeaf = 65535

// Unplaced is the index of an entry that has no place in the log yet.
const Unplaced = -1

// EntryRef names an appended entry and its place.
type EntryRef struct {
	ID    string
	Index int64 // Unplaced on PostgreSQL, until the entry has been sequenced
}

// Entry is one entry of the log.
type Entry struct {
	ID    string
	Index int64 // or Unplaced
	Leaf  []byte
}

// Head is the state of an organisation's log.
type Head struct {
	Origin     string
	Size       int64 // entries that have their place
	Root       tlog.Hash
	SignedSize int64  // what Checkpoint covers
	Checkpoint []byte // the last one published; nil before the first
}

// CreateLog makes the organisation's log, empty. It returns [ErrConflict] when there
// is one.
func (tx *Tx) CreateLog(origin string) error {
	root, err := audit.Root(0, nil)
	if err != nil {
		return tx.fail(err)
	}
	return tx.ExecOne(`INSERT INTO log_head (org_id, origin, size, root, signed_size, checkpoint)
		VALUES ($1, $2, 0, $3, 0, $4) ON CONFLICT (org_id) DO NOTHING`, origin, root, []byte{})
}

// ReopenLog lets the log go on under a new origin, after a recovery that could not
// prove growth from what was published under the old one. The entries stay; nothing
// counts as published until a checkpoint of the new origin is.
func (tx *Tx) ReopenLog(oldOrigin, newOrigin string) error {
	if _, err := tx.Exec(`DELETE FROM cosigned WHERE org_id = $1`); err != nil {
		return err
	}
	return tx.ExecOne(`UPDATE log_head SET origin = $3, signed_size = 0, checkpoint = $4
		WHERE org_id = $1 AND origin = $2`, oldOrigin, newOrigin, []byte{})
}

// AppendEntry appends one entry to the organisation's log, with the openings of its
// commitments. It stands or falls with the transaction. The leaf's commitments have
// been made by the caller, and its time is the transaction's.
func (tx *Tx) AppendEntry(leaf countersign.Leaf, openings map[string]countersign.Opening) error {
	return tx.AppendLeaf(leaf, leaf.Bytes(), openings)
}

// AppendLeaf is [Tx.AppendEntry] with the leaf's bytes, for callers that have encoded
// it already.
func (tx *Tx) AppendLeaf(leaf countersign.Leaf, data []byte, openings map[string]countersign.Opening) error {
	if leaf.Org != tx.org {
		return tx.fail(fmt.Errorf("entry %s is of organisation %q, the transaction of %q", leaf.ID, leaf.Org, tx.org))
	}
	if !countersign.IsID(countersign.PrefixEntry, leaf.ID) {
		return tx.fail(fmt.Errorf("entry id %q is not one that NewID makes", leaf.ID))
	}
	for name := range openings {
		if _, ok := leaf.Commitments[name]; !ok {
			return tx.fail(fmt.Errorf("entry %s: opening %q has no commitment", leaf.ID, name))
		}
	}
	if len(data) > MaxLeaf {
		return tx.fail(fmt.Errorf("entry %s: the leaf has %d bytes, at most %d are allowed", leaf.ID, len(data), MaxLeaf))
	}
	ref := EntryRef{leaf.ID, Unplaced}
	var seq *int64
	if tx.log != nil {
		index, err := tx.log.append(tx, data)
		if err != nil {
			return tx.fail(err)
		}
		ref.Index, seq = index, &index
	}
	if err := tx.put(true, `INSERT INTO audit_entry (org_id, id, seq, turn, place, subject, leaf, created_us)
		VALUES ($1, $2, $3, {{turn}}, $4, $5, $6, $7)`,
		leaf.ID, seq, len(tx.entries), leaf.Subject, data, tx.now); err != nil {
		return err
	}
	tx.entries = append(tx.entries, ref)
	return tx.insertOpenings(leaf.ID, openings)
}

// insertOpenings writes all openings with one statement: a round trip less for each.
func (tx *Tx) insertOpenings(entry string, openings map[string]countersign.Opening) error {
	if len(openings) == 0 {
		return nil
	}
	args := make([]any, 1, 1+3*len(openings))
	args[0] = entry
	for name, o := range openings {
		salt, err := base64.StdEncoding.Strict().DecodeString(o.Salt)
		if err != nil {
			return tx.fail(fmt.Errorf("entry %s: the salt of opening %q is not base64", entry, name))
		}
		args = append(args, name, salt, []byte(o.Value))
	}
	return tx.put(false, openingsText(len(openings)), args...)
}

var openingTexts = func() (texts [9]string) { // entries have few openings
	for i := range texts {
		texts[i] = makeOpeningsText(i)
	}
	return texts
}()

func openingsText(n int) string {
	if n < len(openingTexts) {
		return openingTexts[n]
	}
	return makeOpeningsText(n)
}

func makeOpeningsText(n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO audit_opening (org_id, entry_id, name, salt, value) VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		p := 3 + 3*i
		b.WriteString("($1, $2, $" + strconv.Itoa(p) + ", $" + strconv.Itoa(p+1) + ", $" + strconv.Itoa(p+2) + ")")
	}
	return b.String()
}

// Head reads the state of the log. It returns [ErrNotFound] when there is none.
func (tx *Tx) Head() (Head, error) {
	var h Head
	err := tx.Row(`SELECT origin, size, root, signed_size, checkpoint FROM log_head WHERE org_id = $1`).
		Scan(&h.Origin, &h.Size, &h.Root, &h.SignedSize, &h.Checkpoint)
	if len(h.Checkpoint) == 0 {
		h.Checkpoint = nil
	}
	return h, err
}

// Head reads the state of the log.
func (db *DB) Head(ctx context.Context) (h Head, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		h, err = tx.Head()
		return err
	})
	return h, err
}

// SetSigned records a published checkpoint that covers size entries. It never goes
// back: it returns [ErrConflict] when a checkpoint of more entries is recorded, or
// the log has fewer. The same size again replaces the checkpoint, which may have got
// more cosignatures.
func (db *DB) SetSigned(ctx context.Context, size int64, checkpoint []byte) error {
	if len(checkpoint) == 0 {
		return errors.New("an empty checkpoint cannot be recorded")
	}
	_, err := db.Write(ctx, func(tx *Tx) error {
		tx.jobs++ // rows that waited for the publication are due now
		return tx.ExecOne(`UPDATE log_head SET signed_size = $2, checkpoint = $3
			WHERE org_id = $1 AND signed_size <= $2 AND size >= $2`, size, checkpoint)
	})
	return err
}

func scanEntry(row Scanner) (e Entry, err error) {
	var seq *int64
	err = row.Scan(&e.ID, &seq, &e.Leaf)
	e.Index = Unplaced
	if seq != nil {
		e.Index = *seq
	}
	return e, err
}

// Entries returns up to limit entries from index from on, in order.
func (tx *Tx) Entries(from int64, limit int) ([]Entry, error) {
	return List(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry
		WHERE org_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3`, from, limit)
}

// EntryByID returns one entry, or [ErrNotFound].
func (tx *Tx) EntryByID(id string) (Entry, error) {
	return One(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry WHERE org_id = $1 AND id = $2`, id)
}

// EntriesBySubject returns up to limit entries about one subject with an index above
// after (-1 for the first page), in order. Entries without a place are left out.
func (tx *Tx) EntriesBySubject(subject string, after int64, limit int) ([]Entry, error) {
	return List(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry
		WHERE org_id = $1 AND subject = $2 AND seq > $3 ORDER BY seq LIMIT $4`, subject, after, limit)
}

// UnplacedEntries counts the entries that wait for their place.
func (tx *Tx) UnplacedEntries() (n int64, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM audit_entry WHERE org_id = $1 AND seq IS NULL`).Scan(&n)
	return n, err
}

// Openings returns the openings of an entry that have not been erased, by name.
func (tx *Tx) Openings(entry string) (map[string]countersign.Opening, error) {
	all := map[string]countersign.Opening{}
	rows := tx.Query(`SELECT name, salt, value FROM audit_opening WHERE org_id = $1 AND entry_id = $2`, entry)
	defer rows.Close()
	for rows.Next() {
		var name string
		var salt, value []byte
		if err := rows.Scan(&name, &salt, &value); err != nil {
			return nil, err
		}
		all[name] = countersign.Opening{Salt: base64.StdEncoding.EncodeToString(salt), Value: string(value)}
	}
	return all, rows.Err()
}

// EraseOpenings deletes all openings of an entry and returns how many there were.
// The entry stays, and with it the tree and every proof.
func (tx *Tx) EraseOpenings(entry string) (int64, error) {
	return tx.Exec(`DELETE FROM audit_opening WHERE org_id = $1 AND entry_id = $2`, entry)
}

// EraseOpeningsAbout deletes all openings of the entries about a subject, also of those
// that have no place in the log yet.
func (tx *Tx) EraseOpeningsAbout(subject string) error {
	_, err := tx.Exec(`DELETE FROM audit_opening WHERE org_id = $1 AND entry_id IN (SELECT id FROM audit_entry WHERE org_id = $1 AND subject = $2)`, subject)
	return err
}

// openLog is a log as the SQLite writer holds it: what is committed, and what the
// group adds. Nobody else writes, so that nothing has to be read again.
type openLog struct {
	org    string
	size   int64
	root   tlog.Hash
	edge   map[audit.TileKey][]byte // tiles that may still grow, and their full neighbours
	fresh  []tlog.Hash              // hashes of the group's entries
	result *audit.Appended
}

// loadLog reads a log and checks that its tiles give the stored root.
func loadLog(tx *Tx) (*openLog, error) {
	h, err := tx.Head()
	if errors.Is(err, ErrNotFound) {
		return nil, errors.New("the organisation has no log: create it first")
	}
	if err != nil {
		return nil, err
	}
	l := &openLog{org: tx.org, size: h.Size, root: h.Root, edge: map[audit.TileKey][]byte{}}
	root, err := audit.Root(l.size, l.reader(func(k audit.TileKey) ([]byte, error) { return tx.tile(k) }))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLog, err)
	}
	if root != l.root {
		return nil, fmt.Errorf("%w: the tiles of %d entries do not give the stored root", ErrLog, l.size)
	}
	return l, nil
}

// reader reads tiles from the edge, and keeps what it has to fetch.
func (l *openLog) reader(fetch audit.TileReader) audit.TileReader {
	return func(k audit.TileKey) ([]byte, error) {
		if data, ok := l.edge[k]; ok {
			return data, nil
		}
		data, err := fetch(k)
		if err == nil {
			l.edge[k] = data
		}
		return data, err
	}
}

// tile reads one tile from the database.
func (tx *Tx) tile(k audit.TileKey) (data []byte, err error) {
	err = tx.Row(`SELECT data FROM tile WHERE org_id = $1 AND lvl = $2 AND idx = $3`, k.Level, k.Index).Scan(&data)
	return data, err
}

// saveTree writes the tiles that changed and swaps the head. It returns
// [ErrConflict] when the head is not the old one any more.
func saveTree(tx *Tx, oldSize int64, oldRoot tlog.Hash, a audit.Appended) error {
	if err := tx.ExecOne(`UPDATE log_head SET size = $2, root = $3 WHERE org_id = $1 AND size = $4 AND root = $5`,
		a.Size, a.Root, oldSize, oldRoot); err != nil {
		return err
	}
	for k, data := range a.Tiles {
		if _, err := tx.Exec(`INSERT INTO tile (org_id, lvl, idx, data) VALUES ($1, $2, $3, $4)
			ON CONFLICT (org_id, lvl, idx) DO UPDATE SET data = excluded.data`, k.Level, k.Index, data); err != nil {
			return err
		}
	}
	return nil
}

// groupLog gives the entries of one function their places, in the writer's group.
type groupLog struct {
	writer *liteWriter
	org    string
	log    *openLog
	loaded bool // by this function, so that it goes if the function fails
	before int
}

func (g *groupLog) append(tx *Tx, leaf []byte) (int64, error) {
	if g.log == nil {
		l := g.writer.logs[g.org]
		if l == nil {
			var err error
			if l, err = loadLog(tx); err != nil {
				return 0, err
			}
			g.writer.logs[g.org] = l
			g.loaded = true
		}
		g.log, g.before = l, len(l.fresh)
	}
	index := g.log.size + int64(len(g.log.fresh))
	g.log.fresh = append(g.log.fresh, audit.LeafHash(leaf))
	return index, nil
}

// undo takes the function's entries back.
func (g *groupLog) undo() {
	if g.log == nil {
		return
	}
	g.log.fresh = g.log.fresh[:g.before]
	if g.loaded { // perhaps of a log that was created by the same function
		delete(g.writer.logs, g.org)
	}
}

// sequence puts the group's entries into the tree.
func (l *openLog) sequence(e *engine, c *liteConn) error {
	if len(l.fresh) == 0 {
		return nil
	}
	tx := &Tx{engine: e, org: l.org, now: e.Now(), s: c}
	defer tx.end()
	fetch := l.reader(func(k audit.TileKey) ([]byte, error) { return tx.tile(k) })
	a, err := audit.Append(l.size, fetch, l.fresh)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLog, err)
	}
	if err := saveTree(tx, l.size, l.root, a); err != nil {
		if errors.Is(err, ErrConflict) {
			return fmt.Errorf("%w: the stored head was changed by somebody else", ErrLog)
		}
		return err
	}
	l.result = &a
	return nil
}

// committed makes the group's tree the log's, and reports whether it grew.
func (l *openLog) committed(cache *tileCache) bool {
	a := l.result
	if a == nil {
		return false
	}
	l.size, l.root, l.fresh, l.result = a.Size, a.Root, l.fresh[:0], nil
	for k, data := range a.Tiles {
		l.edge[k] = data
		cache.put(l.org, k, data)
	}
	for k := range l.edge { // keep the tile that grows and the one before it
		if last := l.size >> (8 * (k.Level + 1)); k.Index < last-1 {
			delete(l.edge, k)
		}
	}
	return true
}
