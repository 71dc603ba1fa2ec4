package policy

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestLoadErrors runs the cases of testdata/load: a policy that does not load, and
// everything that is said about it.
func TestLoadErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range a.Files {
				parts[f.Name] = string(f.Data)
			}
			src := Source{File: "policy.yaml", Text: []byte(parts["policy.yaml"]), Lists: map[string]string{}}
			for name, path := range Files(src.Text) {
				if text, ok := parts[path]; ok {
					src.Lists[name] = text
				}
			}
			v, err := Load(src)
			if err == nil || v != nil {
				t.Fatal("it loads")
			}
			want := strings.TrimRight(parts["errors"], "\n")
			if have := err.Error(); have != want {
				t.Errorf("have:\n%s\nwant:\n%s", have, want)
			}
			for _, e := range Check(src) {
				if e.Line == 0 || e.Column == 0 || e.Text == "" {
					t.Errorf("no place: %v", e)
				}
			}
		})
	}
}

const smallPolicy = `policy: p
currency: EUR
approvers: {default: [approvers]}
rules:
  - name: large
    when: amount >= 5000
    require: {assurance: mfa}
`

func load(t testing.TB, text string) *Version {
	t.Helper()
	v, err := Load(Source{File: "policy.yaml", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVersionIsText: the digest is of the text and the lists, and of nothing else.
func TestVersionIsText(t *testing.T) {
	v := load(t, smallPolicy)
	if want := `{"lists":{},"text":"policy: p\ncurrency: EUR\n`; !strings.HasPrefix(string(v.Canonical()), want) {
		t.Errorf("canonical bytes: %.80s", v.Canonical())
	}
	if again := load(t, smallPolicy); again.Digest() != v.Digest() {
		t.Error("two loads of one text differ")
	}
	if other := load(t, smallPolicy+"# more\n"); other.Digest() == v.Digest() {
		t.Error("another text has the same digest")
	}
	withList := strings.Replace(smallPolicy, "rules:", "lists: {f: {file: f.csv}}\nrules:", 1)
	digests := map[string]bool{}
	for _, row := range []string{"V-1,cfo,x,2027-01-01\n", "V-2,cfo,x,2027-01-01\n"} {
		v, err := Load(Source{Text: []byte(withList), Lists: map[string]string{"f": "value,owner,because,until\n" + row}})
		if err != nil {
			t.Fatal(err)
		}
		digests[string(v.Digest())] = true
	}
	if len(digests) != 2 {
		t.Error("Ruling 8: the content of a list is part of the version's digest")
	}
}

func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"too large":  "policy: p #" + strings.Repeat("x", MaxBytes),
		"not UTF-8":  "policy: \xff\n",
		"empty":      "",
		"two":        smallPolicy + "---\npolicy: q\n",
		"no mapping": "- a\n",
		"not YAML":   "policy: [\n",
		"a tag":      "policy: !!binary aGk=\n",
		"long list":  strings.Replace(smallPolicy, "[approvers]", "["+strings.Repeat("a, ", 1001)+"a]", 1),
		"deep":       "policy: " + strings.Repeat("[", 20000),
		"merge key":  "policy: p\n<<: {currency: EUR}\n",
	} {
		if _, err := Load(Source{File: "p", Text: []byte(text)}); err == nil {
			t.Errorf("%s: it loads", name)
		}
	}
}

func TestGroupsAndCurrencies(t *testing.T) {
	v := load(t, `policy: p
currency: EUR
constants: {c: "5.00 GBP"}
approvers: {default: [b, a]}
watchers: [w]
signals: {over_threshold: [{amount: "100 JPY"}]}
rules:
  - name: one
    when: amount >= usd("10000.00") || amount >= c || signal.over_threshold
    require: {assurance: mfa, approvers: [{count: 1, from: [finance]}, {count: 1, from: [legal]}]}
`)
	if g := v.Groups(); !slices.Equal(g, []string{"a", "b", "finance", "legal", "w"}) {
		t.Errorf("groups %v", g)
	}
	if c := v.Currencies(); !slices.Equal(c, []string{"GBP", "JPY", "USD"}) {
		t.Errorf("currencies %v", c)
	}
}

// FuzzLoad: no text makes loading panic, and what does not load says why.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/load/*.txtar")
	for _, file := range files {
		if a, err := txtar.ParseFile(file); err == nil {
			f.Add(string(a.Files[0].Data))
		}
	}
	f.Add(smallPolicy)
	f.Add("rules: [{when: [], require: {approvers: {from: {}}}}]\ncurrency: EUR\nexceptions: [{rule: {}, when: {}}]\n")
	f.Add("currency: EUR\nlists: {a: {entries: {}}, b: []}\nsignals: {cumulative: {}, over_threshold: [1]}\nrules: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Load(Source{File: "p", Text: []byte(text)})
		if (v == nil) == (err == nil) {
			t.Fatalf("version %v, error %v", v, err)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
		Files([]byte(text))
	})
}
