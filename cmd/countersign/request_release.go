package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	countersign "github.com/countersign/countersign"
)

// releaseFlags name an approved request and the document as it stands now.
type releaseFlags struct {
	serverFlags
	keyFlags
	Request string `arg:"" help:"The request: req_…"`
	File    string `arg:"" help:"The document as it stands now, as JSON. - reads the input."`
	JSON    bool   `name:"json" help:"Write JSON."`
}

func (c *releaseFlags) prepare(p *process) (*connection, countersign.ReleaseBody, error) {
	raw, err := p.document(c.File)
	if err != nil {
		return nil, countersign.ReleaseBody{}, err
	}
	conn, err := c.asSystem(p, c.serverFlags)
	return conn, countersign.ReleaseBody{Request: c.Request, Document: raw}, err
}

type requestCheckCmd struct{ releaseFlags }

func (c *requestCheckCmd) Run(ctx context.Context, p *process) error {
	conn, body, err := c.prepare(p)
	if err != nil {
		return err
	}
	var a countersign.CheckAnswer
	if err := conn.call(ctx, http.MethodPost, "/v1/check", body, &a); err != nil {
		return p.against(err)
	}
	if c.JSON {
		return p.json(a)
	}
	p.printf("%s may be released\n", a.Request)
	return nil
}

type requestReleaseCmd struct {
	releaseFlags
	Execution string `placeholder:"ID" help:"Your own id of this execution. The same again gives the same answer; another is refused. Default: a fresh one, which is printed."`
	Confirm   bool   `help:"Confirm in the same call: nothing is left open."`
}

func (c *requestReleaseCmd) Run(ctx context.Context, p *process) error {
	conn, body, err := c.prepare(p)
	if err != nil {
		return err
	}
	body.Execution, body.Confirm = c.Execution, c.Confirm
	if body.Execution == "" {
		var b [8]byte
		rand.Read(b[:])
		body.Execution = "cli-" + hex.EncodeToString(b[:])
	}
	var a countersign.ReleaseAnswer
	if err := conn.call(ctx, http.MethodPost, "/v1/release", body, &a); err != nil {
		return p.against(err)
	}
	return p.released(&a, c.JSON)
}

func (p *process) released(a *countersign.ReleaseAnswer, asJSON bool) error {
	if asJSON {
		return p.json(a)
	}
	p.printf("%s  %s\n", a.Request, a.Status)
	p.printf("lease     %s, %s\n", a.Lease, a.State)
	p.printf("execution %s\n", a.Execution)
	if a.State == "open" {
		p.printf("          until %s\n", inMinutes(a.ExpiresAt))
		p.printf("hint: countersign request confirm %s %s\n", a.Request, a.Execution)
	}
	return nil
}

// against shows what stands against a release, and the fields that differ.
func (p *process) against(err error) error {
	var problem *countersign.Problem
	if errors.As(err, &problem) {
		p.printProblem(problem)
	}
	return err
}

// executionFlags name a release by the caller's own id.
type executionFlags struct {
	serverFlags
	keyFlags
	Request   string `arg:"" help:"The request: req_…"`
	Execution string `arg:"" help:"Your id of the execution, as you gave it at the release."`
	JSON      bool   `name:"json" help:"Write JSON."`
}

func (c *executionFlags) say(ctx context.Context, p *process, what string) error {
	conn, err := c.asSystem(p, c.serverFlags)
	if err != nil {
		return err
	}
	var a countersign.ReleaseAnswer
	body := struct {
		Execution string `json:"execution"`
	}{strings.TrimSpace(c.Execution)}
	if err := conn.call(ctx, http.MethodPost, requestPath(c.Request, what), body, &a); err != nil {
		return err
	}
	return p.released(&a, c.JSON)
}

type requestConfirmCmd struct{ executionFlags }

func (c *requestConfirmCmd) Run(ctx context.Context, p *process) error {
	return c.say(ctx, p, "confirm")
}

type requestAbandonCmd struct{ executionFlags }

func (c *requestAbandonCmd) Run(ctx context.Context, p *process) error {
	return c.say(ctx, p, "abandon")
}
