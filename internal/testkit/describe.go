package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/countersign/countersign/internal/api"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is the API's description, ready to hold answers against.
type description struct {
	paths []describedPath
	doc   any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

type describedPath struct {
	template string
	segments []string
	methods  map[string]map[string]described // method → status → answer
}

// described is what one status of one operation is described as.
type described struct {
	Ref     string                     `json:"$ref"`
	Content map[string]json.RawMessage `json:"content"`
}

const descriptionURL = "openapi.json"

var theDescription = sync.OnceValues(func() (*description, error) {
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]described `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	for template, operations := range doc.Paths {
		p := describedPath{template: template, segments: strings.Split(template, "/"), methods: map[string]map[string]described{}}
		for method, o := range operations {
			p.methods[strings.ToUpper(method)] = o.Responses
		}
		d.paths = append(d.paths, p)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(api.OpenAPI()))
	if err != nil {
		return nil, err
	}
	d.doc = parsed
	return d, d.compiler.AddResource(descriptionURL, parsed)
})

// describedAnswer reports why an answer is not one that the description allows.
func describedAnswer(r *http.Request, res *http.Response, body []byte) error {
	if !api.Serves(r.URL.Path) {
		return nil
	}
	d, err := theDescription()
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		if len(body) > 0 {
			return errors.New("HEAD was answered with a body")
		}
		return nil
	}
	p := d.find(r.URL.Path)
	if p == nil || p.methods[r.Method] == nil {
		if res.StatusCode == http.StatusNoContent && r.Method == http.MethodOptions {
			return nil
		}
		if res.StatusCode < 400 {
			return errors.New("no operation of that path and method is described, and yet it was answered")
		}
		return d.check("#/components/schemas/Problem", body)
	}
	status := strconv.Itoa(res.StatusCode)
	answer, ok := p.methods[r.Method][status]
	if !ok {
		return fmt.Errorf("status %s is not described for %s %s", status, r.Method, p.template)
	}
	at := "#/paths/" + escape(p.template) + "/" + strings.ToLower(r.Method) + "/responses/" + status
	if answer.Ref != "" {
		return d.problem(res, body)
	}
	if len(answer.Content) == 0 {
		if len(body) > 0 {
			return errors.New("a body came with a status that is described without one")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if _, ok := answer.Content[media]; !ok {
		return fmt.Errorf("the media type %s is not described", media)
	}
	if media != "application/json" {
		return nil
	}
	return d.check(at+"/content/"+escape(media)+"/schema", body)
}

func (d *description) problem(res *http.Response, body []byte) error {
	if media := res.Header.Get("Content-Type"); media != "application/problem+json" {
		return fmt.Errorf("a problem as %s", media)
	}
	return d.check("#/components/schemas/Problem", body)
}

// find finds the path's template; one that names the path literally comes first.
func (d *description) find(path string) *describedPath {
	segments := strings.Split(path, "/")
	var found *describedPath
	for i := range d.paths {
		p := &d.paths[i]
		if p.template == path {
			return p
		}
		if p.matches(segments) {
			found = p
		}
	}
	return found
}

func (p *describedPath) matches(segments []string) bool {
	for i, s := range p.segments {
		switch {
		case s == "{tile}":
			return i < len(segments)
		case i >= len(segments), s != segments[i] && !strings.HasPrefix(s, "{"), segments[i] == "" && i > 0:
			return false
		}
	}
	return len(segments) == len(p.segments)
}

func (d *description) check(at string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.schemas[at]
	if s == nil {
		if s, err = d.compiler.Compile(descriptionURL + at); err != nil {
			return err
		}
		d.schemas[at] = s
	}
	return s.Validate(value)
}

func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }
