package web

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// adminSpecimen is a page of the administration in one state, as an administrator sees
// it.
func adminSpecimen(name, state, title string, data any) specimen {
	return specimen{page: name, state: state, visitor: "administrator", view: view{name: name, title: title, area: "admin", data: data}}
}

// galleryTimes are the moments that specimens show.
type galleryTimes struct{ ago, long, soon, later Moment }

func specimenTimes(s *Site) galleryTimes {
	now := specimenNow()
	at := func(d time.Duration) Moment { return Format{}.Moment(s.texts, now.Add(d), now) }
	return galleryTimes{ago: at(-2 * time.Hour), long: at(-60 * 24 * time.Hour), soon: at(20 * time.Hour), later: at(40 * 24 * time.Hour)}
}

// adminSpecimens are the pages of the administration in all their states.
func adminSpecimens(s *Site) []specimen {
	return slices.Concat(overviewSpecimens(s), personSpecimens(s), personActSpecimens(s), keySpecimens(s), alertSpecimens(s), freezeSpecimens(s), glassSpecimens(s), settingSpecimens(s), delegationSpecimens(s))
}

func specimenChanges(s *Site) []changeRow {
	t, at := s.texts.T, specimenTimes(s)
	return []changeRow{
		{Path: "/r/req_1", Kind: t("card.kind.countersign.people_change"), Subject: "She leads the site in Emden from December on.", By: "Claire Dubois", At: at.ago, Due: at.soon},
		{Path: "/r/req_2", Kind: t("card.kind.countersign.settings_change"), Subject: strings.Repeat("A reason that goes on and on, since somebody had much to say. ", 6), By: specimenLongName, At: at.long, Due: at.later},
		{Path: "/r/req_3", Kind: t("card.kind.countersign.freeze_lift"), Subject: "تم التحقق", By: specimenRightName, At: at.ago},
	}
}

func specimenTiles(s *Site, n int) []adminTile {
	var all []adminTile
	for i, key := range []string{"confirm", "review", "alerts", "freezes", "stuck", "keys"} {
		m := max(n-i, 0)
		tile := adminTile{Number: Format{}.Count(int64(m)), Text: s.texts.N("admin.tile."+key, m), Path: "/admin", Loud: m > 0}
		if m > 100 {
			tile.Number = s.texts.T("admin.at_least", "n", tile.Number)
		}
		all = append(all, tile)
	}
	return all
}

func overviewSpecimens(s *Site) []specimen {
	t := s.texts.T
	page := func(state string, w adminView) specimen {
		w.Tabs = adminTabs(t, "overview")
		return adminSpecimen("admin", state, t("admin.heading"), w)
	}
	proposed := func(state string, status countersign.Status, both bool) specimen {
		doc := &countersign.Document{Kind: countersign.KindPeopleChange, ID: "per_01KE3W6Q5JX7N0V2D9H4T8ABCM", Revision: "20261124T101200.000000Z", Subject: "She leads the site in Emden from December on.",
			Requester: &countersign.Party{Type: "person", ID: "per_01KE3W6Q5JX7N0V2D9H4T8ABCN", Name: "Samuel Mensah"},
			Custom:    map[string]string{"person": "Marta Silva"},
			Changes:   []countersign.Change{{Field: "group.add", To: "approvers"}, {Field: "limit", From: "30000.00 EUR", To: "50000.00 EUR"}}}
		if both {
			doc.Kind, doc.Changes = countersign.KindBreakGlassNames, []countersign.Change{{Field: "break_glass", From: "false", To: "true"}}
			doc.Custom = map[string]string{"proposed_by": doc.Requester.ID, "proposed_by_name": doc.Requester.Name, "person": "Marta Silva"}
		}
		w := proposedOf(t, status, doc)
		w.Card, w.Request, w.Back, w.Missing = specimenCard(s, doc), "/r/req_1", "/admin", []string{"1 person of administrators must approve"}
		return adminSpecimen("admin-proposed", state, w.Heading, w)
	}
	long := specimenChanges(s)
	for i := range long {
		long[i].Subject, long[i].By = longText(i), longName(i+1)
	}
	return []specimen{
		page("empty", adminView{Tiles: specimenTiles(s, 0), Quiet: true}),
		page("waits", adminView{Tiles: specimenTiles(s, 4), Changes: specimenChanges(s)}),
		page("long", adminView{Tiles: specimenTiles(s, 200), Changes: long, More: true}),
		page("founding", adminView{Tiles: specimenTiles(s, 1), Founding: true, Alone: 1}),
		proposed("second", countersign.StatusPending, false), proposed("two", countersign.StatusPending, true), proposed("done", countersign.StatusReleased, false),
		proposed("nobody", countersign.StatusUnsatisfiable, false), proposed("over", countersign.StatusDenied, false),
	}
}

func personSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	every, batch := kindName(s.texts, ""), kindName(s.texts, countersign.KindPaymentBatch)
	money := func(v string) string { return Format{}.Money(countersign.Amount{Value: v, Currency: "EUR"}) }
	rows := []personRow{
		{ID: "per_1", Name: "Claire Dubois", Email: "claire@example.com", Groups: []string{"administrators", "controllers"}, Privileged: true},
		{ID: "per_2", Name: "Marta Silva", Email: "marta@example.com", Groups: []string{"approvers", "finance"}, Limits: []limitShown{{every, money("50000.00")}, {batch, money("987654321098.76")}}},
		{ID: "per_3", Name: specimenLongName, Email: "maximiliane.charlotte.von.hohenlohe.waldenburg.schillingsfuerst@subsidiary.example.com", Groups: []string{"approvers", "a_group_with_a_name_that_does_not_want_to_end", "treasury", "site_leads_in_the_north"}, Off: true},
		{ID: "per_4", Name: specimenRightName, Email: "m@example.com"},
	}
	groups := []groupChoice{{"administrators", "2", false}, {"approvers", "7", true}, {"auditors", "0", false}}
	list := func(state string, w peopleView) specimen {
		w.Tabs, w.Groups, w.Add = adminTabs(t, "people"), groups, true
		return adminSpecimen("admin-people", state, t("people.heading"), w)
	}
	added := factorView{Type: "passkey", Icon: "key", Name: "Marta’s laptop", Added: at.long, How: t("factors.by.invitation")}
	waits, cools, lost := added, added, added
	waits.State, waits.Name, cools.State, cools.From, lost.State, lost.Name = "waits", specimenLongName+" – telephone", "cools", at.soon, "lost", "هاتف"
	full := personPage{Name: "Marta Silva", ID: "per_01KE3W6Q5JX7N0V2D9H4T8ABCM", Email: "marta@example.com", Manager: "Ingrid Solheim", ManagerPath: "/admin/people/per_2", Groups: []string{"approvers", "finance"},
		Limits: rows[1].Limits, Active: true, Privileged: true, Identities: []countersign.Alias{{Source: "directory", Subject: "marta"}, {Source: "sap", Subject: "U00171"}}, Factors: []factorView{added, waits, cools, lost},
		Codes: 8, Sessions: 2, SessionsText: s.texts.N("people.sessions_open", 2), Glass: at.soon, Since: at.long, May: true, MayFreeze: true, MayRaise: true, Changes: specimenChanges(s)[:1]}
	bare := personPage{Name: specimenLongName, ID: "per_01KE3W6Q5JX7N0V2D9H4T8ABCN", Since: at.ago, SessionsText: t("people.sessions_none"), May: true, Active: true, Said: t("people.said.added")}
	off := full
	off.Name, off.Active, off.May, off.Changes, off.Glass, off.Factors = specimenRightName, false, false, nil, Moment{}, nil
	auditor := adminSpecimen("admin-person", "auditor", off.Name, off)
	auditor.visitor = "controller"
	return []specimen{list("list", peopleView{Items: rows, Next: "/admin/people?after=per_4"}), list("found", peopleView{Items: rows[:1], Text: "claire"}), list("nobody", peopleView{Text: "nobody at all", Group: "approvers"}),
		list("empty", peopleView{}), list("long", peopleView{Items: longPeople(rows[2])}), adminSpecimen("admin-person", "full", full.Name, full), adminSpecimen("admin-person", "empty", bare.Name, bare), adminSpecimen("admin-person", "long", longName(2), longPerson(full, rows[2])), auditor}
}

// longPeople are people of whom everything is long.
func longPeople(row personRow) []personRow {
	var all []personRow
	for i := range 4 {
		row.Name, row.Off, row.Privileged = longName(i), i%2 == 0, true
		row.Limits = []limitShown{{longName(i + 2), Format{}.Money(mostMoney)}, {longName(i + 1), Format{}.Money(mostMoney)}}
		all = append(all, row)
	}
	return all
}

// longPerson is one of them on a page of their own.
func longPerson(p personPage, row personRow) personPage {
	p.Name, p.Email, p.Manager, p.Groups, p.Limits, p.Factors = longName(2), row.Email, longName(1), row.Groups, longPeople(row)[0].Limits, slices.Clone(p.Factors)
	for i := range p.Factors {
		p.Factors[i].Name = strings.Repeat(longName(i)+" ", 2)
	}
	p.Identities = []countersign.Alias{{Source: strings.Repeat("a_system_", 7) + "of_old", Subject: strings.Repeat("U00171", 10)}}
	return p
}

func personActSpecimens(s *Site) []specimen {
	t, at := s.texts.T, specimenTimes(s)
	fields := stepUpFields{Verb: t("people.add.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}
	taken := errorOf(countersign.NewProblem(countersign.CodeConflict, "%q is the login name of Marta Silva already", "marta"), t)
	add := func(state string, w addPersonView) specimen {
		w.StepUp = fields
		return adminSpecimen("admin-person-add", state, t("people.add.heading"), w)
	}
	change := changeView{Name: "Marta Silva", Decides: t("admin.decides.second"), Verb: t("admin.propose"), Active: true, WasActive: t("admin.yes_no.true"), WasPrivileged: t("admin.yes_no.false"),
		Groups: []groupBox{{Name: "administrators", Does: t("people.group.administrators")}, {Name: "approvers", Was: true, Is: true}, {Name: "auditors", Does: t("people.group.auditors")},
			{Name: "a_group_with_a_name_that_does_not_want_to_end", Was: true}},
		Limits: []limitField{{"limit", kindName(s.texts, ""), "50000.00 EUR", "50000.00 EUR"}}, Kinds: []kindChoice{{countersign.KindPayment, kindName(s.texts, countersign.KindPayment), true}}}
	wrong := change
	meanwhile := errorOf(countersign.NewProblem(countersign.CodeConflict, "%s", t("people.change.meanwhile")).WithHint("%s", t("people.change.meanwhile_hint")), t)
	wrong.Problem, wrong.Self, wrong.Decides, wrong.Verb, wrong.Name = &meanwhile, true, t("admin.decides.founding"), t("admin.propose_now"), specimenLongName
	invite := func(state string, w inviteView) specimen {
		w.Name, w.Rights, w.Back = "Marta Silva", true, "/admin/people/per_1"
		return adminSpecimen("admin-invite", state, t("people.invite.heading", "name", w.Name), w)
	}
	return []specimen{
		add("empty", addPersonView{}), add("taken", addPersonView{Login: "marta", Name: "Marta Silva", Email: "m@example.com", Problem: &taken}),
		adminSpecimen("admin-person-change", "ask", t("people.change.heading", "name", change.Name), change), adminSpecimen("admin-person-change", "meanwhile", t("people.change.heading", "name", wrong.Name), wrong),
		invite("founding", inviteView{Founding: true}), invite("ask", inviteView{StepUp: &stepUpFields{Verb: t("people.invite.verb"), Passkey: true}}), invite("made", inviteView{Link: "https://countersign.example.com/enrol#inv_3kT9vQ2mXw7LhR5sYpBz8dNfGc4JtUa1", Ends: at.soon}),
		askSpecimen(s, "reset", askView{Heading: t("people.reset.heading", "name", "Marta Silva"), Lead: t("people.reset.lead"), Does: []string{t("people.reset.does"), t("people.reset.back"), t("people.reset.after")},
			Reason: true, Decides: t("admin.decides.second"), Verb: t("people.reset.verb"), Danger: true}),
		askSpecimen(s, "break-glass", askView{Heading: t("glass.name.heading", "name", specimenLongName), Does: []string{t("glass.name.does"), t("glass.name.when")}, Reason: true, Decides: t("admin.decides.two"),
			Facts: []askFact{{Label: t("card.field.break_glass"), From: t("admin.yes_no.false"), Text: t("admin.yes_no.true"), Change: true}}, Verb: t("admin.propose")}),
		askSpecimen(s, "extend", askView{Heading: t("freezes.extend.heading", "name", specimenRightName), Does: []string{t("freezes.extend.does"), t("freezes.not_subject")}, Reason: true, Said: "The police has asked for it.",
			Facts: []askFact{{Label: t("alerts.about.person"), Text: specimenRightName}, {Label: t("freezes.ends"), At: at.soon}}, Day: &askDay{Name: "until", Label: t("freezes.extend.until"), Value: "2026-12-08"},
			Decides: t("admin.decides.two_either"), Verb: t("admin.propose"), Problem: &meanwhile}),
		askSpecimen(s, "proven", askView{Heading: t("keys.rotate.heading", "name", t("keys.own.log")), Lead: t("keys.own.log_text"), Does: []string{t("keys.rotate.does.log"), t("keys.rotate.old.log"), t("keys.rotate.backup")},
			Decides: t("admin.decides.alone_proven"), StepUp: &stepUpFields{Verb: t("keys.rotate.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}}),
	}
}

func askSpecimen(s *Site, state string, w askView) specimen {
	w.Back = "/admin"
	return adminSpecimen("admin-ask", state, w.Heading, w)
}
