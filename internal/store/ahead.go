package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// errAsked ends a call whose answer is on its way.
var errAsked = errors.New("this is asked ahead: the answer is not there yet")

// Ahead asks together for what is about to be read. The function makes calls that read and
// do not depend on each other; each runs until its first question that has no answer yet,
// and ends there with an error. Then all these questions go to the database in one round
// trip, and the function runs again, until nothing new is asked. The same calls, made
// afterwards, are answered from memory, and whatever was not asked ahead is asked then.
//
// What is asked ahead may ask ahead itself: that goes along.
//
// So a call never sees an answer that is not the database's. A transaction sees one
// snapshot, and its first statement that may change something forgets all of this.
func (tx *Tx) Ahead(calls func()) error {
	if tx.asking { // its questions go with those that are being gathered
		calls()
		return nil
	}
	for {
		if err := tx.ready("", nil); err != nil {
			return err
		}
		tx.pending, tx.awaited = nil, map[string]bool{}
		tx.asking = true
		calls()
		tx.asking = false
		if tx.failed != nil || len(tx.pending) == 0 {
			return tx.failed
		}
		if err := tx.askAll(); err != nil {
			return err
		}
	}
}

func (tx *Tx) askAll() error {
	if err := tx.flush(); err != nil {
		return err
	}
	tx.asked()
	tx.askedWith(len(tx.pending) - 1)
	answers, err := tx.s.batch(tx.pending)
	if err != nil {
		return tx.fail(fmt.Errorf("%w [%s]", classify(err), abbreviate(tx.pending[0].text)))
	}
	if tx.known == nil {
		tx.known = map[string]*answer{}
	}
	for i, q := range tx.pending {
		tx.known[q.key] = answers[i]
	}
	return nil
}

// question is one query of a batch.
type question struct {
	key  string
	text string
	args []driver.NamedValue
}

// keyOf tells questions apart: by text and arguments.
func keyOf(text string, args []driver.NamedValue) string {
	b := make([]byte, 0, len(text)+40*len(args))
	b = append(b, text...)
	for _, a := range args {
		switch v := a.Value.(type) {
		case string:
			b = strconv.AppendInt(append(b, 0, 's'), int64(len(v)), 10)
			b = append(append(b, ' '), v...)
		case int64:
			b = strconv.AppendInt(append(b, 0, 'i'), v, 10)
		default:
			b = fmt.Appendf(append(b, 0), "%T %v", v, v)
		}
	}
	return string(b)
}

// answer are the rows of one query, whole.
type answer struct {
	width int
	rows  [][]driver.Value
}

// collect reads a cursor to its end.
func collect(c cursor) (*answer, error) {
	defer c.close()
	a := &answer{width: c.columns()}
	for {
		row := make([]driver.Value, a.width)
		switch err := c.next(row); {
		case err == io.EOF:
			return a, nil
		case err != nil:
			return nil, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok { // the engine may use its memory again
				row[i] = append([]byte{}, b...)
			}
		}
		a.rows = append(a.rows, row)
	}
}

// recall answers a query from what was asked ahead. While that is being gathered it notes
// down what has no answer.
func (tx *Tx) recall(text string) (cursor, error) {
	if !tx.asking && len(tx.known) == 0 {
		return nil, nil
	}
	key := keyOf(text, tx.args)
	if a, ok := tx.known[key]; ok {
		return &recalled{answer: a}, nil
	}
	if !tx.asking {
		return nil, nil
	}
	if !tx.awaited[key] {
		tx.awaited[key] = true
		tx.pending = append(tx.pending, question{key, text, slices.Clone(tx.args)})
	}
	return nil, errAsked
}

// recalled walks over rows that are there already.
type recalled struct {
	*answer
	at int
}

func (r *recalled) columns() int { return r.width }

func (r *recalled) next(into []driver.Value) error {
	if r.at >= len(r.rows) {
		return io.EOF
	}
	for i, v := range r.rows[r.at] {
		if b, ok := v.([]byte); ok { // whoever reads it may write on it
			v = append([]byte{}, b...)
		}
		into[i] = v
	}
	r.at++
	return nil
}

func (r *recalled) close() error { return nil }
