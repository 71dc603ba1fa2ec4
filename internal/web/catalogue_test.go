package web

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	usedInTemplate = regexp.MustCompile(`\b(t|tn) "([a-z0-9_.]+)"`)
	usedInCode     = regexp.MustCompile(`\b(?:T|N|t|tn)\("([a-z0-9_.]+)"`)
	// A key that is put together begins with a text that ends in a dot.
	putTogether = regexp.MustCompile(`"([a-z0-9_]+(?:\.[a-z0-9_]+)*\.)"`)
	composed    = regexp.MustCompile(`\(printf "([a-z0-9_.]+)\.%s"`)
	placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)
)

func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		if ext := filepath.Ext(name); ext == ".go" || ext == ".html" {
			b, err := os.ReadFile(name)
			all[name] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEveryTextIsInTheCatalogue finds keys that nobody wrote a text for, and texts
// that no page uses.
func TestEveryTextIsInTheCatalogue(t *testing.T) {
	texts, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	used, prefixes := map[string]bool{}, map[string]bool{}
	for name, src := range sources(t) {
		want := usedInCode
		if strings.HasSuffix(name, ".html") {
			want = usedInTemplate
		}
		for _, m := range want.FindAllStringSubmatch(src, -1) {
			key := m[len(m)-1]
			used[key] = true
			if !texts.has(key) && !texts.has(key+".other") && !strings.HasSuffix(key, ".") {
				t.Errorf("%s: no text for %q", name, key)
			}
		}
		for _, m := range putTogether.FindAllStringSubmatch(src, -1) {
			prefixes[m[1]] = true
		}
		for _, m := range composed.FindAllStringSubmatch(src, -1) {
			prefixes[m[1]+"."] = true
		}
		// A key may also stand alone in a table of keys.
		for key := range texts.texts {
			if strings.Contains(src, `"`+key+`"`) {
				used[key] = true
			}
		}
	}
	for key := range texts.texts {
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		known := used[key] || used[base]
		for p := range prefixes {
			known = known || strings.HasPrefix(key, p)
		}
		if !known {
			t.Errorf("the text %q is used by no page", key)
		}
	}
}

// TestPluralsAreWhole finds a number's text that lacks one of its forms, or whose
// forms have different placeholders.
func TestPluralsAreWhole(t *testing.T) {
	texts, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	for key, one := range texts.texts {
		if base, ok := strings.CutSuffix(key, ".one"); ok {
			other := texts.texts[base+".other"]
			if other == "" {
				t.Errorf("%s has no form .other", base)
			}
			for _, m := range placeholder.FindAllStringSubmatch(one, -1) {
				if m[1] != "n" && !strings.Contains(other, m[0]) {
					t.Errorf("%s: %s stands in .one only", base, m[0])
				}
			}
		}
	}
}

// TestTemplatesHaveNoTextOfTheirOwn keeps every word that people read in the
// catalogue.
func TestTemplatesHaveNoTextOfTheirOwn(t *testing.T) {
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tags := regexp.MustCompile(`(?s)<!?[^<>]*>`)
	word := regexp.MustCompile(`[A-Za-z]{2,}`)
	allowed := map[string]bool{"Countersign": true, "doctype": true, "NotAllowedError": true, "InvalidStateError": true, "SecurityError": true, "NotSupportedError": true, "AbortError": true, "TypeError": true}
	for name, src := range sources(t) {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		text := tags.ReplaceAllString(action.ReplaceAllString(src, " "), " ")
		for _, w := range word.FindAllString(text, -1) {
			if !allowed[w] {
				t.Errorf("%s: %q stands in the template, not in the catalogue", name, w)
			}
		}
	}
}
