package countersign

import (
	"fmt"
	"strings"
)

// Code names a problem for machines. Codes are stable; sentences may change.
type Code string

// The codes of [Problem], with the HTTP status each is sent with.
const (
	CodeMalformed       Code = "malformed"        // 400 the body is no JSON text that we accept
	CodeInvalid         Code = "invalid"          // 400 fields are wrong; see errors
	CodeUnauthenticated Code = "unauthenticated"  // 401 no key or session, or not a valid one
	CodeForbidden       Code = "forbidden"        // 403 known, but may not
	CodeNotFound        Code = "not_found"        // 404 not there, or not for you to see
	CodeMethod          Code = "method"           // 405 not this method here
	CodeConflict        Code = "conflict"         // 409 somebody or something was first
	CodeChanged         Code = "document_changed" // 409 not the document that was approved or shown; see differences
	CodeNotReleasable   Code = "not_releasable"   // 409 something new stands against it; see reasons
	CodeReleased        Code = "already_released" // 409 released under another execution id
	CodeState           Code = "wrong_state"      // 409 the request's status does not allow this
	CodeGone            Code = "gone"             // 410 expired or used up
	CodeTooLarge        Code = "too_large"        // 413 the body is over the bound
	CodeMediaType       Code = "media_type"       // 415 not application/json
	CodeKeyReused       Code = "key_reused"       // 422 the Idempotency-Key came with another payload
	CodeRateLimited     Code = "rate_limited"     // 429 see retry_after_seconds
	CodeLocked          Code = "locked"           // 429 the authenticator is locked; see retry_after_seconds
	CodeInternal        Code = "internal"         // 500 our fault; the instance finds it in the log
	CodeUnavailable     Code = "unavailable"      // 503 fail closed: clock, log or database cannot be trusted now
)

// Problem is the one error type that reaches a caller (RFC 9457). Inside, any
// other error is "internal" and its text stays in the log.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`   // what is wrong, for a person
	Instance string `json:"instance,omitempty"` // finds this occurrence in the server's log
	Code     Code   `json:"code"`
	Hint     string `json:"hint,omitempty"` // what to do next

	Errors            []FieldError `json:"errors,omitempty"`
	Differences       []Difference `json:"differences,omitempty"`
	Reasons           []Reason     `json:"reasons,omitempty"`
	RetryAfterSeconds int          `json:"retry_after_seconds,omitempty"`

	cause error
}

// FieldError names one wrong place of a body.
type FieldError struct {
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) into the body
	Detail  string `json:"detail"`
}

// Difference is one field in which two documents differ. Stored is given only to
// the source that submitted the document, and is empty where the field is new.
type Difference struct {
	Pointer string `json:"pointer"`
	Stored  string `json:"stored,omitempty"`
	Sent    string `json:"sent,omitempty"`
}

var statuses = map[Code]struct {
	status int
	title  string
}{
	CodeMalformed:       {400, "The body could not be read"},
	CodeInvalid:         {400, "The body is not valid"},
	CodeUnauthenticated: {401, "Who is asking is not known"},
	CodeForbidden:       {403, "Not permitted"},
	CodeNotFound:        {404, "Not found"},
	CodeMethod:          {405, "Method not allowed"},
	CodeConflict:        {409, "Conflict"},
	CodeChanged:         {409, "The document changed"},
	CodeNotReleasable:   {409, "Not releasable now"},
	CodeReleased:        {409, "Already released"},
	CodeState:           {409, "Not possible in this state"},
	CodeGone:            {410, "Expired or used"},
	CodeTooLarge:        {413, "Too large"},
	CodeMediaType:       {415, "Unsupported media type"},
	CodeKeyReused:       {422, "Idempotency key reused"},
	CodeRateLimited:     {429, "Too many requests"},
	CodeLocked:          {429, "Locked"},
	CodeInternal:        {500, "Internal error"},
	CodeUnavailable:     {503, "Not available"},
}

// NewProblem makes a problem of a code with its status, title and type, and a
// sentence for a person.
func NewProblem(code Code, format string, args ...any) *Problem {
	s, ok := statuses[code]
	if !ok {
		code, s = CodeInternal, statuses[CodeInternal]
	}
	return &Problem{Type: "urn:countersign:problem:" + string(code), Title: s.title, Status: s.status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Invalid makes the problem "invalid" out of the wrong places.
func Invalid(errs ...FieldError) *Problem {
	var b strings.Builder
	for i, e := range errs {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", e.Pointer, e.Detail)
	}
	p := NewProblem(CodeInvalid, "%s", b.String())
	p.Errors = errs
	return p
}

// WithHint sets what to do next and returns the problem.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// WithCause keeps the error that led here, for the log only.
func (p *Problem) WithCause(err error) *Problem { p.cause = err; return p }

func (p *Problem) Unwrap() error { return p.cause }

func (p *Problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	if p.Hint != "" {
		s += " (hint: " + p.Hint + ")"
	}
	return s
}
