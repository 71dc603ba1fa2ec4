package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
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

// specimenPath is where a gallery shows a specimen.
func specimenPath(s specimen) string { return "/gallery/" + s.page + "/" + s.state }

// Gallery is a site without an organisation that also shows every page in every state,
// and the paths of these.
func Gallery() (http.Handler, []string, error) {
	s, all, err := newGallery()
	var paths []string
	for _, sp := range all {
		paths = append(paths, specimenPath(sp))
	}
	return s, paths, err
}

func newGallery() (*Site, []specimen, error) {
	s, err := newSite(Config{})
	if err != nil {
		return nil, nil, err
	}
	all := s.specimens()
	byPath := map[string]specimen{}
	for _, sp := range all {
		byPath[specimenPath(sp)] = sp
	}

	s.mux.HandleFunc("GET /gallery/{page}/{state}", func(w http.ResponseWriter, r *http.Request) {
		sp, found := byPath[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		v := &visit{site: s, w: w, r: r, who: visitorOf(sp), format: Format{Zone: time.UTC}}
		if err := v.render(sp.view); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return s, all, nil
}

// visitorOf is who a specimen is shown to: the frame around the page is as it is for them.
func visitorOf(s specimen) *authority.Who {
	w := &authority.Who{Person: countersign.Principal{ID: "per_gallery", Name: "Marta Lindqvist"}, Kind: "normal"}
	switch s.visitor {
	case "stranger":
		return nil
	case "controller":
		w.Groups = []string{authority.GroupControllers}
	case "administrator":
		w.Groups = []string{authority.GroupAdministrators}
	case "handed":
		w.Kind = "hand_over"
	}
	return w
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
