package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// aboutRequest is what stands above a form about one request.
type aboutRequest struct {
	Path, Title, Heading string
	Problem              *errorView
}

// option is one choice of a form.
type option struct {
	Value, Text, Does string
	Chosen            bool
}

// rejectView is the page on which a request is rejected.
type rejectView struct {
	aboutRequest
	Card       *CardView
	May        bool
	WhyNot     []string
	Digest     countersign.Digest // of the document that is displayed
	For        []option           // whose authority is used, where it can be another's
	Why        []option
	Unexpected bool
	Alert      string // what "I did not expect this" sets off
	Text       string
	// StepUp is what a visitor who was handed over proves themself with; nil where the
	// sign-in suffices.
	StepUp *stepUpFields
}

// reasonsToReject are the short list, as the form sends them.
var reasonsToReject = []string{"amount", "account", "not_ordered", "not_received", "duplicate", "elsewhere", "other"}

func showReject(v *visit) error { return v.rejectPage(http.StatusOK, nil) }

func (v *visit) rejectPage(status int, problem *errorView) error {
	r, err := v.org.RequestForm(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w, err := v.requestReader(r).rejectView(func(name string) string { return v.form(name) })
	if err != nil {
		return err
	}
	if w.StepUp != nil {
		w.StepUp.withLogin(r.Means)
	}
	w.Problem = problem
	return v.render(view{name: "reject", title: w.Title, area: "inbox", status: status, data: w})
}

// rejectView makes the form, with what was filled in before, if anything was.
func (q *requestReader) rejectView(filled func(string) string) (rejectView, error) {
	w := rejectView{aboutRequest: q.about("reject.title"), May: q.mayReject(), Digest: q.r.Approval.Digest, Unexpected: filled("unexpected") != "", Text: filled("text")}
	var err error
	if w.Card, err = q.card(); err != nil {
		return w, err
	}
	if !w.May {
		w.WhyNot = q.whyNotReject()
	}
	for _, why := range reasonsToReject {
		w.Why = append(w.Why, option{Value: why, Text: q.tx.T("reject.why." + why), Chosen: filled("why") == why})
	}
	w.For = q.rejectFor(filled("acting_for"))
	if !q.whole {
		w.StepUp = q.rejectProof()
	}
	about := q.requester()
	if name := q.payee(); name != "" && q.r.Vendor != "" {
		about = name
	}
	w.Alert = q.tx.T("reject.unexpected_does", "about", about)
	return w, nil
}

// rejectProof is what somebody proves themself with whom another system has signed in:
// that sign-in alone is never enough (ruling 13).
func (q *requestReader) rejectProof() *stepUpFields {
	f := &stepUpFields{Verb: q.tx.T("reject.go"), Password: true}
	for _, o := range q.r.You.Factors {
		if o.CountsFrom.IsZero() {
			f.Passkey = f.Passkey || o.Type == "passkey"
			f.Code = f.Code || o.Type == "totp"
		}
	}
	return f
}

// rejectFor is whose authority a rejection can use. Where it can only be the visitor's
// own there is nothing to choose.
func (q *requestReader) rejectFor(chosen string) []option {
	var out []option
	if may(q.r, authority.CanDeny) {
		out = append(out, option{Text: q.tx.T("reject.for_yourself"), Chosen: chosen == ""})
	}
	for _, a := range q.r.You.ActingFor {
		if slices.Contains(a.Acts, authority.CanDeny) {
			out = append(out, option{Value: a.Person.ID, Text: q.tx.T("reject.for_other", "name", named(a.Person.Name)), Chosen: chosen == a.Person.ID})
		}
	}
	if len(out) == 1 && out[0].Value == "" {
		return nil
	}
	return out
}

func (q *requestReader) about(title string) aboutRequest {
	w := aboutRequest{Path: "/r/" + q.r.Approval.ID, Title: q.tx.T(title), Heading: q.heading()}
	if name := q.payee(); name != "" {
		w.Heading += " · " + name
	}
	return w
}

// payee is the name of whom the document pays, or their number; "" where it pays nobody.
func (q *requestReader) payee() string {
	var d countersign.Document
	if len(q.r.Canonical) == 0 || countersign.DecodeStrict(q.r.Canonical, &d) != nil || d.Payee == nil {
		return ""
	}
	if d.Payee.Name != "" {
		return named(d.Payee.Name)
	}
	return named(d.Payee.ID)
}

// reject denies the document that was displayed. A session suffices (ruling 35), but for
// one that another system has vouched for; the digest in the form is the one of the
// document that the visitor saw.
func reject(v *visit) error {
	id := v.path("id")
	unexpected := v.form("unexpected") != ""
	if begun, err := v.deny(id, unexpected); begun && err == nil {
		return nil
	} else if err != nil {
		return v.rejectRefused(id, err)
	}
	if unexpected && v.who.Kind == "normal" {
		return v.redirect("/r/" + id + "/freeze?after=rejected")
	}
	return v.redirect("/r/" + id)
}

// deny carries the rejection out, or begins the ceremony with which it is proven.
func (v *visit) deny(id string, unexpected bool) (begun bool, err error) {
	body := countersign.DecisionBody{Unexpected: unexpected}
	if passkey := v.form("passkey"); passkey != "" && !v.begins() {
		body.Challenge, body.Passkey = v.form("challenge"), json.RawMessage(passkey)
		_, err = v.org.Decide(v.ctx(), *v.session, id, body)
		return false, err
	}
	reason, err := v.rejectReason()
	if err != nil {
		return false, err
	}
	c, err := v.org.Challenge(v.ctx(), *v.session, id, countersign.ChallengeBody{Digest: countersign.Digest(v.form("digest")), Act: countersign.ActDeny,
		Reason: reason, ActingFor: v.form("acting_for")})
	if err != nil {
		return false, err
	}
	if v.begins() {
		if len(c.Passkey) == 0 {
			return false, countersign.NewProblem(countersign.CodeState, "%s", v.t("reject.no_passkey"))
		}
		return true, v.answerBegun(c.ID, c.Passkey)
	}
	body.Challenge, body.Password, body.TOTP = c.ID, v.form("password"), digits(v.form("totp"))
	_, err = v.org.Decide(v.ctx(), *v.session, id, body)
	return false, err
}

// rejectReason puts the choice and the text into the one reason that is signed.
func (v *visit) rejectReason() (string, error) {
	why, text := v.form("why"), strings.TrimSpace(strings.ReplaceAll(v.form("text"), "\r\n", "\n"))
	switch {
	case !slices.Contains(reasonsToReject, why):
		return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("reject.choose"))
	case why == "other" && text == "":
		return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("reject.say"))
	case why == "other":
		return text, nil
	}
	reason := v.t("reject.why." + why)
	if text != "" {
		reason += ": " + text
	}
	return reason, nil
}

// rejectRefused shows why a rejection was refused. Whoever pressed twice, or came back,
// has rejected it already and sees that.
func (v *visit) rejectRefused(id string, err error) error {
	p, e, ok := v.refused(err)
	if !ok || v.begins() {
		return err
	}
	r, err := v.org.RequestPage(v.ctx(), *v.session, id)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(r.Decisions, func(d authority.DecisionLine) bool { return d.Yours && d.Act == countersign.ActDeny && d.Void == "" }) {
		return v.redirect("/r/" + id)
	}
	return v.rejectPage(p.Status, &e)
}

// freezeView is the page on which a vendor or a person is frozen.
type freezeView struct {
	aboutRequest
	After   bool // the visitor has just rejected the request
	Targets []option
	Hours   []option
	Reason  string
	StepUp  stepUpFields
}

// freezeHours are the lengths that are offered; nobody can freeze for longer alone.
var freezeHours = []string{"72", "24", "4"}

func showFreeze(v *visit) error { return v.freezePage(http.StatusOK, nil) }

func (v *visit) freezePage(status int, problem *errorView) error {
	r, err := v.org.RequestForm(v.ctx(), *v.session, v.path("id"))
	if err != nil {
		return err
	}
	w := v.requestReader(r).freezeView(func(name string) string { return v.form(name) })
	w.Problem, w.After = problem, v.query("after") == "rejected"
	if len(w.Targets) > 0 {
		w.StepUp = v.stepUpFor(v.t("freeze.verb"), r.Means)
	}
	return v.render(view{name: "freeze", title: w.Title, area: "inbox", status: status, data: w})
}

func (q *requestReader) freezeView(filled func(string) string) freezeView {
	w := freezeView{aboutRequest: q.about("freeze.title"), Reason: filled("reason")}
	if may(q.r, authority.CanFreeze) {
		if q.r.Vendor != "" {
			name := q.payee()
			if name == "" {
				name = named(q.r.Vendor)
			}
			w.Targets = append(w.Targets, option{Value: "vendor", Text: q.tx.T("freeze.vendor", "name", name, "id", named(q.r.Vendor)), Does: q.tx.T("freeze.vendor_does")})
		}
		if q.r.Requester.ID != "" && q.r.Requester.ID != q.me {
			w.Targets = append(w.Targets, option{Value: "person", Text: q.tx.T("freeze.person", "name", q.requester()), Does: q.tx.T("freeze.person_does")})
		}
	}
	for i := range w.Targets {
		w.Targets[i].Chosen = filled("target") == w.Targets[i].Value
	}
	for _, h := range freezeHours {
		w.Hours = append(w.Hours, option{Value: h, Text: q.tx.T("freeze.for_hours", "n", h), Chosen: filled("hours") == h})
	}
	return w
}

// freeze stops a vendor or a person for a time: which one, the request says, not the
// form, so that nobody is led to freeze another.
func freeze(v *visit) error {
	id := v.path("id")
	r, err := v.org.RequestPage(v.ctx(), *v.session, id)
	if err != nil {
		return err
	}
	body := authority.FreezeBody{Reason: strings.TrimSpace(v.form("reason"))}
	for i, h := range freezeHours {
		if v.form("hours") == h {
			body.Hours = []int{72, 24, 4}[i]
		}
	}
	about := ""
	switch v.form("target") {
	case "vendor":
		body.Vendor, about = r.Vendor, "vendor:"+r.Vendor
	case "person":
		body.Person, about = r.Requester.ID, r.Requester.ID
	}
	if body.Vendor == "" && body.Person == "" {
		return v.freezeRefused(countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("freeze.choose")))
	}
	var done bool
	if body.StepUp, done, err = v.provenFor("freeze:" + about); done && err == nil {
		return nil
	}
	if err == nil {
		_, err = v.org.Freeze(v.ctx(), *v.session, body)
	}
	if err != nil {
		return v.freezeRefused(err)
	}
	return v.redirect("/r/" + id)
}

// freezeRefused shows why nothing was frozen; the script gets the same as a part.
func (v *visit) freezeRefused(err error) error {
	p, e, ok := v.refused(err)
	if !ok || v.fragment() {
		return err
	}
	return v.freezePage(p.Status, &e)
}
