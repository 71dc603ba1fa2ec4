package policy

import "encoding/json"

// Schema returns the JSON Schema (draft 2020-12) of the policy file, for editors
// that complete and check YAML. It says less than [Check] does: names, kinds and
// conditions are checked when a policy is loaded.
func Schema() []byte {
	s := fileShape().schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Countersign policy"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // maps, slices, strings and numbers always marshal
		panic(err)
	}
	return append(b, '\n')
}

const durationJSON = `^[0-9]{1,6}[smhdw]$`

func (s *shape) schema() map[string]any {
	m := map[string]any{}
	if s.doc != "" {
		m["description"] = s.doc
	}
	switch s.form {
	case object:
		m["type"], m["additionalProperties"] = "object", false
		properties, required := map[string]any{}, []string{}
		for _, f := range s.fields {
			properties[f.name] = f.shape.schema()
			if f.required {
				required = append(required, f.name)
			}
		}
		m["properties"] = properties
		if len(required) > 0 {
			m["required"] = required
		}
	case named:
		m["type"], m["additionalProperties"] = "object", s.item.schema()
		m["propertyNames"] = map[string]any{"pattern": s.pattern}
	case list:
		m["type"], m["items"], m["minItems"], m["maxItems"] = "array", s.item.schema(), s.least, s.most
	case either:
		variants := make([]any, len(s.variants))
		for i, v := range s.variants {
			variants[i] = v.schema()
		}
		m["oneOf"] = variants
	default:
		s.scalarSchema(m)
	}
	return m
}

func (s *shape) scalarSchema(m map[string]any) {
	switch s.form {
	case whole:
		m["type"], m["minimum"] = "integer", s.least
		if s.most > 0 {
			m["maximum"] = s.most
		}
	case boolean:
		m["type"] = "boolean"
	case duration:
		m["type"], m["pattern"] = "string", durationJSON
	case date:
		m["type"], m["pattern"] = "string", `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	case amount:
		m["type"] = []string{"number", "string"}
	case constant:
		m["type"] = []string{"number", "string", "boolean"}
	case text:
		m["type"], m["minLength"] = "string", 1
		if len(s.choices) > 0 {
			m["enum"] = s.choices
		}
		if s.pattern != "" {
			m["pattern"] = s.pattern
		}
	}
}
