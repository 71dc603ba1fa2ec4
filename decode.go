package countersign

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// DecodeStrict reads one JSON text into the struct that v points to. Beyond what
// [ParseJSON] refuses, it refuses unknown members, members in another case, null,
// and values of another type; the error is a [Problem] that names every place it
// found, as JSON pointers (RFC 6901).
func DecodeStrict(data []byte, v any) error {
	n, err := ParseJSON(data)
	if err != nil {
		return NewProblem(CodeMalformed, "%s", err)
	}
	return n.Decode(v)
}

// Decode reads the node into the struct that v points to, as strictly as
// [DecodeStrict].
func (n *Node) Decode(v any) error { return n.DecodeAt(v, "") }

// DecodeAt is Decode for a node that stands somewhere inside a body: the pointers of
// the error start there.
func (n *Node) DecodeAt(v any, pointer string) error {
	d := &decoder{}
	d.value(n, reflect.ValueOf(v).Elem(), pointer)
	if len(d.errors) > 0 {
		return Invalid(d.errors...)
	}
	return nil
}

type decoder struct{ errors []FieldError }

const maxFieldErrors = 20

func (d *decoder) fail(pointer, format string, args ...any) {
	if len(d.errors) < maxFieldErrors {
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
			d.value(mem.value, e, at+"/"+escapePointer(mem.name))
			m.SetMapIndex(reflect.ValueOf(mem.name), e)
		}
		v.Set(m)
	case reflect.Struct:
		d.object(n, v, at)
	default:
		panic("countersign: DecodeStrict into " + v.Type().String()) // a programmer's error, found by the first test
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
			d.fail(at+"/"+escapePointer(clip(m.name)), "%s", unknownMember(m.name, fields))
			continue
		}
		d.value(m.value, v.FieldByIndex(i), at+"/"+escapePointer(m.name))
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

func escapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
