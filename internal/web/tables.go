package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func tableRoutes() []route {
	return []route{
		{pattern: "GET /requests", who: signedIn, serve: register(showRequests)},
		{pattern: "GET /requests.csv", who: signedIn, serve: register(exportRequests)},
		{pattern: "GET /decisions", who: signedIn, serve: register(showDecisions)},
		{pattern: "GET /decisions.csv", who: signedIn, serve: register(exportDecisions)},
		{pattern: "GET /holds", who: signedIn, serve: register(showHolds)},
	}
}

// tableView is a page of one of the control owner's tables.
type tableView struct {
	Tabs      []tableTab
	Filter    filterView
	Requests  []requestLine
	Decisions []decisionLine
	Holds     []holdLine
	Next      string // address of the page after; "" at the end
	First     string // address of the first page, where this is another one
	Export    string // address of the same as CSV
	Eye       []figure
}

// tableTab is a link to one of the tables.
type tableTab struct {
	Path, Text string
	Current    bool
}

var tableTabs = []string{"requests", "decisions", "holds"}

func (q *tableReader) tabs(current string) []tableTab {
	var out []tableTab
	for _, t := range tableTabs {
		out = append(out, tableTab{Path: "/" + t, Text: q.tx.T("tables.tab." + t), Current: t == current})
	}
	return out
}

// figure is a number that a control owner should have an eye on.
type figure struct {
	Number, Text, Href string
	Loud               bool // it must not wait
}

// tableReader writes rows of the tables.
type tableReader struct {
	f   Format
	tx  *Texts
	now time.Time
}

func (v *visit) tableReader() *tableReader {
	return &tableReader{f: v.format, tx: v.site.texts, now: v.now()}
}

// tableRows is how many rows one page of a table has.
const tableRows = 50

func showRequests(v *visit) error {
	filter, err := v.tableFilter()
	if err != nil {
		return err
	}
	after := v.query("after")
	eye := after == "" && len(filter.values()) == 0
	t, err := v.org.RequestsPage(v.ctx(), *v.session, filter.TableFilter, authority.TablePage{After: after, Limit: tableRows}, eye)
	if err != nil {
		return err
	}
	q := v.tableReader()
	w := tableView{Tabs: q.tabs("requests")}
	for _, r := range t.Items {
		w.Requests = append(w.Requests, q.request(r))
	}
	w.Filter = q.filter("requests", filter, &t.Choices)
	w.page("requests", filter, after, t.Next)
	if t.Eye != nil {
		w.Eye = q.eye(t.Eye)
	}
	return v.render(view{name: "requests", title: v.t("tables.requests"), area: "requests", data: w})
}

func showDecisions(v *visit) error {
	filter, err := v.tableFilter()
	if err != nil {
		return err
	}
	after := v.query("after")
	t, err := v.org.DecisionsPage(v.ctx(), *v.session, filter.TableFilter, authority.TablePage{After: after, Limit: tableRows})
	if err != nil {
		return err
	}
	q := v.tableReader()
	w := tableView{Tabs: q.tabs("decisions")}
	for _, d := range t.Items {
		w.Decisions = append(w.Decisions, q.decision(d))
	}
	w.Filter = q.filter("decisions", filter, &t.Choices)
	w.page("decisions", filter, after, t.Next)
	return v.render(view{name: "decisions", title: v.t("tables.decisions"), area: "requests", data: w})
}

func showHolds(v *visit) error {
	after := v.query("after")
	t, err := v.org.HoldsRunning(v.ctx(), *v.session, authority.TablePage{After: after, Limit: tableRows})
	if err != nil {
		return err
	}
	q := v.tableReader()
	w := tableView{Tabs: q.tabs("holds")}
	for _, h := range t.Items {
		w.Holds = append(w.Holds, holdLine{requestLine: q.request(h.RequestRow), Until: q.f.Moment(q.tx, h.HeldUntil, q.now), Watchers: groupNames(h.Watchers, q.tx.T("request.and"))})
	}
	w.page("holds", tableFilter{}, after, t.Next)
	return v.render(view{name: "requests-holds", title: v.t("tables.holds"), area: "requests", data: w})
}

// page sets the addresses of the pages around this one, and of the export.
func (w *tableView) page(table string, f tableFilter, after, next string) {
	at := func(path, after string) string {
		values := f.values()
		if after != "" {
			values.Set("after", after)
		}
		if len(values) == 0 {
			return path
		}
		return path + "?" + values.Encode()
	}
	if next != "" {
		w.Next = at("/"+table, next)
	}
	if after != "" {
		w.First = at("/"+table, "")
	}
	w.Export = at("/"+table+".csv", "")
}

// eye are the figures that stand above the table of requests.
func (q *tableReader) eye(e *authority.Eye) []figure {
	holds, freezes, uses, founding := e.Holds.N, e.Freezes, e.ToReview, e.Founding
	count := func(n int) string { return q.f.Count(int64(n)) }
	plus := ""
	if e.Holds.More {
		plus = "+"
	}
	out := []figure{{Number: count(holds) + plus, Text: q.tx.T("tables.eye.holds"), Href: "/holds"},
		{Number: count(freezes), Text: q.tx.T("tables.eye.freezes"), Href: "/admin/freezes"},
		{Number: count(uses), Text: q.tx.T("tables.eye.break_glass"), Href: "/admin/break-glass"}}
	out[2].Loud = uses > 0
	switch {
	case founding.Founding:
		out = append(out, figure{Number: count(len(founding.Administrators)) + "/" + count(founding.Needed), Text: q.tx.T("tables.eye.founding"), Href: "/admin", Loud: true})
	case founding.Stamped > 0:
		out = append(out, figure{Number: count(founding.Stamped), Text: q.tx.T("tables.eye.stamped")})
	}
	return out
}

// tableFilter is a filter with the days as they stand in its form.
type tableFilter struct {
	authority.TableFilter
	since, until string
}

// tableFilter reads the filter from the address. A day that is none is an error: a
// table that quietly shows more than was asked for would mislead.
func (v *visit) tableFilter() (tableFilter, error) {
	f := tableFilter{TableFilter: authority.TableFilter{Status: countersign.Status(v.query("status")), Kind: v.query("kind"), Vendor: v.query("vendor"), Requester: v.query("requester"),
		Decider: v.query("decider"), Group: v.query("group"), Outcome: countersign.Outcome(v.query("outcome")), Rule: v.query("rule"), Source: v.query("source"), Text: v.query("text")},
		since: v.query("since"), until: v.query("until")}
	var errs []countersign.FieldError
	day := func(name, text string, days int) time.Time {
		if text == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, text, v.format.zone())
		if err != nil {
			errs = append(errs, countersign.FieldError{Pointer: "/" + name, Detail: v.t("tables.bad_day")})
		}
		return t.AddDate(0, 0, days)
	}
	f.Since, f.Until = day("since", f.since, 0), day("until", f.until, 1)
	if f.Status != "" && !slices.Contains(statuses, f.Status) {
		errs = append(errs, countersign.FieldError{Pointer: "/status", Detail: v.t("tables.bad_status")})
	}
	if len(errs) > 0 {
		return f, countersign.Invalid(errs...)
	}
	return f, nil
}

var statuses = []countersign.Status{countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusApproved, countersign.StatusReleased, countersign.StatusDenied,
	countersign.StatusExpired, countersign.StatusCancelled, countersign.StatusSuperseded, countersign.StatusRevoked}

// values are the filter as the parameters of an address.
func (f tableFilter) values() url.Values {
	v := url.Values{}
	for _, p := range []struct{ name, value string }{{"status", string(f.Status)}, {"kind", f.Kind}, {"vendor", f.Vendor}, {"requester", f.Requester}, {"decider", f.Decider}, {"group", f.Group},
		{"outcome", string(f.Outcome)}, {"rule", f.Rule}, {"source", f.Source}, {"text", f.Text}, {"since", f.since}, {"until", f.until}} {
		if p.value != "" {
			v.Set(p.name, p.value)
		}
	}
	return v
}

// filterView is the form of a filter.
type filterView struct {
	Table                                         string
	Text, Vendor, Requester, Source, Since, Until string
	VendorName, RequesterName                     string
	Status, Kind, Outcome, Group, Rule, Decider   []option
	Any                                           bool // something narrows
	More                                          bool // something does that folds otherwise
}

func (q *tableReader) filter(table string, f tableFilter, c *authority.TableChoices) filterView {
	w := filterView{Table: table, Text: f.Text, Vendor: f.Vendor, Requester: f.Requester, Source: f.Source, Since: f.since, Until: f.until,
		VendorName: named(c.Vendor), RequesterName: named(c.Requester), Any: len(f.values()) > 0,
		More: f.Vendor+f.Requester+f.Source+f.Group+f.Rule+string(f.Outcome) != ""}
	for _, s := range statuses {
		w.Status = append(w.Status, option{Value: string(s), Text: q.tx.T("inbox.status." + string(s)), Chosen: s == f.Status})
	}
	for _, k := range slices.Concat(documentKinds, countersign.ChangeKinds(), c.Kinds) {
		w.Kind = append(w.Kind, option{Value: k, Text: kindWords(q.tx, k), Chosen: k == f.Kind})
	}
	for _, o := range []countersign.Outcome{countersign.OutcomeAllow, countersign.OutcomeStepUp, countersign.OutcomeDeny} {
		w.Outcome = append(w.Outcome, option{Value: string(o), Text: q.tx.T("tables.outcome." + string(o)), Chosen: o == f.Outcome})
	}
	w.Kind = withChosen(w.Kind, f.Kind)
	w.Group = withChosen(plainOptions(c.Groups, f.Group), f.Group)
	w.Rule = withChosen(plainOptions(c.Rules, f.Rule), f.Rule)
	for _, p := range c.Deciders {
		w.Decider = append(w.Decider, option{Value: p.ID, Text: named(p.Name), Chosen: p.ID == f.Decider})
	}
	w.Decider = withChosen(w.Decider, f.Decider)
	return w
}

func plainOptions(all []string, chosen string) []option {
	var out []option
	for _, s := range all {
		out = append(out, option{Value: s, Text: named(s), Chosen: s == chosen})
	}
	return out
}

// withChosen adds what is chosen where it is no longer among what there is: the form
// must say what the table shows.
func withChosen(all []option, chosen string) []option {
	if chosen == "" || slices.ContainsFunc(all, func(o option) bool { return o.Chosen }) {
		return all
	}
	return append(all, option{Value: chosen, Text: named(chosen), Chosen: true})
}

// number is a document's number as a row shows it.
func (q *tableReader) number(r authority.RequestRow) string {
	if countersign.InternalKind(r.Kind) { // its number is ours, and says nothing
		return ""
	}
	return named(r.Object)
}

// ruleWords writes a rule's name as words.
func ruleWords(rule string) string { return strings.NewReplacer("-", " ").Replace(named(rule)) }

func progressText(p authority.Progress) string {
	return strconv.Itoa(p.Have) + "/" + strconv.Itoa(p.Need)
}
