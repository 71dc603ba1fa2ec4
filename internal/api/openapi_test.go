package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// The description is made from the operations and the Go types, and can not drift.
func TestDescriptionIsUpToDate(t *testing.T) {
	want := describe(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(OpenAPI(), want) {
		t.Fatal("openapi.json is not what the code says; go test ./internal/api -run Description -update writes it")
	}
}

type object = map[string]any

// describer makes the description.
type describer struct {
	t       *testing.T
	docs    map[string]string // "Type" and "Type.Field" → comment
	schemas object
	names   map[string]reflect.Type
}

func describe(t *testing.T) []byte {
	t.Helper()
	d := &describer{t: t, docs: map[string]string{}, schemas: object{}, names: map[string]reflect.Type{}}
	for _, dir := range []string{"../..", "../authority", "../authn", "."} {
		d.readComments(dir)
	}
	paths := object{}
	for _, o := range operations() {
		path := strings.ReplaceAll(o.path, "...}", "}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(o.method)] = d.operation(o)
	}
	for _, t := range []reflect.Type{reflect.TypeFor[countersign.Problem](), reflect.TypeFor[countersign.Document](), reflect.TypeFor[countersign.Receipt](),
		reflect.TypeFor[countersign.Statement]()} {
		d.schema(t)
	}
	for name, s := range webauthnSchemas() {
		d.schemas[name] = s
	}
	doc := object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info": object{"title": "Countersign", "version": "1",
			"summary":     "Asks people to prove who they are before the approvals that matter, and proves afterwards that they did.",
			"description": apiDescription, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers": []any{object{"url": "/", "description": "The host name selects the organisation."}},
		"tags":    tagList(),
		"paths":   paths,
		"components": object{"schemas": d.schemas, "responses": d.problems(),
			"securitySchemes": object{
				"key":     object{"type": "http", "scheme": "bearer", "bearerFormat": "cs_…", "description": "An API key, for systems."},
				"session": object{"type": "http", "scheme": "bearer", "bearerFormat": "css_…", "description": "A session's token, for people."},
			}},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const apiDescription = "JSON only, in UTF-8, of at most 1 MiB a body. Bodies are read strictly: unknown members, members in another case, duplicates and null are refused, each by its JSON pointer. " +
	"Problems are application/problem+json (RFC 9457); code is stable, sentences may change, instance finds the call in the server's log. " +
	"Authorization: Bearer carries an API key or a session's token; cookies are never looked at, and there is no CORS. " +
	"POSTs that name it honour Idempotency-Key: the same key with the same body gets the same status and body for 24 hours, another body gets 422, a call in progress 409; secrets that are shown once are not in a repeated answer. " +
	"Every list is a page: next, where it is there, goes into after. A GET changes nothing, but the time at which a session was used last, once a minute."

func tagList() []any {
	var out []any
	for _, t := range [][2]string{{"requests", "Documents that somebody wants approved."}, {"decisions", "What people decide, and how they prove who they are."},
		{"release", "The last question before something is executed."}, {"facts", "What is known of vendors, purchases, rates and people."}, {"alerts", "What somebody should look at."},
		{"session", "Signing in."}, {"authenticators", "What people prove themselves with."}, {"changes", "Changes to Countersign itself."}, {"register", "Who and what there is."},
		{"audit", "The log, and proofs of it."}, {"service", "How the service is."}} {
		out = append(out, object{"name": t[0], "description": t[1]})
	}
	return out
}

// problemStatuses are the statuses a problem may come with, and what each means.
var problemStatuses = map[int]string{
	400: "The body or the query is not valid; errors names each wrong place.", 401: "Who is asking is not known, or a proof was refused.", 403: "Known, but may not.",
	404: "Not there, or not for the caller to see.", 409: "Somebody or something was first, the document changed, or the state does not allow it.", 410: "Expired or used up.",
	413: "The body is too large.", 415: "The body is not application/json.", 422: "The Idempotency-Key came with another body before.",
	429: "Too many calls, or locked; Retry-After says for how long.", 500: "A fault of the server.", 503: "Not available now: fail closed.",
}

func (d *describer) problems() object {
	out := object{}
	for status, text := range problemStatuses {
		out[fmt.Sprintf("Problem%d", status)] = object{"description": text, "content": object{"application/problem+json": object{
			"schema": object{"$ref": "#/components/schemas/Problem"}, "example": problemExample(status)}}}
	}
	return out
}

func problemExample(status int) object {
	codes := map[int]countersign.Code{400: countersign.CodeInvalid, 401: countersign.CodeUnauthenticated, 403: countersign.CodeForbidden, 404: countersign.CodeNotFound,
		409: countersign.CodeConflict, 410: countersign.CodeGone, 413: countersign.CodeTooLarge, 415: countersign.CodeMediaType, 422: countersign.CodeKeyReused,
		429: countersign.CodeRateLimited, 500: countersign.CodeInternal, 503: countersign.CodeUnavailable}
	p := countersign.NewProblem(codes[status], "%s", strings.ToLower(problemStatuses[status][:1])+problemStatuses[status][1:])
	return object{"type": p.Type, "title": p.Title, "status": p.Status, "detail": p.Detail, "code": p.Code, "instance": "urn:countersign:call:5c2f0a9d1b7e4c36a881"}
}

// failures lists the statuses of problems that an operation may answer with.
func failures(o operation) []int {
	out := []int{400, 404, 429, 500, 503}
	if o.path == "/v1/session/challenge" || strings.HasPrefix(o.path, "/v1/") && o.who == anyone {
		out = append(out, 401, 403, 409, 410)
	}
	if o.who != anyone {
		out = append(out, 401, 403)
	}
	if o.in != nil {
		out = append(out, 413, 415)
	}
	if o.id == "getRequest" || o.id == "getReceipt" { // changed from outside, or nothing to prove yet
		out = append(out, 409)
	}
	if o.method != get {
		out = append(out, 409, 410)
	}
	if o.repeat {
		out = append(out, 422)
	}
	out = slices.DeleteFunc(out, func(n int) bool { return slices.Contains(o.status, n) })
	slices.Sort(out)
	return slices.Compact(out)
}

var pathParam = regexp.MustCompile(`\{([a-z]+)(?:\.\.\.)?\}`)

func (d *describer) operation(o operation) object {
	op := object{"operationId": o.id, "summary": o.summary, "tags": []string{o.tag}, "security": security(o.who)}
	detail := o.detail
	if o.scope != "" {
		detail = strings.TrimSpace(detail + " A key needs the scope " + string(o.scope) + ".")
	}
	if detail != "" {
		op["description"] = detail
	}
	if params := d.parameters(o); len(params) > 0 {
		op["parameters"] = params
	}
	if o.in != nil {
		t := reflect.TypeOf(o.in)
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": d.schema(t), "example": sample(t, o.id+".in")}}}
	}
	responses := object{}
	status := o.status
	if status == nil {
		status = []int{200}
	}
	for _, n := range status {
		r := object{"description": meaning(n, len(status) > 1)}
		switch {
		case o.media != "":
			media, _, _ := strings.Cut(o.media, ";")
			schema := object{"type": "string"}
			if media == "application/json" {
				schema = object{"type": "object", "description": "This document."}
			}
			if media == mediaBytes {
				schema = object{"type": "string", "format": "binary"}
			}
			r["content"] = object{media: object{"schema": schema, "example": textExample(o.id)}}
		case o.out != nil:
			t := reflect.TypeOf(o.out)
			r["content"] = object{"application/json": object{"schema": d.schema(t), "example": sample(t, o.id+".out")}}
		}
		responses[fmt.Sprint(n)] = r
	}
	for _, n := range failures(o) {
		responses[fmt.Sprint(n)] = object{"$ref": fmt.Sprintf("#/components/responses/Problem%d", n)}
	}
	op["responses"] = responses
	return op
}

func meaning(n int, several bool) string {
	switch {
	case n == 201:
		return "Made."
	case n == 204:
		return "Done."
	case n == 503:
		return "Not ready; the checks say why."
	case several:
		return "It was there already, or is as it should be."
	}
	return "The answer."
}

func security(w who) []any {
	key, session := object{"key": []string{}}, object{"session": []string{}}
	switch w {
	case keys:
		return []any{key}
	case people:
		return []any{session}
	case either:
		return []any{key, session}
	}
	return []any{}
}

func (d *describer) parameters(o operation) []any {
	var out []any
	for _, m := range pathParam.FindAllStringSubmatch(o.path, -1) {
		out = append(out, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}, "example": pathExamples[m[1]]})
	}
	for _, q := range o.query {
		schema := object{"type": "string"}
		var example any = q.example
		if q.number {
			schema = object{"type": "integer", "minimum": 0}
			example = json.Number(q.example)
		}
		if q.enum != nil {
			schema["enum"] = q.enum
		}
		if q.many {
			schema, example = object{"type": "array", "items": schema}, []any{q.example}
		}
		out = append(out, object{"name": q.name, "in": "query", "description": q.about, "schema": schema, "example": example})
	}
	if o.repeat {
		out = append(out, object{"name": "Idempotency-Key", "in": "header", "description": "Lets the call be repeated: 1 to 200 visible ASCII characters, quoted or bare.",
			"schema": object{"type": "string", "minLength": 1, "maxLength": 202}, "example": `"8e03978e-40d5-43dd-bc93-6894a57f9324"`})
	}
	return out
}

var pathExamples = map[string]string{"request": exampleRequest, "authenticator": exampleFactor, "person": examplePerson, "key": exampleKey, "version": "1", "tile": "0/000.p/12", "index": "11"}

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
		s := object{}
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

// Every example fits its schema, every reference leads somewhere, and every object of
// the schemas is closed.
func TestDescriptionHoldsTogether(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	examples := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s/%d", at, i), e)
			}
		case map[string]any:
			if s, ok := v["schema"]; ok && s != nil && v["example"] != nil {
				examples++
				schema, err := c.Compile("openapi.json#" + at + "/schema")
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				if err := schema.Validate(v["example"]); err != nil {
					t.Errorf("%s: the example does not fit: %v", at, err)
				}
			}
			if v["type"] == "object" && v["properties"] != nil && v["additionalProperties"] != false {
				t.Errorf("%s: the schema is open", at)
			}
			for k, e := range v {
				if k != "example" {
					walk(at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(k), e)
				}
			}
		}
	}
	walk("", doc)
	for _, o := range operations() {
		if o.in == nil && o.out == nil && o.media == "" && !slices.Contains(o.status, 204) {
			t.Errorf("%s has neither an answer nor 204", o.id)
		}
	}
	if examples < 2*len(operations()) {
		t.Errorf("%d examples for %d operations", examples, len(operations()))
	}
	t.Logf("%d operations, %d examples, %d bytes", len(operations()), examples, len(OpenAPI()))
}
