package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is one thing that is wrong with a policy, at its place in the text.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0: the file as a whole
	Column  int    `json:"column"` // in characters, from 1
	Text    string `json:"text"`   // the line itself
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to write instead
}

// Error writes the place, what is wrong, the line with a caret under the column,
// and the hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": " + e.Message)
	if e.Text != "" {
		lead := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, firstRunes(e.Text, e.Column-1))
		fmt.Fprintf(&b, "\n    %s\n    %s^", e.Text, lead)
	}
	if e.Hint != "" {
		b.WriteString("\n  hint: " + e.Hint)
	}
	return b.String()
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Errors is everything that is wrong with a policy, in the order of the text.
type Errors []*Error

// Error writes all of them, one after another.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, one := range e {
		parts[i] = one.Error()
	}
	return strings.Join(parts, "\n")
}

// maxErrors bounds how much is reported about one text.
const maxErrors = 100

// Nearest returns the known word that a misspelt one is closest to, or "" when
// none is close.
func Nearest(word string, known []string) string {
	best, at := "", 1+(utf8.RuneCountInString(word)+1)/3
	for _, k := range known {
		if d := Distance(strings.ToLower(word), strings.ToLower(k)); d < at {
			best, at = k, d
		}
	}
	return best
}

// Distance is the number of single-character edits (Levenshtein) between two
// short words.
func Distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func didYouMean(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(known) > 0 && len(known) <= 12 {
		return "known here: " + strings.Join(known, ", ")
	}
	return ""
}
