package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// Check is one of the things that a decision needs.
type Check struct {
	Name   string `json:"name"` // "clock", "database", "log", "guard"; "witness" where one is overdue
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // in words that tell strangers nothing
}

// signedWithin is how long an entry may wait for its signature before the log counts
// as standing still.
const signedWithin = 10 * time.Second

// Ready says whether everything is there that a decision needs. The causes of what is
// not stay in the log.
func (a *Authority) Ready(ctx context.Context) []Check {
	check := func(name string, err error, detail string) Check {
		if err == nil {
			return Check{Name: name, OK: true}
		}
		a.log.Warn("not ready", "check", name, "error", err)
		return Check{Name: name, Detail: detail}
	}
	head, err := a.db.Head(ctx)
	checks := []Check{check("database", err, "the database cannot be read")}
	checks = append(checks, check("clock", a.clock.check(ctx, a.db), "the clock cannot be trusted"))
	if err == nil {
		err = a.signedLately(ctx, head)
	}
	checks = append(checks, check("log", err, "the log is not being signed"))
	_, err = a.publisher.ReadGuard(ctx)
	checks = append(checks, check("guard", err, "the guard cannot be read"))
	for _, w := range a.Witnesses() {
		if w.Overdue { // decisions go on: it is told, and fails nothing
			return append(checks, Check{Name: "witness", OK: true, Detail: "a witness has cosigned nothing for over an hour"})
		}
	}
	return checks
}

// signedLately reports why the log is not being signed, or nil.
func (a *Authority) signedLately(ctx context.Context, head store.Head) error {
	signed, err := a.publisher.Last()
	if err != nil {
		return err
	}
	var last time.Time
	var unplaced int64
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		if last, err = tx.LastEntryTime(); err != nil {
			return err
		}
		unplaced, err = tx.UnplacedEntries()
		return err
	})
	if err != nil {
		return err
	}
	if behind := head.Size - signed.Tree.N + unplaced; behind > 0 && a.db.Now().Sub(last) > signedWithin {
		return checkpoint.ErrNotCovered
	}
	return nil
}
