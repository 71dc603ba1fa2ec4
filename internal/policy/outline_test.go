package policy

import (
	"os"
	"strings"
	"testing"
)

// TestOutline: each rule is where its name stands, and every list tells its entries
// with their last day, whether they stand in the policy or beside it.
func TestOutline(t *testing.T) {
	text, err := os.ReadFile("../../policies/procurement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Load(Source{File: "procurement.yaml", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	o, lines := OutlineOf(text, nil), strings.Split(string(text), "\n")
	if o.Name != v.Name() || len(o.Rules) != len(v.Rules()) {
		t.Fatalf("%s with %d rules, want %s with %d", o.Name, len(o.Rules), v.Name(), len(v.Rules()))
	}
	for i, r := range o.Rules {
		if want := v.Rules()[i]; r.Name != want.Name || r.Deny != want.Deny || !strings.Contains(lines[r.Line-1], "name: "+r.Name) {
			t.Errorf("rule %q in line %d: %s", r.Name, r.Line, lines[r.Line-1])
		}
	}
	o = OutlineOf([]byte("policy: p\nlists:\n  known:\n    entries:\n      - {value: V-1, owner: cfo, because: contract, until: 2027-12-31}\n  other: {file: other.csv}\n"),
		map[string]string{"other": "value,owner,because,until\nV-2,cfo,\"a, b\",2027-01-31\nbroken\nV-3,cfo,c,soon\n"})
	if len(o.Lists) != 2 || o.Lists[0].Line != 3 || o.Lists[0].Entries[0].Until.Format("2006-01-02") != "2028-01-01" {
		t.Fatalf("%+v", o.Lists)
	}
	if l := o.Lists[1]; l.File != "other.csv" || len(l.Entries) != 2 || l.Entries[0].Because != "a, b" || l.Entries[0].Until.Format("2006-01-02") != "2027-02-01" || !l.Entries[1].Until.IsZero() {
		t.Errorf("%+v", l)
	}
	for _, odd := range []string{"", "::", "- a", "rules: x", "rules: [x, {name: [a]}, {name: 'No'}]", "lists: [a]", "lists: {a: b}", "a: &x 1"} {
		if o := OutlineOf([]byte(odd), nil); len(o.Rules) != 0 {
			t.Errorf("%q has %+v", odd, o)
		}
	}
}
