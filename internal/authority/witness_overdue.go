package authority

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// noteOverdue raises the one alert that a witness has cosigned nothing for over an hour
// while there is something new, and closes it when the witness is there again.
func (a *Authority) noteOverdue(ctx context.Context, w *witness) error {
	head, err := a.book.last()
	if err != nil {
		return err
	}
	w.mu.Lock()
	has, was, looked := w.has, w.overdue, w.looked
	w.mu.Unlock()
	overdue := false
	if has < head.tree.N {
		since, err := a.waitsSince(ctx, w, has)
		if err != nil {
			return err
		}
		overdue = a.db.Now().Sub(since) > overdueAfter
	}
	if overdue == was && (looked || overdue) {
		return nil
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if overdue {
			return a.raise(tx, newAlert{about: store.AboutOperation, severity: "medium", external: "overdue:" + w.id + ":" + strconv.FormatInt(has, 10), days: maxAlertDays, owner: GroupAdministrators,
				title: fmt.Sprintf("the witness %s has cosigned nothing for over an hour: an older copy of the log would be noticed later", witnessName(w.id))})
		}
		return closeOverdue(tx, w)
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.overdue, w.looked = overdue, true
	w.mu.Unlock()
	a.metrics.witnessOverdue(w.id, overdue)
	return nil
}

// waitsSince is the time of the first entry that a witness has not cosigned. Where it
// has never cosigned anything, the log may be older than its witness: then it waits
// since this process began to ask.
func (a *Authority) waitsSince(ctx context.Context, w *witness, has int64) (since time.Time, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Entries(has, 1)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			since = tx.Now()
			return nil
		}
		leaf, err := countersign.ParseLeaf(rows[0].Leaf)
		if err != nil {
			return err
		}
		since, err = time.Parse(countersign.TimeFormat, leaf.Time)
		return err
	})
	if has == 0 && since.Before(w.opened) {
		since = w.opened
	}
	return since, err
}

// closeOverdue closes what was raised about the witness, by an earlier process too.
func closeOverdue(tx *store.Tx, w *witness) error {
	open, err := tx.OpenAlerts([]string{store.AboutOperation})
	if err != nil {
		return err
	}
	closed := false
	for _, alert := range open {
		if alert.Source != store.InternalSource || !strings.HasPrefix(alert.External, "overdue:"+w.id+":") {
			continue
		}
		if err := tx.CloseAlert(alert.ID, actorSystem); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return err
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntryAlertClosed, subject: alert.ID, actor: actorSystem}); err != nil {
			return err
		}
		closed = true
	}
	if !closed {
		return nil
	}
	return tx.FactsChanged()
}
