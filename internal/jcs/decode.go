package jcs

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// FieldError names one wrong place of a text.
type FieldError struct {
	Pointer string // JSON pointer (RFC 6901)
	Detail  string
}

// DecodeError names the places in which a text does not fit what it is read into.
type DecodeError struct{ Fields []FieldError }

func (e *DecodeError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Pointer + ": " + f.Detail)
	}
	return b.String()
}

// Decode reads one JSON text into the struct that v points to. Beyond what [Parse]
// refuses with a [*SyntaxError], it refuses unknown members, members in another case,
// null, and values of another type; the error is then a [*DecodeError].
func Decode(data []byte, v any) error {
	n, err := Parse(data)
	if err != nil {
		return err
	}
	return n.Decode(v)
}

// Decode reads the node into the struct that v points to, as strictly as [Decode].
func (n *Node) Decode(v any) error { return n.DecodeAt(v, "") }

// DecodeAt is Decode for a node that stands somewhere inside a body: the pointers of
// the error start there.
func (n *Node) DecodeAt(v any, pointer string) error {
	d := &decoder{}
	d.value(n, reflect.ValueOf(v).Elem(), pointer)
	if len(d.errors) > 0 {
		return &DecodeError{Fields: d.errors}
	}
	return nil
}

type decoder struct{ errors []FieldError }

// MaxFieldErrors is how many wrong places are named at most.
const MaxFieldErrors = 20

func (d *decoder) fail(pointer, format string, args ...any) {
	if len(d.errors) < MaxFieldErrors {
		d.errors = append(d.errors, FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
}

var rawType = reflect.TypeFor[json.RawMessage]()

func (d *decoder) value(n *Node, v reflect.Value, at string) {
	if v.Type() == rawType {
		v.SetBytes(n.Canonical())
		return
	}
	if n.kind == kindNull {
		d.fail(at, "null is not accepted: leave the member out instead")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), at)
	case reflect.String:
		if n.kind != kindString {
			d.wrong(n, "a string", at)
			return
		}
		v.SetString(n.text)
	case reflect.Bool:
		if n.kind != kindBool {
			d.wrong(n, "true or false", at)
			return
		}
		v.SetBool(n.text == "true")
	case reflect.Int, reflect.Int64:
		if n.kind != kindNumber || n.number != math.Trunc(n.number) || math.Abs(n.number) > 1<<53-1 ||
			strconv.FormatInt(int64(n.number), 10) != n.text {
			d.wrong(n, "a whole number written in digits", at)
			return
		}
		v.SetInt(int64(n.number))
	case reflect.Slice:
		if n.kind != kindArray {
			d.wrong(n, "a list", at)
			return
		}
		s := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
		for i, item := range n.items {
			d.value(item, s.Index(i), at+"/"+strconv.Itoa(i))
		}
		v.Set(s)
	case reflect.Map:
		if n.kind != kindObject {
			d.wrong(n, "an object", at)
			return
		}
		m := reflect.MakeMapWithSize(v.Type(), len(n.members))
		for _, mem := range n.members {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(mem.value, e, at+"/"+EscapePointer(mem.name))
			m.SetMapIndex(reflect.ValueOf(mem.name), e)
		}
		v.Set(m)
	case reflect.Struct:
		d.object(n, v, at)
	default:
		panic("jcs: Decode into " + v.Type().String()) // a programmer's error, found by the first test
	}
}

func (d *decoder) wrong(n *Node, want, at string) {
	d.fail(at, "want %s, have %v", want, n.kind)
}

func (d *decoder) object(n *Node, v reflect.Value, at string) {
	if n.kind != kindObject {
		d.wrong(n, "an object", at)
		return
	}
	fields := fieldsOf(v.Type())
	for _, m := range n.members {
		i, ok := fields[m.name]
		if !ok {
			d.fail(at+"/"+EscapePointer(Clip(m.name)), "%s", unknownMember(m.name, fields))
			continue
		}
		d.value(m.value, v.FieldByIndex(i), at+"/"+EscapePointer(m.name))
	}
}

func unknownMember(name string, fields map[string][]int) string {
	for known := range fields {
		if strings.EqualFold(known, name) || strings.EqualFold(strings.ReplaceAll(known, "_", ""), strings.ReplaceAll(name, "-", "")) {
			return fmt.Sprintf("unknown member; did you mean %q?", known)
		}
	}
	return "unknown member"
}

var fieldCache sync.Map // reflect.Type → map[string][]int

// fieldsOf maps the members of a struct to where their fields are. The members of an
// embedded struct are its own, as encoding/json writes them.
func fieldsOf(t reflect.Type) map[string][]int {
	if m, ok := fieldCache.Load(t); ok {
		return m.(map[string][]int)
	}
	m := make(map[string][]int, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for inner, path := range fieldsOf(f.Type) {
				if _, outer := m[inner]; !outer {
					m[inner] = append([]int{i}, path...)
				}
			}
		case name != "" && name != "-":
			m[name] = []int{i}
		}
	}
	fieldCache.Store(t, m)
	return m
}

// EscapePointer writes the name of a member as a part of a JSON pointer.
func EscapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
