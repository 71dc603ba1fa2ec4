package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo"
)

// factorFlags say with what a person proves themself. The default is a password and a
// code, which are asked for.
type factorFlags struct {
	Demo string `placeholder:"FILE" help:"Sign with the software passkey out of a demo's --info file. Only a demo accepts it."`
}

// proof is what was given for one act.
type proof struct {
	Passkey  json.RawMessage
	Password string
	TOTP     string
}

// demoPasskey answers a challenge with a demo person's software passkey.
func (f factorFlags) demoPasskey(options json.RawMessage, id func(*demo.PersonInfo) bool) (json.RawMessage, error) {
	info, err := demo.ReadInfo(f.Demo)
	if err != nil {
		return nil, err
	}
	for i := range info.People {
		if !id(&info.People[i]) {
			continue
		}
		key, err := info.People[i].SoftwareKey()
		if err != nil {
			return nil, err
		}
		return key.Assert(options, info.URL)
	}
	return nil, withHint(fmt.Errorf("%s does not know that person", f.Demo), "countersign whoami says who is signed in")
}

// offer is what the server would accept for an act.
type offer struct {
	factors []string
	passkey json.RawMessage // options
	page    string          // where the act is done in a browser: the path of an address
}

func (o offer) has(factor string) bool {
	for _, f := range o.factors {
		if f == factor {
			return true
		}
	}
	return false
}

// prove asks the person for their factors.
func (f factorFlags) prove(ctx context.Context, conn *connection, ask *asker, o offer) (proof, error) {
	if f.Demo != "" {
		who, err := conn.who(ctx)
		if err != nil {
			return proof{}, err
		}
		response, err := f.demoPasskey(o.passkey, func(p *demo.PersonInfo) bool { return p.ID == who.Person.ID })
		return proof{Passkey: response}, err
	}
	if !o.has("totp") {
		if o.has("passkey") {
			return proof{}, withHint(errors.New("this needs your passkey, which works in a browser only: a code is not enough"), "do it in your browser: %s", conn.inBrowser(ctx, o.page))
		}
		return proof{}, withHint(errors.New("you have nothing enrolled that would be enough"), "countersign user enrol --again adds an authenticator app")
	}
	password, err := ask.secret("Password")
	if err != nil {
		return proof{}, err
	}
	code, err := ask.secret("Code of your authenticator app")
	return proof{Password: password, TOTP: code}, err
}

// inBrowser is the address of a page, as people open it.
func (c *connection) inBrowser(ctx context.Context, page string) string {
	var org authority.OrganisationView
	if err := c.call(ctx, http.MethodGet, "/v1/organisation", nil, &org); err != nil || org.PublicURL == "" {
		return c.base + page
	}
	return org.PublicURL + page
}

type requestApproveCmd struct {
	serverFlags
	factorFlags
	Request   string   `arg:"" help:"The request: req_…"`
	Reason    string   `placeholder:"TEXT" help:"Why, where a reason is asked for."`
	Attest    []string `sep:"none" placeholder:"ID=ANSWER" help:"Answer a question that is asked, as callback='yes, on the number we had'. Otherwise it is asked here."`
	ActingFor string   `placeholder:"PER" help:"Decide for somebody who delegated to you: per_…"`
	JSON      bool     `name:"json" help:"Write the answer as JSON."`
}

func (c *requestApproveCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	var a countersign.Approval
	if err := conn.call(ctx, http.MethodGet, requestPath(c.Request), nil, &a); err != nil {
		return err
	}
	if a.Status != countersign.StatusPending {
		return withHint(fmt.Errorf("%s is %s", a.ID, a.Status), "countersign request show %s", a.ID)
	}
	if _, err := card(&a); err != nil {
		return err
	}
	shown := p.aside(c.JSON)
	if err := shown.printCard(&a); err != nil {
		return err
	}
	shown.printf("\n")
	shown.printReasons(a.Reasons)
	ask := p.asker()
	body := countersign.ChallengeBody{Digest: a.Digest, Act: countersign.ActApprove, Reason: c.Reason, ActingFor: c.ActingFor}
	if body.Attestations, err = c.answers(a.Requirement.Attestations, ask); err != nil {
		return err
	}
	if a.Requirement.Reason && body.Reason == "" {
		if body.Reason, err = ask.line("Why do you approve it"); err != nil {
			return err
		}
	}
	ch, err := conn.challenge(ctx, p, c.Request, body)
	if err != nil {
		return err
	}
	statement, err := signable(ch.Statement, &a, countersign.ActApprove)
	if err != nil {
		return err
	}
	shown.printStatement(statement)
	given, err := c.prove(ctx, conn, ask, offer{ch.Factors, ch.Passkey, "/r/" + c.Request})
	if err != nil {
		return err
	}
	return conn.decide(ctx, p, c.Request, c.JSON, countersign.DecisionBody{Challenge: ch.ID, Passkey: given.Passkey, Password: given.Password, TOTP: given.TOTP})
}

// answers asks every question that has no answer yet. Questions and answers are
// signed with the rest.
func (c *requestApproveCmd) answers(asked []countersign.Attestation, ask *asker) ([]countersign.Attestation, error) {
	given := map[string]string{}
	for _, text := range c.Attest {
		id, answer, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usage("--attest %q: want it as callback='yes, on the number we had'", text)
		}
		if !slices.ContainsFunc(asked, func(q countersign.Attestation) bool { return q.ID == id }) {
			return nil, usage("--attest %s: nobody asks that", id)
		}
		given[id] = answer
	}
	var out []countersign.Attestation
	for _, q := range asked {
		answer, ok := given[q.ID]
		if !ok {
			var err error
			if answer, err = ask.line(q.Question); err != nil {
				return nil, err
			}
		}
		if strings.TrimSpace(answer) == "" {
			return nil, fmt.Errorf("%q is not answered: without it nothing is approved", q.ID)
		}
		out = append(out, countersign.Attestation{ID: q.ID, Question: q.Question, Answer: answer})
	}
	return out, nil
}

type requestDenyCmd struct {
	serverFlags
	Request    string `arg:"" help:"The request: req_…"`
	Reason     string `placeholder:"TEXT" help:"Why. Asked for otherwise."`
	Unexpected bool   `help:"I did not expect this: raises an alert as well."`
	JSON       bool   `name:"json" help:"Write the answer as JSON."`
}

func (c *requestDenyCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	var a countersign.Approval
	if err := conn.call(ctx, http.MethodGet, requestPath(c.Request), nil, &a); err != nil {
		return err
	}
	shown := p.aside(c.JSON)
	if err := shown.printCard(&a); err != nil {
		return err
	}
	shown.printf("\n")
	if c.Reason == "" {
		if c.Reason, err = p.asker().line("Why do you deny it"); err != nil {
			return err
		}
	}
	ch, err := conn.challenge(ctx, p, c.Request, countersign.ChallengeBody{Digest: a.Digest, Act: countersign.ActDeny, Reason: c.Reason})
	if err != nil {
		return err
	}
	if _, err := signable(ch.Statement, &a, countersign.ActDeny); err != nil {
		return err
	}
	return conn.decide(ctx, p, c.Request, c.JSON, countersign.DecisionBody{Challenge: ch.ID, Unexpected: c.Unexpected})
}

// aside is where the document is shown: beside the JSON, when that is the output.
func (p *process) aside(asJSON bool) *process {
	if !asJSON {
		return p
	}
	q := *p
	q.out = p.err
	return &q
}

// challenge asks for the challenge of one act; a document that changed since it was
// shown is answered with the difference.
func (c *connection) challenge(ctx context.Context, p *process, request string, body countersign.ChallengeBody) (*countersign.ChallengeAnswer, error) {
	var ch countersign.ChallengeAnswer
	err := c.call(ctx, http.MethodPost, requestPath(request, "challenges"), body, &ch)
	var problem *countersign.Problem
	if errors.As(err, &problem) {
		p.printProblem(problem)
	}
	return &ch, err
}

func (c *connection) decide(ctx context.Context, p *process, request string, asJSON bool, body countersign.DecisionBody) error {
	var a countersign.Approval
	err := c.call(ctx, http.MethodPost, requestPath(request, "decisions"), body, &a)
	var problem *countersign.Problem
	if errors.As(err, &problem) {
		p.printProblem(problem)
	}
	if err != nil {
		return err
	}
	p.aside(asJSON).printf("\n")
	return p.showApproval(&a, asJSON)
}

// signable reads the statement that is about to be signed and makes sure that it
// speaks of what was shown.
func signable(raw []byte, a *countersign.Approval, act countersign.Act) (countersign.Statement, error) {
	s, err := countersign.ParseStatement(raw)
	if err != nil {
		return s, err
	}
	if s.Approval != a.ID || !s.Digest.Equal(a.Digest) || s.Act != act || !s.RequirementDigest.Equal(a.RequirementDigest) {
		return s, fmt.Errorf("the server asks for a signature on something else than it has shown: nothing is signed")
	}
	return s, nil
}

// printStatement says what is signed.
func (p *process) printStatement(s countersign.Statement) {
	p.printf("\nYou are about to %s this. What is signed:\n", s.Act)
	w := &cardWriter{p: p}
	w.field("document", string(s.Digest))
	w.field("needs", string(s.RequirementDigest))
	w.field("policy", string(s.PolicyDigest))
	for _, at := range s.Attestations {
		w.field("question", at.Question)
		w.field("answer", at.Answer)
	}
	w.field("reason", s.Reason)
	w.field("acting for", s.ActingFor)
	w.field("until", inMinutes(s.Expires))
}
