package web

import (
	"strings"

	"znkr.io/diff"
)

// Diff is a text of several lines beside what it was, line by line. The lines that
// stand and those added are the text; those that stand and those taken away are what it
// was.
type Diff struct {
	To, From string // where the texts stand in the document, as JSON pointers; From is "" where the old text comes from the earlier version, or there is none
	Note     string // what is compared with what, where it is not the document's own two texts
	Runs     []DiffRun
}

// DiffRun is a run of lines that stand open, or fold under a summary.
type DiffRun struct {
	Fold  string // "120 lines that did not change"; "" for lines that stand open
	Lines []DiffLine
}

// DiffLine is one line. Its sign says what its colour says.
type DiffLine struct {
	Sign  string // "+", "−" or ""
	Word  string // the sign for those who hear it
	Class string // "add", "del" or ""
	Parts []Part
}

// diffEdit is one line of a comparison: it stands in both texts, or was added, or taken away.
type diffEdit struct {
	sign byte // ' ', '+', '-'
	text string
}

// diffSigns are the signs of what a comparison finds.
var diffSigns = map[diff.Op]byte{diff.Match: ' ', diff.Insert: '+', diff.Delete: '-'}

// diffLines compares two texts line by line. Its result always gives both texts back.
func diffLines(was, now string) []diffEdit {
	edits := diff.Edits(strings.Split(was, "\n"), strings.Split(now, "\n"))

	out := make([]diffEdit, 0, len(edits))
	for _, e := range edits {
		text := e.X
		if e.Op == diff.Insert {
			text = e.Y
		}
		out = append(out, diffEdit{diffSigns[e.Op], text})
	}
	return out
}

func diffReplaced(a, b []string) []diffEdit {
	out := make([]diffEdit, 0, len(a)+len(b))
	for _, l := range a {
		out = append(out, diffEdit{'-', l})
	}
	for _, l := range b {
		out = append(out, diffEdit{'+', l})
	}
	return out
}

const (
	diffAround = 3  // lines around a change that stand open
	textHead   = 12 // lines of a text that stand open where there is nothing to compare with
	leastFold  = 5  // fewer lines are not worth folding
)

// diff makes the view of a text against what it was.
func (b *cardBuilder) diff(was, now string) []DiffRun { return b.runs(diffLines(was, now)) }

// runs folds the lines that stand far from every change.
func (b *cardBuilder) runs(edits []diffEdit) []DiffRun {
	open := make([]bool, len(edits))
	for i, e := range edits {
		if e.sign != ' ' {
			for j := max(i-diffAround, 0); j <= min(i+diffAround, len(edits)-1); j++ {
				open[j] = true
			}
		}
	}
	var out []DiffRun
	for _, r := range foldRuns(open) {
		run := DiffRun{Lines: make([]DiffLine, 0, r.to-r.from)}
		if r.folded {
			run.Fold = b.tx.N("card.diff.same", r.to-r.from, "n", b.f.Count(int64(r.to-r.from)))
		}
		for _, e := range edits[r.from:r.to] {
			run.Lines = append(run.Lines, b.diffLine(e))
		}
		out = append(out, run)
	}
	return out
}

func (b *cardBuilder) diffLine(e diffEdit) DiffLine {
	l := DiffLine{Parts: plainParts(e.text, kindText)}
	switch e.sign {
	case '+':
		l.Sign, l.Class, l.Word = "+", "add", b.tx.T("card.diff.added")
	case '-':
		l.Sign, l.Class, l.Word = minusSign, "del", b.tx.T("card.diff.removed")
	}
	return l
}

// whole makes the view of a text of many lines with nothing to compare it with.
func (b *cardBuilder) whole(text string) []DiffRun {
	lines := strings.Split(text, "\n")
	open := make([]bool, len(lines))
	for i := range min(textHead, len(lines)) {
		open[i] = true
	}
	var out []DiffRun
	for _, r := range foldRuns(open) {
		run := DiffRun{}
		if r.folded {
			run.Fold = b.tx.N("card.diff.more", r.to-r.from, "n", b.f.Count(int64(r.to-r.from)))
		}
		for _, l := range lines[r.from:r.to] {
			run.Lines = append(run.Lines, DiffLine{Parts: plainParts(l, kindText)})
		}
		out = append(out, run)
	}
	return out
}

// lineRun is a range of lines that stand open or fold together.
type lineRun struct {
	from, to int
	folded   bool
}

// foldRuns cuts lines into runs that stand open and runs that fold. A run too short to
// be worth a click stays open.
func foldRuns(open []bool) []lineRun {
	var out []lineRun
	for from := 0; from < len(open); {
		to := from
		for to < len(open) && open[to] == open[from] {
			to++
		}
		folded := !open[from] && to-from >= leastFold
		if last := len(out) - 1; last >= 0 && !folded && !out[last].folded {
			out[last].to = to
		} else {
			out = append(out, lineRun{from, to, folded})
		}
		from = to
	}
	return out
}
