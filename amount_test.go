package countersign

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestRuling34AmountsHaveTheCurrencysDecimals: exactly as many as ISO 4217 says, and
// one way to write each amount.
func TestRuling34AmountsHaveTheCurrencysDecimals(t *testing.T) {
	for _, c := range []struct {
		value, currency string
		minor           int64
		err             error
	}{
		{"900.00", "EUR", 90000, nil}, {"900", "JPY", 900, nil}, {"900.000", "KWD", 900000, nil}, {"0.00", "EUR", 0, nil}, {"-0.01", "EUR", -1, nil},
		{"1.2345", "CLF", 12345, nil}, {"0", "JPY", 0, nil}, {"92233720368547758.07", "EUR", math.MaxInt64, nil}, {"-92233720368547758.07", "EUR", -math.MaxInt64, nil},
		{"900", "EUR", 0, ErrAmountPrecision}, {"900.0", "EUR", 0, ErrAmountPrecision}, {"900.000", "EUR", 0, ErrAmountPrecision}, {"900.0", "JPY", 0, ErrAmountPrecision},
		{"92233720368547758.08", "EUR", 0, ErrAmountOverflow}, {"-92233720368547758.08", "EUR", 0, ErrAmountOverflow}, {strings.Repeat("9", 100) + ".00", "EUR", 0, ErrAmountOverflow},
		{"", "EUR", 0, ErrAmountSyntax}, {"+1.00", "EUR", 0, ErrAmountSyntax}, {"01.00", "EUR", 0, ErrAmountSyntax}, {"1,000.00", "EUR", 0, ErrAmountSyntax}, {"1e3", "JPY", 0, ErrAmountSyntax},
		{"-0.00", "EUR", 0, ErrAmountSyntax}, {"-0", "JPY", 0, ErrAmountSyntax}, {".50", "EUR", 0, ErrAmountSyntax}, {"1.", "JPY", 0, ErrAmountSyntax}, {" 1.00", "EUR", 0, ErrAmountSyntax},
		{"1.00 ", "EUR", 0, ErrAmountSyntax}, {"--1.00", "EUR", 0, ErrAmountSyntax}, {"-", "EUR", 0, ErrAmountSyntax}, {"1.0.0", "EUR", 0, ErrAmountSyntax}, {"١.00", "EUR", 0, ErrAmountSyntax},
		{"1.00", "eur", 0, ErrCurrency}, {"1.00", "", 0, ErrCurrency}, {"1.00", "   ", 0, ErrCurrency}, {"1.00", "EU", 0, ErrCurrency}, {"1.00", "R U", 0, ErrCurrency}, {"1.00", "XXX", 0, ErrCurrency},
	} {
		got, err := Amount{Value: c.value, Currency: c.currency}.Minor()
		if got != c.minor || !errors.Is(err, c.err) {
			t.Errorf("%q %q: %d %v, want %d %v", c.value, c.currency, got, err, c.minor, c.err)
		}
		if err == nil && FormatMinor(got, c.currency) != c.value {
			t.Errorf("%q %s is written again as %q", c.value, c.currency, FormatMinor(got, c.currency))
		}
	}
	if _, err := ParseMinor("900.5", "EUR"); !strings.Contains(err.Error(), "write 900.50") {
		t.Errorf("it does not say what to write: %v", err)
	}
	if _, err := ParseMinor("1"+strings.Repeat("ü", 200), "EUR"); len(err.Error()) > 300 {
		t.Errorf("a long value is repeated whole: %v", err)
	}
}

// TestEveryAmountIsWrittenOneWay: writing and reading are inverse, over the whole
// range and every currency.
func TestEveryAmountIsWrittenOneWay(t *testing.T) {
	rng := rand.New(rand.NewPCG(4217, 1))
	currencies := append(strings.Fields(twoDecimals), "JPY", "KWD", "CLF", "BIF")
	for range 20_000 {
		n := rng.Int64() >> rng.IntN(63)
		if rng.IntN(2) == 0 {
			n = -n
		}
		c := currencies[rng.IntN(len(currencies))]
		s := FormatMinor(n, c)
		if got, err := ParseMinor(s, c); err != nil || got != n {
			t.Fatalf("%d %s is written %q and read %d, %v", n, c, s, got, err)
		}
	}
	if FormatMinor(math.MinInt64, "EUR") != "-92233720368547758.08" || FormatMinor(-5, "???") != "-0.05" {
		t.Error("the smallest number, or an unknown currency, is written wrongly")
	}
}

func FuzzParseMinor(f *testing.F) {
	f.Add("900.00", "EUR")
	f.Add("-0", "JPY")
	f.Fuzz(func(t *testing.T, value, currency string) {
		if n, err := ParseMinor(value, currency); err == nil && FormatMinor(n, currency) != value {
			t.Fatalf("%q %q is read as %d and written %q", value, currency, n, FormatMinor(n, currency))
		}
	})
}
