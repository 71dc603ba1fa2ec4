package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/terminal"
)

// releaseFlags name an approved request and the document as it stands now.
type releaseFlags struct {
	systemFlags
	Request string `arg:"" help:"The request: req_…"`
	File    string `arg:"" help:"The document as it stands now, as JSON. - reads the input."`
	jsonFlag

	body countersign.ReleaseBody
}

// connect reads the document first.
func (c *releaseFlags) connect(p *process) (*connection, error) {
	raw, err := p.document(c.File)
	if err != nil {
		return nil, err
	}
	c.body = countersign.ReleaseBody{Request: c.Request, Document: raw}

	return c.systemFlags.connect(p)
}

type requestCheckCmd struct{ releaseFlags }

func (c *requestCheckCmd) do(s *server) (answer, error) {
	a, err := post[countersign.CheckAnswer](s, "/v1/check", c.body)
	return s.line(a, "%s may be released", a.Request), s.against(err)
}

type requestReleaseCmd struct {
	releaseFlags
	Execution string `placeholder:"ID" help:"Your own id of this execution. The same again gives the same answer; another is refused. Default: a fresh one, which is printed."`
	Confirm   bool   `help:"Confirm in the same call: nothing is left open."`
}

func (c *requestReleaseCmd) do(s *server) (answer, error) {
	c.body.Execution, c.body.Confirm = c.Execution, c.Confirm
	if c.Execution == "" {
		var b [8]byte
		rand.Read(b[:])
		c.body.Execution = "cli-" + hex.EncodeToString(b[:])
	}
	a, err := post[countersign.ReleaseAnswer](s, "/v1/release", c.body)

	return s.released(a), s.against(err)
}

func (p *process) released(a *countersign.ReleaseAnswer) answer {
	return answer{value: a, text: func() {
		p.printf("%s  %s\n", a.Request, a.Status)
		p.printf("lease     %s, %s\n", a.Lease, a.State)
		p.printf("execution %s\n", a.Execution)
		if a.State == "open" {
			p.printf("          until %s\n", terminal.Minute(a.ExpiresAt))
			p.printf("hint: countersign request confirm %s %s\n", a.Request, a.Execution)
		}
	}}
}

// against shows what a refusal carries beside its sentence.
func (p *process) against(err error) error {
	var problem *countersign.Problem
	if errors.As(err, &problem) {
		p.printProblem(problem)
	}
	return err
}

// executionFlags name a release by the caller's own id.
type executionFlags struct {
	systemFlags
	Request   string `arg:"" help:"The request: req_…"`
	Execution string `arg:"" help:"Your id of the execution, as you gave it at the release."`
	jsonFlag
}

func (c *executionFlags) say(s *server, what string) (answer, error) {
	body := struct {
		Execution string `json:"execution"`
	}{strings.TrimSpace(c.Execution)}
	a, err := post[countersign.ReleaseAnswer](s, requestPath(c.Request, what), body)

	return s.released(a), err
}

type requestConfirmCmd struct{ executionFlags }

func (c *requestConfirmCmd) do(s *server) (answer, error) { return c.say(s, "confirm") }

type requestAbandonCmd struct{ executionFlags }

func (c *requestAbandonCmd) do(s *server) (answer, error) { return c.say(s, "abandon") }
