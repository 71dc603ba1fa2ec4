package web

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
)

func policyRoutes() []route {
	return []route{
		{pattern: "GET /policy", who: signedIn, serve: register(showPolicy)},
		{pattern: "GET /policy/difference", who: signedIn, serve: register(showPolicyDifference)},
		{pattern: "GET /policy/draft", who: signedIn, serve: drafters(startDraft)},
		{pattern: "POST /policy/draft", who: signedIn, large: maxDraft, serve: drafters(checkDraft)},
		{pattern: "POST /policy/draft/propose", who: signedIn, large: maxDraft, serve: drafters(proposeDraft)},
	}
}

// drafters lets those to a page who may propose a policy, and nobody else.
func drafters(serve func(*visit) error) func(*visit) error {
	return forGroups(serve, authority.RuleOfChange(countersign.KindPolicyPublish).Groups...)
}

// policyView is the page of one version of the policy.
type policyView struct {
	Name      string
	Version   string
	InForce   bool
	Now       string // the version in force, where this is another
	Published Moment
	By        string
	Digest    Value
	Code      codeView
	Rules     []ruleFigure
	Figures   string // what the figures are over
	Lists     []policyList
	Versions  []policyVersion
	Before    []policyVersion // older ones, which fold
	Older     bool            // there is another version to compare with
	MayDraft  bool            // the visitor may write another
	Requests  string          // how many were submitted, in words
	Waiting   []policyWaiting
}

// policyWaiting is a proposal that waits for its second person.
type policyWaiting struct{ By, Path, Text string }

// ruleFigure is a rule with how often it counted.
type ruleFigure struct {
	Name           string
	Href           string // of the rule in the text
	Requests       string // address of the requests behind the number
	Month, Quarter string
	Never          bool
	Deny           bool
}

// policyList is a list with its entries and their last days.
type policyList struct {
	Name, File, Href string
	Entries          []listEntry
	Summary          string
}

type listEntry struct {
	Value, Owner, Because, Until string
	Over, Soon                   bool // it no longer counts; it will not for long
}

// policyVersion is one line of the history.
type policyVersion struct {
	Version, Path, Compare, By string
	Published                  Moment
	InForce, Current           bool
}

func showPolicy(v *visit) error {
	version, err := v.policyVersion("version")
	if err != nil {
		return err
	}
	p, err := v.org.PolicyPage(v.ctx(), *v.session, version)
	if err != nil {
		return err
	}
	w := v.policyReader(p.Names).view(&p.Policy, p.Versions, &p.Figures)
	w.MayDraft = v.mayDraft()
	for _, r := range p.Waiting {
		w.Waiting = append(w.Waiting, policyWaiting{By: named(r.Requester), Path: "/r/" + r.ID, Text: named(cmp.Or(r.Subject, v.t("policy.proposal")))})
	}
	return v.render(view{name: "policy", title: v.t("policy.window", "name", w.Name, "version", w.Version), area: "policy", data: w})
}

// policyVersion reads the number of a version from the address; 0 is the one in force.
func (v *visit) policyVersion(name string) (int64, error) {
	s := v.query(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, countersign.NewProblem(countersign.CodeNotFound, "%s", v.t("error.nothing_here"))
	}
	return n, nil
}

// mayDraft reports whether the visitor may propose another policy.
func (v *visit) mayDraft() bool {
	return v.mayPropose(countersign.KindPolicyPublish)
}

// policyReader makes the views of policies: what it needs of a visit.
type policyReader struct {
	f    Format
	tx   *Texts
	now  time.Time
	name func(id string) string // of a person
}

func (v *visit) policyReader(known authority.Names) *policyReader {
	return &policyReader{f: v.format, tx: v.site.texts, now: v.now(), name: func(id string) string {
		if id == "operator" {
			return v.t("policy.operator")
		}
		return named(nameBook(known).of(id))
	}}
}

func (q *policyReader) moment(stamp string) Moment {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return Moment{}
	}
	return q.f.Moment(q.tx, t, q.now)
}

func (q *policyReader) count(n int) string { return q.f.Count(int64(n)) }

func (q *policyReader) view(p *authority.PolicyView, all []authority.PolicyView, f *authority.RuleFigures) policyView {
	o := policy.OutlineOf([]byte(p.Text), p.Lists)
	newest := all[0].Version
	w := policyView{Name: cmp.Or(o.Name, q.tx.T("policy.title")), Version: versionText(p.Version), InForce: p.Version == newest, Published: q.moment(p.PublishedAt), By: q.name(p.PublishedBy),
		Digest: Value{Class: kindDigest.class(), Parts: plainParts(p.Digest, kindDigest)}, Older: len(all) > 1}
	if !w.InForce {
		w.Now = versionText(newest)
	}
	w.Requests = q.tx.N("policy.requests", f.Quarter.Requests, "n", q.count(f.Quarter.Requests))
	marks := map[int]*codeLine{}
	for _, r := range o.Rules {
		line := ruleFigure{Name: r.Name, Href: "#rule-" + url.PathEscape(r.Name), Requests: "/requests?rule=" + url.QueryEscape(r.Name), Deny: r.Deny,
			Month: q.count(f.Month.Counted[r.Name]), Quarter: q.count(f.Quarter.Counted[r.Name]), Never: f.Quarter.Counted[r.Name] == 0}
		w.Rules = append(w.Rules, line)
		marks[r.Line] = &codeLine{ID: "rule-" + r.Name}
	}
	for _, l := range o.Lists {
		if marks[l.Line] == nil {
			marks[l.Line] = &codeLine{ID: "list-" + l.Name}
		}
		w.Lists = append(w.Lists, q.list(l))
	}
	w.Code = codeOf(p.Text, q.tx.T("policy.text"), marks)
	for i, one := range all {
		line := policyVersion{Version: versionText(one.Version), Path: "/policy?version=" + versionText(one.Version), By: q.name(one.PublishedBy), Published: q.moment(one.PublishedAt),
			InForce: i == 0, Current: one.Version == p.Version}
		if i+1 < len(all) {
			line.Compare = "/policy/difference?from=" + versionText(all[i+1].Version) + "&to=" + line.Version
		}
		w.Versions = append(w.Versions, line)
	}
	if len(w.Versions) > openVersions+2 {
		w.Versions, w.Before = w.Versions[:openVersions], w.Versions[openVersions:]
	}
	return w
}

// openVersions are as many versions as stand open.
const openVersions = 6

func versionText(n int64) string { return strconv.FormatInt(n, 10) }

// endsSoon is how long before an entry's end the page points to it.
const endsSoon = 30 * 24 * time.Hour

func (q *policyReader) list(l policy.ListOutline) policyList {
	out := policyList{Name: l.Name, File: named(l.File), Href: "#list-" + url.PathEscape(l.Name)}
	over := 0
	for _, e := range l.Entries {
		line := listEntry{Value: named(e.Value), Owner: named(e.Owner), Because: sentence(e.Because), Until: "–"}
		if !e.Until.IsZero() {
			line.Until = q.f.Day(q.tx, e.Until.AddDate(0, 0, -1).Format(time.DateOnly))
			line.Over = !e.Until.After(q.now)
			line.Soon = !line.Over && e.Until.Before(q.now.Add(endsSoon))
		}
		if line.Over {
			over++
		}
		out.Entries = append(out.Entries, line)
	}
	out.Summary = q.tx.N("policy.list.entries", len(out.Entries), "n", q.count(len(out.Entries)))
	if over > 0 {
		out.Summary += " · " + q.tx.N("policy.list.over", over, "n", q.count(over))
	}
	return out
}

// codeView is a text in lines, with numbers and in colours.
type codeView struct {
	Label string
	Lines []codeLine
}

// codeLine is one line, with what a page has to say about it.
type codeLine struct {
	ID       string // what an address can point to
	Number   int
	Pieces   []codePiece
	Problems []string
}

type codePiece struct{ Class, Text string }

// codeOf makes the view of a policy's text. Marks are what is said about lines, by
// their numbers. A character that cannot be seen is shown by its number, as on the card.
func codeOf(text, label string, marks map[int]*codeLine) codeView {
	w := codeView{Label: label}
	ids := map[string]bool{}
	for i, pieces := range highlight(strings.TrimSuffix(text, "\n")) {
		l := codeLine{Number: i + 1}
		if m := marks[i+1]; m != nil {
			l.ID, l.Problems = m.ID, m.Problems
		}
		if ids[l.ID] {
			l.ID = ""
		}
		ids[l.ID] = true
		for _, p := range pieces {
			for _, part := range plainParts(p.text, kindText) {
				class := p.class
				if part.Escape {
					class = "esc"
				}
				l.Pieces = append(l.Pieces, codePiece{class, part.Text})
			}
		}
		w.Lines = append(w.Lines, l)
	}
	return w
}
