package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func peopleRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin/people", who: signedIn, serve: register(showPeople)},
		{pattern: "GET /admin/people/new", who: signedIn, serve: administrators(showAddPerson)},
		{pattern: "POST /admin/people/new", who: signedIn, attempt: true, serve: administrators(addPerson)},
		{pattern: "GET /admin/people/{person}", who: signedIn, serve: register(showPerson)},
		{pattern: "GET /admin/people/{person}/change", who: signedIn, serve: administrators(showChangePerson)},
		{pattern: "POST /admin/people/{person}/change", who: signedIn, serve: administrators(changePerson)},
		{pattern: "GET /admin/people/{person}/invite", who: signedIn, serve: administrators(showInvite)},
		{pattern: "POST /admin/people/{person}/invite", who: signedIn, attempt: true, serve: administrators(invite)},
	}, askRoutes("/admin/people/{person}/reset", askReset), askRoutes("/admin/people/{person}/sign-out", askSignOut),
		askRoutes("/admin/people/{person}/break-glass", askBreakGlassName))
}

// peopleView lists people.
type peopleView struct {
	Tabs   []adminTab
	Text   string
	Group  string
	Groups []groupChoice
	Items  []personRow
	Next   string // address of the next page
	Add    bool
}

type groupChoice struct {
	Name    string
	Members string
	Chosen  bool
}

type personRow struct {
	ID, Name, Email string
	Groups          []string
	Limits          []limitShown
	Privileged, Off bool
}

// limitShown is the most that somebody may approve, of one kind or of all.
type limitShown struct{ Kind, Amount string }

func showPeople(v *visit) error {
	q := authority.PeopleQuery{Text: v.query("q"), Group: v.query("group"), After: v.query("after"), Limit: 50}
	page, err := v.org.PeoplePage(v.ctx(), *v.session, q)
	if err != nil {
		return err
	}
	w := peopleView{Tabs: adminTabs(v.t, "people"), Text: q.Text, Group: q.Group, Add: v.member(authority.GroupAdministrators)}
	for _, g := range page.Groups {
		w.Groups = append(w.Groups, groupChoice{g.Name, v.format.Count(int64(g.Members)), g.Name == q.Group})
	}
	for _, p := range page.Items {
		w.Items = append(w.Items, v.personRow(p))
	}
	if page.Next != "" {
		w.Next = "/admin/people?" + encode("q", q.Text, "group", q.Group, "after", page.Next)
	}
	return v.render(view{name: "admin-people", title: v.t("people.heading"), area: "admin", data: w})
}

func (v *visit) personRow(p authority.PersonView) personRow {
	return personRow{ID: p.ID, Name: p.Name, Email: p.Email, Groups: p.Groups, Limits: v.limits(p.Limits), Privileged: p.Privileged, Off: !p.Active}
}

func (v *visit) limits(limits []authority.LimitView) (all []limitShown) {
	for _, l := range limits {
		all = append(all, limitShown{kindName(v.site.texts, l.Kind), v.format.Money(l.Amount)})
	}
	return all
}

// kindName is what a kind of document is called, or all of them where none is named.
func kindName(tx *Texts, kind string) string {
	if kind == "" {
		return tx.T("people.limit.every")
	}
	return kindWords(tx, kind)
}

// personPage is one person: who they are, what they may do, and what they have.
type personPage struct {
	Tabs         []adminTab
	Name, ID     string
	Email        string
	Manager      string // name
	ManagerPath  string
	Groups       []string
	Limits       []limitShown
	Privileged   bool
	Active       bool
	Identities   []countersign.Alias
	Factors      []factorView
	Codes        int
	Sessions     int
	Glass        Moment // from when on they may break the glass
	Since        Moment
	May          bool // the visitor administers
	Self         bool
	MayFreeze    bool
	MayRaise     bool // an alert about them
	Admin        bool // the person administers
	Changes      []changeRow
	Said         string
	SessionsText string
}

func showPerson(v *visit) error {
	r, err := v.org.PersonPage(v.ctx(), *v.session, v.path("person"))
	if err != nil {
		return err
	}
	w := v.personPage(&r.PersonRecord)
	w.Changes = v.changeRows(r.Changes)
	w.SessionsText = v.t("people.sessions_none")
	if w.Sessions > 0 {
		w.SessionsText = v.site.texts.N("people.sessions_open", w.Sessions)
	}
	switch said := v.query("said"); said {
	case "added", "signed-out":
		w.Said = v.t("people.said." + said)
	}
	return v.render(view{name: "admin-person", title: r.Person.Name, area: "admin", data: w})
}

func (v *visit) personPage(r *authority.PersonRecord) personPage {
	p := r.Person
	w := personPage{Tabs: adminTabs(v.t, "people"), Name: p.Name, ID: p.ID, Email: p.Email, Groups: p.Groups, Limits: v.limits(p.Limits), Privileged: p.Privileged, Active: p.Active,
		Identities: p.Identities, Sessions: r.Sessions, Glass: v.format.Moment(v.site.texts, r.BreakGlassFrom, v.now()), Since: v.format.Moment(v.site.texts, r.Since, v.now()),
		May: v.member(authority.GroupAdministrators), Self: p.ID == v.session.Person.ID, MayFreeze: len(v.who.Groups) > 0 && p.ID != v.session.Person.ID, MayRaise: v.member(authority.GroupAdministrators, authority.GroupControllers),
		Admin: slices.Contains(p.Groups, authority.GroupAdministrators)}
	if r.Manager != nil {
		w.Manager, w.ManagerPath = r.Manager.Name, "/admin/people/"+r.Manager.ID
	}
	for _, a := range r.Authenticators {
		if a.Type == "recovery" {
			w.Codes += a.CodesLeft
			continue
		}
		w.Factors = append(w.Factors, v.factorView(a, nil))
	}
	return w
}

// addPersonView is the page by which somebody is put on record.
type addPersonView struct {
	Login, Name, Email string
	StepUp             stepUpFields
	Problem            *errorView
}

func showAddPerson(v *visit) error { return v.addPersonPage(http.StatusOK, nil) }

func (v *visit) addPersonPage(status int, problem *errorView) error {
	means, err := v.org.AdministratorMeans(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	f := v.stepUpByBest(v.t("people.add.verb"), means)
	f.OpenCode = v.form("with") == "code"
	w := addPersonView{Login: v.form("login"), Name: v.form("name"), Email: v.form("email"), StepUp: f, Problem: problem}
	return v.render(view{name: "admin-person-add", title: v.t("people.add.heading"), area: "admin", status: status, data: w})
}

func addPerson(v *visit) error {
	p := authority.NewPerson{Login: strings.TrimSpace(v.form("login")), Name: strings.TrimSpace(v.form("name")), Email: strings.TrimSpace(v.form("email"))}
	proof, done, err := v.provenFor(authority.AddPersonSubject(p.Login))
	if done {
		return err
	}
	id := ""
	if err == nil {
		if id, err = v.org.AddPerson(v.ctx(), *v.session, p, proof); err == nil {
			return v.redirect("/admin/people/" + id + "?said=added")
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.addPersonPage(e.Status, e)
	}
	return err
}

// inviteView is the page on which somebody is invited to enrol, and the link itself as
// the answer of the press.
type inviteView struct {
	Name, Action, Back string
	Link               string
	Ends               Moment
	Rights             bool          // the person has rights: a third person confirms
	Founding           bool          // there is nobody who could, and nobody has to
	StepUp             *stepUpFields // nil while the organisation is founding
	Problem            *errorView
}

func showInvite(v *visit) error { return v.invitePage(http.StatusOK, nil) }

func (v *visit) invitePage(status int, problem *errorView) error {
	w, means, err := v.inviteView()
	if err != nil {
		return err
	}
	if !v.who.Founding {
		f := v.stepUpByBest(v.t("people.invite.verb"), means)
		f.OpenCode = v.form("with") == "code"
		w.StepUp = &f
	}
	w.Problem = problem
	return v.render(view{name: "admin-invite", title: v.t("people.invite.heading", "name", named(w.Name)), area: "admin", status: status, data: w})
}

func (v *visit) inviteView() (inviteView, *authority.Means, error) {
	form, err := v.org.InviteForm(v.ctx(), *v.session, v.path("person"))
	if err != nil {
		return inviteView{}, nil, err
	}
	p := form.Person
	return inviteView{Name: p.Name, Action: "/admin/people/" + p.ID + "/invite", Back: "/admin/people/" + p.ID, Rights: len(p.Groups) > 0, Founding: v.who.Founding}, &form.Means, nil
}

// invite shows the link as the answer of the press itself: nothing keeps it, so that no
// other page could show it again.
func invite(v *visit) error {
	w, _, err := v.inviteView()
	if err != nil {
		return err
	}
	var proof authority.StepUpBody
	if !v.who.Founding {
		var done bool
		if proof, done, err = v.provenFor("invite:" + v.path("person")); done {
			return err
		}
	}
	var in *authority.Invited
	if err == nil {
		in, err = v.org.Invite(v.ctx(), *v.session, v.path("person"), proof)
	}
	if e, ok := v.shown(err); ok && !v.begins() && e.Status != http.StatusNotFound {
		return v.invitePage(e.Status, e)
	}
	if err != nil {
		return err
	}
	w.Link, w.Ends = in.URL, v.moment(in.ExpiresAt)
	return v.render(view{name: "admin-invite", title: v.t("people.invite.heading", "name", named(w.Name)), area: "admin", data: w})
}
