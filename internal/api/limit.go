package api

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"golang.org/x/time/rate"
)

// Limits bound how often somebody may call, in this process. The zero value of each
// is its default.
type Limits struct {
	Key      Rate // of one API key; default 2000 a second
	Evaluate Rate // evaluations of one API key; default 100 a second
	Person   Rate // of one person; default 50 a second
	Address  Rate // without credentials, or with wrong ones, from one address; default 20 a second
	SignIn   Rate // attempts to sign in, step up or use a link, from one address; default 30 a minute
}

// Rate is a number of calls a second, and how many may come at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (r Rate) or(perSecond float64, burst int) Rate {
	if r.PerSecond <= 0 {
		r.PerSecond = perSecond
	}
	if r.Burst <= 0 {
		r.Burst = max(burst, int(math.Ceil(r.PerSecond)))
	}
	return r
}

// limiter keeps one bucket for each caller that was seen lately.
type limiter struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
}

type bucketKey struct {
	class string
	who   string
	at    netip.Addr
}

// mostBuckets bounds the memory that strangers can take.
const mostBuckets = 50_000

func newLimiter(l Limits, now func() time.Time) *limiter {
	l.Key, l.Evaluate, l.Person = l.Key.or(2000, 4000), l.Evaluate.or(100, 100), l.Person.or(50, 100)
	l.Address, l.SignIn = l.Address.or(20, 100), l.SignIn.or(0.5, 30)
	return &limiter{limits: l, now: now, buckets: map[bucketKey]*rate.Limiter{}}
}

// take takes one call out of a bucket, or says when there will be one.
func (l *limiter) take(k bucketKey, r Rate) error {
	if k.at.Is6() { // whoever has one address of a /64 has them all
		if p, err := k.at.WithZone("").Prefix(64); err == nil {
			k.at = p.Addr()
		}
	}
	now := l.now()
	l.mu.Lock()
	b := l.buckets[k]
	if b == nil {
		if len(l.buckets) >= mostBuckets {
			l.sweep(now)
		}
		b = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		l.buckets[k] = b
	}
	l.mu.Unlock()
	if b.AllowN(now, 1) {
		return nil
	}
	wait := (1 - b.TokensAt(now)) / r.PerSecond
	p := countersign.NewProblem(countersign.CodeRateLimited, "too many calls from you").WithHint("wait as long as Retry-After says")
	p.RetryAfterSeconds = max(1, int(math.Ceil(wait)))
	return p
}

// sweep forgets the buckets that are full: they limit nobody. When there are still
// too many, it forgets them all rather than grow.
func (l *limiter) sweep(now time.Time) {
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= mostBuckets {
		clear(l.buckets)
	}
}

// limit bounds the calls of whoever is calling, once that is known.
func (c *call) limit() error {
	l := c.api.limits
	switch {
	case c.op.strict:
		if err := l.take(bucketKey{class: "sign-in", at: c.remote}, l.limits.SignIn); err != nil {
			return err
		}
	case c.op.who == anyone:
		return l.take(bucketKey{class: "address", at: c.remote}, l.limits.Address)
	}
	switch {
	case c.caller.Key != nil && c.op.costly:
		return l.take(bucketKey{class: "evaluate", who: c.who}, l.limits.Evaluate)
	case c.caller.Key != nil:
		return l.take(bucketKey{class: "key", who: c.who}, l.limits.Key)
	case c.caller.Session != nil:
		return l.take(bucketKey{class: "person", who: c.who}, l.limits.Person)
	}
	return nil
}

// stranger bounds the calls whose credentials are not valid.
func (c *call) stranger(refused error) error {
	l := c.api.limits
	if err := l.take(bucketKey{class: "address", at: c.remote}, l.limits.Address); err != nil {
		return err
	}
	return refused
}
