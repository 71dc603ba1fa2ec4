package notify

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign"
)

//go:embed texts
var textFiles embed.FS

// texts is the catalogue of one language: every text of every mail by its key.
type texts struct {
	lang string
	all  map[string]string
}

func loadTexts(lang string) (*texts, error) {
	data, err := textFiles.ReadFile("texts/" + lang + ".json")
	if err != nil {
		return nil, err
	}
	t := &texts{lang: lang}
	if err := json.Unmarshal(data, &t.all); err != nil {
		return nil, fmt.Errorf("texts/%s.json: %w", lang, err)
	}
	return t, nil
}

// t returns a text. Args are the placeholders' names and values in turn. A key that is
// not there comes back as it is: a test finds it before anybody does.
func (t *texts) t(key string, args ...string) string {
	text, ok := t.all[key]
	if !ok {
		return key
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+args[i]+"}", args[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// maybe returns a text, or nothing where the catalogue has none.
func (t *texts) maybe(key string, args ...string) string {
	if _, ok := t.all[key]; !ok {
		return ""
	}
	return t.t(key, args...)
}

// kind is the name of a kind of documents; what has none there keeps its own.
func (t *texts) kind(kind string) string {
	if text := t.maybe("kind." + kind); text != "" {
		return text
	}
	return said(countersign.KindInWords(kind), maxNameShown)
}
