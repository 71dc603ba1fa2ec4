package authority

import (
	"context"

	"github.com/countersign/countersign"
)

// Change says that something that a person may see has changed.
type Change struct {
	Request string                // req_…; "" with Resync
	Type    countersign.EntryType // what happened
	Status  countersign.Status    // of the request now
	Actor   string                // per_…, key_…, "system", "operator"
	Index   int64                 // of the log entry
	// Resync says that changes were missed, because whoever reads was too slow: look at
	// everything again. It is the last that comes before the channel is closed.
	Resync bool
}

// Watch tells a signed-in person of changes of requests that they may see, by this
// process at once and by other replicas within about a second. The channel is closed
// when ctx ends, when the session ends or expires (within a few seconds), and after a
// Resync. Watching does not keep a session alive.
func (a *Authority) Watch(ctx context.Context, s Session) (<-chan Change, error) {
	return nil, notFound()
}
