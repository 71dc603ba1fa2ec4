package countersign

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

// TestCanonicalOfAnyValue: Canonical, the direct writers and another implementation
// agree on random texts.
func TestCanonicalOfAnyValue(t *testing.T) {
	rng := rand.New(rand.NewPCG(8785, 1))
	alphabet := []rune("aAzZ09 \"\\/<>&\u0000\b\t\n\f\r\u001f\u007f\u0080éß€\u2028\u2029\ufb33\uffff\U0001f602\U00010000")
	text := func() string {
		var b strings.Builder
		for range rng.IntN(6) {
			b.WriteRune(alphabet[rng.IntN(len(alphabet))])
		}
		if rng.IntN(50) == 0 {
			b.WriteString("\xff\xc3") // not UTF-8: written as encoding/json writes it
		}
		return b.String()
	}
	texts := func() map[string]string {
		m := map[string]string{}
		for range rng.IntN(5) {
			k := text()
			if strings.ContainsRune(k, '\xff') || !json.Valid([]byte(`"x"`)) {
				continue
			}
			m[strings.ToValidUTF8(k, "")] = text()
		}
		return m
	}
	for range 3000 {
		leaf := Leaf{Version: rng.IntN(3), ID: text(), Org: text(), Type: EntryType(text()), Time: text(), Subject: text(), Actor: text(), Facts: texts(), Commitments: texts()}
		want, err := Canonical(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.Bytes(); !bytes.Equal(got, want) {
			t.Fatalf("leaf %s, want %s", got, want)
		}
		raw, err := json.Marshal(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := jcs.Transform(raw); err != nil || !bytes.Equal(other, want) {
			t.Fatalf("another implementation: %s, %v; ours %s", other, err, want)
		}
		openings := map[string]Opening{}
		for k, v := range texts() {
			openings[k] = Opening{Salt: text(), Value: v}
		}
		r := Receipt{Type: text(), Org: text(), Origin: text(), Request: text(), Status: Status(text()), Founding: rng.IntN(2) == 0, Summary: text(),
			Entries: []ReceiptEntry{{Role: text(), Leaf: text(), Openings: openings, Proof: text()}, {Openings: map[string]Opening{}}}[:1+rng.IntN(2)]}
		if want, err = Canonical(r); err != nil || !bytes.Equal(r.Bytes(), want) {
			t.Fatalf("receipt %s, want %s (%v)", r.Bytes(), want, err)
		}
	}
	if got := (Leaf{}).Bytes(); !bytes.Contains(got, []byte(`"commitments":{},"facts":{}`)) {
		t.Errorf("an empty leaf: %s", got)
	}
}

func TestDigest(t *testing.T) {
	d := SumBytes(nil)
	if d != "sha-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" || !d.Valid() || !d.Equal(d) || d.Equal("") {
		t.Error(d)
	}
	for _, bad := range []string{"", "sha-256:", string(d)[8:], strings.ToUpper(string(d)), string(d) + "0", string(d[:71]), strings.Replace(string(d), "e", "g", 1), "sha-512:" + string(d)[8:]} {
		if _, err := ParseDigest(bad); err == nil || Digest(bad).Valid() {
			t.Errorf("%q is taken for a digest", bad)
		}
	}
}
