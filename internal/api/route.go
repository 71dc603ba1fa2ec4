package api

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

// operation is one operation of the API: what the router, the documentation and the
// tests know of it.
type operation struct {
	method, path string
	id           string // operationId
	tag          string
	summary      string
	detail       string // further sentences, for the documentation
	who          who
	scope        authn.Scope // that a key needs, for the documentation; the authority checks it
	in           any         // zero value of the body's type; nil: no body
	out          any         // zero value of the answer's type; nil: no JSON
	media        string      // of an answer that is no JSON
	status       []int       // of success; default 200
	query        []parameter
	upload       int64 // the body is a file of at most so many bytes, read by run; 0: it is not
	repeat       bool  // honours Idempotency-Key
	strict       bool  // bounded as an attempt to prove something
	costly       bool  // bounded as an evaluation
	run          func(*call) (answer, error)
}

// parameter is one query parameter.
type parameter struct {
	name, about string
	many        bool
	enum        []string
	number      bool
	example     string
}

func (o *operation) pattern() string { return o.method + " " + o.path }

func (o *operation) hasQuery(name string) *parameter {
	for i := range o.query {
		if o.query[i].name == name {
			return &o.query[i]
		}
	}
	return nil
}

// route fills the router.
func (a *API) route() {
	for _, o := range operations() {
		a.mux.HandleFunc(o.pattern(), func(_ http.ResponseWriter, r *http.Request) { callOf(r).serve(&o, r) })
	}
	a.mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { callOf(r).nothing() })
}

// nothing answers what no operation is for: a method that the path does not have,
// OPTIONS, or a path that is not there. There are no CORS headers: no page of another
// origin may call this API.
func (c *call) nothing() {
	var allow []string
	if clean(c.r.URL.Path) {
		for _, m := range [...]string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost} {
			if _, pattern := c.api.mux.Handler(&http.Request{Method: m, URL: &url.URL{Path: c.r.URL.Path}}); pattern != "/" {
				allow = append(allow, m)
			}
		}
	}
	if len(allow) == 0 {
		c.problem(countersign.NewProblem(countersign.CodeNotFound, "there is no such thing here").WithHint("/openapi.json lists what there is"))
		return
	}
	methods := strings.Join(append(allow, http.MethodOptions), ", ")
	c.w.Header().Set("Allow", methods)
	if c.r.Method == http.MethodOptions {
		c.send(http.StatusNoContent, nil, nil)
		return
	}
	c.problem(countersign.NewProblem(countersign.CodeMethod, "%s is not possible here", c.method()).WithHint("possible are: %s", methods))
}

// serve runs one operation. The steps are always the same, in this order: which
// organisation, who calls, how often, what, and only then the verb.
func (c *call) serve(o *operation, r *http.Request) {
	c.op, c.r = o, r
	a, err := c.carryOut()
	if err != nil {
		c.problem(err)
		return
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	switch {
	case a.status == written:
	case a.raw != nil:
		c.send(a.status, []string{a.media}, a.raw)
	case a.body != nil:
		c.send(a.status, valueJSON, encode(a.body, a.receipt))
	default:
		c.send(a.status, nil, nil)
	}
}

func (c *call) carryOut() (answer, error) {
	if strings.HasPrefix(c.op.path, "/v1/") {
		org, ok := c.api.organisation(c.r.Host)
		if !ok {
			return answer{}, c.stranger(countersign.NewProblem(countersign.CodeNotFound, "no organisation has this host name").
				WithHint("the host name selects the organisation: use the address in its public_url"))
		}
		c.org = org
		if c.api.secure[org] {
			c.w.Header()["Strict-Transport-Security"] = valueStay
		}
	}
	if err := c.identify(); err != nil {
		return answer{}, c.stranger(err)
	}
	if err := c.limit(); err != nil {
		return answer{}, err
	}
	if err := c.checkQuery(); err != nil {
		return answer{}, err
	}
	if c.op.in != nil {
		if err := c.read(); err != nil {
			return answer{}, err
		}
	} else if c.op.upload == 0 && c.r.ContentLength != 0 && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		if data, err := c.bounded(c.api.cfg.MaxBody); err != nil || len(data) > 0 {
			return answer{}, countersign.NewProblem(countersign.CodeMalformed, "this takes no body")
		}
	}
	if c.op.repeat && len(c.r.Header["Idempotency-Key"]) > 0 {
		return c.once()
	}
	return c.op.run(c)
}

// checkQuery refuses query parameters that the operation does not have: one that is
// misspelt must not silently narrow nothing.
func (c *call) checkQuery() error {
	if c.r.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return countersign.NewProblem(countersign.CodeInvalid, "the query cannot be read")
	}
	var errs []countersign.FieldError
	for name, v := range values {
		p := c.op.hasQuery(name)
		switch {
		case p == nil:
			errs = append(errs, countersign.FieldError{Pointer: "?" + clip(name), Detail: "unknown parameter"})
		case len(v) > 1 && !p.many:
			errs = append(errs, countersign.FieldError{Pointer: "?" + name, Detail: "given more than once"})
		case p.enum != nil && slices.ContainsFunc(v, func(s string) bool { return !slices.Contains(p.enum, s) }):
			errs = append(errs, countersign.FieldError{Pointer: "?" + name, Detail: "want one of " + strings.Join(p.enum, ", ")})
		case slices.ContainsFunc(v, func(s string) bool { return len(s) > 200 }):
			errs = append(errs, countersign.FieldError{Pointer: "?" + name, Detail: "at most 200 bytes"})
		}
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b countersign.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
		return countersign.Invalid(errs...)
	}
	return nil
}

// query reads one query parameter.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// number reads a whole number out of the query.
func (c *call) number(name string, fallback, least, most int64) (int64, error) {
	s := c.query(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most || strconv.FormatInt(n, 10) != s {
		return 0, countersign.Invalid(countersign.FieldError{Pointer: "?" + name, Detail: "want a whole number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10)})
	}
	return n, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// written is the status of an answer that is out already.
const written = -1

func itoa(n int) string { return strconv.Itoa(n) }

// clean reports whether a path is in the one form that is routed: the router would
// answer any other with a redirect, which is no answer for a program.
func clean(p string) bool {
	return p == "/" || (strings.HasPrefix(p, "/") && path.Clean(p) == strings.TrimSuffix(p, "/"))
}
