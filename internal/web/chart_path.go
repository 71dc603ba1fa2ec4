package web

import (
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// merklePath is the way from one leaf to the root of a tree, as [Path] draws it.
type merklePath struct {
	Label    string // one sentence
	Leaf     string // what stands in the leaf
	Root     string // what stands before the root's hash
	Siblings []sibling
	Head     []string // of the table: the step, the side, the hash
	Left     string   // words for the sides
	Right    string
}

// sibling is a hash that the server gives, on its side of the way.
type sibling struct {
	Hash tlog.Hash
	Left bool // stands to the left of the hash on the way
}

// siblingsOf says on which side of the way each hash of a path stands (RFC 6962
// §2.1.1), for the entry at index of size.
func siblingsOf(size, index int64, path []tlog.Hash) []sibling {
	all := make([]sibling, 0, len(path))
	at, last := index, size-1
	for _, h := range path {
		for at&1 == 0 && at == last && last > 0 { // alone on its level: it rises as it is
			at, last = at>>1, last>>1
		}
		all = append(all, sibling{h, at&1 == 1})
		at, last = at>>1, last>>1
	}
	return all
}

// Path draws the way from a leaf to the root: the hashes on the way are empty, for
// whoever computes them to fill (data-node, counted from the leaf), those beside it
// are as they were given.
func Path(p merklePath) Chart {
	const width, row, box, high = 430, 52, 118, 30
	const middle, aside, lean = width / 2, 150, 22
	height := len(p.Siblings)*row + high + 4
	var d drawing
	d.open(width, height, "merkle", p.Label)
	y := func(node int) float64 { return float64(height - high - 2 - node*row) }
	x := func(node int) float64 { // the way leans to the side where it stands
		switch {
		case node == len(p.Siblings):
			return middle
		case p.Siblings[node].Left:
			return middle + lean
		}
		return middle - lean
	}
	rows := make([][]string, len(p.Siblings))
	for i, s := range p.Siblings {
		sx, side := float64(middle+aside), p.Right
		if s.Left {
			sx, side = middle-aside, p.Left
		}
		d.line(sx, y(i), x(i+1), y(i+1)+high, "edge")
		d.line(x(i), y(i), x(i+1), y(i+1)+high, "way")
		full := hex.EncodeToString(s.Hash[:])
		d.node(sx, y(i), box-10, high, "given", full)
		d.text(sx, y(i)+20, "hash", "middle", full[:8]+"…")
		rows[i] = []string{fmt.Sprint(i + 1), side, full}
	}
	for i := range len(p.Siblings) + 1 {
		text := ""
		switch i {
		case len(p.Siblings):
			text = p.Root
		case 0:
			text = p.Leaf
		}
		fmt.Fprintf(&d, `<g data-node="%d">`, i)
		d.node(x(i), y(i), box, high, "own", text)
		word := ""
		if i == len(p.Siblings) {
			word = p.Root + " "
		}
		fmt.Fprintf(&d, `<text class="hash" x="%s" y="%s" text-anchor="middle" data-root="%s">%s</text></g>`, at(x(i)), at(y(i)+20), esc(word), esc(text))
	}
	return Chart{Label: p.Label, SVG: d.close(), Head: p.Head, Rows: rows}
}

func (d *drawing) node(x, y, w, h float64, class, title string) {
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="6"><title>%s</title></rect>`, class, at(x-w/2), at(y), at(w), at(h), esc(title))
}
