package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/terminal"
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
func (f factorFlags) demoPasskey(options json.RawMessage, is func(*info.Person) bool) (json.RawMessage, error) {
	known, err := info.Read(f.Demo)
	if err != nil {
		return nil, err
	}

	for i := range known.People {
		if !is(&known.People[i]) {
			continue
		}
		key, err := known.People[i].SoftwareKey()
		if err != nil {
			return nil, err
		}
		return key.Assert(options, known.URL)
	}

	return nil, withHint(fmt.Errorf("%s does not know that person", f.Demo), "countersign whoami says who is signed in")
}

// offer is what the server would accept for an act.
type offer struct {
	factors []string
	passkey json.RawMessage // options
	page    string          // where the act is done in a browser: the path of an address
}

func (o offer) has(factor string) bool { return slices.Contains(o.factors, factor) }

// prove asks the person for their factors.
func (f factorFlags) prove(s *server, o offer) (proof, error) {
	if f.Demo != "" {
		who, err := s.who()
		if err != nil {
			return proof{}, err
		}
		response, err := f.demoPasskey(o.passkey, func(p *info.Person) bool { return p.ID == who.Person.ID })
		return proof{Passkey: response}, err
	}

	switch {
	case o.has("totp"):
		return s.passwordAndCode()
	case o.has("passkey"):
		return proof{}, withHint(errors.New("this needs your passkey, which works in a browser only: a code is not enough"), "do it in your browser: %s", s.inBrowser(o.page))
	}
	return proof{}, withHint(errors.New("you have nothing enrolled that would be enough"), "countersign user enrol --again adds an authenticator app")
}

func (s *server) passwordAndCode() (given proof, err error) {
	if given.Password, err = s.ask.secret("Password"); err != nil {
		return given, err
	}
	given.TOTP, err = s.ask.secret("Code of your authenticator app")

	return given, err
}

// inBrowser is the address of a page, as people open it.
func (s *server) inBrowser(page string) string {
	org, err := get[authority.OrganisationView](s, "/v1/organisation")
	if err != nil || org.PublicURL == "" {
		return s.base + page
	}
	return org.PublicURL + page
}

type requestApproveCmd struct {
	personFlags
	factorFlags
	Request   string   `arg:"" help:"The request: req_…"`
	Reason    string   `placeholder:"TEXT" help:"Why, where a reason is asked for."`
	Attest    []string `sep:"none" placeholder:"ID=ANSWER" help:"Answer a question that is asked, as callback='yes, on the number we had'. Otherwise it is asked here."`
	ActingFor string   `placeholder:"PER" help:"Decide for somebody who delegated to you: per_…"`
	answerFlag
}

func (c *requestApproveCmd) do(s *server) (answer, error) {
	a, err := s.request(c.Request)
	if err != nil {
		return answer{}, err
	}
	if a.Status != countersign.StatusPending {
		return answer{}, withHint(fmt.Errorf("%s is %s", a.ID, a.Status), "countersign request show %s", a.ID)
	}
	shown, err := s.present(a)
	if err != nil {
		return answer{}, err
	}
	shown.printReasons(a.Reasons)

	body := countersign.ChallengeBody{Act: countersign.ActApprove, Reason: c.Reason, ActingFor: c.ActingFor}
	if body.Attestations, err = c.answers(a.Requirement.Attestations, s.ask); err != nil {
		return answer{}, err
	}
	if a.Requirement.Reason && body.Reason == "" {
		if body.Reason, err = s.ask.line("Why do you approve it"); err != nil {
			return answer{}, err
		}
	}

	ch, statement, err := s.challenge(a, body)
	if err != nil {
		return answer{}, err
	}
	shown.printStatement(statement)
	given, err := c.prove(s, offer{ch.Factors, ch.Passkey, "/r/" + c.Request})
	if err != nil {
		return answer{}, err
	}

	return s.decide(a.ID, countersign.DecisionBody{Challenge: ch.ID, Passkey: given.Passkey, Password: given.Password, TOTP: given.TOTP})
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
	personFlags
	Request    string `arg:"" help:"The request: req_…"`
	Reason     string `placeholder:"TEXT" help:"Why. Asked for otherwise."`
	Unexpected bool   `help:"I did not expect this: raises an alert as well."`
	answerFlag
}

func (c *requestDenyCmd) do(s *server) (answer, error) {
	a, err := s.request(c.Request)
	if err != nil {
		return answer{}, err
	}
	if _, err := s.present(a); err != nil {
		return answer{}, err
	}
	if c.Reason == "" {
		if c.Reason, err = s.ask.line("Why do you deny it"); err != nil {
			return answer{}, err
		}
	}

	ch, _, err := s.challenge(a, countersign.ChallengeBody{Act: countersign.ActDeny, Reason: c.Reason})
	if err != nil {
		return answer{}, err
	}

	return s.decide(a.ID, countersign.DecisionBody{Challenge: ch.ID, Unexpected: c.Unexpected})
}

// present shows the document that is about to be decided on.
func (s *server) present(a *countersign.Approval) (shown *process, err error) {
	shown = s.aside(s.asJSON)
	if err := shown.printCard(a); err != nil {
		return nil, err
	}
	shown.printf("\n")

	return shown, nil
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

// challenge asks for the challenge of one act on what was shown, and reads what is to be
// signed. A document that changed since is answered with the difference.
func (s *server) challenge(a *countersign.Approval, body countersign.ChallengeBody) (*countersign.ChallengeAnswer, countersign.Statement, error) {
	body.Digest = a.Digest
	ch, err := post[countersign.ChallengeAnswer](s, requestPath(a.ID, "challenges"), body)
	if err != nil {
		return nil, countersign.Statement{}, s.against(err)
	}
	statement, err := signable(ch.Statement, a, body.Act)

	return ch, statement, err
}

func (s *server) decide(request string, body countersign.DecisionBody) (answer, error) {
	a, err := post[countersign.Approval](s, requestPath(request, "decisions"), body)
	if err != nil {
		return answer{}, s.against(err)
	}
	s.aside(s.asJSON).printf("\n")

	return s.standing(a), nil
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
	w.field("until", terminal.Minute(s.Expires))
}
