package web

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func alertRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin/alerts", who: signedIn, serve: register(showAlerts)},
		{pattern: "GET /admin/alerts/new", who: signedIn, serve: raisers(showRaiseAlert)},
		{pattern: "POST /admin/alerts/new", who: signedIn, serve: raisers(raiseAlert)},
	}, askRoutes("/admin/alerts/{alert}/close", askCloseAlert))
}

// alertsView lists alerts.
type alertsView struct {
	Tabs   []adminTab
	All    bool // also those that are over
	Items  []alertRow
	Next   string
	First  bool // the newest are shown
	Closes bool // the visitor may raise one, and propose to close one
	Said   string
}

type alertRow struct {
	ID, Title    string
	Severity     string // a word
	Tone         string
	About        string // a name
	AboutPath    string
	AboutWord    string // what kind of thing it is
	Source       string
	Owner        string
	Raised, Ends Moment
	State        string // "open", "expired", "closed"
	ClosedBy     string
}

var alertTones = map[string]string{"low": "quiet", "medium": "", "high": "warn", "critical": "no"}

func showAlerts(v *visit) error {
	all := v.query("show") == "all"
	page, err := v.org.AlertsPage(v.ctx(), *v.session, !all, v.query("before"), 50)
	if err != nil {
		return err
	}
	w := alertsView{Tabs: adminTabs(v.t, "alerts"), All: all, First: v.query("before") == "", Closes: v.mayPropose(countersign.KindAlertClose)}
	if v.query("said") == "raised" {
		w.Said = v.t("alerts.said.raised")
	}
	w.Items = v.alertRows(page)
	if page.Next != "" {
		show := ""
		if all {
			show = "all"
		}
		w.Next = "/admin/alerts?" + encode("show", show, "before", page.Next)
	}
	return v.render(view{name: "admin-alerts", title: v.t("alerts.heading"), area: "admin", data: w})
}

func (v *visit) alertRows(page *authority.AlertsPage) (rows []alertRow) {
	for _, a := range page.Items {
		rows = append(rows, v.alertRow(a, nameBook(page.Names)))
	}
	return rows
}

func (v *visit) alertRow(a countersign.Alert, known nameBook) alertRow {
	row := alertRow{ID: a.ID, Title: a.Title, Severity: v.t("alerts.severity." + a.Severity), Tone: alertTones[a.Severity], Source: v.sourceName(known.of(a.Source)), Owner: known.of(a.Owner),
		Raised: v.moment(a.RaisedAt), Ends: v.moment(a.ExpiresAt), State: alertState(a, v.now()), ClosedBy: v.whoMade(known, a.ClosedBy)}
	switch {
	case a.About.Vendor != "":
		row.AboutWord, row.About = v.t("alerts.about.vendor"), vendorName(known, a.About.Vendor)
	case a.About.Person != "":
		row.AboutWord, row.About, row.AboutPath = v.t("alerts.about.person"), known.of(a.About.Person), "/admin/people/"+a.About.Person
	case a.About.Request != "":
		row.AboutWord, row.About, row.AboutPath = v.t("alerts.about.request"), a.About.Request, "/r/"+a.About.Request
	case a.About.Organisation:
		row.AboutWord = v.t("alerts.about.organisation")
	default:
		row.AboutWord = v.t("alerts.about.operation")
	}
	if row.State == "closed" {
		row.Ends = v.moment(a.ClosedAt)
	}
	return row
}

// vendorName is what a vendor is called, with its number.
func vendorName(known nameBook, id string) string {
	if name := known["vendor:"+id]; name != "" {
		return name + " (" + id + ")"
	}
	return id
}

// sourceName is the system that something comes from; Countersign itself in words.
func (v *visit) sourceName(source string) string {
	if key := "admin.source." + source; v.site.texts.has(key) {
		return v.t(key)
	}
	return source
}

func alertState(a countersign.Alert, now time.Time) string {
	switch {
	case a.ClosedAt != "":
		return "closed"
	case past(a.ExpiresAt, now):
		return "expired"
	}
	return "open"
}

// askCloseAlert proposes that an alert is closed.
func askCloseAlert(v *visit) (*asked, error) {
	if !v.mayPropose(countersign.KindAlertClose) {
		return nil, nothingHere(v)
	}
	one, err := v.org.OpenAlert(v.ctx(), *v.session, v.path("alert"))
	if hasCode(err, countersign.CodeNotFound) {
		return nil, nothingHere(v)
	} else if err != nil {
		return nil, err
	}
	row := v.alertRows(one)[0]
	q := &asked{view: askView{Heading: v.t("alerts.close.heading"), Does: []string{v.t("alerts.close.does"), v.t("alerts.close.else")}, Reason: true, Decides: v.decides(countersign.KindAlertClose),
		Facts: []askFact{{Label: v.t("alerts.what"), Text: row.Title}, {Label: v.t("alerts.about"), Text: wordAndName(row.AboutWord, row.About)},
			{Label: v.t("alerts.severity"), Text: row.Severity}, {Label: v.t("alerts.from"), Text: row.Source}, {Label: v.t("alerts.raised"), At: row.Raised}, {Label: v.t("alerts.ends"), At: row.Ends}},
		Verb: v.proposeVerb(), Back: "/admin/alerts"}}
	q.do = func(authority.StepUpBody) (string, error) {
		return v.propose(authority.Proposal{Kind: countersign.KindAlertClose, ID: row.ID, Subject: v.form("reason")})
	}
	return q, nil
}

func wordAndName(word, name string) string {
	if name == "" {
		return word
	}
	return word + ": " + name
}
