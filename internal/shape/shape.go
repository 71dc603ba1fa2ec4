// Package shape describes what may stand in a policy file, place by place: for the strict
// check, for the JSON Schema, and for the signals, each of which says what its own
// settings look like.
package shape

import (
	"strconv"
	"strings"
)

// Form says what kind of value stands at a place of the policy file.
type Form int

const (
	Object   Form = iota // named fields
	Named                // any names, one shape of value
	List                 // a list of one shape
	Text                 // a string
	Whole                // a whole number, written in digits
	Boolean              // true or false
	Duration             // 90s, 15m, 24h, 7d, 2w
	Date                 // 2027-03-31
	Amount               // 30000, 30000.50, "10000.00 USD" or the name of a constant
	Constant             // any scalar
	Either               // one of several shapes, told apart by YAML's kind of node
	Free                 // whatever is there; read by somebody else
)

// Shape describes one place of the file. It is used twice: to check a text strictly,
// with the place of every mistake, and to write the JSON Schema for editors.
type Shape struct {
	Form     Form
	Doc      string
	Fields   []Field  // Object
	Item     *Shape   // Named, List
	Choices  []string // Text: the only values
	Pattern  string   // Text and names of Named
	Least    int      // Whole: minimum; List: fewest items
	Most     int      // Whole: maximum, 0: none; List: most items
	Variants []*Shape // Either
}

// Field is one field of an Object.
type Field struct {
	Name     string
	Required bool
	Shape    *Shape
}

// Required is a field that must be there.
func Required(name string, s *Shape) Field { return Field{Name: name, Required: true, Shape: s} }

// Optional is a field that may be left out.
func Optional(name string, s *Shape) Field { return Field{Name: name, Shape: s} }

// GroupPattern is how a group may be called.
const GroupPattern = `^[^\s,][^,]{0,98}[^\s,]$|^[^\s,]$`

// TextOf is any text that is not empty.
func TextOf(doc string) *Shape { return &Shape{Form: Text, Doc: doc} }

// OneOf is one of some words.
func OneOf(doc string, words ...string) *Shape { return &Shape{Form: Text, Doc: doc, Choices: words} }

// ListOf is a list of at least one item.
func ListOf(doc string, item *Shape) *Shape {
	return &Shape{Form: List, Doc: doc, Item: item, Least: 1, Most: 1000}
}

// ObjectOf has the fields that are named, and no others.
func ObjectOf(doc string, fields ...Field) *Shape {
	return &Shape{Form: Object, Doc: doc, Fields: fields}
}

// NumberOf is a whole number within bounds.
func NumberOf(doc string, least, most int) *Shape {
	return &Shape{Form: Whole, Doc: doc, Least: least, Most: most}
}

// DurationOf is a duration, as 7d.
func DurationOf(doc string) *Shape { return &Shape{Form: Duration, Doc: doc} }

// AmountOf is an amount, or the name of a constant.
func AmountOf(doc string) *Shape { return &Shape{Form: Amount, Doc: doc} }

// CurrencyOf is a currency's code.
func CurrencyOf(doc string) *Shape { return &Shape{Form: Text, Pattern: "^[A-Z]{3}$", Doc: doc} }

// GroupsOf is a list of groups.
func GroupsOf(doc string) *Shape {
	return ListOf(doc, &Shape{Form: Text, Doc: "the name of a group", Pattern: GroupPattern})
}

// KindsOf is a list of kinds of documents.
func KindsOf(doc string) *Shape {
	return ListOf(doc, TextOf("a kind of document, built in or configured: purchase_order, invoice, payment, …"))
}

// Field finds a field of an Object, or nil.
func (s *Shape) Field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// FieldNames lists the fields of an Object.
func (s *Shape) FieldNames() []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// InWords says what may stand at a place.
func (s *Shape) InWords() string {
	switch s.Form {
	case Object:
		return "fields: " + strings.Join(s.FieldNames(), ", ")
	case Named:
		return "names with values"
	case List:
		return "a list"
	case Whole:
		if s.Most > 0 {
			return "a whole number from " + strconv.Itoa(s.Least) + " to " + strconv.Itoa(s.Most)
		}
		return "a whole number from " + strconv.Itoa(s.Least)
	case Boolean:
		return "true or false"
	case Duration:
		return "a duration, as 15m, 24h or 7d"
	case Date:
		return "a day, as 2027-03-31"
	case Amount:
		return "an amount, as 30000, \"10000.00 USD\" or the name of a constant"
	case Constant:
		return "a number, an amount, a duration, a day, true, false or a text"
	case Either:
		words := make([]string, len(s.Variants))
		for i, v := range s.Variants {
			words[i] = v.InWords()
		}
		return strings.Join(words, "; or ")
	}
	if len(s.Choices) > 0 {
		return "one of " + strings.Join(s.Choices, ", ")
	}
	return "a text"
}

const durationJSON = `^[0-9]{1,6}[smhdw]$`

// Schema is the JSON Schema (draft 2020-12) of the place.
func (s *Shape) Schema() map[string]any {
	m := map[string]any{}
	if s.Doc != "" {
		m["description"] = s.Doc
	}
	switch s.Form {
	case Object:
		m["type"], m["additionalProperties"] = "object", false
		properties, required := map[string]any{}, []string{}
		for _, f := range s.Fields {
			properties[f.Name] = f.Shape.Schema()
			if f.Required {
				required = append(required, f.Name)
			}
		}
		m["properties"] = properties
		if len(required) > 0 {
			m["required"] = required
		}
	case Named:
		m["type"], m["additionalProperties"] = "object", s.Item.Schema()
		m["propertyNames"] = map[string]any{"pattern": s.Pattern}
	case List:
		m["type"], m["items"], m["minItems"], m["maxItems"] = "array", s.Item.Schema(), s.Least, s.Most
	case Either:
		variants := make([]any, len(s.Variants))
		for i, v := range s.Variants {
			variants[i] = v.Schema()
		}
		m["oneOf"] = variants
	default:
		s.scalarSchema(m)
	}
	return m
}

func (s *Shape) scalarSchema(m map[string]any) {
	switch s.Form {
	case Whole:
		m["type"], m["minimum"] = "integer", s.Least
		if s.Most > 0 {
			m["maximum"] = s.Most
		}
	case Boolean:
		m["type"] = "boolean"
	case Duration:
		m["type"], m["pattern"] = "string", durationJSON
	case Date:
		m["type"], m["pattern"] = "string", `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	case Amount:
		m["type"] = []string{"number", "string"}
	case Constant:
		m["type"] = []string{"number", "string", "boolean"}
	case Text:
		m["type"], m["minLength"] = "string", 1
		if len(s.Choices) > 0 {
			m["enum"] = s.Choices
		}
		if s.Pattern != "" {
			m["pattern"] = s.Pattern
		}
	}
}
