package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Job is something that is to leave after the commit: an event to send, a mail to
// write. It is delivered at least once; receivers recognise a repetition by its id.
type Job struct {
	ID      string // evt_…: stays the same over all attempts
	Topic   string
	Subject string // the id that it is about, for erasure
	Payload []byte // ids and digests, never contents
	// Entry is the log entry that must be covered by a published checkpoint before
	// the job may run; "" for none. So nothing leaves that could still be taken back.
	Entry string
	Run   time.Time // not before; the zero time is now
}

// Claim is a job that was claimed for a while by one worker.
type Claim struct {
	Job
	Attempts int64 // this one included
	Until    time.Time
}

// Delivery is how often jobs are tried: a failed one waits First, then twice as long
// each time, up to Longest, with jitter; after Attempts it is a dead letter.
type Delivery struct {
	Attempts int64
	First    time.Duration
	Longest  time.Duration
}

// DefaultDelivery tries for about two days.
var DefaultDelivery = Delivery{Attempts: 20, First: 5 * time.Second, Longest: 4 * time.Hour}

// Enqueue puts a job into the outbox. It stands or falls with the transaction.
func (tx *Tx) Enqueue(j Job) error {
	if j.ID == "" || j.Topic == "" {
		return tx.fail(errors.New("a job needs an id and a topic"))
	}
	if j.Payload == nil {
		j.Payload = []byte{}
	}
	if j.Run.IsZero() {
		j.Run = tx.now
	}
	tx.jobs++
	return tx.put(true, `INSERT INTO outbox
		(org_id, id, topic, subject, payload, entry_id, dead, attempts, run_us, last_error, created_us)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, '', $8)`,
		j.ID, j.Topic, j.Subject, j.Payload, j.Entry, j.Run, tx.now)
}

// published is the condition that a job's entry is covered by a checkpoint. The entry is
// looked up for each job: as EXISTS, the whole log might be read to look them all up at once.
const published = `(outbox.entry_id = '' OR (SELECT e.seq FROM audit_entry e WHERE e.org_id = $1 AND e.id = outbox.entry_id)
	< (SELECT h.signed_size FROM log_head h WHERE h.org_id = $1))`

// claimText picks first and changes then: a sub-select in the UPDATE itself may be run
// more than once, and so pick more than its limit.
const claimText = `WITH due AS MATERIALIZED (
		SELECT id FROM outbox WHERE org_id = $1 AND dead = 0 AND run_us <= $3 AND ` + published + `
		ORDER BY run_us, id LIMIT $4 {{skip}})
	UPDATE outbox SET run_us = $2, attempts = attempts + 1
	WHERE org_id = $1 AND dead = 0 AND run_us <= $3 AND id IN (SELECT id FROM due)
	RETURNING id, topic, subject, payload, entry_id, attempts, run_us`

func scanClaim(row Scanner) (c Claim, err error) {
	err = row.Scan(&c.ID, &c.Topic, &c.Subject, &c.Payload, &c.Entry, &c.Attempts, &c.Until)
	return c, err
}

// Claim claims up to limit jobs that are due, for as long as lease: afterwards they
// are due again, for anybody. Of workers that claim at once each gets others.
func (db *DB) Claim(ctx context.Context, lease time.Duration, limit int) (claims []Claim, err error) {
	if due, err := db.due(ctx); err != nil || !due { // an idle outbox costs no write
		return nil, err
	}
	err = db.writeLoose(ctx, func(tx *Tx) error {
		claims, err = List(tx, scanClaim, claimText, tx.now.Add(lease), tx.now, limit)
		return err
	})
	slices.SortFunc(claims, func(a, b Claim) int { return cmp.Compare(a.ID, b.ID) })
	return claims, err
}

func (db *DB) due(ctx context.Context) (due bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		err := tx.Row(`SELECT 1 FROM outbox WHERE org_id = $1 AND dead = 0 AND run_us <= $2 AND `+published+` LIMIT 1`,
			tx.now).Scan(new(int64))
		due = err == nil
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return due, err
}

// held is the condition that a claim is still the worker's own.
const held = `org_id = $1 AND id = $2 AND attempts = $3 AND dead = 0`

// Done removes a job that has been delivered. It returns [ErrConflict] when the claim
// had ended and somebody else has the job.
func (db *DB) Done(ctx context.Context, c Claim) error {
	return db.writeLoose(ctx, func(tx *Tx) error {
		return tx.ExecOne(`DELETE FROM outbox WHERE `+held, c.ID, c.Attempts)
	})
}

// Failed gives a claimed job back, to be tried later, or makes it a dead letter when
// it has been tried often enough. The reason is kept, and must hold no contents.
func (db *DB) Failed(ctx context.Context, c Claim, d Delivery, reason string) (dead bool, err error) {
	dead = c.Attempts >= d.Attempts
	wait := backoff(int(min(c.Attempts-1, 1000)), d.First, d.Longest)
	err = db.writeLoose(ctx, func(tx *Tx) error {
		tx.jobs++
		return tx.ExecOne(`UPDATE outbox SET run_us = $4, dead = $5, last_error = $6 WHERE `+held,
			c.ID, c.Attempts, tx.now.Add(wait), dead, storable(reason))
	})
	return dead, err
}

// storable makes any text one that both engines store, and short.
func storable(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "")
	}
	return s
}

// NextRun is when the next job becomes due that need not wait for a checkpoint any
// more. It is false when there is none. Jobs that wait for one are told through
// [OutboxGrew].
func (db *DB) NextRun(ctx context.Context) (at time.Time, ok bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		err := tx.Row(`SELECT run_us FROM outbox WHERE org_id = $1 AND dead = 0 AND ` + published +
			` ORDER BY run_us LIMIT 1`).Scan(&at)
		ok = err == nil
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return at, ok, err
}

// DeadLetter is a job that was given up.
type DeadLetter struct {
	Job
	Attempts  int64
	LastError string
}

func scanDeadLetter(row Scanner) (d DeadLetter, err error) {
	err = row.Scan(&d.ID, &d.Topic, &d.Subject, &d.Payload, &d.Entry, &d.Attempts, &d.LastError)
	return d, err
}

// DeadLetters returns up to limit dead letters with an id above after ("" for the
// first page), in the order of their ids.
func (tx *Tx) DeadLetters(after string, limit int) ([]DeadLetter, error) {
	return List(tx, scanDeadLetter, `SELECT id, topic, subject, payload, entry_id, attempts, last_error
		FROM outbox WHERE org_id = $1 AND dead = 1 AND id > $2 ORDER BY id LIMIT $3`, after, limit)
}

// Requeue makes a dead letter due again, its attempts counted from the start.
func (tx *Tx) Requeue(id string) error {
	tx.jobs++
	return tx.ExecOne(`UPDATE outbox SET dead = 0, attempts = 0, run_us = $3 WHERE org_id = $1 AND id = $2 AND dead = 1`,
		id, tx.now)
}

// EraseJobs deletes the jobs about one subject and returns how many there were.
func (tx *Tx) EraseJobs(subject string) (int64, error) {
	return tx.Exec(`DELETE FROM outbox WHERE org_id = $1 AND subject = $2`, subject)
}

// OutboxCounts are the outbox's counts, for metrics.
type OutboxCounts struct {
	Waiting int64     // jobs that will still be tried
	Dead    int64     // dead letters
	Oldest  time.Time // when the longest waiting one was written, of those that are due or were tried; zero without any
}

// OutboxCounts counts the outbox.
func (tx *Tx) OutboxCounts() (c OutboxCounts, err error) {
	err = tx.Row(`SELECT CAST(COALESCE(SUM(1 - dead), 0) AS BIGINT), CAST(COALESCE(SUM(dead), 0) AS BIGINT),
		COALESCE(MIN(CASE WHEN dead = 0 AND (attempts > 0 OR run_us <= $2) THEN created_us END), 0) FROM outbox WHERE org_id = $1`, tx.now).
		Scan(&c.Waiting, &c.Dead, &c.Oldest)
	if err != nil {
		err = fmt.Errorf("count the outbox: %w", err)
	}
	return c, err
}
