package web

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func script(edits []diffEdit) string {
	var b strings.Builder
	for _, e := range edits {
		fmt.Fprintf(&b, "%c%s ", e.sign, e.text)
	}
	return strings.TrimSuffix(b.String(), " ")
}

func TestDiffLines(t *testing.T) {
	for _, c := range []struct{ was, now, want string }{
		{"a", "a", " a"}, {"a", "b", "-a +b"}, {"a\nb\nc", "a\nc", " a -b  c"}, {"a\nc", "a\nb\nc", " a +b  c"}, {"", "a", "- +a"},
	} {
		if got := script(diffLines(strings.ReplaceAll(c.was, "/", "\n"), c.now)); got != c.want {
			t.Errorf("%q to %q: %q, want %q", c.was, c.now, got, c.want)
		}
	}
}

// bothTexts gives back what a comparison was made of.
func bothTexts(edits []diffEdit) (was, now string) {
	var a, b []string
	for _, e := range edits {
		if e.sign != '+' {
			a = append(a, e.text)
		}
		if e.sign != '-' {
			b = append(b, e.text)
		}
	}
	return strings.Join(a, "\n"), strings.Join(b, "\n")
}

// shortest counts the edits that no comparison can do without, by the table of longest
// common subsequences.
func shortest(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return len(a) + len(b) - 2*row[len(b)]
}

// TestDiffGivesBothTextsBack, and is as short as can be, for random texts.
func TestDiffGivesBothTextsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var lines []string
		for range 1 + r.IntN(30) {
			lines = append(lines, string(rune('a'+r.IntN(4))))
		}
		return strings.Join(lines, "\n")
	}
	for range 2000 {
		was, now := text(), text()
		edits := diffLines(was, now)
		if a, b := bothTexts(edits); a != was || b != now {
			t.Fatalf("%q to %q: %q", was, now, script(edits))
		}
		n := 0
		for _, e := range edits {
			if e.sign != ' ' {
				n++
			}
		}
		if least := shortest(strings.Split(was, "\n"), strings.Split(now, "\n")); n != least {
			t.Fatalf("%q to %q: %d edits, %d are enough", was, now, n, least)
		}
	}
}

// TestDiffOfLargeTextsIsBounded: two texts of the largest size with nothing in common
// are compared coarsely and truly: exactly, it would not end while somebody waits.
func TestDiffOfLargeTextsIsBounded(t *testing.T) {
	was, now := strings.Repeat("a\n", 131072), strings.Repeat("b\n", 131072)
	edits := diffLines(was, now)
	if a, b := bothTexts(edits); a != was || b != now {
		t.Error("not the same texts")
	}
}
