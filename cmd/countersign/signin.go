package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo"
)

type signInCmd struct {
	serverFlags
	factorFlags
	Login string `arg:"" optional:"" help:"Your name in the directory. Asked for otherwise."`
	JSON  bool   `name:"json" help:"Write JSON, without the token."`
}

func (c *signInCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.connect(p)
	if err != nil {
		return err
	}
	ask := p.asker()
	if c.Login == "" {
		if c.Login, err = ask.line("Name"); err != nil {
			return err
		}
	}
	var body authority.SignInBody
	if c.Demo != "" {
		var begun authority.Ceremony
		if err := conn.call(ctx, http.MethodPost, "/v1/session/challenge", nil, &begun); err != nil {
			return err
		}
		body.Challenge, body.Binding = begun.Challenge, begun.Binding
		if body.Passkey, err = c.demoPasskey(begun.Options, func(p *demo.PersonInfo) bool { return p.Login == c.Login }); err != nil {
			return err
		}
	} else {
		body.Login = c.Login
		if body.Password, err = ask.secret("Password"); err != nil {
			return err
		}
		if body.TOTP, err = ask.secret("Code of your authenticator app"); err != nil {
			return err
		}
	}
	var in authority.SignedIn
	if err := conn.call(ctx, http.MethodPost, "/v1/session", body, &in); err != nil {
		return err
	}
	if err := p.keepSession(conn.base, savedSession{Token: in.Token, Person: in.Person.ID, Name: in.Person.Name, Expires: in.ExpiresAt}); err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	if c.JSON {
		in.Token = ""
		return p.json(in)
	}
	p.printf("%s is signed in at %s, until %s at the latest\n", in.Person.Name, conn.base, inMinutes(in.ExpiresAt))
	return nil
}

type signOutCmd struct{ serverFlags }

func (c *signOutCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	err = conn.call(ctx, http.MethodDelete, "/v1/session", nil, nil)
	if kept := p.keepSession(conn.base, savedSession{}); err == nil {
		err = kept
	}
	return err
}

type whoamiCmd struct {
	serverFlags
	JSON bool `name:"json" help:"Write JSON."`
}

func (c *whoamiCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.who(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(who)
	}
	p.printf("%s, %s\n", who.Person.Name, who.Person.ID)
	p.printf("of %s, at %s\n", who.Organisation, conn.base)
	p.printf("in %s\n", or(strings.Join(who.Groups, ", "), "no group"))
	if who.Founding {
		p.printf("the organisation has fewer than two administrators\n")
	}
	return nil
}

func (c *connection) who(ctx context.Context) (*authority.Who, error) {
	var who authority.Who
	return &who, c.call(ctx, http.MethodGet, "/v1/session", nil, &who)
}

// enrolCmd enrols an authenticator app and a password by an invitation, or on the
// strength of what the person has. Passkeys are enrolled in a browser.
type enrolCmd struct {
	serverFlags
	factorFlags
	Again bool   `help:"Add another authenticator app to your own, as the signed-in person, instead of using an invitation."`
	Name  string `default:"authenticator app" placeholder:"TEXT" help:"What you call it (${default})."`
	JSON  bool   `name:"json" help:"Write JSON."`
}

func (c *enrolCmd) Run(ctx context.Context, p *process) error {
	ask := p.asker()
	var conn *connection
	var err error
	if c.Again {
		conn, err = c.granted(ctx, p, ask)
	} else {
		conn, err = c.invited(ctx, p, ask)
	}
	if err != nil {
		return err
	}
	var begun authority.Ceremony
	if err := conn.call(ctx, http.MethodPost, "/v1/authenticators/challenge", map[string]authn.Kind{"type": authn.KindTOTP}, &begun); err != nil {
		return err
	}
	fmt.Fprintf(p.err, "Put this secret into your authenticator app, by hand or as a link:\n\n  %s\n  %s\n\n", begun.Secret, begun.URI)
	out, err := c.finish(ctx, p, conn, ask, begun.Challenge)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(out)
	}
	p.printf("%s is enrolled as %s\n", out.Name, out.ID)
	if out.NeedsConfirmation {
		p.printf("it counts once a second administrator, who did not invite you, has confirmed it with you:\nread these digits to them: %s\n", out.Compare)
	}
	if out.CountsFrom != "" {
		p.printf("it may approve from %s on\n", inMinutes(out.CountsFrom))
	}
	fmt.Fprintf(p.err, "hint: countersign sign-in --server %s\n", conn.base)
	return nil
}

// finish sends the first code and the password. On a terminal a wrong code can be
// typed again: the secret stays the same for a few of them.
func (c *enrolCmd) finish(ctx context.Context, p *process, conn *connection, ask *asker, challenge string) (*authority.Enrolled, error) {
	body := authority.EnrolBody{Challenge: challenge, Name: c.Name}
	var err error
	if body.Code, err = ask.secret("The code that it shows now"); err != nil {
		return nil, err
	}
	if body.Password, err = ask.secret(fmt.Sprintf("A password of at least %d characters, a few words in a row", authn.PasswordMinCharacters)); err != nil {
		return nil, err
	}
	if err := again(ask, body.Password); err != nil {
		return nil, err
	}
	for {
		var out authority.Enrolled
		err := conn.call(ctx, http.MethodPost, "/v1/authenticators", body, &out)
		var problem *countersign.Problem
		if err == nil || ask.tty == nil || !errors.As(err, &problem) || problem.Code != countersign.CodeUnauthenticated {
			return &out, err
		}
		fmt.Fprintf(p.err, "%s\n", problem.Detail)
		if body.Code, err = ask.secret("The code that it shows now"); err != nil {
			return nil, err
		}
	}
}

// again asks for a password a second time on a terminal, where it was not seen.
func again(ask *asker, password string) error {
	if ask.tty == nil {
		return nil
	}
	text, err := ask.secret("The same once more")
	if err == nil && text != password {
		err = fmt.Errorf("the two passwords differ: nothing was enrolled")
	}
	return err
}

// invited redeems an invitation. Its link names the server; it works once, so it is
// asked for and is no argument.
func (c *enrolCmd) invited(ctx context.Context, p *process, ask *asker) (*connection, error) {
	link, err := ask.secret("The link of your invitation")
	if err != nil {
		return nil, err
	}
	link = strings.TrimSpace(link)
	token := link
	if u, err := url.Parse(link); err == nil && u.Host != "" {
		token = u.Fragment
		if c.Server == "" {
			c.Server = u.Scheme + "://" + u.Host
		}
	}
	conn, err := c.connect(p)
	if err != nil {
		return nil, err
	}
	var in authority.SignedIn
	if err := conn.call(ctx, http.MethodPost, "/v1/invitations/redeem", map[string]string{"token": token}, &in); err != nil {
		return nil, err
	}
	fmt.Fprintf(p.err, "This is the invitation of %s.\n", in.Person.Name)
	conn.token = in.Token
	return conn, nil
}

func (c *enrolCmd) granted(ctx context.Context, p *process, ask *asker) (*connection, error) {
	conn, err := c.asPerson(p)
	if err != nil {
		return nil, err
	}
	body, err := c.stepUp(ctx, conn, ask, "enrol", "/factors/add")
	if err != nil {
		return nil, err
	}
	var in authority.SignedIn
	if err := conn.call(ctx, http.MethodPost, "/v1/authenticators/grant", stepUp{body}, &in); err != nil {
		return nil, err
	}
	conn.token = in.Token
	return conn, nil
}

// stepUp is the body of an act that is no decision and needs the person again.
type stepUp struct {
	StepUp authority.StepUpBody `json:"step_up"`
}

// stepUp proves the person again for one act. What gives power is proven with the
// strongest that they have: of whoever has a passkey on the page of that path, in a
// browser.
func (f factorFlags) stepUp(ctx context.Context, conn *connection, ask *asker, subject, page string) (authority.StepUpBody, error) {
	var begun authority.Ceremony
	if err := conn.call(ctx, http.MethodPost, "/v1/step-up", map[string]string{"subject": subject}, &begun); err != nil {
		return authority.StepUpBody{}, err
	}
	given, err := f.prove(ctx, conn, ask, offer{begun.Factors, begun.Options, page})
	return authority.StepUpBody{Challenge: begun.Challenge, Passkey: given.Passkey, Password: given.Password, TOTP: given.TOTP}, err
}
