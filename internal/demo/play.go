package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/terminal"
)

// Caller makes one call to the running server with a credential: an API key, a
// session's token, or "". What the server refuses is a [countersign.Problem].
type Caller interface {
	Call(ctx context.Context, credential, method, path string, in, out any) error
}

// Play plays the live cases to their end over HTTP, as the company's ERP and its
// people would, and writes what happens for a person to read: 80 columns, and bold
// headings where wanted. Every receipt is verified offline, with the log's public key
// alone. The error says what did not come out as it should.
func Play(ctx context.Context, h *House, caller Caller, out io.Writer, bold bool) error {
	p := &play{ctx: ctx, h: h, caller: caller, page: page{out: out, bold: bold}, tokens: map[string]string{}, cases: map[string]Case{}, open: map[string]*countersign.Approval{}}
	for _, c := range LiveCases(h.Company, time.Now()) {
		p.cases[c.Name] = c
	}
	for _, scene := range []func(){p.prologue, p.smallOrder, p.largeOrder, p.newVendor, p.bankChange, p.split, p.agent, p.epilogue} {
		if scene(); p.failed != nil {
			return p.failed
		}
	}
	return nil
}

// play is one performance. After its first failure nothing more is done.
type play struct {
	page
	ctx    context.Context
	h      *House
	caller Caller
	tokens map[string]string // by login name
	cases  map[string]Case
	open   map[string]*countersign.Approval // by case, as it was answered last
	failed error
	counts struct{ silent, asked, denied, refused, proven int }
}

func (p *play) fail(format string, args ...any) {
	if p.failed == nil {
		p.failed = fmt.Errorf(format, args...)
	}
}

func (p *play) call(credential, method, path string, in, out any) error {
	if p.failed != nil {
		return p.failed
	}
	return p.caller.Call(p.ctx, credential, method, path, in, out)
}

// erp makes a call as the company's ERP, which must succeed.
func (p *play) erp(method, path string, in, out any) {
	if err := p.call(p.h.Info.Key, method, path, in, out); err != nil {
		p.fail("%s %s: %w", method, path, err)
	}
}

func (p *play) person(login string) *info.Person { return p.h.Info.Person(login) }

// document is a case's document as JSON.
func (p *play) document(name string) json.RawMessage {
	raw, err := json.Marshal(p.cases[name].Document)
	if err != nil {
		p.fail("%s: %w", name, err)
	}
	return raw
}

// submit submits a case as the ERP would and shows the answer.
func (p *play) submit(name string) *countersign.Approval {
	c := p.cases[name]
	p.heading(c.Title)
	p.text(docLine(&c.Document))
	if c.Document.Subject != "" {
		p.text("“" + c.Document.Subject + "”")
	}
	var a countersign.Approval
	p.erp(http.MethodPost, "/v1/requests", countersign.RequestBody{Document: p.document(name), Submission: &countersign.Submission{Approver: c.Approver, Channel: c.Channel}}, &a)
	if p.failed != nil {
		return &a
	}
	if a.Outcome != c.Outcome {
		p.fail("%s: the answer is %q, it should be %q", name, a.Outcome, c.Outcome)
	}
	p.open[name] = &a
	p.item("expected", c.Expect)
	p.answer(&a)
	switch a.Outcome {
	case countersign.OutcomeAllow:
		p.counts.silent++
	case countersign.OutcomeDeny:
		p.counts.denied++
	default:
		p.counts.asked++
	}
	return &a
}

// answer shows how a request stands: what, why, and what it needs.
func (p *play) answer(a *countersign.Approval) {
	switch {
	case a.Status == countersign.StatusApproved && a.Outcome == countersign.OutcomeAllow:
		p.item("answer", fmt.Sprintf("APPROVED at once by policy v%d; nobody was asked", a.PolicyVersion))
	case a.Status == countersign.StatusApproved && a.NotBefore != "":
		p.item("answer", "APPROVED, not to be released before "+terminal.Minute(a.NotBefore))
	default:
		p.item("answer", upper(string(a.Status)))
	}
	for _, r := range a.Reasons {
		p.item("because", p.humane(r.Sentence))
	}
	if a.Status == countersign.StatusPending {
		p.item("needs", needs(a.Requirement))
	}
}

// signedIn returns the session of a person, who signs in with the software passkey
// the first time.
func (p *play) signedIn(login string) string {
	if t := p.tokens[login]; t != "" || p.failed != nil {
		return t
	}
	var begun struct {
		Challenge string          `json:"challenge"`
		Binding   string          `json:"binding"`
		Options   json.RawMessage `json:"options"`
	}
	if err := p.call("", http.MethodPost, "/v1/session/challenge", nil, &begun); err != nil {
		p.fail("begin the sign-in of %s: %w", login, err)
		return ""
	}
	var in struct {
		Token string `json:"token"`
	}
	body := map[string]any{"challenge": begun.Challenge, "binding": begun.Binding, "passkey": p.assert(login, begun.Options)}
	if err := p.call("", http.MethodPost, "/v1/session", body, &in); err != nil {
		p.fail("sign %s in: %w", login, err)
	}
	p.tokens[login] = in.Token
	return in.Token
}

// assert signs with a person's software passkey, as a browser and a finger would.
func (p *play) assert(login string, options json.RawMessage) json.RawMessage {
	key, err := p.person(login).SoftwareKey()
	if err == nil {
		var response []byte
		if response, err = key.Assert(options, p.h.Info.URL); err == nil {
			return response
		}
	}
	p.fail("passkey of %s: %w", login, err)
	return nil
}

// verdict is what a person is about to do.
type verdict struct {
	act        countersign.Act
	reason     string
	answer     string // to every question that is asked
	unexpected bool
	code       string // with the password; "" is by passkey
}

// byPasskey, byCode and denial are the verdicts of the cases.
func byPasskey() verdict                     { return verdict{act: countersign.ActApprove} }
func byCode(code string) verdict             { return verdict{act: countersign.ActApprove, code: code} }
func denial(reason string) verdict           { return verdict{act: countersign.ActDeny, reason: reason} }
func (v verdict) with(r string) verdict      { v.reason = r; return v }
func (v verdict) answering(a string) verdict { v.answer = a; return v }
func (v verdict) didNotExpect() verdict      { v.unexpected = true; return v }

// try lets a person look at a case and decide on it: they say which digest they saw,
// get a challenge for this one act, and answer it.
func (p *play) try(login, name string, v verdict) (*countersign.Approval, error) {
	token, id := p.signedIn(login), p.open[name].ID
	var seen countersign.Approval
	if err := p.call(token, http.MethodGet, "/v1/requests/"+id, nil, &seen); err != nil {
		return nil, err
	}
	body := countersign.ChallengeBody{Digest: seen.Digest, Act: v.act, Reason: v.reason}
	if v.act == countersign.ActApprove {
		for _, q := range seen.Requirement.Attestations {
			q.Answer = v.answer
			body.Attestations = append(body.Attestations, q)
		}
	}
	var ch countersign.ChallengeAnswer
	if err := p.call(token, http.MethodPost, "/v1/requests/"+id+"/challenges", body, &ch); err != nil {
		return nil, err
	}
	given := countersign.DecisionBody{Challenge: ch.ID, Unexpected: v.unexpected}
	switch {
	case v.act == countersign.ActDeny:
	case v.code != "":
		given.Password, given.TOTP = p.person(login).Password, v.code
	default:
		given.Passkey = p.assert(login, ch.Passkey)
	}
	var a countersign.Approval
	if err := p.call(token, http.MethodPost, "/v1/requests/"+id+"/decisions", given, &a); err != nil {
		return nil, err
	}
	p.open[name] = &a
	return &a, nil
}

// decides lets a person decide, which must be accepted and leave the request at want.
func (p *play) decides(login, name string, v verdict, want countersign.Status) *countersign.Approval {
	if p.failed != nil {
		return &countersign.Approval{}
	}
	a, err := p.try(login, name, v)
	if err != nil {
		p.fail("%s, %s by %s: %w", name, v.act, login, err)
		return &countersign.Approval{}
	}
	how := "signs with a passkey"
	switch {
	case v.act == countersign.ActDeny:
		how = "denies it"
	case v.code != "":
		how = "gives the password and a code of the app"
	}
	text := p.person(login).Name + " " + how
	if v.answer != "" {
		text += ", and answers: “" + v.answer + "”"
	}
	if v.reason != "" {
		text += ", because: “" + v.reason + "”"
	}
	p.item("act", text)
	if a.Status != want {
		p.fail("%s is %q after %s decided, it should be %q", name, a.Status, login, want)
	}
	state := upper(string(a.Status))
	for _, m := range a.Missing {
		state += "; " + m
	}
	if a.NotBefore != "" && a.Status == countersign.StatusApproved {
		state += ", but not to be released before " + terminal.Minute(a.NotBefore)
	}
	p.item("now", state)
	return a
}

// refuses wants a refusal of one of the codes, and shows it.
func (p *play) refuses(what string, err error, codes ...countersign.Code) *countersign.Problem {
	if p.failed != nil {
		return &countersign.Problem{}
	}
	var problem *countersign.Problem
	if !errors.As(err, &problem) || !slices.Contains(codes, problem.Code) {
		p.fail("%s: it should be refused with %v, and the answer was: %v", what, codes, err)
		return &countersign.Problem{}
	}
	p.counts.refused++
	p.item("try", what)
	p.item("refused", p.humane(problem.Detail))
	for _, r := range problem.Reasons {
		if !strings.Contains(problem.Detail, r.Sentence) {
			p.item("", p.humane(r.Sentence))
		}
	}
	for _, d := range problem.Differences {
		p.item("", fmt.Sprintf("%s: approved %s, now %s", d.Pointer, orNothing(d.Stored), orNothing(d.Sent)))
	}
	return problem
}

// refusedTo tries a decision that must be refused.
func (p *play) refusedTo(what, login, name string, v verdict, codes ...countersign.Code) {
	if p.failed != nil {
		return
	}
	_, err := p.try(login, name, v)
	p.refuses(what, err, codes...)
}
