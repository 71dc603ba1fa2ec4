package jcs

import (
	"slices"
	"strconv"
)

// Difference is one field in which two texts differ; the side that lacks it is empty.
type Difference struct {
	Pointer string // JSON pointer (RFC 6901)
	Stored  string
	Sent    string
}

// maxDifferences bounds the list that [Compare] returns.
const maxDifferences = 100

// Compare lists the fields in which two JSON documents differ, by JSON pointer, in
// a fixed order. A field that is only on one side has the other side empty. Nothing
// is left out of the comparison but what goes beyond the first 100 differences.
func Compare(stored, sent []byte) ([]Difference, error) {
	a, err := Parse(stored)
	if err != nil {
		return nil, err
	}
	b, err := Parse(sent)
	if err != nil {
		return nil, err
	}
	c := &comparison{}
	c.nodes("", a, b)
	return c.out, nil
}

type comparison struct{ out []Difference }

func (c *comparison) add(at string, a, b *Node) {
	if len(c.out) < maxDifferences {
		c.out = append(c.out, Difference{Pointer: at, Stored: a.shown(), Sent: b.shown()})
	}
}

func (c *comparison) nodes(at string, a, b *Node) {
	switch {
	case a == nil && b == nil:
	case a == nil || b == nil:
		c.add(at, a, b)
	case a.kind == kindObject && b.kind == kindObject:
		for _, name := range names(a, b) {
			c.nodes(at+"/"+EscapePointer(name), a.Member(name), b.Member(name))
		}
	case a.kind == kindArray && b.kind == kindArray:
		for i := range max(len(a.items), len(b.items)) {
			c.nodes(at+"/"+strconv.Itoa(i), a.item(i), b.item(i))
		}
	default:
		if string(a.Canonical()) != string(b.Canonical()) {
			c.add(at, a, b)
		}
	}
}

func (n *Node) item(i int) *Node {
	if i < len(n.items) {
		return n.items[i]
	}
	return nil
}

// shown is the value as it stands in a difference: a string as it is, anything else
// as canonical JSON; nothing where there is no value.
func (n *Node) shown() string {
	switch {
	case n == nil:
		return ""
	case n.kind == kindString:
		return n.text
	}
	return string(n.Canonical())
}

func names(a, b *Node) []string {
	seen := map[string]bool{}
	var all []string
	for _, n := range [2]*Node{a, b} {
		for _, m := range n.members {
			if !seen[m.name] {
				seen[m.name] = true
				all = append(all, m.name)
			}
		}
	}
	slices.Sort(all)
	return all
}
