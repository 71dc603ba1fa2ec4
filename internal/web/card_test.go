package web

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
)

func english(t testing.TB) *Texts {
	t.Helper()
	tx, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

var cardTemplates = template.Must(template.New("").Funcs(template.FuncMap{"dict": dict}).ParseFS(templateFiles, "templates/document.html"))

func writeCard(t testing.TB, c CardView) string {
	t.Helper()
	var b bytes.Buffer
	if err := cardTemplates.ExecuteTemplate(&b, "document", c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func canonical(t testing.TB, d *countersign.Document) []byte {
	t.Helper()
	b, err := countersign.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cardOf(t testing.TB, now, was *countersign.Document, f Format) (CardView, string) {
	t.Helper()
	var earlier []byte
	if was != nil {
		earlier = canonical(t, was)
	}
	c, err := Card(canonical(t, now), earlier, f, english(t))
	if err != nil {
		t.Fatal(err)
	}
	return c, writeCard(t, c)
}

// onCard is what a reader finds on a card that is written: the members with their
// texts, and all that is neither a member nor an earlier value.
type onCard struct {
	members map[string]string // pointer → text
	names   map[string]string // pointer → name
	earlier []string          // texts of the marked comparison
	rest    []string          // everything else: the card's own words
	digest  string
}

// cardReader reads a card as a browser does, and knows only what can be seen: text and
// structure. Attributes tell it where a value stands, never what it is.
type cardReader struct {
	t     testing.TB
	f     Format
	out   onCard
	stack []*cardNode
}

type cardNode struct {
	name  string
	attr  map[string]string
	text  strings.Builder // the text of a value that this element is
	lines []diffLine
}

type diffLine struct{ class, text string }

func (n *cardNode) has(class string) bool {
	return n != nil && slices.Contains(strings.Fields(n.attr["class"]), class)
}

// readCard fails the test when the card is not well formed.
func readCard(t testing.TB, page string, f Format) onCard {
	t.Helper()
	r := &cardReader{t: t, f: f, out: onCard{members: map[string]string{}, names: map[string]string{}}}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return r.out
		}
		if err != nil {
			t.Fatalf("the card is not well formed: %v\n%s", err, page)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := &cardNode{name: tok.Name.Local, attr: map[string]string{}}
			for _, a := range tok.Attr {
				n.attr[a.Name.Local] = a.Value
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Fatalf("the attribute %s", a.Name.Local)
				}
			}
			if n.name == "script" || n.name == "style" || n.name == "img" {
				t.Fatalf("the element %s", n.name)
			}
			r.stack = append(r.stack, n)
		case xml.CharData:
			r.chars(string(tok))
		case xml.EndElement:
			n := r.stack[len(r.stack)-1]
			r.stack = r.stack[:len(r.stack)-1]
			r.end(n)
		}
	}
}

func (r *cardReader) inside(f func(*cardNode) bool) *cardNode {
	for i := len(r.stack) - 1; i >= 0; i-- {
		if f(r.stack[i]) {
			return r.stack[i]
		}
	}
	return nil
}

// chars gives a text to what it belongs to.
func (r *cardReader) chars(s string) {
	value := r.inside(func(n *cardNode) bool {
		return n.name == "bdi" || n.name == "time" || strings.HasSuffix(n.attr["id"], "-digest")
	})
	if value == nil {
		if s = strings.TrimSpace(s); s != "" {
			r.out.rest = append(r.out.rest, s)
		}
		return
	}
	if value.has("digest") || value.has("account") {
		s = strings.ReplaceAll(s, " ", "") // the gaps between groups
	}
	if r.stack[len(r.stack)-1].has("esc") {
		s = unescape(r.t, s)
	}
	value.text.WriteString(s)
}

func unescape(t testing.TB, s string) string {
	var n int
	if _, err := fmt.Sscanf(s, "U+%X", &n); err != nil {
		t.Fatalf("the escape %q", s)
	}
	return string(rune(n))
}

// end puts what an element says where it belongs.
func (r *cardReader) end(n *cardNode) {
	text := n.text.String()
	line := r.inside(func(n *cardNode) bool { return n.has("ln") })
	diff := r.inside(func(n *cardNode) bool { return n.has("textdiff") })
	fold := r.inside(func(n *cardNode) bool { return n.name == "details" && n.attr["data-at"] != "" })
	switch {
	case strings.HasSuffix(n.attr["id"], "-digest"):
		r.out.digest = text
	case n.has("none") && n.attr["data-at"] != "":
		r.put(n, "")
	case n.name == "bdi" && line != nil:
		diff.lines = append(diff.lines, diffLine{line.attr["class"], text})
	case n.has("textdiff"):
		r.diff(n)
	case n.name == "bdi" && fold != nil:
		fold.text.WriteString(text)
	case n.attr["data-at"] != "":
		r.put(n, r.plain(n, text))
	case n.attr["data-key"] != "":
		r.out.names[n.attr["data-key"]] = text
	case n.name == "bdi" || n.name == "time":
		if r.inside(func(n *cardNode) bool { return n.attr["data-earlier"] != "" }) == nil {
			r.t.Fatalf("a value that is no member and no earlier one: %q", text)
		}
		r.out.earlier = append(r.out.earlier, text)
	}
}

func (r *cardReader) put(n *cardNode, text string) {
	for _, name := range []string{"data-at", "data-also"} {
		at := n.attr[name]
		if at == "" {
			continue
		}
		if _, twice := r.out.members[at]; twice {
			r.t.Errorf("%s stands twice", at)
		}
		r.out.members[at] = text
	}
}

func (r *cardReader) diff(n *cardNode) {
	var to, from []string
	for _, l := range n.lines {
		if l.class != "ln del" {
			to = append(to, l.text)
		}
		if l.class != "ln add" {
			from = append(from, l.text)
		}
	}
	for at, lines := range map[string][]string{n.attr["data-to"]: to, n.attr["data-from"]: from} {
		if at != "" {
			r.out.members[at] = strings.Join(lines, "\n")
		}
	}
}

// plain takes a number or a day back from the person's format, as the person does.
func (r *cardReader) plain(n *cardNode, text string) string {
	if !n.has("num") {
		return text
	}
	for _, layout := range []string{"2\u00a0Jan\u00a02006", "Jan\u00a02, 2006", "2006-01-02"} {
		if day := reformat(layout, text); day != "" {
			return day
		}
	}
	group, point := r.f.separators()
	s := strings.ReplaceAll(text, group, "")
	return strings.ReplaceAll(strings.NewReplacer(point, ".", minusSign, "-").Replace(s), hardSpace, " ")
}

// leaves lists the members of a JSON text that have a value.
func leaves(t testing.TB, data []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var whole any
	if err := d.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, m := range v {
				walk(at+"/"+pointerToken(k), m)
			}
			if len(v) == 0 {
				out[at] = ""
			}
		case []any:
			for i, m := range v {
				walk(fmt.Sprintf("%s/%d", at, i), m)
			}
		default:
			out[at] = fmt.Sprint(v)
		}
	}
	walk("", whole)
	return out
}
