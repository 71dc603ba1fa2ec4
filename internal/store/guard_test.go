package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

const origin = storetest.Origin

// checkpoint is one of a size, told apart by its last line.
func checkpoint(size int, signature string) []byte {
	return fmt.Appendf(nil, "%s\n%d\nAAAA\n\n— %s\n", origin, size, signature)
}

// eachGuard runs a test on every kind of guard. open opens it again.
func eachGuard(t *testing.T, test func(t *testing.T, open func() store.Guard)) {
	t.Run("file", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "guard")
		test(t, func() store.Guard { return opened(t)(store.OpenFileGuard(dir)) })
	})
	database := func(cfg store.Config) func(*testing.T) {
		return func(t *testing.T) {
			test(t, func() store.Guard { return opened(t)(store.OpenDatabaseGuard(t.Context(), cfg)) })
		}
	}
	t.Run(store.SQLite, func(t *testing.T) {
		database(store.Config{Driver: store.SQLite, Path: filepath.Join(t.TempDir(), "guard.db")})(t)
	})
	t.Run(store.Postgres, func(t *testing.T) { database(storetest.EmptyPostgres(t))(t) })
}

func opened(t *testing.T) func(store.Guard, error) store.Guard {
	return func(g store.Guard, err error) store.Guard {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

func load(t *testing.T, g store.Guard, origin string) string {
	t.Helper()
	b, err := g.Load(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGuardSwaps(t *testing.T) {
	eachGuard(t, func(t *testing.T, open func() store.Guard) {
		g := open()
		ctx := t.Context()
		one, two, three := checkpoint(1, "a"), checkpoint(2, "b"), checkpoint(2, "c")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		if load(t, g, origin) != "" {
			t.Error("a new guard has a checkpoint")
		}
		var conflict *store.GuardConflict
		if err := g.Advance(ctx, origin, one, two); !errors.As(err, &conflict) || conflict.Current != nil || !errors.Is(err, store.ErrConflict) {
			t.Errorf("from a checkpoint that it never had: %v", err)
		}
		must(g.Advance(ctx, origin, nil, one))
		if err := g.Advance(ctx, origin, nil, two); !errors.As(err, &conflict) || string(conflict.Current) != string(one) {
			t.Errorf("from nothing, twice: %v", err)
		}
		must(g.Advance(ctx, origin, one, two))
		must(g.Advance(ctx, origin, two, three)) // the same size, more signatures
		for name, next := range map[string][]byte{
			"smaller": one, "other origin": []byte("other\n3\nAAAA\n"), "no checkpoint": []byte("x"),
			"odd size": []byte(origin + "\n03\nAAAA\n"), "too long": append(checkpoint(9, ""), make([]byte, 100<<10)...),
		} {
			if err := g.Advance(ctx, origin, three, next); err == nil || errors.Is(err, store.ErrConflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(g.Close())
		g = open()
		if got := load(t, g, origin); got != string(three) {
			t.Errorf("after opening again: %q", got)
		}
		if load(t, g, "other.example/log") != "" {
			t.Error("another origin has the checkpoint")
		}
		must(g.Advance(ctx, "other.example/log", nil, []byte("other.example/log\n7\nAAAA\n")))
		if got := load(t, g, origin); got != string(three) {
			t.Errorf("after another origin advanced: %q", got)
		}
		must(g.Close())
	})
}

func TestGuardHasOneWinner(t *testing.T) {
	eachGuard(t, func(t *testing.T, open func() store.Guard) {
		g := open()
		defer g.Close()
		var old []byte
		for round := range 5 {
			var wins atomic.Int64
			var winner atomic.Value
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					next := checkpoint(round+1, fmt.Sprint(i))
					err := g.Advance(context.Background(), origin, old, next)
					if err == nil {
						wins.Add(1)
						winner.Store(next)
					} else if !errors.Is(err, store.ErrConflict) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if wins.Load() != 1 {
				t.Fatalf("round %d: %d won", round, wins.Load())
			}
			old = winner.Load().([]byte)
			if load(t, g, origin) != string(old) {
				t.Fatalf("round %d: the guard has not the winner's", round)
			}
		}
	})
}

func TestFileGuardIsHeld(t *testing.T) {
	dir := t.TempDir()
	g := opened(t)(store.OpenFileGuard(dir))
	if _, err := store.OpenFileGuard(dir); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Load(t.Context(), origin); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	opened(t)(store.OpenFileGuard(dir)).Close()
}

// TestTornSlot tears the write of every advance at many places: what was durable
// before is what the guard has.
func TestTornSlot(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, store.GuardName(origin))
	g := opened(t)(store.OpenFileGuard(dir))
	var old []byte
	for i := 1; i <= 4; i++ {
		next := checkpoint(i, strings.Repeat("s", 100*i))
		before := load(t, g, origin)
		if err := g.Advance(t.Context(), origin, old, next); err != nil {
			t.Fatal(err)
		}
		old = next
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		slot := i % 2 * store.GuardSlot
		length := len(store.EncodeSlot(origin, uint64(i), next))
		for cut := 0; cut < length; cut += 13 {
			torn := append([]byte(nil), whole...)
			clear(torn[slot+cut : slot+length])
			tornDir := t.TempDir()
			if err := os.WriteFile(filepath.Join(tornDir, store.GuardName(origin)), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			tg := opened(t)(store.OpenFileGuard(tornDir))
			if got := load(t, tg, origin); got != before {
				t.Fatalf("advance %d torn at byte %d: the guard has %q, want %q", i, cut, got, before)
			}
			tg.Close()
		}
	}
	g.Close()
}

// TestDamagedGuardIsNotEmpty: a guard without a whole slot is an error, never a guard
// that has seen nothing.
func TestDamagedGuardIsNotEmpty(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"both slots":   func(b []byte) []byte { b[30] ^= 1; b[store.GuardSlot+30] ^= 1; return b },
		"zeros":        func(b []byte) []byte { clear(b); return b },
		"truncated":    func(b []byte) []byte { return b[:100] },
		"slots turned": func(b []byte) []byte { return append(b[store.GuardSlot:], b[:store.GuardSlot]...) },
	}
	for name, spoil := range damage {
		dir := t.TempDir()
		g := opened(t)(store.OpenFileGuard(dir))
		if err := errors.Join(g.Advance(t.Context(), origin, nil, checkpoint(1, "a")),
			g.Advance(t.Context(), origin, checkpoint(1, "a"), checkpoint(2, "b")), g.Close()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, store.GuardName(origin))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, spoil(b), 0o600); err != nil {
			t.Fatal(err)
		}
		g = opened(t)(store.OpenFileGuard(dir))
		if got, err := g.Load(t.Context(), origin); err == nil {
			t.Errorf("%s: read as %q", name, got)
		}
		if err := g.Advance(t.Context(), origin, nil, checkpoint(3, "c")); err == nil {
			t.Errorf("%s: advanced", name)
		}
		g.Close()
	}
}

// TestGuardOfAnotherLogIsNotMistaken: a file that was copied over from another origin.
func TestGuardOfAnotherLogIsNotMistaken(t *testing.T) {
	dir := t.TempDir()
	g := opened(t)(store.OpenFileGuard(dir))
	if err := errors.Join(g.Advance(t.Context(), origin, nil, checkpoint(1, "a")), g.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, store.GuardName(origin)), filepath.Join(dir, store.GuardName("other"))); err != nil {
		t.Fatal(err)
	}
	g = opened(t)(store.OpenFileGuard(dir))
	defer g.Close()
	if _, err := g.Load(t.Context(), "other"); err == nil {
		t.Error("another log's guard was read")
	}
}

func BenchmarkFileGuard(b *testing.B) {
	g, err := store.OpenFileGuard(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	var old []byte
	for i := 0; b.Loop(); i++ {
		next := checkpoint(i, "signature")
		if err := g.Advance(b.Context(), origin, old, next); err != nil {
			b.Fatal(err)
		}
		old = next
	}
}
