package countersign

import (
	"bytes"
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
	err := DecodeStrict([]byte(`{"Name":"x","nme":1,"name":null,"count":1.5,"big":"1","yes":1,"list":[{"name":2}],"map":{"a/b~":1},"ptr":[]}`), &v)
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeInvalid {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, e := range p.Errors {
		have[e.Pointer] = e.Detail
	}
	for at, want := range map[string]string{"/Name": `did you mean "name"`, "/nme": "unknown member", "/name": "null", "/count": "whole number", "/big": "whole number",
		"/yes": "true or false", "/list/0/name": "a string", "/map/a~1b~0": "a string", "/ptr": "an object"} {
		if !strings.Contains(have[at], want) {
			t.Errorf("%s: %q, want %q", at, have[at], want)
		}
	}
	for _, bad := range []string{`1.0`, `1e2`, `-0`, `9007199254740993`, `9007199254740992`, `1E1`} {
		if err := DecodeStrict([]byte(`{"big":`+bad+`}`), &v); err == nil {
			t.Errorf("%s is taken for a whole number", bad)
		}
	}
	if err := DecodeStrict([]byte(`{"-":"x"}`), &v); err == nil {
		t.Error("a field that is not in JSON is set")
	}
	if err := DecodeStrict([]byte(`{`), &v); !errors.As(err, &p) || p.Code != CodeMalformed {
		t.Error(err)
	}
	if err := DecodeStrict([]byte(`[]`), &v); err == nil {
		t.Error("a list is taken for an object")
	}
	many := `{` + strings.TrimSuffix(strings.Repeat(`"k":{},`, 1), ",") + `}`
	if err := DecodeStrict([]byte(many), &v); err == nil {
		t.Error("unknown member accepted")
	}
}

func TestDecodeStrictReadsEverything(t *testing.T) {
	var v decoded
	text := `{"name":"n","count":-3,"big":9007199254740991,"yes":true,"list":[{"name":"m"}],"map":{"k":"v"},"ptr":{"yes":false},"raw": {"b":1,"a":null}}`
	if err := DecodeStrict([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "n" || v.Count != -3 || v.Big != 9007199254740991 || !v.Yes || v.List[0].Name != "m" || v.Map["k"] != "v" || v.Ptr == nil || string(v.Raw) != `{"a":null,"b":1}` {
		t.Errorf("%+v", v)
	}
}

// The members of an embedded struct are the outer one's, as encoding/json writes them:
// what a client sends is what the server reads.
func TestDecodeEmbedded(t *testing.T) {
	want := AccountFact{Account: Account{Scheme: "iban", Value: "DE89370400440532013000", Holder: "Nord"}, ChangedAt: "2026-01-05"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var have AccountFact
	if err := DecodeStrict(text, &have); err != nil || have != want {
		t.Errorf("%s is read as %+v: %v", text, have, err)
	}
	if err := DecodeStrict([]byte(`{"scheme":"iban","account":{}}`), &have); err == nil {
		t.Error("the embedded struct's own name is a member")
	}
}

// FuzzDecodeStrict: what is decoded, encoding/json decodes to the same, and what is
// written again and read again stays the same.
func FuzzDecodeStrict(f *testing.F) {
	f.Add([]byte(`{"kind":"invoice","id":"1","revision":"a","amount":{"value":"900.00","currency":"EUR"},"requester":{"type":"person","id":"u"}}`))
	f.Add([]byte(`{"Kind":"invoice"}`))
	f.Add([]byte(`{"custom":{"a":"b"},"flags":["urgent"],"terms":{"payment_days":30}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Document
		if DecodeStrict(data, &d) != nil {
			return
		}
		_ = d.Validate("")
		var other Document
		if err := json.Unmarshal(data, &other); err != nil {
			t.Fatalf("%q: encoding/json refuses: %v", data, err)
		}
		a, err := Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Canonical(other)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%q: read as %s and by encoding/json as %s", data, a, b)
		}
	})
}
