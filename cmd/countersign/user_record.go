package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
)

type userAddCmd struct {
	personFlags
	factorFlags
	Login string `arg:"" help:"The name that they sign in with."`
	Name  string `required:"" placeholder:"TEXT" help:"What they are called."`
	Email string `placeholder:"ADDRESS" help:"Where they get mail."`
	jsonFlag
}

func (c *userAddCmd) do(s *server) (answer, error) {
	body := api.AddPersonBody{Login: c.Login, Name: c.Name, Email: c.Email}
	var err error
	if body.StepUp, err = c.stepUp(s, authority.AddPersonSubject(c.Login), "/admin/people/new"); err != nil {
		return answer{}, err
	}
	made, err := post[authority.PersonView](s, "/v1/people", body)

	return answer{value: made, text: func() {
		s.printf("%s  %s\n", made.ID, terminal.Printable(made.Name))
		s.hint(fmt.Sprintf("countersign user change %s proposes what they may do, countersign user invite %s lets them enrol", made.ID, made.ID))
	}}, err
}

type userShowCmd struct {
	personFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	jsonFlag
}

func (c *userShowCmd) do(s *server) (answer, error) {
	who, err := s.person(c.Person)
	if err != nil {
		return answer{}, err
	}
	r, err := get[api.PersonRecord](s, "/v1/people/"+url.PathEscape(who.ID)+"/record")

	return answer{value: r, text: func() { s.record(r) }}, err
}

func (p *process) record(r *api.PersonRecord) {
	p.printf("%s  %s\n", r.Person.ID, terminal.Printable(r.Person.Name))
	line := func(label, text string) {
		if text != "" {
			p.printf("%-14s %s\n", label+":", terminal.Printable(text))
		}
	}
	line("e-mail", r.Person.Email)
	line("may", or(strings.Join(standing(r.Person), "  "), "nothing yet"))
	if r.Manager != nil {
		line("manager", r.Manager.Name)
	}
	for _, i := range r.Person.Identities {
		line("known as", i.Subject+" in "+i.Source)
	}
	for _, a := range r.Authenticators {
		line("proves with", authenticatorLine(a))
	}
	if r.BreakGlassFrom != "" {
		line("break-glass", "from "+terminal.Minute(r.BreakGlassFrom))
	}
	line("sessions", fmt.Sprintf("%d open", r.Sessions))
	line("on record", "since "+terminal.Minute(r.Since))
}

// authenticatorLine says what somebody has, and how it stands.
func authenticatorLine(a authority.AuthenticatorView) string {
	text := a.Type + "  " + a.ID + "  " + a.Name
	switch {
	case a.ReportedAt != "":
		text += ", reported lost " + terminal.Minute(a.ReportedAt)
	case a.Waits:
		text += ", waits for a second person"
	case a.Type == "recovery":
		text += fmt.Sprintf(", %d left", a.CodesLeft)
	case a.CountsFrom != "":
		text += ", counts from " + terminal.Minute(a.CountsFrom)
	}
	return text
}

type userSignOutCmd struct {
	personFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	jsonFlag
}

func (c *userSignOutCmd) do(s *server) (answer, error) {
	who, err := s.person(c.Person)
	if err != nil {
		return answer{}, err
	}
	err = s.call(http.MethodPost, "/v1/people/"+url.PathEscape(who.ID)+"/sign-out", nil, nil)

	return s.line(map[string]string{"id": who.ID, "sessions": "ended"}, "%s is signed out everywhere", terminal.Printable(who.Name)), err
}
