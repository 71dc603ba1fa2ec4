package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed texts
var textFiles embed.FS

// Texts is the catalogue of one language: every text of every page by its key, so that
// a translation is one more folder. A text may have {placeholders}.
type Texts struct {
	lang  string
	texts map[string]string
}

// loadTexts reads the catalogue of a language: all files of its folder together.
func loadTexts(lang string) (*Texts, error) {
	t := &Texts{lang: lang, texts: map[string]string{}}
	files, err := fs.Glob(textFiles, "texts/"+lang+"/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		data, err := textFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var part map[string]string
		if err := json.Unmarshal(data, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for k, text := range part {
			if _, twice := t.texts[k]; twice {
				return nil, fmt.Errorf("%s: the text %q stands in another file too", name, k)
			}
			t.texts[k] = text
		}
	}
	return t, nil
}

// T returns a text. Args are the placeholders' names and values in turn. A key that
// is not in the catalogue comes back as it is: a test finds it before anybody does.
func (t *Texts) T(key string, args ...any) string {
	text, ok := t.texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+fmt.Sprint(args[i])+"}", fmt.Sprint(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// N returns the text for a number of things: key.one or key.other, with {n}.
func (t *Texts) N(key string, n int, args ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return t.T(key+form, append(args, "n", n)...)
}

// has reports whether the catalogue knows a key.
func (t *Texts) has(key string) bool { _, ok := t.texts[key]; return ok }
