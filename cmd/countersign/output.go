package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	countersign "github.com/countersign/countersign"
)

// hinted is an error with the next step.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }

// withHint adds the next step to an error, where there is one.
func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hinted{err, fmt.Sprintf(format, args...)}
}

// usageError is a wrong use of the command line: exit code 2.
type usageError struct {
	err  error
	hint string
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return usageError{err: fmt.Errorf(format, args...)} }

// errNotYet is wrapped by the error of a command that waited in vain: exit code 3.
var errNotYet = errors.New("not yet")

// errSaid ends a command with exit code 1 when the output has said everything.
var errSaid = errors.New("the output says why")

// fail writes an error for people and returns the exit code for it.
func (p *process) fail(err error) int {
	if err == nil {
		return exitDone
	}
	code := exitFailed
	text, hint := err.Error(), ""
	var h hinted
	var u usageError
	var problem *countersign.Problem
	var wrong *kong.ParseError
	switch {
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &u):
		code, hint = exitUsage, u.hint
	case errors.As(err, &wrong):
		code = exitUsage
	case errors.Is(err, errNotYet):
		code = exitNotYet
	case errors.Is(err, context.Canceled):
		text = "stopped"
	}
	if errors.As(err, &h) {
		hint = h.hint
	}
	if errors.As(err, &problem) {
		hint = problem.Hint
		text = strings.TrimSuffix(text, " (hint: "+hint+")")
	}
	fmt.Fprintf(p.err, "countersign: %s\n", text)
	if hint != "" {
		fmt.Fprintf(p.err, "hint: %s\n", hint)
	}
	return code
}

// json writes one JSON value for scripts.
func (p *process) json(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printf writes to the output. The first error of a pipe that was closed ends
// nothing: what is left is not wanted.
func (p *process) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// open opens a file, or the input for "-".
func (p *process) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.in), nil
	}
	return os.Open(name)
}

// read reads a whole file of at most so many bytes, or the input for "-".
func (p *process) read(name string, most int64) ([]byte, error) {
	f, err := p.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, most)
	}
	return data, nil
}

// progress writes one line that rewrites itself, and only to a terminal.
type progress struct {
	w     io.Writer // nil: nobody looks
	label string
	last  time.Time
	width int
}

func (p *process) progress(label string) *progress {
	if f, ok := p.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{w: p.err, label: label}
	}
	return &progress{}
}

func (g *progress) show(done, total int64) {
	if g.w == nil || time.Since(g.last) < 100*time.Millisecond {
		return
	}
	g.last = time.Now()
	text := fmt.Sprintf("%s %d", g.label, done)
	if total > 0 {
		text = fmt.Sprintf("%s %d of %d (%d %%)", g.label, done, total, done*100/total)
	}
	g.put(text)
}

// ofFile shows how much of a file was read, and stops the reading when the command is
// ended.
func (g *progress) ofFile(ctx context.Context, in io.Reader) func(bytes, _ int64) error {
	size := int64(0)
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
	}

	return func(bytes, _ int64) error {
		g.show(bytes, size)
		return ctx.Err()
	}
}

func (g *progress) put(text string) {
	n := utf8.RuneCountInString(text)
	fmt.Fprintf(g.w, "\r%s%s", text, strings.Repeat(" ", max(0, g.width-n)))
	g.width = n
}

// end takes the line away.
func (g *progress) end() {
	if g.w != nil && g.width > 0 {
		g.put("")
		fmt.Fprint(g.w, "\r")
	}
}
