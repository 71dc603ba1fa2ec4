package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
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
	serverFlags
	keyFlags
	File       string        `arg:"" help:"The document as JSON. - reads the input."`
	Approver   string        `placeholder:"ID" help:"Nominate the approver, by an identifier of your system."`
	ActingFor  string        `placeholder:"ID" help:"Whom the approver stands in for."`
	Channel    string        `placeholder:"NAME" help:"How it came: ui, api, import, email, agent."`
	Supersedes string        `placeholder:"REQ" help:"The request that this revision replaces."`
	Evaluate   bool          `help:"Only say what would happen. Changes nothing."`
	Wait       time.Duration `placeholder:"DURATION" help:"Wait so long for the decision, as 5m."`
	JSON       bool          `name:"json" help:"Write the answer as JSON."`
}

func (c *requestSubmitCmd) Run(ctx context.Context, p *process) error {
	raw, err := p.document(c.File)
	if err != nil {
		return err
	}
	conn, err := c.asSystem(p, c.serverFlags)
	if err != nil {
		return err
	}
	body := countersign.RequestBody{Document: raw, Submission: &countersign.Submission{Approver: c.Approver, ActingFor: c.ActingFor, Channel: c.Channel, Supersedes: c.Supersedes}}
	if c.Evaluate {
		return c.evaluate(ctx, p, conn, body)
	}
	var a countersign.Approval
	if err := conn.call(ctx, http.MethodPost, requests, body, &a); err != nil {
		return err
	}
	var late error
	if c.Wait > 0 && a.Status == countersign.StatusPending {
		late = conn.wait(ctx, &a, c.Wait)
	}
	if late != nil && !errors.Is(late, errNotYet) {
		return late
	}
	if err := p.showApproval(&a, c.JSON); err != nil {
		return err
	}
	return errors.Join(late, refusedBy(&a))
}

func (c *requestSubmitCmd) evaluate(ctx context.Context, p *process, conn *connection, body countersign.RequestBody) error {
	var e countersign.Evaluation
	if err := conn.call(ctx, http.MethodPost, "/v1/evaluate", body, &e); err != nil {
		return err
	}
	if c.JSON {
		return p.json(e)
	}
	p.printf("%s\n", outcomeInWords(e.Outcome))
	p.printReasons(e.Reasons)
	if e.Outcome == countersign.OutcomeStepUp {
		p.printf("needs     %s\n", strings.Join(requirementInWords(e.Requirement), "\n          "))
		if !e.Satisfiable {
			p.printf("          fewer people could decide on it than are needed\n")
		}
	}
	return nil
}

// refusedBy is the exit of a command whose request was refused; the output says why.
func refusedBy(a *countersign.Approval) error {
	switch a.Status {
	case countersign.StatusApproved, countersign.StatusReleased, countersign.StatusPending:
		return nil
	}
	return errSaid
}

// wait asks again until the request is decided: more rarely the longer it takes.
func (c *connection) wait(ctx context.Context, a *countersign.Approval, most time.Duration) error {
	until, pause := time.Now().Add(most), 200*time.Millisecond
	for {
		if a.Status != countersign.StatusPending && a.Status != countersign.StatusUnsatisfiable {
			return nil
		}
		left := time.Until(until)
		if left <= 0 {
			return fmt.Errorf("%s is %s: %w", a.ID, a.Status, errNotYet)
		}
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(pause*3/2, 5*time.Second)
		if err := c.call(ctx, http.MethodGet, requestPath(a.ID), nil, a); err != nil {
			return err
		}
	}
}

// requestFlags name one request, for a system or a person.
type requestFlags struct {
	serverFlags
	keyFlags
	Request string `arg:"" help:"The request: req_…"`
	JSON    bool   `name:"json" help:"Write JSON."`
}

func (c *requestFlags) get(ctx context.Context, p *process) (*connection, *countersign.Approval, error) {
	conn, err := c.asEither(p, c.serverFlags)
	if err != nil {
		return nil, nil, err
	}
	var a countersign.Approval
	return conn, &a, conn.call(ctx, http.MethodGet, requestPath(c.Request), nil, &a)
}

type requestShowCmd struct{ requestFlags }

func (c *requestShowCmd) Run(ctx context.Context, p *process) error {
	_, a, err := c.get(ctx, p)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(a)
	}
	if err := p.printCard(a); err != nil {
		return err
	}
	p.printf("\n")
	return p.showApproval(a, false)
}

type requestWaitCmd struct {
	requestFlags
	Timeout time.Duration `default:"5m" placeholder:"DURATION" help:"How long (${default})."`
}

func (c *requestWaitCmd) Run(ctx context.Context, p *process) error {
	conn, a, err := c.get(ctx, p)
	if err != nil {
		return err
	}
	late := conn.wait(ctx, a, c.Timeout)
	if late != nil && !errors.Is(late, errNotYet) {
		return late
	}
	if err := p.showApproval(a, c.JSON); err != nil {
		return err
	}
	return errors.Join(late, refusedBy(a))
}

type requestListCmd struct {
	serverFlags
	keyFlags
	Status    []string `placeholder:"STATUS" help:"Only these: pending, approved, denied, released …"`
	Kind      string   `placeholder:"KIND" help:"Only this kind of document."`
	Object    string   `placeholder:"ID" help:"Only this document's number."`
	Vendor    string   `placeholder:"ID" help:"Only this payee."`
	Requester string   `placeholder:"ID" help:"Only what this person asked for."`
	From      string   `placeholder:"DAY" help:"Submitted on or after."`
	Until     string   `placeholder:"DAY" help:"Submitted before."`
	Limit     int      `default:"50" placeholder:"N" help:"At most so many (${default})."`
	JSON      bool     `name:"json" help:"Write JSON."`
}

func (c *requestListCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asEither(p, c.serverFlags)
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return usage("--limit wants 1 or more")
	}
	q := url.Values{}
	for name, value := range map[string]string{"kind": c.Kind, "object": c.Object, "vendor": c.Vendor, "requester": c.Requester, "from": c.From, "until": c.Until} {
		if value != "" {
			q.Set(name, value)
		}
	}
	q["status"] = c.Status
	all := []countersign.Approval{}
	for len(all) < c.Limit {
		q.Set("limit", strconv.Itoa(min(c.Limit-len(all), 200)))
		var page countersign.Page[countersign.Approval]
		if err := conn.call(ctx, http.MethodGet, requests+"?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}
	if c.JSON {
		return p.json(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(p.err, "nothing")
	}
	for i := range all {
		p.printf("%s  %-13s %s\n", all[i].ID, all[i].Status, oneLine(&all[i]))
	}
	return nil
}

type requestCancelCmd struct{ requestFlags }

func (c *requestCancelCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asEither(p, c.serverFlags)
	if err != nil {
		return err
	}
	var a countersign.Approval
	if err := conn.call(ctx, http.MethodPost, requestPath(c.Request, "cancel"), nil, &a); err != nil {
		return err
	}
	return p.showApproval(&a, c.JSON)
}

type requestReceiptCmd struct {
	serverFlags
	keyFlags
	Request string `arg:"" help:"The request: req_…"`
	Output  string `short:"o" placeholder:"FILE" help:"Write to a file."`
}

func (c *requestReceiptCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asEither(p, c.serverFlags)
	if err != nil {
		return err
	}
	var raw json.RawMessage // byte for byte: a receipt has one encoding
	if err := conn.call(ctx, http.MethodGet, requestPath(c.Request, "receipt"), nil, &raw); err != nil {
		return err
	}
	if c.Output != "" {
		return os.WriteFile(c.Output, raw, 0o644)
	}
	_, err = p.out.Write(raw)
	return err
}
