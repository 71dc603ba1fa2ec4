package web

import (
	"net/http"

	"github.com/countersign/countersign/internal/authority"
)

// recoverView is the page for whoever lost everything that they sign in with.
type recoverView struct {
	Login   string
	Problem *errorView
}

func showRecover(v *visit) error { return v.recoverPage(http.StatusOK, recoverView{}) }

func (v *visit) recoverPage(status int, w recoverView) error {
	return v.render(view{name: "recover", title: v.t("enrol.recover.heading"), plain: true, status: status, data: w})
}

// recoverAccess uses a recovery code up. It opens a session that can enrol one new
// authenticator, and nothing else (ruling 18).
func recoverAccess(v *visit) error {
	in, err := v.org.Recover(v.ctx(), authority.RecoverBody{Login: v.form("login"), Code: v.form("code")})
	if e, ok := v.shown(err); ok {
		return v.recoverPage(e.Status, recoverView{Login: v.form("login"), Problem: e})
	}
	if err != nil {
		return err
	}
	if err := v.remember(in); err != nil {
		return err
	}
	return v.redirect("/enrol/new")
}
