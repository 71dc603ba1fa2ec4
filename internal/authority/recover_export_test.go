package authority

import (
	"context"
	"time"
)

// RecoverClock sets the database's clock, which tests move as they move their own.
func RecoverClock(c *RecoverConfig, now func() time.Time) {
	c.server = func(context.Context) (time.Time, error) { return now(), nil }
}
