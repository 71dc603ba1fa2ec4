package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
)

// maxDraft bounds the form of a draft, in bytes: a policy, its lists and its tests,
// each character of which may take three in a form.
const maxDraft = 4 << 20

// draftView is the page on which a policy is written. The form holds all of it: nothing
// is kept until it is proposed.
type draftView struct {
	Base    string // the version that the draft began from
	Text    string
	Lists   []draftList
	Tests   string
	Reason  string
	Problem *errorView // why it was not proposed
	Check   draftCheck
}

// draftList is a list that the policy keeps in a file.
type draftList struct{ Name, Text string }

// draftCheck is what is to be said of a draft.
type draftCheck struct {
	Tone, Icon, Title string
	Stale             string // another version was published since
	Problems          []draftProblem
	Warnings          []string
	Tests             *draftTests
	Differences       []textDifference
	Live              string // version in force
	Ready             bool   // it can be proposed
	Open              string // what happens to the requests that are open
	Second            string // who must agree
	Code              codeView
	Again             string // when the page asks anew by itself, since nothing was tried; "" else
}

// draftProblem is one thing that is wrong, with where it is.
type draftProblem struct{ Where, Href, Message, Hint string }

// draftTests is what came of the tests.
type draftTests struct {
	Title, Tone string
	Problem     string
	Cases       []draftCase // those that failed
	Uncovered   []string
}

type draftCase struct {
	Name, Where string
	Failures    []string
}

func startDraft(v *visit) error {
	var d *authority.PolicyDraft
	trial, err := v.inTurn(func() (trial *authority.PolicyTrial, err error) {
		d, trial, err = v.org.BeginDraft(v.ctx(), *v.session)
		return trial, err
	})
	if err != nil {
		return err
	}
	return v.triedPage(http.StatusOK, *d, trial, nil)
}

// checkDraft shows the draft of the form with what is to be said of it. It changes
// nothing, and so it may be the page that a press of its button answers with.
func checkDraft(v *visit) error { return v.draftPage(http.StatusOK, v.draft(), nil) }

// draft reads the form. Browsers end lines as mail does: the policy's are its own.
func (v *visit) draft() authority.PolicyDraft {
	text := func(name string) string { return strings.ReplaceAll(v.form(name), "\r\n", "\n") }
	d := authority.PolicyDraft{Text: text("policy"), Tests: text("tests"), Lists: map[string]string{}}
	for field := range v.r.PostForm {
		if name, ok := strings.CutPrefix(field, "list:"); ok {
			d.Lists[name] = text(field)
		}
	}
	return d
}

// used leaves out the lists that the policy does not keep in files.
func used(d authority.PolicyDraft) authority.PolicyDraft {
	files := policy.Files([]byte(d.Text))
	lists := map[string]string{}
	for name, text := range d.Lists {
		if _, ok := files[name]; ok && text != "" {
			lists[name] = text
		}
	}
	d.Lists = lists
	return d
}

func (v *visit) draftPage(status int, d authority.PolicyDraft, problem *errorView) error {
	trial, err := v.try(d)
	if hasCode(err, countersign.CodeRateLimited) {
		return v.untried(d, err)
	}
	if err != nil {
		return err
	}
	return v.triedPage(status, d, trial, problem)
}

// triedPage shows a draft with what came of trying it.
func (v *visit) triedPage(status int, d authority.PolicyDraft, trial *authority.PolicyTrial, problem *errorView) error {
	q := v.policyReader(nil)
	w := q.draft(d, versionText(trial.Live.Version))
	w.Problem, w.Reason = problem, v.form("reason")
	w.Check = q.check(used(d), trial, trial.Open)
	if w.Check.Ready && v.who.Founding {
		w.Check.Second = v.t("policy.draft.founding")
	}
	if base := v.form("base"); base != "" && base != w.Base {
		w.Check.Stale = v.t("policy.draft.stale", "now", w.Base, "base", named(base))
	}
	if v.fragment() {
		return v.part("policy-draft", "checked", w.Check)
	}
	return v.render(view{name: "policy-draft", title: v.t("policy.draft.window"), area: "policy", status: status, data: w})
}

// try has a draft tried: one of a person at a time, and not faster than anybody writes.
// A suite of tests may be long, and everybody's requests are weighed on the same machine.
func (v *visit) try(d authority.PolicyDraft) (*authority.PolicyTrial, error) {
	return v.inTurn(func() (*authority.PolicyTrial, error) { return v.org.TryPolicy(v.ctx(), *v.session, used(d)) })
}

func (v *visit) inTurn(try func() (*authority.PolicyTrial, error)) (*authority.PolicyTrial, error) {
	person := v.session.Person.ID
	if wait, ok := v.site.limits.drafts.take(person); !ok {
		return nil, v.tooFast(wait, "policy.draft.too_fast")
	}
	leave, ok := v.site.limits.turns.enter(v.ctx(), person)
	if !ok {
		return nil, v.tooFast(0, "policy.draft.running")
	}
	defer leave()
	return try()
}

// untried shows a draft that was not tried, with why: what was written is still there,
// and a page that follows the writing asks anew by itself.
func (v *visit) untried(d authority.PolicyDraft, err error) error {
	var p *countersign.Problem
	if !errors.As(err, &p) || v.r.Method != http.MethodPost {
		return err
	}
	w := v.policyReader(nil).draft(d, v.form("base"))
	w.Reason, w.Check = v.form("reason"), v.policyReader(nil).untried(d, p)
	if v.fragment() {
		w.Check.Again = "load delay:" + strconv.Itoa(p.RetryAfterSeconds) + "s"
	}
	v.w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds))
	if v.fragment() {
		return v.partOf(p.Status, "policy-draft", "checked", w.Check)
	}
	return v.render(view{name: "policy-draft", title: v.t("policy.draft.window"), area: "policy", status: p.Status, data: w})
}

func (q *policyReader) untried(d authority.PolicyDraft, p *countersign.Problem) draftCheck {
	return draftCheck{Tone: "warn", Icon: "clock", Title: p.Detail, Warnings: []string{q.tx.T("policy.draft.untried"), p.Hint}, Code: codeOf(d.Text, q.tx.T("policy.draft.copy"), nil)}
}

func (q *policyReader) draft(d authority.PolicyDraft, base string) draftView {
	w := draftView{Base: base, Text: d.Text, Tests: d.Tests}
	names := map[string]bool{}
	for name := range d.Lists {
		names[name] = true
	}
	for name := range policy.Files([]byte(d.Text)) {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w.Lists = append(w.Lists, draftList{name, d.Lists[name]})
	}
	return w
}

// check says what is to be said of a draft: its mistakes at their lines, its tests, what
// it changes, and what would come of it.
func (q *policyReader) check(d authority.PolicyDraft, trial *authority.PolicyTrial, open int) draftCheck {
	c := draftCheck{Live: versionText(trial.Live.Version), Differences: q.differences(&trial.Live, d)}
	marks := map[int]*codeLine{}
	for _, e := range trial.Errors {
		p := draftProblem{Message: sentence(upperFirst(e.Message)), Hint: sentence(e.Hint)}
		switch {
		case e.File != "policy" && e.Line > 0:
			p.Where = q.tx.T("policy.draft.file_line", "file", named(e.File), "line", strconv.Itoa(e.Line))
		case e.Line > 0:
			p.Where, p.Href = q.tx.T("policy.draft.line", "line", strconv.Itoa(e.Line), "column", strconv.Itoa(e.Column)), "#line-"+strconv.Itoa(e.Line)
			m := marks[e.Line]
			if m == nil {
				m = &codeLine{ID: "line-" + strconv.Itoa(e.Line)}
				marks[e.Line] = m
			}
			m.Problems = append(m.Problems, p.Message)
		}
		c.Problems = append(c.Problems, p)
	}
	c.Code = codeOf(d.Text, q.tx.T("policy.draft.copy"), marks)
	for _, g := range trial.Empty {
		c.Warnings = append(c.Warnings, q.tx.T("policy.draft.empty_group", "group", named(g)))
	}
	switch {
	case len(trial.Errors) > 0:
		c.Tone, c.Icon, c.Title = "no", "alert", q.tx.N("policy.draft.problems", len(trial.Errors), "n", q.count(len(trial.Errors)))
		return c
	case trial.Same:
		c.Tone, c.Icon, c.Title = "", "info", q.tx.T("policy.draft.same", "version", c.Live)
	default:
		c.Tone, c.Icon, c.Title, c.Ready = "ok", "check", q.tx.T("policy.draft.loads"), true
		c.Open = q.tx.N("policy.draft.open", open, "n", q.count(open))
		c.Second = q.tx.T("policy.draft.second")
	}
	c.Tests = q.tests(trial)
	return c
}

func (q *policyReader) tests(trial *authority.PolicyTrial) *draftTests {
	switch {
	case trial.TestError != nil:
		return &draftTests{Tone: "no", Title: q.tx.T("policy.tests.unread"), Problem: sentence(trial.TestError.Error())}
	case trial.Suite == nil:
		return &draftTests{Title: q.tx.T("policy.tests.none")}
	}
	s := trial.Suite
	t := &draftTests{Tone: "ok", Title: q.tx.N("policy.tests.passed", len(s.Cases), "n", q.count(len(s.Cases)))}
	if s.Failed > 0 {
		t.Tone, t.Title = "no", q.tx.N("policy.tests.failed", s.Failed, "n", q.count(s.Failed), "all", q.count(len(s.Cases)))
	}
	for _, c := range s.Cases {
		if len(c.Failures) == 0 {
			continue
		}
		one := draftCase{Name: named(c.Name), Where: q.tx.T("policy.tests.line", "line", strconv.Itoa(c.Line))}
		for _, f := range c.Failures {
			one.Failures = append(one.Failures, sentence(f))
		}
		t.Cases = append(t.Cases, one)
	}
	for _, name := range trial.Uncovered {
		t.Uncovered = append(t.Uncovered, named(name))
	}
	return t
}

// proposeDraft asks a second person to publish the draft: what is in force and what
// shall be are the document that they sign.
func proposeDraft(v *visit) error {
	d := v.draft()
	reason := strings.TrimSpace(v.form("reason"))
	trial, err := v.try(d)
	if hasCode(err, countersign.CodeRateLimited) {
		return v.untried(d, err)
	}
	if err != nil {
		return err
	}
	switch {
	case reason == "":
		err = countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("policy.draft.no_reason"))
	case len(trial.Errors) > 0:
		err = countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("policy.draft.broken"))
	case trial.Same:
		err = countersign.NewProblem(countersign.CodeState, "%s", v.t("policy.draft.same", "version", versionText(trial.Live.Version)))
	case v.form("base") != versionText(trial.Live.Version):
		err = countersign.NewProblem(countersign.CodeConflict, "%s", v.t("policy.draft.look_again"))
	}
	var made *countersign.Approval
	if err == nil {
		made, err = v.org.Propose(v.ctx(), *v.session, authority.Proposal{Kind: countersign.KindPolicyPublish, ID: "policy", Subject: reason, Changes: authority.PolicyChanges(trial.Live, used(d))})
	}
	var p *countersign.Problem
	if errors.As(err, &p) && p.Code != countersign.CodeInternal && p.Code != countersign.CodeForbidden {
		e := errorOf(p, v.t)
		return v.draftPage(p.Status, d, &e)
	}
	if err != nil {
		return err
	}
	return v.redirect("/proposed/" + made.ID)
}
