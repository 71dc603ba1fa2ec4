package countersign

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

// TestStrictReadingInOurWords: what the room below finds is said in this package's
// types, with the same words.
func TestStrictReadingInOurWords(t *testing.T) {
	var p *Problem
	if err := DecodeStrict([]byte(`{`), new(Document)); !errors.As(err, &p) || p.Code != CodeMalformed ||
		p.Detail != "JSON line 1, byte 1: want the name of a member" {
		t.Errorf("%#v", err)
	}

	err := DecodeStrict([]byte(`{"Kind":"invoice","lines":[{"number":1}]}`), new(Document))
	if !errors.As(err, &p) || p.Code != CodeInvalid || len(p.Errors) != 2 ||
		p.Errors[1] != (FieldError{Pointer: "/lines/0/number", Detail: "want a string, have a number"}) ||
		p.Detail != `/Kind: unknown member; did you mean "kind"?; /lines/0/number: want a string, have a number` {
		t.Errorf("%#v", err)
	}

	var syntax *SyntaxError
	for _, call := range []func() error{
		func() error { _, err := Canonicalize([]byte("{}\n{}")); return err },
		func() error { _, err := Compare([]byte("{}"), []byte("{}\n{}")); return err },
	} {
		if err := call(); !errors.As(err, &syntax) || *syntax != (SyntaxError{Offset: 3, Line: 2, Reason: "more data after the value"}) {
			t.Errorf("%#v", err)
		}
	}

	have, err := Compare([]byte(`{"a":1,"b":"x"}`), []byte(`{"b":"y","c":[]}`))
	if want := []Difference{{"/a", "1", ""}, {"/b", "x", "y"}, {"/c", "", "[]"}}; err != nil || !slices.Equal(have, want) {
		t.Errorf("%v, %v", have, err)
	}
	if have, err := Compare([]byte(`{"a":1}`), []byte(`{"a":1.0}`)); err != nil || have != nil {
		t.Errorf("%v, %v", have, err)
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
