package policy

import (
	"slices"
	"strings"
)

// Term is one name that a condition may use.
type Term struct {
	Name string `json:"name"` // "vendor.country"
	Type string `json:"type"`
	Doc  string `json:"doc,omitempty"`
}

// Vocabulary lists every name that a condition may use, with its type, for the
// documentation and for editors. Names under finding stand in sentences only.
func Vocabulary() []Term {
	var out []Term
	record := func(name string, t *recordType) {
		for _, f := range t.fields {
			out = append(out, Term{name + "." + f.name, typeWords(f.typ), f.doc})
		}
	}
	for _, v := range variables {
		switch {
		case v.of == customType:
			out = append(out, Term{"custom.NAME", "string", v.doc})
		case v.of == nil:
			out = append(out, Term{v.name, typeWords(v.typ), v.doc})
		case v.typ == v.of.typ:
			record(v.name, v.of)
		default:
			out = append(out, Term{v.name, "list of " + v.of.name, v.doc})
			record(v.of.name, v.of)
		}
	}
	for name := range severities {
		out = append(out, Term{name, "int", "a severity"})
	}
	record("finding", findingRecord)
	slices.SortStableFunc(out, func(a, b Term) int { return strings.Compare(a.Name, b.Name) })
	return out
}
