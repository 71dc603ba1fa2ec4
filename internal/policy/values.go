package policy

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/countersign/countersign/internal/signal"
)

var (
	moneyType    = cel.OpaqueType("money")
	wordListType = cel.OpaqueType("list of the policy")
)

// moneyValue is an amount in a condition. Amounts are compared by [comparison],
// which knows the rates; the equality below holds within one currency only.
type moneyValue struct{ signal.Money }

func (m *moneyValue) Type() ref.Type { return moneyType }
func (m *moneyValue) Value() any     { return m }

func (m *moneyValue) Equal(other ref.Val) ref.Val {
	o, ok := other.(*moneyValue)
	return types.Bool(ok && o.Money == m.Money)
}

func (m *moneyValue) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("an amount is not converted to %v", t)
}

func (m *moneyValue) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("an amount is not converted to %s", t.TypeName())
}

// wordList is a list of the policy. Its entries count until their last day.
type wordList struct {
	name    string
	entries map[string]time.Time // first moment at which the entry no longer counts
}

// listValue is a list as of one moment.
type listValue struct {
	*wordList
	now time.Time
}

func (l *listValue) Type() ref.Type { return wordListType }
func (l *listValue) Value() any     { return l }

func (l *listValue) Equal(other ref.Val) ref.Val {
	o, ok := other.(*listValue)
	return types.Bool(ok && o.wordList == l.wordList)
}

func (l *listValue) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a list is not converted to %v", t)
}

func (l *listValue) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a list is not converted to %s", t.TypeName())
}

// contains reports whether a word stands in the list and counts now; known is
// false when it is not known what now is.
func (l *listValue) contains(word string) (is, known bool) {
	until, ok := l.entries[word]
	return ok && l.now.Before(until), !ok || !l.now.IsZero()
}

// record is a struct of facts in a condition. Reading a field that is missing
// answers "unknown", with the field's name, so that three values work element by
// element; a field that does not exist is an error when the policy is loaded.
type record struct {
	of      *recordType
	fact    any // pointer to the fact; nil: nothing is known
	missing []*types.Unknown
	// nobody says that it is known that there is no such person.
	nobody bool
	// unnamed says that nobody is named: then present is false, whatever else is
	// not known.
	unnamed bool
	a       *activation
}

func (r *record) Type() ref.Type { return r.of.typ }
func (r *record) Value() any     { return r }

func (r *record) Equal(other ref.Val) ref.Val {
	o, ok := other.(*record)
	return types.Bool(ok && o.of == r.of && o.fact == r.fact)
}

func (r *record) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s is not converted to %v", r.of.name, t)
}

func (r *record) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("%s is not converted to %s", r.of.name, t.TypeName())
}

// get reads the field at index i.
func (r *record) get(i int) ref.Val {
	if r.nobody {
		if v := r.of.fields[i].nobody; v != nil {
			return v
		}
		return r.missing[i]
	}
	if r.fact == nil {
		if r.unnamed && r.of.fields[i].name == "present" {
			return types.False
		}
		return r.missing[i]
	}
	if v := r.of.fields[i].get(r); v != nil {
		return v
	}
	return r.missing[i]
}

// recordType is a table of fields.
type recordType struct {
	name   string // as conditions and error messages write it
	typ    *cel.Type
	fields []recordField
}

type recordField struct {
	name   string
	typ    *cel.Type
	doc    string
	get    func(*record) ref.Val // nil: missing
	nobody ref.Val               // the value where it is known that there is nobody
}

func (t *recordType) index(name string) int {
	return slices.IndexFunc(t.fields, func(f recordField) bool { return f.name == name })
}

func (t *recordType) names() []string {
	out := make([]string, len(t.fields))
	for i, f := range t.fields {
		out[i] = f.name
	}
	return out
}

// The readers below turn "missing" as facts write it into nil.

func word(s string) ref.Val {
	if s == "" {
		return nil
	}
	return types.String(s)
}

func instant(t time.Time) ref.Val {
	if t.IsZero() {
		return nil
	}
	return types.Timestamp{Time: t}
}

func calendarDay(s string) ref.Val {
	t, ok := parseDate(s)
	if !ok {
		return nil
	}
	return types.Timestamp{Time: t}
}

func truth(b *bool) ref.Val {
	if b == nil {
		return nil
	}
	return types.Bool(*b)
}

func words(s []string) ref.Val {
	if s == nil {
		return nil
	}
	return types.NewStringList(types.DefaultTypeAdapter, s)
}

func money(m signal.Money) ref.Val {
	if m.IsZero() {
		return nil
	}
	return &moneyValue{m}
}

func moneyAt(m *signal.Money) ref.Val {
	if m == nil {
		return nil
	}
	return money(*m)
}

var emptyList = types.NewRefValList(types.DefaultTypeAdapter, []ref.Val{})

// recordsOf makes the CEL list of a slice; nil where it was not looked up.
func recordsOf[T any](a *activation, of *recordType, missing []*types.Unknown, facts []T) ref.Val {
	if facts == nil {
		return nil
	}
	if len(facts) == 0 {
		return emptyList
	}
	records := make([]record, len(facts))
	vals := make([]ref.Val, len(facts))
	for i := range facts {
		records[i] = record{of: of, fact: &facts[i], missing: missing, a: a}
		vals[i] = &records[i]
	}
	return types.NewRefValList(types.DefaultTypeAdapter, vals)
}

var _ traits.Lister = emptyList
