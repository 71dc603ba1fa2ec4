package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/countersign/countersign"
)

func raw(b []byte) json.RawMessage { return b }

// Answer is what a call was answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Request makes a request to the server; a token goes into the Authorization header.
func (s *Server) Request(method, path, token string, body any) *http.Request {
	s.T.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		data, err := json.Marshal(b)
		s.Must(err)
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(s.T.Context(), method, s.URL+path, r)
	s.Must(err)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

// Do sends a request and reads the whole answer.
func (s *Server) Do(req *http.Request) Answer {
	s.T.Helper()
	res, err := s.client.Do(req)
	s.Must(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	s.Must(err)
	return Answer{res.StatusCode, res.Header, data}
}

// Send is Do for the common case.
func (s *Server) Send(method, path, token string, body any) Answer {
	s.T.Helper()
	return s.Do(s.Request(method, path, token, body))
}

// Try calls, and reads the answer into out, or returns the problem.
func (s *Server) Try(method, path, token string, body, out any) *countersign.Problem {
	s.T.Helper()
	a := s.Send(method, path, token, body)
	if a.Status >= 400 {
		return s.Problem(a)
	}
	if out != nil {
		if err := json.Unmarshal(a.Body, out); err != nil {
			s.T.Fatalf("%s %s: %v: %s", method, path, err, a.Body)
		}
	}
	return nil
}

// Call is Try, and fails the test on a problem.
func (s *Server) Call(method, path, token string, body, out any) {
	s.T.Helper()
	if p := s.Try(method, path, token, body, out); p != nil {
		s.T.Fatalf("%s %s: %d %s: %v %+v\n%s", method, path, p.Status, p.Code, p, p.Reasons, tail(s.log.String()))
	}
}

// Problem reads the problem of an answer.
func (s *Server) Problem(a Answer) *countersign.Problem {
	s.T.Helper()
	var p countersign.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status || a.Header.Get("Content-Type") != "application/problem+json" {
		s.T.Fatalf("status %d without a problem of that status: %s %s", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	return &p
}

// Refused wants a problem of a code.
func (s *Server) Refused(p *countersign.Problem, code countersign.Code) *countersign.Problem {
	s.T.Helper()
	if p == nil || p.Code != code {
		s.T.Fatalf("want the problem %q, have %+v", code, p)
	}
	return p
}

// secrets are everything that must never be logged: what the test made, and every
// token that went over the wire.
type secrets struct {
	mu   sync.Mutex
	seen map[string]bool
}

func newSecrets() *secrets { return &secrets{seen: map[string]bool{}} }

func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(secret) >= 8 {
		s.seen[secret] = true
	}
}

func (s *secrets) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.seen))
	for k := range s.seen {
		out = append(out, k)
	}
	return out
}

var tokens = regexp.MustCompile(`\bcs[shi]?_[0-9a-z_]{40,90}`)

func (s *secrets) learn(data []byte) {
	for _, t := range tokens.FindAll(data, -1) {
		s.add(string(t))
	}
}

// watcher stands between the test and the server: it learns secrets and holds every
// answer against the API's description.
type watcher struct {
	t         interface{ Errorf(string, ...any) }
	next      http.RoundTripper
	seen      *secrets
	unchecked bool

	mu      sync.Mutex
	visited map[string]bool
}

func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody != nil {
		if b, err := r.GetBody(); err == nil {
			data, _ := io.ReadAll(b)
			w.seen.learn(data)
		}
	}
	w.seen.learn([]byte(r.Header.Get("Authorization")))
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	w.seen.learn(data)
	if !w.unchecked {
		if res.StatusCode < 300 {
			w.visit(r)
		}
		if err := describedAnswer(r, res, data); err != nil {
			w.t.Errorf("%s %s: the answer is not as described: %v\n%s", r.Method, r.URL.Path, err, clip(data))
		}
	}
	res.Body = io.NopCloser(bytes.NewReader(data))
	return res, nil
}

func (w *watcher) visit(r *http.Request) {
	d, err := theDescription()
	if err != nil {
		return
	}
	if p := d.find(r.URL.Path); p != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.visited == nil {
			w.visited = map[string]bool{}
		}
		w.visited[r.Method+" "+p.template] = true
	}
}

// Visited reports whether the operation was called with success until now, by its
// method and path as described.
func (s *Server) Visited(operation string) bool {
	w := s.client.Transport.(*watcher)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.visited[operation]
}

func clip(b []byte) string {
	if len(b) > 3000 {
		return fmt.Sprintf("%s… (%d bytes)", b[:3000], len(b))
	}
	return string(b)
}
