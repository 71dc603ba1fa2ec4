package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// delegationCmd holds the commands about deciding in another's place.
type delegationCmd struct {
	Add  delegationAddCmd  `cmd:"" help:"Let another person decide in your place for a time; or propose it for somebody who is absent."`
	List delegationListCmd `cmd:"" help:"List delegations, newest first."`
	End  delegationEndCmd  `cmd:"" help:"End a delegation at once."`
}

type delegationAddCmd struct {
	serverFlags
	factorFlags
	To     string   `arg:"" help:"Who may decide: per_…, or by login where you may read the register."`
	Until  string   `required:"" placeholder:"TIME" help:"When it ends: a time (RFC 3339), or the last day (YYYY-MM-DD, in UTC). At most 92 days."`
	From   string   `placeholder:"TIME" help:"When it starts: a time or a day. Default: now."`
	Kinds  []string `name:"kind" placeholder:"KIND" help:"Kind of document. Default: every kind."`
	Limit  string   `placeholder:"AMOUNT" help:"The most for one document, as '35000.00 EUR'. Default: the limits of both people."`
	For    string   `placeholder:"PERSON" help:"In whose place, if not yours: who reports to you, or anybody for administrators. A second person decides."`
	Reason string   `required:"" placeholder:"TEXT" help:"Why."`
	JSON   bool     `name:"json" help:"Write JSON."`
}

func (c *delegationAddCmd) Run(ctx context.Context, p *process) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	if body.To, err = conn.personID(ctx, c.To); err != nil {
		return err
	}
	if c.For != "" {
		return c.propose(ctx, p, conn, body)
	}
	if body.StepUp, err = c.stepUp(ctx, conn, p.asker(), authority.DelegationSubject(body), "/delegations/new"); err != nil {
		return err
	}
	var made authority.DelegationView
	if err := conn.call(ctx, http.MethodPost, "/v1/delegations", body, &made); err != nil {
		return err
	}
	if c.JSON {
		return p.json(made)
	}
	p.printf("%s\n", delegationLine(made))
	return nil
}

// body reads what was asked for. A last day is counted whole.
func (c *delegationAddCmd) body() (authority.DelegationBody, error) {
	b := authority.DelegationBody{Kinds: c.Kinds, Reason: c.Reason}
	for _, f := range []struct {
		flag, text string
		out        *string
		days       int
	}{{"--until", c.Until, &b.Ends, 1}, {"--from", c.From, &b.Starts, 0}} {
		*f.out = f.text
		if day, err := time.Parse(time.DateOnly, f.text); err == nil {
			*f.out = day.AddDate(0, 0, f.days).Format(time.RFC3339)
		} else if _, err := time.Parse(time.RFC3339, f.text); f.text != "" && err != nil {
			return b, usage("%s %q: want a day as 2026-12-24, or a time as 2026-12-24T18:00:00Z", f.flag, f.text)
		}
	}
	if c.Limit != "" {
		value, currency, ok := strings.Cut(c.Limit, " ")
		if !ok {
			return b, usage("--limit %q: want an amount with its currency, as '35000.00 EUR'", c.Limit)
		}
		b.Limit = &countersign.Amount{Value: value, Currency: currency}
	}
	return b, nil
}

// propose asks a second person to agree to a delegation for somebody else.
func (c *delegationAddCmd) propose(ctx context.Context, p *process, conn *connection, b authority.DelegationBody) error {
	from, err := conn.personID(ctx, c.For)
	if err != nil {
		return err
	}
	changes := []countersign.Change{{Field: "to", To: b.To}, {Field: "ends_at", To: b.Ends}}
	for _, ch := range []countersign.Change{{Field: "starts_at", To: b.Starts}, {Field: "kinds", To: strings.Join(b.Kinds, ",")}, {Field: "limit", To: c.Limit}} {
		if ch.To != "" {
			changes = append(changes, ch)
		}
	}
	return conn.propose(ctx, p, c.JSON, authority.Proposal{Kind: countersign.KindDelegation, ID: from, Subject: c.Reason, Changes: changes})
}

// personID is a person's id: as it was given, or looked up in the register.
func (c *connection) personID(ctx context.Context, name string) (string, error) {
	if countersign.IsID(countersign.PrefixPerson, name) {
		return name, nil
	}
	who, err := c.person(ctx, name)
	if err != nil {
		return "", err
	}
	return who.ID, nil
}

type delegationListCmd struct {
	serverFlags
	Person string `default:"me" placeholder:"PERSON" help:"Whose: per_…, me (the default) or all."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *delegationListCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	all, after := []authority.DelegationView{}, ""
	for {
		var page countersign.Page[authority.DelegationView]
		path := "/v1/delegations?limit=200&person=" + url.QueryEscape(c.Person) + "&after=" + url.QueryEscape(after)
		if err := conn.call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if after = page.Next; after == "" {
			break
		}
	}
	if c.JSON {
		return p.json(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(p.err, "there is no delegation")
	}
	for _, d := range all {
		p.printf("%s\n", delegationLine(d))
	}
	return nil
}

func delegationLine(d authority.DelegationView) string {
	what := "every kind"
	if len(d.Kinds) > 0 {
		what = strings.Join(d.Kinds, ", ")
	}
	if d.Limit != nil {
		what += ", up to " + money(*d.Limit)
	}
	return fmt.Sprintf("%s  %s for %s: %s, from %s to %s, %s", d.ID, printableText(d.To.Name), printableText(d.From.Name), what,
		inMinutes(d.StartsAt), inMinutes(d.EndsAt), strings.ReplaceAll(d.State, "_", " "))
}

type delegationEndCmd struct {
	serverFlags
	Delegation string `arg:"" help:"The delegation: del_…"`
}

func (c *delegationEndCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	if err := conn.call(ctx, http.MethodDelete, "/v1/delegations/"+url.PathEscape(c.Delegation), nil, nil); err != nil {
		return err
	}
	p.printf("%s is over\n", c.Delegation)
	return nil
}
