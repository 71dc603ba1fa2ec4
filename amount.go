package countersign

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/jcs"
)

// Amount is money as it is written on a document: a decimal string with exactly
// the number of decimals that ISO 4217 gives the currency ("900.00" EUR, "900"
// JPY, "900.000" KWD), and the currency's alphabetic code. It is never a float.
type Amount struct {
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// Errors of [Amount.Minor] and [ParseMinor], to be told apart with errors.Is.
var (
	ErrAmountSyntax    = errors.New("not a decimal number")
	ErrAmountPrecision = errors.New("wrong number of decimals for the currency")
	ErrAmountOverflow  = errors.New("amount too large")
	ErrCurrency        = errors.New("not an ISO 4217 currency")
)

// exponents lists the active alphabetic codes of ISO 4217 whose minor unit is not
// two decimals. currencies holds all active codes that can carry an amount.
var exponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

const twoDecimals = " AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD " +
	"CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD " +
	"HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR " +
	"MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE " +
	"SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG "

// Exponent returns how many decimals ISO 4217 gives the currency, and false when
// there is no such active currency.
func Exponent(currency string) (int, bool) {
	if e, ok := exponents[currency]; ok {
		return e, true
	}
	if len(currency) == 3 && currency != "   " && strings.Contains(twoDecimals, " "+currency+" ") {
		return 2, true
	}
	return 0, false
}

// Minor returns the amount in minor units (cents for EUR, yen for JPY). The error
// is one of ErrCurrency, ErrAmountSyntax, ErrAmountPrecision, ErrAmountOverflow,
// with a sentence that says what to write instead.
func (a Amount) Minor() (int64, error) { return ParseMinor(a.Value, a.Currency) }

// ParseMinor reads a decimal string strictly: an optional minus sign, no plus, no
// exponent, no leading zeros, no grouping, and exactly the currency's decimals.
func ParseMinor(value, currency string) (int64, error) {
	exp, ok := Exponent(currency)
	if !ok {
		return 0, fmt.Errorf("currency %q: %w", jcs.Clip(currency), ErrCurrency)
	}
	if !IsDecimal(value) {
		return 0, fmt.Errorf("amount %q: %w: write digits and one point, as %s", jcs.Clip(value), ErrAmountSyntax, FormatMinor(90000, currency))
	}
	whole, frac, _ := strings.Cut(value, ".")
	if len(frac) != exp {
		want := strings.TrimSuffix(whole+"."+(frac + strings.Repeat("0", 4))[:exp], ".")
		return 0, fmt.Errorf("amount %q: %w: %s has %d, write %s", jcs.Clip(value), ErrAmountPrecision, currency, exp, jcs.Clip(want))
	}
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil || n == math.MinInt64 {
		return 0, fmt.Errorf("amount %q: %w", jcs.Clip(value), ErrAmountOverflow)
	}
	return n, nil
}

// IsDecimal reports whether s is a plain decimal number: an optional minus, digits
// without a leading zero, and optionally a point with digits. "-0", "-0.00" and
// the like are not: zero has one form.
func IsDecimal(s string) bool {
	digits, negative := strings.CutPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if whole == "" || (point && frac == "") || (len(whole) > 1 && whole[0] == '0') {
		return false
	}
	zero := true
	for _, part := range [2]string{whole, frac} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return false
			}
			zero = zero && part[i] == '0'
		}
	}
	return !(negative && zero)
}

// FormatMinor writes minor units as the currency's decimal string. An unknown
// currency is written with two decimals.
func FormatMinor(minor int64, currency string) string {
	exp, ok := Exponent(currency)
	if !ok {
		exp = 2
	}
	if exp == 0 {
		return strconv.FormatInt(minor, 10)
	}
	sign, abs := "", uint64(minor)
	if minor < 0 {
		sign, abs = "-", uint64(-minor)
	}
	digits := strconv.FormatUint(abs, 10)
	if pad := exp + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	return sign + digits[:len(digits)-exp] + "." + digits[len(digits)-exp:]
}
