package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Tx is one transaction in one organisation. It is used by one goroutine, inside
// the function it was given to, and by nobody afterwards.
//
// Queries are written once for both engines, with placeholders $1, $2, …. $1 is
// always the organisation: the store binds it, and refuses a query that does not
// use it, so that none can forget it. The arguments that a caller gives are $2 and
// onwards; what may be given is told at [Micros] and below:
// strings, integers, truth values (stored as 0 or 1), byte slices, times (stored as
// microseconds), types of these kinds, and pointers to them, where nil is NULL.
//
// The first query that fails ends the transaction: every later one returns the same
// error, and nothing is committed, whatever the function returns. On one engine it
// would be so in any case, and so it is on both. Zero rows are no failure in this
// sense: neither [ErrNotFound] nor [ErrConflict] ends a transaction.
type Tx struct {
	engine   *engine
	trips    *TripCounter // of the caller, or nil
	org      string
	now      time.Time
	s        session
	readOnly bool
	failed   error
	open     []*Rows
	args     []driver.NamedValue

	log     *groupLog // where entries get their index at once; nil where a sequencer does it
	entries []EntryRef
	jobs    int  // outbox rows written
	wrote   bool // a statement that may change something was run

	asking  bool               // what is to be read is being gathered
	pending []question         // that was gathered
	awaited map[string]bool    // keys of what was gathered
	known   map[string]*answer // what was asked ahead

	together bool     // changes may wait for those that follow
	waiting  []change // that were not sent yet
}

// session is one engine's connection inside a transaction.
type session interface {
	exec(text string, args []driver.NamedValue) (int64, error)
	query(text string, args []driver.NamedValue) (cursor, error)
	batch(all []question) ([]*answer, error)
	// changes runs all in order and says how many rows each changed, or which one failed.
	changes(all []change) (at int, counts []int64, err error)
}

// cursor walks over the rows of one query.
type cursor interface {
	columns() int
	next(into []driver.Value) error // io.EOF after the last row
	close() error
}

// Now is the time of the transaction: read once when it began, in UTC and whole
// microseconds, which is what the tables and the log hold.
func (tx *Tx) Now() time.Time { return tx.now }

// Org is the organisation that the transaction is bound to.
func (tx *Tx) Org() string { return tx.org }

// Exec runs a statement and returns the number of rows it changed.
func (tx *Tx) Exec(text string, args ...any) (int64, error) {
	if err := tx.mayChange(text, args); err != nil {
		return 0, err
	}
	if err := tx.flush(); err != nil {
		return 0, err
	}
	tx.asked()
	n, err := tx.s.exec(text, tx.args)
	if err != nil {
		return 0, tx.fail(fmt.Errorf("%w [%s]", classify(err), abbreviate(text)))
	}
	return n, nil
}

// mayChange gets ready for a statement that changes something.
func (tx *Tx) mayChange(text string, args []any) error {
	if err := tx.ready(text, args); err != nil {
		return tx.fail(err)
	}
	if tx.readOnly {
		return tx.fail(fmt.Errorf("%w: the transaction only reads", ErrRefused))
	}
	if tx.asking {
		return tx.fail(fmt.Errorf("%w: what is asked ahead only reads", ErrRefused))
	}
	tx.wrote, tx.known = true, nil
	return nil
}

// ExecOne runs a statement that must change exactly one row, such as a
// compare-and-swap. It returns [ErrConflict] when it changed none.
func (tx *Tx) ExecOne(text string, args ...any) error {
	n, err := tx.Exec(text, args...)
	switch {
	case err != nil:
		return err
	case n == 0:
		return ErrConflict
	case n > 1:
		return tx.fail(fmt.Errorf("a statement meant for one row changed %d [%s]", n, abbreviate(text)))
	}
	return nil
}

// Query runs a query and returns its rows. Errors are met in [Rows.Err]. Statements
// with RETURNING go this way too.
func (tx *Tx) Query(text string, args ...any) *Rows {
	if err := tx.ready(text, args); err != nil {
		return &Rows{tx: tx, err: tx.fail(err)}
	}
	return tx.rows(text)
}

// Row runs a query for at most one row.
func (tx *Tx) Row(text string, args ...any) Row { return Row{tx.Query(text, args...)} }

// Across reads over all organisations: for finding one by its host name, for
// start-up and for maintenance, and for nothing else. It cannot write.
func (tx *Tx) Across() Across { return Across{tx} }

// Across is the view of [Tx.Across]. Its arguments start at $1.
type Across struct{ tx *Tx }

// Query is [Tx.Query] without an organisation.
func (a Across) Query(text string, args ...any) *Rows {
	if err := a.tx.ready("", nil); err != nil {
		return &Rows{tx: a.tx, err: a.tx.fail(err)}
	}
	a.tx.args = a.tx.args[:0]
	if err := a.tx.bindAll(args); err != nil {
		return &Rows{tx: a.tx, err: a.tx.fail(err)}
	}
	return a.tx.rows(text)
}

// Row is [Tx.Row] without an organisation.
func (a Across) Row(text string, args ...any) Row { return Row{a.Query(text, args...)} }

func (tx *Tx) rows(text string) *Rows {
	if !strings.HasPrefix(text, "SELECT") { // RETURNING goes this way too
		if tx.asking {
			return &Rows{tx: tx, err: tx.fail(fmt.Errorf("%w: what is asked ahead only reads", ErrRefused))}
		}
		tx.wrote, tx.known = true, nil
	}
	if err := tx.flush(); err != nil {
		return &Rows{tx: tx, err: err}
	}
	c, err := tx.recall(text)
	if err != nil {
		return &Rows{tx: tx, err: err}
	}
	if c == nil {
		tx.asked()
		c, err = tx.s.query(text, tx.args)
	}
	if err != nil {
		return &Rows{tx: tx, err: tx.fail(fmt.Errorf("%w [%s]", classify(err), abbreviate(text)))}
	}
	r := &Rows{tx: tx, c: c, text: text}
	tx.open = append(tx.open, r)
	return r
}

// ready binds the organisation and the arguments, or says why the query cannot run.
func (tx *Tx) ready(text string, args []any) error {
	if tx.failed != nil {
		return tx.failed
	}
	if tx.s == nil {
		return errors.New("the transaction is over")
	}
	if text == "" {
		return nil
	}
	if tx.org == "" {
		return fmt.Errorf("no organisation is bound: %s", abbreviate(text))
	}
	tx.args = append(tx.args[:0], driver.NamedValue{Ordinal: 1, Value: tx.org})
	return tx.bindAll(args)
}

func (tx *Tx) bindAll(args []any) error {
	for _, arg := range args {
		v, err := bind(arg)
		if err != nil {
			return fmt.Errorf("argument $%d: %w", len(tx.args)+1, err)
		}
		tx.args = append(tx.args, driver.NamedValue{Ordinal: len(tx.args) + 1, Value: v})
	}
	return nil
}

// fail remembers the first error that ends the transaction.
func (tx *Tx) fail(err error) error {
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// end closes what was left open. The transaction cannot be used afterwards.
func (tx *Tx) end() {
	for _, r := range tx.open {
		r.Close()
	}
	tx.open, tx.s = nil, nil
}

// Scanner is a row: of [Rows], or a [Row].
type Scanner interface {
	// Scan reads the row's columns into the destinations, pointers each: to a
	// string, integer, bool, []byte, time.Time, a type of such a kind, or a pointer
	// to one, which NULL sets to nil.
	Scan(dest ...any) error
}

// Queryer is what queries run on: a [Tx], or its [Across].
type Queryer interface {
	Query(text string, args ...any) *Rows
}

// List returns all rows of a query, each read by scan. It is nil without rows.
func List[T any](q Queryer, scan func(Scanner) (T, error), text string, args ...any) ([]T, error) {
	rows := q.Query(text, args...)
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// One returns the first row of a query, read by scan, or [ErrNotFound].
func One[T any](q Queryer, scan func(Scanner) (T, error), text string, args ...any) (T, error) {
	rows := q.Query(text, args...)
	defer rows.Close()
	var zero T
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, ErrNotFound
	}
	return scan(rows)
}

// Rows are the rows of one query: for rows.Next() { rows.Scan(…) }, then rows.Err().
type Rows struct {
	tx   *Tx
	c    cursor
	text string
	vals []driver.Value
	err  error
	done bool
}

// Next goes to the next row. It is false after the last one and after an error.
func (r *Rows) Next() bool {
	if r.err != nil || r.done {
		return false
	}
	if r.vals == nil {
		r.vals = make([]driver.Value, r.c.columns())
	}
	switch err := r.c.next(r.vals); {
	case err == nil:
		return true
	case err != io.EOF:
		r.err = r.tx.fail(fmt.Errorf("%w [%s]", classify(err), abbreviate(r.text)))
	}
	r.Close()
	return false
}

// Scan reads the current row. See [Scanner].
func (r *Rows) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if len(dest) != len(r.vals) {
		return r.tx.fail(fmt.Errorf("%d columns read into %d places [%s]", len(r.vals), len(dest), abbreviate(r.text)))
	}
	for i, d := range dest {
		if err := assign(d, r.vals[i]); err != nil {
			return r.tx.fail(fmt.Errorf("column %d: %w [%s]", i+1, err, abbreviate(r.text)))
		}
	}
	return nil
}

// Err is the error that ended the rows early, or nil.
func (r *Rows) Err() error { return r.err }

// Close ends the rows. Rows that were read to their end, and all rows at the end of
// the transaction, are closed by themselves.
func (r *Rows) Close() {
	if r.done || r.c == nil {
		return
	}
	r.done = true
	if err := r.c.close(); err != nil && r.err == nil {
		r.err = r.tx.fail(classify(err))
	}
	for i, o := range r.tx.open {
		if o == r {
			r.tx.open = append(r.tx.open[:i], r.tx.open[i+1:]...)
			break
		}
	}
}

// Row is a query for at most one row.
type Row struct{ rows *Rows }

// Scan reads the row, or returns [ErrNotFound]. See [Scanner].
func (r Row) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if r.rows.err != nil {
			return r.rows.err
		}
		return ErrNotFound
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.err
}

// abbreviate shortens a query for an error message.
func abbreviate(text string) string {
	out := make([]byte, 0, 80)
	space := true
	for i := 0; i < len(text) && len(out) < 77; i++ {
		c := text[i]
		if c == ' ' || c == '\n' || c == '\t' {
			if !space {
				out = append(out, ' ')
			}
			space = true
			continue
		}
		space = false
		out = append(out, c)
	}
	if len(out) >= 77 {
		out = append(out, "..."...)
	}
	return string(out)
}
