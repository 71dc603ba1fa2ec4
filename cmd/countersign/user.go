package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
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
func (s *server) people(narrow ...string) ([]authority.PersonView, error) {
	return list[authority.PersonView](s, "/v1/people", given(narrow...), math.MaxInt)
}

// person finds one person by id, e-mail address or an identifier of any system.
func (s *server) person(name string) (*authority.PersonView, error) {
	all, err := s.people()
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
		return nil, withHint(fmt.Errorf("nobody on record is called %q", name),
			"countersign user list shows who is; countersign import people brings people in")
	}
	return nil, withHint(fmt.Errorf("%d people are called %q", len(found), name), "name the person by id: per_…")
}

type userListCmd struct {
	personFlags
	Find  string `placeholder:"TEXT" help:"Only whose name or e-mail address has this in it, or whose login name it is."`
	Group string `placeholder:"GROUP" help:"Only members of this group."`
	jsonFlag
}

func (c *userListCmd) do(s *server) (answer, error) {
	all, err := s.people("q", c.Find, "group", c.Group)
	return answer{value: all, text: func() {
		for _, v := range all {
			s.printf("%s  %-22s %s\n", v.ID, terminal.Printable(v.Name), terminal.Printable(strings.Join(standing(v), "  ")))
		}
	}}, err
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
		text := "up to " + terminal.Money(l.Amount)
		if l.Kind != "" {
			text += " for " + countersign.KindInWords(l.Kind)
		}
		out = append(out, text)
	}
	return out
}

type userInviteCmd struct {
	personFlags
	factorFlags
	Person string `arg:"" help:"Login name, e-mail address or per_… of a person on record."`
	jsonFlag
}

// do asks for the invitation. Once the organisation is founded it is proven.
func (c *userInviteCmd) do(s *server) (answer, error) {
	who, err := s.person(c.Person)
	if err != nil {
		return answer{}, err
	}
	me, err := s.who()
	if err != nil {
		return answer{}, err
	}

	body := map[string]any{"person": who.ID}
	if !me.Founding {
		if body["step_up"], err = c.stepUp(s, "invite:"+who.ID, "/admin/people/"+who.ID+"/invite"); err != nil {
			return answer{}, err
		}
	}
	inv, err := post[authority.Invited](s, "/v1/invitations", body)

	return answer{value: inv, text: func() {
		s.printf("%s\n", inv.URL)
		fmt.Fprintf(s.err, "for %s, once, until %s; send it in a way that only they read\n", who.Name, terminal.Minute(inv.ExpiresAt))
	}}, err
}

type userConfirmCmd struct {
	personFlags
	factorFlags
	Authenticator string `arg:"" optional:"" help:"The authenticator: fac_… Without it, those that wait are listed."`
	jsonFlag
}

func (c *userConfirmCmd) do(s *server) (answer, error) {
	if c.Authenticator == "" {
		return c.list(s)
	}

	path := "/" + url.PathEscape(c.Authenticator) + "/confirm"
	var body authority.ConfirmBody
	var err error
	if body.StepUp, err = c.stepUp(s, "confirm:"+c.Authenticator, "/factors"+path); err != nil {
		return answer{}, err
	}
	if body.Compare, err = s.ask.line("The six digits that they read to you"); err != nil {
		return answer{}, err
	}

	return s.line(nil, "%s is confirmed", c.Authenticator), s.call(http.MethodPost, "/v1/authenticators"+path, body, nil)
}

func (c *userConfirmCmd) list(s *server) (answer, error) {
	waiting, err := get[authority.Unconfirmed](s, "/v1/confirmations")
	return answer{value: waiting.Items, text: func() {
		if len(waiting.Items) == 0 {
			fmt.Fprintln(s.err, "no enrolment waits for a confirmation")
		}
		for _, w := range waiting.Items {
			by := ""
			if name := or(w.Inviter, w.InvitedBy); name != "" {
				by = "  invited by " + terminal.Printable(name)
			}
			s.printf("%s  %s  %s%s\n", w.ID, w.Type, terminal.Printable(w.PersonName), by)
		}
	}}, err
}

type userDeactivateCmd struct {
	personFlags
	Person string `arg:"" help:"Login name, e-mail address or per_…"`
	Reason string `required:"" placeholder:"TEXT" help:"Why."`
	jsonFlag
}

func (c *userDeactivateCmd) do(s *server) (answer, error) {
	who, err := s.person(c.Person)
	if err != nil {
		return answer{}, err
	}
	if !who.Active {
		return answer{}, errors.New(who.Name + " is not active already")
	}

	return s.propose(countersign.KindPeopleChange, who.ID, c.Reason,
		[]countersign.Change{{Field: "active", From: "true", To: "false"}})
}

type userChangeCmd struct {
	personFlags
	Person       string   `arg:"" help:"Login name, e-mail address or per_…"`
	Reason       string   `required:"" placeholder:"TEXT" help:"Why: the second person reads it."`
	AddGroup     []string `placeholder:"GROUP" help:"Make them a member."`
	RemoveGroup  []string `placeholder:"GROUP" help:"Make them no member any more."`
	Limit        string   `placeholder:"AMOUNT" help:"The most they may approve, as '30000.00 EUR'; none takes the limit away."`
	Kind         string   `placeholder:"KIND" help:"Let the limit be for this kind of document only."`
	Privileged   bool     `xor:"privilege" help:"They hold elevated purchasing permissions."`
	Unprivileged bool     `xor:"privilege" help:"They hold none any more."`
	jsonFlag
}

func (c *userChangeCmd) do(s *server) (answer, error) {
	who, err := s.person(c.Person)
	if err != nil {
		return answer{}, err
	}
	changes := c.changes(who)
	if len(changes) == 0 {
		return answer{}, usage("nothing to change: want --add-group, --remove-group, --limit, --privileged or --unprivileged")
	}

	return s.propose(countersign.KindPeopleChange, who.ID, c.Reason, changes)
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
func (s *server) propose(kind, id, reason string, changes []countersign.Change) (answer, error) {
	a, err := post[countersign.Approval](s, "/v1/proposals",
		authority.Proposal{Kind: kind, ID: id, Subject: reason, Changes: changes})
	if err != nil {
		return answer{}, s.against(err)
	}

	out := s.standing(a)
	if a.Status == countersign.StatusPending {
		out.hint = "somebody else runs countersign request approve " + a.ID
	}
	return out, nil
}
