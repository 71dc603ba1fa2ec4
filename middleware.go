package countersign

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Guard is HTTP middleware that lets a request through to a handler only when the
// document it stands for is approved and released. It is for a service that does
// something critical and can describe it as a document.
//
// A request whose document needs people is answered with 202 and the step-up URL; the
// caller sends it again, unchanged, once the people have decided. Whatever the server
// cannot answer lets nothing through.
type Guard struct {
	Client *Client

	// Describe makes the document that a request stands for. It must make the same
	// document for the same request, or the second attempt is another request. A nil
	// body lets the request through unguarded; a [*Problem] is answered as it is.
	Describe func(*http.Request) (*RequestBody, error)
}

// Waiting is the body of the answer 202: people must decide first.
type Waiting struct {
	Request   string   `json:"request"`
	Status    Status   `json:"status"`
	StepUpURL string   `json:"step_up_url,omitempty"` // where to send the approver
	Missing   []string `json:"missing"`               // in words
	Reasons   []Reason `json:"reasons"`
	NotBefore string   `json:"not_before,omitempty"` // approved, but held until then
}

// Wrap guards a handler. Each document is executed at most once, whoever asks however
// often at the same time: a second attempt gets 409. The handler runs between release and confirmation: when it
// answers with a status below 400 the execution is confirmed, and else abandoned. When
// it panics, or the connection to the server is lost, the lease lapses, and the server
// raises an alert that the outcome is not known.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := g.Describe(r)
		if err != nil {
			refuse(w, err)
			return
		}
		if body == nil {
			next.ServeHTTP(w, r)
			return
		}
		a, err := g.Client.Submit(r.Context(), *body)
		if err != nil {
			refuse(w, err)
			return
		}
		switch a.Status {
		case StatusApproved, StatusReleased:
			g.execute(w, r, next, a, body.Document)
		case StatusPending, StatusUnsatisfiable:
			wait(w, a)
		default:
			p := NewProblem(CodeForbidden, "the request %s is %s", a.ID, a.Status)
			p.Reasons = a.Reasons
			refuse(w, p)
		}
	})
}

// execute releases, runs the handler, and says how it went.
func (g *Guard) execute(w http.ResponseWriter, r *http.Request, next http.Handler, a *Approval, document json.RawMessage) {
	execution := "guard/" + rand.Text() // fresh for each attempt: only one of them gets the lease
	lease, err := g.Client.Release(r.Context(), ReleaseBody{Request: a.ID, Document: document, Execution: execution})
	var p *Problem
	switch {
	case errors.As(err, &p) && p.Code == CodeNotReleasable:
		if now, err := g.Client.Get(r.Context(), a.ID); err == nil && (now.Status == StatusPending || now.Status == StatusApproved) {
			now.Reasons = append(now.Reasons, p.Reasons...)
			wait(w, now)
			return
		}
		refuse(w, p)
		return
	case err != nil:
		refuse(w, err)
		return
	case lease.State != leaseOpen || lease.Execution != execution:
		refuse(w, NewProblem(CodeConflict, "this was executed already"))
		return
	}
	seen := &statusWriter{ResponseWriter: w}
	next.ServeHTTP(seen, r)
	settle := g.Client.Confirm
	if seen.status >= http.StatusBadRequest {
		settle = g.Client.Abandon
	}
	// The answer is out: an error here changes nothing of it, and the server finds the
	// lapsed lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), settleWithin)
	defer cancel()
	_, _ = settle(ctx, a.ID, execution)
}

const leaseOpen = "open"

// settleWithin is how long the guard tries to say how an execution went.
const settleWithin = 30 * time.Second

// wait answers 202: nothing was done, and people must decide first.
func wait(w http.ResponseWriter, a *Approval) {
	out := Waiting{Request: a.ID, Status: a.Status, StepUpURL: a.StepUpURL, Missing: a.Missing, Reasons: a.Reasons, NotBefore: a.NotBefore}
	if out.Missing == nil {
		out.Missing = []string{}
	}
	if out.Reasons == nil {
		out.Reasons = []Reason{}
	}
	w.Header().Set("Retry-After", "5")
	answer(w, http.StatusAccepted, "application/json", out)
}

// refuse answers with a problem. What the server said is passed on; that it could not
// be reached is "unavailable".
func refuse(w http.ResponseWriter, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = NewProblem(CodeUnavailable, "the approval service cannot be asked now: nothing was done")
	}
	out := *p
	if out.Code == CodeUnauthenticated || out.Code == CodeInternal { // ours, and not the caller's to know
		out = *NewProblem(CodeUnavailable, "the approval service cannot be asked now: nothing was done")
	}
	if out.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(out.RetryAfterSeconds))
	}
	answer(w, out.Status, "application/problem+json", &out)
}

func answer(w http.ResponseWriter, status int, media string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// statusWriter remembers the status that a handler answered with.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is wrapped.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
