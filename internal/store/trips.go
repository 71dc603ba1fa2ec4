package store

import (
	"context"
	"sync/atomic"
)

// Trips count how often the database was asked. Each statement counts one, also on
// SQLite, where it travels nowhere, so that both engines give the same number; BEGIN,
// COMMIT and savepoints are told by the transactions they belong to. A function that
// runs again after a collision counts again.
type Trips struct {
	Reads      int64 // transactions that only read: each is a snapshot of its own
	Writes     int64 // transactions that write
	Statements int64 // queries and changes in all of them; what is asked ahead together is one
	Together   int64 // further queries that went along with one
}

// Since is what was added after an earlier count.
func (t Trips) Since(before Trips) Trips {
	return Trips{t.Reads - before.Reads, t.Writes - before.Writes, t.Statements - before.Statements, t.Together - before.Together}
}

// TripCounter counts trips. It is safe for concurrent use.
type TripCounter struct{ reads, writes, statements, together atomic.Int64 }

// Trips is the count until now.
func (c *TripCounter) Trips() Trips {
	return Trips{c.reads.Load(), c.writes.Load(), c.statements.Load(), c.together.Load()}
}

type tripsKey struct{}

// CountTrips makes everything that is asked with the context count into c, beside the
// engine's own count ([DB.Trips]), which alone counts what SQLite's writer asks to give a
// whole group's entries their places. So a test sees what one call costs, without what the
// publisher, the outbox and other callers ask meanwhile:
//
//	var c store.TripCounter
//	handler.ServeHTTP(w, r.WithContext(store.CountTrips(r.Context(), &c)))
//	c.Trips().Statements
func CountTrips(ctx context.Context, c *TripCounter) context.Context {
	return context.WithValue(ctx, tripsKey{}, c)
}

// tripsOf is the counter that a context brings along, or nil.
func tripsOf(ctx context.Context) *TripCounter {
	c, _ := ctx.Value(tripsKey{}).(*TripCounter)
	return c
}

// Trips counts everything that was asked through handles on this database since it was
// opened, background work included. Subtract an earlier count with [Trips.Since].
func (e *engine) Trips() Trips { return e.trips.Trips() }

// began counts the transaction.
func (tx *Tx) began() *Tx {
	for _, c := range [...]*TripCounter{&tx.engine.trips, tx.trips} {
		switch {
		case c == nil:
		case tx.readOnly:
			c.reads.Add(1)
		default:
			c.writes.Add(1)
		}
	}
	return tx
}

// asked counts one statement.
func (tx *Tx) asked() {
	tx.engine.trips.statements.Add(1)
	if tx.trips != nil {
		tx.trips.statements.Add(1)
	}
}

// askedWith counts what went along with one statement.
func (tx *Tx) askedWith(n int) {
	tx.engine.trips.together.Add(int64(n))
	if tx.trips != nil {
		tx.trips.together.Add(int64(n))
	}
}
