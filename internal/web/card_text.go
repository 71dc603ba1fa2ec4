package web

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign"
)

// Part is a piece of a value's text.
type Part struct {
	Text    string
	Changed bool // differs from what the value was
	Escape  bool // names a character that cannot be seen, as U+202E
	Gap     bool // a space stands before it that is not in the value: between groups
}

// glyph is one character of a value as it is shown.
type glyph struct {
	text   string
	escape bool
}

// glyphs cuts a value into what is shown for each character. A character that changes
// how text reads without being seen is shown by its number instead (CVE-2021-42574),
// so that two values which look the same are the same. An identifier is held to more:
// it has no use for joiners and odd spaces, and an account's letters are plain ones.
func glyphs(s string, kind valueKind) []glyph {
	out := make([]glyph, 0, len(s))
	before := rune(0)
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n <= 1 {
				out = append(out, glyph{fmt.Sprintf("0x%02X", s[i]), true})
				before = r
				continue
			}
		}
		if unseen(r, before, kind) {
			out = append(out, glyph{fmt.Sprintf("U+%04X", r), true})
		} else {
			out = append(out, glyph{string(r), false})
		}
		before = r
	}
	return out
}

const (
	zeroWidthNonJoiner, zeroWidthJoiner = 0x200C, 0x200D
	emojiSelector                       = 0xFE0F
)

// unseen reports whether a character must be shown by its number where it stands.
func unseen(r, before rune, kind valueKind) bool {
	switch {
	case r == ' ':
		return kind == kindAccount || kind == kindDigest
	case r == '\n' || r == '\t':
		return kind != kindText
	case r < 0x7F:
		return r < 0x20
	case kind == kindAccount || kind == kindDigest:
		return true
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner || r == emojiSelector:
		// Some scripts and some emoji need them; after a plain letter they only hide.
		return kind == kindID || before < 0x80
	case !unicode.IsGraphic(r) || countersign.Invisible(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r):
		return true
	case unicode.Is(unicode.Zs, r): // spaces of other widths
		return kind == kindID
	case unicode.Is(unicode.M, r): // a mark with nothing to stand on
		return before == 0 || unicode.IsSpace(before)
	}
	return r == 0x2800 // the empty braille pattern: a letter without ink
}

// plainParts makes the parts of a value in which nothing is marked.
func plainParts(s string, kind valueKind) []Part { return markedParts(s, s, kind) }

// markedParts makes the parts of a value, with whatever is not as it was marked: all that
// stands between the longest common beginning and end. One changed digit of an account
// is one marked digit.
func markedParts(s, was string, kind valueKind) []Part {
	now := glyphs(s, kind)
	from, to := len(now), len(now)
	if s != was {
		if from, to = glyphDifference(now, glyphs(was, kind)); kind == kindLine {
			from, to = wholeWords(now, from, to)
		}
	}
	if kind.inGroups() {
		return groupedParts(now, from, to)
	}
	var out []Part
	var run strings.Builder // of what is all marked, or all not
	put := func(changed bool) {
		if run.Len() > 0 {
			out = append(out, Part{Text: run.String(), Changed: changed})
			run.Reset()
		}
	}
	for i, g := range now {
		changed := i >= from && i < to
		if i == from || i == to || g.escape {
			put(i > from && i <= to)
		}
		if g.escape {
			out = append(out, Part{Text: g.text, Changed: changed, Escape: true})
			continue
		}
		run.WriteString(g.text)
	}
	put(len(now) > from && len(now) <= to)
	return out
}

// glyphDifference returns where a differs from b: from the end of the common beginning to
// the start of the common end, and never between a letter and its accents. Where a only
// lost something there is nothing to mark but the neighbours of the gap.
func glyphDifference(a, b []glyph) (from, to int) {
	most := min(len(a), len(b))
	for from < most && a[from] == b[from] {
		from++
	}
	end := 0
	for end < most-from && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	to = len(a) - end
	for from > 0 && from < len(a) && isMark(a[from]) {
		from--
	}
	for to < len(a) && isMark(a[to]) {
		to++
	}
	if from == to {
		from, to = max(from-1, 0), min(to+1, len(a))
	}
	return from, to
}

// wholeWords widens what differs to whole words: "true" was not "false" but for an e.
func wholeWords(a []glyph, from, to int) (int, int) {
	for from > 0 && from < len(a) && inWord(a[from]) && inWord(a[from-1]) {
		from--
	}
	for to > 0 && to < len(a) && inWord(a[to-1]) && inWord(a[to]) {
		to++
	}
	return from, to
}

func inWord(g glyph) bool {
	r, _ := utf8.DecodeRuneInString(g.text)
	return !g.escape && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r))
}

func isMark(g glyph) bool {
	r, _ := utf8.DecodeRuneInString(g.text)
	return !g.escape && unicode.Is(unicode.M, r)
}

const groupSize = 4

// groupedParts makes parts of four characters each, as accounts are read aloud. The gaps
// are no part of the value: a grouped value has no space of its own.
func groupedParts(now []glyph, from, to int) []Part {
	var out []Part
	start := groupsFrom(now)
	for i, g := range now {
		changed, gap := i >= from && i < to, i > 0 && i >= start && (i-start)%groupSize == 0
		if last := len(out) - 1; last >= 0 && !gap && !g.escape && !out[last].Escape && out[last].Changed == changed {
			out[last].Text += g.text
			continue
		}
		out = append(out, Part{Text: g.text, Changed: changed, Escape: g.escape, Gap: gap})
	}
	return out
}

// groupsFrom returns where the groups begin: after the name of a digest's algorithm.
func groupsFrom(now []glyph) int {
	const name = "sha-256:"
	if len(now) < len(name) {
		return 0
	}
	for i := range len(name) {
		if now[i].text != name[i:i+1] {
			return 0
		}
	}
	return len(name)
}

// partsText is the text of parts without marks, for mail and the command line.
func partsText(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Gap {
			b.WriteByte(' ')
		}
		if p.Escape {
			b.WriteString("<" + p.Text + ">")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

const (
	foldAt   = 500 // characters of a text that stands whole
	foldShow = 280 // characters that a folded text shows
)

// foldParts cuts the parts of a long text in two, at a space where there is one: what stands
// and what opens. Together they are the whole text.
func foldParts(parts []Part) (head, rest []Part) {
	if countRunes(parts) <= foldAt {
		return parts, nil
	}
	room := foldShow
	for i, p := range parts {
		size := countRunes(parts[i : i+1])
		if size <= room {
			room -= size
			continue
		}
		head = append(head, parts[:i]...)
		if at := cutAt(p.Text, room); at > 0 && !p.Escape { // a character's number is not cut
			first := p
			first.Text, p.Text = p.Text[:at], p.Text[at:]
			head = append(head, first)
		}
		return head, append([]Part{p}, parts[i+1:]...)
	}
	return parts, nil
}

func countRunes(parts []Part) int {
	n := 0
	for _, p := range parts {
		n += utf8.RuneCountInString(p.Text)
	}
	return n
}

// cutAt returns where to cut a text that has more than n characters: after the last
// space before the nth, if there is one near, and never before an accent.
func cutAt(s string, n int) int {
	at, space, i := 0, 0, 0
	for pos, r := range s {
		if i >= n {
			break
		}
		if !unicode.Is(unicode.M, r) && r != zeroWidthJoiner {
			at = pos
		}
		if r == ' ' && n-i < 60 {
			space = pos + 1
		}
		i++
	}
	if space > 0 {
		return space
	}
	return at
}
