package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
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
	if o.upload > 0 {
		out = append(out, 413)
	}
	if strings.HasPrefix(o.path, "/v1/requests/{request}/") && o.method == get { // of what was erased, or changed from outside
		out = append(out, 409, 410)
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
	if o.upload > 0 {
		op["requestBody"] = object{"required": true, "content": object{mediaBytes: object{"schema": object{"type": "string", "format": "binary"}, "example": textExample("getTile")}}}
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

var pathExamples = map[string]string{"request": exampleRequest, "authenticator": exampleFactor, "person": examplePerson, "key": exampleKey, "attachment": exampleDigest[len("sha-256:"):], "version": "1", "tile": "0/000.p/12", "index": "11"}

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
