package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/countersign/countersign/internal/jcs"
	"github.com/countersign/countersign/internal/shape"
)

// MaxBytes bounds a policy's text, and the text of each of its lists.
const MaxBytes = 1 << 20

// document is a policy's text with what is wrong in it.
type document struct {
	file   string
	lines  []string
	errors Errors
}

func (d *document) fail(line, column int, hint, format string, args ...any) {
	if len(d.errors) >= maxErrors {
		return
	}
	e := &Error{File: d.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint}
	if line >= 1 && line <= len(d.lines) {
		e.Text = d.lines[line-1]
	}
	d.errors = append(d.errors, e)
}

func (d *document) at(n *yaml.Node, hint, format string, args ...any) {
	d.fail(n.Line, n.Column, hint, format, args...)
}

// parse reads the text into YAML's nodes, which keep their places, and checks it
// against the shape of a policy file. The root is nil when there is no policy to
// speak of.
func (d *document) parse(text []byte) *yaml.Node {
	if len(text) > MaxBytes {
		d.fail(0, 0, "keep long lists in files of their own", "%d bytes, at most %d", len(text), MaxBytes)
		return nil
	}
	if !utf8.Valid(text) {
		d.fail(0, 0, "save it as UTF-8", "not valid UTF-8")
		return nil
	}
	d.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var n yaml.Node
	if err := dec.Decode(&n); err != nil {
		if errors.Is(err, io.EOF) {
			d.fail(0, 0, "begin with \"policy: NAME\"", "the file is empty")
			return nil
		}
		line, message := yamlProblem(err)
		d.fail(line, 1, "", "not valid YAML: %s", message)
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		d.at(&second, "one file holds one policy", "a second document begins here")
		return nil
	} else if !errors.Is(err, io.EOF) {
		line, message := yamlProblem(err)
		d.fail(line, 1, "", "not valid YAML: %s", message)
		return nil
	}
	if len(n.Content) != 1 || !d.plain(n.Content[0]) {
		return nil
	}
	return n.Content[0]
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func yamlProblem(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
	}
	return line, message
}

// plain refuses what could hide or multiply content: anchors, aliases, merge keys
// and tags of one's own. It reports whether the tree may be walked.
func (d *document) plain(n *yaml.Node) bool {
	ok := true
	switch {
	case n.Kind == yaml.AliasNode:
		d.at(n, "write the value out", "an alias is not accepted in a policy")
		return false
	case n.Anchor != "":
		d.at(n, "leave the anchor out", "an anchor is not accepted in a policy")
		ok = false
	case n.Style&yaml.TaggedStyle != 0:
		d.at(n, "leave the tag out", "the tag %s is not accepted in a policy", jcs.Clip(n.Tag))
		ok = false
	}
	for _, c := range n.Content {
		ok = d.plain(c) && ok
	}
	return ok
}

// check holds a node against a shape and reports whether it fits.
func (d *document) check(n *yaml.Node, s *shape.Shape, what string) bool {
	switch s.Form {
	case shape.Object:
		return d.checkObject(n, s, what)
	case shape.Named:
		return d.checkNamed(n, s, what)
	case shape.List:
		if n.Kind != yaml.SequenceNode {
			return d.wrong(n, s, what)
		}
		if len(n.Content) < s.Least {
			d.at(n, "leave "+what+" out instead", "%s is empty", what)
			return false
		}
		if len(n.Content) > s.Most {
			d.at(n, "keep long lists in files of their own", "%s has %d items, at most %d", what, len(n.Content), s.Most)
			return false
		}
		ok := true
		for _, c := range n.Content {
			ok = d.check(c, s.Item, what) && ok
		}
		return ok
	case shape.Free:
		return true
	case shape.Either:
		for _, v := range s.Variants {
			if kindOf(v) == n.Kind {
				return d.check(n, v, what)
			}
		}
		return d.wrong(n, s, what)
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return d.wrong(n, s, what)
	}
	return d.checkScalar(n, s, what)
}

func kindOf(s *shape.Shape) yaml.Kind {
	switch s.Form {
	case shape.Object, shape.Named:
		return yaml.MappingNode
	case shape.List:
		return yaml.SequenceNode
	}
	return yaml.ScalarNode
}

func (d *document) wrong(n *yaml.Node, s *shape.Shape, what string) bool {
	have := map[yaml.Kind]string{yaml.MappingNode: "fields", yaml.SequenceNode: "a list"}[n.Kind]
	if n.Kind == yaml.ScalarNode {
		have = strconv.Quote(jcs.Clip(n.Value))
		if n.Tag == "!!null" {
			have = "nothing"
		}
	}
	d.at(n, "", "%s: want %s, have %s", what, s.InWords(), have)
	return false
}

func (d *document) checkObject(n *yaml.Node, s *shape.Shape, what string) bool {
	if n.Kind != yaml.MappingNode {
		return d.wrong(n, s, what)
	}
	ok := d.unique(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		f := s.Field(key.Value)
		if f == nil {
			d.at(key, didYouMean(key.Value, s.FieldNames()), "unknown key %q in %s", jcs.Clip(key.Value), what)
			ok = false
			continue
		}
		ok = d.check(n.Content[i+1], f.Shape, key.Value) && ok
	}
	for _, f := range s.Fields {
		if f.Required && member(n, f.Name) == nil {
			d.at(n, "it is "+f.Shape.Doc, "%s: %q is missing", what, f.Name)
			ok = false
		}
	}
	return ok
}

func (d *document) checkNamed(n *yaml.Node, s *shape.Shape, what string) bool {
	if n.Kind != yaml.MappingNode {
		return d.wrong(n, s, what)
	}
	ok := d.unique(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !matches(s.Pattern, key.Value) {
			d.at(key, "lower-case letters, digits and underscores, beginning with a letter", "%q cannot be a name in %s", jcs.Clip(key.Value), what)
			ok = false
		}
		ok = d.check(n.Content[i+1], s.Item, key.Value) && ok
	}
	return ok
}

// unique refuses a key that stands twice: of the two, one would be ignored.
func (d *document) unique(n *yaml.Node) bool {
	if len(n.Content) > 2*1000 {
		d.at(n, "", "%d names, at most 1000", len(n.Content)/2)
		return false
	}
	ok := true
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			d.at(key, "", "a key must be a plain word")
			ok = false
		} else if first, twice := seen[key.Value]; twice {
			d.at(key, "", "%q stands twice, first in line %d", jcs.Clip(key.Value), first)
			ok = false
		} else {
			seen[key.Value] = key.Line
		}
	}
	return ok
}

func (d *document) checkScalar(n *yaml.Node, s *shape.Shape, what string) bool {
	switch s.Form {
	case shape.Text:
		if n.Tag != "!!str" && n.Tag != "!!int" && n.Tag != "!!float" && n.Tag != "!!timestamp" || n.Value == "" {
			return d.wrong(n, s, what)
		}
		if len(s.Choices) > 0 && !slices.Contains(s.Choices, n.Value) {
			d.at(n, didYouMean(n.Value, s.Choices), "%s: want %s, have %q", what, s.InWords(), jcs.Clip(n.Value))
			return false
		}
		if s.Pattern != "" && !matches(s.Pattern, n.Value) {
			d.at(n, s.Doc, "%s: %q does not have the form that is wanted (%s)", what, jcs.Clip(n.Value), s.Pattern)
			return false
		}
	case shape.Whole:
		v, err := strconv.Atoi(n.Value)
		if n.Tag != "!!int" || err != nil || v < s.Least || s.Most > 0 && v > s.Most {
			return d.wrong(n, s, what)
		}
	case shape.Boolean:
		if n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
			return d.wrong(n, s, what)
		}
	case shape.Duration:
		if v, ok := parseDuration(n.Value); !ok || v <= 0 {
			return d.wrong(n, s, what)
		}
	case shape.Date:
		if _, ok := parseDate(n.Value); !ok {
			return d.wrong(n, s, what)
		}
	}
	return true
}

var durationPattern = regexp.MustCompile(`^(\d{1,6})([smhdw])$`)

// parseDuration reads 90s, 15m, 24h, 7d, 2w: one number and one unit.
func parseDuration(s string) (time.Duration, bool) {
	m := durationPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	const most = 100 * 365 * 24 * time.Hour
	if d := time.Duration(n) * unit; time.Duration(n) <= most/unit {
		return d, true
	}
	return 0, false
}

func parseDate(s string) (time.Time, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t, err == nil
}

// endOf is the first moment after the last day on which something counts.
func endOf(day time.Time) time.Time { return day.AddDate(0, 0, 1) }

func matches(pattern, s string) bool {
	ok, err := regexp.MatchString(pattern, s)
	return err == nil && ok
}

// member returns the value of a key of a mapping, or nil.
func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

func values(n *yaml.Node) []string {
	if n == nil {
		return nil
	}
	out := make([]string, len(n.Content))
	for i, c := range n.Content {
		out[i] = c.Value
	}
	return out
}

func seconds(n *yaml.Node) int {
	d, _ := parseDuration(value(n))
	return int(d / time.Second)
}

func number(n *yaml.Node, otherwise int) int {
	if n == nil {
		return otherwise
	}
	v, _ := strconv.Atoi(n.Value)
	return v
}
