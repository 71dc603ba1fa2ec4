package demo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// shape is what makes spend look real, whatever its size and currency.
type shape struct {
	quantiles [6]float64 // of amounts, relative to the median
	top10     float64    // share of the ten busiest vendors, by rows
	top10Sum  float64    // share of the ten largest vendors, by amount
	repeats   float64    // share of rows whose vendor and amount came before
	busiest   float64    // share of the busiest weekday
	weekend   float64
	credits   float64
}

var quantiles = [6]float64{0.10, 0.25, 0.75, 0.90, 0.95, 0.99}

// bought is one row as far as its shape is concerned.
type bought struct {
	vendor string
	minor  int64   // as written
	euros  float64 // converted
	day    time.Time
}

func shapeOf(rows []bought) shape {
	var s shape
	var amounts []float64
	counts, sums, seen := map[string]float64{}, map[string]float64{}, map[[2]any]bool{}
	weekdays := map[time.Weekday]float64{}
	total := 0.0
	for _, r := range rows {
		counts[r.vendor]++
		weekdays[r.day.Weekday()]++
		if seen[[2]any{r.vendor, r.minor}] {
			s.repeats++
		}
		seen[[2]any{r.vendor, r.minor}] = true
		if r.minor < 0 {
			s.credits++
		} else if r.minor > 0 {
			amounts = append(amounts, r.euros)
			sums[r.vendor] += r.euros
			total += r.euros
		}
	}
	n := float64(len(rows))
	s.repeats /= n
	s.credits /= n
	s.top10, s.top10Sum = largest10(counts)/n, largest10(sums)/total
	s.weekend = (weekdays[time.Saturday] + weekdays[time.Sunday]) / n
	for _, w := range weekdays {
		s.busiest = max(s.busiest, w/n)
	}
	slices.Sort(amounts)
	median := amounts[len(amounts)/2]
	for i, q := range quantiles {
		s.quantiles[i] = amounts[int(q*float64(len(amounts)-1))] / median
	}
	return s
}

func largest10(by map[string]float64) float64 {
	all := make([]float64, 0, len(by))
	for _, x := range by {
		all = append(all, x)
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(all)))
	sum := 0.0
	for _, x := range all[:min(10, len(all))] {
		sum += x
	}
	return sum
}

// realYears reads the real set: each whole year, of each the 150 busiest vendors,
// which is how many the sample company has.
func realYears(t *testing.T) []shape {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "oxford.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatalf("the real set is required and is not there: %v", err)
		}
		t.Skip("the real set is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	years := map[int][]bought{}
	if _, err := connect.ReadPurchases(f, nil, connect.Options{}, func(p connect.Purchase) error {
		minor, err := p.Amount.Minor()
		years[p.Date.Year()] = append(years[p.Date.Year()], bought{p.VendorID, minor, float64(minor), p.Date})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var shapes []shape
	for year := 2015; year <= 2017; year++ {
		shapes = append(shapes, shapeOf(busiestVendors(years[year], vendorCount)))
	}
	return shapes
}

func busiestVendors(rows []bought, n int) []bought {
	counts := map[string]int{}
	var ids []string
	for _, r := range rows {
		if counts[r.vendor]++; counts[r.vendor] == 1 {
			ids = append(ids, r.vendor)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return counts[b] - counts[a] })
	ids = ids[:n]
	return slices.DeleteFunc(slices.Clone(rows), func(r bought) bool { return !slices.Contains(ids, r.vendor) })
}

// sampleYear is the sample company's year: its invoices, on the days of its
// payments where weekdays are concerned, since the real set lists payments.
func sampleYear(c Company) shape {
	var invoices, payments []bought
	for _, p := range c.Purchases {
		minor, _ := p.Amount.Minor() // checked elsewhere
		exp, _ := countersign.Exponent(p.Amount.Currency)
		euros := float64(minor)
		for range exp {
			euros /= 10
		}
		for _, r := range c.Rates {
			if r.Currency == p.Amount.Currency && r.Day.Before(c.Until.AddDate(0, 0, -yearDays+1)) {
				euros *= number(r.Value)
			}
		}
		row := bought{p.VendorID, minor, euros, p.Date}
		switch p.Kind {
		case countersign.KindInvoice:
			invoices = append(invoices, row)
		case countersign.KindPayment:
			payments = append(payments, row)
		}
	}
	s, paid := shapeOf(invoices), shapeOf(payments)
	s.busiest, s.weekend = paid.busiest, paid.weekend
	return s
}

func number(s string) float64 {
	whole, frac, _ := strings.Cut(s, ".")
	x, scale := 0.0, 1.0
	for _, c := range whole + frac {
		x = x*10 + float64(c-'0')
	}
	for range frac {
		scale *= 10
	}
	return x / scale
}

// TestSampleLooksLikeRealSpend compares the sample company with three years of a
// real set. Tolerances: quantiles relative to the median within a factor of 1.4
// (1.7 for the highest) of the range of the years; shares of the ten largest
// vendors within 0.08 of it; repeats within 0.06; the busiest weekday of payments
// within 0.04; weekends and credits within 0.01.
func TestSampleLooksLikeRealSpend(t *testing.T) {
	years := realYears(t)
	for seed := range uint64(10) {
		have := sampleYear(Generate(seed, today))
		if seed == 0 {
			t.Logf("sample %.3f", have)
			for _, y := range years {
				t.Logf("real   %.3f", y)
			}
		}
		check := func(what string, of func(shape) float64, factor, margin float64) {
			t.Helper()
			low, high := of(years[0]), of(years[0])
			for _, y := range years {
				low, high = min(low, of(y)), max(high, of(y))
			}
			if x := of(have); x < low/factor-margin || x > high*factor+margin {
				t.Errorf("seed %d: %s is %.3f, the real years have %.3f to %.3f", seed, what, x, low, high)
			}
		}
		for i := range quantiles {
			factor := 1.4
			if quantiles[i] == 0.99 {
				factor = 1.7
			}
			check("quantile "+[]string{"10", "25", "75", "90", "95", "99"}[i], func(s shape) float64 { return s.quantiles[i] }, factor, 0)
		}
		check("the share of ten vendors", func(s shape) float64 { return s.top10 }, 1, 0.08)
		check("the share of ten vendors by amount", func(s shape) float64 { return s.top10Sum }, 1, 0.08)
		check("the share of repeats", func(s shape) float64 { return s.repeats }, 1, 0.06)
		check("the busiest weekday", func(s shape) float64 { return s.busiest }, 1, 0.04)
		check("the weekend", func(s shape) float64 { return s.weekend }, 1, 0.01)
		check("credits", func(s shape) float64 { return s.credits }, 1, 0.01)
	}
}
