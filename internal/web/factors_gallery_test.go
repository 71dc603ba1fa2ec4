package web

import (
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// factorSpecimens are the pages about authenticators in all their states.
func factorSpecimens(s *Site) []specimen {
	t, now := s.texts.T, specimenNow()
	fields := stepUpFields{Passkey: true, Code: true, Password: true, Login: "marta"}
	list := func(state string, w factorsView) specimen {
		return specimen{page: "factors", state: state, view: view{name: "factors", title: t("factors.heading"), data: w}}
	}
	added, soon := Format{}.Moment(s.texts, now.AddDate(0, -2, 0), now), Format{}.Moment(s.texts, now.Add(20*time.Hour), now)
	passkey := factorView{ID: "fac_1", Type: "passkey", Icon: "key", Name: "Marta’s laptop", Does: t("factors.does.passkey"), Added: added, How: t("factors.by.invitation"), Lost: true, Last: true}
	app := factorView{ID: "fac_2", Type: "totp", Icon: "phone", Name: "Authenticator app", Does: t("factors.does.totp"), Added: added, How: t("factors.by.factor"), Lost: true}
	passkey.Used, passkey.For = Format{}.Moment(s.texts, now.Add(-2*time.Hour), now), "decision"
	app.Used, app.For = Format{}.Moment(s.texts, now.AddDate(0, 0, -9), now), "sign_in"
	cools, waits, lost := passkey, passkey, passkey
	cools.Name, cools.State, cools.From, cools.Last = "Security key in the drawer", "cools", soon, false
	waits.Name, waits.State, waits.Compare, waits.Last = strings.Repeat("A name that goes on ", 5), "waits", "482 119", false
	lost.Name, lost.State, lost.Last, lost.Lost = "هاتف", "lost", false, false
	cools.For, waits.For = "", ""
	lost.Used, lost.Unused = Format{}.Moment(s.texts, now.AddDate(0, -5, 0), now), true
	password := factorView{ID: "fac_3", Type: "password", Icon: "lock", Name: t("factors.type.password"), Does: t("factors.does.password"), Added: added, Used: app.Used, For: "sign_in"}
	all := []specimen{
		list("one", factorsView{Factors: []factorView{passkey}}),
		list("many", factorsView{Factors: []factorView{passkey, app, password, cools, waits, lost}, Codes: 7, HasCodes: true, Waiting: 2, Added: "cools"}),
		list("added", factorsView{Factors: []factorView{passkey, app}, Codes: 1, HasCodes: true, Added: "counts", Demo: true}),
		list("added-waits", factorsView{Factors: []factorView{waits}, Added: "waits", Waiting: 1}),
		list("empty", factorsView{Empty: true}),
	}
	long := factorsView{Codes: 7, HasCodes: true, Waiting: 987, Added: "cools"}
	for i, f := range []factorView{passkey, cools, waits, lost} {
		f.Name = strings.Repeat(longName(i)+" ", 2)
		long.Factors = append(long.Factors, f)
	}
	all = append(all, list("long", long))
	all[1].visitor = "administrator"
	wrong := errorOf(countersign.NewProblem(countersign.CodeUnauthenticated, "the code is wrong").WithHint("wait for the next one"), t)
	act := func(name, state string, w factorActView) specimen {
		return specimen{page: name, state: state, view: view{name: name, title: w.Heading, plain: true, data: w}}
	}
	verb := func(key string) stepUpFields { f := fields; f.Verb = t(key); return f }
	add := func(state string, strong bool, problem *errorView) specimen {
		w := addView{Kinds: addKinds(t, strong, "passkey"), StepUp: verb("factors.add.verb"), Problem: problem}
		w.StepUp.Passkey = strong
		return specimen{page: "factors-add", state: state, view: view{name: "factors-add", title: t("factors.add.heading"), plain: true, data: w}}
	}
	all = append(all, add("strong", true, nil), add("weak", false, nil), add("wrong", true, &wrong),
		act("factors-lost", "ask", factorActView{Factor: app, Heading: t("factors.lost.heading", "name", app.Name)}),
		act("factors-lost", "last", factorActView{Factor: passkey, Heading: t("factors.lost.heading", "name", passkey.Name)}),
		act("factors-remove", "ask", factorActView{Factor: app, Heading: t("factors.remove.heading", "name", app.Name), StepUp: verb("factors.remove.verb")}),
		act("factors-remove", "last", factorActView{Factor: passkey, Heading: t("factors.remove.heading", "name", passkey.Name)}),
		act("codes", "ask", factorActView{Heading: t("factors.codes.heading"), StepUp: verb("factors.codes.verb")}),
		act("codes", "again", factorActView{Heading: t("factors.codes.heading"), StepUp: verb("factors.codes.verb"), Again: true, Problem: &wrong}),
		act("codes", "shown", factorActView{Heading: t("factors.codes.heading"), Name: "Marta Lindqvist", Codes: strings.Fields(strings.Repeat("k3m7-9qxz-2wrt-h8ya ", 10))}))
	return append(append(all, confirmSpecimens(s, verb("factors.confirm.verb"))...), enrolSpecimens(s)...)
}

func confirmSpecimens(s *Site, f stepUpFields) []specimen {
	t, now := s.texts.T, specimenNow()
	item := unconfirmedItem{ID: "fac_1", Name: "Daniel Novák", Factor: "iPhone", Type: t("factors.type.passkey"), At: Format{}.Moment(s.texts, now.Add(-time.Hour), now), How: t("factors.by.invitation"), InvitedBy: "Samuel Osei"}
	yours, inviter := item, item
	yours.Name, yours.Yours = "Marta Lindqvist", true
	inviter.Name, inviter.Inviter = "محمد عبد الرحمن", true
	list := func(state string, items ...unconfirmedItem) specimen {
		return specimen{page: "factors-confirm", state: state, visitor: "administrator", view: view{name: "factors-confirm", title: t("factors.confirm.heading"), area: "admin", data: unconfirmedView{items}}}
	}
	one := func(state string, problem *errorView) specimen {
		return specimen{page: "factors-confirm-one", state: state, visitor: "administrator",
			view: view{name: "factors-confirm-one", title: t("factors.confirm.heading_of", "name", item.Name), plain: true, data: confirmView{Item: item, StepUp: f, Problem: problem}}}
	}
	differs := errorOf(countersign.NewProblem(countersign.CodeInvalid, "these are not the digits of this enrolment: nothing was confirmed").WithHint("ask the enrolee again"), t)
	var long []unconfirmedItem
	for i := range 4 {
		l := item
		l.Name, l.Factor, l.InvitedBy, l.Yours = longName(i), longName(i+2)+" – telephone", longName(i+1), i == 3
		long = append(long, l)
	}
	return []specimen{list("empty"), list("long", long...), list("waiting", item, yours, inviter), one("ask", nil), one("differs", &differs)}
}

// enrolSpecimens are the pages that somebody sees before they have anything.
func enrolSpecimens(s *Site) []specimen {
	t, now := s.texts.T, specimenNow()
	const org = "Norderney Werft GmbH"
	gone := errorOf(countersign.NewProblem(countersign.CodeGone, "this invitation is not valid").WithHint("ask for a new one"), t)
	used := errorOf(countersign.NewProblem(countersign.CodeGone, "this link was used already").WithHint("start again in the system that you came from"), t)
	wrong := errorOf(countersign.NewProblem(countersign.CodeUnauthenticated, "name or recovery code is wrong, or the code was used already"), t)
	code := errorOf(countersign.NewProblem(countersign.CodeUnauthenticated, "the code is wrong"), t)
	code.Hint = t("enrol.fresh_secret")
	plain := func(name, state, title string, data any) specimen {
		return specimen{page: name, state: state, visitor: "stranger", view: view{name: name, title: title, plain: true, data: data}}
	}
	link := func(state string, w linkView) specimen { return plain("enrol-link", state, w.Heading, w) }
	enrol := func(state string, w enrolView) specimen {
		w.Who = "Marta Lindqvist"
		return plain("enrol", state, t("enrol.heading"), w)
	}
	path, size, err := qrPath("otpauth://totp/Norderney%20Werft:marta%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Norderney%20Werft")
	if err != nil {
		panic(err)
	}
	app := &appView{Secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", QR: path, QRSize: size, NewPassword: true, Login: "marta"}
	all := []specimen{
		link("invitation", invitationView(t, org, nil)), link("invitation-used", invitationView(t, org, &gone)),
		link("hand-over", handOverView(t, org, nil)), link("hand-over-used", handOverView(t, org, &used)),
		enrol("choose", enrolView{Name: t("enrol.name.linux")}), enrol("passkey", enrolView{Kind: "passkey", Name: t("enrol.name.mac"), Adding: true}),
		enrol("security-key", enrolView{Kind: "security-key", Name: t("enrol.name.security_key"), Adding: true}), enrol("app", enrolView{Kind: "app", Adding: true}),
		enrol("app-scan", enrolView{Kind: "app", Name: t("enrol.name.app"), App: app}), enrol("app-wrong", enrolView{Kind: "app", Name: t("enrol.name.app"), App: app, Problem: &code}),
		plain("enrol-done", "counts", t("enrol.done.counts"), doneView{State: "counts"}),
		plain("enrol-done", "cools", t("enrol.done.cools"), doneView{State: "cools", From: Format{}.Moment(s.texts, now.Add(24*time.Hour), now)}),
		plain("enrol-done", "waits", t("enrol.done.waits"), doneView{State: "waits", Compare: "482 119"}),
		plain("recover", "empty", t("enrol.recover.heading"), recoverView{}), plain("recover", "wrong", t("enrol.recover.heading"), recoverView{Login: "marta", Problem: &wrong}),
	}
	welcome := func(state, visitor string, first bool) specimen {
		w := welcomeOf(t, nil, first)
		w.Name, w.Org, w.Steps[0].Done = "Marta Lindqvist", org, first
		return specimen{page: "enrol-welcome", state: state, visitor: visitor, view: view{name: "enrol-welcome", title: t("enrol.welcome.heading"), data: w}}
	}
	return append(all, welcome("person", "approver", false), welcome("first-administrator", "administrator", true))
}
