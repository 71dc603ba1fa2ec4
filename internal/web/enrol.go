package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
)

func enrolRoutes() []route {
	return []route{
		{pattern: "GET /enrol", who: anyone, serve: showInvitation},
		{pattern: "POST /enrol", who: anyone, attempt: true, serve: redeemInvitation},
		{pattern: "GET /enrol/new", who: enrolee, serve: showEnrolment},
		{pattern: "POST /enrol/passkey", who: enrolee, attempt: true, serve: enrolPasskey},
		{pattern: "POST /enrol/app", who: enrolee, attempt: true, serve: beginApp},
		{pattern: "POST /enrol/app/code", who: enrolee, attempt: true, serve: enrolApp},
		{pattern: "GET /enrol/done", who: anyone, serve: showEnrolled},
		{pattern: "GET /welcome", who: signedIn, serve: showWelcome},
		{pattern: "GET /recover", who: anyone, serve: showRecover},
		{pattern: "POST /recover", who: anyone, attempt: true, serve: recoverAccess},
	}
}

func showInvitation(v *visit) error { return v.invitationPage(http.StatusOK, nil) }

func (v *visit) invitationPage(status int, problem *errorView) error {
	w := invitationView(v.t, v.org.Organisation().Name, problem)
	return v.render(view{name: "enrol-link", title: w.Heading, plain: true, status: status, data: w})
}

func invitationView(t func(string, ...any) string, org string, problem *errorView) linkView {
	return linkView{Action: "/enrol", Heading: t("enrol.invited.heading"), Lead: t("enrol.invited.lead", "org", org), Label: t("enrol.link"), Hint: t("enrol.link_hint"),
		Go: t("enrol.invited.go"), Problem: problem}
}

// redeemInvitation uses an invitation up. Whoever was signed in here is signed out: the
// one who enrols now may be somebody else.
func redeemInvitation(v *visit) error {
	in, err := v.org.RedeemInvitation(v.ctx(), tokenOf(v.form("token")))
	if e, ok := v.shown(err); ok {
		return v.invitationPage(e.Status, e)
	}
	if err != nil {
		return err
	}
	if err := v.remember(in); err != nil {
		return err
	}
	return v.redirect("/enrol/new")
}

// grantCookie keeps the right to add one authenticator beside the session of whoever
// adds it. It opens nothing else, and only while that session lasts.
const grantCookie = "countersign-grant"

// errNoGrant says that nothing may be enrolled in this browser now.
var errNoGrant = errors.New("no right to enrol")

// enrolling is the session that may enrol one authenticator: the one that an invitation
// opened, or the one that a step-up gave, which must be the visitor's own.
func (v *visit) enrolling() (authority.Session, error) {
	if v.who.Kind == "enrolment" {
		return *v.session, nil
	}
	token := v.passed(grantCookie)
	if v.who.Kind != "normal" || token == "" {
		return authority.Session{}, errNoGrant
	}
	s, err := v.org.AuthenticateSession(v.ctx(), token)
	if hasCode(err, countersign.CodeUnauthenticated) || (err == nil && s.Person.ID != v.session.Person.ID) {
		return authority.Session{}, errNoGrant
	}
	return s, err
}

// enrolView is the page on which something is enrolled.
type enrolView struct {
	Who     string
	Kind    string // "passkey", "security-key" or "app", where one was chosen; "" offers each
	Name    string // what the new one may be called
	Adding  bool   // the visitor is signed in, and has something already
	Problem *errorView
	App     *appView
}

// appView is a code generator that is being enrolled.
type appView struct {
	Challenge   string
	Secret, QR  string // for typing, and as the path of an SVG of QRSize units
	QRSize      int
	NewPassword bool   // a password goes with it
	Login       string // whose password that is
}

// showEnrolment offers what can be enrolled. Nothing begins before a button is pressed.
func showEnrolment(v *visit) error { return v.enrolPage(http.StatusOK, nil) }

func (v *visit) enrolPage(status int, problem *errorView) error {
	_, err := v.enrolling()
	if errors.Is(err, errNoGrant) {
		return v.noGrant()
	} else if err != nil {
		return err
	}
	kind := v.query("kind")
	if !slices.Contains([]string{"passkey", "security-key", "app"}, kind) {
		kind = ""
	}
	w := enrolView{Who: v.who.Person.Name, Kind: kind, Name: v.deviceName(kind), Adding: v.who.Kind == "normal", Problem: problem}
	return v.render(view{name: "enrol", title: v.t("enrol.heading"), plain: true, status: status, data: w})
}

// noGrant answers whoever came here with no right to enrol, or with one that is used up
// or has lasted its time.
func (v *visit) noGrant() error {
	if v.begins() {
		return countersign.NewProblem(countersign.CodeGone, "%s", v.t("enrol.no_grant"))
	}
	return v.redirect("/factors")
}

// enrolPasskey is both steps of enrolling a passkey.
func enrolPasskey(v *visit) error {
	s, err := v.enrolling()
	if errors.Is(err, errNoGrant) {
		return v.noGrant()
	} else if err != nil {
		return err
	}
	if v.begins() {
		c, err := v.org.BeginEnrolment(v.ctx(), s, authn.KindPasskey)
		if err != nil {
			return err
		}
		options, err := hinted(c.Options, v.form("kind") == "security-key")
		if err != nil {
			return err
		}
		return v.answerBegun(c.Challenge, options)
	}
	done, err := v.org.FinishEnrolment(v.ctx(), s, authority.EnrolBody{Challenge: v.form("challenge"), Name: v.factorName(), Passkey: json.RawMessage(v.form("passkey"))})
	if e, ok := v.shown(err); ok {
		return v.enrolPage(e.Status, e)
	}
	if err != nil {
		return err
	}
	return v.enrolled(done)
}

// hinted asks the browser to look for a security key first. It is a hint (Web
// Authentication Level 3 §5.8.7): what the key is, its registration says.
func hinted(options json.RawMessage, key bool) (json.RawMessage, error) {
	if !key {
		return options, nil
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(options, &whole); err != nil {
		return nil, err
	}
	whole["hints"] = json.RawMessage(`["security-key"]`)
	return json.Marshal(whole)
}

// factorName is what the person calls the new one; never nothing.
func (v *visit) factorName() string {
	if name := strings.TrimSpace(v.form("name")); name != "" {
		return name
	}
	return v.deviceName(v.form("kind"))
}

// beginApp makes the secret of a code generator and shows it, this once. The page comes
// as the answer of the press itself, since nothing keeps the secret to show it again.
func beginApp(v *visit) error { return v.appPage(http.StatusOK, nil) }

// secretOf is the secret that the form is about, while it may still be tried, or else a
// fresh one.
func (v *visit) secretOf(s authority.Session, problem *errorView) (*authority.Ceremony, error) {
	if problem == nil {
		return v.org.BeginEnrolment(v.ctx(), s, authn.KindTOTP)
	}
	c, err := v.org.EnrolmentBegun(v.ctx(), s, v.form("challenge"))
	if hasCode(err, countersign.CodeGone) {
		problem.Hint = v.t("enrol.fresh_secret")
		return v.org.BeginEnrolment(v.ctx(), s, authn.KindTOTP)
	}
	return c, err
}

func (v *visit) appPage(status int, problem *errorView) error {
	s, err := v.enrolling()
	if errors.Is(err, errNoGrant) {
		return v.noGrant()
	} else if err != nil {
		return err
	}
	c, err := v.secretOf(s, problem)
	if err != nil {
		return err
	}
	path, size, err := qrPath(c.URI)
	if err != nil {
		return err
	}
	w := enrolView{Who: v.who.Person.Name, Kind: "app", Name: v.t("enrol.name.app"), Adding: v.who.Kind == "normal", Problem: problem,
		App: &appView{Challenge: c.Challenge, Secret: c.Secret, QR: path, QRSize: size}}
	if w.App.NewPassword, err = v.needsPassword(); err != nil {
		return err
	}
	if w.App.Login, err = v.org.LoginName(v.ctx(), s); err != nil {
		return err
	}
	return v.render(view{name: "enrol", title: v.t("enrol.heading"), plain: true, status: status, data: w})
}

// needsPassword reports that a password goes with the code generator: the person has
// none yet, or may not be asked.
func (v *visit) needsPassword() (bool, error) {
	if v.who.Kind != "normal" {
		return true, nil
	}
	have, err := v.org.Authenticators(v.ctx(), *v.session)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(have.Items, func(a authority.AuthenticatorView) bool {
		return a.Type == "password" && a.ReportedAt == "" && !a.Waits
	}), nil
}

// enrolApp ends the enrolment of a code generator with its first code. After a wrong
// one the same secret is shown, until it was tried too often.
func enrolApp(v *visit) error {
	s, err := v.enrolling()
	if errors.Is(err, errNoGrant) {
		return v.noGrant()
	} else if err != nil {
		return err
	}
	password := v.form("password")
	if again, ok := v.r.PostForm["again"]; ok && again[0] != password {
		e, _ := v.shown(countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("enrol.passwords_differ")))
		return v.appPage(e.Status, e)
	}
	done, err := v.org.FinishEnrolment(v.ctx(), s, authority.EnrolBody{Challenge: v.form("challenge"), Name: v.factorName(), Code: digits(v.form("code")), Password: password})
	if e, ok := v.shown(err); ok {
		return v.appPage(e.Status, e)
	}
	if err != nil {
		return err
	}
	return v.enrolled(done)
}

// enrolledCookie says what was enrolled just now, to the browser that did it and to
// nobody else: an address could be sent to somebody.
const enrolledCookie = "countersign-enrolled"

// enrolled goes on after an enrolment. Its session has ended with it.
func (v *visit) enrolled(e *authority.Enrolled) error {
	state := "counts"
	switch {
	case e.NeedsConfirmation:
		state = "waits"
	case !past(e.CountsFrom, v.now()):
		state = "cools"
	}
	if v.who.Kind == "normal" {
		v.passing(grantCookie, "", -time.Second)
		return v.redirect("/factors?added=" + state)
	}
	v.forget()
	v.passing(enrolledCookie, state+"|"+e.Compare+"|"+e.CountsFrom, time.Hour)
	return v.redirect("/enrol/done")
}

// doneView says what was enrolled, and what comes next.
type doneView struct {
	State   string // "counts", "cools", "waits"; "" where nothing was enrolled here lately
	From    Moment
	Compare string // what the second person asks for
}

func showEnrolled(v *visit) error {
	w := v.doneView(v.passed(enrolledCookie))
	if w.State == "" {
		return v.redirect("/sign-in?to=/welcome")
	}
	return v.render(view{name: "enrol-done", title: v.t("enrol.done." + w.State), plain: true, data: w})
}

func (v *visit) doneView(kept string) doneView {
	parts := strings.Split(kept, "|")
	if len(parts) != 3 || !slices.Contains([]string{"counts", "cools", "waits"}, parts[0]) {
		return doneView{}
	}
	w := doneView{State: parts[0], Compare: parts[1]}
	if t, err := time.Parse(time.RFC3339, parts[2]); err == nil {
		w.From = v.format.Moment(v.site.texts, t, v.now())
	}
	return w
}
