package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
)

// moveCmd lets people reach an organisation under another address. It says first what is
// lost by it, and asks.
type moveCmd struct {
	onData
	Reason string `required:"" placeholder:"TEXT" help:"Why: it stands in the log."`
	Yes    bool   `help:"Do not ask."`
	JSON   bool   `name:"json" help:"Write JSON. Needs --yes."`
	To     string `arg:"" optional:"" help:"The new public_url. Default: the one in the configuration."`
}

func (c *moveCmd) Run(ctx context.Context, p *process) error {
	if c.JSON && !c.Yes {
		return usageError{err: errors.New("--json is for scripts, which cannot be asked: give --yes too")}
	}
	config, err := Load(c.Config, p.env)
	if err != nil {
		return err
	}
	to := c.To
	if to == "" {
		to = config.PublicURL
	}
	if to, err = addressOf(to); err != nil {
		return err
	}

	m, err := operateOn(ctx, p, &installation{config: config, moves: true}, c.Org, func(a *authority.Authority) (*authority.Move, error) {
		if err := c.agreed(ctx, p, a, to); err != nil {
			return nil, err
		}
		return a.MoveOffline(ctx, to, c.Reason)
	})
	if err != nil {
		return err
	}

	return p.show(answer{value: m, text: func() { c.say(p, m) }}, c.JSON)
}

// addressOf checks a public_url as the configuration does.
func addressOf(text string) (string, error) {
	l := configLoader{c: Config{PublicURL: text}, where: map[string]string{"public_url": "the argument"}}
	l.publicURL()
	if len(l.problems) > 0 {
		return "", usageError{err: l.problems}
	}
	return l.c.PublicURL, nil
}

// agreed says what comes of it, and lets the operator type the new host name.
func (c *moveCmd) agreed(ctx context.Context, p *process, a *authority.Authority, to string) error {
	if c.Yes {
		return nil
	}
	m, err := a.CheckMove(ctx, to)
	if err != nil {
		return err
	}

	fmt.Fprintf(p.err, "From %s to %s.\n", m.From, m.To)
	if m.Passkeys == 0 {
		fmt.Fprintf(p.err, "No passkey is lost.\n")
	} else {
		fmt.Fprintf(p.err, "Passkeys are bound to the host name. %s of %s will be lost, for good.\n", counted(m.Passkeys, "passkey", "passkeys"), counted(m.People, "person", "people"))
	}
	if len(m.Left) > 0 {
		names := make([]string, len(m.Left))
		for i, who := range m.Left {
			names[i] = who.Name
		}
		fmt.Fprintf(p.err, "Left with nothing to sign in with, to be invited again: %s.\n", strings.Join(names, ", "))
	}
	fmt.Fprintf(p.err, "All sessions end. Links that were sent before lead to the old address.\n")
	u, err := url.Parse(m.To)
	if err != nil {
		return err
	}
	typed, err := p.asker().line("Type " + u.Host + " to move")
	if err != nil {
		return withHint(err, "or give --yes")
	}
	if !strings.EqualFold(typed, u.Host) {
		return errors.New("nothing was changed")
	}
	return nil
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func (c *moveCmd) say(p *process, m *authority.Move) {
	p.printf("moved to %s\n", m.To)
	for _, inv := range m.Invitations {
		p.printf("%s\t%s\n", inv.Person.Name, inv.URL)
	}
	if len(m.Invitations) > 0 {
		fmt.Fprintf(p.err, "The links are for these administrators, once, until %s; another administrator, who has spoken with them, confirms what they enrol.\n", terminal.Minute(m.Invitations[0].ExpiresAt))
	}
	fmt.Fprintf(p.err, "Set public_url to %s before you start the server.\n", m.To)
}
