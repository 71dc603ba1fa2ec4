package store

import (
	"fmt"
	"slices"
)

// change is one statement that waits to be sent with others.
type change struct {
	question
	one bool // it must change exactly one row
}

// Together sends what fn writes in one round trip, at its end: entries and their
// openings, new requests, whom a request concerns, jobs. These say nothing that fn could
// go by, so that they can wait. Whatever else fn asks or changes takes what waits along
// first, so that the order is the one in which fn wrote.
//
// What fails meanwhile ends the transaction, a conflict too, and so does an error of fn
// after something was written: a part of it must not be committed without the rest.
func (tx *Tx) Together(fn func() error) error {
	if tx.together {
		return fn()
	}
	tx.together = true
	err := fn()
	tx.together = false
	if err != nil {
		if len(tx.waiting) > 0 {
			tx.waiting = nil
			tx.fail(err)
		}
		return err
	}
	return tx.flush()
}

// put writes, at once or inside [Tx.Together] with what comes after. one says that
// exactly one row must change; [ErrConflict] where none does.
func (tx *Tx) put(one bool, text string, args ...any) error {
	if !tx.together {
		if one {
			return tx.ExecOne(text, args...)
		}
		_, err := tx.Exec(text, args...)
		return err
	}
	if err := tx.mayChange(text, args); err != nil {
		return err
	}
	tx.waiting = append(tx.waiting, change{question{text: text, args: slices.Clone(tx.args)}, one})
	return nil
}

// flush sends what waits.
func (tx *Tx) flush() error {
	if len(tx.waiting) == 0 || tx.failed != nil {
		return tx.failed
	}
	waiting := tx.waiting
	tx.waiting = nil
	tx.asked()
	tx.askedWith(len(waiting) - 1)
	at, counts, err := tx.s.changes(waiting)
	if err != nil {
		return tx.fail(fmt.Errorf("%w [%s]", classify(err), abbreviate(waiting[at].text)))
	}
	for i, w := range waiting {
		switch {
		case !w.one || counts[i] == 1:
		case counts[i] == 0:
			return tx.fail(ErrConflict)
		default:
			return tx.fail(fmt.Errorf("a statement meant for one row changed %d [%s]", counts[i], abbreviate(w.text)))
		}
	}
	return nil
}

// changes has nothing to save on the way: there is none.
func (c *liteConn) changes(all []change) (at int, counts []int64, err error) {
	counts = make([]int64, len(all))
	for i, w := range all {
		if counts[i], err = c.exec(w.text, w.args); err != nil {
			return i, nil, err
		}
	}
	return 0, counts, nil
}
