package web

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
)

func stepUpRoutes() []route {
	return []route{
		{pattern: "GET /r/{id}/approve", who: handed, serve: showAct(countersign.ActApprove)},
		{pattern: "POST /r/{id}/approve", who: handed, attempt: true, serve: carryOutAct(countersign.ActApprove)},
		{pattern: "GET /r/{id}/revoke", who: signedIn, serve: showAct(countersign.ActRevoke)},
		{pattern: "POST /r/{id}/revoke", who: signedIn, attempt: true, serve: carryOutAct(countersign.ActRevoke)},
		{pattern: "GET /r/{id}/receipt", who: handed, serve: showReceipt},
		{pattern: "GET /r/{id}/receipt.json", who: handed, serve: downloadReceipt},
		{pattern: "GET /r/{id}/continue", who: handed, serve: continueElsewhere},
		{pattern: "GET /log.key", who: handed, serve: downloadLogKey},
		{pattern: "GET /h", who: anyone, serve: showHandOver},
		{pattern: "POST /h", who: anyone, attempt: true, serve: redeemHandOver},
	}
}

// stepUpView is the page on which a document is signed: what you see is what you sign.
type stepUpView struct {
	Act      countersign.Act
	Action   string // where the form goes
	Back     string // the request's page; "" for whoever was handed over for this request only
	Heading  string
	Card     *CardView // nil after an erasure
	Refusal  *refusalView
	Form     *actForm // nil: there is nothing to sign here
	WhyNot   []string
	Enrol    bool   // enrolling something would help
	Receipt  string // address of the receipt, where the visitor has decided already
	Replaced string // address of the request that took this one's place
	Founding bool
}

// actForm is what the visitor fills in. Everything in it but the proof is signed.
type actForm struct {
	Digest         countersign.Digest // of the document that is displayed
	Required       countersign.Digest // of the requirement whose questions are displayed
	Questions      []questionField
	Reason         string
	ReasonRequired bool
	For            []actingChoice // whose authority is used; empty where it can only be the visitor's own
	Glass          bool           // break-glass is the only way for the visitor
	GlassChosen    bool
	StepUp         stepUpFields
	Plain          bool // the sign-in suffices, and nothing better is there
	Uses           string
	DecideBy       Moment
}

// questionField is one question that the approver answers.
type questionField struct{ ID, Question, Answer string }

// actingChoice is somebody in whose place the visitor can decide, or they themself.
type actingChoice struct {
	ID, Name string
	Chosen   bool
}

func showAct(act countersign.Act) func(*visit) error {
	return func(v *visit) error {
		r, err := v.org.RequestForm(v.ctx(), *v.session, v.path("id"))
		if err != nil {
			return err
		}
		return v.actPage(200, r, act, nil)
	}
}

// actPage renders the page of an act, with what went wrong before, if anything did.
func (v *visit) actPage(status int, r *authority.RequestView, act countersign.Act, refusal *refusalView) error {
	w, err := v.stepUpView(r, act)
	if err != nil {
		return err
	}
	w.Refusal = refusal
	if refusal != nil && !refusal.Again {
		w.Form = nil
	}
	switch {
	case w.Form != nil:
	case refusal != nil:
		w.Heading = v.t("step_up.heading.stopped")
	case w.Receipt != "":
		w.Heading = v.t("step_up.heading.decided")
	case r.Approval.Status != countersign.StatusPending:
		w.Heading = v.t("step_up.heading.over")
	default:
		w.Heading = v.t("step_up.heading.not_open")
	}
	return v.render(view{name: "step-up", title: w.Heading, plain: true, status: status, data: w})
}

func (v *visit) stepUpView(r *authority.RequestView, act countersign.Act) (stepUpView, error) {
	id := r.Approval.ID
	w := stepUpView{Act: act, Action: "/r/" + id + "/" + string(act), Heading: v.t("step_up.heading." + string(act)), Founding: r.Approval.Founding}
	if v.who.Kind == "normal" {
		w.Back = "/r/" + id
	}
	if err := v.stepUpCard(&w, r); err != nil {
		return w, err
	}
	if r.Links.SupersededBy != "" {
		w.Replaced = "/r/" + r.Links.SupersededBy
	}
	if slices.ContainsFunc(r.Decisions, func(d authority.DecisionLine) bool { return d.Yours && d.Act == act && d.Void == "" }) {
		w.Receipt = "/r/" + id + "/receipt"
	}
	if act == countersign.ActRevoke {
		v.revokeForm(&w, r)
	} else {
		v.approveForm(&w, r)
	}
	if w.Form == nil {
		return w, nil
	}
	w.Form.StepUp.withLogin(r.Means)
	return w, nil
}

// stepUpCard draws the document from its canonical bytes, and from nothing else.
func (v *visit) stepUpCard(w *stepUpView, r *authority.RequestView) error {
	if len(r.Canonical) == 0 || string(r.Canonical) == "null" {
		return nil
	}
	var earlier []byte
	if r.Earlier != nil {
		earlier = r.Earlier.Canonical
	}
	card, err := Card(r.Canonical, earlier, v.format, v.site.texts)
	if err != nil {
		return err
	}
	w.Card = &card
	return nil
}

func (v *visit) approveForm(w *stepUpView, r *authority.RequestView) {
	you := r.You
	self := len(you.WhyNot) == 0 && slices.Contains(you.Acts, authority.CanApprove)
	var instead []authority.ActingFor
	for _, a := range you.ActingFor {
		if slices.Contains(a.Acts, authority.CanApprove) && len(a.WhyNot) == 0 {
			instead = append(instead, a)
		}
	}
	glass := !self && len(instead) == 0 && you.BreakGlass && r.Approval.Status == countersign.StatusPending
	if !self && len(instead) == 0 && !glass {
		w.WhyNot, w.Enrol = v.requestReader(r).whyNot()
		return
	}
	f := v.actForm(r)
	f.Reason, f.Glass, f.GlassChosen = v.form("reason"), glass, v.form("break_glass") != ""
	v.ask(f, self || glass, instead, you.Asked)
	f.For = v.actingChoices(self, instead)
	f.StepUp = v.actFields(r, v.t("step_up.verb.approve"))
	w.Form = f
}

// ask puts the questions on the page: those to the visitor themself, and those to whoever
// decides in the place of the others that they may choose.
func (v *visit) ask(f *actForm, self bool, instead []authority.ActingFor, own authority.Asked) {
	var all []authority.Asked
	if self {
		all = append(all, own)
	}
	for _, a := range instead {
		all = append(all, a.Asked)
	}
	f.ReasonRequired = len(all) > 0
	for _, asked := range all {
		f.ReasonRequired = f.ReasonRequired && asked.Reason
		for _, q := range asked.Attestations {
			if !slices.ContainsFunc(f.Questions, func(k questionField) bool { return k.ID == q.ID && k.Question == q.Question }) {
				f.Questions = append(f.Questions, questionField{q.ID, q.Question, v.form("answer." + q.ID)})
			}
		}
	}
}

// actForm is what every act has in common.
func (v *visit) actForm(r *authority.RequestView) *actForm {
	f := &actForm{Digest: r.Approval.Digest, Required: r.Approval.RequirementDigest}
	if t, err := time.Parse(time.RFC3339, r.Approval.DecideBy); err == nil && r.Approval.Status == countersign.StatusPending {
		f.DecideBy = v.format.Moment(v.site.texts, t, v.now())
	}
	for _, o := range r.You.Factors {
		if o.Would && o.Type == "passkey" && f.Uses == "" {
			f.Uses = named(o.Name)
		}
	}
	return f
}

// actingChoices are whose authority the visitor can use, where there is a choice or it
// is another's.
func (v *visit) actingChoices(self bool, instead []authority.ActingFor) []actingChoice {
	if len(instead) == 0 {
		return nil
	}
	var all []actingChoice
	if self {
		all = append(all, actingChoice{ID: "", Name: v.t("step_up.for_yourself"), Chosen: v.form("acting_for") == ""})
	}
	for i, a := range instead {
		chosen := v.form("acting_for") == a.Person.ID || (!self && i == 0 && v.form("acting_for") == "")
		all = append(all, actingChoice{ID: a.Person.ID, Name: named(a.Person.Name), Chosen: chosen})
	}
	return all
}

// actFields says what the visitor can prove themself with for this act. A code counts
// on top of another factor that is fresh: where there is none, the password is asked.
func (v *visit) actFields(r *authority.RequestView, verb string) stepUpFields {
	f := stepUpFields{Verb: verb, Weaker: v.t("step_up.weaker"), OpenCode: v.form("with") == "code"}
	for _, o := range r.You.Factors {
		f.Passkey = f.Passkey || (o.Would && o.Type == "passkey")
		f.Code = f.Code || (o.Would && o.Type == "totp")
	}
	f.Pretend = f.Passkey && v.demoLogin() != ""
	most := r.You.MaxAge
	if most <= 0 {
		most = approval.DefaultMaxAge
	}
	first := v.session.FirstFactorAt(r.Approval.Requirement.NoVouching)
	// A minute is left for reading and typing.
	f.Password = first.IsZero() || v.now().Sub(first) > most-time.Minute
	return f
}

// revokeForm takes an approval back: to stop must stay easy, so that the sign-in
// suffices where the visitor has nothing better.
func (v *visit) revokeForm(w *stepUpView, r *authority.RequestView) {
	if !slices.Contains(r.You.Acts, authority.CanRevoke) {
		w.WhyNot = []string{v.t("step_up.not_revocable")}
		return
	}
	f := v.actForm(r)
	f.Reason, f.StepUp = v.form("reason"), v.actFields(r, v.t("step_up.verb.revoke"))
	f.StepUp.Password = true
	f.Plain = !f.StepUp.Passkey && !f.StepUp.Code
	w.Form = f
}
