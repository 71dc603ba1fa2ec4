package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
)

type userAddCmd struct {
	serverFlags
	factorFlags
	Login string `arg:"" help:"The name that they sign in with."`
	Name  string `required:"" placeholder:"TEXT" help:"What they are called."`
	Email string `placeholder:"ADDRESS" help:"Where they get mail."`
	JSON  bool   `name:"json" help:"Write JSON."`
}

func (c *userAddCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	body := api.AddPersonBody{Login: c.Login, Name: c.Name, Email: c.Email}
	if body.StepUp, err = c.stepUp(ctx, conn, p.asker(), authority.AddPersonSubject(c.Login), "/admin/people/new"); err != nil {
		return err
	}
	var made authority.PersonView
	if err := conn.call(ctx, http.MethodPost, "/v1/people", body, &made); err != nil {
		return err
	}
	if c.JSON {
		return p.json(made)
	}
	p.printf("%s  %s\n", made.ID, printableText(made.Name))
	fmt.Fprintf(p.err, "hint: countersign user change %s proposes what they may do, countersign user invite %s lets them enrol\n", made.ID, made.ID)
	return nil
}

type userShowCmd struct {
	serverFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *userShowCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.person(ctx, c.Person)
	if err != nil {
		return err
	}
	var r api.PersonRecord
	if err := conn.call(ctx, http.MethodGet, "/v1/people/"+url.PathEscape(who.ID)+"/record", nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return p.json(r)
	}
	p.printf("%s  %s\n", r.Person.ID, printableText(r.Person.Name))
	line := func(label, text string) {
		if text != "" {
			p.printf("%-14s %s\n", label+":", printableText(text))
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
		line("break-glass", "from "+inMinutes(r.BreakGlassFrom))
	}
	line("sessions", fmt.Sprintf("%d open", r.Sessions))
	line("on record", "since "+inMinutes(r.Since))
	return nil
}

// authenticatorLine says what somebody has, and how it stands.
func authenticatorLine(a authority.AuthenticatorView) string {
	text := a.Type + "  " + a.ID + "  " + a.Name
	switch {
	case a.ReportedAt != "":
		text += ", reported lost " + inMinutes(a.ReportedAt)
	case a.Waits:
		text += ", waits for a second person"
	case a.Type == "recovery":
		text += fmt.Sprintf(", %d left", a.CodesLeft)
	case a.CountsFrom != "":
		text += ", counts from " + inMinutes(a.CountsFrom)
	}
	return text
}

type userSignOutCmd struct {
	serverFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *userSignOutCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.person(ctx, c.Person)
	if err != nil {
		return err
	}
	if err := conn.call(ctx, http.MethodPost, "/v1/people/"+url.PathEscape(who.ID)+"/sign-out", nil, nil); err != nil {
		return err
	}
	if c.JSON {
		return p.json(map[string]string{"id": who.ID, "sessions": "ended"})
	}
	p.printf("%s is signed out everywhere\n", printableText(who.Name))
	return nil
}
