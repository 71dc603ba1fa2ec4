package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/terminal"
)

type signInCmd struct {
	serverFlags
	factorFlags
	Login string `arg:"" optional:"" help:"Your name in the directory. Asked for otherwise."`
	JSON  bool   `name:"json" help:"Write JSON, without the token."`
}

func (c *signInCmd) wantsJSON() bool { return c.JSON }

func (c *signInCmd) connect(p *process) (*connection, error) { return c.reach(p) }

func (c *signInCmd) do(s *server) (answer, error) {
	body, err := c.body(s)
	if err != nil {
		return answer{}, err
	}
	in, err := post[authority.SignedIn](s, "/v1/session", body)
	if err != nil {
		return answer{}, err
	}
	if err := s.keepSession(s.base, savedSession{Token: in.Token, Person: in.Person.ID, Name: in.Person.Name, Expires: in.ExpiresAt}); err != nil {
		return answer{}, fmt.Errorf("keep the session: %w", err)
	}
	in.Token = ""

	return s.line(in, "%s is signed in at %s, until %s at the latest", in.Person.Name, s.base, terminal.Minute(in.ExpiresAt)), nil
}

// body is the name with password and code, or the answer of a demo's passkey.
func (c *signInCmd) body(s *server) (body authority.SignInBody, err error) {
	if c.Login == "" {
		if c.Login, err = s.ask.line("Name"); err != nil {
			return body, err
		}
	}

	if c.Demo == "" {
		given, err := s.passwordAndCode()
		return authority.SignInBody{Login: c.Login, Password: given.Password, TOTP: given.TOTP}, err
	}

	begun, err := post[authority.Ceremony](s, "/v1/session/challenge", nil)
	if err != nil {
		return body, err
	}
	body.Challenge, body.Binding = begun.Challenge, begun.Binding
	body.Passkey, err = c.demoPasskey(begun.Options, func(p *info.Person) bool { return p.Login == c.Login })

	return body, err
}

type signOutCmd struct{ personFlags }

func (c *signOutCmd) do(s *server) (answer, error) {
	err := s.delete("/v1/session")
	if kept := s.keepSession(s.base, savedSession{}); err == nil {
		err = kept
	}
	return answer{}, err
}

type whoamiCmd struct {
	personFlags
	jsonFlag
}

func (c *whoamiCmd) do(s *server) (answer, error) {
	who, err := s.who()
	return answer{value: who, text: func() {
		s.printf("%s, %s\n", who.Person.Name, who.Person.ID)
		s.printf("of %s, at %s\n", who.Organisation, s.base)
		s.printf("in %s\n", or(strings.Join(who.Groups, ", "), "no group"))
		if who.Founding {
			s.printf("the organisation has fewer than two administrators\n")
		}
	}}, err
}

func (s *server) who() (*authority.Who, error) { return get[authority.Who](s, "/v1/session") }

// enrolCmd enrols an authenticator app and a password by an invitation, or on the
// strength of what the person has. Passkeys are enrolled in a browser.
type enrolCmd struct {
	personFlags
	factorFlags
	Again bool   `help:"Add another authenticator app to your own, as the signed-in person, instead of using an invitation."`
	Name  string `default:"authenticator app" placeholder:"TEXT" help:"What you call it (${default})."`
	jsonFlag
}

// connect leaves it to the invitation where the server is.
func (c *enrolCmd) connect(p *process) (*connection, error) {
	if c.Again {
		return c.asPerson(p)
	}
	return nil, nil
}

func (c *enrolCmd) do(s *server) (answer, error) {
	entered := c.invited
	if c.Again {
		entered = c.granted
	}
	if err := entered(s); err != nil {
		return answer{}, err
	}

	begun, err := post[authority.Ceremony](s, "/v1/authenticators/challenge", map[string]authn.Kind{"type": authn.KindTOTP})
	if err != nil {
		return answer{}, err
	}
	fmt.Fprintf(s.err, "Put this secret into your authenticator app, by hand or as a link:\n\n  %s\n  %s\n\n", begun.Secret, begun.URI)
	out, err := c.finish(s, begun.Challenge)
	if err != nil {
		return answer{}, err
	}

	return answer{value: out, text: func() {
		s.printf("%s is enrolled as %s\n", out.Name, out.ID)
		if out.NeedsConfirmation {
			s.printf("it counts once a second administrator, who did not invite you, has confirmed it with you:\nread these digits to them: %s\n", out.Compare)
		}
		if out.CountsFrom != "" {
			s.printf("it may approve from %s on\n", terminal.Minute(out.CountsFrom))
		}
		s.hint("countersign sign-in --server " + s.base)
	}}, nil
}

// finish sends the first code and the password. On a terminal a wrong code can be
// typed again: the secret stays the same for a few of them.
func (c *enrolCmd) finish(s *server, challenge string) (*authority.Enrolled, error) {
	body := authority.EnrolBody{Challenge: challenge, Name: c.Name}
	var err error
	if body.Code, err = s.ask.secret("The code that it shows now"); err != nil {
		return nil, err
	}
	if body.Password, err = s.ask.secret(fmt.Sprintf("A password of at least %d characters, a few words in a row", authn.PasswordMinCharacters)); err != nil {
		return nil, err
	}
	if err := again(s.ask, body.Password); err != nil {
		return nil, err
	}

	for {
		out, err := post[authority.Enrolled](s, "/v1/authenticators", body)
		var problem *countersign.Problem
		if err == nil || s.ask.tty == nil || !errors.As(err, &problem) || problem.Code != countersign.CodeUnauthenticated {
			return out, err
		}
		fmt.Fprintf(s.err, "%s\n", problem.Detail)
		if body.Code, err = s.ask.secret("The code that it shows now"); err != nil {
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
func (c *enrolCmd) invited(s *server) error {
	link, err := s.ask.secret("The link of your invitation")
	if err != nil {
		return err
	}
	link = strings.TrimSpace(link)
	token := link
	if u, err := url.Parse(link); err == nil && u.Host != "" {
		token = u.Fragment
		if c.Server == "" {
			c.Server = u.Scheme + "://" + u.Host
		}
	}
	if s.connection, err = c.reach(s.process); err != nil {
		return err
	}

	in, err := post[authority.SignedIn](s, "/v1/invitations/redeem", map[string]string{"token": token})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "This is the invitation of %s.\n", in.Person.Name)
	s.token = in.Token

	return nil
}

func (c *enrolCmd) granted(s *server) error {
	proven, err := c.stepUp(s, "enrol", "/factors/add")
	if err != nil {
		return err
	}
	in, err := post[authority.SignedIn](s, "/v1/authenticators/grant", stepUp{proven})
	if err == nil {
		s.token = in.Token
	}

	return err
}

// stepUp is the body of an act that is no decision and needs the person again.
type stepUp struct {
	StepUp authority.StepUpBody `json:"step_up"`
}

// stepUp proves the person again for one act. What gives power is proven with the
// strongest that they have: of whoever has a passkey on the page of that path, in a
// browser.
func (f factorFlags) stepUp(s *server, subject, page string) (authority.StepUpBody, error) {
	begun, err := post[authority.Ceremony](s, "/v1/step-up", map[string]string{"subject": subject})
	if err != nil {
		return authority.StepUpBody{}, err
	}
	given, err := f.prove(s, offer{begun.Factors, begun.Options, page})

	return authority.StepUpBody{Challenge: begun.Challenge, Passkey: given.Passkey, Password: given.Password, TOTP: given.TOTP}, err
}
