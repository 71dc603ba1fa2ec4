package web

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Format is how one person reads numbers and times. The zero value is the
// organisation's own: UTC, thin spaces and a point, days as 24 Nov 2026.
type Format struct {
	Zone    *time.Location // nil: UTC
	Numbers string         // one of the Numbers constants; "" is NumbersSpacePoint
	Dates   string         // one of the Dates constants; "" is DatesDayMonth
}

// How numbers are written: what stands between groups of three digits, and before the
// decimals.
const (
	NumbersSpacePoint      = "space-point"      // 12 345.60
	NumbersSpaceComma      = "space-comma"      // 12 345,60
	NumbersCommaPoint      = "comma-point"      // 12,345.60
	NumbersPointComma      = "point-comma"      // 12.345,60
	NumbersApostrophePoint = "apostrophe-point" // 12’345.60
)

// How days are written.
const (
	DatesDayMonth = "day-month" // 24 Nov 2026
	DatesMonthDay = "month-day" // Nov 24, 2026
	DatesISO      = "iso"       // 2026-11-24
)

const (
	thinSpace = "\u202f" // narrow and without a break: an amount never wraps
	hardSpace = "\u00a0"
	minusSign = "\u2212" // as wide as a plus, and no place to break a line
)

// numberForms gives each way of writing numbers its group and its decimal separator.
var numberForms = map[string][2]string{
	NumbersSpacePoint:      {thinSpace, "."},
	NumbersSpaceComma:      {thinSpace, ","},
	NumbersCommaPoint:      {",", "."},
	NumbersPointComma:      {".", ","},
	NumbersApostrophePoint: {"’", "."},
}

// ValidNumbers reports whether s names a way of writing numbers.
func ValidNumbers(s string) bool { _, ok := numberForms[s]; return ok || s == "" }

// ValidDates reports whether s names a way of writing days.
func ValidDates(s string) bool {
	return s == "" || s == DatesDayMonth || s == DatesMonthDay || s == DatesISO
}

func (f Format) separators() (group, point string) {
	s, ok := numberForms[f.Numbers]
	if !ok {
		s = numberForms[NumbersSpacePoint]
	}
	return s[0], s[1]
}

// Decimal writes a plain decimal number, as it stands in a document, with its digits
// in groups of three. Every digit stays; what is no decimal number stays as it is.
func (f Format) Decimal(s string) string {
	if !countersign.IsDecimal(s) {
		return s
	}
	group, point := f.separators()
	digits, negative := strings.CutPrefix(s, "-")
	whole, frac, has := strings.Cut(digits, ".")
	var b strings.Builder
	if negative {
		b.WriteString(minusSign)
	}
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteByte(whole[i])
	}
	if has {
		b.WriteString(point + frac)
	}
	return b.String()
}

// Count writes a whole number.
func (f Format) Count(n int64) string { return f.Decimal(strconv.FormatInt(n, 10)) }

// Money writes an amount with its currency, which nothing separates: the currency's
// code first, since signs like $ and kr belong to several.
func (f Format) Money(a countersign.Amount) string {
	return a.Currency + hardSpace + f.Decimal(a.Value)
}

// Minor writes minor units of a currency (cents for EUR, yen for JPY) as money.
func (f Format) Minor(minor int64, currency string) string {
	return f.Money(countersign.Amount{Value: countersign.FormatMinor(minor, currency), Currency: currency})
}

// Percent writes part of whole as a percentage with 0 to 4 decimals, rounded towards
// zero: 99.96 % with one decimal is 99.9 %, so that "all" is said only of all. A part
// of nothing is a dash.
func (f Format) Percent(part, whole int64, decimals int) string {
	if whole <= 0 {
		return "–"
	}
	decimals = min(max(decimals, 0), 4)
	n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(2+decimals)), nil)
	n.Quo(n.Mul(n, big.NewInt(part)), big.NewInt(whole))
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	digits := n.Abs(n).String()
	if pad := decimals + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	s := sign + digits[:len(digits)-decimals]
	if decimals > 0 {
		s += "." + digits[len(digits)-decimals:]
	}
	return f.Decimal(s) + hardSpace + "%"
}

// Bytes writes a size in the largest unit of 1000 bytes that fits, with at most three
// digits and rounded up: a file is never said to be smaller than it is.
func (f Format) Bytes(tx *Texts, n int64) string {
	units := [...]string{"bytes", "kb", "mb", "gb", "tb", "pb"}
	if n < 0 {
		n = 0
	}
	size, unit := n, 0
	for size >= 1000 && unit < len(units)-1 {
		size = size/1000 + min(size%1000, 1)
		unit++
	}
	if unit > 0 && size < 10 { // one decimal where there is but one digit
		div := int64(100)
		for range unit - 1 {
			div *= 1000
		}
		tenths := n/div + min(n%div, 1)
		if tenths < 100 {
			return f.Decimal(strconv.FormatInt(tenths/10, 10)+"."+strconv.FormatInt(tenths%10, 10)) + hardSpace + tx.T("format."+units[unit])
		}
	}
	return f.Count(size) + hardSpace + tx.T("format."+units[unit])
}
