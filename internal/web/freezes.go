package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func freezeRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin/freezes", who: signedIn, serve: register(showFreezes)},
		{pattern: "GET /admin/freezes/new", who: signedIn, serve: register(showPlaceFreeze)},
		{pattern: "POST /admin/freezes/new", who: signedIn, attempt: true, serve: register(placeFreeze)},
	}, askRoutes("/admin/freezes/{freeze}/extend", askExtendFreeze), askRoutes("/admin/freezes/{freeze}/lift", askLiftFreeze))
}

// freezesView lists the freezes in force.
type freezesView struct {
	Tabs    []adminTab
	Items   []freezeRow
	Changes bool // the visitor may propose to extend or to lift
	Said    string
}

type freezeRow struct {
	ID, Word, Name, Path string // what is frozen
	Reason, By           string
	Placed, Ends         Moment
	Subject              bool // it is the visitor who is frozen
}

func showFreezes(v *visit) error {
	all, err := v.org.FreezesPage(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := freezesView{Tabs: adminTabs(v.t, "freezes"), Changes: v.mayPropose(countersign.KindFreezeExtend)}
	if v.query("said") == "placed" {
		w.Said = v.t("freezes.said.placed")
	}
	w.Items = v.freezeRows(all.Items, nameBook(all.Names))
	return v.render(view{name: "admin-freezes", title: v.t("freezes.heading"), area: "admin", data: w})
}

func (v *visit) freezeRows(items []authority.FreezeView, known nameBook) []freezeRow {
	var rows []freezeRow
	for _, f := range items {
		row := freezeRow{ID: f.ID, Word: v.t("alerts.about.vendor"), Name: vendorName(known, f.Vendor), Reason: f.Reason, By: v.whoMade(known, f.PlacedBy),
			Placed: v.moment(f.PlacedAt), Ends: v.moment(f.ExpiresAt), Subject: f.Person == v.session.Person.ID}
		if f.Person != "" {
			row.Word, row.Name, row.Path = v.t("alerts.about.person"), known.of(f.Person), "/admin/people/"+f.Person
		}
		rows = append(rows, row)
	}
	return rows
}

// placeView is the page on which a freeze is placed. What is frozen is chosen first, so
// that its name can be read before anything is pressed.
type placeView struct {
	Vendor, Person string // of which one is set once it is chosen
	Name           string
	Unknown        bool // a vendor that is not on record
	Hours          []hourChoice
	Reason         string
	StepUp         stepUpFields
	Problem        *errorView
}

type hourChoice struct {
	Hours, Text string
	Chosen      bool
}

func showPlaceFreeze(v *visit) error { return v.placePage(http.StatusOK, nil) }

func (v *visit) placePage(status int, problem *errorView) error {
	w := placeView{Vendor: strings.TrimSpace(v.query("vendor") + v.form("vendor")), Person: v.query("person") + v.form("person"), Reason: v.form("reason"), Problem: problem}
	form, err := v.org.FreezeForm(v.ctx(), *v.session, w.Person, w.Vendor)
	if err != nil {
		return err
	}
	w.Name = form.Name
	switch {
	case w.Person != "":
		w.Vendor = ""
	case w.Vendor != "":
		w.Unknown = w.Name == ""
	}
	for _, h := range []int{72, 24, 4} {
		w.Hours = append(w.Hours, hourChoice{strconv.Itoa(h), v.format.Duration(v.site.texts, time.Duration(h)*time.Hour), v.form("hours") == strconv.Itoa(h) || v.form("hours") == "" && h == 72})
	}
	w.StepUp = v.stepUpFor(v.t("freezes.place.verb"), &form.Means)
	w.StepUp.OpenCode = v.form("with") == "code"
	return v.render(view{name: "admin-freeze", title: v.t("freezes.place.heading"), area: "admin", status: status, data: w})
}

func placeFreeze(v *visit) error {
	body := authority.FreezeBody{Vendor: strings.TrimSpace(v.form("vendor")), Person: v.form("person"), Reason: strings.TrimSpace(v.form("reason"))}
	body.Hours, _ = strconv.Atoi(v.form("hours")) // what is no number is the longest, which is said beside it
	about := body.Person
	if about == "" {
		about = "vendor:" + body.Vendor
	}
	proof, done, err := v.provenFor("freeze:" + about)
	if done {
		return err
	}
	if err == nil {
		body.StepUp = proof
		if _, err = v.org.Freeze(v.ctx(), *v.session, body); err == nil {
			return v.redirect("/admin/freezes?said=placed")
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.placePage(e.Status, e)
	}
	return err
}

// askFreeze is what extending and lifting have in common.
func askFreeze(v *visit, kind, key string) (*asked, *freezeRow, error) {
	if !v.mayPropose(kind) {
		return nil, nil, nothingHere(v)
	}
	all, err := v.org.FreezesPage(v.ctx(), *v.session)
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(all.Items, func(f authority.FreezeView) bool { return f.ID == v.path("freeze") })
	if at < 0 {
		return nil, nil, nothingHere(v)
	}
	row := &v.freezeRows(all.Items[at:at+1], nameBook(all.Names))[0]
	q := &asked{view: askView{Heading: v.t("freezes."+key+".heading", "name", named(row.Name)), Does: []string{v.t("freezes." + key + ".does"), v.t("freezes.not_subject")}, Reason: true,
		Facts:   []askFact{{Label: row.Word, Text: row.Name}, {Label: v.t("freezes.why"), Text: row.Reason}, {Label: v.t("freezes.by"), Text: row.By}, {Label: v.t("freezes.ends"), At: row.Ends}},
		Decides: v.decides(kind), Verb: v.proposeVerb(), Back: "/admin/freezes"}}
	return q, row, nil
}

func askLiftFreeze(v *visit) (*asked, error) {
	q, row, err := askFreeze(v, countersign.KindFreezeLift, "lift")
	if err != nil {
		return nil, err
	}
	q.do = func(authority.StepUpBody) (string, error) {
		return v.propose(authority.Proposal{Kind: countersign.KindFreezeLift, ID: row.ID, Subject: v.form("reason")})
	}
	return q, nil
}

func askExtendFreeze(v *visit) (*asked, error) {
	q, row, err := askFreeze(v, countersign.KindFreezeExtend, "extend")
	if err != nil {
		return nil, err
	}
	now := v.now().In(v.format.zone())
	q.view.Day = &askDay{Name: "until", Label: v.t("freezes.extend.until"), Value: now.AddDate(0, 0, 14).Format(time.DateOnly),
		Least: now.AddDate(0, 0, 1).Format(time.DateOnly), Most: now.AddDate(0, 0, 88).Format(time.DateOnly)}
	q.do = func(authority.StepUpBody) (string, error) {
		until, err := v.format.endOf(v.form("until"))
		if err != nil {
			return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("admin.day_wrong"))
		}
		return v.propose(authority.Proposal{Kind: countersign.KindFreezeExtend, ID: row.ID, Subject: v.form("reason"),
			Changes: []countersign.Change{{Field: "until", From: row.Ends.ISO, To: until}}})
	}
	return q, nil
}

// endOf is the end of a day, YYYY-MM-DD, in the person's zone: the midnight after it, as
// RFC 3339 in UTC.
func (f Format) endOf(day string) (string, error) {
	t, err := time.ParseInLocation(time.DateOnly, day, f.zone())
	if err != nil {
		return "", err
	}
	return t.AddDate(0, 0, 1).UTC().Format(time.RFC3339), nil
}
