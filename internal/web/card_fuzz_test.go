package web

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// FuzzCard: whatever bytes come, a card is made of all of them or of none; and a card
// that is made is well formed and has every member on it.
func FuzzCard(f *testing.F) {
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte(`{"id":"1","kind":"x","requester":{"id":"","type":""},"revision":""}`), []byte(nil))
	f.Add([]byte(`{"dates":{},"id":"1","kind":"x","payee":{},"requester":{"id":"a","type":"b"},"revision":"1","terms":{}}`), []byte(`{"id":"2","kind":"y","requester":{"id":"","type":""},"revision":""}`))
	f.Add(canonical(f, sample()), canonical(f, bankChange()))
	f.Add(canonical(f, bankChange()), canonical(f, sample()))
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 3))
		f.Add(canonical(f, randomDocument(r)), canonical(f, randomDocument(r)))
	}
	tx := english(f)
	f.Fuzz(func(t *testing.T, now, earlier []byte) {
		if len(earlier) == 0 {
			earlier = nil
		}
		c, err := Card(now, earlier, Format{}, tx)
		if err != nil {
			return
		}
		got := readCard(t, writeCard(t, c), Format{})
		for at, text := range leaves(t, now) {
			if attribute(at) != at {
				continue // named by an attribute that shows no such characters
			}
			if shown, ok := got.members[at]; !ok || shown != text {
				t.Fatalf("%s is %q on the card, in the document %q", at, shown, text)
			}
		}
		if c.Text() == "" {
			t.Fatal("no text")
		}
	})
}

// FuzzParts: what is shown of a value gives the value back, cut and marked as it may be.
func FuzzParts(f *testing.F) {
	for _, s := range pieces {
		f.Add(s, "a"+s)
	}
	f.Add("DE89370400440532013000", "DE89370400440532018000")
	f.Fuzz(func(t *testing.T, s, was string) {
		if !utf8.ValidString(s) || !utf8.ValidString(was) {
			t.Skip("a document holds valid text only")
		}
		for _, kind := range []valueKind{kindLine, kindText, kindID, kindAccount, kindDigest} {
			parts := markedParts(s, was, kind)
			head, rest := foldParts(parts)
			var back string
			for _, p := range append(append([]Part(nil), head...), rest...) {
				if p.Escape {
					back += unescape(t, p.Text)
				} else {
					back += p.Text
				}
			}
			if back != s {
				t.Fatalf("%q came back as %q", s, back)
			}
			if s != was && s != "" {
				marked := false
				for _, p := range parts {
					marked = marked || p.Changed
				}
				if !marked {
					t.Fatalf("%q was %q, and nothing is marked", s, was)
				}
			}
		}
	})
}
