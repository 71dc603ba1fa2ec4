package signal

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

// Money is an amount in minor units of its currency (cents for EUR). In JSON it
// is written as on a document: {"value":"900.00","currency":"EUR"}.
type Money struct {
	Minor    int64
	Currency string
}

// ParseMoney reads an amount as it is written on a document.
func ParseMoney(a countersign.Amount) (Money, error) {
	n, err := a.Minor()
	return Money{n, a.Currency}, err
}

// IsZero reports whether m is no amount at all (not: an amount of zero).
func (m Money) IsZero() bool { return m.Currency == "" }

// MarshalJSON writes the amount as on a document.
func (m Money) MarshalJSON() ([]byte, error) {
	return json.Marshal(countersign.Amount{Value: countersign.FormatMinor(m.Minor, m.Currency), Currency: m.Currency})
}

// UnmarshalJSON reads what MarshalJSON writes, as strictly as a document.
func (m *Money) UnmarshalJSON(b []byte) error {
	var a countersign.Amount
	if err := countersign.DecodeStrict(b, &a); err != nil {
		return err
	}
	v, err := ParseMoney(a)
	if err != nil {
		return err
	}
	*m = v
	return nil
}

// String formats the amount for people: "EUR 30,000.00".
func (m Money) String() string { return string(m.append(make([]byte, 0, 24))) }

func (m Money) append(b []byte) []byte {
	b = append(append(b, m.Currency...), ' ')
	s := countersign.FormatMinor(m.Minor, m.Currency)
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		b, s = append(b, '-'), rest
	}
	whole := strings.IndexByte(s, '.')
	if whole < 0 {
		whole = len(s)
	}
	for i := range whole {
		if i > 0 && (whole-i)%3 == 0 {
			b = append(b, ',')
		}
		b = append(b, s[i])
	}
	return append(b, s[whole:]...)
}

// Rate says how much of the policy's currency one unit of another currency is
// worth, from a day on.
type Rate struct {
	Currency string    `json:"currency"`
	Base     string    `json:"base"`
	Value    string    `json:"value"` // decimal, positive: base units for one unit of Currency
	Date     time.Time `json:"date"`
	Source   string    `json:"source"` // "ECB", "import rates.csv", …
}

// maxRateDecimals keeps 10 to the power of the decimals of a rate and of a
// currency together inside 64 bits.
const maxRateDecimals = 12

// Convert returns m in the rate's base currency, rounded to the nearest minor
// unit, halves away from zero. The intermediate product has 128 bits; a result
// that does not fit is an error, never a wrapped number.
func (r Rate) Convert(m Money) (Money, error) {
	from, ok := countersign.Exponent(m.Currency)
	to, known := countersign.Exponent(r.Base)
	if !ok || !known || m.Currency != r.Currency {
		return Money{}, fmt.Errorf("rate from %s to %s does not convert %s", r.Currency, r.Base, m.Currency)
	}
	mantissa, scale, err := parseRate(r.Value)
	if err != nil {
		return Money{}, err
	}
	abs, negative := uint64(m.Minor), m.Minor < 0
	if negative {
		abs = -abs
	}
	hi, lo := bits.Mul64(abs, mantissa)
	n, ok := shiftDecimal(hi, lo, to-from-scale)
	if !ok || n > math.MaxInt64 {
		return Money{}, fmt.Errorf("%s at %s: %w", m, r.Value, countersign.ErrAmountOverflow)
	}
	if negative {
		return Money{-int64(n), r.Base}, nil
	}
	return Money{int64(n), r.Base}, nil
}

// shiftDecimal multiplies a 128-bit number by 10 to the power of e, which may be
// negative, rounding half up; false when the result needs more than 64 bits.
func shiftDecimal(hi, lo uint64, e int) (uint64, bool) {
	for ; e > 0; e-- {
		var carry uint64
		if hi != 0 {
			return 0, false
		}
		carry, lo = bits.Mul64(lo, 10)
		hi = carry
	}
	if e == 0 {
		return lo, hi == 0
	}
	divisor := uint64(1)
	for ; e < 0; e++ {
		divisor *= 10
	}
	if hi >= divisor {
		return 0, false
	}
	q, rest := bits.Div64(hi, lo, divisor)
	if rest >= divisor-rest {
		if q == math.MaxUint64 {
			return 0, false
		}
		q++
	}
	return q, true
}

func parseRate(s string) (mantissa uint64, scale int, err error) {
	whole, frac, _ := strings.Cut(s, ".")
	frac = strings.TrimRight(frac, "0")
	if !countersign.IsDecimal(s) || len(frac) > maxRateDecimals {
		return 0, 0, fmt.Errorf("rate %q: want a positive decimal number with at most %d decimals", jcs.Clip(s), maxRateDecimals)
	}
	n, err := strconv.ParseUint(whole+frac, 10, 64)
	if err != nil || n == 0 {
		return 0, 0, fmt.Errorf("rate %q: want a positive decimal number", jcs.Clip(s))
	}
	return n, len(frac), nil
}

// InBase returns m in the currency base, and the rate that was used (nil where
// none is needed). Where it cannot, missing says in words which fact it lacks.
func (f *Facts) InBase(m Money, base string) (converted Money, rate *Rate, missing string) {
	if m.Currency == base {
		return m, nil, ""
	}
	for i := range f.Rates {
		r := &f.Rates[i]
		if r.Currency != m.Currency || r.Base != base || r.Date.After(f.Now) {
			continue
		}
		c, err := r.Convert(m)
		if err != nil {
			return Money{}, r, "amount in " + base + " (" + err.Error() + ")"
		}
		return c, r, ""
	}
	return Money{}, nil, "rate of " + m.Currency + " in " + base
}

// Amount returns the size of the document's amount, or what is missing. A credit
// (a negative amount) is weighed by its size: a large one is as large as a large
// invoice, and none makes room for anything else.
func (f *Facts) Amount() (m Money, missing string) {
	m, missing = f.Signed()
	m.Minor = max(m.Minor, -m.Minor) // no amount is the least number of 64 bits
	return m, missing
}

// Signed returns the document's amount as it is written, or what is missing.
func (f *Facts) Signed() (m Money, missing string) {
	if f.Document == nil || f.Document.Amount == nil {
		return Money{}, "amount"
	}
	m, err := ParseMoney(*f.Document.Amount)
	if err != nil {
		return Money{}, "amount (" + err.Error() + ")"
	}
	return m, ""
}
