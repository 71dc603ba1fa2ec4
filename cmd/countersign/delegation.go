package main

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
)

// delegationCmd holds the commands about deciding in another's place.
type delegationCmd struct {
	Add  delegationAddCmd  `cmd:"" help:"Let another person decide in your place for a time; or propose it for somebody who is absent."`
	List delegationListCmd `cmd:"" help:"List delegations, newest first."`
	End  delegationEndCmd  `cmd:"" help:"End a delegation at once."`
}

type delegationAddCmd struct {
	personFlags
	factorFlags
	To     string   `arg:"" help:"Who may decide: per_…, or by login where you may read the register."`
	Until  string   `required:"" placeholder:"TIME" help:"When it ends: a time (RFC 3339), or the last day (YYYY-MM-DD, in UTC). At most 92 days."`
	From   string   `placeholder:"TIME" help:"When it starts: a time or a day. Default: now."`
	Kinds  []string `name:"kind" placeholder:"KIND" help:"Kind of document. Default: every kind."`
	Limit  string   `placeholder:"AMOUNT" help:"The most for one document, as '35000.00 EUR'. Default: the limits of both people."`
	For    string   `placeholder:"PERSON" help:"In whose place, if not yours: who reports to you, or anybody for administrators. A second person decides."`
	Reason string   `required:"" placeholder:"TEXT" help:"Why."`
	jsonFlag

	asked authority.DelegationBody
}

// connect reads what was asked for first.
func (c *delegationAddCmd) connect(p *process) (conn *connection, err error) {
	if c.asked, err = c.body(); err != nil {
		return nil, err
	}
	return c.asPerson(p)
}

func (c *delegationAddCmd) do(s *server) (answer, error) {
	b := c.asked
	var err error
	if b.To, err = s.personID(c.To); err != nil {
		return answer{}, err
	}
	if c.For != "" {
		return c.propose(s, b)
	}

	if b.StepUp, err = c.stepUp(s, authority.DelegationSubject(b), "/delegations/new"); err != nil {
		return answer{}, err
	}
	made, err := post[authority.DelegationView](s, "/v1/delegations", b)

	return s.line(made, "%s", delegationLine(*made)), err
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
func (c *delegationAddCmd) propose(s *server, b authority.DelegationBody) (answer, error) {
	from, err := s.personID(c.For)
	if err != nil {
		return answer{}, err
	}

	changes := []countersign.Change{{Field: "to", To: b.To}, {Field: "ends_at", To: b.Ends}}
	for _, ch := range []countersign.Change{
		{Field: "starts_at", To: b.Starts}, {Field: "kinds", To: strings.Join(b.Kinds, ",")}, {Field: "limit", To: c.Limit},
	} {
		if ch.To != "" {
			changes = append(changes, ch)
		}
	}

	return s.propose(countersign.KindDelegation, from, c.Reason, changes)
}

// personID is a person's id: as it was given, or looked up in the register.
func (s *server) personID(name string) (string, error) {
	if countersign.IsID(countersign.PrefixPerson, name) {
		return name, nil
	}

	who, err := s.person(name)
	if err != nil {
		return "", err
	}
	return who.ID, nil
}

type delegationListCmd struct {
	personFlags
	Person string `default:"me" placeholder:"PERSON" help:"Whose: per_…, me (the default) or all."`
	jsonFlag
}

func (c *delegationListCmd) do(s *server) (answer, error) {
	all, err := list[authority.DelegationView](s, "/v1/delegations", url.Values{"person": {c.Person}}, math.MaxInt)
	return answer{value: all, text: func() {
		if len(all) == 0 {
			fmt.Fprintln(s.err, "there is no delegation")
		}
		for _, d := range all {
			s.printf("%s\n", delegationLine(d))
		}
	}}, err
}

func delegationLine(d authority.DelegationView) string {
	what := "every kind"
	if len(d.Kinds) > 0 {
		what = strings.Join(d.Kinds, ", ")
	}
	if d.Limit != nil {
		what += ", up to " + terminal.Money(*d.Limit)
	}
	return fmt.Sprintf("%s  %s for %s: %s, from %s to %s, %s", d.ID, terminal.Printable(d.To.Name), terminal.Printable(d.From.Name), what,
		terminal.Minute(d.StartsAt), terminal.Minute(d.EndsAt), strings.ReplaceAll(d.State, "_", " "))
}

type delegationEndCmd struct {
	personFlags
	Delegation string `arg:"" help:"The delegation: del_…"`
}

func (c *delegationEndCmd) do(s *server) (answer, error) {
	return s.line(nil, "%s is over", c.Delegation), s.delete("/v1/delegations/" + url.PathEscape(c.Delegation))
}
