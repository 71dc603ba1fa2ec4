package api

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
)

// enums lists the values of named types.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[countersign.Status]():    statuses,
	reflect.TypeFor[countersign.Outcome]():   {"allow", "step_up", "deny"},
	reflect.TypeFor[countersign.Assurance](): {"session", "mfa", "phishing_resistant", "hardware"},
	reflect.TypeFor[countersign.Act]():       {"approve", "deny", "revoke"},
	reflect.TypeFor[countersign.State]():     {"true", "false", "unknown"},
	reflect.TypeFor[authn.Kind]():            {"passkey", "totp"},
	reflect.TypeFor[authn.Scope]():           scopeNames(),
}

func scopeNames() (out []string) {
	for _, s := range authn.Scopes() {
		out = append(out, string(s))
	}
	return out
}

// fields are the schemas of members whose Go type says too little.
var fields = map[string]object{
	"RotateBody.Kind":           {"type": "string", "enum": []string{"log", "seal", "hmac"}},
	"DelegationView.State":      {"type": "string", "enum": []string{"upcoming", "in_force", "over"}},
	"RequestBody.Document":      {"$ref": "#/components/schemas/Document"},
	"Approval.Document":         {"anyOf": []any{object{"$ref": "#/components/schemas/Document"}, object{"type": "null", "description": "After an erasure."}}},
	"Approval.Receipt":          {"$ref": "#/components/schemas/Receipt"},
	"ReleaseAnswer.Receipt":     {"$ref": "#/components/schemas/Receipt"},
	"ReleaseBody.Document":      {"type": "object", "description": "The document as it stands now, whole. It may be anything: it is only compared."},
	"ChallengeAnswer.Statement": {"$ref": "#/components/schemas/Statement"},
	"ChallengeAnswer.Passkey":   {"$ref": "#/components/schemas/PasskeyRequestOptions"},
	"Evidence.Statement":        {"$ref": "#/components/schemas/Statement"},
	"Ceremony.Options":          {"anyOf": []any{object{"$ref": "#/components/schemas/PasskeyRequestOptions"}, object{"$ref": "#/components/schemas/PasskeyCreationOptions"}}},
	"DecisionBody.Passkey":      {"$ref": "#/components/schemas/PasskeyAnswer"},
	"SignInBody.Passkey":        {"$ref": "#/components/schemas/PasskeyAnswer"},
	"EnrolBody.Passkey":         {"$ref": "#/components/schemas/PasskeyAnswer"},
	"StepUpBody.Passkey":        {"$ref": "#/components/schemas/PasskeyAnswer"},
	"AlertBody.Severity":        {"enum": []string{"low", "medium", "high", "critical"}},
	"Alert.Severity":            {"enum": []string{"low", "medium", "high", "critical"}},
	"KeyBody.Scopes":            {"type": "array", "minItems": 1, "items": object{"type": "string", "enum": scopeNames()}},
	"Health.Status":             {"enum": []string{"ok", "unavailable"}},
	"Preferences.NumberFormat":  {"type": "string", "enum": append([]string{""}, authority.NumberFormats...)},
	"Preferences.DateFormat":    {"type": "string", "enum": append([]string{""}, authority.DateFormats...)},
	"Preferences.Language":      {"type": "string", "enum": append([]string{""}, authority.Languages...)},
}

// schema describes a type; structs are components of their own, and closed.
func (d *describer) schema(t reflect.Type) object {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if values, ok := enums[t]; ok {
		return object{"type": "string", "enum": values}
	}
	if t == reflect.TypeFor[countersign.Digest]() {
		return object{"type": "string", "pattern": "^(sha-256:[0-9a-f]{64})?$", "description": "SHA-256 in hexadecimal; empty only after an erasure."}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.component(t)
	}
	d.t.Fatalf("no schema for %s", t)
	return nil
}

func componentName(t reflect.Type) string {
	name := t.Name()
	if outer, inner, generic := strings.Cut(name, "["); generic {
		inner = strings.TrimSuffix(inner, "]")
		return inner[strings.LastIndex(inner, ".")+1:] + outer
	}
	return name
}

func (d *describer) component(t reflect.Type) object {
	name := componentName(t)
	ref := object{"$ref": "#/components/schemas/" + name}
	if have, ok := d.names[name]; ok {
		if have != t {
			d.t.Fatalf("%s and %s would both be the schema %q", have, t, name)
		}
		return ref
	}
	d.names[name] = t
	properties, required := object{}, []string{}
	d.members(t, properties, &required)
	s := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	base, _, _ := strings.Cut(t.Name(), "[")
	if doc := d.docs[base]; doc != "" {
		s["description"] = doc
	}
	d.schemas[name] = s
	return ref
}

func (d *describer) members(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" {
			d.members(f.Type, properties, required)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		base, _, _ := strings.Cut(t.Name(), "[")
		var s object
		if given, ok := fields[base+"."+f.Name]; ok {
			s = given
			if _, is := s["enum"]; is {
				s["type"] = "string"
			}
		} else {
			if f.Type == reflect.TypeFor[json.RawMessage]() {
				d.t.Fatalf("%s.%s is raw JSON: say in fields what it is", t, f.Name)
			}
			s = d.schema(f.Type)
		}
		if doc := d.docs[base+"."+f.Name]; doc != "" {
			s = withDescription(s, doc)
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

func withDescription(s object, doc string) object {
	out := object{}
	for k, v := range s {
		out[k] = v
	}
	out["description"] = doc
	return out
}

// readComments reads what the source says of types and members.
func (d *describer) readComments(dir string) {
	names, err := os.ReadDir(dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+n.Name(), nil, parser.ParseComments)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				d.readTypes(g)
			}
		}
	}
}

func (d *describer) readTypes(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		ts := spec.(*ast.TypeSpec)
		st, ok := ts.Type.(*ast.StructType)
		if !ok || d.docs[ts.Name.Name] != "" {
			continue
		}
		doc := ts.Doc
		if doc == nil {
			doc = g.Doc
		}
		d.docs[ts.Name.Name] = sentence(doc)
		for _, f := range st.Fields.List {
			for _, name := range f.Names {
				d.docs[ts.Name.Name+"."+name.Name] = sentence(f.Comment)
			}
		}
	}
}

func sentence(c *ast.CommentGroup) string {
	return strings.NewReplacer("[", "", "]", "").Replace(strings.Join(strings.Fields(c.Text()), " "))
}

// webauthnSchemas describe what browsers give and take (Web Authentication Level 3).
func webauthnSchemas() object {
	b64 := object{"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
	descriptor := object{"type": "object", "additionalProperties": false, "required": []string{"type", "id"},
		"properties": object{"type": object{"const": "public-key"}, "id": b64, "transports": object{"type": "array", "items": object{"type": "string"}}}}
	closed := func(about string, required []string, properties object) object {
		return object{"type": "object", "description": about, "additionalProperties": false, "required": required, "properties": properties}
	}
	return object{
		"PasskeyRequestOptions": closed("Options for navigator.credentials.get, as PublicKeyCredential.parseRequestOptionsFromJSON takes them.", []string{"challenge", "rpId", "userVerification"},
			object{"challenge": b64, "timeout": object{"type": "integer"}, "rpId": object{"type": "string"}, "userVerification": object{"const": "required"},
				"allowCredentials": object{"type": "array", "items": descriptor}}),
		"PasskeyCreationOptions": closed("Options for navigator.credentials.create, as PublicKeyCredential.parseCreationOptionsFromJSON takes them.", []string{"challenge", "rp", "user", "pubKeyCredParams"},
			object{"challenge": b64, "timeout": object{"type": "integer"}, "attestation": object{"type": "string"},
				"rp":                     closed("", []string{"id", "name"}, object{"id": object{"type": "string"}, "name": object{"type": "string"}}),
				"user":                   closed("", []string{"id", "name", "displayName"}, object{"id": b64, "name": object{"type": "string"}, "displayName": object{"type": "string"}}),
				"pubKeyCredParams":       object{"type": "array", "items": closed("", []string{"type", "alg"}, object{"type": object{"const": "public-key"}, "alg": object{"type": "integer"}})},
				"excludeCredentials":     object{"type": "array", "items": descriptor},
				"authenticatorSelection": closed("", []string{"userVerification"}, object{"residentKey": object{"type": "string"}, "requireResidentKey": object{"type": "boolean"}, "userVerification": object{"type": "string"}}),
			}),
		"PasskeyAnswer": object{"type": "object", "description": "What the browser gives, as PublicKeyCredential.toJSON writes it. Members that browsers add are not looked at.", "required": []string{"id", "type", "response"}},
	}
}
