package approval

import (
	"math/rand/v2"
	"testing"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// seed is the usual one, so that a run repeats, unless another is asked for.
func seed(t *testing.T) uint64 {
	t.Helper()
	return steady.SeedOr(t, 20261124)
}

// play runs random sequences against a machine. It returns how many reached
// approved, how many were played, and the first violation with its sequence.
func play(m machine, seed uint64, sequences int) (reached, played int, violation string, at uint64) {
	for i := range uint64(sequences) {
		w := newWorld(m, rand.New(rand.NewPCG(seed, i)))
		played++
		for range 24 {
			w.step()
			if v := w.violation(); v != "" {
				return reached, played, v, i
			}
		}
		if w.reached {
			reached++
		}
	}
	return reached, played, "", 0
}

// TestPropertyApprovedNeedsThePeople: no sequence of events reaches approved without
// the required distinct eligible people and factors.
func TestPropertyApprovedNeedsThePeople(t *testing.T) {
	n := 6000
	if testing.Short() {
		n = 2000
	}
	reached, played, violation, at := play(strict(), seed(t), n)
	if violation != "" {
		t.Fatalf("sequence %d: %s", at, violation)
	}
	share := float64(reached) / float64(played)
	t.Logf("%d of %d sequences reached approved (%.1f %%)", reached, played, 100*share)
	if share < 0.20 {
		t.Errorf("only %.1f %% reached approved: want at least 20 %%, or the property proves little", 100*share)
	}
}

// TestPropertyFindsPlantedFaults takes each check away in turn: the property that
// cannot find that is worth nothing.
func TestPropertyFindsPlantedFaults(t *testing.T) {
	s := seed(t)
	for _, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			_, played, violation, _ := play(faulty(fault), s, 5000)
			if violation == "" {
				t.Fatalf("%s removed, and %d sequences found nothing", fault, played)
			}
			t.Logf("found after %d sequences: %s", played, violation)
		})
	}
	if _, _, violation, _ := play(faulty(faultNone), s, 1000); violation != "" {
		t.Errorf("no fault planted, yet: %s", violation)
	}
}
