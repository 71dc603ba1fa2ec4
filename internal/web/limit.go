package web

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/countersign/countersign"
)

// Limits bound how much somebody may ask of the pages, in this process. They are far
// above what a person does by hand; the zero value of each is its default.
type Limits struct {
	Person  Rate // pages of one person; default 20 a second, 60 at once
	Address Rate // pages without a session from one address; default 50 a second, 100 at once
	Drafts  Rate // drafts of a policy that one person has tried; default one a second, 30 at once
}

// Rate is a number of requests a second, and how many may come at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Unlimited are limits that nothing reaches.
var Unlimited = Limits{Person: Rate{1e6, 1e6}, Address: Rate{1e6, 1e6}, Drafts: Rate{1e6, 1e6}}

func (r Rate) or(other Rate) Rate {
	if r.PerSecond <= 0 || r.Burst <= 0 {
		return other
	}
	return r
}

// limits are the limits with what was used of them.
type limits struct {
	person, address, drafts *buckets
	attempts                *buckets // nil: no bound
	turns                   turns
}

func newLimits(c Config) *limits {
	l := &limits{
		person:  newBuckets(c.Limits.Person.or(Rate{20, 60}), c.Clock),
		address: newBuckets(c.Limits.Address.or(Rate{50, 100}), c.Clock),
		drafts:  newBuckets(c.Limits.Drafts.or(Rate{1, 30}), c.Clock),
	}
	if c.Attempts > 0 {
		l.attempts = newBuckets(Rate{float64(c.Attempts) / 60, c.Attempts}, c.Clock)
	}
	return l
}

// buckets keep one bucket for each caller that was seen lately.
type buckets struct {
	rate  Rate
	clock func() time.Time

	mu sync.Mutex
	by map[string]*rate.Limiter
}

func newBuckets(r Rate, clock func() time.Time) *buckets {
	return &buckets{rate: r, clock: clock, by: map[string]*rate.Limiter{}}
}

// mostBuckets bounds the memory that strangers can take.
const mostBuckets = 20000

// take takes one out of a bucket. Where there is none it says when there will be one.
func (b *buckets) take(who string) (wait time.Duration, ok bool) {
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.by[who]
	if one == nil {
		if len(b.by) >= mostBuckets {
			b.sweep(now)
		}
		one = rate.NewLimiter(rate.Limit(b.rate.PerSecond), b.rate.Burst)
		b.by[who] = one
	}
	if one.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration((1 - one.TokensAt(now)) / b.rate.PerSecond * float64(time.Second)), false
}

// sweep forgets the buckets that are full: they limit nobody. When that makes no room
// worth the search, it forgets them all rather than search again and again.
func (b *buckets) sweep(now time.Time) {
	for k, one := range b.by {
		if one.TokensAt(now) >= float64(one.Burst()) {
			delete(b.by, k)
		}
	}
	if len(b.by) > mostBuckets/2 {
		clear(b.by)
	}
}

// household is what an address is counted as: whoever has one address of a /64 has
// them all.
func household(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// pace bounds how often the visitor asks for anything: a person by who they are,
// wherever they sit, and everybody else by their address.
func (v *visit) pace() error {
	l, who := v.site.limits.address, household(v.remote())
	if v.session != nil {
		l, who = v.site.limits.person, v.session.Person.ID
	}
	if wait, ok := l.take(who); !ok {
		return v.tooFast(wait, "limit.pages")
	}
	return nil
}

// attempt bounds how often one address may try to prove something. The bounds of each
// authenticator are the authority's, and outlive a restart; this one only keeps a
// single machine from trying many names.
func (v *visit) attempt() error {
	if v.site.limits.attempts == nil {
		return nil
	}
	if wait, ok := v.site.limits.attempts.take(household(v.remote())); !ok {
		return v.tooFast(wait, "limit.attempts")
	}
	return nil
}

// tooFast is the problem of somebody who asked for too much at once.
func (v *visit) tooFast(wait time.Duration, key string) *countersign.Problem {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	p := countersign.NewProblem(countersign.CodeRateLimited, "%s", v.t(key)).WithHint("%s", v.site.texts.N("limit.wait", seconds, "n", strconv.Itoa(seconds)))
	p.RetryAfterSeconds = seconds
	return p
}

// turns let each person have one thing done at a time that costs much. Its zero value
// is ready.
type turns struct {
	mu sync.Mutex
	by map[string]*turn
}

type turn struct {
	free chan struct{} // holds one while nobody has the turn
	used int           // who has it, and who waits for it
}

// turnWithin is how long one waits for the turn of the same person before.
const turnWithin = 10 * time.Second

// enter waits for the person's turn. One may wait: that is the page that a person
// writes on, whose last question is still being answered. A second one is told so.
func (t *turns) enter(ctx context.Context, person string) (leave func(), ok bool) {
	t.mu.Lock()
	one := t.by[person]
	if one == nil {
		if t.by == nil {
			t.by = map[string]*turn{}
		}
		one = &turn{free: make(chan struct{}, 1)}
		one.free <- struct{}{}
		t.by[person] = one
	}
	if one.used >= 2 {
		t.mu.Unlock()
		return nil, false
	}
	one.used++
	t.mu.Unlock()
	out := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if one.used--; one.used == 0 {
			delete(t.by, person)
		}
	}
	late := time.NewTimer(turnWithin)
	defer late.Stop()
	select {
	case <-one.free:
		return func() { one.free <- struct{}{}; out() }, true
	case <-late.C:
	case <-ctx.Done():
	}
	out()
	return nil, false
}
