package web

import (
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/authority"
)

func factorRoutes() []route {
	return append(enrolRoutes(), []route{
		{pattern: "GET /factors", who: signedIn, serve: showFactors},
		{pattern: "GET /factors/add", who: signedIn, serve: showAddFactor},
		{pattern: "POST /factors/add", who: signedIn, attempt: true, serve: addFactor},
		{pattern: "GET /factors/codes", who: signedIn, serve: showCodes},
		{pattern: "POST /factors/codes", who: signedIn, attempt: true, serve: makeCodes},
		{pattern: "GET /factors/confirm", who: signedIn, serve: showUnconfirmed},
		{pattern: "GET /factors/{factor}/confirm", who: signedIn, serve: showConfirm},
		{pattern: "POST /factors/{factor}/confirm", who: signedIn, attempt: true, serve: confirmFactor},
		{pattern: "GET /factors/{factor}/lost", who: signedIn, serve: showLost},
		{pattern: "POST /factors/{factor}/lost", who: signedIn, serve: reportLost},
		{pattern: "GET /factors/{factor}/remove", who: signedIn, serve: showRemove},
		{pattern: "POST /factors/{factor}/remove", who: signedIn, attempt: true, serve: removeFactor},
	}...)
}

// factorsView is what a person proves themself with.
type factorsView struct {
	Factors  []factorView
	Added    string // "counts", "cools", "waits": something was added just now
	Codes    int    // recovery codes that are left
	HasCodes bool
	Waiting  int // enrolments of others that wait for an administrator
	Empty    bool
	Demo     bool // where nothing cools off, and the page says so (ruling 14)
}

// factorView is one of them.
type factorView struct {
	ID, Type, Icon string
	Name           string
	Does           string // what it can satisfy, in words
	Added          Moment
	How            string // how it came here
	Used           Moment // when it was used last
	For            string // "sign_in", "decision", "act": what for; "" where it was not
	Unused         bool   // it was not used since Used
	State          string // "", "waits", "cools", "lost"
	From           Moment // end of the cool-off
	Compare        string // while it waits: what the second person asks for
	Last           bool   // the last strong one: it cannot be removed
	Lost           bool   // can be reported
}

var factorIcons = map[string]string{"passkey": "key", "totp": "phone", "password": "lock", "recovery": "file"}

func showFactors(v *visit) error {
	have, err := v.org.FactorsPage(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := v.factorsView(have.Items)
	w.Demo, w.Waiting = v.site.cfg.Demo != nil, have.Waiting
	switch added := v.query("added"); added {
	case "counts", "cools", "waits":
		w.Added = added
	}
	return v.render(view{name: "factors", title: v.t("factors.heading"), data: w})
}

func (v *visit) factorsView(items []authority.AuthenticatorView) factorsView {
	var w factorsView
	for _, a := range items {
		if a.Type == "recovery" {
			w.Codes, w.HasCodes = a.CodesLeft, true
			continue
		}
		w.Factors = append(w.Factors, v.factorView(a, items))
	}
	w.Empty = len(w.Factors) == 0
	return w
}

func (v *visit) factorView(a authority.AuthenticatorView, all []authority.AuthenticatorView) factorView {
	f := factorView{ID: a.ID, Type: a.Type, Icon: factorIcons[a.Type], Name: named(a.Name), Does: v.t("factors.does." + a.Type), How: enrolledHow(v.t, a.EnrolledBy), Last: lastStrong(a, all), Lost: a.Type != "password"}
	f.Added = v.moment(a.EnrolledAt)
	f.Used, f.For = v.moment(a.LastUsedAt), a.LastUsedFor
	if a.UnusedSince != "" {
		f.Used, f.Unused = v.moment(a.UnusedSince), true
	}
	if a.Type == "password" {
		f.Name = v.t("factors.type.password")
	}
	switch {
	case a.ReportedAt != "":
		f.State, f.Lost = "lost", false
	case a.Waits:
		f.State, f.Compare = "waits", a.Compare
	case !past(a.CountsFrom, v.now()):
		f.State, f.From = "cools", v.moment(a.CountsFrom)
	}
	return f
}

// enrolledHow says in words how an authenticator came here.
func enrolledHow(t func(string, ...any) string, by string) string {
	for _, how := range []string{"invitation", "factor", "setup", "recovery", "operator"} {
		if len(by) >= len(how) && by[:len(how)] == how {
			return t("factors.by." + how)
		}
	}
	return ""
}

// lastStrong foresees that an authenticator may not be removed, so that no button is
// shown that answers no. The authority decides.
func lastStrong(a authority.AuthenticatorView, all []authority.AuthenticatorView) bool {
	if a.Waits {
		return false
	}
	passkeys, codes, passwords := 0, 0, 0
	for _, f := range all {
		if f.ID == a.ID || f.ReportedAt != "" || f.Waits {
			continue
		}
		switch f.Type {
		case "passkey":
			passkeys++
		case "totp":
			codes++
		case "password":
			passwords++
		}
	}
	switch {
	case passkeys > 0, a.ReportedAt != "" && codes > 0:
		return false
	case a.Type == "passkey":
		return true
	}
	return codes == 0 || passwords == 0
}

// mine finds one of the visitor's own authenticators; anything else is not there.
func (v *visit) mine() (authority.AuthenticatorView, *authority.Means, error) {
	have, err := v.org.Means(v.ctx(), *v.session)
	if err != nil {
		return authority.AuthenticatorView{}, nil, err
	}
	for _, a := range have.Authenticators {
		if a.ID == v.path("factor") {
			return a, have, nil
		}
	}
	return authority.AuthenticatorView{}, nil, nothingHere(v)
}

// addView is the page by which another authenticator is added.
type addView struct {
	Kinds   []addKind
	StepUp  stepUpFields
	Problem *errorView
}

type addKind struct {
	Kind, Icon, Title, Text string
	Chosen                  bool
}

func showAddFactor(v *visit) error { return v.addPage(http.StatusOK, nil) }

func (v *visit) addPage(status int, problem *errorView) error {
	means, err := v.org.Means(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	f := v.stepUpFor(v.t("factors.add.verb"), means)
	f.OpenCode = f.OpenCode || v.form("with") == "code"
	w := addView{Kinds: addKinds(v.t, f.Passkey, v.form("kind")+v.query("kind")), StepUp: f, Problem: problem}
	return v.render(view{name: "factors-add", title: v.t("factors.add.heading"), plain: true, status: status, data: w})
}

// addKinds are what can be added by what the person has: never something stronger.
func addKinds(t func(string, ...any) string, strong bool, chosen string) []addKind {
	var all []addKind
	if strong {
		all = append(all, addKind{Kind: "passkey", Icon: "key", Title: t("factors.add.passkey"), Text: t("factors.add.passkey_text")},
			addKind{Kind: "security-key", Icon: "usb", Title: t("factors.add.key"), Text: t("factors.add.key_text")})
	}
	all = append(all, addKind{Kind: "app", Icon: "phone", Title: t("factors.add.app"), Text: t("factors.add.app_text")})
	one := 0
	for i, k := range all {
		if k.Kind == chosen {
			one = i
		}
	}
	all[one].Chosen = true
	return all
}

// addFactor gives the right to add one authenticator to whoever has stepped up, beside
// the session that they have.
func addFactor(v *visit) error {
	body, done, err := v.provenFor("enrol")
	if done {
		return nil
	}
	if err == nil {
		var in *authority.SignedIn
		if in, err = v.org.GrantEnrolment(v.ctx(), *v.session, body); err == nil {
			v.passing(grantCookie, in.Token, 30*time.Minute)
			kind := v.form("kind")
			if kind != "security-key" && kind != "app" {
				kind = "passkey"
			}
			return v.redirect("/enrol/new?kind=" + kind)
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.addPage(e.Status, e)
	}
	return err
}
