package web

import (
	"slices"

	"github.com/countersign/countersign/internal/authority"
)

// welcomeView is the first page after the first sign-in: what to do next.
type welcomeView struct {
	Name  string
	Org   string
	First bool // the organisation is being founded, and the visitor administers it
	Steps []welcomeStep
}

type welcomeStep struct {
	Done        bool
	Title, Text string
	Link, Label string
	Primary     bool
}

func showWelcome(v *visit) error {
	have, err := v.org.Authenticators(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := welcomeOf(v.t, have.Items, v.who.Founding && v.member(authority.GroupAdministrators))
	w.Name, w.Org = v.who.Person.Name, v.org.Organisation().Name
	return v.render(view{name: "enrol-welcome", title: v.t("enrol.welcome.heading"), data: w})
}

func welcomeOf(t func(string, ...any) string, have []authority.AuthenticatorView, first bool) welcomeView {
	codes := slices.ContainsFunc(have, func(a authority.AuthenticatorView) bool { return a.Type == "recovery" && a.CodesLeft > 0 })
	strong := 0
	for _, a := range have {
		if (a.Type == "passkey" || a.Type == "totp") && a.ReportedAt == "" {
			strong++
		}
	}
	w := welcomeView{First: first, Steps: []welcomeStep{
		{Done: codes, Title: t("enrol.welcome.codes"), Text: t("enrol.welcome.codes_text"), Link: "/factors/codes", Label: t("enrol.welcome.codes_go")},
		{Done: strong > 1, Title: t("enrol.welcome.second"), Text: t("enrol.welcome.second_text"), Link: "/factors/add", Label: t("enrol.welcome.second_go")},
	}}
	if first {
		w.Steps = append(w.Steps,
			welcomeStep{Title: t("enrol.welcome.invite"), Text: t("enrol.welcome.invite_text"), Link: "/admin/people", Label: t("enrol.welcome.invite_go")},
			welcomeStep{Title: t("enrol.welcome.policy"), Text: t("enrol.welcome.policy_text"), Link: "/policy", Label: t("enrol.welcome.policy_go")})
	}
	for i := range w.Steps {
		if !w.Steps[i].Done {
			w.Steps[i].Primary = true
			break
		}
	}
	return w
}
