package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
)

// requestCmd holds the commands about requests, all over HTTP.
type requestCmd struct {
	Submit  requestSubmitCmd  `cmd:"" help:"Ask whether a document may be approved."`
	Show    requestShowCmd    `cmd:"" help:"Show a request: the document, the reasons, what is missing."`
	List    requestListCmd    `cmd:"" help:"List requests, newest first."`
	Wait    requestWaitCmd    `cmd:"" help:"Wait until a request is decided. Exit code 3: not yet."`
	Approve requestApproveCmd `cmd:"" help:"Approve a request, with your password and code."`
	Deny    requestDenyCmd    `cmd:"" help:"Deny a request."`
	Cancel  requestCancelCmd  `cmd:"" help:"Withdraw a request that was not released."`
	Check   requestCheckCmd   `cmd:"" help:"Ask what a release would say now. Changes nothing."`
	Release requestReleaseCmd `cmd:"" help:"Ask whether the document, as it stands now, may be executed. Says yes once."`
	Confirm requestConfirmCmd `cmd:"" help:"Say that what was released was executed."`
	Abandon requestAbandonCmd `cmd:"" help:"Say that what was released was not executed, and will not be."`
	Receipt requestReceiptCmd `cmd:"" help:"Write a request's receipt, which audit verify checks offline."`
}

const requests = "/v1/requests"

func requestPath(id string, more ...string) string {
	return strings.Join(append([]string{requests, url.PathEscape(id)}, more...), "/")
}

// document reads a document for a submission or a release.
func (p *process) document(name string) (json.RawMessage, error) {
	raw, err := p.read(name, 4*countersign.MaxDocumentBytes)
	if err != nil {
		return nil, err
	}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%s is no JSON", name)
	}
	return raw, nil
}

type requestSubmitCmd struct {
	systemFlags
	File       string        `arg:"" help:"The document as JSON. - reads the input."`
	Approver   string        `placeholder:"ID" help:"Nominate the approver, by an identifier of your system."`
	ActingFor  string        `placeholder:"ID" help:"Whom the approver stands in for."`
	Channel    string        `placeholder:"NAME" help:"How it came: ui, api, import, email, agent."`
	Supersedes string        `placeholder:"REQ" help:"The request that this revision replaces."`
	Evaluate   bool          `help:"Only say what would happen. Changes nothing."`
	Wait       time.Duration `placeholder:"DURATION" help:"Wait so long for the decision, as 5m."`
	answerFlag

	document json.RawMessage
}

// connect reads the document first.
func (c *requestSubmitCmd) connect(p *process) (conn *connection, err error) {
	if c.document, err = p.document(c.File); err != nil {
		return nil, err
	}
	return c.systemFlags.connect(p)
}

func (c *requestSubmitCmd) do(s *server) (answer, error) {
	body := countersign.RequestBody{Document: c.document, Submission: &countersign.Submission{
		Approver: c.Approver, ActingFor: c.ActingFor, Channel: c.Channel, Supersedes: c.Supersedes}}
	if c.Evaluate {
		e, err := post[countersign.Evaluation](s, "/v1/evaluate", body)
		return s.evaluated(e), err
	}

	a, err := post[countersign.Approval](s, requests, body)
	if err != nil || c.Wait <= 0 || a.Status != countersign.StatusPending {
		return s.decided(a, nil), err
	}
	return s.waited(a, c.Wait)
}

func (p *process) evaluated(e *countersign.Evaluation) answer {
	return answer{value: e, text: func() {
		p.printf("%s\n", outcomeInWords(e.Outcome))
		p.printReasons(e.Reasons)
		if e.Outcome == countersign.OutcomeStepUp {
			p.printf("needs     %s\n", strings.Join(requirementInWords(e.Requirement), "\n          "))
			if !e.Satisfiable {
				p.printf("          fewer people could decide on it than are needed\n")
			}
		}
	}}
}

// decided shows where a request stands and ends with an error where it was refused, or
// was waited for too long.
func (p *process) decided(a *countersign.Approval, late error) answer {
	out := p.standing(a)
	out.err = errors.Join(late, refusedBy(a))
	return out
}

// refusedBy is the exit of a command whose request was refused; the output says why.
func refusedBy(a *countersign.Approval) error {
	switch a.Status {
	case countersign.StatusApproved, countersign.StatusReleased, countersign.StatusPending:
		return nil
	}
	return errSaid
}

// waited asks again until the request is decided: more rarely the longer it takes.
func (s *server) waited(a *countersign.Approval, most time.Duration) (answer, error) {
	until, pause := time.Now().Add(most), 200*time.Millisecond
	for a.Status == countersign.StatusPending || a.Status == countersign.StatusUnsatisfiable {
		left := time.Until(until)
		if left <= 0 {
			return s.decided(a, fmt.Errorf("%s is %s: %w", a.ID, a.Status, errNotYet)), nil
		}

		select {
		case <-time.After(min(pause, left)):
		case <-s.ctx.Done():
			return answer{}, s.ctx.Err()
		}
		pause = min(pause*3/2, 5*time.Second)

		next, err := s.request(a.ID)
		if err != nil {
			return answer{}, err
		}
		a = next
	}

	return s.decided(a, nil), nil
}

func (s *server) request(id string) (*countersign.Approval, error) {
	return get[countersign.Approval](s, requestPath(id))
}

// requestFlags name one request, for a system or a person.
type requestFlags struct {
	eitherFlags
	Request string `arg:"" help:"The request: req_…"`
	jsonFlag
}

type requestShowCmd struct{ requestFlags }

func (c *requestShowCmd) do(s *server) (answer, error) {
	a, err := s.request(c.Request)
	if err != nil || c.JSON {
		return answer{value: a}, err
	}
	if err := s.printCard(a); err != nil {
		return answer{}, err
	}
	s.printf("\n")

	return s.standing(a), nil
}

type requestWaitCmd struct {
	requestFlags
	Timeout time.Duration `default:"5m" placeholder:"DURATION" help:"How long (${default})."`
}

func (c *requestWaitCmd) do(s *server) (answer, error) {
	a, err := s.request(c.Request)
	if err != nil {
		return answer{}, err
	}
	return s.waited(a, c.Timeout)
}

type requestListCmd struct {
	eitherFlags
	Status    []string `placeholder:"STATUS" help:"Only these: pending, approved, denied, released …"`
	Kind      string   `placeholder:"KIND" help:"Only this kind of document."`
	Object    string   `placeholder:"ID" help:"Only this document's number."`
	Vendor    string   `placeholder:"ID" help:"Only this payee."`
	Requester string   `placeholder:"ID" help:"Only what this person asked for."`
	From      string   `placeholder:"DAY" help:"Submitted on or after."`
	Until     string   `placeholder:"DAY" help:"Submitted before."`
	Limit     int      `default:"50" placeholder:"N" help:"At most so many (${default})."`
	jsonFlag
}

func (c *requestListCmd) do(s *server) (answer, error) {
	if c.Limit < 1 {
		return answer{}, usage("--limit wants 1 or more")
	}

	q := given("kind", c.Kind, "object", c.Object, "vendor", c.Vendor, "requester", c.Requester, "from", c.From, "until", c.Until)
	q["status"] = c.Status
	all, err := list[countersign.Approval](s, requests, q, c.Limit)

	return answer{value: all, text: func() {
		if len(all) == 0 {
			fmt.Fprintln(s.err, "nothing")
		}
		for i := range all {
			s.printf("%s  %-13s %s\n", all[i].ID, all[i].Status, oneLine(&all[i]))
		}
	}}, err
}

type requestCancelCmd struct{ requestFlags }

func (c *requestCancelCmd) do(s *server) (answer, error) {
	a, err := post[countersign.Approval](s, requestPath(c.Request, "cancel"), nil)
	return s.standing(a), err
}

type requestReceiptCmd struct {
	eitherFlags
	Request string `arg:"" help:"The request: req_…"`
	Output  string `short:"o" placeholder:"FILE" help:"Write to a file."`
}

func (c *requestReceiptCmd) do(s *server) (answer, error) {
	raw, err := get[json.RawMessage](s, requestPath(c.Request, "receipt")) // byte for byte: a receipt has one encoding
	if err != nil {
		return answer{}, err
	}
	if c.Output != "" {
		return answer{}, os.WriteFile(c.Output, *raw, 0o644)
	}
	_, err = s.out.Write(*raw)

	return answer{}, err
}
