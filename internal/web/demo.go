package web

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/authority"
)

// Demo is what the pages offer beyond the product where a demo runs: to be somebody,
// and to look at their pretended authenticator app. A server for real work has none.
type Demo interface {
	// People are those whom a visitor can be.
	People() []DemoPerson
	// Become signs in as one of them.
	Become(ctx context.Context, login string) (*authority.SignedIn, error)
	// Code is what the person's pretended app shows now, and until when.
	Code(login string, now time.Time) (code string, until time.Time, err error)
}

// DemoPerson is somebody whom a visitor of the demo can be.
type DemoPerson struct {
	Login, ID, Name, Title string
	Groups                 []string
	Limit                  string
	Password               string
}

// demoStrip is the strip above every page of the demo.
type demoStrip struct {
	Be string // the name of whom the visitor is; "" for nobody
}

func (v *visit) demoStrip() *demoStrip {
	s := &demoStrip{}
	if v.who != nil {
		s.Be = v.who.Person.Name
	}
	return s
}

func (s *Site) demoRoutes() []route {
	if s.cfg.Demo == nil {
		return nil
	}
	return []route{
		{pattern: "GET /demo", who: anyone, serve: showDemo},
		{pattern: "POST /demo/be", who: anyone, serve: become},
	}
}

type demoView struct{ People []DemoPerson }

func showDemo(v *visit) error {
	return v.render(view{name: "demo", title: v.t("demo.window"), data: demoView{People: v.site.cfg.Demo.People()}})
}

func become(v *visit) error {
	in, err := v.site.cfg.Demo.Become(v.ctx(), v.form("login"))
	if err != nil {
		return err
	}
	if err := v.remember(in); err != nil {
		return err
	}
	return v.redirect("/")
}

func demoSpecimens(s *Site) []specimen {
	people := []DemoPerson{{Login: "marta", Name: "Marta Lindqvist", Title: "Head of purchasing"}, {Login: "omar", Name: "Omar Haddad", Title: "Treasurer"}}
	return []specimen{{page: "demo", state: "people", visitor: "stranger", view: view{name: "demo", title: s.texts.T("demo.window"), data: demoView{People: people}}}}
}
