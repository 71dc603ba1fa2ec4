package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
)

// Statement is a statement as it is about to run.
type Statement struct {
	Text   string
	Reads  bool // through a query, not an execution
	Before func(prefix string) ([][]string, error)
}

// Watch has every statement of a database looked at before it runs, until stop. Before
// runs the same text after a prefix, with the same arguments.
func Watch(db *DB, see func(Statement) error) (stop func()) {
	was := db.engine.backend
	db.engine.backend = watched{was, see}
	return func() { db.engine.backend = was }
}

type watched struct {
	backend
	see func(Statement) error
}

func (w watched) with(work work) work {
	fn := work.fn
	work.fn = func(tx *Tx) error {
		s := tx.s
		tx.s = watchedSession{s, w.see}
		defer func() { tx.s = s }()
		return fn(tx)
	}
	return work
}

func (w watched) write(ctx context.Context, k work) (Committed, error) {
	return w.backend.write(ctx, w.with(k))
}

func (w watched) read(ctx context.Context, k work) error { return w.backend.read(ctx, w.with(k)) }

type watchedSession struct {
	session
	see func(Statement) error
}

func (s watchedSession) look(text string, args []driver.NamedValue, reads bool) error {
	return s.see(Statement{Text: text, Reads: reads, Before: func(prefix string) ([][]string, error) { return s.before(prefix+text, args) }})
}

func (s watchedSession) before(text string, args []driver.NamedValue) (out [][]string, err error) {
	c, err := s.session.query(text, args)
	if err != nil {
		return nil, err
	}
	defer c.close()
	row := make([]driver.Value, c.columns())
	for {
		if err := c.next(row); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		var texts []string
		for _, v := range row {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			texts = append(texts, fmt.Sprint(v))
		}
		out = append(out, texts)
	}
}

func (s watchedSession) exec(text string, args []driver.NamedValue) (int64, error) {
	if err := s.look(text, args, false); err != nil {
		return 0, err
	}
	return s.session.exec(text, args)
}

func (s watchedSession) query(text string, args []driver.NamedValue) (cursor, error) {
	if err := s.look(text, args, true); err != nil {
		return nil, err
	}
	return s.session.query(text, args)
}
