package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
)

// tables are those that are made from the code.
var tables = map[string]func(testing.TB) string{
	"vocabulary":  vocabularyTable,
	"policy keys": policyKeysTable,
	"signals":     signalsTable,
	"settings":    settingsTable,
	"codes":       codesTable,
	"operations":  operationsTable,
	"metrics":     metricsTable,
	"commands":    commandsTable,
	"steps":       stepsTable,
}

// columns are the first columns of tables whose sentences are written by hand.
var columns = map[string]func(testing.TB) []string{
	"scopes":       func(t testing.TB) []string { return values(constants(t, "internal/authn/token.go", "Scope")) },
	"entries":      func(t testing.TB) []string { return values(constants(t, "entry.go", "Entry")) },
	"openings":     func(t testing.TB) []string { return values(constants(t, "entry.go", "Opening")) },
	"roles":        func(t testing.TB) []string { return values(constants(t, "entry.go", "Role")) },
	"statuses":     func(t testing.TB) []string { return values(constants(t, "approval.go", "Status")) },
	"assurances":   func(t testing.TB) []string { return values(constants(t, "requirement.go", "Assurance"))[1:] },
	"changes":      func(t testing.TB) []string { return kinds(t, true) },
	"kinds":        func(t testing.TB) []string { return kinds(t, false) },
	"groups":       func(t testing.TB) []string { return values(constants(t, "internal/authority/candidates.go", "Group")) },
	"exit codes":   exitCodes,
	"organisation": func(testing.TB) []string { return members(reflect.TypeFor[authority.Settings]()) },
	"own alerts":   ownAlerts,
	"document":     func(testing.TB) []string { return members(reflect.TypeFor[countersign.Document]()) },
	"submission":   func(testing.TB) []string { return members(reflect.TypeFor[countersign.Submission]()) },
}

var (
	madeMark  = regexp.MustCompile(`(?s)<!-- from the code: ([a-z ]+) -->\n(.*?)<!-- end -->`)
	namesMark = regexp.MustCompile(`<!-- names: ([a-z ]+) -->\n((?:\|[^\n]*\n)+)`)
	firstCell = regexp.MustCompile("^\\| `([^`]+)`")
)

func TestDocTables(t *testing.T) {
	used := map[string]bool{}
	for _, p := range pages(t) {
		text := madeMark.ReplaceAllStringFunc(p.text, func(found string) string {
			m := madeMark.FindStringSubmatch(found)
			made, ok := tables[m[1]]
			if !ok {
				t.Errorf("%s: there is no table %q in the code", p.name, m[1])
				return found
			}
			used[m[1]] = true
			return "<!-- from the code: " + m[1] + " -->\n" + made(t) + "<!-- end -->"
		})
		for _, m := range namesMark.FindAllStringSubmatch(p.text, -1) {
			want, ok := columns[m[1]]
			if !ok {
				t.Errorf("%s: there are no names %q in the code", p.name, m[1])
				continue
			}
			used[m[1]] = true
			compareNames(t, p.name+": "+m[1], m[2], want(t))
		}
		if strings.Count(p.text, "<!--") != len(madeMark.FindAllString(p.text, -1))*2+len(namesMark.FindAllString(p.text, -1)) {
			t.Errorf("%s: a mark of a table is not as it should be", p.name)
		}
		if text == p.text {
			continue
		}
		if os.Getenv("COUNTERSIGN_UPDATE_DOCS") == "" {
			t.Errorf("%s: a table is not as the code has it; COUNTERSIGN_UPDATE_DOCS=1 writes it anew", p.name)
			continue
		}
		must(t, os.WriteFile(filepath.Join(root, p.name), []byte(text), 0o644))
	}
	for name := range tables {
		if !used[name] {
			t.Errorf("no page shows the table %q", name)
		}
	}
	for name := range columns {
		if !used[name] {
			t.Errorf("no page has a table of the names %q", name)
		}
	}
}

func compareNames(t *testing.T, where, table string, want []string) {
	t.Helper()
	var have []string
	for line := range strings.Lines(table) {
		if m := firstCell.FindStringSubmatch(line); m != nil {
			have = append(have, m[1])
		}
	}
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s: %q is missing", where, name)
		}
	}
	for _, name := range have {
		if !slices.Contains(want, name) {
			t.Errorf("%s: %q is not in the code", where, name)
		}
	}
	if len(want) == 0 {
		t.Errorf("%s: the code has no such names", where)
	}
}

// table writes a table; a bar within a cell is escaped.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func vocabularyTable(testing.TB) string {
	var rows [][]string
	for _, v := range policy.Vocabulary() {
		rows = append(rows, []string{code(v.Name), v.Type, v.Doc})
	}
	return table([]string{"name", "type", "meaning"}, rows)
}

func signalsTable(testing.TB) string {
	var rows [][]string
	for _, s := range signal.Catalogue() {
		rows = append(rows, []string{code("signal." + s.Name), s.Doc, strings.Join(s.Needs, ", "), code(s.Settings())})
	}
	return table([]string{"signal", "true when", "cannot say without", "set under `signals`"}, rows)
}

// policyKeysTable walks the schema that editors use.
func policyKeysTable(t testing.TB) string {
	var schema any
	must(t, json.Unmarshal(policy.Schema(), &schema))
	var rows [][]string
	var walk func(at string, s map[string]any)
	walk = func(at string, s map[string]any) {
		if item, ok := s["items"].(map[string]any); ok {
			walk(at+"[]", item)
		}
		for _, v := range anys(s["oneOf"]) {
			walk(at, v.(map[string]any))
		}
		if named, ok := s["additionalProperties"].(map[string]any); ok {
			walk(at+".NAME", named)
		}
		properties, _ := s["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			p := properties[name].(map[string]any)
			need := ""
			if slices.Contains(anys(s["required"]), any(name)) {
				need = "yes"
			}
			key := strings.TrimPrefix(strings.TrimPrefix(at, ".")+"."+name, ".")
			rows = append(rows, []string{code(key), need, fmt.Sprint(p["description"]) + choices(p)})
			walk(key, p)
		}
	}
	walk("", schema.(map[string]any))
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(strings.Trim(a[0], "`"), strings.Trim(b[0], "`")) })
	rows = slices.CompactFunc(rows, func(a, b []string) bool { return a[0] == b[0] })
	return table([]string{"key", "needed", "meaning"}, rows)
}

func anys(v any) []any { a, _ := v.([]any); return a }

func choices(p map[string]any) string {
	e := anys(p["enum"])
	if len(e) == 0 {
		return ""
	}
	words := make([]string, len(e))
	for i, w := range e {
		words[i] = code(fmt.Sprint(w))
	}
	return ": " + strings.Join(words, ", ")
}

func settingsTable(testing.TB) string {
	var c Config
	var rows [][]string
	for _, s := range settingsOf(&c) {
		example := ""
		if s.example != "" {
			example = " For example " + code(s.example) + "."
		}
		rows = append(rows, []string{code(s.name), code(s.standard), s.doc + example})
	}
	return table([]string{"setting", "default", "meaning"}, rows)
}

// codesTable reads the codes of problems with the status and the comment beside each.
func codesTable(t testing.TB) string {
	var rows [][]string
	for _, c := range constants(t, "problem.go", "Code") {
		status, meaning, _ := strings.Cut(c.comment, " ")
		rows = append(rows, []string{code(c.value), status, meaning})
	}
	return table([]string{"code", "HTTP", "meaning"}, rows)
}

func stepsTable(t testing.TB) string {
	var rows [][]string
	for i, c := range constants(t, "verify/verify.go", "Step") {
		rows = append(rows, []string{strconv.Itoa(i + 1), c.value, c.comment})
	}
	return table([]string{"", "step", "what is checked"}, rows)
}

// operationsTable reads the API's own description.
func operationsTable(t testing.TB) string {
	var d struct {
		Paths map[string]map[string]struct {
			Summary, Description string
			Security             []map[string]any
		}
	}
	must(t, json.Unmarshal(api.OpenAPI(), &d))
	scope := regexp.MustCompile(`A key needs the scope ([a-z]+)`)
	var rows [][]string
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			o := d.Paths[path][method]
			var who []string
			for _, s := range o.Security {
				for name := range s {
					if m := scope.FindStringSubmatch(o.Description); name == "key" && m != nil {
						name += " (" + m[1] + ")"
					}
					who = append(who, name)
				}
			}
			if who == nil {
				who = []string{"anybody"}
			}
			rows = append(rows, []string{code(strings.ToUpper(method) + " " + path), o.Summary, strings.Join(who, ", ")})
		}
	}
	return table([]string{"call", "what it does", "who"}, rows)
}

var metricCalls = []*regexp.Regexp{
	regexp.MustCompile(`(?:counter|desc)\("([a-z_]+)", "([^"]+)"`),
	regexp.MustCompile(`Name: "([a-z_]+)",\s*Help: "([^"]+)"`),
}

func metricsTable(t testing.TB) string {
	var rows [][]string
	for _, file := range []string{"cmd/countersign/serve_metrics.go", "internal/api/metrics.go", "internal/authority/metrics.go"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		must(t, err)
		for _, call := range metricCalls {
			for _, m := range call.FindAllStringSubmatch(string(text), -1) {
				rows = append(rows, []string{code("countersign_" + m[1]), m[2]})
			}
		}
	}
	slices.SortFunc(rows, slices.Compare)
	return table([]string{"metric", "meaning"}, rows)
}

func commandsTable(t testing.TB) string {
	k, err := kong.New(&cli{}, kong.Name("countersign"))
	must(t, err)
	var rows [][]string
	for _, leaf := range k.Model.Leaves(true) {
		rows = append(rows, []string{code(leaf.FullPath()), leaf.Help})
	}
	return table([]string{"command", "what it does"}, rows)
}

// named is a constant with the comment behind it.
type named struct{ name, value, comment string }

func values(all []named) []string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = c.value
	}
	return out
}

// constants reads the constants of a file whose names begin with a word.
func constants(t testing.TB, file, prefix string) (out []named) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ParseComments|parser.SkipObjectResolution)
	must(t, err)
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if !strings.HasPrefix(v.Names[0].Name, prefix) || len(v.Values) != 1 {
				continue
			}
			lit, ok := v.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			value := lit.Value
			if text, err := strconv.Unquote(value); err == nil {
				value = text
			}
			out = append(out, named{v.Names[0].Name, value, strings.TrimSpace(v.Comment.Text())})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no constants %s…", file, prefix)
	}
	return out
}

func kinds(t testing.TB, internal bool) []string {
	var out []string
	for _, v := range values(constants(t, "document.go", "Kind")) {
		if strings.HasPrefix(v, "countersign.") == internal {
			out = append(out, v)
		}
	}
	return out
}

func exitCodes(t testing.TB) []string { return values(constants(t, "cmd/countersign/main.go", "exit")) }

var ownAlert = regexp.MustCompile(`(?:external: |\balert[A-Z][a-z]+ += )"([a-z]+):"`)

// ownAlerts are the alerts that the product raises itself, by what their external id
// begins with.
func ownAlerts(t testing.TB) []string {
	files, err := filepath.Glob(filepath.Join(root, "internal/authority/*.go"))
	must(t, err)
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range ownAlert.FindAllStringSubmatch(string(text), -1) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// members are the JSON names of a type's members, or their names in small letters.
func members(typ reflect.Type) []string {
	var out []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if name != "-" && f.IsExported() {
			out = append(out, name)
		}
	}
	return out
}
