package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func requestRoutes() []route {
	return []route{
		{pattern: "GET /r/{id}", who: handed, serve: showRequest},
		{pattern: "GET /r/{id}/live", who: anyone, serve: watchRequest},
		{pattern: "GET /r/{id}/attachments/{sha256}", who: handed, serve: openAttachment},
		{pattern: "POST /r/{id}/questions", who: handed, serve: ask},
		{pattern: "GET /r/{id}/reject", who: handed, serve: showReject},
		{pattern: "POST /r/{id}/reject", who: handed, attempt: true, serve: reject},
		{pattern: "GET /r/{id}/freeze", who: signedIn, serve: showFreeze},
		{pattern: "POST /r/{id}/freeze", who: signedIn, attempt: true, serve: freeze},
		{pattern: "GET /r/{id}/withdraw", who: signedIn, serve: showWithdraw},
		{pattern: "POST /r/{id}/withdraw", who: signedIn, serve: withdraw},
		{pattern: "GET /r/{id}/reassign", who: signedIn, serve: showReassign},
		{pattern: "POST /r/{id}/reassign", who: signedIn, serve: reassign},
	}
}

// requestView is the page of one request. Its parts are also what the inbox shows of
// the request that is selected there.
type requestView struct {
	ID, Path  string
	Heading   string
	Back      bool   // there is an inbox to go back to
	Live      string // address that tells of changes; "" where nothing can change
	Chips     []chip
	Notes     []note
	Card      *CardView // nil after an erasure
	Reasons   reasonsView
	Files     []fileLine
	Approvals approvalsView
	Timeline  []eventLine
	Thread    threadView
	Actions   actionsView
	Around    []button // what else the visitor can do
	Problem   *errorView
	Changed   *changedView // shown where the page is known to be old
}

// chip is a word or two about where the request stands.
type chip struct {
	Tone string // "ok", "no", "warn", "quiet" or ""
	Text string
	When Moment
}

// note says what became of the request, above the document.
type note struct {
	Tone, Icon  string
	Title       string
	When        Moment
	Lines       []string
	Differences []differenceLine
	Links       []button
}

// differenceLine is one field that differs between two versions.
type differenceLine struct{ Field, Name, This, Other string }

// button is a link to another page, as a button.
type button struct{ Href, Text, Lead string }

// fileLine is one attachment.
type fileLine struct {
	Name, Size, Type string
	Href             string // "" where the file is not kept here
}

// threadView are the questions about a request and their answers.
type threadView struct {
	Action    string
	Items     []questionLine
	May       bool // the visitor may write
	Full      bool
	Answers   string // qst_… of the question that is being answered
	Answering string
	Text      string // what was written and not taken
	Most      int
}

// questionLine is one text of the thread.
type questionLine struct {
	ID, Name, Text string
	Asker, Yours   bool
	To             string // name of whose question this answers
	At             Moment
	Answer         string // address to answer it; "" where that makes no sense
}

func showRequest(v *visit) error { return v.requestPage(http.StatusOK, nil, "") }

// requestPage renders the page of a request; with a problem, what was refused on it,
// and with the text that was not taken.
func (v *visit) requestPage(status int, problem *errorView, text string) error {
	r, err := v.org.RequestPageWhole(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w, err := v.requestParts(r)
	if err != nil {
		return err
	}
	if w.Card != nil {
		w.Files = v.requestReader(r).files(r.Files, w.Card)
	}
	w.Thread = v.requestReader(r).thread(r.Thread, cmp.Or(v.form("answers"), v.query("answer")))
	if err := v.newer(&w, r); err != nil {
		return err
	}
	w.Problem, w.Thread.Text = problem, text
	w.Live = fmt.Sprintf("%s/live?version=%d", w.Path, r.Approval.Version)
	return v.render(view{name: "request", title: w.Heading, area: "inbox", status: status, data: w})
}

// requestParts makes the parts of a request that its page and the inbox share.
func (v *visit) requestParts(r *authority.RequestView) (requestView, error) {
	return v.requestReader(r).view()
}

func (v *visit) requestReader(r *authority.RequestView) *requestReader {
	whole := v.who.Kind == "normal"
	sees := whole && v.member(authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators)
	return &requestReader{r: r, f: v.format, tx: v.site.texts, now: v.now(), me: v.session.Person.ID, whole: whole, sees: sees,
		warns: whole && v.member(authority.GroupAdministrators, authority.GroupControllers)}
}

// newer says how the version that took this one's place differs, where the visitor may
// see it.
func (v *visit) newer(w *requestView, r *authority.RequestView) error {
	if r.Links.SupersededBy == "" || len(w.Notes) == 0 {
		return nil
	}
	next := r.Newer
	if next == nil {
		w.Notes[0].Links = nil
		return nil
	}
	if len(r.Canonical) == 0 || len(next.Canonical) == 0 {
		return nil
	}
	diff, err := countersign.Compare(r.Canonical, next.Canonical)
	if err != nil {
		return err
	}
	w.Notes[0].Differences = v.requestReader(r).differences(diff)
	return nil
}

// refused says whether a press of a button was refused in a way that its page shows;
// what is our fault, or is not there, has a page of its own.
func (v *visit) refused(err error) (*countersign.Problem, errorView, bool) {
	var p *countersign.Problem
	if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError || p.Code == countersign.CodeNotFound {
		return nil, errorView{}, false
	}
	e := errorOf(p, v.t)
	for _, f := range e.Errors { // the form has but one field that this can be about
		e.Reasons = append(e.Reasons, asSentence(f.Detail))
	}
	e.Errors = nil
	return p, e, true
}

// may reports whether an act is open to the visitor on a request.
func may(r *authority.RequestView, acts ...string) bool {
	return slices.ContainsFunc(acts, func(a string) bool { return slices.Contains(r.You.Acts, a) })
}
