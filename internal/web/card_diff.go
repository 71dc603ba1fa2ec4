package web

import "strings"

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

// mostEdits bounds the work of a comparison. Two texts that differ in more lines are
// shown as one taken away and the other added: as true, only coarser.
const mostEdits = 600

// diffLines compares two texts line by line. Its result always gives both texts back.
func diffLines(was, now string) []diffEdit {
	a, b := strings.Split(was, "\n"), strings.Split(now, "\n")
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	out := make([]diffEdit, 0, len(a)+len(b))
	for _, l := range a[:head] {
		out = append(out, diffEdit{' ', l})
	}
	out = append(out, diffMiddle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, l := range a[len(a)-tail:] {
		out = append(out, diffEdit{' ', l})
	}
	return out
}

// diffMiddle finds a shortest list of edits by the greedy method: for each number of edits,
// the furthest point on every diagonal (Myers, An O(ND) Difference Algorithm, 1986).
func diffMiddle(a, b []string) []diffEdit {
	most := min(len(a)+len(b), mostEdits)
	furthest := make([]int, 2*most+3)
	var trail [][]int
	for d := 0; d <= most; d++ {
		trail = append(trail, append([]int(nil), furthest[most+1-d:most+2+d]...))
		for k := -d; k <= d; k += 2 {
			x := diffStep(furthest, most+1+k, k == -d, k == d)
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			furthest[most+1+k] = x
			if x >= len(a) && x-k >= len(b) {
				return diffWalkBack(trail, a, b)
			}
		}
	}
	return diffReplaced(a, b)
}

// diffStep returns where a diagonal begins: to the right of the one below, or beneath the
// one above, whichever reaches further.
func diffStep(furthest []int, at int, lowest, highest bool) int {
	if lowest || (!highest && furthest[at-1] < furthest[at+1]) {
		return furthest[at+1]
	}
	return furthest[at-1] + 1
}

func diffWalkBack(trail [][]int, a, b []string) []diffEdit {
	var back []diffEdit
	x, y := len(a), len(b)
	for d := len(trail) - 1; d >= 0; d-- {
		k := x - y
		prevX, prevY := 0, 0
		if d > 0 {
			// Of the state before d edits, the diagonals from -d to d were kept.
			v := trail[d]
			prevK := k - 1
			if k == -d || (k != d && v[k-1+d] < v[k+1+d]) {
				prevK = k + 1
			}
			prevX = v[prevK+d]
			prevY = prevX - prevK
		}
		for x > prevX && y > prevY {
			x, y = x-1, y-1
			back = append(back, diffEdit{' ', a[x]})
		}
		switch {
		case d == 0:
		case x == prevX:
			y--
			back = append(back, diffEdit{'+', b[y]})
		default:
			x--
			back = append(back, diffEdit{'-', a[x]})
		}
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
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
