package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// encode writes parameters of an address, leaving out those that say nothing.
func encode(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q.Encode()
}

// person reads whom the address names.
func (v *visit) person() (*authority.PersonView, error) {
	return v.org.Person(v.ctx(), *v.session, v.path("person"))
}

// askReset proposes that all of a person's authenticators are removed.
func askReset(v *visit) (*asked, error) {
	if err := v.administratorsOnly(); err != nil {
		return nil, err
	}
	p, err := v.person()
	if err != nil {
		return nil, err
	}
	q := &asked{view: askView{Heading: v.t("people.reset.heading", "name", named(p.Name)), Lead: v.t("people.reset.lead"),
		Does: []string{v.t("people.reset.does"), v.t("people.reset.back"), v.t("people.reset.after")}, Reason: true, Decides: v.decides(countersign.KindFactorReset),
		Verb: v.t("people.reset.verb"), Back: "/admin/people/" + p.ID, Danger: true}}
	q.do = func(authority.StepUpBody) (string, error) {
		return v.propose(authority.Proposal{Kind: countersign.KindFactorReset, ID: p.ID, Subject: v.form("reason")})
	}
	return q, nil
}

// askSignOut ends all sessions of a person.
func askSignOut(v *visit) (*asked, error) {
	if err := v.administratorsOnly(); err != nil {
		return nil, err
	}
	p, err := v.person()
	if err != nil {
		return nil, err
	}
	q := &asked{view: askView{Heading: v.t("people.sign_out.heading", "name", named(p.Name)), Does: []string{v.t("people.sign_out.does"), v.t("people.sign_out.keeps")},
		Decides: v.t("admin.decides.alone"), Verb: v.t("people.sign_out.verb"), Back: "/admin/people/" + p.ID}}
	q.do = func(authority.StepUpBody) (string, error) {
		return "/admin/people/" + p.ID + "?said=signed-out", v.org.EndSessions(v.ctx(), *v.session, p.ID)
	}
	return q, nil
}

// askBreakGlassName proposes to name a person for break-glass, or to take the name away.
func askBreakGlassName(v *visit) (*asked, error) {
	if err := v.administratorsOnly(); err != nil {
		return nil, err
	}
	r, err := v.org.PersonRecord(v.ctx(), *v.session, v.path("person"))
	if err != nil {
		return nil, err
	}
	key, from, to := "name", "false", "true"
	if !r.BreakGlassFrom.IsZero() {
		key, from, to = "remove", to, from
	}
	q := &asked{view: askView{Heading: v.t("glass."+key+".heading", "name", named(r.Person.Name)), Does: []string{v.t("glass." + key + ".does"), v.t("glass." + key + ".when")}, Reason: true,
		Facts:   []askFact{{Label: v.t("card.field.break_glass"), From: v.t("admin.yes_no." + from), Text: v.t("admin.yes_no." + to), Change: true}},
		Decides: v.decides(countersign.KindBreakGlassNames), Verb: v.proposeVerb(), Back: "/admin/people/" + r.Person.ID}}
	q.do = func(authority.StepUpBody) (string, error) {
		return v.propose(authority.Proposal{Kind: countersign.KindBreakGlassNames, ID: r.Person.ID, Subject: v.form("reason"),
			Changes: []countersign.Change{{Field: "break_glass", From: from, To: to}}})
	}
	return q, nil
}

// changeView is the page on which a change of somebody's rights is proposed.
type changeView struct {
	Name, Action, Back string
	Seen               string // what the form was made from
	Groups             []groupBox
	Limits             []limitField
	Kinds              []kindChoice
	Privileged, Active bool // as they are chosen
	WasPrivileged      string
	WasActive          string
	Another            string // another group
	Kind, Amount       string // a further limit
	Reason             string
	Decides, Verb      string
	Self               bool
	Problem            *errorView
}

type groupBox struct {
	Name    string
	Does    string // what a group does that Countersign itself knows
	Was, Is bool
}

type limitField struct{ Field, Label, Was, Is string }

type kindChoice struct {
	Kind, Text string
	Chosen     bool
}

func showChangePerson(v *visit) error { return v.changePage(http.StatusOK, false, nil) }

// changePage shows the form as the person is now or, where nothing has changed meanwhile,
// as it was filled in.
func (v *visit) changePage(status int, filled bool, problem *errorView) error {
	form, err := v.org.PersonForm(v.ctx(), *v.session, v.path("person"))
	if err != nil {
		return err
	}
	p := &form.Person
	w := changeView{Name: p.Name, Action: "/admin/people/" + p.ID + "/change", Back: "/admin/people/" + p.ID, Seen: seen(p), Privileged: p.Privileged, Active: p.Active,
		WasPrivileged: v.t("admin.yes_no." + truth(p.Privileged)), WasActive: v.t("admin.yes_no." + truth(p.Active)), Decides: v.decides(countersign.KindPeopleChange), Verb: v.proposeVerb(),
		Self: p.ID == v.session.Person.ID, Problem: problem}
	for _, g := range form.Groups {
		was := slices.Contains(p.Groups, g.Name)
		box := groupBox{Name: g.Name, Was: was, Is: was}
		if key := "people.group." + g.Name; v.site.texts.has(key) {
			box.Does = v.t(key)
		}
		w.Groups = append(w.Groups, box)
	}
	for _, l := range p.Limits {
		f := limitField{Field: limitName(l.Kind), Label: kindName(v.site.texts, l.Kind), Was: amountText(l.Amount), Is: amountText(l.Amount)}
		w.Limits = append(w.Limits, f)
	}
	for _, k := range append([]string{""}, kindsWith(form.Kinds)...) {
		if !slices.ContainsFunc(p.Limits, func(l authority.LimitView) bool { return l.Kind == k }) {
			w.Kinds = append(w.Kinds, kindChoice{Kind: k, Text: kindName(v.site.texts, k)})
		}
	}
	if filled {
		w.fill(v)
	}
	return v.render(view{name: "admin-person-change", title: v.t("people.change.heading", "name", named(p.Name)), area: "admin", status: status, data: w})
}

// fill puts what was typed back into the form.
func (w *changeView) fill(v *visit) {
	for i := range w.Groups {
		w.Groups[i].Is = slices.Contains(v.r.PostForm["group"], w.Groups[i].Name)
	}
	for i := range w.Limits {
		w.Limits[i].Is = v.form(w.Limits[i].Field)
	}
	for i := range w.Kinds {
		w.Kinds[i].Chosen = w.Kinds[i].Kind == v.form("kind")
	}
	w.Privileged, w.Active = v.form("privileged") != "", v.form("active") != ""
	w.Another, w.Amount, w.Reason = v.form("another"), v.form("amount"), v.form("reason")
}

// kindsWith are the kinds of documents that are decided on, the organisation's own last.
func kindsWith(own []string) []string { return slices.Concat(documentKinds, own) }

func limitName(kind string) string {
	if kind == "" {
		return "limit"
	}
	return "limit:" + kind
}

func amountText(a countersign.Amount) string { return a.Value + " " + a.Currency }

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// seen marks the state of a person that a form was made from. What somebody proposes is
// the difference between what they saw and what they chose, and not what another changed
// meanwhile.
func seen(p *authority.PersonView) string {
	parts := []string{truth(p.Privileged), truth(p.Active)}
	parts = append(parts, p.Groups...)
	for _, l := range p.Limits {
		parts = append(parts, l.Kind+"="+amountText(l.Amount))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

func changePerson(v *visit) error {
	p, err := v.person()
	if err != nil {
		return err
	}
	var changes []countersign.Change
	same := v.form("seen") == seen(p)
	if !same {
		err = countersign.NewProblem(countersign.CodeConflict, "%s", v.t("people.change.meanwhile")).WithHint("%s", v.t("people.change.meanwhile_hint"))
	} else if changes, err = v.personChanges(p); err == nil {
		to := ""
		if to, err = v.propose(authority.Proposal{Kind: countersign.KindPeopleChange, ID: p.ID, Subject: v.form("reason"), Changes: changes}); err == nil {
			return v.redirect(to)
		}
	}
	if e, ok := v.shown(err); ok {
		return v.changePage(e.Status, same, e)
	}
	return err
}

// personChanges is the difference between what a person may and what the form says.
func (v *visit) personChanges(p *authority.PersonView) ([]countersign.Change, error) {
	var all []countersign.Change
	add := func(field, from, to string) { all = append(all, countersign.Change{Field: field, From: from, To: to}) }
	want := slices.DeleteFunc(append(slices.Clone(v.r.PostForm["group"]), strings.TrimSpace(v.form("another"))), func(g string) bool { return g == "" })
	slices.Sort(want)
	for _, g := range slices.Compact(want) {
		if !slices.Contains(p.Groups, g) {
			add("group.add", "", g)
		}
	}
	for _, g := range p.Groups {
		if !slices.Contains(want, g) {
			add("group.remove", "", g)
		}
	}
	var errs []countersign.FieldError
	limit := func(field, from, typed string) {
		to, err := v.format.readAmount(typed)
		if err != nil {
			errs = append(errs, countersign.FieldError{Pointer: field, Detail: v.t("people.change.amount")})
		} else if to != from {
			add(field, from, to)
		}
	}
	for _, l := range p.Limits {
		limit(limitName(l.Kind), amountText(l.Amount), v.form(limitName(l.Kind)))
	}
	if typed := v.form("amount"); strings.TrimSpace(typed) != "" {
		limit(limitName(v.form("kind")), "", typed)
	}
	if is := v.form("privileged") != ""; is != p.Privileged {
		add("privileged", truth(p.Privileged), truth(is))
	}
	if is := v.form("active") != ""; is != p.Active {
		add("active", truth(p.Active), truth(is))
	}
	switch {
	case len(errs) > 0:
		return nil, countersign.Invalid(errs...)
	case len(all) == 0:
		return nil, countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("people.change.nothing"))
	}
	return all, nil
}
