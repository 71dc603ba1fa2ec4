package api

import (
	"net/http"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func peopleOperations() []operation {
	return []operation{
		{method: get, path: "/v1/people", id: "listPeople", tag: "register", who: people, summary: "List people",
			detail: "For auditors, controllers and administrators. Everybody by id; with q or group, those whom it finds, by name.",
			out:    countersign.Page[authority.PersonView]{}, query: append([]parameter{
				{name: "q", about: "In the name or the e-mail address, or the login name or id itself; upper and lower case are one.", example: "silva"},
				{name: "group", about: "Active members of this group.", example: "approvers"}}, paging...), run: listPeople},
		{method: post, path: "/v1/people", id: "addPerson", tag: "register", who: people, strict: true, summary: "Put somebody on record",
			detail: "For administrators, with a step-up for \"person:LOGIN\", the login name in lower case. Whoever is added is in no group and may do nothing before two people have agreed to it.",
			in:     AddPersonBody{}, out: authority.PersonView{}, status: []int{201}, run: addPerson},
		{method: get, path: "/v1/people/{person}", id: "getPerson", tag: "register", who: people, summary: "Read one person", detail: "Oneself, or anybody as an auditor, controller or administrator.",
			out: authority.PersonView{}, run: getPerson},
		{method: get, path: "/v1/people/{person}/record", id: "getPersonRecord", tag: "register", who: people, summary: "Read a person's record",
			detail: "What they prove themselves with, their manager, and how many sessions are open. For auditors, controllers and administrators.", out: PersonRecord{}, run: getPersonRecord},
		{method: post, path: "/v1/people/{person}/sign-out", id: "endSessions", tag: "register", who: people, summary: "Sign a person out everywhere",
			detail: "For administrators. Signing in anew brings back all that it takes; the log says who did it.", status: []int{204}, run: endSessions},
	}
}

// AddPersonBody says who is put on record.
type AddPersonBody struct {
	Login  string               `json:"login"` // the name that they sign in with
	Name   string               `json:"name"`
	Email  string               `json:"email,omitempty"`
	StepUp authority.StepUpBody `json:"step_up"`
}

// PersonRecord is what the register knows of a person beside their rights. It holds
// nothing by which anybody could prove to be them.
type PersonRecord struct {
	Person         authority.PersonView          `json:"person"`
	Manager        *countersign.Principal        `json:"manager,omitempty"`
	Authenticators []authority.AuthenticatorView `json:"authenticators"`             // oldest first
	Sessions       int                           `json:"sessions"`                   // open now
	BreakGlassFrom string                        `json:"break_glass_from,omitempty"` // from when on they may break the glass, where they are named for it
	Since          string                        `json:"on_record_since"`
}

// stamp writes a time as answers carry it; nothing for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(countersign.TimeFormat)
}

func listPeople(c *call) (answer, error) {
	limit, err := c.number("limit", defaultPage, 1, mostPage)
	if err != nil {
		return answer{}, err
	}
	after := c.query("after")
	if after != "" && !countersign.IsID(countersign.PrefixPerson, after) {
		return answer{}, countersign.Invalid(countersign.FieldError{Pointer: "?after", Detail: "want the next of the page before"})
	}
	q := authority.PeopleQuery{Text: c.query("q"), Group: c.query("group"), After: after, Limit: int(limit)}
	if q.Text == "" && q.Group == "" {
		page, err := c.org.People(c.ctx(), c.session(), after, int(limit))
		return answer{body: page}, err
	}
	page, err := c.org.SearchPeople(c.ctx(), c.session(), q)
	return answer{body: page}, err
}

func addPerson(c *call) (answer, error) {
	var body AddPersonBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	id, err := c.org.AddPerson(c.ctx(), c.session(), authority.NewPerson{Login: body.Login, Name: body.Name, Email: body.Email}, body.StepUp)
	if err != nil {
		return answer{}, err
	}
	c.w.Header().Set("Location", "/v1/people/"+id)
	out, err := c.org.Person(c.ctx(), c.session(), id)
	return answer{status: http.StatusCreated, body: out}, err
}

func getPerson(c *call) (answer, error) {
	out, err := c.org.Person(c.ctx(), c.session(), c.param("person"))
	return answer{body: out}, err
}

func getPersonRecord(c *call) (answer, error) {
	r, err := c.org.PersonRecord(c.ctx(), c.session(), c.param("person"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: PersonRecord{Person: r.Person, Manager: r.Manager, Authenticators: r.Authenticators, Sessions: r.Sessions,
		BreakGlassFrom: stamp(r.BreakGlassFrom), Since: stamp(r.Since)}}, nil
}

func endSessions(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, c.org.EndSessions(c.ctx(), c.session(), c.param("person"))
}
