package web

import (
	"strings"
	"unicode"

	"github.com/countersign/countersign"
)

// A text that somebody else wrote stands in a sentence of ours by its own direction,
// and without characters that change how the sentence reads without being seen.
const (
	isolate    = "\u2068" // first strong isolate (UAX #9, X5c)
	isolateEnd = "\u2069"
)

// named is a name, an identifier or another text of one line within a sentence.
func named(s string) string {
	s = tame(s, kindLine)
	if strings.IndexFunc(s, rightToLeft) >= 0 {
		return isolate + s + isolateEnd
	}
	return s
}

// sentence is a whole sentence or text that others wrote, perhaps of several lines.
func sentence(s string) string { return tame(s, kindText) }

// asSentence begins a reason with a capital and ends it with a full stop.
func asSentence(s string) string {
	s = sentence(upperFirst(s))
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

func asSentences(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = asSentence(s)
	}
	return out
}

func upperFirst(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

func tame(s string, kind valueKind) string {
	var b strings.Builder
	for _, g := range glyphs(s, kind) {
		if g.escape {
			b.WriteString("⟨" + g.text + "⟩")
			continue
		}
		b.WriteString(g.text)
	}
	return b.String()
}

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko)
}

// names writes people one after the other.
func names(people []countersign.Principal) string {
	all := make([]string, len(people))
	for i, p := range people {
		all[i] = named(p.Name)
	}
	return strings.Join(all, ", ")
}

// groupNames writes groups as the policy names them.
func groupNames(groups []string, or string) string {
	all := make([]string, len(groups))
	for i, g := range groups {
		all[i] = named(g)
	}
	return strings.Join(all, " "+or+" ")
}
