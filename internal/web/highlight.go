package web

import (
	"regexp"
	"strings"
)

// piece is a piece of a line with what it is: "k" a key, "s" a text in quotes or a
// block of text, "n" a number or a word with a meaning, "c" a comment, "p" a mark of
// the notation, "" anything else.
type piece struct{ class, text string }

// yamlNumber is what is written in another colour: numbers, days, durations, amounts
// with their currency, and the words of YAML.
var yamlNumber = regexp.MustCompile(`^(?:[-+]?\d+(?:\.\d+)?[smhdw]?|\d{4}-\d\d-\d\d\S*|true|false|null|~)$`)

// yamlReader cuts a text into pieces, line by line. It keeps what goes on in the next
// line: a quote that is open, a block of text, and how deep in brackets it is.
type yamlReader struct {
	quote byte
	block int // indentation of the key whose block of text goes on; -1: none
	depth int
	src   string // the line
	done  int    // bytes of it that are in pieces
	out   []piece
}

// highlight cuts a policy's text into lines, and each into pieces. It is for the eye
// alone: put together again, the pieces are the text.
func highlight(text string) [][]piece {
	r := yamlReader{block: -1}
	var all [][]piece
	for _, line := range strings.Split(text, "\n") {
		r.src, r.done, r.out = line, 0, nil
		r.line(line)
		all = append(all, r.out)
	}
	return all
}

// put takes the next bytes of the line, which are text, as a piece.
func (r *yamlReader) put(class, text string) {
	if text == "" {
		return
	}
	from := r.done
	r.done += len(text)
	if n := len(r.out); n > 0 && r.out[n-1].class == class {
		r.out[n-1].text = r.src[from-len(r.out[n-1].text) : r.done]
		return
	}
	r.out = append(r.out, piece{class, text})
}

func (r *yamlReader) line(s string) {
	rest := strings.TrimLeft(s, " ")
	indent := len(s) - len(rest)
	if r.block >= 0 && (rest == "" || indent > r.block) {
		r.put("s", s)
		return
	}
	r.block = -1
	if r.quote != 0 {
		rest = r.quoted(s)
	} else {
		r.put("", s[:indent])
	}
	for start := true; rest != ""; {
		switch c := rest[0]; {
		case c == ' ' || c == '\t':
			r.put("", rest[:1])
			rest = rest[1:]
			continue // a comment, a dash and a value may still follow
		case c == '#' && (start || len(r.out) == 0 || strings.HasSuffix(r.out[len(r.out)-1].text, " ")):
			r.put("c", rest)
			return
		case c == '-' && start && (len(rest) == 1 || rest[1] == ' '):
			r.put("p", "-")
			rest = rest[1:]
			indent += 2
			continue
		case strings.IndexByte("[]{},", c) >= 0 && (r.depth > 0 || c == '[' || c == '{'):
			r.depth += strings.Count("[{", rest[:1]) - strings.Count("]}", rest[:1])
			r.put("p", rest[:1])
			rest = rest[1:]
		case c == '"' || c == '\'':
			r.quote = c
			at := len(r.out)
			r.put("s", rest[:1])
			if rest = r.quoted(rest[1:]); r.quote == 0 && strings.HasPrefix(rest, ":") && at < len(r.out) {
				r.out[at].class = "k"
			}
		case c == ':':
			r.put("p", ":")
			rest = rest[1:]
		default:
			rest = r.scalar(rest, indent)
		}
		start = false
	}
}

// quoted puts what a quote still holds, and returns what stands behind it.
func (r *yamlReader) quoted(s string) string {
	for i := 0; i < len(s); i++ {
		switch {
		case r.quote == '"' && s[i] == '\\':
			i++
		case s[i] == r.quote && r.quote == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == r.quote:
			r.quote = 0
			r.put("s", s[:i+1])
			return s[i+1:]
		}
	}
	r.put("s", s)
	return ""
}

// scalar puts a plain word, up to where YAML ends it, and returns what stands behind it.
func (r *yamlReader) scalar(s string, indent int) string {
	end := len(s)
	for i := 1; i < len(s); i++ {
		if s[i] == ':' && (i+1 == len(s) || s[i+1] == ' ') || s[i] == '#' && s[i-1] == ' ' || r.depth > 0 && strings.IndexByte(",[]{}", s[i]) >= 0 {
			end = i
			break
		}
	}
	word := strings.TrimRight(s[:end], " \t\r")
	switch {
	case word == "":
		word = s[:1]
		r.put("", word)
	case end < len(s) && s[end] == ':':
		r.put("k", word)
	case word[0] == '|' || word[0] == '>':
		r.put("p", word)
		r.block = indent
	case yamlNumber.MatchString(word):
		r.put("n", word)
	default:
		r.put("", word)
	}
	return s[len(word):]
}
