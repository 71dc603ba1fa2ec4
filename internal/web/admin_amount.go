package web

import (
	"errors"
	"strings"

	"github.com/countersign/countersign"
)

// errAmount says that what was typed is no amount.
var errAmount = errors.New("no amount")

// readAmount reads an amount as a person types it, in their own way of writing numbers:
// "30 000,00 EUR", "EUR 30000". It comes back as documents write it, "30000.00 EUR";
// nothing is nothing. Whatever could be read in two ways is refused: between groups must
// stand the person's own separator or a space, and a group has three digits.
func (f Format) readAmount(typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return "", nil
	}
	currency, number := "", ""
	switch from, to := 0, len(typed); {
	case to > 3 && letters(typed[:3]):
		currency, number = typed[:3], typed[3:]
	case to > 3 && letters(typed[to-3:]):
		currency, number = typed[to-3:], typed[from:to-3]
	default:
		return "", errAmount
	}
	currency = strings.ToUpper(currency)
	digits, known := countersign.Exponent(currency)
	if !known {
		return "", errAmount
	}
	whole, fraction, err := f.readNumber(strings.Trim(number, " \t"+hardSpace+thinSpace))
	if err != nil || len(fraction) > digits {
		return "", errAmount
	}
	value := whole
	if digits > 0 {
		value += "." + fraction + strings.Repeat("0", digits-len(fraction))
	}
	if _, err := countersign.ParseMinor(value, currency); err != nil {
		return "", errAmount
	}
	return value + " " + currency, nil
}

func letters(s string) bool {
	for _, c := range []byte(s) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// readNumber takes the groups of a number apart.
func (f Format) readNumber(s string) (whole, fraction string, err error) {
	group, point := f.separators()
	head, fraction, has := strings.Cut(s, point)
	if has && (fraction == "" || !plainDigits(fraction)) {
		return "", "", errAmount
	}
	for _, sep := range []string{group, "\u2019", thinSpace, hardSpace, "'", " "} {
		if sep == point || !strings.Contains(head, sep) {
			continue
		}
		parts := strings.Split(head, sep)
		for i, p := range parts {
			if i > 0 && len(p) != 3 || i == 0 && len(p) > 3 {
				return "", "", errAmount
			}
		}
		head = strings.Join(parts, "")
		break
	}
	if !plainDigits(head) {
		return "", "", errAmount
	}
	if head = strings.TrimLeft(head, "0"); head == "" {
		head = "0"
	}
	return head, fraction, nil
}

func plainDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
