package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// linkView is a page that a link with a token opens. The token stands behind the # of
// the address, which browsers send to nobody: the script fills it into the form, and
// without one it is pasted. Opening the page uses nothing up.
type linkView struct {
	Action           string
	Heading, Lead    string
	Label, Hint, Go  string
	Problem          *errorView
	Foot             string
	FootLink, FootTo string
}

func showHandOver(v *visit) error { return v.handOverPage(http.StatusOK, nil) }

func (v *visit) handOverPage(status int, problem *errorView) error {
	return v.render(view{name: "enrol-link", title: v.t("enrol.hand_over.heading"), plain: true, status: status, data: handOverView(v.t, v.org.Organisation().Name, problem)})
}

func handOverView(t func(string, ...any) string, org string, problem *errorView) linkView {
	return linkView{Action: "/h", Heading: t("enrol.hand_over.heading"), Lead: t("enrol.hand_over.lead", "org", org), Label: t("enrol.link"), Hint: t("enrol.link_hint"),
		Go: t("enrol.hand_over.go"), Problem: problem}
}

// redeemHandOver uses the link up and binds it to this browser (ruling 13). Whoever is
// signed in here already, as the same person, stays signed in: they can do more.
func redeemHandOver(v *visit) error {
	in, err := v.org.RedeemHandOver(v.ctx(), tokenOf(v.form("token")))
	if e, ok := v.shown(err); ok {
		return v.handOverPage(e.Status, e)
	}
	if err != nil {
		return err
	}
	if err := v.rememberHanded(in); err != nil {
		return err
	}
	return v.redirect("/r/" + in.Request + "/approve")
}

func (v *visit) rememberHanded(in *authority.SignedIn) error {
	if v.session == nil || v.who.Kind != "normal" || v.session.Person.ID != in.Person.ID {
		return v.remember(in)
	}
	handed, err := v.org.AuthenticateSession(v.ctx(), in.Token)
	if err != nil {
		return err
	}
	return v.org.SignOut(v.ctx(), handed)
}

// tokenOf reads a token from what was pasted: the token alone, or the whole link.
func tokenOf(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '#'); i >= 0 {
		s = s[i+1:]
	}
	if len(s) > 200 {
		return ""
	}
	return s
}

// shown is a problem that is told on the page that it happened on.
func (v *visit) shown(err error) (*errorView, bool) {
	var p *countersign.Problem
	if !errors.As(err, &p) || p.Status >= 500 {
		return nil, false
	}
	e := errorOf(p, v.t)
	e.SignIn = false
	return &e, true
}
