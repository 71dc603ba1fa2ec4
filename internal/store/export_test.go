package store

import (
	"context"

	"github.com/countersign/countersign/internal/audit"
)

// What tests reach into.

var (
	CheckSQLiteVersion = checkSQLiteVersion
	EncodeSlot         = encodeSlot
	GuardName          = guardName
	Storable           = storable
	TileWidthIn        = tileWidth
	MakeOpeningsText   = makeOpeningsText
)

const (
	GuardSlot     = guardSlot
	SequenceBatch = sequenceBatch
)

// SequenceWithoutLease is the sequencer's work as it would be without the lease.
func (db *DB) SequenceWithoutLease(ctx context.Context) error { return db.sequenceAll(ctx) }

// Render puts a query into the words of SQLite.
func Render(text string) (string, int, error) {
	st, err := sqliteDialect.render(text)
	return st.text, st.params, err
}

// Pragmas reads the settings of every connection of an SQLite store.
func (db *DB) Pragmas(name string) (values []string, err error) {
	b := db.backend.(*liteBackend)
	conns := []*liteConn{b.writer.conn}
	for range b.count {
		c := <-b.readers
		defer func() { b.readers <- c }()
		conns = append(conns, c)
	}
	for _, c := range conns {
		v, err := c.text("PRAGMA " + name)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// RefusesPragma sets a setting on a fresh connection and reads all of them back.
func RefusesPragma(ctx context.Context, path, set string) error {
	c, err := openLite(ctx, path, false)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.exec("PRAGMA "+set, nil); err != nil {
		return err
	}
	return c.readBack(pragmas)
}

// Raw runs a statement on a connection of its own, past the store and its rules, as
// somebody with access to the database would.
func (db *DB) Raw(ctx context.Context, text string) error {
	switch b := db.backend.(type) {
	case *liteBackend:
		c, err := openLite(ctx, b.path, false)
		if err != nil {
			return err
		}
		defer c.close()
		_, err = c.exec(text, nil)
		return classify(err)
	case *pgBackend:
		_, err := b.db.ExecContext(ctx, text)
		return classify(err)
	}
	return nil
}

// EdgeTiles is how many tiles the SQLite writer holds for the organisation's log.
func (db *DB) EdgeTiles() map[audit.TileKey][]byte {
	l := db.backend.(*liteBackend).writer.logs[db.org]
	if l == nil {
		return nil
	}
	return l.edge
}

// ForgetTiles empties the tile cache.
func (db *DB) ForgetTiles() {
	db.tiles.mu.Lock()
	defer db.tiles.mu.Unlock()
	clear(db.tiles.tiles)
}

// Queued is how many functions lie in the SQLite writer's queue.
func (db *DB) Queued() int { return len(db.backend.(*liteBackend).writer.queue) }
