package connect_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/connect"
)

// counted are the figures that were counted with another program.
type counted struct {
	file                           string
	rows, names                    int64 // names: distinct, the empty one included
	negatives, groups, extra       int64
	from10k, from100k, justUnder10 int64 // -1: not counted
	missingVendorIDs, zeros        int64
	first, last                    string
}

func TestRealSets(t *testing.T) {
	for _, want := range []counted{
		{"oxford.csv", 57692, 2870, 71, 2803, 5492, 3000, 154, 182, 18, 1, "2014-01-07", "2018-01-30"},
		{"gla.csv", 28145, 3490, 1209, 1300, 2345, 6650, -1, -1, 8927, 0, "2008-04-01", "2013-04-25"},
	} {
		t.Run(want.file, func(t *testing.T) { checkReal(t, want) })
	}
}

func checkReal(t *testing.T, want counted) {
	names, keys := map[string]bool{}, map[string]bool{}
	var from10k, from100k, justUnder int64
	sum := new(big.Int)
	r, err := connect.ReadPurchases(shared(t, want.file), nil, connect.Options{}, func(p connect.Purchase) error {
		names[p.VendorName] = true
		if keys[key(p)] {
			t.Fatalf("%q stands twice", key(p))
		}
		keys[key(p)] = true
		minor, err := p.Amount.Minor()
		if err != nil {
			return err
		}
		sum.Add(sum, big.NewInt(minor))
		if minor >= 1000000 {
			from10k++
		}
		if minor >= 10000000 {
			from100k++
		}
		if minor >= 950000 && minor < 1000000 {
			justUnder++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", r.Summary())
	equal(t, "rows", r.Kept, want.rows)
	equal(t, "lines", r.Lines, want.rows+1)
	equal(t, "bad lines", r.BadLines, 0)
	equal(t, "names", int64(len(names)), want.names)
	equal(t, "negatives", r.Negatives, want.negatives)
	equal(t, "zeros", r.Zeros, want.zeros)
	equal(t, "groups of duplicates", r.Duplicates.Groups, want.groups)
	equal(t, "extra rows of duplicates", r.Duplicates.Extra, want.extra)
	equal(t, "10,000 or more", from10k, want.from10k)
	if want.from100k >= 0 {
		equal(t, "100,000 or more", from100k, want.from100k)
		equal(t, "9,500 to 9,999.99", justUnder, want.justUnder10)
	}
	equal(t, "missing vendor ids", r.MissingVendorIDs, want.missingVendorIDs)
	equal(t, "derived or no vendor", r.DerivedVendorIDs+r.WithoutVendor, want.missingVendorIDs)
	equal(t, "first", r.First, want.first)
	equal(t, "last", r.Last, want.last)
	equal(t, "sum", strings.Replace(r.Sums["GBP"], ".", "", 1), sum.String())
}

// TestRepeatedImportChangesNothing reads a real file twice, and once more without
// its document numbers: the keys are the same each time, and each is unique.
func TestRepeatedImportChangesNothing(t *testing.T) {
	for _, mapping := range []string{"", "id=,line="} {
		var passes [2][]string
		for i := range passes {
			seen := map[string]bool{}
			_, err := connect.ReadPurchases(shared(t, "oxford.csv"), parse(t, mapping), connect.Options{}, func(p connect.Purchase) error {
				if seen[key(p)] {
					t.Fatalf("%q stands twice", key(p))
				}
				seen[key(p)] = true
				passes[i] = append(passes[i], key(p))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if a, b := strings.Join(passes[0], "\n"), strings.Join(passes[1], "\n"); a != b {
			t.Errorf("mapping %q: the second reading gives other keys", mapping)
		}
	}
}

func BenchmarkReadPurchases(b *testing.B) {
	f := shared(b, "oxford.csv")
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Seek(0, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := connect.ReadPurchases(f, nil, connect.Options{}, func(connect.Purchase) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
