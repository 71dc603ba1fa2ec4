package authority

import (
	"context"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// clockWatch finds a clock that cannot be trusted (ruling 24): one that jumps, or
// disagrees with the database's or with the last entry of the log. Whoever could
// move the clock could end a hold early.
type clockWatch struct {
	steadily func() time.Time                         // set when the authority is opened
	server   func(context.Context) (time.Time, error) // the database's clock; nil asks the database

	mu       sync.Mutex
	wall     time.Time // last reading of the store's clock
	steady   time.Time // the process's steady clock at that moment
	compared time.Time // when it was last held against the database's, by the steady clock
	bad      error
}

// compareEvery is how often the database's clock is asked.
const compareEvery = 30 * time.Second

// check refuses with "unavailable" while the clock cannot be trusted.
func (c *clockWatch) check(ctx context.Context, db *store.DB) error {
	now, steady := db.Now(), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wall.IsZero() {
		expected := c.wall.Add(steady.Sub(c.steady))
		if err := approval.ClockSteady(now, expected); err != nil {
			c.bad = err
			return err // the reading is kept: the clock must come back to where it should be
		}
	}
	c.wall, c.steady = now, steady
	if c.bad == nil && !c.compared.IsZero() && steady.Sub(c.compared) < compareEvery {
		return nil
	}
	server, err := c.serverTime(ctx, db)
	if err != nil {
		return err
	}
	var last time.Time
	err = db.Read(ctx, func(tx *store.Tx) error {
		last, err = tx.LastEntryTime()
		return err
	})
	if err != nil {
		return err
	}
	if err := approval.ClockSane(now, last, server); err != nil {
		c.bad = err
		if c.compared.IsZero() {
			c.wall = time.Time{} // it was never right yet: when it is put right, that is no jump
		}
		return err
	}
	c.bad, c.compared = nil, steady
	return nil
}

// serverTime asks the database's clock; the zero time where it is the same machine's
// and there is nothing to compare with.
func (c *clockWatch) serverTime(ctx context.Context, db *store.DB) (time.Time, error) {
	switch {
	case c.server != nil:
		return c.server(ctx)
	case db.Driver() == store.SQLite:
		return time.Time{}, nil
	}
	return db.ServerTime(ctx)
}

func (c *clockWatch) now() time.Time {
	if c.steadily != nil {
		return c.steadily()
	}
	return time.Now()
}
