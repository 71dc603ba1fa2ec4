// Package steady keeps tests from depending on the machine's speed, or on luck: they
// wait for what happens, and random input can be had again.
package steady

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Limit is how long something may take before it is taken for stuck. It guards against
// hanging only, and so it is long: where all is well it costs nothing, however busy the
// machine.
const Limit = 5 * time.Minute

const step = 5 * time.Millisecond

// Until waits until the condition is true, and ends the test where it never becomes so.
// What says what is waited for.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !Eventually(condition) {
		t.Fatalf("%s: not within %v", what, Limit)
	}
}

// Eventually waits until the condition is true, and reports whether it became so: for
// where there is more to say than Until does.
func Eventually(condition func() bool) bool {
	for end := time.Now().Add(Limit); !condition(); time.Sleep(step) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Receive waits for a channel's next value, and ends the test where none comes. What
// says what is waited for.
func Receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatalf("%s: the channel was closed", what)
		}
		return v
	case <-time.After(Limit):
		t.Fatalf("%s: not within %v", what, Limit)
	}
	panic("unreachable")
}

// Seed is what a test's random input comes from: a new one in each run, which is
// logged, or COUNTERSIGN_SEED.
func Seed(t testing.TB) uint64 {
	t.Helper()
	return SeedOr(t, rand.Uint64())
}

// SeedOr is Seed for a test whose runs are all alike, from the usual seed, unless
// COUNTERSIGN_SEED is set.
func SeedOr(t testing.TB, usual uint64) uint64 {
	t.Helper()
	seed := usual
	if s := os.Getenv("COUNTERSIGN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("COUNTERSIGN_SEED: %v", err)
		}
	}
	t.Logf("COUNTERSIGN_SEED=%d", seed)
	return seed
}
