package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/authority"
)

// factorActView is a page on which something is done with one authenticator, or about
// all of them.
type factorActView struct {
	Factor        factorView
	Action        string
	Heading, Lead string
	StepUp        stepUpFields
	Problem       *errorView
	Codes         []string // fresh recovery codes, shown this once
	Again         bool     // there are codes already, which fresh ones replace
	Name          string   // whose enrolment it is, where it is somebody else's
}

// showLost asks before something is reported: that cannot be taken back.
func showLost(v *visit) error {
	a, have, err := v.mine()
	if err != nil {
		return err
	}
	f := v.factorView(a, have.Authenticators)
	if !f.Lost {
		return v.redirect("/factors")
	}
	w := factorActView{Factor: f, Action: "/factors/" + a.ID + "/lost", Heading: v.t("factors.lost.heading", "name", named(a.Name))}
	return v.render(view{name: "factors-lost", title: w.Heading, plain: true, data: w})
}

// reportLost needs no step-up: whoever has lost the only thing they prove themself with
// must be able to say so. Every session of the person ends.
func reportLost(v *visit) error {
	if err := v.org.ReportAuthenticator(v.ctx(), *v.session, v.path("factor")); err != nil {
		return err
	}
	v.forget()
	return v.redirect("/sign-in")
}

func showRemove(v *visit) error { return v.removePage(http.StatusOK, nil) }

func (v *visit) removePage(status int, problem *errorView) error {
	a, have, err := v.mine()
	if err != nil {
		return err
	}
	f := v.stepUpFor(v.t("factors.remove.verb"), have)
	f.OpenCode = f.OpenCode || v.form("with") == "code"
	w := factorActView{Factor: v.factorView(a, have.Authenticators), Action: "/factors/" + a.ID + "/remove", Heading: v.t("factors.remove.heading", "name", named(a.Name)), StepUp: f, Problem: problem}
	return v.render(view{name: "factors-remove", title: w.Heading, plain: true, status: status, data: w})
}

func removeFactor(v *visit) error {
	id := v.path("factor")
	body, done, err := v.provenFor("remove:" + id)
	if done {
		return nil
	}
	if err == nil {
		if err = v.org.RemoveAuthenticator(v.ctx(), *v.session, id, body); err == nil {
			return v.redirect("/factors")
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() && e.Status != http.StatusNotFound {
		return v.removePage(e.Status, e)
	}
	return err
}

func showCodes(v *visit) error { return v.codesPage(http.StatusOK, nil) }

func (v *visit) codesPage(status int, problem *errorView) error {
	have, err := v.org.Means(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	f := v.stepUpFor(v.t("factors.codes.verb"), have)
	f.OpenCode = f.OpenCode || v.form("with") == "code"
	w := factorActView{Action: "/factors/codes", Heading: v.t("factors.codes.heading"), StepUp: f, Problem: problem,
		Again: slices.ContainsFunc(have.Authenticators, func(a authority.AuthenticatorView) bool { return a.Type == "recovery" })}
	return v.render(view{name: "codes", title: w.Heading, plain: true, status: status, data: w})
}

// makeCodes shows fresh recovery codes as the answer of the press itself: nothing keeps
// them, so that no other page could show them again.
func makeCodes(v *visit) error {
	body, done, err := v.provenFor("recovery-codes")
	if done {
		return nil
	}
	if err == nil {
		var made *authority.RecoveryCodes
		if made, err = v.org.MakeRecoveryCodes(v.ctx(), *v.session, body); err == nil {
			return v.render(view{name: "codes", title: v.t("factors.codes.heading"), plain: true,
				data: factorActView{Heading: v.t("factors.codes.heading"), Codes: made.Codes, Name: v.who.Person.Name}})
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.codesPage(e.Status, e)
	}
	return err
}

// unconfirmedView lists enrolments that wait for a second person.
type unconfirmedView struct{ Items []unconfirmedItem }

type unconfirmedItem struct {
	ID, Name, Factor, Type string
	At                     Moment
	How                    string
	InvitedBy              string
	Yours, Inviter         bool // nobody confirms their own, nor what they invited to
}

// administratorsOnly answers everybody else as if there were nothing.
func (v *visit) administratorsOnly() error {
	if !v.member(authority.GroupAdministrators) {
		return nothingHere(v)
	}
	return nil
}

func showUnconfirmed(v *visit) error {
	if err := v.administratorsOnly(); err != nil {
		return err
	}
	waiting, err := v.org.Unconfirmed(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	var w unconfirmedView
	for _, a := range waiting.Items {
		w.Items = append(w.Items, v.unconfirmedItem(a))
	}
	return v.render(view{name: "factors-confirm", title: v.t("factors.confirm.heading"), area: "admin", data: w})
}

func (v *visit) unconfirmedItem(a authority.AuthenticatorView) unconfirmedItem {
	i := unconfirmedItem{InvitedBy: a.Inviter, ID: a.ID, Name: named(a.PersonName), Factor: named(a.Name), Type: v.t("factors.type." + a.Type), How: enrolledHow(v.t, a.EnrolledBy),
		Yours: a.Person == v.session.Person.ID, Inviter: a.InvitedBy == v.session.Person.ID}
	if key := "admin.actor." + a.InvitedBy; i.InvitedBy == "" && v.site.texts.has(key) {
		i.InvitedBy = v.t(key)
	}
	if t, err := time.Parse(time.RFC3339, a.EnrolledAt); err == nil {
		i.At = v.format.Moment(v.site.texts, t, v.now())
	}
	return i
}

// confirmView is the page on which one enrolment is confirmed.
type confirmView struct {
	Item    unconfirmedItem
	Action  string
	StepUp  stepUpFields
	Problem *errorView
}

func showConfirm(v *visit) error { return v.confirmPage(http.StatusOK, nil) }

func (v *visit) confirmPage(status int, problem *errorView) error {
	if err := v.administratorsOnly(); err != nil {
		return err
	}
	waiting, err := v.org.ConfirmForm(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(waiting.Items, func(a authority.AuthenticatorView) bool { return a.ID == v.path("factor") })
	if at < 0 {
		return nothingHere(v)
	}
	item := v.unconfirmedItem(waiting.Items[at])
	if item.Yours || item.Inviter {
		return v.redirect("/factors/confirm")
	}
	f := v.stepUpByBest(v.t("factors.confirm.verb"), &waiting.Means)
	f.OpenCode = f.OpenCode || v.form("with") == "code"
	w := confirmView{Item: item, Action: "/factors/" + item.ID + "/confirm", StepUp: f, Problem: problem}
	return v.render(view{name: "factors-confirm-one", title: v.t("factors.confirm.heading_of", "name", named(item.Name)), plain: true, status: status, data: w})
}

// confirmFactor records that the visitor has compared with the enrolee.
func confirmFactor(v *visit) error {
	if err := v.administratorsOnly(); err != nil {
		return err
	}
	id := v.path("factor")
	body, done, err := v.provenFor("confirm:" + id)
	if done {
		return nil
	}
	if err == nil {
		if err = v.org.ConfirmEnrolment(v.ctx(), *v.session, id, authority.ConfirmBody{Compare: v.form("compare"), StepUp: body}); err == nil {
			return v.redirect("/factors/confirm")
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() && e.Status != http.StatusNotFound {
		return v.confirmPage(e.Status, e)
	}
	return err
}
