package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// raisers lets those to a page who may raise an alert.
func raisers(serve func(*visit) error) func(*visit) error {
	return forGroups(serve, authority.GroupAdministrators, authority.GroupControllers)
}

// raiseView is the page on which an alert is raised. What it is about is chosen first,
// so that its name can be read before anything is pressed.
type raiseView struct {
	Vendor, Person, Request string // of which one is set once it is chosen
	All                     bool   // about the whole organisation
	Name                    string
	Unknown                 bool // a vendor that is not on record
	Form                    string
	Title                   string
	Severities, Owners      []choice
	Day                     askDay
	Problem                 *errorView
}

// Chosen reports whether it is known what the alert is about.
func (w raiseView) Chosen() bool { return w.All || w.Vendor != "" || w.Person != "" || w.Request != "" }

func showRaiseAlert(v *visit) error { return v.raisePage(http.StatusOK, nil) }

// given reads a field where it is expected: in the form that was sent, or in the
// address that leads to it.
func (v *visit) given(name string) string { return strings.TrimSpace(v.query(name) + v.form(name)) }

func (v *visit) raisePage(status int, problem *errorView) error {
	w := raiseView{Vendor: v.given("vendor"), Person: v.given("person"), Request: v.given("request"), All: v.given("about") == "organisation",
		Form: countersign.NewID(countersign.PrefixAlert, v.now()), Title: v.form("title"), Problem: problem}
	form, err := v.org.AlertForm(v.ctx(), *v.session, countersign.AlertSubject{Vendor: w.Vendor, Person: w.Person, Request: w.Request})
	if err != nil {
		return err
	}
	v.raiseAbout(&w, form)
	severity := v.form("severity")
	if severity == "" {
		severity = "high"
	}
	for _, s := range []string{"low", "medium", "high", "critical"} {
		w.Severities = append(w.Severities, choice{s, v.t("alerts.severity." + s), s == severity})
	}
	owner := v.form("owner")
	if owner == "" {
		owner = authority.GroupControllers
	}
	for _, g := range form.Groups {
		if g.Members > 0 {
			w.Owners = append(w.Owners, choice{g.Name, g.Name, g.Name == owner})
		}
	}
	me := v.session.Person.ID
	w.Owners = append(w.Owners, choice{me, v.t("alerts.raise.me"), me == owner})
	w.Day = v.raiseDay()
	return v.render(view{name: "admin-alert", title: v.t("alerts.raise.heading"), area: "admin", status: status, data: w})
}

// raiseDay is until when it lasts: as long as one of a system, if nothing else is said.
func (v *visit) raiseDay() askDay {
	now := v.now().In(v.format.zone())
	day := askDay{Name: "until", Label: v.t("alerts.raise.until"), Value: now.AddDate(0, 0, 14).Format(time.DateOnly),
		Least: now.Format(time.DateOnly), Most: now.AddDate(0, 0, 88).Format(time.DateOnly)}
	if typed := v.form("until"); typed != "" {
		day.Value = typed
	}
	return day
}

// raiseAbout names what an alert is about.
func (v *visit) raiseAbout(w *raiseView, form *authority.AlertForm) {
	switch {
	case w.Request != "":
		w.Person, w.Vendor, w.All = "", "", false
		if doc, err := readDocument(form.Document); err == nil { // of one that was erased the number is all there is
			w.Name = kindName(v.site.texts, doc.Kind) + " " + doc.ID
		}
	case w.Person != "":
		w.Name, w.Vendor, w.All = form.Name, "", false
	case w.Vendor != "":
		w.Name, w.All = form.Name, false
		w.Unknown = w.Name == ""
	}
}

func raiseAlert(v *visit) error {
	body := countersign.AlertBody{ID: v.form("form"), Severity: v.form("severity"), Title: strings.Join(strings.Fields(v.form("title")), " "), Owner: v.form("owner"),
		About: countersign.AlertSubject{Vendor: strings.TrimSpace(v.form("vendor")), Person: v.form("person"), Request: v.form("request"), Organisation: v.form("about") == "organisation"}}
	var err error
	switch body.Expires, err = v.format.endOf(v.form("until")); {
	case err != nil:
		err = countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("admin.day_wrong"))
	case body.Title == "":
		err = countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("alerts.raise.missing"))
	default:
		if _, _, err = v.org.RaiseAlert(v.ctx(), v.caller(), body); err == nil {
			return v.redirect("/admin/alerts?said=raised")
		}
	}
	if e, ok := v.shown(err); ok {
		return v.raisePage(e.Status, e)
	}
	return err
}
