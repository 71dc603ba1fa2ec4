package web

import "github.com/countersign/countersign"

func demoSpecimens(s *Site) []specimen {
	people := []demoPersonView{{DemoPerson{Login: "marta", Name: "Marta Silva", Title: "Head of Production", Groups: []string{"approvers"}, Limit: "50000.00 EUR"}, true},
		{DemoPerson{Login: "ingrid", Name: "Ingrid Solheim", Title: "Chief Financial Officer", Groups: []string{"approvers", "controllers", "finance", "treasury"}, Limit: "500000.00 EUR"}, false},
		{DemoPerson{Login: "elif", Name: "Elif Demir", Title: "Buyer", Groups: []string{"buyers"}}, false}}
	guide := []DemoStep{{Name: "silent", Login: "elif", Path: "/r/req_1", Done: true}, {Name: "code", Login: "marta", Path: "/r/req_2"}, {Name: "passkeys", Login: "katarzyna", Path: "/r/req_3"}, {Name: "fraud", Login: "tomas"}, {Name: "tricks"}, {Name: "audit", Login: "ingrid", Path: "/audit"}}
	steps := demoStepsOf(guide, map[string]string{"elif": "Elif Demir", "marta": "Marta Silva", "katarzyna": "Katarzyna Nowak", "tomas": "Tomás Herrera", "ingrid": "Ingrid Solheim"}, s.texts.T)
	tricks := demoTricksOf(s.texts.T)
	app := demoAppView{Password: "plum kettle orbit fourteen", Mine: &demoCode{"Marta Silva", "482 913", 17}, Others: []demoCode{{"Ingrid Solheim", "004 511", 17}, {"Katarzyna Nowak", "918 220", 17}}}
	demo := func(state string, w view) specimen { return specimen{page: w.name, state: state, view: w} }
	played := func(p DemoTrick) view {
		return view{name: "demo-trick", title: s.texts.T("demo.trick." + p.Name), data: demoTrickShown(p, Format{}, s.texts.T)}
	}
	return []specimen{
		demo("playing", view{name: "demo", title: s.texts.T("demo.window"), data: demoView{People: people, Steps: steps, Tricks: tricks}}),
		demo("codes", view{name: "demo-app", title: s.texts.T("demo.app"), data: app}),
		demo("nobody", view{name: "demo-app", title: s.texts.T("demo.app"), data: demoAppView{Others: app.Others}}),
		demo("revision", played(DemoTrick{Name: "revision", Path: "/r/req_1", Replacement: "/r/req_2", Was: "30000.00 EUR", Is: "54000.00 EUR"})),
		demo("row", played(DemoTrick{Name: "row", Path: "/r/req_1", Was: "DE89370400440532013000", Is: "LT601010012345678901", Problem: countersign.NewProblem(countersign.CodeChanged, "the stored document of req_1 is not the one that was submitted: it was changed in the database").WithHint("nothing is decided or released on it; tell the operator")})),
		demo("replay", played(DemoTrick{Name: "replay", Path: "/r/req_1", Was: "order-run-1", Is: "order-run-again", Problem: countersign.NewProblem(countersign.CodeReleased, "it was released under the execution id %q", "order-run-1")})),
	}
}
