package connect

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/countersign/countersign"
)

// fault is what is wrong with one value.
type fault struct{ reason, detail string }

func faultf(reason, format string, args ...any) *fault {
	return &fault{reason, fmt.Sprintf(format, args...)}
}

// cleanText trims a value and brings it into normal form C. White space of any
// kind within becomes a space; a character that cannot be seen is a fault, because
// what is shown must be what is stored.
func cleanText(s string, most int) (string, *fault) {
	if isPlainASCII(s) {
		s = strings.Trim(s, " ")
	} else {
		s = strings.TrimSpace(norm.NFC.String(strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return ' '
			}
			return r
		}, s)))
		for _, r := range s {
			if unicode.IsControl(r) || countersign.Invisible(r) {
				return "", faultf(ReasonCharacter, "has the character U+%04X, which cannot be seen", r)
			}
		}
	}
	if len(s) > most {
		return "", faultf(ReasonTooLong, "%d bytes, at most %d", len(s), most)
	}
	return s, nil
}

func isPlainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// VendorIDFromName derives a vendor id from a name for files that have none:
// "name:" and the name without case, punctuation and compatibility variants, so
// that "ACME  Ltd." and "Acme Ltd" are one vendor. It is "" where nothing can be
// derived: no letters or digits, or a name that says it is redacted, which would
// make one vendor of many.
func VendorIDFromName(name string) string {
	if redacted(name) {
		return ""
	}
	var b strings.Builder
	b.WriteString("name:")
	gap := false
	for _, r := range cases.Fold().String(norm.NFKC.String(name)) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if gap && b.Len() > len("name:") {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		case r == '\'' || r == '’' || r == '.': // O'Neill, S.A.: no gap
		default:
			gap = true
		}
	}
	id := norm.NFC.String(b.String())
	switch {
	case id == "name:":
		return ""
	case len(id) > maxID: // keep the beginning for the eye, tell the rest apart
		sum := digest(id)
		id = strings.ToValidUTF8(id[:maxID-40], "") + "~" + hex.EncodeToString(sum[:16])
	}
	return id
}

// spaces are the characters that group thousands as a space does.
const spaces = " \u00A0\u2009\u202F"

// parseAmount reads a number in the notation of the options. Decimals beyond the
// currency's are accepted only where they are zeros, so that nothing is rounded,
// and not where they look like a group of thousands.
func parseAmount(text, currency string, o Options) (string, *fault) {
	exp, ok := countersign.Exponent(currency)
	if !ok {
		return "", faultf(ReasonCurrency, "%q is not an ISO 4217 currency: want three letters, as EUR", clip(currency))
	}
	digits, negative := cutSign(text)
	digits, f := cutCurrency(digits, currency)
	if f != nil {
		return "", f
	}
	if !negative { // "€ -5.00" as well as "-€5.00"
		digits, negative = cutSign(digits)
	}
	point := "."
	if o.DecimalComma {
		point = ","
	}
	whole, frac, found := strings.Cut(digits, point)
	whole, ok = ungroup(whole, o.Thousands)
	if !ok || !onlyDigits(whole) || (found && !onlyDigits(frac)) {
		return "", faultf(ReasonAmount, "not a number: want digits%s and %q before the decimals", groupingHint(o.Thousands), point)
	}
	if surplus := len(frac) - exp; surplus > 0 {
		if strings.Trim(frac[exp:], "0") != "" {
			return "", faultf(ReasonPrecision, "%s has %s, this has %d: it is not rounded", currency, count(exp, "decimal"), len(frac))
		}
		if len(frac) == 3 && o.Thousands == "" { // 1.500 may be 1.50 or 1,500
			return "", faultf(ReasonAmount, "%q can be read in two ways: say how thousands are grouped", clip(text))
		}
		frac = frac[:exp]
	}
	frac += strings.Repeat("0", exp-len(frac))
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	value := whole
	if exp > 0 {
		value += "." + frac
	}
	if negative && strings.Trim(value, "0.") != "" {
		value = "-" + value
	}
	if _, err := countersign.ParseMinor(value, currency); err != nil {
		if errors.Is(err, countersign.ErrAmountOverflow) {
			return "", faultf(ReasonOverflow, "the amount is too large")
		}
		return "", faultf(ReasonAmount, "%v", err)
	}
	return value, nil
}

func groupingHint(thousands string) string {
	if thousands == "" {
		return " without grouping (say so if thousands are grouped)"
	}
	return fmt.Sprintf(" in groups of three with %q", thousands)
}

// cutSign takes one sign off: -5, 5-, (5), 5 CR; with DR and + for debits.
func cutSign(s string) (rest string, negative bool) {
	s = trimSpaces(s)
	if inner, ok := strings.CutPrefix(s, "("); ok {
		if inner, ok = strings.CutSuffix(inner, ")"); ok {
			return trimSpaces(inner), true
		}
		return s, false
	}
	for _, mark := range []string{"-", "\u2212", "CR", "Cr", "cr"} {
		if rest, ok := strings.CutPrefix(s, mark); ok && len(mark) != 2 {
			return trimSpaces(rest), true
		}
		if rest, ok := strings.CutSuffix(s, mark); ok {
			return trimSpaces(rest), true
		}
	}
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		return trimSpaces(rest), false
	}
	for _, mark := range []string{"DR", "Dr", "dr"} {
		if rest, ok := strings.CutSuffix(s, mark); ok {
			return trimSpaces(rest), false
		}
	}
	return s, false
}

func trimSpaces(s string) string { return strings.Trim(s, spaces) }

// currencySigns says which currencies a sign can stand for.
var currencySigns = []struct {
	sign       string
	currencies string
}{
	{"€", "EUR"},
	{"£", "GBP GIP FKP SHP EGP LBP SYP SSP SDG"},
	{"$", "USD CAD AUD NZD SGD HKD TWD MXN BRL ARS CLP COP"},
	{"¥", "JPY CNY"},
}

// cutCurrency takes the currency's sign or code off, before or after the number,
// and refuses one that contradicts the row's currency.
func cutCurrency(s, currency string) (string, *fault) {
	for _, c := range currencySigns {
		rest, before := strings.CutPrefix(s, c.sign)
		if !before {
			var after bool
			if rest, after = strings.CutSuffix(s, c.sign); !after {
				continue
			}
		}
		if !slices.Contains(strings.Fields(c.currencies), currency) {
			return "", faultf(ReasonCurrency, "the sign %s contradicts the currency %s", c.sign, currency)
		}
		return trimSpaces(rest), nil
	}
	if rest, ok := strings.CutPrefix(s, currency); ok {
		return trimSpaces(rest), nil
	}
	if rest, ok := strings.CutSuffix(s, currency); ok {
		return trimSpaces(rest), nil
	}
	return s, nil
}

// ungroup takes the thousands' separators out, and insists that they stand where
// they belong: 1,50 must not become 150.
func ungroup(whole, separator string) (string, bool) {
	var isSeparator func(r rune) bool
	switch separator {
	case "":
		return whole, true
	case " ":
		isSeparator = func(r rune) bool { return strings.ContainsRune(spaces, r) }
	case "'":
		isSeparator = func(r rune) bool { return r == '\'' || r == '’' }
	default:
		isSeparator = func(r rune) bool { return string(r) == separator }
	}
	if !strings.ContainsFunc(whole, isSeparator) {
		return whole, true
	}
	// As many separators as groups: FieldsFunc alone would swallow doubled ones.
	groups := strings.FieldsFunc(whole, isSeparator)
	separators := 0
	for _, r := range whole {
		if isSeparator(r) {
			separators++
		}
	}
	if len(groups) != separators+1 || len(groups[0]) > 3 {
		return "", false
	}
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Layouts without a mapping: all of them have one reading only. A date such as
// 03/04/2026 has two, so that its layout must be said.
var (
	dayLayouts  = []string{time.DateOnly, "02.01.2006", "2.1.2006", "20060102", "02-Jan-2006", "2 Jan 2006", "2 January 2006"}
	timeLayouts = []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "02.01.2006 15:04:05", "02.01.2006 15:04"}
)

func layoutsFor(mapped string, o Options) []string {
	switch {
	case mapped != "":
		return []string{goLayout(mapped)}
	case len(o.DateLayouts) > 0:
		layouts := make([]string, len(o.DateLayouts))
		for i, l := range o.DateLayouts {
			layouts[i] = goLayout(l)
		}
		return layouts
	}
	return slices.Concat(dayLayouts, timeLayouts)
}

// goLayout translates a layout in letters (DD.MM.YYYY hh:mm) into Go's; a layout
// that has Go's year already stays as it is.
func goLayout(l string) string {
	if strings.Contains(l, "06") {
		return l
	}
	return strings.NewReplacer("YYYY", "2006", "YY", "06", "MMM", "Jan", "MM", "01", "DD", "02", "D", "2", "hh", "15", "HH", "15", "mm", "04", "ss", "05", "M", "1").Replace(l)
}

// parseTime reads a date or a time in the first layout that fits. Times without a
// zone are UTC. Years outside 1950 to 2100 are typing errors.
func parseTime(text string, layouts []string) (time.Time, *fault) {
	for _, layout := range layouts {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Year() < 1950 || t.Year() > 2100 {
			return time.Time{}, faultf(ReasonDate, "the year %d cannot be", t.Year())
		}
		return t, nil
	}
	want := "a day as 2026-11-24, or say the layout in the mapping, as date=Header@DD/MM/YYYY"
	if len(layouts) == 1 {
		want = fmt.Sprintf("the layout %q", layouts[0])
	}
	return time.Time{}, faultf(ReasonDate, "not a date: want %s", want)
}

// parseAccount normalises an account. Without a scheme, what has the form of an
// IBAN is one, and then its check digits must fit.
func parseAccount(value, scheme string) (*countersign.Account, *fault) {
	value = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, value)
	scheme = strings.ToLower(scheme)
	if upper := strings.ToUpper(value); scheme == "iban" || scheme == "" && looksLikeIBAN(upper) {
		scheme, value = "iban", upper
		if err := countersign.CheckIBAN(value); err != nil {
			return nil, faultf(ReasonAccount, "%v", err)
		}
	}
	if scheme == "" {
		scheme = "bban"
	}
	if len(scheme) > 40 || len(value) > 100 {
		return nil, faultf(ReasonTooLong, "an account has at most 100 characters, its scheme 40")
	}
	return &countersign.Account{Scheme: scheme, Value: value}, nil
}

func looksLikeIBAN(s string) bool {
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	return isUpper(s[0]) && isUpper(s[1]) && isDigit(s[2]) && isDigit(s[3])
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
