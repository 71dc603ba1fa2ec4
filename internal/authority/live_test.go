package authority_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// next waits for a change, or for the end of the feed.
func next(t testing.TB, feed <-chan authority.Change) (authority.Change, bool) {
	t.Helper()
	select {
	case c, ok := <-feed:
		return c, ok
	case <-time.After(steady.Limit):
		t.Fatal("nothing was told")
	}
	return authority.Change{}, false
}

// quiet: nothing was told, of what others were told of before.
func quiet(t testing.TB, feed <-chan authority.Change) {
	t.Helper()
	select {
	case c, ok := <-feed:
		t.Errorf("told: %+v, open: %v", c, ok)
	default:
	}
}

// TestWatch: whoever a request concerns is told of it, nobody else is, and of what
// passed undisturbed nobody.
func TestWatch(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		ctx, stop := context.WithCancel(h.ctx)
		defer stop()
		marta, err := h.a.Watch(ctx, h.who["marta"].session)
		h.must(err)
		tomas, err := h.a.Watch(ctx, h.who["tomas"].session)
		h.must(err)
		h.submit(order("PO-0", "9.00"))
		id := h.submit(order("PO-1", "30000.00")).ID
		if c, _ := next(h.t, marta); c.Request != id || c.Type != countersign.EntryRequestSubmitted || c.Status != countersign.StatusPending || c.Resync {
			h.t.Errorf("%+v", c)
		}
		h.who["ingrid"].approve(id)
		if c, _ := next(h.t, marta); c.Request != id || c.Type != countersign.EntryDecisionMade || c.Status != countersign.StatusApproved || c.Actor != h.who["ingrid"].id {
			h.t.Errorf("%+v", c)
		}
		last := h.submit(order("PO-2", "31000.00", func(d *countersign.Document) { d.Category = "tools" })).ID // whoever is told of this was told of all before
		if c, _ := next(h.t, marta); c.Request != last {
			h.t.Errorf("%+v", c)
		}
		quiet(h.t, tomas)
		quiet(h.t, marta)
	})
}

// TestWatchAcrossReplicas: what another process writes is told as well. Here it is a
// second authority on the same database, which wakes nobody of the first.
func TestWatchAcrossReplicas(t *testing.T) {
	each(t, func(h *house) {
		if h.db.Driver() != store.Postgres {
			h.t.Skip("SQLite has one process")
		}
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		marta, err := h.a.Watch(h.ctx, h.who["marta"].session)
		h.must(err)
		db, err := store.Open(h.ctx, h.store)
		h.must(err)
		defer db.Close()
		cfg := h.cfg
		cfg.DB = db.For(h.db.Org())
		other, err := authority.Open(h.ctx, cfg)
		h.must(err)
		authority.ServerClock(other, h.clock.Now)
		out, err := other.Submit(h.ctx, h.key, body(order("PO-1", "30000.00"), nil))
		h.must(err)
		h.must(other.Publish(h.ctx)) // gives its entry a place, as its loop would
		if c, _ := next(h.t, marta); c.Request != out.Approval.ID {
			h.t.Errorf("%+v", c)
		}
	})
}

// TestWatchEnds with the session, with its owner's leaving, and with the caller.
func TestWatchEnds(t *testing.T) {
	h := onSQLite(t)
	marta, rosa, tomas := h.who["marta"], h.who["rosa"], h.who["tomas"]
	ctx, stop := context.WithCancel(h.ctx)
	feeds := map[string]<-chan authority.Change{}
	for _, d := range []*dweller{marta, rosa, tomas} {
		var err error
		c := h.ctx
		if d == tomas {
			c = ctx
		}
		feeds[d.login], err = h.a.Watch(c, d.session)
		h.must(err)
	}
	stop()
	if _, open := next(t, feeds["tomas"]); open {
		t.Error("the caller went, and is told on")
	}
	h.must(h.a.SignOut(h.ctx, marta.session))
	h.clock.forward(3 * time.Second)
	if _, open := next(t, feeds["marta"]); open {
		t.Error("signed out, and told on")
	}
	h.clock.forward(2 * time.Hour) // not used for an hour
	if _, open := next(t, feeds["rosa"]); open {
		t.Error("the session expired, and is told on")
	}
	steady.Until(t, "nobody watches, and the feed ends", func() bool { return !feeding() })
}

func feeding() bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "authority.(*Authority).feed(")
}

// TestWatchLeavesTheSlowBehind: whoever does not read is told to look at everything
// again, as the last thing; others are told on.
func TestWatchLeavesTheSlowBehind(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	slow, err := h.a.Watch(h.ctx, h.who["marta"].session)
	h.must(err)
	other, err := h.a.Watch(h.ctx, h.who["ingrid"].session)
	h.must(err)
	for i := range 80 {
		id := h.submit(order(fmt.Sprint("PO-", i), "30000.00", func(d *countersign.Document) { d.Category = fmt.Sprint("c", i) })).ID
		if i%20 != 19 {
			continue // the feed rests after each look
		}
		for c, open := next(t, other); c.Request != id; c, open = next(t, other) {
			if !open {
				t.Fatal("whoever reads is left behind, too")
			}
		}
	}
	var last authority.Change
	n := 0
	for c := range slow {
		last = c
		n++
	}
	if !last.Resync || last.Request != "" || n > 80 {
		t.Errorf("%d changes, the last %+v", n, last)
	}
}

// TestWatchForgetsWhoLeftTheGroup: what somebody may see is judged as of now.
func TestWatchForgetsWhoLeftTheGroup(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	daniel := h.who["daniel"]
	feed, err := h.a.Watch(h.ctx, daniel.session)
	h.must(err)
	marta, err := h.a.Watch(h.ctx, h.who["marta"].session)
	h.must(err)
	daniel.state(func(p *countersign.PersonFact) { p.Groups = nil })
	for i := range 2 { // when the second is told, the first was told to everybody
		id := h.submit(order(fmt.Sprint("PO-", i), "30000.00", func(d *countersign.Document) { d.Category = fmt.Sprint("c", i) })).ID
		if c, _ := next(t, marta); c.Request != id {
			t.Errorf("%+v", c)
		}
	}
	quiet(t, feed)
}
