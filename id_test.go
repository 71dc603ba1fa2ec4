package countersign

import (
	"strings"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	at := time.UnixMilli(1795500000123)
	seen := map[string]bool{}
	last := ""
	for i := range 2000 {
		id := NewID(PrefixRequest, at.Add(time.Duration(i)*time.Millisecond))
		if !IsID(PrefixRequest, id) || IsID(PrefixDecision, id) || seen[id] {
			t.Fatalf("%q", id)
		}
		if id <= last {
			t.Fatalf("%q made after %q sorts before it", id, last)
		}
		seen[id], last = true, id
	}
	if got := encodeCrockford([16]byte{}); got != strings.Repeat("0", 26) {
		t.Error(got)
	}
	var ones [16]byte
	for i := range ones {
		ones[i] = 0xFF
	}
	if got := encodeCrockford(ones); got != "7"+strings.Repeat("z", 25) {
		t.Error(got)
	}
	good := NewID(PrefixPerson, at)
	for _, bad := range []string{"", "per_", good[:29], good + "0", strings.ToUpper(good), strings.Replace(good, "_", "-", 1), "per_8" + good[5:], good[:29] + "i", good[:29] + "u", " " + good} {
		if IsID(PrefixPerson, bad) {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}
