package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func delegationRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /delegations", who: signedIn, serve: showDelegations},
		{pattern: "GET /admin/delegations", who: signedIn, serve: register(showAllDelegations)},
		{pattern: "GET /delegations/new", who: signedIn, serve: showDelegate},
		{pattern: "POST /delegations/new", who: signedIn, attempt: true, serve: delegate},
		{pattern: "GET /delegations/propose", who: signedIn, serve: showDelegateFor},
		{pattern: "POST /delegations/propose", who: signedIn, serve: delegateFor},
	}, askRoutes("/delegations/{delegation}/end", askEndDelegation))
}

// delegationsView lists delegations: one's own, somebody's, or all.
type delegationsView struct {
	Tabs    []adminTab // on the page of all
	Heading string
	Lead    string
	Given   []delegationRow // in whose place others decide
	Taken   []delegationRow // in others' place
	Rows    []delegationRow // on the page of all, and of somebody else
	Own     bool
	Below   []person // for whom the visitor may propose one
	Next    string
	Said    string
	Empty   bool
}

// person is somebody by name.
type person struct {
	ID, Name string
	Chosen   bool
}

type delegationRow struct {
	ID           string
	From, To     string
	Kinds, Limit string
	Starts, Ends Moment
	State        string // "upcoming", "in_force", "over"
	Ended        Moment // by hand, before its time
	MayEnd       bool
}

func (v *visit) delegationRow(d authority.DelegationView) delegationRow {
	row := delegationRow{ID: d.ID, From: named(d.From.Name), To: named(d.To.Name), Kinds: kindNames(v.site.texts, d.Kinds), Starts: v.moment(d.StartsAt), Ends: v.moment(d.EndsAt), State: d.State, Ended: v.moment(d.EndedAt)}
	if d.Limit != nil {
		row.Limit = v.format.Money(*d.Limit)
	}
	me := v.session.Person.ID
	row.MayEnd = d.State != "over" && (d.From.ID == me || d.To.ID == me || v.member(authority.GroupAdministrators))
	return row
}

// kindNames are kinds of documents in words; none named is every one.
func kindNames(tx *Texts, kinds []string) string {
	if len(kinds) == 0 {
		return tx.T("delegations.every_kind")
	}
	var words []string
	for _, k := range kinds {
		words = append(words, kindName(tx, k))
	}
	return strings.Join(words, ", ")
}

func showDelegations(v *visit) error {
	if whose := v.query("person"); whose != "" && whose != v.session.Person.ID {
		return v.delegationsOf(whose)
	}
	w := delegationsView{Heading: v.t("delegations.heading"), Lead: v.t("delegations.lead"), Own: true}
	page, err := v.org.DelegationsPage(v.ctx(), *v.session, authority.DelegationQuery{Person: "me", After: v.query("after"), Limit: 50})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if row := v.delegationRow(d); d.From.ID == v.session.Person.ID {
			w.Given = append(w.Given, row)
		} else {
			w.Taken = append(w.Taken, row)
		}
	}
	for _, p := range page.Below {
		w.Below = append(w.Below, person{ID: p.ID, Name: p.Name})
	}
	if page.Next != "" {
		w.Next = "/delegations?" + encode("after", page.Next)
	}
	switch said := v.query("said"); said {
	case "made", "ended":
		w.Said = v.t("delegations.said." + said)
	}
	w.Empty = len(page.Items) == 0
	return v.render(view{name: "delegations", title: w.Heading, data: w})
}

// delegationsOf lists those of somebody whom the visitor answers for.
func (v *visit) delegationsOf(whose string) error {
	page, err := v.org.DelegationsPage(v.ctx(), *v.session, authority.DelegationQuery{Person: whose, After: v.query("after"), Limit: 50})
	if hasCode(err, countersign.CodeForbidden) {
		return nothingHere(v)
	} else if err != nil {
		return err
	}
	w := delegationsView{Lead: v.t("delegations.of_lead")}
	name := v.t("delegations.somebody")
	for _, p := range page.All {
		if p.ID == whose {
			name = p.Name
		}
	}
	for _, d := range page.Items {
		row := v.delegationRow(d)
		row.MayEnd = row.MayEnd || d.State != "over" && slices.ContainsFunc(page.Below, func(p countersign.Principal) bool { return p.ID == d.From.ID })
		w.Rows = append(w.Rows, row)
	}
	if page.Next != "" {
		w.Next = "/delegations?" + encode("person", whose, "after", page.Next)
	}
	w.Heading, w.Empty = v.t("delegations.of", "name", named(name)), len(page.Items) == 0
	return v.render(view{name: "delegations", title: w.Heading, data: w})
}

func showAllDelegations(v *visit) error {
	page, err := v.org.Delegations(v.ctx(), *v.session, authority.DelegationQuery{Person: "all", After: v.query("after"), Limit: 50})
	if err != nil {
		return err
	}
	w := delegationsView{Tabs: adminTabs(v.t, "delegations"), Heading: v.t("delegations.all"), Lead: v.t("delegations.all_lead"), Empty: len(page.Items) == 0}
	for _, d := range page.Items {
		w.Rows = append(w.Rows, v.delegationRow(d))
	}
	if page.Next != "" {
		w.Next = "/admin/delegations?" + encode("after", page.Next)
	}
	return v.render(view{name: "delegations", title: w.Heading, area: "admin", data: w})
}

// delegateView is the page on which a delegation is made, or proposed for somebody who
// is absent.
type delegateView struct {
	Heading, Lead string
	Action        string
	For           []person // in whose place; nil: the visitor's own
	People        []person // who may decide
	Starts, Ends  string   // days
	First, Last   string   // the days between which it may lie
	Kinds         []kindBox
	Limit, Reason string
	Decides, Verb string
	StepUp        *stepUpFields
	Nobody        bool
	Problem       *errorView
}

type kindBox struct {
	Kind, Text string
	Is         bool
}

func showDelegate(v *visit) error    { return v.delegatePage(false, http.StatusOK, nil) }
func showDelegateFor(v *visit) error { return v.delegatePage(true, http.StatusOK, nil) }

func (v *visit) delegatePage(others bool, status int, problem *errorView) error {
	form, err := v.org.DelegationForm(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	if others && len(form.Below) == 0 {
		return nothingHere(v)
	}
	now := v.now().In(v.format.zone())
	w := delegateView{Heading: v.t("delegations.make.heading"), Lead: v.t("delegations.make.lead"), Action: "/delegations/new", People: people(form.All, v.form("to")),
		Starts: filled(v.form("starts"), now.Format(time.DateOnly)), Ends: filled(v.form("ends"), now.AddDate(0, 0, 14).Format(time.DateOnly)),
		First: now.Format(time.DateOnly), Last: now.AddDate(0, 0, 180+91).Format(time.DateOnly), Limit: v.form("limit"), Reason: v.form("reason"),
		Nobody: len(form.All) == 0, Problem: problem}
	if others {
		w.Heading, w.Lead, w.Action = v.t("delegations.propose.heading"), v.t("delegations.propose.lead"), "/delegations/propose"
		w.For, w.Decides, w.Verb = people(form.Below, v.form("for")+v.query("for")), v.decides(countersign.KindDelegation), v.proposeVerb()
	} else {
		f := v.stepUpByBest(v.t("delegations.make.verb"), &form.Means)
		f.OpenCode = v.form("with") == "code"
		w.StepUp = &f
	}
	for _, k := range kindsWith(form.Kinds) {
		w.Kinds = append(w.Kinds, kindBox{k, kindName(v.site.texts, k), slices.Contains(v.r.PostForm["kind"], k)})
	}
	return v.render(view{name: "delegation-make", title: w.Heading, status: status, data: w})
}

func people(all []countersign.Principal, chosen string) (out []person) {
	for _, p := range all {
		out = append(out, person{p.ID, p.Name, p.ID == chosen})
	}
	return out
}

// filled is what was typed, or else what stands there at first.
func filled(typed, first string) string {
	if typed == "" {
		return first
	}
	return typed
}

// delegation reads the form. A day begins and ends in the zone of whoever typed it; one
// that begins today begins now.
func (v *visit) delegation() (authority.DelegationBody, error) {
	b := authority.DelegationBody{To: v.form("to"), Kinds: v.r.PostForm["kind"], Reason: strings.TrimSpace(v.form("reason"))}
	var errs []countersign.FieldError
	wrong := func(at, key string) {
		errs = append(errs, countersign.FieldError{Pointer: at, Detail: v.t(key)})
	}
	starts, err := time.ParseInLocation(time.DateOnly, v.form("starts"), v.format.zone())
	if err != nil {
		wrong("/starts_at", "admin.day_wrong")
	} else if starts.After(v.now()) {
		b.Starts = starts.UTC().Format(time.RFC3339)
	}
	if b.Ends, err = v.format.endOf(v.form("ends")); err != nil {
		wrong("/ends_at", "admin.day_wrong")
	}
	if text, err := v.format.readAmount(v.form("limit")); err != nil {
		wrong("/limit", "people.change.amount")
	} else if text != "" {
		value, currency, _ := strings.Cut(text, " ")
		b.Limit = &countersign.Amount{Value: value, Currency: currency}
	}
	if len(errs) > 0 {
		return b, countersign.Invalid(errs...)
	}
	return b, nil
}

func delegate(v *visit) error {
	b, err := v.delegation()
	if err == nil {
		var done bool
		if b.StepUp, done, err = v.provenFor(authority.DelegationSubject(b)); done {
			return err
		}
		if err == nil {
			_, err = v.org.Delegate(v.ctx(), *v.session, b)
		}
		if err == nil {
			return v.redirect("/delegations?said=made")
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.delegatePage(false, e.Status, e)
	}
	return err
}

// delegateFor proposes a delegation for somebody who is absent.
func delegateFor(v *visit) error {
	b, err := v.delegation()
	to := ""
	if err == nil {
		p := authority.Proposal{Kind: countersign.KindDelegation, ID: v.form("for"), Subject: b.Reason}
		add := func(field, value string) {
			if value != "" {
				p.Changes = append(p.Changes, countersign.Change{Field: field, To: value})
			}
		}
		add("to", b.To)
		add("starts_at", b.Starts)
		add("ends_at", b.Ends)
		add("kinds", strings.Join(b.Kinds, ","))
		if b.Limit != nil {
			add("limit", amountText(*b.Limit))
		}
		if to, err = v.propose(p); err == nil {
			return v.redirect(to)
		}
	}
	if e, ok := v.shown(err); ok {
		return v.delegatePage(true, e.Status, e)
	}
	return err
}

// askEndDelegation ends a delegation at once.
func askEndDelegation(v *visit) (*asked, error) {
	d, err := v.org.ReadDelegation(v.ctx(), *v.session, v.path("delegation"))
	if err != nil {
		return nil, err
	}
	if !d.MayEnd {
		return nil, nothingHere(v)
	}
	row := v.delegationRow(d.DelegationView)
	q := &asked{view: askView{Heading: v.t("delegations.end.heading"), Does: []string{v.t("delegations.end.does", "to", row.To, "from", row.From), v.t("delegations.end.stays")},
		Facts: []askFact{{Label: v.t("delegations.from"), Text: row.From}, {Label: v.t("delegations.to"), Text: row.To}, {Label: v.t("delegations.kinds"), Text: row.Kinds},
			{Label: v.t("delegations.starts"), At: row.Starts}, {Label: v.t("delegations.ends"), At: row.Ends}},
		Decides: v.t("admin.decides.alone"), Verb: v.t("delegations.end.verb"), Danger: true, Back: "/delegations"}}
	q.do = func(authority.StepUpBody) (string, error) {
		return "/delegations?said=ended", v.org.EndDelegation(v.ctx(), *v.session, d.ID)
	}
	return q, nil
}
