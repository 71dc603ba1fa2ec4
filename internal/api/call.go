package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/jcs"
)

// call is one HTTP request on its way through. It is also the response's writer, so
// that what was answered is known when it is over.
type call struct {
	api    *API
	w      http.ResponseWriter
	r      *http.Request
	id     string // finds the call in the log
	began  time.Time
	remote netip.Addr

	op     *operation
	org    *authority.Authority
	caller authority.Caller
	who    string // key_… or per_…, for the log and the limits
	node   *jcs.Node

	status int
	fault  error // why the answer is a problem; its causes are for the log only
}

// answer is what a verb is answered with: one of body and raw, or neither.
type answer struct {
	status  int
	body    any             // written as JSON
	receipt json.RawMessage // put into the body as its last member, byte for byte
	raw     []byte
	media   string // of raw

	kept    any    // what a repetition is answered, where body has a secret that is shown once
	subject string // the id that the answer is about, so that an erasure finds what is kept
	passing bool   // not worth keeping: asking again may be answered otherwise
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }

func newRequestID() string {
	var b [10]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Header, Write and WriteHeader make the call a writer that remembers the status.
func (c *call) Header() http.Header { return c.w.Header() }

func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.w.WriteHeader(status)
}

func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.w.Write(b)
}

// Shared header values: they are the same for every answer.
var (
	valueNoStore  = []string{"no-store"}
	valueNoSniff  = []string{"nosniff"}
	valuePolicy   = []string{"default-src 'none'; frame-ancestors 'none'"}
	valueReferrer = []string{"no-referrer"}
	valueOrigin   = []string{"same-origin"}
	valueStay     = []string{"max-age=31536000"}
	valueJSON     = []string{"application/json"}
	valueProblem  = []string{"application/problem+json"}
)

// headers sets what every answer carries, problems included.
func (c *call) headers() {
	h := c.w.Header()
	h["Cache-Control"] = valueNoStore
	h["X-Content-Type-Options"] = valueNoSniff
	h["Content-Security-Policy"] = valuePolicy
	h["Referrer-Policy"] = valueReferrer
	h["Cross-Origin-Resource-Policy"] = valueOrigin
	h["X-Request-Id"] = []string{c.id}
}

// finish turns a panic into a problem, counts the call and logs it. Bodies, tokens,
// query strings and paths as they came are never logged: only what was matched.
func (c *call) finish() {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
			panic(p)
		}
		c.api.cfg.Log.Error("a call panicked", "request", c.id, "panic", p, "stack", string(debug.Stack()))
		if c.status == 0 {
			c.problem(countersign.NewProblem(countersign.CodeInternal, "something went wrong here"))
		}
	}
	route := "-"
	if c.op != nil {
		route = c.op.pattern()
	}
	if c.status == 0 {
		c.status = http.StatusOK
	}
	took := time.Since(c.began)
	c.api.metrics.served(c.method(), route, c.status, took)
	level := slog.LevelInfo
	if c.status >= 500 {
		level = slog.LevelError
	}
	if !c.api.cfg.Log.Enabled(c.r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("method", c.method()), slog.String("route", route), slog.Int("status", c.status),
		slog.Duration("took", took), slog.String("remote", c.remote.String()), slog.String("request", c.id)}
	if c.who != "" {
		attrs = append(attrs, slog.String("caller", c.who))
	}
	if c.status >= 500 && c.fault != nil {
		attrs = append(attrs, slog.String("error", causes(c.fault)))
	}
	c.api.cfg.Log.LogAttrs(context.WithoutCancel(c.r.Context()), level, "call", attrs...)
}

// method is the request's method as it may be logged and counted: one that is known.
func (c *call) method() string {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodPut, http.MethodPatch:
		return c.r.Method
	}
	return "OTHER"
}

// causes writes an error with everything that led to it.
func causes(err error) string {
	var b strings.Builder
	for err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(err.Error())
		err = errors.Unwrap(err)
	}
	return b.String()
}

// problem answers with a problem. Whatever is no [countersign.Problem] is a fault of
// ours: its text stays in the log, where the instance finds it.
func (c *call) problem(err error) {
	c.fault = err
	var p *countersign.Problem
	if !errors.As(err, &p) {
		p = countersign.NewProblem(countersign.CodeInternal, "something went wrong here").WithCause(err)
	}
	out := *p
	out.Instance = "urn:countersign:call:" + c.id
	h := c.w.Header()
	switch {
	case out.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="countersign"`)
	case out.RetryAfterSeconds > 0:
		h.Set("Retry-After", itoa(out.RetryAfterSeconds))
	case out.Code == countersign.CodeUnavailable:
		h.Set("Retry-After", "1")
	}
	c.send(out.Status, valueProblem, encode(&out, nil))
}

// send writes the whole answer.
func (c *call) send(status int, media []string, body []byte) {
	h := c.w.Header()
	if body != nil {
		h["Content-Type"] = media
		h["Content-Length"] = []string{itoa(len(body))}
	}
	c.WriteHeader(status)
	if c.r.Method != http.MethodHead && body != nil {
		c.w.Write(body) // whoever hung up does not hear it
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// encode writes a value as JSON. The receipt, where there is one, becomes the last
// member as it is: its bytes have one form, and must not be written anew.
func encode(v any, receipt json.RawMessage) []byte {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // a programmer's error, found by the first test
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(receipt) == 0 {
		return bytes.Clone(out)
	}
	whole := make([]byte, 0, len(out)+len(receipt)+16)
	whole = append(whole, out[:len(out)-1]...)
	whole = append(whole, `,"receipt":`...)
	whole = append(whole, receipt...)
	return append(whole, '}')
}

// read reads and parses the body, once.
func (c *call) read() error {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
		return countersign.NewProblem(countersign.CodeMediaType, "the body must be application/json in UTF-8").WithHint("set Content-Type: application/json")
	}
	if e := c.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return countersign.NewProblem(countersign.CodeMediaType, "the body must not be compressed")
	}
	data, err := c.bounded(c.api.cfg.MaxBody)
	if err != nil {
		return err
	}
	if c.node, err = jcs.Parse(data); err != nil {
		return countersign.NewProblem(countersign.CodeMalformed, "%s", err)
	}
	return nil
}

func (c *call) bounded(most int64) ([]byte, error) {
	tooLarge := countersign.NewProblem(countersign.CodeTooLarge, "the body has more than %d bytes", most)
	if c.r.ContentLength > most {
		return nil, tooLarge
	}
	var data []byte
	var err error
	limited := http.MaxBytesReader(c.w, c.r.Body, most)
	if n := c.r.ContentLength; n > 0 {
		data = make([]byte, n)
		_, err = io.ReadFull(limited, data)
	} else {
		data, err = io.ReadAll(limited)
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge
	case err != nil:
		return nil, countersign.NewProblem(countersign.CodeMalformed, "the body could not be read to its end").WithCause(err)
	}
	return data, nil
}

// decode reads the parsed body into v, strictly.
func (c *call) decode(v any) error { return countersign.ProblemOf(c.node.Decode(v)) }

func (c *call) session() authority.Session { return *c.caller.Session }

func (c *call) key() authority.Key { return *c.caller.Key }

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) param(name string) string { return c.r.PathValue(name) }
