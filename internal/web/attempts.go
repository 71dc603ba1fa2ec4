package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts bounds how often one address may try to prove something. The bounds of
// each authenticator are the authority's, and outlive a restart; this one only keeps
// a single machine from trying many names.
type attempts struct {
	perMinute int
	clock     func() time.Time

	mu    sync.Mutex
	by    map[netip.Prefix]*attempt
	swept time.Time
}

type attempt struct {
	limit *rate.Limiter
	last  time.Time
}

func newAttempts(perMinute int, clock func() time.Time) *attempts {
	return &attempts{perMinute: perMinute, clock: clock, by: map[netip.Prefix]*attempt{}}
}

// most is how many addresses are remembered: beyond it the longest quiet are dropped.
const most = 20000

func (a *attempts) allow(from netip.Addr) bool {
	if a.perMinute == 0 {
		return true
	}
	bits := from.BitLen()
	if from.Is6() {
		bits = 64 // one household
	}
	p, err := from.Prefix(bits)
	if err != nil {
		return false
	}
	now := a.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.swept) > time.Minute || len(a.by) > most {
		for k, t := range a.by {
			if now.Sub(t.last) > 2*time.Minute {
				delete(a.by, k)
			}
		}
		if len(a.by) > most {
			clear(a.by)
		}
		a.swept = now
	}
	t := a.by[p]
	if t == nil {
		t = &attempt{limit: rate.NewLimiter(rate.Limit(float64(a.perMinute)/60), a.perMinute)}
		a.by[p] = t
	}
	t.last = now
	return t.limit.AllowN(now, 1)
}
