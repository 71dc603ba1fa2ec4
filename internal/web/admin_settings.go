package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func settingRoutes() []route {
	return []route{
		{pattern: "GET /admin/settings", who: signedIn, serve: register(showSettings)},
		{pattern: "GET /admin/settings/{setting}", who: signedIn, serve: administrators(showSetting)},
		{pattern: "POST /admin/settings/{setting}", who: signedIn, serve: administrators(changeSetting)},
	}
}

// settingsView lists the organisation's settings.
type settingsView struct {
	Tabs    []adminTab
	Items   []settingRow
	Org     []askFact // what cannot be changed here
	May     bool
	Changes []changeRow // that wait
}

type settingRow struct {
	Name, Title, Meaning string
	Value, Default       string // in words
	Own                  bool   // the organisation has set it
}

func showSettings(v *visit) error {
	all, err := v.org.SettingsPage(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := settingsView{Tabs: adminTabs(v.t, "settings"), May: v.mayPropose(countersign.KindSettingsChange), Changes: v.changeRows(all.Changes)}
	for _, s := range all.Items {
		w.Items = append(w.Items, v.settingRow(s))
	}
	org := v.org.Organisation()
	w.Org = []askFact{{Label: v.t("settings.org.name"), Text: org.Name}, {Label: v.t("settings.org.address"), Text: org.PublicURL, Mono: true},
		{Label: v.t("settings.org.passkeys"), Text: org.RPID, Mono: true}, {Label: v.t("settings.org.log"), Text: org.Origin, Mono: true}}
	return v.render(view{name: "admin-settings", title: v.t("settings.heading"), area: "admin", data: w})
}

func (v *visit) settingRow(s authority.SettingView) settingRow {
	return settingRow{Name: s.Name, Title: v.t("settings.title." + s.Name), Meaning: v.t("settings.meaning." + s.Name),
		Value: v.settingText(s.Name, s.Value), Default: v.settingText(s.Name, s.Default), Own: s.Value != s.Default}
}

// settingText is a setting's value in words.
func (v *visit) settingText(name, value string) string {
	n, err := strconv.Atoi(value)
	switch {
	case value == "":
		return v.t("settings.empty." + name)
	case name == "kinds":
		return strings.ReplaceAll(value, ",", ", ")
	case err != nil:
		if number, currency, ok := strings.Cut(value, " "); ok {
			return v.format.Money(countersign.Amount{Value: number, Currency: currency})
		}
		return value
	case strings.HasSuffix(name, "_seconds"):
		return v.format.Duration(v.site.texts, time.Duration(n)*time.Second)
	case strings.HasSuffix(name, "_days"):
		return v.format.Duration(v.site.texts, time.Duration(n)*24*time.Hour)
	}
	return v.format.Count(int64(n))
}

// settingView is the page on which a change of one setting is proposed.
type settingView struct {
	settingRow
	Action        string
	From          string // what the form was made from
	Number        bool
	Typed         string
	Least, Most   string // in words
	Units         []unitChoice
	Help          string // for what is no number
	Said          string // the reason
	Decides, Verb string
	Problem       *errorView
}

// unitChoice is a unit in which a length of time is typed.
type unitChoice struct {
	Name, Text string
	Chosen     bool
}

var timeUnits = []struct {
	name    string
	seconds int
}{{"days", 86400}, {"hours", 3600}, {"minutes", 60}, {"seconds", 1}}

func showSetting(v *visit) error { return v.settingPage(http.StatusOK, nil) }

func (v *visit) setting() (authority.SettingView, error) {
	all, err := v.org.Settings(v.ctx(), *v.session)
	if err != nil {
		return authority.SettingView{}, err
	}
	at := slices.IndexFunc(all.Items, func(s authority.SettingView) bool { return s.Name == v.path("setting") })
	if at < 0 {
		return authority.SettingView{}, nothingHere(v)
	}
	return all.Items[at], nil
}

func (v *visit) settingPage(status int, problem *errorView) error {
	s, err := v.setting()
	if err != nil {
		return err
	}
	w := settingView{settingRow: v.settingRow(s), Action: "/admin/settings/" + s.Name, From: s.Value, Number: s.Most > 0, Typed: s.Value, Said: v.form("reason"), Decides: v.decides(countersign.KindSettingsChange), Verb: v.proposeVerb(), Problem: problem}
	if w.Number {
		w.Least, w.Most = v.settingText(s.Name, strconv.Itoa(s.Least)), v.settingText(s.Name, strconv.Itoa(s.Most))
	} else {
		w.Help = v.t("settings.help." + s.Name)
	}
	if strings.HasSuffix(s.Name, "_seconds") {
		w.Typed, w.Units = unitsOf(v.t, s.Value)
	}
	if v.r.Method == http.MethodPost {
		w.Typed = v.form("value")
		for i := range w.Units {
			w.Units[i].Chosen = w.Units[i].Name == v.form("unit")
		}
	}
	return v.render(view{name: "admin-setting", title: w.Title, area: "admin", status: status, data: w})
}

// unitsOf takes a number of seconds apart: a number, and the largest unit that it is
// whole in.
func unitsOf(t func(string, ...any) string, seconds string) (string, []unitChoice) {
	n, err := strconv.Atoi(seconds)
	var all []unitChoice
	chosen := false
	for _, u := range timeUnits {
		fits := !chosen && err == nil && (n%u.seconds == 0 && n > 0 || u.seconds == 1)
		if fits {
			seconds, chosen = strconv.Itoa(n/u.seconds), true
		}
		all = append(all, unitChoice{u.name, t("settings.unit." + u.name), fits})
	}
	return seconds, all
}

// typedSetting reads the form as the authority writes the setting.
func (v *visit) typedSetting(name string) (string, error) {
	typed := strings.TrimSpace(v.form("value"))
	switch {
	case name == "break_glass_amount":
		text, err := v.format.readAmount(typed)
		if err != nil {
			return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("people.change.amount"))
		}
		return text, nil
	case name == "kinds":
		return strings.Join(strings.FieldsFunc(typed, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }), ","), nil
	case !strings.HasSuffix(name, "_seconds"):
		return typed, nil
	}
	n, err := strconv.Atoi(typed)
	for _, u := range timeUnits {
		if u.name == v.form("unit") && err == nil && n >= 0 && n <= 100*365*86400/u.seconds {
			return strconv.Itoa(n * u.seconds), nil
		}
	}
	return "", countersign.NewProblem(countersign.CodeInvalid, "%s", v.t("settings.number_wrong"))
}

func changeSetting(v *visit) error {
	s, err := v.setting()
	if err != nil {
		return err
	}
	to, value := "", ""
	if value, err = v.typedSetting(s.Name); err == nil {
		to, err = v.propose(authority.Proposal{Kind: countersign.KindSettingsChange, ID: "settings", Subject: v.form("reason"),
			Changes: []countersign.Change{{Field: s.Name, From: v.form("from"), To: value}}})
		if err == nil {
			return v.redirect(to)
		}
	}
	if e, ok := v.shown(err); ok {
		return v.settingPage(e.Status, e)
	}
	return err
}
