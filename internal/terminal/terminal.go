// Package terminal writes what people read on a terminal: lines that fit, amounts, times,
// and nothing that moves the cursor.
package terminal

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign"
)

// Wrap breaks a text at spaces so that no line is longer than width, but for words
// that are.
func Wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}

	return append(lines, line)
}

// Pad fills a label up to a width, and leaves a space behind one that is longer.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(s)))
}

// Money groups the digits of an amount by thousands: EUR 30,000.00.
func Money(a countersign.Amount) string {
	whole, cents, dotted := strings.Cut(a.Value, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + cents
	}

	return a.Currency + " " + whole
}

// Minute writes a time of the wire to the minute, in UTC.
func Minute(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return s
	}

	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Printable replaces what could move a cursor or hide text: control characters and
// those that reorder what is shown.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e,
			r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return '\uFFFD'
		}
		return r
	}, s)
}
