package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/countersign/countersign/internal/policy"
)

// The documentation is tested as code is:
//
//   - ```console blocks are sessions: see docs_run_test.go;
//   - ```go blocks stand in a file that is compiled and run;
//   - ```yaml blocks of POLICY.md are parts of a policy that loads;
//   - ```text and ```json blocks are to be read, not run;
//   - "<!-- from the code: NAME -->" begins a table that is made from the code, and
//     "<!-- names: NAME -->" one whose first column is held against it: see
//     docs_tables_test.go;
//   - every command, flag, file and heading that is named must exist.
//
// COUNTERSIGN_UPDATE_DOCS=1 writes the tables anew.

const root = "../.."

// page is one file of the documentation.
type page struct {
	name   string // from the root of the repository
	text   string
	blocks []block
	prose  string // without the blocks
}

// block is one fenced block.
type block struct {
	language string
	file     string // a second word behind the fence: the block is written to this file
	line     int
	text     string
}

func pages(t testing.TB) []page {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		must(t, err)
		names = append(names, found...)
	}
	out := make([]page, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		must(t, err)
		rel, err := filepath.Rel(root, name)
		must(t, err)
		out[i] = page{name: filepath.ToSlash(rel), text: string(text)}
		must(t, out[i].read())
	}
	return out
}

func pageOf(t testing.TB, name string) page {
	t.Helper()
	for _, p := range pages(t) {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("there is no %s", name)
	return page{}
}

// read takes the blocks out of the text.
func (p *page) read() error {
	var prose strings.Builder
	var open *block
	for i, line := range strings.Split(p.text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			words := append(strings.Fields(fence), "", "")
			open = &block{language: words[0], file: words[1], line: i + 1}
		case isFence:
			if fence != "" {
				return fmt.Errorf("%s:%d: a block begins within a block", p.name, i+1)
			}
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		default:
			prose.WriteString(line + "\n")
		}
	}
	if open != nil {
		return fmt.Errorf("%s:%d: a block is not closed", p.name, open.line)
	}
	p.prose = prose.String()
	return nil
}

func TestDocBlocks(t *testing.T) {
	known := []string{"console", "text", "go", "yaml", "json"}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			switch {
			case !slices.Contains(known, b.language):
				t.Errorf("%s:%d: a block of the language %q: want one of %s", p.name, b.line, b.language, strings.Join(known, ", "))
			case b.language == "text" && strings.HasPrefix(b.text, "$ "):
				t.Errorf("%s:%d: a session that is not run: mark it console", p.name, b.line)
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are the names by which headings are linked to.
func (p *page) anchors() map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
		out[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return out
}

func TestDocLinks(t *testing.T) {
	all := map[string]page{}
	for _, p := range pages(t) {
		all[p.name] = p
	}
	linked := map[string]bool{"README.md": true}
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := p.name
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(p.name), file))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", p.name, m[1])
				continue
			}
			linked[target] = true
			if to, ok := all[target]; ok && anchor != "" && !to.anchors()[anchor] {
				t.Errorf("%s: %s has no heading %q", p.name, target, anchor)
			}
		}
	}
	for name := range all {
		if !linked[name] && !linked[filepath.ToSlash(filepath.Dir(name))] {
			t.Errorf("nothing links to %s", name)
		}
	}
}

// TestDocMentions: every command and flag that the text names exists. Sessions are
// run, and need not be looked at here.
func TestDocMentions(t *testing.T) {
	k, err := kong.New(&cli{}, kong.Name("countersign"), kong.BindTo(t.Context(), (*any)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("`(countersign [^`]+)`")
	for _, p := range pages(t) {
		var mentions []string
		for _, m := range code.FindAllStringSubmatch(strings.ReplaceAll(p.prose, "\n", " "), -1) {
			mentions = append(mentions, m[1])
		}
		for _, b := range p.blocks {
			for line := range strings.Lines(b.text) {
				if line = strings.TrimSpace(line); b.language == "text" && strings.HasPrefix(line, "countersign ") {
					mentions = append(mentions, line)
				}
			}
		}
		for _, m := range mentions {
			if err := exists(k.Model.Node, strings.Fields(m)[1:]); err != nil {
				t.Errorf("%s: %q: %v", p.name, m, err)
			}
		}
	}
}

var flagWord = regexp.MustCompile(`^--?[a-z][a-z-]*`)

func exists(n *kong.Node, words []string) error {
	for len(words) > 0 {
		i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == words[0] })
		if i < 0 {
			break
		}
		n, words = n.Children[i], words[1:]
	}
	if d := n.DefaultCmd; d != nil {
		n = d
	}
	if len(n.Children) > 0 && len(words) > 0 && !strings.HasPrefix(words[0], "-") && words[0] != "…" {
		return fmt.Errorf("there is no command %q", words[0])
	}
	for _, w := range words {
		name := flagWord.FindString(w)
		if name == "" || name == "--help" || name == "-h" {
			continue
		}
		if !slices.ContainsFunc(n.Flags, func(f *kong.Flag) bool { return "--"+f.Name == name || "-"+string(f.Short) == name }) {
			return fmt.Errorf("%s has no flag %s", n.FullPath(), name)
		}
	}
	return nil
}

// TestDocGo: code that is shown is compiled and run somewhere.
func TestDocGo(t *testing.T) {
	var compiled strings.Builder
	for _, pattern := range []string{"*_test.go", "verify/*_test.go", "examples/*/*.go"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		must(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			must(t, err)
			compiled.WriteString(flat(string(text)) + "\n")
		}
	}
	shown := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "go" {
				continue
			}
			shown++
			for part := range strings.SplitSeq(flat(b.text), "// …\n") {
				if !strings.Contains(compiled.String(), strings.TrimSpace(part)) {
					t.Errorf("%s:%d: this code is compiled nowhere:\n%s", p.name, b.line, part)
				}
			}
		}
	}
	if shown == 0 {
		t.Error("no code is shown")
	}
}

// flat takes the indentation away.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// TestDocPolicies: the parts of a policy that are shown load, in a policy that has
// what they leave out.
func TestDocPolicies(t *testing.T) {
	p := pageOf(t, "docs/POLICY.md")
	shown := 0
	for _, b := range p.blocks {
		if b.language != "yaml" || strings.HasSuffix(b.file, "_test.yaml") {
			continue
		}
		shown++
		text := b.text
		for _, part := range [...]struct{ key, text string }{
			{"policy", "policy: shown\n"}, {"currency", "currency: EUR\n"},
			{"constants", "constants: {large: 30000, first_invoice: 10000}\n"},
			{"rules", "rules: [{name: split-purchase, when: amount >= 30000, require: {assurance: mfa}}]\n"},
			{"approvers", "approvers: {default: [approvers]}\n"},
		} {
			if !regexp.MustCompile(`(?m)^` + part.key + `:`).MatchString(text) {
				text += part.text
			}
		}
		if _, err := policy.Load(policy.Source{File: fmt.Sprintf("POLICY.md:%d", b.line), Text: []byte(text)}); err != nil {
			t.Errorf("%s:%d: %v", p.name, b.line, err)
		}
	}
	if shown < 5 {
		t.Errorf("only %d parts of policies are shown", shown)
	}
}

// shows reports whether the text that is shown stands for what was printed. A space
// that does not break is a space.
func shows(shown, printed string) bool {
	printed = strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(printed)
	var b strings.Builder
	b.WriteString(`\A`)
	for line := range strings.Lines(shown) {
		if line = strings.TrimRight(line, " \n"); line == "…" {
			b.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		for i, part := range strings.Split(line, "…") {
			if i > 0 {
				b.WriteString(`[^\n]*?`)
			}
			b.WriteString(regexp.QuoteMeta(part))
		}
		b.WriteString(" *\n")
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String()).MatchString(printed)
}

// TestDocMatching: the comparison of what is shown with what is printed can fail.
func TestDocMatching(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		want           bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n", "a\nc\n", false},
		{"a\n", "a\nb\n", false},
		{"a\n…\n", "a\nb\nc\n", true},
		{"a\n…\nc\n", "a\nc\n", true},
		{"a\n…\nc\n", "a\nb\n", false},
		{"id …, ok\n", "id req_1, ok\n", true},
		{"id …, ok\n", "id req_1\n, ok\n", false},
		{"1.5 (x)\n", "1x5 (x)\n", false},
		{"", "", true},
		{"", "x\n", false},
	} {
		if got := shows(c.shown, c.printed); got != c.want {
			t.Errorf("%q shows %q: %v", c.shown, c.printed, got)
		}
	}
	if err := exists(&kong.Node{Name: "x", Children: []*kong.Node{{Name: "y"}}}, []string{"z"}); err == nil {
		t.Error("a command that is not there was found")
	}
	if p := (page{text: "```console\n$ x\n"}); p.read() == nil {
		t.Error("an open block was accepted")
	}
}
