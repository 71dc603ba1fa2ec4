package authn

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

//go:embed blocklist.txt
var blocklistText string

// Blocklist are passwords that many people use, which are tried first by whoever
// guesses (NIST SP 800-63B-4 §3.1.1.2). Source and licence: blocklist.md.
type Blocklist struct{ words map[string]bool }

// LoadBlocklist reads the list that is built in. It takes some milliseconds and a few
// megabytes; a caller keeps the result.
func LoadBlocklist() (*Blocklist, error) {
	l := &Blocklist{words: make(map[string]bool, 1<<16)}
	for word := range strings.Lines(blocklistText) {
		if word = strings.TrimSuffix(word, "\n"); word != "" {
			l.words[fold(word)] = true
		}
	}
	return l, nil
}

// Len returns how many different passwords the list holds.
func (l *Blocklist) Len() int { return len(l.words) }

// fold makes passwords equal that a guesser derives from each other at no cost.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// weakness says in words why a password is too easy to guess, or "". Most common
// passwords are shorter than what is allowed, so those that are stretched to the
// length are found too: with digits and signs around them, or repeated. Words inside
// a longer password do not matter: four of them in a row are a good password.
func (l *Blocklist) weakness(password string, context []string) string {
	p := fold(password)
	core := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case l.words[p]:
		return "this is one of the passwords that people use most"
	case core != "" && l.words[core]:
		return "this is one of the passwords that people use most, with digits or signs around it"
	case repeats(p):
		return "this repeats one short piece"
	case runs(p):
		return "this runs along the alphabet, the digits or the keyboard"
	}
	if unit := period(core); unit != core && l.words[unit] {
		return "this repeats one of the passwords that people use most"
	}
	if word := contextual(p, context); word != "" {
		return fmt.Sprintf("this is little more than %q, which is known to others", word)
	}
	return ""
}

// period returns the shortest piece that s is a repetition of: s itself in most cases.
func period(s string) string {
	if s == "" {
		return s
	}
	if i := strings.Index((s + s)[1:], s); i+1 < len(s) {
		return s[:i+1]
	}
	return s
}

// repeats reports whether all of it is a repetition, at the end perhaps cut off, of a
// piece of fewer than 8 characters.
func repeats(s string) bool {
	r := []rune(s)
	for n := 1; n < 8 && n < len(r); n++ {
		same := true
		for i := n; i < len(r) && same; i++ {
			same = r[i] == r[i-n]
		}
		if same {
			return true
		}
	}
	return false
}

// rows of the keyboards that most people type on, and the alphabet.
const rows = "01234567890 abcdefghijklmnopqrstuvwxyz qwertyuiop asdfghjkl zxcvbnm qwertzuiopü asdfghjklöä yxcvbnm azertyuiop qsdfghjklm wxcvbn"

// runs reports whether at least three of four steps follow one of the rows, in either
// direction.
func runs(s string) bool {
	r := []rune(s)
	steps := 0
	for i := 1; i < len(r); i++ {
		pair := string(r[i-1 : i+1])
		back := string([]rune{r[i], r[i-1]})
		if strings.Contains(rows, pair) || strings.Contains(rows, back) {
			steps++
		}
	}
	return 4*steps >= 3*(len(r)-1)
}

// contextual returns a word of the context without which fewer than 8 characters that
// are letters or digits remain, or "".
func contextual(p string, context []string) string {
	left, found := p, ""
	for _, phrase := range append([]string{"countersign"}, context...) {
		for _, word := range strings.FieldsFunc(fold(phrase), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if utf8.RuneCountInString(word) >= 3 && strings.Contains(left, word) {
				left, found = strings.ReplaceAll(left, word, " "), word
			}
		}
	}
	n := 0
	for _, r := range left {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	if n < 8 {
		return found
	}
	return ""
}
