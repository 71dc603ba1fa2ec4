package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	defaultConnections = 16
	// A transaction that collides with others runs again this many times, waiting
	// longer each time.
	maxAttempts = 24
	firstWait   = 500 * time.Microsecond
	longestWait = 100 * time.Millisecond
	// longestWrite ends a transaction whose server does not answer any more.
	longestWrite = 5 * time.Minute
)

// durable are the server's settings without which a committed transaction could be
// lost, and with it a published checkpoint.
var durable = []struct{ name, refuse string }{
	{"fsync", "off"},
	{"full_page_writes", "off"},
	{"synchronous_commit", "off"},
}

// pgBackend is the PostgreSQL engine.
type pgBackend struct {
	engine *engine
	db     *sql.DB
	texts  sync.Map // query → statement
}

func openPostgres(ctx context.Context, e *engine, cfg Config, s schema) (*pgBackend, error) {
	b, err := connectPostgres(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, b.db, s); err != nil {
		b.db.Close()
		return nil, err
	}
	return b, nil
}

// connectPostgres opens the connections, and changes nothing.
func connectPostgres(ctx context.Context, e *engine, cfg Config) (*pgBackend, error) {
	parsed, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("the connection string of the database: %w", err)
	}
	db := stdlib.OpenDB(*parsed)
	n := cfg.Connections
	if n <= 0 {
		n = defaultConnections
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	if err := checkDurable(ctx, db); err != nil {
		db.Close()
		return nil, err
	}
	return &pgBackend{engine: e, db: db}, nil
}

func checkDurable(ctx context.Context, db *sql.DB) error {
	for _, d := range durable {
		var got string
		err := db.QueryRowContext(ctx, "SHOW "+d.name).Scan(&got)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "42704" { // an engine that has no such setting
			continue
		}
		if err != nil {
			return fmt.Errorf("read the database's settings: %w", classify(err))
		}
		if got == d.refuse {
			return fmt.Errorf("the database has %s=%s: what is committed could be lost, refusing to run with it", d.name, got)
		}
	}
	var encoding string
	if err := db.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return fmt.Errorf("read the database's settings: %w", classify(err))
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: create it with UTF8", encoding)
	}
	return nil
}

func (b *pgBackend) close() error { return b.db.Close() }

// statement puts a query into the engine's words, once.
func (b *pgBackend) statement(text string) (statement, error) {
	if st, ok := b.texts.Load(text); ok {
		return st.(statement), nil
	}
	st, err := postgresDialect.render(text)
	if err != nil {
		return st, err
	}
	kept, _ := b.texts.LoadOrStore(text, st) // one and the same for all
	return kept.(statement), nil
}

func (b *pgBackend) read(ctx context.Context, w work) error {
	conn, err := b.db.Conn(ctx)
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	sqlTx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return classify(err)
	}
	defer sqlTx.Rollback()
	tx := &Tx{engine: b.engine, trips: w.trips, org: w.org, now: b.engine.Now(), s: &pgSession{b, ctx, sqlTx, conn}, readOnly: true}
	return call(tx.began(), w.fn)
}

// write runs the function until it commits without a collision. A collision ends the
// transaction whole; nothing is repaired inside one.
func (b *pgBackend) write(ctx context.Context, w work) (Committed, error) {
	b.engine.stats.waiting.Add(1)
	defer b.engine.stats.waiting.Add(-1)
	var err error
	for try := range maxAttempts {
		var c Committed
		if c, err = b.once(ctx, w); err == nil {
			return c, nil
		}
		if !collided(err) || ctx.Err() != nil {
			break
		}
		b.engine.stats.retries.Add(1)
		if e := sleep(ctx, backoff(try, firstWait, longestWait)); e != nil {
			err = e
			break
		}
	}
	b.engine.stats.failed.Add(1)
	return Committed{}, err
}

func (b *pgBackend) once(ctx context.Context, w work) (Committed, error) {
	level := sql.LevelSerializable
	if w.loose {
		level = sql.LevelReadCommitted
	}
	conn, err := b.db.Conn(ctx)
	if err != nil {
		return Committed{}, classify(err)
	}
	defer conn.Close()
	// A caller who hangs up ends its statements, but not a COMMIT that is on its way:
	// nobody would know what became of it.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestWrite)
	defer cancel()
	sqlTx, err := conn.BeginTx(whole, &sql.TxOptions{Isolation: level})
	if err != nil {
		return Committed{}, classify(err)
	}
	defer sqlTx.Rollback()
	tx := &Tx{engine: b.engine, trips: w.trips, org: w.org, now: b.engine.Now(), s: &pgSession{b, ctx, sqlTx, conn}}
	if err := call(tx.began(), w.fn); err != nil {
		if tx.failed != nil && collided(tx.failed) { // whatever fn made of it
			return Committed{}, tx.failed
		}
		return Committed{}, err
	}
	if err := sqlTx.Commit(); err != nil {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) && !errors.Is(err, sql.ErrTxDone) {
			return Committed{}, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		return Committed{}, classify(err)
	}
	b.engine.stats.committed(1)
	b.engine.done(len(tx.entries) > 0, tx.jobs > 0)
	return Committed{Entries: tx.entries}, nil
}

// collided reports whether the transaction failed only because another one was in
// its way: serialization failure or deadlock.
func collided(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// backoff is a random time that doubles in its bound with each try.
func backoff(try int, first, longest time.Duration) time.Duration {
	bound := longest
	if try < 20 {
		bound = min(longest, first<<try)
	}
	return bound/2 + rand.N(bound/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// pgSession is one transaction of database/sql.
type pgSession struct {
	b    *pgBackend
	ctx  context.Context
	tx   *sql.Tx
	conn *sql.Conn // on which it runs
}

func (s *pgSession) prepare(text string, args []driver.NamedValue) (string, []any, error) {
	st, err := s.b.statement(text)
	if err == nil {
		err = st.check(len(args))
	}
	if err != nil {
		return "", nil, err
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	return st.text, values, nil
}

func (s *pgSession) exec(text string, args []driver.NamedValue) (int64, error) {
	text, values, err := s.prepare(text, args)
	if err != nil {
		return 0, err
	}
	res, err := s.tx.ExecContext(s.ctx, text, values...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *pgSession) query(text string, args []driver.NamedValue) (cursor, error) {
	text, values, err := s.prepare(text, args)
	if err != nil {
		return nil, err
	}
	rows, err := s.tx.QueryContext(s.ctx, text, values...)
	if err != nil {
		return nil, err
	}
	names, err := rows.Columns()
	if err != nil {
		rows.Close()
		return nil, err
	}
	c := &pgCursor{rows: rows, places: make([]any, len(names)), values: make([]any, len(names))}
	for i := range c.places {
		c.places[i] = &c.values[i]
	}
	return c, nil
}

// batch sends all queries before it reads the first answer: one round trip.
func (s *pgSession) batch(all []question) ([]*answer, error) {
	b := &pgx.Batch{}
	for _, q := range all {
		text, values, err := s.prepare(q.text, q.args)
		if err != nil {
			return nil, err
		}
		b.Queue(text, values...)
	}
	out := make([]*answer, len(all))
	err := s.conn.Raw(func(c any) error {
		results := c.(*stdlib.Conn).Conn().SendBatch(s.ctx, b)
		for i := range all {
			rows, err := results.Query()
			if err == nil {
				out[i], err = collect(&pgxCursor{rows})
			}
			if err != nil {
				results.Close()
				return err
			}
		}
		return results.Close()
	})
	return out, err
}

// changes sends all statements before it reads the first answer: one round trip.
func (s *pgSession) changes(all []change) (at int, counts []int64, err error) {
	b := &pgx.Batch{}
	for i, w := range all {
		text, values, err := s.prepare(w.text, w.args)
		if err != nil {
			return i, nil, err
		}
		b.Queue(text, values...)
	}
	counts = make([]int64, len(all))
	err = s.conn.Raw(func(c any) error {
		results := c.(*stdlib.Conn).Conn().SendBatch(s.ctx, b)
		for at = range all {
			tag, err := results.Exec()
			if err != nil {
				results.Close()
				return err
			}
			counts[at] = tag.RowsAffected()
		}
		return results.Close()
	})
	return at, counts, err
}

// pgxCursor walks over rows of a batch, which come past database/sql.
type pgxCursor struct{ rows pgx.Rows }

func (c *pgxCursor) columns() int { return len(c.rows.FieldDescriptions()) }

func (c *pgxCursor) next(into []driver.Value) error {
	if !c.rows.Next() {
		if err := c.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	values, err := c.rows.Values()
	if err != nil {
		return err
	}
	for i, v := range values {
		switch n := v.(type) {
		case int16:
			v = int64(n)
		case int32:
			v = int64(n)
		}
		into[i] = v
	}
	return nil
}

func (c *pgxCursor) close() error {
	c.rows.Close()
	return c.rows.Err()
}

type pgCursor struct {
	rows   *sql.Rows
	places []any
	values []any
}

func (c *pgCursor) columns() int { return len(c.places) }

func (c *pgCursor) next(into []driver.Value) error {
	if !c.rows.Next() {
		if err := c.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := c.rows.Scan(c.places...); err != nil {
		return err
	}
	for i, v := range c.values {
		into[i] = v
	}
	return nil
}

func (c *pgCursor) close() error { return c.rows.Close() }
