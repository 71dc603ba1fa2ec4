package web

import (
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

func keySpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	words := func(scopes ...string) []string { return scopeWords(t, scopes) }
	keys := []keyRow{
		{ID: "key_01KE3W6Q5JX7N0V2D9H4T8ABCM", Name: "Purchasing", Source: "sap", Scopes: words("submit", "release", "facts"), Returns: []string{"https://erp.example.com"}, Made: at.long, Ends: at.later, By: "Samuel Mensah", State: "works"},
		{ID: "key_01KE3W6Q5JX7N0V2D9H4T8ABCN", Name: "Invoices of the old system, until it is switched off for good", Source: "a_system_with_a_very_long_name_of_its_own", Scopes: words("submit", "evaluate", "facts", "alert", "vouch", "release", "audit", "events"), Made: at.long, Ends: at.soon, By: t("admin.actor.operator"), State: "soon"},
	}
	keys = append(keys, keyRow{ID: "key_01KE3W6Q5JX7N0V2D9H4T8ABCP", Name: "Purchasing, second line", Source: "sap", Scopes: words("submit", "release"), Made: at.ago, Ends: at.later, By: "Samuel Mensah", State: "waits"})
	long := make([]keyRow, 4)
	for i := range long {
		long[i] = keys[1]
		long[i].Name, long[i].By, long[i].State, long[i].Returns = longName(i), longName(i+1), []string{"soon", "waits", "works", "waits"}[i], []string{"https://" + strings.Repeat("subsidiary.", 8) + "example.com", "https://erp.example.com"}
	}
	over := []keyRow{{ID: "key_3", Name: "Trial", Source: "erp", Ends: at.ago, State: "revoked"}, {ID: "key_4", Name: specimenRightName, Source: "erp", Ends: at.long, State: "expired"}}
	page := func(state string, w keysView) specimen {
		w.Tabs, w.Own = adminTabs(t, "keys"), ownKeys(t)
		return adminSpecimen("admin-keys", state, t("keys.heading"), w)
	}
	wrong := errorOf(countersign.Invalid(countersign.FieldError{Pointer: "/source", Detail: "want lower-case letters, digits and underscores"}), t)
	fields := stepUpFields{Verb: t("keys.make.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}
	return []specimen{
		page("some", keysView{Keys: keys, Over: over, May: true}), page("rotated", keysView{Keys: keys[:1], May: true, Said: t("keys.said.rotated")}), page("empty", keysView{Empty: true}), page("long", keysView{Keys: long, Over: long, May: true, Said: t("keys.said.rotated")}),
		adminSpecimen("admin-key-make", "empty", t("keys.make.heading"), makeKeyView{Days: keyDays, StepUp: fields, Scopes: scopeBoxes(t, nil, false)}),
		adminSpecimen("admin-key-make", "wrong", t("keys.make.heading"), makeKeyView{Name: "Purchasing", Source: "SAP", Days: "900", StepUp: fields, Scopes: scopeBoxes(t, []string{"submit"}, true), Problem: &wrong}),
		adminSpecimen("admin-key-make", "made", t("keys.made.heading"), makeKeyView{Name: "Purchasing", Source: "sap", Key: "csk_01KE3W6Q5JX7N0V2D9H4T8ABCM_q7Yd0sJ4nX2vK9wTzR5mB8cLhF3gPaE6", ID: keys[0].ID, Ends: at.later, Words: keys[0].Scopes}),
	}
}

func alertSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	row := func(title, severity, about, name, path, state string) alertRow {
		return alertRow{ID: "alt_1", Title: title, Severity: t("alerts.severity." + severity), Tone: alertTones[severity], AboutWord: t("alerts.about." + about), About: name, AboutPath: path,
			Source: "sap", Owner: authority.GroupControllers, Raised: at.ago, Ends: at.later, State: state, ClosedBy: "Claire Dubois"}
	}
	rows := []alertRow{
		row("Marta Silva did not expect invoice INV-2026-118", "high", "vendor", "Lipovka Fólie s.r.o. (V-100482)", "", "open"),
		row("The mailbox was taken over", "critical", "person", specimenRightName, "/admin/people/per_1", "open"),
		row("Nobody can decide on this request", "medium", "request", "req_01KE3W6Q5JX7N0V2D9H4T8ABCM", "/r/req_1", "open"),
		row(strings.Repeat("A title that goes on ", 12), "low", "organisation", "", "", "expired"),
		row("The witness is overdue", "low", "operation", "", "", "closed"),
	}
	var long []alertRow
	for i, state := range []string{"open", "closed", "open", "expired"} {
		a := row(longText(i), "critical", "vendor", longName(i)+" ("+strings.Repeat("4711", 12)+")", "", state)
		a.Source, a.Owner, a.ClosedBy = strings.Repeat("a_system_", 7)+"of_old", specimenWordName, longName(i+1)
		long = append(long, a)
	}
	page := func(state string, w alertsView) specimen {
		w.Tabs, w.Closes = adminTabs(t, "alerts"), true
		return adminSpecimen("admin-alerts", state, t("alerts.heading"), w)
	}
	return append(raiseSpecimens(s), page("open", alertsView{Items: rows[:3], First: true}), page("raised", alertsView{Items: rows[:1], First: true, Said: t("alerts.said.raised")}), page("all", alertsView{Items: rows, All: true, Next: "/admin/alerts?show=all"}), page("empty", alertsView{}), page("long", alertsView{Items: long}))
}

func freezeSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	rows := []freezeRow{
		{ID: "frz_1", Word: t("alerts.about.vendor"), Name: "Lipovka Fólie s.r.o. (V-100482)", Reason: "The bank account was changed by a mail that they did not write.", By: "Marta Silva", Placed: at.ago, Ends: at.soon},
		{ID: "frz_2", Word: t("alerts.about.person"), Name: specimenLongName, Path: "/admin/people/per_1", Reason: strings.Repeat("Much is to be said about this. ", 10), By: specimenRightName, Placed: at.long, Ends: at.later},
		{ID: "frz_3", Word: t("alerts.about.person"), Name: "Claire Dubois", Path: "/admin/people/per_2", Reason: "توقف", By: "Samuel Mensah", Placed: at.ago, Ends: at.soon, Subject: true},
	}
	var long []freezeRow
	for i := range 4 {
		f := rows[i%2]
		f.Name, f.Reason, f.By = longName(i)+" ("+strings.Repeat("4711", 12)+")", longText(i), longName(i+1)
		long = append(long, f)
	}
	page := func(state string, w freezesView) specimen {
		w.Tabs, w.Changes = adminTabs(t, "freezes"), true
		return adminSpecimen("admin-freezes", state, t("freezes.heading"), w)
	}
	place := func(state string, w placeView) specimen {
		w.StepUp = stepUpFields{Verb: t("freezes.place.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}
		w.Hours = []hourChoice{{"72", "3 d", true}, {"24", "1 d", false}, {"4", "4 h", false}}
		return adminSpecimen("admin-freeze", state, t("freezes.place.heading"), w)
	}
	twice := errorOf(countersign.NewProblem(countersign.CodeState, "this is frozen until 2026-11-27T10:00:00Z already: extending a freeze is for two people").WithHint("propose to extend it"), t)
	return []specimen{
		page("some", freezesView{Items: rows}), page("placed", freezesView{Items: rows[:1], Said: t("freezes.said.placed")}), page("empty", freezesView{}), page("long", freezesView{Items: long}),
		place("choose", placeView{}), place("vendor", placeView{Vendor: "V-100482", Name: "Lipovka Fólie s.r.o."}), place("unknown", placeView{Vendor: strings.Repeat("4711", 12), Unknown: true}),
		place("person", placeView{Person: "per_1", Name: specimenRightName, Reason: "The telephone was stolen.", Problem: &twice}),
	}
}

func glassSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	page := func(state string, w glassView) specimen {
		w.Tabs, w.Reviews, w.Changes, w.Month = adminTabs(t, "break-glass"), true, true, "2"
		return adminSpecimen("admin-break-glass", state, t("glass.heading"), w)
	}
	names := []glassName{{"per_1", "Ingrid Solheim", at.long, false}, {"per_2", specimenLongName, at.soon, true}, {"per_3", specimenRightName, at.long, false}}
	uses := []glassUse{{"req_01KE3W6Q5JX7N0V2D9H4T8ABCM", "/r/req_1", Format{}.Money(countersign.Amount{Value: "39000.00", Currency: "EUR"}), at.ago}, {"req_01KE3W6Q5JX7N0V2D9H4T8ABCN", "/r/req_2", "", at.long}}
	long := glassView{On: true, Most: Format{}.Money(mostMoney), Blocked: at.soon}
	for i := range 4 {
		long.Names = append(long.Names, glassName{"per_1", longName(i), at.later, i%2 == 0})
		long.Uses = append(long.Uses, glassUse{"req_01KE3W6Q5JX7N0V2D9H4T8ABCM", "/r/req_1", long.Most, at.ago})
	}
	most := Format{}.Money(countersign.Amount{Value: "40000.00", Currency: "EUR"})
	return []specimen{page("empty", glassView{}), page("long", long), page("waits", glassView{On: true, Most: most, Names: names, Uses: uses[:1], Blocked: at.soon}),
		page("blocked", glassView{On: true, Most: Format{}.Money(countersign.Amount{Value: "987654321098.76", Currency: "EUR"}), Names: names[:1], Uses: uses, Blocked: at.ago, Blocks: true}),
		page("reviewed", glassView{On: true, Most: most, Names: names, Said: t("glass.said.reviewed")})}
}

func settingSpecimens(s *Site) []specimen {
	t := s.texts.T
	row := func(name, value, standard string) settingRow {
		return settingRow{Name: name, Title: t("settings.title." + name), Meaning: t("settings.meaning." + name), Value: value, Default: standard, Own: value != standard}
	}
	rows := []settingRow{row("kinds", strings.Repeat("lease_agreement, contract, ", 8)+"grant", t("settings.empty.kinds")), row("cool_off_seconds", "1 d", "1 d"), row("session_idle_seconds", "30 min", "1 h"),
		row("retention_days", "3 650 d", "3 650 d"), row("break_glass_amount", t("settings.empty.break_glass_amount"), t("settings.empty.break_glass_amount"))}
	org := []askFact{{Label: t("settings.org.name"), Text: "Norderney Werft GmbH"}, {Label: t("settings.org.address"), Text: "https://countersign.norderney-werft.example.com", Mono: true}, {Label: t("settings.org.passkeys"), Text: "countersign.norderney-werft.example.com", Mono: true}}
	long := make([]settingRow, len(rows))
	for i := range rows {
		long[i] = rows[i]
		long[i].Own, long[i].Value, long[i].Default = true, longName(i), Format{}.Money(mostMoney)
	}
	list := func(state string, w settingsView) specimen {
		w.Tabs, w.Org = adminTabs(t, "settings"), org
		if w.Items == nil {
			w.Items = rows
		}
		return adminSpecimen("admin-settings", state, t("settings.heading"), w)
	}
	typed, units := unitsOf(t, "86400")
	cool := settingView{settingRow: rows[1], From: "86400", Number: true, Typed: typed, Units: units, Least: "0 s", Most: "30 d", Decides: t("admin.decides.second"), Verb: t("admin.propose")}
	late := errorOf(countersign.NewProblem(countersign.CodeConflict, "cool_off_seconds is %q now, and the change was made from %q", "3600", "86400").WithHint("look at the settings as they are, and propose it anew"), t)
	conflict := cool
	conflict.Problem, conflict.Said, conflict.Decides, conflict.Verb = &late, "The works council has agreed.", t("admin.decides.founding"), t("admin.propose_now")
	kinds := settingView{settingRow: rows[0], Typed: rows[0].Value, Help: t("settings.help.kinds"), Decides: t("admin.decides.second"), Verb: t("admin.propose")}
	days := settingView{settingRow: rows[3], Number: true, Typed: "3650", Least: "30 d", Most: "36 500 d", Decides: t("admin.decides.second"), Verb: t("admin.propose")}
	one := func(state string, w settingView) specimen { return adminSpecimen("admin-setting", state, w.Title, w) }
	return []specimen{list("administrator", settingsView{May: true}), list("waits", settingsView{May: true, Changes: specimenChanges(s)[1:2]}), list("auditor", settingsView{}), list("long", settingsView{May: true, Items: long}),
		one("length", cool), one("conflict", conflict), one("text", kinds), one("number", days)}
}

func delegationSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	every, some := kindNames(s.texts, nil), kindNames(s.texts, []string{countersign.KindInvoice, countersign.KindPayment, "lease_agreement"})
	given := []delegationRow{
		{ID: "del_1", From: "Marta Silva", To: "Daniel O’Brien", Kinds: every, Starts: at.ago, Ends: at.later, State: "in_force", MayEnd: true},
		{ID: "del_2", From: "Marta Silva", To: specimenLongName, Kinds: some, Limit: Format{}.Money(countersign.Amount{Value: "987654321098.76", Currency: "EUR"}), Starts: at.soon, Ends: at.later, State: "upcoming", MayEnd: true},
		{ID: "del_3", From: "Marta Silva", To: "Yuki Tanaka", Kinds: every, Starts: at.long, Ends: at.later, Ended: at.ago, State: "over"},
	}
	taken := []delegationRow{{ID: "del_4", From: specimenRightName, To: "Marta Silva", Kinds: every, Starts: at.ago, Ends: at.soon, State: "in_force", MayEnd: true}}
	long := delegationsView{Below: []person{}}
	for i := range 4 {
		d := given[1]
		d.From, d.To, d.Kinds = longName(i), longName(i+1), kindNames(s.texts, []string{countersign.KindVendorBankChange, countersign.KindPaymentBatch, strings.Repeat("a_kind_of_", 7) + "our_own"})
		long.Given, long.Below = append(long.Given, d), append(long.Below, person{ID: "per_1", Name: longName(i)})
	}
	below := []person{{ID: "per_1", Name: "Elif Demir"}, {ID: "per_2", Name: specimenLongName}}
	own := func(state string, w delegationsView) specimen {
		w.Heading, w.Lead, w.Own = t("delegations.heading"), t("delegations.lead"), true
		return specimen{page: "delegations", state: state, view: view{name: "delegations", title: w.Heading, data: w}}
	}
	make := func(state string, w delegateView) specimen {
		w.Starts, w.Ends, w.First, w.Last = "2026-11-24", "2026-12-08", "2026-11-24", "2027-08-22"
		w.People = []person{{"per_1", "Daniel O’Brien", false}, {"per_2", specimenLongName, true}, {"per_3", specimenRightName, false}}
		w.Kinds = []kindBox{{countersign.KindInvoice, kindName(s.texts, countersign.KindInvoice), true}, {countersign.KindPayment, kindName(s.texts, countersign.KindPayment), false}}
		return specimen{page: "delegation-make", state: state, view: view{name: "delegation-make", title: w.Heading, data: w}}
	}
	fields := &stepUpFields{Verb: t("delegations.make.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}
	wrong := errorOf(countersign.Invalid(countersign.FieldError{Pointer: "/ends_at", Detail: "want at most 92 days after it starts"}), t)
	mine := delegateView{Heading: t("delegations.make.heading"), Lead: t("delegations.make.lead"), StepUp: fields}
	refused, nobody := mine, mine
	refused.Problem, refused.Limit, refused.Reason, nobody.Nobody = &wrong, "30 000 EUR", "On holiday", true
	return []specimen{own("some", delegationsView{Given: given, Taken: taken, Below: below, Next: "/delegations?after=del_4"}), own("made", delegationsView{Given: given[:1], Said: t("delegations.said.made")}), own("empty", delegationsView{Empty: true}), own("long", long),
		adminSpecimen("delegations", "all", t("delegations.all"), delegationsView{Tabs: adminTabs(t, "delegations"), Heading: t("delegations.all"), Lead: t("delegations.all_lead"), Rows: append(given, taken...)}),
		make("own", mine), make("refused", refused), make("nobody", nobody),
		make("absent", delegateView{Heading: t("delegations.propose.heading"), Lead: t("delegations.propose.lead"), For: below, Decides: t("admin.decides.second_either"), Verb: t("admin.propose")})}
}

func preferenceSpecimens(s *Site) []specimen {
	t, now := s.texts.T, specimenNow()
	page := func(state string, p countersign.Preferences, change func(*preferencesView)) specimen {
		w := preferencesOf(s.texts, p, now)
		change(&w)
		return specimen{page: "preferences", state: state, view: view{name: "preferences", title: t("preferences.heading"), data: w}}
	}
	berlin := countersign.Preferences{TimeZone: "Europe/Berlin", NumberFormat: NumbersPointComma, DateFormat: DatesDayMonth}
	wrong := errorOf(countersign.Invalid(countersign.FieldError{Pointer: "/time_zone", Detail: "want a time zone by its IANA name, as Europe/Berlin"}), t)
	return []specimen{page("default", countersign.Preferences{TimeZone: "UTC", NumberFormat: NumbersSpacePoint, DateFormat: DatesDayMonth}, func(*preferencesView) {}),
		page("kept", berlin, func(w *preferencesView) { w.Said = true }),
		page("wrong", countersign.Preferences{TimeZone: "Europe/Atlantis", NumberFormat: NumbersSpaceComma, DateFormat: DatesISO}, func(w *preferencesView) { w.Problem = &wrong })}
}

func raiseSpecimens(s *Site) []specimen {
	t := s.texts.T
	page := func(state string, w raiseView) specimen {
		for _, name := range []string{"low", "medium", "high", "critical"} {
			w.Severities = append(w.Severities, choice{name, t("alerts.severity." + name), name == "high"})
		}
		w.Owners = append(w.Owners, choice{"controllers", "controllers", true}, choice{"treasury", "treasury", false}, choice{"per_1", t("alerts.raise.me"), false})
		w.Form, w.Day = "alr_1", askDay{Name: "until", Label: t("alerts.raise.until"), Value: "2026-12-08", Least: "2026-11-24", Most: "2027-02-20"}
		return adminSpecimen("admin-alert", state, t("alerts.raise.heading"), w)
	}
	wrong := errorOf(countersign.Invalid(countersign.FieldError{Pointer: "/expires_at", Detail: "want a time within the next 90 days"}), t)
	return []specimen{
		page("choose", raiseView{}), page("ask", raiseView{Request: "req_01ke3w6q5jx7n0v2d9h4t8abcm", Name: "Invoice INV-2026-118"}), page("all", raiseView{All: true}),
		page("wrong", raiseView{Vendor: strings.Repeat("4711", 12), Unknown: true, Title: "The supplier knows nothing of it", Problem: &wrong}),
		page("long", raiseView{Person: "per_1", Name: specimenRightName, Title: strings.Repeat("A sentence that goes on ", 12), Owners: []choice{{"a", strings.Repeat("a-group-with-a-long-name-", 4), false}}}),
	}
}
