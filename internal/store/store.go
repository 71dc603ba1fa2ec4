// Package store is the only code that knows SQL: one store over SQLite and
// PostgreSQL, with one set of query texts.
//
// Everything happens in a transaction, [DB.Write] or [DB.Read], and every
// transaction belongs to one organisation, whose id the store itself binds to every
// query. Critical changes append their entry to the audit log ([Tx.AppendEntry]) and
// their outgoing events to the outbox ([Tx.Enqueue]) in the transaction that makes
// the change, so that there is never one without the other.
//
// On SQLite one goroutine writes: it runs the waiting functions one after the other,
// each under a savepoint, gives the new entries their places in the log's tree and
// commits them all with one sync. On PostgreSQL transactions are serializable and
// are repeated when they collide; [DB.Sequence] gives entries their places.
package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The engines.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Config says which database to open.
type Config struct {
	Driver string // SQLite or Postgres
	Path   string // SQLite: the database file; its folder must exist and be on a local disk
	DSN    string // Postgres: key=value words or a URL
	Org    string // the organisation that the handle is bound to; may be empty until [DB.For]

	// Connections bounds the connections: on PostgreSQL all of them (default 16), on
	// SQLite those that read (default 4).
	Connections int
	// Clock is the time of day; nil is time.Now.
	Clock func() time.Time
}

// DB is a handle on the database, bound to one organisation. Handles of several
// organisations share their connections. It is safe for concurrent use.
type DB struct {
	*engine
	org string
}

// engine is what all handles share.
type engine struct {
	driver  string
	clock   func() time.Time
	backend backend
	tiles   tileCache
	changed [topics]broadcast
	closed  atomic.Bool
	// readOnly refuses every write: another process may be the one that writes.
	readOnly bool
	stats    counters
	trips    TripCounter
}

// backend is one of the two engines.
type backend interface {
	write(ctx context.Context, w work) (Committed, error)
	read(ctx context.Context, w work) error
	close() error
}

// work is a function to run in a transaction.
type work struct {
	org   string
	fn    func(*Tx) error
	trips *TripCounter // of the caller, or nil
	// loose runs at READ COMMITTED where there is such a thing: for statements that
	// are safe by themselves and would only collide with each other.
	loose bool
}

// Committed is what a transaction left behind.
type Committed struct {
	Entries []EntryRef // the entries that it appended, in order
	// Tree is the organisation's tree as this commit left it. Its size is 0 where
	// the transaction appended nothing, and on PostgreSQL, where entries get their
	// places later.
	Tree tlog.Tree
}

// Open opens the database and brings its schema up to date. It refuses a database
// whose settings would lose what was committed. The folder of an SQLite database is
// held until [DB.Close]: a second process gets [ErrInUse].
func Open(ctx context.Context, cfg Config) (*DB, error) { return open(ctx, cfg, mainSchema) }

func newEngine(cfg Config) *engine {
	e := &engine{driver: cfg.Driver, clock: cfg.Clock}
	if e.clock == nil {
		e.clock = time.Now
	}
	for i := range e.changed {
		e.changed[i].ch = make(chan struct{})
	}
	return e
}

func open(ctx context.Context, cfg Config, s schema) (*DB, error) {
	e := newEngine(cfg)
	var err error
	switch cfg.Driver {
	case SQLite:
		e.backend, err = openSQLite(ctx, e, cfg, s)
	case Postgres:
		e.backend, err = openPostgres(ctx, e, cfg, s)
	default:
		err = fmt.Errorf("database driver %q is not known: use %q or %q", cfg.Driver, SQLite, Postgres)
	}
	if err != nil {
		return nil, err
	}
	return &DB{engine: e, org: cfg.Org}, nil
}

// For is a handle on the same database, bound to another organisation.
func (db *DB) For(org string) *DB { return &DB{engine: db.engine, org: org} }

// Org is the organisation that the handle is bound to.
func (db *DB) Org() string { return db.org }

// Driver is the engine: [SQLite] or [Postgres].
func (db *DB) Driver() string { return db.driver }

// Now is the store's clock, in UTC and whole microseconds.
func (e *engine) Now() time.Time { return e.clock().UTC().Truncate(time.Microsecond) }

// Write runs fn in a transaction and commits it. When Write returns without an
// error, the change is on the disk.
//
// fn may run more than once, and what it did may be thrown away: it must have no
// effect outside the transaction but on variables that it sets anew each time. It
// must not call the DB. When it returns an error or panics nothing of it remains,
// and Write returns that error. A context that ends before fn starts means that fn
// does not run. Later it makes the queries of fn fail on PostgreSQL, and changes nothing
// on SQLite; a commit that is on its way is always awaited.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) (Committed, error) {
	return db.writeWork(ctx, work{org: db.org, fn: fn})
}

// writeLoose is Write for single statements that need no isolation from each other.
func (db *DB) writeLoose(ctx context.Context, fn func(*Tx) error) error {
	_, err := db.writeWork(ctx, work{org: db.org, fn: fn, loose: true})
	return err
}

func (db *DB) writeWork(ctx context.Context, w work) (Committed, error) {
	if db.closed.Load() {
		return Committed{}, ErrClosed
	}
	if db.readOnly {
		return Committed{}, fmt.Errorf("%w: the database is open for reading only", ErrRefused)
	}
	if err := ctx.Err(); err != nil {
		return Committed{}, err
	}
	w.trips = tripsOf(ctx)
	return db.backend.write(ctx, w)
}

// Read runs fn on a snapshot of the database. fn cannot write.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.backend.read(ctx, work{org: db.org, fn: fn, trips: tripsOf(ctx)})
}

// Close waits for what has been handed in, and closes the database.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	return db.backend.close()
}

// ServerTime is the clock of the database server, to compare ours with. With SQLite
// it is this machine's.
func (db *DB) ServerTime(ctx context.Context) (t time.Time, err error) {
	text := `SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
	if db.driver == Postgres {
		text = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	err = db.Read(ctx, func(tx *Tx) error { return tx.Across().Row(text).Scan(&t) })
	return t, err
}

// call runs a function of a caller in a transaction and ends the transaction's use.
// A panic becomes an error of that function alone.
func call(tx *Tx, fn func(*Tx) error) (err error) {
	defer tx.end()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	err = fn(tx)
	if err == nil && tx.failed != nil {
		err = fmt.Errorf("the transaction had failed: %w", tx.failed)
	}
	return err
}

// Topic is something to be told about when it changes.
type Topic int

// The topics of [DB.Changed].
const (
	LogGrew    Topic = iota // entries were appended or sequenced by this process
	OutboxGrew              // outbox rows were written or may have become due
	topics
)

// Changed returns a channel that is closed at the next change of the topic by this
// process. Take the channel, look, and then wait: so that nothing is missed. Changes
// by other replicas are not told; poll for those.
func (e *engine) Changed(t Topic) <-chan struct{} { return e.changed[t].wait() }

// broadcast wakes everybody who waits, once.
type broadcast struct {
	mu      sync.Mutex
	ch      chan struct{}
	waiting bool
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = true
	return b.ch
}

func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting {
		close(b.ch)
		b.ch, b.waiting = make(chan struct{}), false
	}
}

// Stats are counters since the start, for metrics.
type Stats struct {
	Commits int64 // transactions that reached the disk
	Jobs    int64 // functions that were committed in them; more than Commits with group commit
	Retries int64 // functions that had to run again after a collision
	Failed  int64 // functions that ended in an error
	Largest int64 // most functions in one commit
	Waiting int64 // functions that wait now
}

type counters struct{ commits, jobs, retries, failed, largest, waiting atomic.Int64 }

// Stats returns the counters.
func (e *engine) Stats() Stats {
	c := &e.stats
	return Stats{c.commits.Load(), c.jobs.Load(), c.retries.Load(), c.failed.Load(), c.largest.Load(), c.waiting.Load()}
}

func (c *counters) committed(jobs int64) {
	c.commits.Add(1)
	c.jobs.Add(jobs)
	for {
		old := c.largest.Load()
		if jobs <= old || c.largest.CompareAndSwap(old, jobs) {
			return
		}
	}
}

// done is called after each commit, with what it left behind.
func (e *engine) done(entries, outbox bool) {
	if entries {
		e.changed[LogGrew].wake()
	}
	if outbox {
		e.changed[OutboxGrew].wake()
	}
}

// errGoexit is the error of a function that ended its goroutine instead of returning.
var errGoexit = errors.New("a function in a transaction ended its goroutine (runtime.Goexit)")
