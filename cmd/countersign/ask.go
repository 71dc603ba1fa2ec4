package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// asker asks on the terminal. Where the input is no terminal it reads one line for
// each question, so that a script can answer; nothing secret is ever an argument.
type asker struct {
	p     *process
	tty   *os.File // nil where the input is no terminal
	lines *bufio.Reader
}

func (p *process) asker() *asker {
	a := &asker{p: p}
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		a.tty = f
	}
	a.lines = bufio.NewReader(p.in)
	return a
}

// line asks for one line that may be seen.
func (a *asker) line(question string) (string, error) {
	a.prompt(question)
	text, err := a.lines.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		return "", unanswered(question, err)
	}
	return strings.TrimSpace(strings.TrimRight(text, "\r\n")), nil
}

// secret asks for one line that is not shown.
func (a *asker) secret(question string) (string, error) {
	if a.tty == nil {
		a.prompt(question)
		text, err := a.lines.ReadString('\n')
		if err != nil && (!errors.Is(err, io.EOF) || text == "") {
			return "", unanswered(question, err)
		}
		return strings.TrimRight(text, "\r\n"), nil
	}
	a.prompt(question)
	text, err := term.ReadPassword(int(a.tty.Fd()))
	fmt.Fprintln(a.p.err)
	if err != nil {
		return "", unanswered(question, err)
	}
	return string(text), nil
}

func (a *asker) prompt(question string) {
	fmt.Fprintf(a.p.err, "%s: ", question)
	if a.tty == nil {
		fmt.Fprintln(a.p.err)
	}
}

func unanswered(question string, err error) error {
	if errors.Is(err, io.EOF) {
		return withHint(fmt.Errorf("no answer to %q", question), "run it on a terminal, or give the answers as lines of the input")
	}
	return fmt.Errorf("answer to %q: %w", question, err)
}
