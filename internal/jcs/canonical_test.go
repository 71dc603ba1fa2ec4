package jcs

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

// sharedVectors reads a file of the standards' test vectors, or skips the test
// where they are absent.
func sharedVectors(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../../shared/vectors/" + path)
	if err != nil {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("the shared test vectors are absent: %v", err)
	}
	return data
}

// TestJCSVectors runs the vectors that RFC 8785's author published.
func TestJCSVectors(t *testing.T) {
	for _, name := range []string{"arrays", "french", "structures", "unicode", "values", "weird"} {
		input := sharedVectors(t, "jcs/input/"+name+".json")
		want, err := hex.DecodeString(strings.Join(strings.Fields(string(sharedVectors(t, "jcs/outhex/"+name+".txt"))), ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonicalize(input)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s %v", name, got, err)
		}
		if !IsCanonical(want) || IsCanonical(append(want, '\n')) {
			t.Errorf("%s: its canonical form is not told from another", name)
		}
	}
}

// TestNumbers takes the sample numbers of RFC 8785 appendix B, given as the bits of
// the double.
func TestNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308", 0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000", 0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23", 0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21", 0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001", 0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333", 0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := string(appendNumber(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%016x: %s, want %s", bits, got, want)
		}
	}
}

// FuzzCanonicalize: what we accept, another implementation of RFC 8785 writes the
// same way; the result is stable, and says what the text said.
func FuzzCanonicalize(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[true,null,1e3]}`, `"\ud83d\ude02"`, `{"a":1,"a":2}`, `[1e400]`, `"\ud800"`, `{} {}`, "\xff", `-0`, `1E-7`, `{"\u20ac":"\r","\ufb33":"\ud83d\ude02"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Canonicalize(data)
		if err != nil {
			return
		}
		if !json.Valid(data) || !json.Valid(got) {
			t.Fatalf("%q is not JSON, or its canonical form %q is not", data, got)
		}
		again, err := Canonicalize(got)
		if err != nil || !bytes.Equal(again, got) || !IsCanonical(got) {
			t.Fatalf("%q becomes %q and then %q", data, got, again)
		}
		if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
			other, err := jcs.Transform(data)
			if err != nil || !bytes.Equal(other, got) {
				t.Fatalf("%q: ours %q, another implementation %q (%v)", data, got, other, err)
			}
		}
	})
}
