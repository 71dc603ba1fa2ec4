package web

import (
	"net/http"

	"github.com/countersign/countersign/internal/authority"
)

// askView is the page on which one change is proposed, or one act is done: what it is,
// why, who decides, and one button.
type askView struct {
	Heading, Lead string
	Facts         []askFact // what it is about, and from what to what it changes
	Does          []string  // what happens, in sentences
	Day           *askDay
	Reason        bool   // a reason is asked for
	Said          string // the reason that was typed
	Decides       string // who decides on it
	Verb          string
	Danger        bool
	Action, Back  string
	StepUp        *stepUpFields
	Problem       *errorView
}

// askFact is a term and what stands for it; with From, what it was.
type askFact struct {
	Label, Text, From string
	At                Moment
	Change, Mono      bool
}

// askDay is a field for a day.
type askDay struct{ Name, Label, Value, Least, Most string }

// asked is one question and what the answer does.
type asked struct {
	view    askView
	verb    string           // of the step-up: names the act. "" where none is needed
	means   *authority.Means // of the visitor, where a step-up is needed
	subject string           // of the step-up
	do      func(proof authority.StepUpBody) (to string, err error)
}

// asker makes the question that an address stands for, or refuses.
type asker func(*visit) (*asked, error)

// askRoutes are the page and the press of its button.
func askRoutes(path string, of asker) []route {
	return []route{
		{pattern: "GET " + path, who: signedIn, serve: func(v *visit) error { return v.askPage(of, http.StatusOK, nil) }},
		{pattern: "POST " + path, who: signedIn, attempt: true, serve: func(v *visit) error { return v.answered(of) }},
	}
}

func (v *visit) askPage(of asker, status int, problem *errorView) error {
	q, err := of(v)
	if err != nil {
		return err
	}
	w := q.view
	w.Action, w.Said, w.Problem = v.r.URL.Path, v.form("reason"), problem
	if w.Day != nil && v.form(w.Day.Name) != "" {
		w.Day.Value = v.form(w.Day.Name)
	}
	if q.verb != "" {
		f := v.stepUpByBest(q.verb, q.means)
		f.OpenCode = v.form("with") == "code"
		w.StepUp = &f
	}
	return v.render(view{name: "admin-ask", title: w.Heading, area: v.adminArea(), status: status, data: w})
}

// answered does what was asked, or says on the same page why not.
func (v *visit) answered(of asker) error {
	q, err := of(v)
	if err != nil {
		return err
	}
	var proof authority.StepUpBody
	if q.verb != "" {
		done := false
		if proof, done, err = v.provenFor(q.subject); done {
			return err
		}
	}
	to := ""
	if err == nil {
		if to, err = q.do(proof); err == nil {
			return v.redirect(to)
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() && e.Status != http.StatusNotFound {
		return v.askPage(of, e.Status, e)
	}
	return err
}

// adminArea is the link of the navigation that an administration page belongs to, for
// whoever has that link.
func (v *visit) adminArea() string {
	if v.member(authority.GroupAdministrators, authority.GroupControllers, authority.GroupAuditors) {
		return "admin"
	}
	return ""
}

// proposeVerb is what a proposal's button says.
func (v *visit) proposeVerb() string {
	if v.who.Founding {
		return v.t("admin.propose_now")
	}
	return v.t("admin.propose")
}
