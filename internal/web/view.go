package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

//go:embed templates
var templateFiles embed.FS

// page is what the layout needs of every page, and the page's own view beside it.
type page struct {
	Title    string // of the window: what it is about, first
	Area     string // which link of the navigation is current
	Layout   string // "", or "plain": one column, nothing to leave by (step-up, sign-in)
	Org      string
	Me       *me
	Nav      []navLink
	Demo     *demoStrip
	Founding bool
	View     any
	Strip    bool // the page shows the demo's strip
}

// me is the visitor as the pages show them.
type me struct {
	Name   string
	Only   bool // a session for one request
	Groups []string
}

// navLink is one link of the navigation.
type navLink struct {
	Area, Path, Text string
	Current          bool
	Count            int
}

// areas are the links of the navigation, with whose they are. Nobody is shown a link
// that would answer "not found".
var areas = []struct {
	area, path string
	groups     []string // nil: everybody
}{
	{"inbox", "/", nil},
	{"requests", "/requests", []string{authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators}},
	{"policy", "/policy", []string{authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators}},
	{"audit", "/audit", []string{authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators}},
	{"admin", "/admin", []string{authority.GroupControllers, authority.GroupAuditors, authority.GroupAdministrators}},
}

// view describes a page that is about to be rendered.
type view struct {
	name   string // the template under templates/pages, without .html
	title  string // text for the window's title, already in words
	area   string
	plain  bool
	status int // default 200
	data   any
}

// render writes a whole page.
func (v *visit) render(w view) error {
	p := v.page(w)
	b, err := v.site.execute(w.name, "layout", p)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if w.status == 0 {
		w.status = http.StatusOK
	}
	v.write(w.status, b)
	return nil
}

// part writes one named template of a page: what htmx puts into the page that is
// there. It is the same template that the whole page uses.
func (v *visit) part(pageName, define string, data any) error {
	return v.partOf(http.StatusOK, pageName, define, data)
}

// partOf is part with a status.
func (v *visit) partOf(status int, pageName, define string, data any) error {
	b, err := v.site.execute(pageName, define, data)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.write(status, b)
	return nil
}

func (v *visit) page(w view) page {
	p := page{Title: w.title, Area: w.area, View: w.data, Strip: v.site.cfg.Demo != nil}
	if w.plain {
		p.Layout = "plain"
	}
	if v.org != nil {
		p.Org = v.org.Organisation().Name
	}
	if v.who != nil {
		p.Me = &me{Name: v.who.Person.Name, Only: v.who.Kind != "normal", Groups: v.who.Groups}
		p.Founding = v.who.Founding
		if v.who.Kind == "normal" && !w.plain {
			for _, a := range areas {
				if a.groups == nil || v.member(a.groups...) {
					p.Nav = append(p.Nav, navLink{Area: a.area, Path: a.path, Text: v.t("nav." + a.area), Current: a.area == w.area})
				}
			}
		}
	}
	if v.site.cfg.Demo != nil {
		if v.who != nil {
			v.site.cfg.Demo.Looked(w.area)
		}
		p.Demo = v.demoStrip()
	}
	return p
}

func (s *Site) execute(name, define string, data any) (*bytes.Buffer, error) {
	set, ok := s.sets[name]
	if !ok {
		return nil, fmt.Errorf("no page is called %q", name)
	}
	b := new(bytes.Buffer)
	if err := set.ExecuteTemplate(b, define, data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b, nil
}

// parseTemplates reads the layout and the partials once, and each page beside them.
func parseTemplates(texts *Texts, as *assets) (map[string]*template.Template, error) {
	base := template.New("").Funcs(template.FuncMap{
		"t": texts.T, "tn": texts.N, "asset": as.url, "icon": as.icon, "q": url.QueryEscape, "dict": dict,
	})
	base, err := base.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	sets := map[string]*template.Template{}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		set, err := template.Must(base.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return nil, err
		}
		sets[strings.TrimSuffix(path.Base(file), ".html")] = set
	}
	return sets, nil
}

// dict makes a map of names and values, for a partial that needs more than one value.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: want names and values in turn")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict: a name must be a text")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// errorView is what an error page shows.
type errorView struct {
	Status       int
	Title        string
	Detail, Hint string
	Reasons      []string
	Errors       []countersign.FieldError
	Differences  []countersign.Difference
	SignIn       bool
	RetryAfter   int
	Bare         bool // the title stands elsewhere on the page
}

// problem answers with an error page, or with the same in a fragment. Whatever is no
// problem for a person is a fault of ours: its text stays in the log.
func (v *visit) problem(err error) {
	if errors.Is(err, errSignIn) {
		v.toSignIn()
		return
	}
	var p *countersign.Problem
	if !errors.As(err, &p) || p.Code == countersign.CodeInternal {
		v.site.cfg.Log.Error("a page failed", "page", v.route.pattern, "error", err)
		p = countersign.NewProblem(countersign.CodeInternal, "%s", v.t("error.internal_text"))
	}
	e := errorOf(p, v.t)
	if p.RetryAfterSeconds > 0 {
		v.w.Header().Set("Retry-After", fmt.Sprint(p.RetryAfterSeconds))
	}
	if v.fragment() {
		b, err := v.site.execute("error", "problem", e)
		if err == nil {
			v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
			v.write(p.Status, b)
			return
		}
	}
	e.Bare = true
	if err := v.render(view{name: "error", title: e.Title, plain: v.who == nil, status: p.Status, data: e}); err != nil {
		v.site.cfg.Log.Error("the error page failed", "error", err)
		http.Error(v.w, "something went wrong here", http.StatusInternalServerError)
		v.status = http.StatusInternalServerError
	}
}

func errorOf(p *countersign.Problem, t func(string, ...any) string) errorView {
	e := errorView{Status: p.Status, Title: t("error." + string(p.Code)), Detail: asSentence(p.Detail), Hint: asSentence(p.Hint), Differences: p.Differences, RetryAfter: p.RetryAfterSeconds,
		SignIn: p.Code == countersign.CodeUnauthenticated}
	if len(p.Errors) > 0 {
		e.Detail, e.Errors = t("error.fields"), p.Errors
	}
	for _, r := range p.Reasons {
		if !strings.Contains(p.Detail, r.Sentence) { // once is enough
			e.Reasons = append(e.Reasons, asSentence(r.Sentence))
		}
	}
	return e
}

// toSignIn asks a stranger to sign in, and remembers where they wanted to go.
func (v *visit) toSignIn() {
	to := "/sign-in"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
		to += "?to=" + url.QueryEscape(localPath(v.r.URL.RequestURI(), "/"))
	}
	if err := v.redirect(to); err != nil {
		v.site.cfg.Log.Error("redirect", "error", err)
	}
}

// nothingHere answers a path that is no page.
func nothingHere(v *visit) error {
	return countersign.NewProblem(countersign.CodeNotFound, "%s", v.t("error.nothing_here"))
}
