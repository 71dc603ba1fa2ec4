package jcs

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a JSON text that comes from outside.
const maxDepth = 64

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// Node is one value of a parsed JSON text. It keeps the order of members as they
// came and where it stood, so that errors can point at it.
type Node struct {
	kind       kind
	text       string // a string's value; the literal of true, false, null and numbers
	number     float64
	items      []*Node
	members    []member
	start, end int // byte offsets in the text
}

type member struct {
	name  string
	value *Node
}

// Member returns the value of an object's member, or nil.
func (n *Node) Member(name string) *Node {
	if n == nil || n.kind != kindObject {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// Text returns the value of a string.
func (n *Node) Text() (s string, ok bool) {
	if n == nil || n.kind != kindString {
		return "", false
	}
	return n.text, true
}

// SyntaxError says where a JSON text breaks the rules.
type SyntaxError struct {
	Offset int    // bytes from the start
	Line   int    // from 1
	Reason string // what is wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("JSON line %d, byte %d: %s", e.Line, e.Offset, e.Reason)
}

// Parse reads one JSON text strictly: UTF-8, no duplicate members, no lone
// surrogates, no number outside a double, nothing after the value, at most 64
// levels deep. encoding/json alone accepts most of these.
func Parse(data []byte) (*Node, error) {
	p := &parser{data: string(data)}
	if !utf8.Valid(data) {
		for i := 0; i < len(data); {
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, p.fail(i, "not valid UTF-8")
			}
			i += n
		}
	}
	p.space()
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(data) {
		return nil, p.fail(p.at, "more data after the value")
	}
	return n, nil
}

// parser holds the text as a string, so that values without escapes are parts of
// it, and makes nodes in slabs: both keep the log's many small texts cheap.
type parser struct {
	data string
	at   int
	slab []Node
}

func (p *parser) node() *Node {
	if len(p.slab) == 0 {
		p.slab = make([]Node, 8+min(len(p.data)/64, 120))
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	n.start = p.at
	return n
}

func (p *parser) fail(at int, format string, args ...any) error {
	line := 1
	for _, c := range p.data[:min(at, len(p.data))] {
		if c == '\n' {
			line++
		}
	}
	return &SyntaxError{Offset: at, Line: line, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, p.fail(p.at, "more than %d levels deep", maxDepth)
	}
	if p.at >= len(p.data) {
		return nil, p.fail(p.at, "the text ends where a value should stand")
	}
	n := p.node()
	var err error
	switch c := p.data[p.at]; {
	case c == '{':
		err = p.object(n, depth)
	case c == '[':
		err = p.array(n, depth)
	case c == '"':
		n.kind = kindString
		n.text, err = p.str()
	case c == '-' || (c >= '0' && c <= '9'):
		err = p.num(n)
	default:
		err = p.literal(n)
	}
	n.end = p.at
	return n, err
}

func (p *parser) literal(n *Node) error {
	for _, l := range [...]struct {
		text string
		kind kind
	}{{"true", kindBool}, {"false", kindBool}, {"null", kindNull}} {
		if len(p.data)-p.at >= len(l.text) && p.data[p.at:p.at+len(l.text)] == l.text {
			n.kind, n.text = l.kind, l.text
			p.at += len(l.text)
			return nil
		}
	}
	return p.fail(p.at, "unexpected %q", p.data[p.at:min(p.at+1, len(p.data))])
}

func (p *parser) object(n *Node, depth int) error {
	n.kind = kindObject
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == '}' {
		p.at++
		return nil
	}
	var seen map[string]bool
	for {
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != '"' {
			return p.fail(p.at, "want the name of a member")
		}
		at := p.at
		name, err := p.str()
		if err != nil {
			return err
		}
		if seen == nil && len(n.members) >= 16 { // a map pays only for large objects
			seen = make(map[string]bool, 64)
			for _, m := range n.members {
				seen[m.name] = true
			}
		}
		twice := seen[name]
		if seen == nil {
			twice = n.Member(name) != nil
		} else {
			seen[name] = true
		}
		if twice {
			return p.fail(at, "member %q stands twice", Clip(name))
		}
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != ':' {
			return p.fail(p.at, "want ':' after the name of a member")
		}
		p.at++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name, v})
		if done, err := p.next('}'); done || err != nil {
			return err
		}
	}
}

func (p *parser) array(n *Node, depth int) error {
	n.kind = kindArray
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == ']' {
		p.at++
		return nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
		if done, err := p.next(']'); done || err != nil {
			return err
		}
	}
}

// next steps over a comma, or over the closing character and reports done.
func (p *parser) next(closing byte) (done bool, err error) {
	p.space()
	if p.at < len(p.data) {
		switch p.data[p.at] {
		case ',':
			p.at++
			return false, nil
		case closing:
			p.at++
			return true, nil
		}
	}
	return false, p.fail(p.at, "want ',' or %q", closing)
}

func (p *parser) num(n *Node) error {
	n.kind = kindNumber
	from := p.at
	digits := func() int {
		k := p.at
		for p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9' {
			p.at++
		}
		return p.at - k
	}
	if p.data[p.at] == '-' {
		p.at++
	}
	lead := p.at
	if k := digits(); k == 0 || (k > 1 && p.data[lead] == '0') {
		return p.fail(from, "not a number")
	}
	if p.at < len(p.data) && p.data[p.at] == '.' {
		p.at++
		if digits() == 0 {
			return p.fail(from, "not a number")
		}
	}
	if p.at < len(p.data) && (p.data[p.at] == 'e' || p.data[p.at] == 'E') {
		p.at++
		if p.at < len(p.data) && (p.data[p.at] == '+' || p.data[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			return p.fail(from, "not a number")
		}
	}
	n.text = p.data[from:p.at]
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || math.IsInf(f, 0) {
		return p.fail(from, "number %s is outside what JSON can carry safely", Clip(n.text))
	}
	n.number = f
	return nil
}

func (p *parser) str() (string, error) {
	from := p.at
	p.at++
	plain := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := p.data[plain:p.at]
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(from, append([]byte(nil), p.data[plain:p.at]...))
		case c < 0x20:
			return "", p.fail(p.at, "a control character must be escaped")
		default:
			p.at++
		}
	}
	return "", p.fail(from, "the string does not end")
}

func (p *parser) escaped(from int, b []byte) (string, error) {
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			p.at++
			return string(b), nil
		case c < 0x20:
			return "", p.fail(p.at, "a control character must be escaped")
		case c != '\\':
			b = append(b, c)
			p.at++
			continue
		}
		if p.at+1 >= len(p.data) {
			break
		}
		at := p.at
		p.at += 2
		switch e := p.data[at+1]; e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, err := p.unicodeEscape(at)
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", p.fail(at, "unknown escape")
		}
	}
	return "", p.fail(from, "the string does not end")
}

// unicodeEscape reads the four digits after \u, and the second half of a pair.
func (p *parser) unicodeEscape(at int) (rune, error) {
	hex4 := func() (rune, bool) {
		if p.at+4 > len(p.data) {
			return 0, false
		}
		v, err := strconv.ParseUint(p.data[p.at:p.at+4], 16, 16)
		if err != nil || p.data[p.at] == '+' || p.data[p.at] == '-' {
			return 0, false
		}
		p.at += 4
		return rune(v), true
	}
	r, ok := hex4()
	if !ok {
		return 0, p.fail(at, "want four hexadecimal digits after \\u")
	}
	if r >= 0xDC00 && r <= 0xDFFF {
		return 0, p.fail(at, "lone surrogate")
	}
	if r < 0xD800 || r > 0xDBFF {
		return r, nil
	}
	if p.at+2 > len(p.data) || p.data[p.at] != '\\' || p.data[p.at+1] != 'u' {
		return 0, p.fail(at, "lone surrogate")
	}
	p.at += 2
	low, ok := hex4()
	if !ok || low < 0xDC00 || low > 0xDFFF {
		return 0, p.fail(at, "lone surrogate")
	}
	return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, nil
}
