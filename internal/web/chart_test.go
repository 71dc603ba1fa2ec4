package web

import (
	"crypto/sha256"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

var updateCharts = flag.Bool("update-charts", false, "write the drawings of the chart tests")

// TestChartsAreDrawnTheSame holds each drawing to the one that was looked at, and each
// to what all must have: a sentence, classes instead of colours, a title for every
// mark, and the same numbers as a table.
func TestChartsAreDrawnTheSame(t *testing.T) {
	marks := []Mark{{Name: "0–1 000", Value: 12, Text: "12"}, {Name: "1 000–5 000", Value: 1, Text: "1", Class: "warn"}, {Name: `<5 000 & "more">`, Value: 0, Text: "0"}, {Name: "50 000+", Value: 340, Text: "340"}}
	path := merklePath{Label: "The way", Leaf: "Entry 5", Root: "root", Head: []string{"Step", "Side", "Hash"}, Left: "left", Right: "right"}
	for i, left := range []bool{true, false, true} {
		path.Siblings = append(path.Siblings, sibling{tlog.Hash(sha256.Sum256([]byte{byte(i)})), left})
	}
	for name, c := range map[string]Chart{
		"histogram": Histogram("Most are small.", []string{"Amount", "How many"}, marks, Line{At: 3, Text: "threshold"}),
		"trend": Trend("It rises.", []string{"Day", "Asked", "Allowed"}, []Series{{Name: "Asked", Marks: marks[:3]},
			{Name: "Allowed", Class: "quiet", Marks: []Mark{{Name: "a", Value: 3, Text: "3"}, {Name: "b", Value: math.NaN(), Text: "–"}, {Name: "c", Value: 7, Text: "7"}}}}, Line{At: 1, Text: "v14"}),
		"bars":  Bars("One rule asks most.", []string{"Rule", "Fired"}, append(marks, Mark{Name: strings.Repeat("a long name ", 6), Value: 3, Text: "3"})),
		"path":  Path(path),
		"empty": Histogram("Nothing yet.", nil, nil),
	} {
		svg := string(c.SVG)
		file := filepath.Join("testdata", "chart", name+".svg")
		if *updateCharts {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(svg+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if svg+"\n" != string(want) {
			t.Errorf("%s is drawn differently:\n%s", name, svg)
		}
		if !strings.Contains(svg, `role="img" aria-label="`) || regexp.MustCompile(`style=|fill=|stroke=|#[0-9a-f]{3}`).MatchString(svg) {
			t.Errorf("%s: no sentence, or a colour", name)
		}
		if n := strings.Count(svg, "<rect") + strings.Count(svg, "<circle"); strings.Count(svg, "<title>") < n {
			t.Errorf("%s: a mark without a title", name)
		}
		if strings.Contains(svg, "<5") || strings.Contains(svg, "NaN") {
			t.Errorf("%s: not escaped, or not a number", name)
		}
	}
}

// TestSidesOfAPath: on each side that this says a hash stands, hashing leads to the
// root, for every entry of every small tree.
func TestSidesOfAPath(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = stored[x]
		}
		return out, nil
	})
	for size := int64(1); size <= 40; size++ {
		fresh, err := tlog.StoredHashes(size-1, []byte{byte(size)}, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, fresh...)
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		for index := range size {
			proof, err := tlog.ProveRecord(size, index, reader)
			if err != nil {
				t.Fatal(err)
			}
			h := tlog.RecordHash([]byte{byte(index + 1)})
			for _, s := range siblingsOf(size, index, proof) {
				if s.Left {
					h = tlog.NodeHash(s.Hash, h)
				} else {
					h = tlog.NodeHash(h, s.Hash)
				}
			}
			if h != root {
				t.Errorf("entry %d of %d: the sides do not lead to the root", index, size)
			}
		}
	}
}

// TestWordsOfTheScript: the script says nothing that is not in the catalogue, and the
// catalogue holds nothing that it never says.
func TestWordsOfTheScript(t *testing.T) {
	tx, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("static/verify.js")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{"no_witness": true} // by the page itself
	for _, say := range []string{`\bsay\('([a-z_]+)'[,)]`, `\bstop\('[a-z]+', (?:[^;']*\? )?'([a-z_]+)'`, `(?s)\bmust\([^;]*?, '([a-z_]+)'(?:, \{[^}]*\}|, vars)?\);`, `'(stated_[a-z]+)'`, `'(signed_[a-z]+)'`, `parse\([^;]*, '([a-z]+)'\)`} {
		for _, m := range regexp.MustCompile(say).FindAllStringSubmatch(string(script), -1) {
			if said[m[1]] = true; !tx.has("audit.check." + m[1]) {
				t.Errorf("no text for %q", m[1])
			}
		}
	}
	for key := range tx.texts {
		name, ok := strings.CutPrefix(key, "audit.check.")
		if ok && !said[name] && !strings.HasPrefix(name, "verdict_") && !strings.HasPrefix(name, "act_") {
			t.Errorf("the script never says %q", name)
		}
	}
}
