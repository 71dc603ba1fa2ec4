package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func signInRoutes() []route {
	return []route{
		{pattern: "GET /sign-in", who: anyone, serve: showSignIn},
		{pattern: "POST /sign-in", who: anyone, attempt: true, serve: signIn},
		{pattern: "POST /sign-out", who: anyone, serve: signOut},
	}
}

type signInView struct {
	Org, To, Login string
	Problem        *errorView
	Demo           bool
}

func showSignIn(v *visit) error {
	if v.session != nil && v.who.Kind == "normal" {
		return v.redirect(localPath(v.query("to"), "/"))
	}
	return v.signInPage(http.StatusOK, signInView{To: localPath(v.query("to"), "/")})
}

func (v *visit) signInPage(status int, w signInView) error {
	w.Org, w.Demo = v.org.Organisation().Name, v.site.cfg.Demo != nil
	return v.render(view{name: "sign-in", title: v.t("sign_in.window"), plain: true, status: status, data: w})
}

// bindingCookie keeps what ties a begun sign-in to the browser that began it.
const bindingCookie = "countersign-binding"

func signIn(v *visit) error {
	if v.begins() {
		c, err := v.org.BeginSignIn(v.ctx())
		if err != nil {
			return err
		}
		v.passing(bindingCookie, c.Binding, 5*time.Minute)
		return v.answerBegun(c.Challenge, c.Options)
	}
	body := authority.SignInBody{Login: v.form("login"), Password: v.form("password"), TOTP: digits(v.form("totp"))}
	if p := v.form("passkey"); p != "" {
		body = authority.SignInBody{Challenge: v.form("challenge"), Binding: v.passed(bindingCookie), Passkey: json.RawMessage(p)}
	}
	in, err := v.org.SignIn(v.ctx(), body)
	var p *countersign.Problem
	if errors.As(err, &p) && p.Code != countersign.CodeInternal {
		e := errorOf(p, v.t)
		e.SignIn = false
		return v.signInPage(p.Status, signInView{To: localPath(v.form("to"), "/"), Login: v.form("login"), Problem: &e})
	}
	if err != nil {
		return err
	}
	if err := v.remember(in); err != nil {
		return err
	}
	return v.redirect(localPath(v.form("to"), "/"))
}

func signOut(v *visit) error {
	if v.session != nil {
		if err := v.org.SignOut(v.ctx(), *v.session); err != nil {
			return err
		}
	}
	if err := v.endGrant(); err != nil {
		return err
	}
	v.forget()
	return v.redirect("/sign-in")
}
