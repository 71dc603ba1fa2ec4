package signal

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestPurchasesAreAddedInAnyOrder: a server adds them as they settle, a replay day by day;
// the figures are the same.
func TestPurchasesAreAddedInAnyOrder(t *testing.T) {
	type one struct {
		at    time.Time
		minor int64
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []one
	for i := range 100 {
		all = append(all, one{start.AddDate(0, 0, i), int64(i * 7919 % 1000)})
	}
	f := Facts{Now: start.AddDate(0, 0, 100)}
	sum := func() *History {
		p := Purchases{Currency: "EUR"}
		for _, o := range all {
			p.Add(o.at, o.minor)
		}
		return f.Summarise([]Purchases{p}, "EUR", "test")
	}

	want := sum()
	latest := []int64{}
	for _, o := range all[40:] {
		latest = append(latest, o.minor)
	}
	slices.Sort(latest)
	if middle := (latest[29] + latest[30]) / 2; want.Usual.Minor != middle {
		t.Fatalf("usual %d, want the median of the last 60, %d", want.Usual.Minor, middle)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if have := sum(); *have.Usual != *want.Usual || *have.Largest != *want.Largest || have.Sum != want.Sum || have.Count != want.Count ||
			!have.First.Equal(want.First) || !have.Last.Equal(want.Last) {
			t.Fatalf("%+v, want %+v", have, want)
		}
	}
}

// TestHistoryThatIsNotKnown: what does not fit and what has no rate is not known, and is
// never counted as nothing.
func TestHistoryThatIsNotKnown(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	f := Facts{Now: now}
	euros, dollars := Purchases{Currency: "EUR"}, Purchases{Currency: "USD"}
	euros.Add(now.AddDate(-2, 0, 0), 900_00)
	euros.Add(now.AddDate(0, -1, 0), 100_00)
	h := f.Summarise([]Purchases{euros}, "EUR", "test")
	if h.Sum.Minor != 1000_00 || h.Usual.Minor != 500_00 || h.Largest.Minor != 100_00 { // the largest of twelve months
		t.Errorf("%+v", h)
	}

	dollars.Add(now, 1)
	tooLarge, lost := Purchases{Currency: "EUR"}, Purchases{Currency: "EUR"}
	tooLarge.Add(now, math.MaxInt64)
	tooLarge.Add(now, 1)
	lost.AddTooLarge(now)
	for name, all := range map[string][]Purchases{"no rate": {euros, dollars}, "sum": {tooLarge}, "amount": {lost}} {
		if h := f.Summarise(all, "EUR", "test"); h.Usual != nil || h.Largest != nil || !h.Sum.IsZero() || h.Count == 0 {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
