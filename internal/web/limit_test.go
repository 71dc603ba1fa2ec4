package web

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestBucketsLimitAndForget: each has their own, it fills again with time, and what
// strangers make us remember is bounded.
func TestBucketsLimitAndForget(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	b := newBuckets(Rate{2, 3}, func() time.Time { return now })
	for i := range 3 {
		if _, ok := b.take("a"); !ok {
			t.Fatalf("refused at %d", i)
		}
	}
	if wait, ok := b.take("a"); ok || wait != 500*time.Millisecond {
		t.Errorf("%v %v", wait, ok)
	}
	if _, ok := b.take("b"); !ok {
		t.Error("another is refused")
	}
	now = now.Add(500 * time.Millisecond)
	if _, ok := b.take("a"); !ok {
		t.Error("half a second gives nothing back")
	}
	if _, ok := b.take("a"); ok {
		t.Error("half a second gives back more than one")
	}
	for i := range mostBuckets + 10 {
		b.take(fmt.Sprint(i))
	}
	if len(b.by) > mostBuckets {
		t.Errorf("%d are remembered", len(b.by))
	}
	if household(netip.MustParseAddr("2001:db8::1")) != household(netip.MustParseAddr("2001:db8::2:3")) || household(netip.MustParseAddr("192.0.2.1")) == household(netip.MustParseAddr("192.0.2.2")) {
		t.Error("households")
	}
}

// TestTurns: one at a time, one waits, the next is told so; whoever leaves makes room.
func TestTurns(t *testing.T) {
	var turns turns
	ctx := t.Context()
	first, ok := turns.enter(ctx, "a")
	if !ok {
		t.Fatal("refused")
	}
	if leave, ok := turns.enter(ctx, "b"); !ok {
		t.Error("another person waits")
	} else {
		leave()
	}
	second := make(chan func(), 1)
	go func() {
		leave, ok := turns.enter(ctx, "a")
		if !ok {
			t.Error("the second does not get its turn")
		}
		second <- leave
	}()
	for waits := false; !waits; {
		turns.mu.Lock()
		waits = turns.by["a"].used == 2
		turns.mu.Unlock()
	}
	if _, ok := turns.enter(ctx, "a"); ok {
		t.Error("a third runs or waits")
	}
	first()
	leave := <-second
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, ok := turns.enter(gone, "a"); ok {
		t.Error("whoever is gone gets the turn")
	}
	leave()
	if len(turns.by) != 0 {
		t.Errorf("%d are remembered", len(turns.by))
	}
}
