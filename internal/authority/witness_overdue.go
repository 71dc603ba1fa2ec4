package authority

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// overdueAfter is how long a witness may cosign nothing while there is something new.
const overdueAfter = time.Hour

// noteOverdue raises the one alert that a witness has cosigned nothing for over an hour
// while there is something new, and closes it when the witness is there again.
func (a *Authority) noteOverdue(ctx context.Context, id string) error {
	head, err := a.publisher.Last()
	if err != nil {
		return err
	}
	w, found := a.witness(id)
	if !found {
		return nil
	}
	has, overdue := w.Cosigned, false
	if has < head.Tree.N {
		since, err := a.waitsSince(ctx, w)
		if err != nil {
			return err
		}
		overdue = a.db.Now().Sub(since) > overdueAfter
	}
	if overdue == w.Overdue && (w.Judged || overdue) {
		return nil
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if overdue {
			return a.raise(tx, newAlert{about: store.AboutOperation, severity: "medium", external: "overdue:" + id + ":" + strconv.FormatInt(has, 10), days: maxAlertDays, owner: GroupAdministrators,
				title: fmt.Sprintf("the witness %s has cosigned nothing for over an hour: an older copy of the log would be noticed later", witnessName(id))})
		}
		return closeOverdue(tx, id)
	})
	if err != nil {
		return err
	}
	a.publisher.SetOverdue(id, overdue)
	a.metrics.witnessOverdue(id, overdue)
	return nil
}

func (a *Authority) witness(id string) (checkpoint.WitnessState, bool) {
	for _, w := range a.publisher.Witnesses() {
		if w.Witness == id {
			return w, true
		}
	}
	return checkpoint.WitnessState{}, false
}

// witnessName is the name of a witness without its key's hash.
func witnessName(id string) string {
	name, _, _ := strings.Cut(id, "+")
	return name
}

// waitsSince is the time of the first entry that a witness has not cosigned. Where it
// has never cosigned anything, the log may be older than its witness: then it waits
// since this process began to ask.
func (a *Authority) waitsSince(ctx context.Context, w checkpoint.WitnessState) (since time.Time, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Entries(w.Cosigned, 1)
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
	if w.Cosigned == 0 && since.Before(w.Opened) {
		since = w.Opened
	}
	return since, err
}

// closeOverdue closes what was raised about the witness, by an earlier process too.
func closeOverdue(tx *store.Tx, id string) error {
	open, err := tx.OpenAlerts([]string{store.AboutOperation})
	if err != nil {
		return err
	}
	closed := false
	for _, alert := range open {
		if alert.Source != store.InternalSource || !strings.HasPrefix(alert.External, "overdue:"+id+":") {
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
