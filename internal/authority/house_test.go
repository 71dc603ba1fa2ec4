package authority_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/policies"
)

const (
	publicURL = "http://localhost:8080"
	rpID      = "localhost"
	password  = "correct horse battery staple"
)

// start is when the people moved in; stories begin ten minutes later.
var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// house is one organisation with people in it, on a real database, with a clock that
// the test moves.
type house struct {
	t        testing.TB
	ctx      context.Context
	a        *authority.Authority
	db       *store.DB // bound to the organisation
	cfg      authority.Config
	store    store.Config // to open the database once more
	original store.Config // as the test got it: another house can be made from it
	guard    *troubled
	clock    *clock
	key      authority.Key
	who      map[string]*dweller

	erased bool   // decision rows were erased: they are no longer as many as the log says
	broken bool   // the story ends with a log that does not verify
	stop   func() // ends the loop
}

// dweller is one person of the house with what they prove themselves with.
type dweller struct {
	h       *house
	id      string
	login   string
	name    string
	groups  []string
	key     *softkey.Key
	secret  string // of the code generator, base32
	session authority.Session
	since   time.Time // of the session
	last    string    // code that was used last
}

// clock is a clock that the test moves: the wall's hand alone, or both hands.
type clock struct {
	mu     sync.Mutex
	steady time.Time
	off    time.Duration // by which the wall's clock is ahead
}

func (c *clock) tick(off bool) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steady = c.steady.Add(time.Microsecond) // no two moments are the same
	if off {
		return c.steady.Add(c.off)
	}
	return c.steady
}

// Now is the wall's clock, Steady the one that nobody can set.
func (c *clock) Now() time.Time    { return c.tick(true) }
func (c *clock) Steady() time.Time { return c.tick(false) }

// forward lets time pass.
func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steady = c.steady.Add(d)
}

// jump sets the wall's clock by so much, while no time passes.
func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// troubled is a guard that can be made to fail.
type troubled struct {
	store.Guard
	mu   sync.Mutex
	fail error
}

func (g *troubled) trouble(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = err
}

func (g *troubled) Advance(ctx context.Context, origin string, old, next []byte) error {
	g.mu.Lock()
	err := g.fail
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.Guard.Advance(ctx, origin, old, next)
}

func source(t testing.TB) policy.Source {
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Source{File: policies.Procurement, Text: text}
}

// found makes an organisation on an empty database and moves the people in.
func found(t testing.TB, cfg store.Config, dir string) *house {
	t.Helper()
	h := &house{t: t, ctx: context.Background(), clock: &clock{steady: start}, store: cfg, who: map[string]*dweller{}}
	h.store.Clock = h.clock.Now
	db, err := store.Open(h.ctx, h.store)
	h.must(err)
	defer db.Close()
	zero := 0
	org, err := authority.Create(h.ctx, db, authority.NewOrganisation{Name: "Example", Host: "localhost:8080", PublicURL: publicURL, RPID: rpID,
		Settings: authority.Settings{CoolOff: &zero, HistorySettling: &zero}, Policy: source(t)})
	h.must(err)
	h.open(db.For(org), dir)
	h.people()
	h.key = h.apiKey("erp", "submit", "evaluate", "facts", "alert", "release", "audit", "provisioning", "vouch")
	h.must(h.a.Publish(h.ctx))
	h.close()
	return h
}

// open opens the authority over a database, with the keys and the guard in a folder.
func (h *house) open(db *store.DB, dir string) { h.openAs(db, dir, "localhost:8080") }

func (h *house) openAs(db *store.DB, dir, host string) {
	h.t.Helper()
	h.db = db
	keys, err := checkpoint.OpenKeys(filepath.Join(dir, "keys"), authority.LogOrigin(host, db.Org()))
	h.must(err)
	guard, err := store.OpenFileGuard(filepath.Join(dir, "guard"))
	h.must(err)
	h.guard = &troubled{Guard: guard}
	h.cfg = authority.Config{DB: db, Keys: keys, Guard: h.guard, Log: slog.New(slog.DiscardHandler), Simulated: true, Steady: h.clock.Steady}
	h.reopen()
}

// reopen makes the authority anew over the same database, as after a restart.
func (h *house) reopen() {
	h.t.Helper()
	var err error
	h.a, err = authority.Open(h.ctx, h.cfg)
	h.must(err)
	authority.HashWeakly(h.a)
	authority.ServerClock(h.a, h.clock.Now)
	if h.db.Driver() == store.Postgres {
		h.loop()
	}
}

// loop publishes as the authority's own loop does, and does nothing else: in a story
// the clock's work is done when the story says so.
func (h *house) loop() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	a := h.a
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			grown := h.db.Changed(store.LogGrew)
			a.Publish(ctx)
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}()
	h.stop = func() { stop(); <-done; h.stop = nil }
}

func (h *house) close() {
	if h.stop != nil {
		h.stop()
	}
	if h.guard != nil {
		h.guard.Close()
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(describe(err))
	}
}

// describe writes a problem with what only the log would say.
func describe(err error) string {
	var p *countersign.Problem
	if !errors.As(err, &p) {
		return err.Error()
	}
	text := fmt.Sprintf("%s: %v", p.Code, p)
	if cause := errors.Unwrap(p); cause != nil {
		text += fmt.Sprintf(" (cause: %v)", cause)
	}
	return text + fmt.Sprintf(" %+v %+v", p.Reasons, p.Errors)
}

// refused wants the problem of a code, and returns it.
func (h *house) refused(err error, code countersign.Code) *countersign.Problem {
	h.t.Helper()
	var p *countersign.Problem
	if err == nil {
		h.t.Fatalf("want the problem %q, have none", code)
	}
	if !errors.As(err, &p) || p.Code != code {
		h.t.Fatalf("want the problem %q, have %s", code, describe(err))
	}
	return p
}
