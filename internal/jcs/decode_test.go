package jcs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type decoded struct {
	Name  string            `json:"name"`
	Count int               `json:"count,omitempty"`
	Big   int64             `json:"big"`
	Yes   bool              `json:"yes"`
	List  []decoded         `json:"list"`
	Map   map[string]string `json:"map"`
	Ptr   *decoded          `json:"ptr"`
	Raw   json.RawMessage   `json:"raw"`
	Minus string            `json:"-"`
}

// TestRuling34StrictDecoding: exact case, no unknown member, no null, no value of
// another type; every wrong place is named.
func TestRuling34StrictDecoding(t *testing.T) {
	var v decoded
	err := Decode([]byte(`{"Name":"x","nme":1,"name":null,"count":1.5,"big":"1","yes":1,"list":[{"name":2}],"map":{"a/b~":1},"ptr":[]}`), &v)
	var wrong *DecodeError
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, e := range wrong.Fields {
		have[e.Pointer] = e.Detail
	}
	for at, want := range map[string]string{"/Name": `did you mean "name"`, "/nme": "unknown member", "/name": "null", "/count": "whole number", "/big": "whole number",
		"/yes": "true or false", "/list/0/name": "a string", "/map/a~1b~0": "a string", "/ptr": "an object"} {
		if !strings.Contains(have[at], want) {
			t.Errorf("%s: %q, want %q", at, have[at], want)
		}
	}
	for _, bad := range []string{`1.0`, `1e2`, `-0`, `9007199254740993`, `9007199254740992`, `1E1`} {
		if err := Decode([]byte(`{"big":`+bad+`}`), &v); err == nil {
			t.Errorf("%s is taken for a whole number", bad)
		}
	}
	if err := Decode([]byte(`{"-":"x"}`), &v); err == nil {
		t.Error("a field that is not in JSON is set")
	}
	if err := Decode([]byte(`{`), &v); !errors.As(err, new(*SyntaxError)) {
		t.Error(err)
	}
	if err := Decode([]byte(`[]`), &v); err == nil {
		t.Error("a list is taken for an object")
	}
	many := `{` + strings.TrimSuffix(strings.Repeat(`"k":{},`, 1), ",") + `}`
	if err := Decode([]byte(many), &v); err == nil {
		t.Error("unknown member accepted")
	}
}

func TestDecodeReadsEverything(t *testing.T) {
	var v decoded
	text := `{"name":"n","count":-3,"big":9007199254740991,"yes":true,"list":[{"name":"m"}],"map":{"k":"v"},"ptr":{"yes":false},"raw": {"b":1,"a":null}}`
	if err := Decode([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "n" || v.Count != -3 || v.Big != 9007199254740991 || !v.Yes || v.List[0].Name != "m" || v.Map["k"] != "v" || v.Ptr == nil || string(v.Raw) != `{"a":null,"b":1}` {
		t.Errorf("%+v", v)
	}
}
