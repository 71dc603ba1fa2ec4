package backtest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/backtest"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/policies"
)

// shared opens a file of the real sets, which are not part of the project.
func shared(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatalf("the real set %s is required and is not there: %v", name, err)
		}
		t.Skipf("the real set %s is not there", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func pack(t testing.TB) *policy.Version {
	t.Helper()
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		t.Fatal(err)
	}
	v, err := policy.Load(policy.Source{File: policies.Procurement, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rates(t testing.TB, list ...signal.Rate) *backtest.Rates {
	t.Helper()
	r := &backtest.Rates{}
	for _, one := range list {
		if err := r.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// pounds is one rate for the whole time: the figures are then easy to check.
func pounds(t testing.TB) *backtest.Rates {
	return rates(t, signal.Rate{Currency: "GBP", Base: "EUR", Value: "1.2", Date: time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC), Source: "test"})
}

// TestRealSets runs the real files whole and holds what can be counted simply
// against a simple count. It prints the figures.
func TestRealSets(t *testing.T) {
	for _, name := range []string{"oxford.csv", "gla.csv"} {
		t.Run(name, func(t *testing.T) {
			b, report, err := backtest.Read(shared(t, name), backtest.File{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			r, err := backtest.Try(b, backtest.Options{Policy: pack(t), Rates: pounds(t), WarmUp: 90, Report: &report})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d requests in %v", r.Requests, time.Since(start).Round(time.Millisecond))
			t.Log("\n" + textOf(t, r))
			invariants(t, r)
			if int64(r.History.Rows) != report.Kept {
				t.Errorf("%d rows, the file has %d", r.History.Rows, report.Kept)
			}
			large, first := simpleCount(t, name)
			if got := rule(t, r, "large-purchase").Fired; got != large {
				t.Errorf("large-purchase fired %d times, %d documents are EUR 30,000 or more", got, large)
			}
			if got := rule(t, r, "new-vendor-large-invoice").Fired; got != first {
				t.Errorf("new-vendor-large-invoice fired %d times, %d documents of EUR 10,000 or more come on a vendor's first day", got, first)
			}
			// Neither file says who asked: nothing passes, and the report says why.
			if r.Answers.Allow != 0 || r.OnlyMissing.Requests != r.Known.Allow || r.OnlyMissing.Sets[0].Fields[0] != "requester" {
				t.Errorf("answers %+v, missing %+v", r.Answers, r.OnlyMissing)
			}
			if r.Known.Allow*10 < r.Requests*8 {
				t.Errorf("by what is known %d of %d pass, and the policy shall be undisturbing", r.Known.Allow, r.Requests)
			}
		})
	}
}

// simpleCount counts, after the warm-up, documents of EUR 30,000 or more, and those
// of EUR 10,000 or more on the first day on which their vendor comes at all.
func simpleCount(t *testing.T, name string) (large, first int) {
	t.Helper()
	type document struct {
		vendor string
		day    time.Time
		minor  int64
	}
	documents := map[string]*document{}
	began, firstDay := time.Time{}, map[string]time.Time{}
	_, err := connect.ReadPurchases(shared(t, name), nil, connect.Options{}, func(p connect.Purchase) error {
		key := p.ID + "|" + p.VendorID + "|" + p.VendorName + "|" + p.Date.String()
		if p.IDDerived {
			key += p.Line + "|derived"
		}
		if documents[key] == nil {
			documents[key] = &document{vendor: p.VendorID, day: p.Date}
		}
		minor, err := p.Amount.Minor()
		documents[key].minor += minor
		if began.IsZero() || p.Date.Before(began) {
			began = p.Date
		}
		if at, met := firstDay[p.VendorID]; !met || p.Date.Before(at) {
			firstDay[p.VendorID] = p.Date
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		if d.day.Before(began.AddDate(0, 0, 90)) {
			continue
		}
		size := max(d.minor, -d.minor) // a credit is weighed by its size
		euros := (size*12 + 5) / 10    // cents, to the nearest, as amounts are converted
		if euros >= 30000_00 {
			large++
		}
		if euros >= 10000_00 && d.vendor != "" && firstDay[d.vendor].Equal(d.day) {
			first++
		}
	}
	return large, first
}

// BenchmarkTry is the replay of a real file: a million rows take as long as these
// times the share of the rows.
func BenchmarkTry(b *testing.B) {
	book, _, err := backtest.Read(shared(b, "oxford.csv"), backtest.File{})
	if err != nil {
		b.Fatal(err)
	}
	o := backtest.Options{Policy: pack(b), Rates: pounds(b), WarmUp: 90}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backtest.Try(book, o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(book.Len()), "ns/row")
}
