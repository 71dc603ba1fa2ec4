package jcs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestRuling34StrictJSON: what encoding/json lets pass is refused, with its place.
func TestRuling34StrictJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"a":2}`:             `member "a" stands twice`,
		`{"a":1,"\u0061":2}`:        `member "a" stands twice`,
		`{} {}`:                     "more data",
		`{}x`:                       "more data",
		"":                          "ends where a value",
		`{"a"`:                      "want ':'",
		`{"a":1,}`:                  "name of a member",
		`{a:1}`:                     "name of a member",
		`[1,]`:                      "unexpected",
		`[1 2]`:                     "want ','",
		`"\ud800"`:                  "lone surrogate",
		`"\udc00"`:                  "lone surrogate",
		`"\ud800\u0041"`:            "lone surrogate",
		`"\ud800x"`:                 "lone surrogate",
		`"\u12g4"`:                  "hexadecimal",
		`"\u+123"`:                  "hexadecimal",
		`"\x"`:                      "unknown escape",
		"\"a\nb\"":                  "control character",
		"\"\\n\nb\"":                "control character",
		`"abc`:                      "does not end",
		`"abc\`:                     "does not end",
		"\"\xff\"":                  "UTF-8",
		"\xef\xbb\xbf{}":            "unexpected",
		`1e400`:                     "outside",
		`01`:                        "not a number",
		`-`:                         "not a number",
		`1.`:                        "not a number",
		`1e`:                        "not a number",
		`.5`:                        "unexpected",
		`+1`:                        "unexpected",
		`NaN`:                       "unexpected",
		`nul`:                       "unexpected",
		`TRUE`:                      "unexpected",
		strings.Repeat("[", 66):     "levels deep",
		strings.Repeat(`{"a":`, 66): "levels deep",
	} {
		_, err := Parse([]byte(text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	_, err := Parse([]byte("{\n\"a\": 1,\n\"a\": 2}"))
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != 3 || syntax.Offset != 10 {
		t.Errorf("%+v", syntax)
	}
}

// TestLargeObjectsFindRepetitions: the search by map, for large objects, finds what
// the search by list does.
func TestLargeObjectsFindRepetitions(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 40} {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			b.WriteString(`"k` + strings.Repeat("x", i) + `":1,`)
		}
		for i := range n {
			name := "k" + strings.Repeat("x", i)
			if _, err := Parse([]byte(b.String() + `"` + name + `":2}`)); err == nil {
				t.Errorf("%d members, %q twice: accepted", n, name)
			}
		}
		node, err := Parse([]byte(b.String() + `"last":"v"}`))
		if err != nil || node.Member("last") == nil || node.Member("none") != nil || node.Member("last").Member("x") != nil {
			t.Errorf("%d members: %v", n, err)
		}
	}
}

// FuzzParseJSON: what is accepted, encoding/json accepts too.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\ud83d\ude02"],"b":{"c":null}}`, `"\ud800"`, `[[[]]]`, ` 1 `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse(data)
		if err == nil && (!json.Valid(data) || n == nil) {
			t.Fatalf("%q is not JSON and is accepted", data)
		}
	})
}
