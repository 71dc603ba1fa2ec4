package web

import (
	"slices"
	"strings"

	"github.com/countersign/countersign"
)

// specimen is one page in one state, made from fixtures: for people to look at, and
// for the tests that look at every one.
type specimen struct {
	page, state string
	view        view
	visitor     string // "approver", "controller", "administrator", "stranger"; default approver
}

// specimens are all pages in all their states. Each area of the product lists its own.
func (s *Site) specimens() []specimen {
	all := slices.Concat(commonSpecimens(s), inboxSpecimens(s), requestSpecimens(s), stepUpSpecimens(s), factorSpecimens(s), adminSpecimens(s),
		policySpecimens(s), explorerSpecimens(s), tableSpecimens(s), preferenceSpecimens(s), demoSpecimens(s))
	slices.SortStableFunc(all, func(a, b specimen) int { return strings.Compare(a.page, b.page) })
	return all
}

func (s *Site) galleryRoutes() []route {
	if !s.cfg.Gallery {
		return nil
	}
	return []route{
		{pattern: "GET /gallery", who: anyone, serve: showGallery},
		{pattern: "GET /gallery/{page}/{state}", who: anyone, serve: showSpecimen},
	}
}

type galleryView struct{ Pages []galleryPage }

type galleryPage struct {
	Name   string
	States []string
}

func showGallery(v *visit) error {
	var g galleryView
	for _, s := range v.site.states() {
		if n := len(g.Pages); n == 0 || g.Pages[n-1].Name != s.page {
			g.Pages = append(g.Pages, galleryPage{Name: s.page})
		}
		p := &g.Pages[len(g.Pages)-1]
		p.States = append(p.States, s.state)
	}
	return v.render(view{name: "gallery", title: v.t("gallery.title"), plain: true, data: g})
}

func showSpecimen(v *visit) error {
	for _, s := range v.site.states() {
		if s.page == v.path("page") && s.state == v.path("state") {
			v.pretend(s.visitor)
			return v.render(s.view)
		}
	}
	return countersign.NewProblem(countersign.CodeNotFound, "%s", v.t("error.nothing_here"))
}

func commonSpecimens(s *Site) []specimen {
	sign := func(state string, w signInView) specimen {
		w.Org, w.To = "Norderney Werft GmbH", "/"
		return specimen{page: "sign-in", state: state, visitor: "stranger", view: view{name: "sign-in", title: s.texts.T("sign_in.window"), plain: true, data: w}}
	}
	wrong := errorOf(countersign.NewProblem(countersign.CodeUnauthenticated, "name, password or code is wrong"), s.texts.T)
	locked := errorOf(countersign.NewProblem(countersign.CodeLocked, "this authenticator is locked after five wrong codes").WithHint("use your passkey, or wait 15 minutes"), s.texts.T)
	all := []specimen{sign("empty", signInView{}), sign("wrong", signInView{Login: "marta", Problem: &wrong}), sign("locked", signInView{Login: "marta", Problem: &locked}), sign("demo", signInView{Demo: true})}
	for _, p := range []*countersign.Problem{
		countersign.NewProblem(countersign.CodeNotFound, "%s", s.texts.T("error.nothing_here")),
		countersign.NewProblem(countersign.CodeForbidden, "%s", s.texts.T("visit.only.hand_over")),
		countersign.NewProblem(countersign.CodeInternal, "%s", s.texts.T("error.internal_text")),
		countersign.NewProblem(countersign.CodeUnavailable, "the clock of this server cannot be trusted now: nothing is allowed, decided or released").WithHint("an administrator must look at it"),
		countersign.NewProblem(countersign.CodeRateLimited, "%s", s.texts.T("limit.pages")).WithHint("%s", s.texts.N("limit.wait", 2)),
		countersign.Invalid(countersign.FieldError{Pointer: "/amount/value", Detail: "want at most two decimals for EUR"}),
	} {
		e := errorOf(p, s.texts.T)
		e.Bare = true
		all = append(all, specimen{page: "error", state: string(p.Code), view: view{name: "error", title: e.Title, status: p.Status, data: e}})
	}
	return all
}
