package connect

import (
	"strings"
	"testing"

	"github.com/countersign/countersign"
)

var comma = Options{DecimalComma: true, Thousands: "."}

var amounts = []struct {
	text, currency, want, reason string
	o                            Options
}{
	{"900", "EUR", "900.00", "", Options{}},
	{"900.5", "EUR", "900.50", "", Options{}},
	{"900.5000", "EUR", "900.50", "", Options{}}, // zeros are no decimals lost
	{"900.501", "EUR", "", ReasonPrecision, Options{}},
	{"1.500", "EUR", "", ReasonAmount, Options{}}, // one and a half, or fifteen hundred?
	{"1.500", "EUR", "1.50", "", Options{Thousands: ","}},
	{"1,500", "EUR", "", ReasonAmount, Options{DecimalComma: true}},
	{"1.000", "JPY", "", ReasonAmount, Options{}},
	{"1.500", "KWD", "1.500", "", Options{}},
	{"900.00", "JPY", "900", "", Options{}},
	{"900.50", "JPY", "", ReasonPrecision, Options{}},
	{"0.9", "KWD", "0.900", "", Options{}},
	{"007.10", "EUR", "7.10", "", Options{}},
	{"-0.00", "EUR", "0.00", "", Options{}},
	{"-5", "EUR", "-5.00", "", Options{}},
	{"5-", "EUR", "-5.00", "", Options{}},
	{"(5.25)", "EUR", "-5.25", "", Options{}},
	{"5.25 CR", "EUR", "-5.25", "", Options{}},
	{"5.25DR", "EUR", "5.25", "", Options{}},
	{"\u22125", "EUR", "-5.00", "", Options{}},
	{"+5", "EUR", "5.00", "", Options{}},
	{"--5", "EUR", "", ReasonAmount, Options{}},
	{"(-5)", "EUR", "", ReasonAmount, Options{}},
	{"-5-", "EUR", "", ReasonAmount, Options{}},
	{"£1,054.11", "GBP", "1054.11", "", Options{Thousands: ","}},
	{"-£1,054.11", "GBP", "-1054.11", "", Options{Thousands: ","}},
	{"£-1,054.11", "GBP", "-1054.11", "", Options{Thousands: ","}},
	{"£5", "EUR", "", ReasonCurrency, Options{}},
	{"EUR 5", "EUR", "5.00", "", Options{}},
	{"5 EUR", "EUR", "5.00", "", Options{}},
	{"5 USD", "EUR", "", ReasonAmount, Options{}},
	{"1,054.11", "EUR", "", ReasonAmount, Options{}},
	{"1.054,11", "EUR", "1054.11", "", comma},
	{"1,50", "EUR", "1.50", "", comma},
	{"1.50", "EUR", "", ReasonAmount, comma},
	{"1,50", "EUR", "", ReasonAmount, Options{Thousands: ","}}, // never 150
	{"1,,000", "EUR", "", ReasonAmount, Options{Thousands: ","}},
	{",100", "EUR", "", ReasonAmount, Options{Thousands: ","}},
	{"1000,000", "EUR", "", ReasonAmount, Options{Thousands: ","}},
	{"12 345,60", "EUR", "12345.60", "", Options{DecimalComma: true, Thousands: " "}},
	{"12\u202F345,60", "EUR", "12345.60", "", Options{DecimalComma: true, Thousands: " "}},
	{"12’345.60", "CHF", "12345.60", "", Options{Thousands: "'"}},
	{"1e5", "EUR", "", ReasonAmount, Options{}},
	{"NaN", "EUR", "", ReasonAmount, Options{}},
	{".5", "EUR", "", ReasonAmount, Options{}},
	{"5.", "EUR", "", ReasonAmount, Options{}},
	{"", "EUR", "", ReasonAmount, Options{}},
	{"٣", "EUR", "", ReasonAmount, Options{}}, // digits, but not ours
	{"92233720368547758.07", "EUR", "92233720368547758.07", "", Options{}},
	{"92233720368547758.08", "EUR", "", ReasonOverflow, Options{}},
	{"5", "XXX", "", ReasonCurrency, Options{}},
}

func TestParseAmount(t *testing.T) {
	for _, c := range amounts {
		value, f := parseAmount(c.text, c.currency, c.o)
		reason := ""
		if f != nil {
			reason = f.reason
		}
		if value != c.want || reason != c.reason {
			t.Errorf("%q %s: have %q %q, want %q %q", c.text, c.currency, value, reason, c.want, c.reason)
		}
	}
}

// TestAmountIsNeverRounded: whatever is accepted is exactly what was written.
func TestAmountIsNeverRounded(t *testing.T) {
	for minor := int64(-2000); minor <= 2000; minor += 7 {
		for _, currency := range []string{"EUR", "JPY", "KWD", "CLF"} {
			text := countersign.FormatMinor(minor, currency)
			value, f := parseAmount(text, currency, Options{})
			if f != nil || value != text {
				t.Fatalf("%s %s: have %q, %v", text, currency, value, f)
			}
			if !strings.Contains(text, ".") {
				text += "."
			}
			if _, f := parseAmount(text+"1", currency, Options{}); f == nil || f.reason != ReasonPrecision {
				t.Fatalf("%s1 %s: a decimal too many was taken: %v", text, currency, f)
			}
		}
	}
}

func TestRuling42VendorIDFromName(t *testing.T) {
	for name, want := range map[string]string{
		"ACME  Ltd.":               "name:acme ltd",
		"Acme ltd":                 "name:acme ltd",
		"Straße & Söhne GmbH":      "name:strasse söhne gmbh",
		"O'Neill S.A.":             "name:oneill sa",
		"ＡＣＭＥ Ltd":                 "name:acme ltd", // full width
		"株式会社サンプル":                 "name:株式会社サンプル",
		"Redacted personal data":   "",
		"REDACTED, personal data":  "",
		"Redactive Publishing Ltd": "name:redactive publishing ltd",
		" - ":                      "",
		"":                         "",
	} {
		if have := VendorIDFromName(name); have != want {
			t.Errorf("%q: have %q, want %q", name, have, want)
		}
	}
	long := strings.Repeat("ä", 300)
	a, b := VendorIDFromName(long), VendorIDFromName(long+"x")
	if a == b || len(a) > maxID || len(b) > maxID {
		t.Errorf("long names: %d and %d bytes, the same: %v", len(a), len(b), a == b)
	}
}

// TestUnnumberedRowsAreTold: without numbers, rows are keyed by their content and
// how often it came before, so that their order does not matter.
func TestUnnumberedRowsAreTold(t *testing.T) {
	read := func(rows ...string) []string {
		var keys []string
		_, err := ReadPurchases(strings.NewReader("vendor,amount,currency,date\n"+strings.Join(rows, "\n")), nil, Options{}, func(p Purchase) error {
			if !p.IDDerived {
				t.Errorf("id %q was not derived", p.ID)
			}
			keys = append(keys, p.ID+p.Line)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	a, b := "A,1.00,EUR,2025-01-02", "B,1.00,EUR,2025-01-02"
	one, other := read(a, b, a), read(b, a, a)
	if one[0] != other[1] || one[1] != other[0] || one[2] != other[2] || one[2] != one[0]+"#2" {
		t.Errorf("have %v and %v", one, other)
	}
}

// TestIdentityStaysUnique although lines in the file look like those that are made.
func TestIdentityStaysUnique(t *testing.T) {
	text := "id,line,vendor,amount,currency,date\n"
	for _, id := range []string{"A,#2", "A,", "A,", "A,", "A,#2", "A,1", "A,1", "A1,"} {
		text += id + ",V,1.00,EUR,2025-01-02\n"
	}
	seen := map[[3]string]bool{}
	_, err := ReadPurchases(strings.NewReader(text), nil, Options{}, func(p Purchase) error {
		seen[[3]string{p.Kind, p.ID, p.Line}] = true
		return nil
	})
	if err != nil || len(seen) != 8 {
		t.Errorf("%d of 8 rows are told apart: %v, %v", len(seen), seen, err)
	}
}
