package web

import "testing"

// TestAmountsAsPeopleTypeThem: each person's own way is read, and what could be read in
// two ways is refused.
func TestAmountsAsPeopleTypeThem(t *testing.T) {
	for _, c := range []struct{ numbers, typed, want string }{
		{"", "30000 EUR", "30000.00 EUR"}, {"", "EUR 30 000", "30000.00 EUR"}, {"", "30\u202f000.5 eur", "30000.50 EUR"}, {"", " ", ""}, {"", "007.10 USD", "7.10 USD"},
		{"", "1200 JPY", "1200 JPY"}, {"", "1200.5 JPY", ""}, {"", "30,000 EUR", ""}, {"", "30.000,00 EUR", ""}, {"", "3.000 EUR", ""}, {"", "3 00 EUR", ""}, {"", "3000", ""}, {"", "EUR", ""},
		{"", "-5 EUR", ""}, {"", "1e5 EUR", ""}, {"", "5 XYZ", ""}, {"", "5. EUR", ""}, {"", ".5 EUR", ""}, {"", "99999999999999999999 EUR", ""}, {"", "٣ EUR", ""},
		{NumbersPointComma, "30.000,50 EUR", "30000.50 EUR"}, {NumbersPointComma, "30.000 EUR", "30000.00 EUR"}, {NumbersPointComma, "30.00 EUR", ""}, {NumbersPointComma, "1.5 EUR", ""},
		{NumbersCommaPoint, "1,234,567.89 EUR", "1234567.89 EUR"}, {NumbersCommaPoint, "1,5 EUR", ""}, {NumbersCommaPoint, "1.5 EUR", "1.50 EUR"},
		{NumbersApostrophePoint, "1'234.50 CHF", "1234.50 CHF"}, {NumbersApostrophePoint, "1’234 CHF", "1234.00 CHF"}, {NumbersSpaceComma, "1 234,5 EUR", "1234.50 EUR"},
	} {
		got, err := Format{Numbers: c.numbers}.readAmount(c.typed)
		if got != c.want || (err != nil) != (c.want == "" && c.typed != " ") {
			t.Errorf("%q by %q: %q (%v), want %q", c.typed, c.numbers, got, err, c.want)
		}
	}
}
