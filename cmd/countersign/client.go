package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/alecthomas/kong"

	countersign "github.com/countersign/countersign"
)

// clientCommand is a command that speaks to the running server. [process.speak]
// connects it, and shows what it answers with.
type clientCommand interface {
	connect(p *process) (*connection, error) // as whom it speaks
	do(s *server) (answer, error)
}

// server is the running server, as one command speaks to it.
type server struct {
	*process
	*connection
	ctx    context.Context
	ask    *asker
	asJSON bool
}

// answer is what a command has to show.
type answer struct {
	value any    // as JSON; nil: there is text only
	text  func() // for people
	hint  string // the next step, beside either
	err   error  // how the command ends although it has shown something
}

// execute runs the command that was chosen.
func (p *process) execute(ctx context.Context, chosen *kong.Context) error {
	if node := chosen.Selected(); node != nil && node.Target.CanAddr() {
		if c, ok := node.Target.Addr().Interface().(clientCommand); ok {
			return p.speak(ctx, c)
		}
	}

	return chosen.Run()
}

// speak connects, lets the command ask what it asks, and shows the answer.
func (p *process) speak(ctx context.Context, c clientCommand) error {
	conn, err := c.connect(p)
	if err != nil {
		return err
	}
	s := &server{process: p, connection: conn, ctx: ctx, ask: p.asker()}
	if j, ok := c.(interface{ wantsJSON() bool }); ok {
		s.asJSON = j.wantsJSON()
	}

	a, err := c.do(s)
	if err != nil {
		return err
	}

	return p.show(a, s.asJSON)
}

// show writes an answer as JSON or as text.
func (p *process) show(a answer, asJSON bool) error {
	switch {
	case asJSON && a.value != nil:
		if err := p.json(a.value); err != nil {
			return err
		}
	case a.text != nil:
		a.text()
	}
	p.hint(a.hint)

	return a.err
}

// hint says the next step, beside the output.
func (p *process) hint(text string) {
	if text != "" {
		fmt.Fprintf(p.err, "hint: %s\n", text)
	}
}

// line is an answer of one line.
func (p *process) line(value any, format string, args ...any) answer {
	return answer{value: value, text: func() { p.printf(format+"\n", args...) }}
}

// jsonFlag asks for JSON instead of text.
type jsonFlag struct {
	JSON bool `name:"json" help:"Write JSON."`
}

func (f jsonFlag) wantsJSON() bool { return f.JSON }

// answerFlag is jsonFlag where the command also speaks with the person.
type answerFlag struct {
	JSON bool `name:"json" help:"Write the answer as JSON."`
}

func (f answerFlag) wantsJSON() bool { return f.JSON }

// personFlags are those of a command for a person who is signed in.
type personFlags struct{ serverFlags }

func (f personFlags) connect(p *process) (*connection, error) { return f.asPerson(p) }

// systemFlags are those of a command for a system with a key.
type systemFlags struct {
	serverFlags
	keyFlags
}

func (f systemFlags) connect(p *process) (*connection, error) { return f.asSystem(p, f.serverFlags) }

// eitherFlags are those of a command for both.
type eitherFlags struct {
	serverFlags
	keyFlags
}

func (f eitherFlags) connect(p *process) (*connection, error) { return f.asEither(p, f.serverFlags) }

// call makes one call. in and out may be nil; an answer that is no success is a
// [countersign.Problem].
func (s *server) call(method, path string, in, out any) error {
	return s.Call(s.ctx, s.token, method, path, in, out)
}

func (s *server) delete(path string) error { return s.call(http.MethodDelete, path, nil, nil) }

// get reads one thing.
func get[T any](s *server, path string) (*T, error) {
	out := new(T)
	return out, s.call(http.MethodGet, path, nil, out)
}

// post sends a body, which may be nil, and reads what comes of it.
func post[T any](s *server, path string, body any) (*T, error) {
	out := new(T)
	return out, s.call(http.MethodPost, path, body, out)
}

// list reads the pages of a list to its end, or until it has so many.
func list[T any](s *server, path string, q url.Values, most int) ([]T, error) {
	all := []T{}
	for len(all) < most {
		q.Set("limit", strconv.Itoa(min(most-len(all), 200)))
		page, err := get[countersign.Page[T]](s, path+"?"+q.Encode())
		if err != nil {
			return nil, err
		}

		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}

	return all, nil
}

// given are the parameters of a list that say something.
func given(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}

	return q
}
