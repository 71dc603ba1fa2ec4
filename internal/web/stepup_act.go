package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// refusalView is why an act was not carried out: on the page itself, or, for the
// script, in its place on the page that is there.
type refusalView struct {
	Title, Detail, Hint string
	Errors              []string
	Reasons             []string
	First               []string // who was first, and with what
	Differences         []differenceLine
	Link, LinkText      string
	Again               bool // the same page can be tried again
}

// carryOutAct answers the form of an act. The digest in it is the one of the document
// that was displayed, and the questions are those that were displayed: the authority
// compares both with what is stored, and makes a challenge only when they are the same.
func carryOutAct(act countersign.Act) func(*visit) error {
	return func(v *visit) error {
		id := v.path("id")
		body, done, err := v.signed(id, act)
		if err == nil && done {
			return nil
		}
		if err == nil {
			_, err = v.org.Decide(v.ctx(), *v.session, id, body)
		}
		if err == nil {
			return v.redirect("/r/" + id + "/receipt")
		}
		return v.refuseAct(id, act, err)
	}
}

// signed reads what the visitor proves the act with. With phase=begin it answers with
// the challenge and reports done.
func (v *visit) signed(id string, act countersign.Act) (body countersign.DecisionBody, done bool, err error) {
	if passkey := v.form("passkey"); passkey != "" && !v.begins() {
		return countersign.DecisionBody{Challenge: v.form("challenge"), Passkey: json.RawMessage(passkey)}, false, nil
	}
	said, err := v.said(id, act)
	if err != nil {
		return body, false, err
	}
	c, err := v.org.Challenge(v.ctx(), *v.session, id, said)
	if err != nil {
		return body, false, err
	}
	if v.begins() {
		if len(c.Passkey) == 0 {
			return body, false, countersign.NewProblem(countersign.CodeState, "%s", v.t("step_up.no_passkey"))
		}
		return body, true, v.answerBegun(c.ID, c.Passkey)
	}
	body = countersign.DecisionBody{Challenge: c.ID}
	if passkey, ok, err := v.pretended(c.Passkey); ok || err != nil {
		body.Passkey = passkey
		return body, false, err
	}
	if v.form("with") == "code" {
		body.Password, body.TOTP = v.form("password"), digits(v.form("totp"))
	}
	return body, false, nil
}

// said reads what the visitor says and signs. The questions are those that were
// displayed: where others are asked by now, nothing is signed that nobody saw.
func (v *visit) said(id string, act countersign.Act) (countersign.ChallengeBody, error) {
	b := countersign.ChallengeBody{Digest: countersign.Digest(v.form("digest")), Act: act, Reason: strings.TrimSpace(v.form("reason"))}
	if act != countersign.ActApprove {
		return b, nil
	}
	b.ActingFor, b.BreakGlass = v.form("acting_for"), v.form("break_glass") == "yes"
	r, err := v.org.RequestPage(v.ctx(), *v.session, id)
	if err != nil {
		return b, err
	}
	asked := r.You.Asked
	for _, a := range r.You.ActingFor {
		if b.ActingFor != "" && a.Person.ID == b.ActingFor {
			asked = a.Asked
		}
	}
	changed := countersign.NewProblem(countersign.CodeConflict, "%s", v.t("step_up.required_changed"))
	if !countersign.Digest(v.form("requirement")).Equal(r.Approval.RequirementDigest) && b.Digest.Equal(r.Approval.Digest) {
		return b, changed
	}
	ids, questions := v.r.PostForm["question_id"], v.r.PostForm["question"]
	for _, q := range asked.Attestations {
		at := slices.Index(ids, q.ID)
		if at < 0 || at >= len(questions) || questions[at] != q.Question {
			return b, changed
		}
		q.Answer = strings.TrimSpace(v.form("answer." + q.ID))
		b.Attestations = append(b.Attestations, q)
	}
	return b, nil
}

// refuseAct says why an act was not carried out. Whoever pressed twice, or came back,
// and has decided already, is shown what they decided.
func (v *visit) refuseAct(id string, act countersign.Act, err error) error {
	var p *countersign.Problem
	if !errors.As(err, &p) || p.Status >= 500 || p.Code == countersign.CodeNotFound {
		return err
	}
	r, err := v.org.RequestForm(v.ctx(), *v.session, id)
	if err != nil {
		return err
	}
	decided := slices.ContainsFunc(r.Decisions, func(d authority.DecisionLine) bool { return d.Yours && d.Act == act && d.Void == "" })
	if decided && !v.begins() {
		return v.redirect("/r/" + id + "/receipt")
	}
	f, err := v.refusal(p, r, act)
	if err != nil {
		return err
	}
	if decided {
		f.Link, f.LinkText, f.Again = "/r/"+id+"/receipt", v.t("step_up.to_receipt"), false
	}
	if p.RetryAfterSeconds > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds))
	}
	if !v.begins() {
		return v.actPage(p.Status, r, act, f)
	}
	b, err := v.site.execute("step-up", "refusal", f)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.write(p.Status, b)
	return nil
}

// refusal puts a problem into words, with what is known beyond it: who was first, and
// how the document that took this one's place differs.
func (v *visit) refusal(p *countersign.Problem, r *authority.RequestView, act countersign.Act) (*refusalView, error) {
	e := errorOf(p, v.t)
	f := &refusalView{Title: e.Title, Detail: e.Detail, Hint: e.Hint, Reasons: e.Reasons, Differences: v.requestReader(r).differences(p.Differences), Again: true}
	for _, x := range e.Errors {
		f.Errors = append(f.Errors, asSentence(x.Detail))
	}
	switch p.Code {
	case countersign.CodeChanged, countersign.CodeConflict, countersign.CodeState, countersign.CodeForbidden:
	default:
		return f, nil
	}
	f.First = v.whoWasFirst(r)
	f.Again = p.Code == countersign.CodeConflict
	if !f.Again {
		f.Link, f.LinkText = "/r/"+r.Approval.ID+"/"+string(act), v.t("step_up.look_again")
	}
	if r.Links.SupersededBy == "" {
		return f, nil
	}
	f.Title, f.Detail, f.Reasons, f.Again = v.t("step_up.replaced"), v.t("step_up.replaced_detail"), nil, false
	newer, err := v.org.RequestPage(v.ctx(), *v.session, r.Links.SupersededBy)
	if hasCode(err, countersign.CodeNotFound) { // it was replaced by what the visitor may not see
		f.Link, f.LinkText = "", ""
		return f, nil
	} else if err != nil {
		return nil, err
	}
	f.Link, f.LinkText = "/r/"+newer.Approval.ID, v.t("step_up.to_newer")
	if len(f.Differences) == 0 && len(r.Canonical) > 0 && len(newer.Canonical) > 0 {
		differ, err := countersign.Compare(r.Canonical, newer.Canonical)
		if err != nil {
			return nil, err
		}
		f.Differences = v.requestReader(r).differences(differ)
	}
	return f, nil
}

// whoWasFirst names who decided already, and how.
func (v *visit) whoWasFirst(r *authority.RequestView) []string {
	var out []string
	for _, d := range r.Decisions {
		if d.Void == "" {
			out = append(out, v.t("step_up.first."+string(d.Act), "name", named(d.Person.Name), "when", v.format.Moment(v.site.texts, d.At, v.now()).Text))
		}
	}
	return out
}

// continueElsewhere sends the visitor back to the system that they came from, where the
// authority's own record of the request says that is: never where this address says.
func continueElsewhere(v *visit) error {
	to, err := v.org.ReturnURL(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	if to == "" {
		return nothingHere(v)
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	v.status = http.StatusSeeOther
	return nil
}
