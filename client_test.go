package countersign_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// The client against a real server: what is refused is a problem with its fields.
func TestClientProblems(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	c := s.Client(s.Key)
	var p *countersign.Problem
	if _, err := c.Get(t.Context(), "req_01m8677m3se2jscfznjmzgpnb6"); !errors.As(err, &p) || p.Code != countersign.CodeNotFound || p.Status != 404 {
		t.Errorf("not there: %v", err)
	}
	if _, err := c.Get(t.Context(), "../keys"); !errors.As(err, &p) || p.Code != countersign.CodeNotFound {
		t.Errorf("an id that is none: %v", err)
	}
	if _, err := s.Client("cs_wrong").List(t.Context(), countersign.ListOptions{}); !errors.As(err, &p) || p.Code != countersign.CodeUnauthenticated {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := c.Submit(t.Context(), countersign.RequestBody{Document: json.RawMessage(`{"kind":"payment"}`)}); !errors.As(err, &p) || p.Code != countersign.CodeInvalid || len(p.Errors) == 0 {
		t.Errorf("an invalid document: %v", err)
	}
	out, err := c.Submit(t.Context(), testkit.Body(testkit.Order("PO-<&>", "30000.00"), nil))
	s.Must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if a, err := c.Wait(ctx, out.ID); !errors.Is(err, context.DeadlineExceeded) && a == nil {
		t.Errorf("waiting: %+v %v", a, err)
	}
}

// The client repeats what may go better the next time, and nothing else.
func TestClientRepeats(t *testing.T) {
	for name, c := range map[string]struct {
		answers []int
		calls   int64
		code    countersign.Code
	}{
		"good at once":    {[]int{200}, 1, ""},
		"unavailable":     {[]int{503, 503, 200}, 3, ""},
		"proxy page":      {[]int{502, 200}, 2, ""},
		"unavailable on":  {[]int{503, 503, 503, 503}, 3, countersign.CodeUnavailable},
		"refused":         {[]int{409}, 1, countersign.CodeConflict},
		"fault":           {[]int{500}, 1, countersign.CodeInternal},
		"hangs up":        {[]int{0, 200}, 2, ""},
		"too long a wait": {[]int{429}, 1, countersign.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				status := c.answers[min(int(n.Add(1)), len(c.answers))-1]
				codes := map[int]countersign.Code{503: countersign.CodeUnavailable, 409: countersign.CodeConflict, 500: countersign.CodeInternal, 429: countersign.CodeRateLimited}
				switch {
				case status == 0:
					panic(http.ErrAbortHandler)
				case status == 200:
					io.WriteString(w, `{"id":"req_1","status":"approved"}`)
				case status == 502:
					w.WriteHeader(502)
					io.WriteString(w, "<html>bad gateway</html>")
				default:
					p := countersign.NewProblem(codes[status], "no")
					if status == 429 {
						p.RetryAfterSeconds = 3600
					}
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(status)
					json.NewEncoder(w).Encode(p)
				}
			}))
			defer server.Close()
			client := &countersign.Client{BaseURL: server.URL + "/", Key: "k", HTTP: server.Client(), Retries: 2}
			a, err := client.Submit(t.Context(), countersign.RequestBody{Document: json.RawMessage(`{}`)})
			var p *countersign.Problem
			if c.code == "" && (err != nil || a.ID != "req_1") || c.code != "" && (!errors.As(err, &p) || p.Code != c.code) {
				t.Errorf("%v", err)
			}
			if n.Load() != c.calls {
				t.Errorf("%d calls, want %d", n.Load(), c.calls)
			}
		})
	}
}

// An answer without end is not read to its end.
func TestClientBoundsAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for w != nil {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<16))); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client := &countersign.Client{BaseURL: server.URL, Key: "k", Retries: -1}
	if _, err := client.Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

// guarded is a service that pays, guarded.
func guarded(s *testkit.Server, paid *atomic.Int64, status int) http.Handler {
	g := &countersign.Guard{Client: s.Client(s.Key), Describe: func(r *http.Request) (*countersign.RequestBody, error) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodGet:
			return nil, nil
		case q.Get("amount") == "":
			return nil, countersign.Invalid(countersign.FieldError{Pointer: "?amount", Detail: "required"})
		}
		body := testkit.Body(testkit.Order(q.Get("order"), q.Get("amount")), nil)
		return &body, nil
	}}
	return g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			paid.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
		w.WriteHeader(status)
	}))
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// A guarded handler runs once for each document, and only after the people that its
// policy asks for have decided.
func TestGuard(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	marta := s.Person("marta")
	var paid atomic.Int64
	h := guarded(s, &paid, 200)
	if w := ask(h, "GET", "/"); w.Code != 200 {
		t.Errorf("unguarded: %d", w.Code)
	}
	if w := ask(h, "POST", "/"); w.Code != 400 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("no description: %d", w.Code)
	}
	if w := ask(h, "POST", "/?order=PO-1&amount=900.00"); w.Code != 200 || paid.Load() != 1 {
		t.Errorf("small: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", "/?order=PO-1&amount=900.00"); w.Code != 409 || paid.Load() != 1 {
		t.Errorf("small again: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", "/?order=PO-1&amount=901.00"); w.Code != 409 || paid.Load() != 1 {
		t.Errorf("the same revision with another amount: %d %s", w.Code, w.Body)
	}
	w := ask(h, "POST", "/?order=PO-2&amount=30000.00")
	var waiting countersign.Waiting
	if w.Code != 202 || json.Unmarshal(w.Body.Bytes(), &waiting) != nil || waiting.StepUpURL == "" || paid.Load() != 1 {
		t.Fatalf("large: %d %s", w.Code, w.Body)
	}
	if _, p := marta.ByPasskey(waiting.Request, countersign.ActApprove); p != nil {
		t.Fatal(p)
	}
	var wg sync.WaitGroup
	var passed atomic.Int64
	for range 20 {
		wg.Go(func() {
			if ask(h, "POST", "/?order=PO-2&amount=30000.00").Code == 200 {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1 || paid.Load() != 2 {
		t.Errorf("%d of 20 passed, %d were paid", passed.Load(), paid.Load())
	}
	var now countersign.Approval
	s.Call("GET", "/v1/requests/"+waiting.Request, s.Key, nil, &now)
	if now.Status != countersign.StatusReleased {
		t.Errorf("it is %s", now.Status)
	}
}

// What goes wrong lets nothing through, and what the handler refuses is abandoned.
func TestGuardFailsClosed(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	var paid atomic.Int64
	if w := ask(guarded(s, &paid, 422), "POST", "/?order=PO-1&amount=900.00"); w.Code != 422 {
		t.Errorf("%d", w.Code)
	}
	denied := &countersign.Guard{Client: s.Client(s.Key), Describe: func(*http.Request) (*countersign.RequestBody, error) {
		body := testkit.Body(testkit.Order("PO-3", "900.00", func(d *countersign.Document) { d.Requester.ID = "marta" }), &countersign.Submission{Approver: "marta"})
		return &body, nil
	}}
	paid.Store(0)
	pay := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { paid.Add(1) })
	if w := ask(denied.Wrap(pay), "POST", "/"); w.Code != 403 && w.Code != 202 || paid.Load() != 0 {
		t.Errorf("one's own request: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string]*countersign.Client{
		"nobody there": {BaseURL: "http://127.0.0.1:1", Key: s.Key, Retries: -1},
		"wrong key":    {BaseURL: s.URL, Key: "cs_wrong", HTTP: s.HTTP(), Retries: -1},
	} {
		g := &countersign.Guard{Client: c, Describe: func(*http.Request) (*countersign.RequestBody, error) {
			body := testkit.Body(testkit.Order("PO-4", "900.00"), nil)
			return &body, nil
		}}
		if w := ask(g.Wrap(pay), "POST", "/"); w.Code != 503 || paid.Load() != 0 || strings.Contains(w.Body.String(), "Bearer") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
