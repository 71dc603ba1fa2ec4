package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// userCmd holds the commands about people.
type userCmd struct {
	Enrol      enrolCmd          `cmd:"" help:"Enrol an authenticator app and a password, by an invitation or beside what you have."`
	Add        userAddCmd        `cmd:"" help:"Put somebody on record whom no directory brings in. They may do nothing yet."`
	List       userListCmd       `cmd:"" help:"List people with their groups and limits."`
	Show       userShowCmd       `cmd:"" help:"Show a person: what they may do, and what they prove themself with."`
	Invite     userInviteCmd     `cmd:"" help:"Invite a person to enrol."`
	Confirm    userConfirmCmd    `cmd:"" help:"Confirm somebody's enrolment, having spoken with them; or list those that wait."`
	Change     userChangeCmd     `cmd:"" help:"Propose a change of a person's groups, limit or privilege."`
	SignOut    userSignOutCmd    `cmd:"" help:"Sign a person out everywhere, as when a device was lost."`
	Deactivate userDeactivateCmd `cmd:"" help:"Propose that a person may do nothing any more."`
	Reset      userResetCmd      `cmd:"" name:"reset-factors" help:"Remove a person's authenticators on the data folder, as its operator, while no server runs; prints their invitation."`
}

// people reads everybody, or those whom parameters of the list let through.
func (c *connection) people(ctx context.Context, narrow ...string) ([]authority.PersonView, error) {
	q := url.Values{"limit": {"200"}}
	for i := 0; i+1 < len(narrow); i += 2 {
		if narrow[i+1] != "" {
			q.Set(narrow[i], narrow[i+1])
		}
	}
	all, after := []authority.PersonView{}, ""
	for {
		if after != "" {
			q.Set("after", after)
		}
		var page countersign.Page[authority.PersonView]
		if err := c.call(ctx, http.MethodGet, "/v1/people?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// person finds one person by id, e-mail address or an identifier of any system.
func (c *connection) person(ctx context.Context, name string) (*authority.PersonView, error) {
	all, err := c.people(ctx)
	if err != nil {
		return nil, err
	}
	var found []*authority.PersonView
	for i := range all {
		hit := all[i].ID == name || strings.EqualFold(all[i].Email, name)
		for _, id := range all[i].Identities {
			hit = hit || id.Subject == name
		}
		if hit {
			found = append(found, &all[i])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, withHint(fmt.Errorf("nobody on record is called %q", name), "countersign user list shows who is; countersign import people brings people in")
	}
	return nil, withHint(fmt.Errorf("%d people are called %q", len(found), name), "name the person by id: per_…")
}

type userListCmd struct {
	serverFlags
	Find  string `placeholder:"TEXT" help:"Only whose name or e-mail address has this in it, or whose login name it is."`
	Group string `placeholder:"GROUP" help:"Only members of this group."`
	JSON  bool   `name:"json" help:"Write JSON."`
}

func (c *userListCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	all, err := conn.people(ctx, "q", c.Find, "group", c.Group)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(all)
	}
	for _, v := range all {
		p.printf("%s  %-22s %s\n", v.ID, printableText(v.Name), printableText(strings.Join(standing(v), "  ")))
	}
	return nil
}

func standing(v authority.PersonView) []string {
	var out []string
	if !v.Active {
		out = append(out, "not active")
	}
	if v.Privileged {
		out = append(out, "privileged")
	}
	out = append(out, nonEmpty(strings.Join(v.Groups, ","))...)
	for _, l := range v.Limits {
		text := "up to " + money(l.Amount)
		if l.Kind != "" {
			text += " for " + countersign.KindInWords(l.Kind)
		}
		out = append(out, text)
	}
	return out
}

type userInviteCmd struct {
	serverFlags
	factorFlags
	Person string `arg:"" help:"Login name, e-mail address or per_… of a person on record."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *userInviteCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.person(ctx, c.Person)
	if err != nil {
		return err
	}
	body, err := c.body(ctx, p, conn, who.ID)
	if err != nil {
		return err
	}
	var inv authority.Invited
	if err := conn.call(ctx, http.MethodPost, "/v1/invitations", body, &inv); err != nil {
		return err
	}
	if c.JSON {
		return p.json(inv)
	}
	p.printf("%s\n", inv.URL)
	fmt.Fprintf(p.err, "for %s, once, until %s; send it in a way that only they read\n", who.Name, inMinutes(inv.ExpiresAt))
	return nil
}

// body is the invitation that is asked for. Once the organisation is founded it is
// proven.
func (c *userInviteCmd) body(ctx context.Context, p *process, conn *connection, person string) (map[string]any, error) {
	body := map[string]any{"person": person}
	me, err := conn.who(ctx)
	if err != nil || me.Founding {
		return body, err
	}
	body["step_up"], err = c.stepUp(ctx, conn, p.asker(), "invite:"+person, "/admin/people/"+person+"/invite")
	return body, err
}

type userConfirmCmd struct {
	serverFlags
	factorFlags
	Authenticator string `arg:"" optional:"" help:"The authenticator: fac_… Without it, those that wait are listed."`
	JSON          bool   `name:"json" help:"Write JSON."`
}

func (c *userConfirmCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	if c.Authenticator == "" {
		return c.list(ctx, p, conn)
	}
	path, ask := "/"+url.PathEscape(c.Authenticator)+"/confirm", p.asker()
	var body authority.ConfirmBody
	if body.StepUp, err = c.stepUp(ctx, conn, ask, "confirm:"+c.Authenticator, "/factors"+path); err != nil {
		return err
	}
	if body.Compare, err = ask.line("The six digits that they read to you"); err != nil {
		return err
	}
	if err := conn.call(ctx, http.MethodPost, "/v1/authenticators"+path, body, nil); err != nil {
		return err
	}
	p.printf("%s is confirmed\n", c.Authenticator)
	return nil
}

func (c *userConfirmCmd) list(ctx context.Context, p *process, conn *connection) error {
	var waiting authority.Unconfirmed
	if err := conn.call(ctx, http.MethodGet, "/v1/confirmations", nil, &waiting); err != nil {
		return err
	}
	if c.JSON {
		return p.json(waiting.Items)
	}
	if len(waiting.Items) == 0 {
		fmt.Fprintln(p.err, "no enrolment waits for a confirmation")
	}
	for _, w := range waiting.Items {
		by := ""
		if name := or(w.Inviter, w.InvitedBy); name != "" {
			by = "  invited by " + printableText(name)
		}
		p.printf("%s  %s  %s%s\n", w.ID, w.Type, printableText(w.PersonName), by)
	}
	return nil
}

type userDeactivateCmd struct {
	serverFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	Reason string `required:"" placeholder:"TEXT" help:"Why."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *userDeactivateCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.person(ctx, c.Person)
	if err != nil {
		return err
	}
	if !who.Active {
		return errors.New(who.Name + " is not active already")
	}
	return conn.propose(ctx, p, c.JSON, authority.Proposal{Kind: countersign.KindPeopleChange, ID: who.ID, Subject: c.Reason,
		Changes: []countersign.Change{{Field: "active", From: "true", To: "false"}}})
}

type userChangeCmd struct {
	serverFlags
	Person       string   `arg:"" help:"Login name, e-mail address or per_…"`
	Reason       string   `required:"" placeholder:"TEXT" help:"Why: the second person reads it."`
	AddGroup     []string `placeholder:"GROUP" help:"Make them a member."`
	RemoveGroup  []string `placeholder:"GROUP" help:"Make them no member any more."`
	Limit        string   `placeholder:"AMOUNT" help:"The most they may approve, as '30000.00 EUR'; none takes the limit away."`
	Kind         string   `placeholder:"KIND" help:"Let the limit be for this kind of document only."`
	Privileged   bool     `xor:"privilege" help:"They hold elevated purchasing permissions."`
	Unprivileged bool     `xor:"privilege" help:"They hold none any more."`
	JSON         bool     `name:"json" help:"Write JSON."`
}

func (c *userChangeCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	who, err := conn.person(ctx, c.Person)
	if err != nil {
		return err
	}
	changes := c.changes(who)
	if len(changes) == 0 {
		return usage("nothing to change: want --add-group, --remove-group, --limit, --privileged or --unprivileged")
	}
	return conn.propose(ctx, p, c.JSON, authority.Proposal{Kind: countersign.KindPeopleChange, ID: who.ID, Subject: c.Reason, Changes: changes})
}

// changes says what is and what shall be, in the words of a people change.
func (c *userChangeCmd) changes(who *authority.PersonView) []countersign.Change {
	var out []countersign.Change
	for _, g := range c.AddGroup {
		out = append(out, countersign.Change{Field: "group.add", To: g})
	}
	for _, g := range c.RemoveGroup {
		out = append(out, countersign.Change{Field: "group.remove", To: g})
	}
	if c.Limit != "" {
		ch := countersign.Change{Field: "limit", To: c.Limit}
		if c.Kind != "" {
			ch.Field += ":" + c.Kind
		}
		if c.Limit == "none" {
			ch.To = ""
		}
		for _, l := range who.Limits {
			if l.Kind == c.Kind {
				ch.From = l.Amount.Value + " " + l.Amount.Currency
			}
		}
		out = append(out, ch)
	}
	if c.Privileged || c.Unprivileged {
		out = append(out, countersign.Change{Field: "privileged", From: strconv.FormatBool(who.Privileged), To: strconv.FormatBool(c.Privileged)})
	}
	return out
}

// propose opens the request for a change to Countersign itself and says what it needs.
func (c *connection) propose(ctx context.Context, p *process, asJSON bool, proposal authority.Proposal) error {
	var a countersign.Approval
	err := c.call(ctx, http.MethodPost, "/v1/proposals", proposal, &a)
	var problem *countersign.Problem
	if errors.As(err, &problem) {
		p.printProblem(problem)
	}
	if err != nil {
		return err
	}
	if err := p.showApproval(&a, asJSON); err != nil {
		return err
	}
	if a.Status == countersign.StatusPending {
		fmt.Fprintf(p.err, "hint: somebody else runs countersign request approve %s\n", a.ID)
	}
	return nil
}
