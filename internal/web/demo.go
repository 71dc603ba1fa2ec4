package web

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// Demo is what the pages offer beyond the product where a demo runs: to be somebody,
// to look at their pretended authenticator app, to be led through the day's cases, and
// to try tricks. A server for real work has none.
type Demo interface {
	// People are those whom a visitor can be.
	People() []DemoPerson
	// Become signs in as one of them.
	Become(ctx context.Context, login string) (*authority.SignedIn, error)
	// Code is what the person's pretended app shows now, and until when.
	Code(login string, now time.Time) (code string, until time.Time, err error)
	// Sign answers a ceremony's options with the person's pretended passkey.
	Sign(login string, options json.RawMessage) (json.RawMessage, error)
	// Guide is how far the visitor has come with the day's cases.
	Guide(ctx context.Context) []DemoStep
	// Looked tells that the visitor has opened a part of the pages, by its name.
	Looked(area string)
	// Trick carries a trick out and says what came of it.
	Trick(ctx context.Context, name string) (DemoTrick, error)
	// Anew lets the day's cases come in again, with new numbers.
	Anew(ctx context.Context) error
}

// DemoPerson is somebody whom a visitor of the demo can be.
type DemoPerson struct {
	Login, ID, Name, Title string
	Groups                 []string
	Limit                  string
	Password               string
}

// DemoStep is one thing to try: as whom, on which request, and whether it is done.
// Its words stand in the catalogue under its name.
type DemoStep struct {
	Name, Login string
	Path        string // "" while the request is not there yet
	Done        bool
}

// DemoTrick is what came of a trick.
type DemoTrick struct {
	Name        string
	Was, Is     string
	Path        string // of the request that it was about
	Replacement string // path of the request that took its place
	Problem     *countersign.Problem
}

// demoTricks are the tricks, in their order on the page.
var demoTricks = []string{"revision", "row", "replay"}

// demoStrip is the strip above every page of the demo: who the visitor is, and what
// to try next.
type demoStrip struct {
	Be    string // the name of whom the visitor is; "" for nobody
	Login string
	Step  *demoStep
	Here  bool // the visitor is who the step is for
}

// demoStep is a step as it is shown.
type demoStep struct {
	Number, Of        int
	Title, Text, Path string
	Login, Name       string
	Done, Next        bool
}

func (v *visit) demoStrip() *demoStrip {
	s := &demoStrip{}
	if v.who != nil {
		s.Be = v.who.Person.Name
		s.Login = v.demoLogin()
	}
	for _, step := range v.demoSteps() {
		mine := s.Login != "" && step.Login == s.Login && !step.Done
		early := step.Number == step.Of && !step.Next                // the story's end waits for the rest
		if step.Next && s.Step == nil || mine && !early && !s.Here { // a step of the visitor's own comes first
			s.Step, s.Here = &step, mine
		}
	}
	return s
}

// demoLogin is the login name of whom the visitor is, where that is one of the demo's.
func (v *visit) demoLogin() string {
	if v.site.cfg.Demo == nil || v.who == nil {
		return ""
	}
	for _, p := range v.site.cfg.Demo.People() {
		if p.ID == v.who.Person.ID {
			return p.Login
		}
	}
	return ""
}

func (v *visit) demoSteps() []demoStep {
	names := map[string]string{}
	for _, p := range v.site.cfg.Demo.People() {
		names[p.Login] = p.Name
	}
	return demoStepsOf(v.site.cfg.Demo.Guide(v.ctx()), names, v.t)
}

func demoStepsOf(guide []DemoStep, names map[string]string, t func(string, ...any) string) []demoStep {
	var all []demoStep
	next := true
	for i, g := range guide {
		s := demoStep{Number: i + 1, Of: len(guide), Title: t("demo.step." + g.Name), Text: t("demo.do."+g.Name, "name", names[g.Login]), Path: g.Path, Login: g.Login, Name: names[g.Login], Done: g.Done}
		if !g.Done && next {
			s.Next, next = true, false
		}
		all = append(all, s)
	}
	return all
}

func (s *Site) demoRoutes() []route {
	if s.cfg.Demo == nil {
		return nil
	}
	return []route{
		{pattern: "GET /demo", who: anyone, serve: showDemo},
		{pattern: "GET /demo/app", who: anyone, serve: showDemoApp},
		{pattern: "POST /demo/be", who: anyone, serve: become},
		{pattern: "POST /demo/anew", who: anyone, serve: demoAnew},
		{pattern: "POST /demo/trick", who: anyone, serve: demoTrickPlayed},
	}
}

type demoView struct {
	People []demoPersonView
	Steps  []demoStep
	Tricks []demoTrickView
	App    *demoAppView
}

type demoPersonView struct {
	DemoPerson
	Me bool
}

type demoTrickView struct{ Name, Title, Text string }

func showDemo(v *visit) error {
	w := demoView{Steps: v.demoSteps(), Tricks: demoTricksOf(v.t)}
	me := v.demoLogin()
	for _, p := range v.site.cfg.Demo.People() {
		w.People = append(w.People, demoPersonView{p, p.Login == me})
	}
	return v.render(view{name: "demo", title: v.t("demo.window"), data: w})
}

func demoTricksOf(t func(string, ...any) string) []demoTrickView {
	var all []demoTrickView
	for _, name := range demoTricks {
		all = append(all, demoTrickView{name, t("demo.trick." + name), t("demo.trick_text." + name)})
	}
	return all
}

// demoAppView is the pretended authenticator app.
type demoAppView struct {
	Password string
	Mine     *demoCode
	Others   []demoCode
}

type demoCode struct {
	Name, Code string
	Seconds    int // that it still counts
}

func showDemoApp(v *visit) error {
	w := demoAppView{}
	me, now := v.demoLogin(), v.now()
	for _, p := range v.site.cfg.Demo.People() {
		code, until, err := v.site.cfg.Demo.Code(p.Login, now)
		if err != nil {
			return err
		}
		c := demoCode{Name: p.Name, Code: code[:3] + " " + code[3:], Seconds: int(until.Sub(now).Seconds())}
		if p.Login == me {
			w.Mine, w.Password = &c, p.Password
		} else {
			w.Others = append(w.Others, c)
		}
	}
	if v.fragment() {
		return v.part("demo-app", "codes", w)
	}
	return v.render(view{name: "demo-app", title: v.t("demo.app"), data: w})
}

func become(v *visit) error {
	in, err := v.site.cfg.Demo.Become(v.ctx(), v.form("login"))
	if err != nil {
		return err
	}
	if err := v.remember(in); err != nil {
		return err
	}
	return v.redirect(localPath(v.form("to"), "/"))
}

func demoAnew(v *visit) error {
	if err := v.site.cfg.Demo.Anew(v.ctx()); err != nil {
		return err
	}
	return v.redirect("/demo")
}

type demoTrickResult struct {
	DemoTrick
	Title, Caught     string
	WasLabel, IsLabel string
	Shown             *errorView
}

func demoTrickPlayed(v *visit) error {
	out, err := v.site.cfg.Demo.Trick(v.ctx(), v.form("trick"))
	if err != nil {
		return err
	}
	return v.render(view{name: "demo-trick", title: v.t("demo.trick." + out.Name), data: demoTrickShown(out, v.format, v.t)})
}

func demoTrickShown(out DemoTrick, f Format, t func(string, ...any) string) demoTrickResult {
	w := demoTrickResult{DemoTrick: out, Title: t("demo.trick." + out.Name), Caught: t("demo.caught." + out.Name),
		WasLabel: t("demo.was." + out.Name), IsLabel: t("demo.is." + out.Name)}
	w.Was, w.Is = demoValue(out.Name, out.Was, f), demoValue(out.Name, out.Is, f)
	if out.Problem != nil {
		e := errorOf(out.Problem, t)
		w.Shown = &e
	}
	return w
}

// demoValue writes what a trick changed as pages write such a thing.
func demoValue(trick, s string, f Format) string {
	switch trick {
	case "revision":
		value, currency, _ := strings.Cut(s, " ")
		return f.Money(countersign.Amount{Value: value, Currency: currency})
	case "row":
		var groups []string
		for len(s) > 4 {
			groups, s = append(groups, s[:4]), s[4:]
		}
		return strings.Join(append(groups, s), " ")
	}
	return s
}

// pretended signs with the demo's pretended passkey of whoever is signed in, where a
// form asks for that: everything can be played in a browser that has no passkeys.
// Outside a demo it never does.
func (v *visit) pretended(options json.RawMessage) (json.RawMessage, bool, error) {
	login := v.demoLogin()
	if login == "" || v.form("with") != "pretended" {
		return nil, false, nil
	}
	passkey, err := v.site.cfg.Demo.Sign(login, options)
	return passkey, true, err
}
