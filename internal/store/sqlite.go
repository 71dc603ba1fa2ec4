package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"
)

// minSQLite is the first release without the WAL-reset bug, which could lose
// committed pages when two connections wrote and checkpointed together.
var minSQLite = [3]int{3, 51, 3}

// pragma is a setting, and how it reads back. A wrong or misspelt one is ignored by
// SQLite in silence, and some of these decide whether a power cut loses approvals.
type pragma struct{ name, set, want string }

var pragmas = []pragma{
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"busy_timeout", "10000", "10000"},
	{"foreign_keys", "ON", "1"},
	{"trusted_schema", "OFF", "0"},
	{"cache_size", "-32768", "-32768"},     // KiB
	{"wal_autocheckpoint", "4000", "4000"}, // pages: copied to the database file less often
	{"temp_store", "MEMORY", "2"},          // what savepoints need to go back is kept in memory, not in a file
}

const (
	maxStatements       = 1024 // prepared statements kept by a connection
	defaultReaders      = 4
	sqliteQueryOnly     = "1"
	sqliteReadWriteMode = "0"
)

// liteConn is one connection to SQLite, used by one goroutine at a time. It goes
// past database/sql, whose locks and conversions cost about as much as the queries.
type liteConn struct {
	c          driver.Conn
	statements map[string]*liteStmt
}

// liteStmt is a prepared statement.
type liteStmt struct {
	s      driver.Stmt
	params int
	busy   bool // its rows are being read
	kept   bool
}

func openLite(ctx context.Context, path string, queryOnly bool) (*liteConn, error) {
	connector, err := sqlite.NewConnector(liteDSN(path))
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, classify(err))
	}
	c := &liteConn{c: raw, statements: map[string]*liteStmt{}}
	mode := sqliteReadWriteMode
	if queryOnly {
		mode = sqliteQueryOnly
		if _, err := c.exec("PRAGMA query_only = ON", nil); err != nil {
			c.close()
			return nil, err
		}
	}
	if err := c.readBack(append(slices.Clone(pragmas), pragma{"query_only", "", mode})); err != nil {
		c.close()
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return c, nil
}

// liteDSN is the connection string. The values are ours alone, and a double-quoted
// name that does not exist is an error instead of a string.
func liteDSN(path string) string {
	var q strings.Builder
	q.WriteString("file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?_dqs=0")
	for _, p := range pragmas {
		q.WriteString("&_pragma=" + url.QueryEscape(p.name+"("+p.set+")"))
	}
	return q.String()
}

func (c *liteConn) readBack(want []pragma) error {
	for _, p := range want {
		got, err := c.text("PRAGMA " + p.name)
		if err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("setting %s is %q, want %q: refusing to run with it", p.name, got, p.want)
		}
	}
	version, err := c.text("SELECT sqlite_version()")
	if err != nil {
		return err
	}
	return checkSQLiteVersion(version)
}

func checkSQLiteVersion(version string) error {
	parts := strings.Split(version, ".")
	var got [3]int
	for i := range min(len(parts), 3) {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return fmt.Errorf("the version of SQLite, %q, cannot be read", version)
		}
		got[i] = n
	}
	if slices.Compare(got[:], minSQLite[:]) < 0 {
		return fmt.Errorf("version %s of SQLite can lose committed pages: at least %d.%d.%d is needed",
			version, minSQLite[0], minSQLite[1], minSQLite[2])
	}
	return nil
}

// text runs a query for one value.
func (c *liteConn) text(query string) (string, error) {
	cur, err := c.query(query, nil)
	if err != nil {
		return "", classify(err)
	}
	defer cur.close()
	row := make([]driver.Value, cur.columns())
	if err := cur.next(row); err != nil {
		return "", fmt.Errorf("%s: %w", query, classify(err))
	}
	return fmt.Sprint(row[0]), nil
}

func (c *liteConn) close() error {
	for _, s := range c.statements {
		s.s.Close()
	}
	return c.c.Close()
}

// prepare finds or makes the prepared statement of a query.
func (c *liteConn) prepare(text string) (*liteStmt, error) {
	st := c.statements[text]
	if st != nil && !st.busy {
		return st, nil
	}
	r, err := sqliteDialect.render(text)
	if err != nil {
		return nil, err
	}
	s, err := c.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), r.text)
	if err != nil {
		return nil, err
	}
	fresh := &liteStmt{s: s, params: r.params}
	if st == nil {
		c.makeRoom()
		fresh.kept = true
		c.statements[text] = fresh
	}
	return fresh, nil
}

// makeRoom forgets some statement when there are too many. Query texts are
// constants, so that this happens only with lists of very many lengths.
func (c *liteConn) makeRoom() {
	for text, st := range c.statements {
		if len(c.statements) < maxStatements {
			return
		}
		if !st.busy {
			st.s.Close()
			delete(c.statements, text)
		}
	}
}

func (st *liteStmt) check(args int) error {
	return statement{params: st.params}.check(args)
}

// exec has no context: statements of a write are short, and a context that can end
// costs a goroutine for each.
func (c *liteConn) exec(text string, args []driver.NamedValue) (int64, error) {
	st, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	if !st.kept {
		defer st.s.Close()
	}
	if err := st.check(len(args)); err != nil {
		return 0, err
	}
	res, err := st.s.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *liteConn) query(text string, args []driver.NamedValue) (cursor, error) {
	st, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	err = st.check(len(args))
	var rows driver.Rows
	if err == nil {
		rows, err = st.s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	}
	if err != nil {
		if !st.kept {
			st.s.Close()
		}
		return nil, err
	}
	st.busy = true
	return &liteCursor{st: st, rows: rows}, nil
}

// batch has nothing to save on the way: there is none.
func (c *liteConn) batch(all []question) ([]*answer, error) { return batchOf(c.query, all) }

func batchOf(query func(string, []driver.NamedValue) (cursor, error), all []question) ([]*answer, error) {
	out := make([]*answer, len(all))
	for i, q := range all {
		c, err := query(q.text, q.args)
		if err != nil {
			return nil, err
		}
		if out[i], err = collect(c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type liteCursor struct {
	st   *liteStmt
	rows driver.Rows
}

func (c *liteCursor) columns() int { return len(c.rows.Columns()) }

func (c *liteCursor) next(into []driver.Value) error { return c.rows.Next(into) }

func (c *liteCursor) close() error {
	err := c.rows.Close()
	c.st.busy = false
	if !c.st.kept {
		c.st.s.Close()
	}
	return err
}

// liteReader is a connection that reads, and stops when its caller's context ends.
type liteReader struct {
	*liteConn
	ctx context.Context
}

func (r liteReader) query(text string, args []driver.NamedValue) (cursor, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	c, err := r.liteConn.query(text, args)
	if err != nil {
		return nil, err
	}
	return &readCursor{cursor: c, ctx: r.ctx}, nil
}

func (r liteReader) batch(all []question) ([]*answer, error) { return batchOf(r.query, all) }

type readCursor struct {
	cursor
	ctx  context.Context
	rows int
}

func (c *readCursor) next(into []driver.Value) error {
	if c.rows++; c.rows%64 == 0 && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	return c.cursor.next(into)
}

// liteBackend is the SQLite engine: one connection that writes, a few that read.
type liteBackend struct {
	engine  *engine
	path    string
	lock    *fileLock
	writer  *liteWriter
	readers chan *liteConn
	count   int
}

func openSQLite(ctx context.Context, e *engine, cfg Config, s schema) (*liteBackend, error) {
	if cfg.Path == "" || strings.HasPrefix(cfg.Path, ":") {
		return nil, errors.New("an SQLite database needs the path of its file")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	b := &liteBackend{engine: e, path: path, lock: lock, count: cfg.Connections}
	if b.count <= 0 {
		b.count = defaultReaders
	}
	b.readers = make(chan *liteConn, b.count)
	if err := b.connect(ctx, s); err != nil {
		b.closeReaders()
		lock.release()
		return nil, err
	}
	return b, nil
}

// connect migrates, and opens the connections one after the other: one that recovers
// the write-ahead log does not make others wait, it makes them fail.
func (b *liteBackend) connect(ctx context.Context, s schema) error {
	if err := createPrivate(b.path); err != nil {
		return err
	}
	if err := migrateSQLite(ctx, b.path, s); err != nil {
		return err
	}
	w, err := openLite(ctx, b.path, false)
	if err != nil {
		return err
	}
	for range b.count {
		r, err := openLite(ctx, b.path, true)
		if err != nil {
			w.close()
			return err
		}
		b.readers <- r
	}
	b.writer = startWriter(b.engine, b.path, w)
	return nil
}

// createPrivate makes the database file readable by its owner only; SQLite gives the
// files beside it the same permissions.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return f.Close()
}

func (b *liteBackend) write(ctx context.Context, w work) (Committed, error) {
	return b.writer.submit(ctx, w)
}

func (b *liteBackend) read(ctx context.Context, w work) error {
	var c *liteConn
	select {
	case c = <-b.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c == nil { // closed meanwhile
		return ErrClosed
	}
	defer func() { b.readers <- c }()
	if _, err := c.exec("BEGIN", nil); err != nil {
		return classify(err)
	}
	defer c.exec("ROLLBACK", nil)
	tx := &Tx{engine: b.engine, trips: w.trips, org: w.org, now: b.engine.Now(), s: liteReader{c, ctx}, readOnly: true}
	return call(tx.began(), w.fn)
}

func (b *liteBackend) close() error {
	var err error
	if b.writer != nil { // nil where the database is only read
		err = b.writer.stop()
	}
	if e := b.closeReaders(); err == nil {
		err = e
	}
	if b.lock != nil {
		if e := b.lock.release(); err == nil {
			err = e
		}
	}
	return err
}

// closeReaders closes the connections, waiting for those in use. Whoever still waits
// for one then gets nil.
func (b *liteBackend) closeReaders() (err error) {
	n := len(b.readers)
	if b.writer != nil || b.lock == nil { // opened whole, so all of them come back
		n = b.count
	}
	for range n {
		if e := (<-b.readers).close(); err == nil {
			err = e
		}
	}
	close(b.readers)
	return err
}
