package jcs

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonicalize returns the canonical bytes (RFC 8785) of one JSON text. It refuses
// what I-JSON (RFC 7493) forbids: duplicate members, invalid UTF-8, lone
// surrogates, numbers that a double cannot hold; and trailing data.
func Canonicalize(data []byte) ([]byte, error) {
	n, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return n.Canonical(), nil
}

// IsCanonical reports whether data is one JSON text in its canonical form.
func IsCanonical(data []byte) bool {
	n, err := Parse(data)
	return err == nil && string(n.Canonical()) == string(data)
}

// Canonical returns the canonical bytes of the node.
func (n *Node) Canonical() []byte { return n.appendCanonical(make([]byte, 0, n.end-n.start+16)) }

func (n *Node) appendCanonical(b []byte) []byte {
	switch n.kind {
	case kindObject:
		members := n.members
		if !slices.IsSortedFunc(members, compareMembers) {
			members = slices.SortedFunc(slices.Values(members), compareMembers)
		}
		b = append(b, '{')
		for i, m := range members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, m.name), ':')
			b = m.value.appendCanonical(b)
		}
		return append(b, '}')
	case kindArray:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendCanonical(b)
		}
		return append(b, ']')
	case kindString:
		return AppendString(b, n.text)
	case kindNumber:
		return appendNumber(b, n.number)
	default: // true, false, null
		return append(b, n.text...)
	}
}

func compareMembers(a, b member) int { return CompareNames(a.name, b.name) }

// CompareNames orders strings by UTF-16 code units (RFC 8785 §3.2.3). It differs
// from byte order only where one side has a character beyond the basic plane.
func CompareNames(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			ua, ub := ra, rb
			if ra > 0xFFFF {
				ua, _ = utf16.EncodeRune(ra)
			}
			if rb > 0xFFFF {
				ub, _ = utf16.EncodeRune(rb)
			}
			if ua != ub {
				return int(ua - ub)
			}
			return int(ra - rb) // same high surrogate: the low one decides
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// AppendString writes a string with the escapes of RFC 8785 §3.2.2.2.
func AppendString(b []byte, s string) []byte {
	const hexa = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexa[c>>4], hexa[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendNumber writes a double as ECMAScript does (RFC 8785 §3.2.2.3).
func appendNumber(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0') // also minus zero
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two exponent digits, ECMAScript as few as it needs.
	mantissa, exponent, _ := strings.Cut(s, "e")
	return append(b, mantissa+"e"+exponent[:1]+strings.TrimLeft(exponent[1:], "0")...)
}
