package web

import (
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// sampleRows are requests as the control owner sees them: large, right to left, long,
// changed in the database, and our own.
func sampleRows() []authority.RequestRow {
	row := func(i authority.InboxItem, change func(*authority.RequestRow)) authority.RequestRow {
		r := authority.RequestRow{InboxItem: i, Outcome: countersign.OutcomeStepUp, PolicyVersion: 14, Vendor: "V-77", RequesterKey: "per_elif"}
		if change != nil {
			change(&r)
		}
		return r
	}
	ruth, omar := countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}, countersign.Principal{ID: "per_omar", Name: "Omar Haddad"}
	at := func(minutes int) time.Time { return galleryNow.Add(-time.Duration(minutes) * time.Minute) }
	eur := func(v string) *countersign.Amount { return &countersign.Amount{Value: v, Currency: "EUR"} }
	return []authority.RequestRow{
		row(authority.InboxItem{ID: "req_1", Kind: countersign.KindVendorBankChange, Object: "BC-2207", Subject: "New account for Nordholz", Payee: "Nordholz Logistik GmbH", Requester: "Elif Kaya", Source: "erp",
			Status: countersign.StatusPending, Created: at(36), Progress: authority.Progress{Have: 1, Need: 2}}, func(r *authority.RequestRow) {
			r.Rules, r.Deciders = []string{"vendor-bank-change", "payment-to-other-account", "open-alert"}, []countersign.Principal{ruth}
		}),
		row(authority.InboxItem{ID: "req_2", Kind: countersign.KindPayment, Object: "PAY-998877", Payee: "شركة الخليج للتجارة والمقاولات", Requester: "نور الهدى", Source: "treasury-workstation", Amount: eur("123456789012.00"),
			Status: countersign.StatusReleased, Created: at(2000)}, func(r *authority.RequestRow) {
			r.Rules, r.Deciders, r.Founding = []string{"large-payment"}, []countersign.Principal{ruth, omar}, true
		}),
		row(authority.InboxItem{ID: "req_3", Kind: countersign.KindInvoice, Object: "INV-2026-1141", Subject: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, second instalment of the general overhaul",
			Payee: "Maximiliane Charlotte Freifrau von Hohenstein-Waldburg zu Oettingen Vermögensverwaltungsgesellschaft mbH & Co. KG", Requester: "Elif Kaya", Source: "erp", Amount: eur("900.00"), Status: countersign.StatusApproved, Created: at(5)},
			func(r *authority.RequestRow) { r.Outcome = countersign.OutcomeAllow }),
		row(authority.InboxItem{ID: "req_4", Kind: countersign.KindPolicyPublish, Object: "policy", Subject: "Orders of 25,000 as well", Requester: "Ruth Adler", Status: countersign.StatusDenied, Created: at(9000)}, func(r *authority.RequestRow) {
			r.Vendor, r.Rules, r.Deciders = "", []string{"change-to-countersign"}, []countersign.Principal{omar}
		}),
		row(authority.InboxItem{ID: "req_5", Kind: countersign.KindPurchaseOrder, Object: "PO-4711", Source: "erp", Status: countersign.StatusApproved, Created: at(12000)}, func(r *authority.RequestRow) {
			r.Tampered, r.Vendor, r.RequesterKey = true, "", ""
		}),
	}
}

func tableSpecimens(s *Site) []specimen {
	q := &tableReader{tx: s.texts, now: galleryNow}
	choices := &authority.TableChoices{Kinds: []string{"refund"}, Groups: []string{"approvers", "finance", "treasury"}, Rules: []string{"large-payment", "vendor-bank-change"},
		Deciders: []countersign.Principal{{ID: "per_omar", Name: "Omar Haddad"}, {ID: "per_ruth", Name: "Ruth Adler"}}, Vendor: "Nordholz Logistik GmbH"}
	narrow := tableFilter{TableFilter: authority.TableFilter{Vendor: "V-77", Rule: "a-rule-of-an-older-policy", Decider: "per_gone", Status: countersign.StatusDenied}, since: "2026-11-01"}
	page := func(name, state string, w tableView) specimen {
		tab := map[string]string{"requests": "requests", "decisions": "decisions", "requests-holds": "holds"}[name]
		w.Tabs = q.tabs(tab)
		return specimen{page: name, state: state, visitor: "controller", view: view{name: name, title: s.texts.T("tables." + tab), area: "requests", data: w}}
	}
	requests := tableView{Filter: q.filter("requests", tableFilter{}, choices), Next: "/requests?after=req_5", Export: "/requests.csv",
		Eye: q.eye(&authority.Eye{Founding: &authority.FoundingState{Stamped: 3}, Holds: authority.InboxCount{N: 2}, Freezes: 1, ToReview: 1})}
	holds := tableView{}
	for i, r := range sampleRows() {
		requests.Requests = append(requests.Requests, q.request(r))
		if i < 3 {
			h := holdLine{requestLine: q.request(r), Until: q.f.Moment(q.tx, galleryNow.Add(time.Duration(i*i+1)*5*time.Hour), galleryNow)}
			if i > 0 {
				h.Watchers = groupNames([]string{"controllers", "treasury"}, s.texts.T("request.and"))
			}
			holds.Holds = append(holds.Holds, h)
		}
	}
	founding := tableView{Filter: q.filter("requests", tableFilter{}, choices), Eye: q.eye(&authority.Eye{Founding: &authority.FoundingState{Founding: true, Needed: 2, Administrators: make([]countersign.Principal, 1)}})}
	decisions := tableView{Filter: q.filter("decisions", tableFilter{}, choices), Export: "/decisions.csv", First: "/decisions"}
	for _, d := range sampleDecisions() {
		decisions.Decisions = append(decisions.Decisions, q.decision(d))
	}
	long, longHolds := tableView{Filter: q.filter("requests", tableFilter{}, choices), Next: "/requests?after=req_5"}, tableView{}
	for i, r := range longRows() {
		long.Requests = append(long.Requests, q.request(r))
		longHolds.Holds = append(longHolds.Holds, holdLine{requestLine: q.request(r), Until: q.f.Moment(q.tx, galleryNow.AddDate(1, 0, i), galleryNow), Watchers: groupNames([]string{longName(i), "controllers", longName(i + 1)}, s.texts.T("request.and"))})
	}
	longDecided := tableView{Filter: q.filter("decisions", tableFilter{}, choices)}
	for _, d := range longDecisions() {
		longDecided.Decisions = append(longDecided.Decisions, q.decision(d))
	}
	filtered := tableView{Filter: q.filter("requests", narrow, choices)}
	return []specimen{
		page("requests", "some", requests), page("requests", "founding", founding), page("requests", "nothing-fits", filtered),
		page("requests", "empty", tableView{Filter: q.filter("requests", tableFilter{}, choices)}), page("requests", "long", long), page("decisions", "long", longDecided), page("requests-holds", "long", longHolds),
		page("decisions", "some", decisions), page("decisions", "empty", tableView{Filter: q.filter("decisions", tableFilter{}, choices)}),
		page("requests-holds", "some", holds), page("requests-holds", "empty", tableView{}),
	}
}

func sampleDecisions() []authority.DecisionRow {
	rows := sampleRows()
	ruth, omar := countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}, countersign.Principal{ID: "per_omar", Name: "Omar Haddad"}
	return []authority.DecisionRow{
		{DecisionLine: authority.DecisionLine{ID: "dec_1", Person: ruth, Act: countersign.ActApprove, Factor: "passkey", Assurance: countersign.AssuranceHardware, Reason: "Called back on the number from 2019: confirmed by Mr Brandt.",
			At: galleryNow.Add(-8 * time.Minute), Index: 48211}, Request: rows[0]},
		{DecisionLine: authority.DecisionLine{ID: "dec_2", Person: omar, ActingFor: &ruth, Act: countersign.ActApprove, Factor: "totp", Assurance: countersign.AssuranceMFA, BreakGlass: true, Simulated: true,
			At: galleryNow.Add(-3 * time.Hour), Index: 48102, Void: "the requirement became stricter"}, Request: rows[1]},
		{DecisionLine: authority.DecisionLine{ID: "dec_3", Person: omar, Act: countersign.ActDeny, Factor: "session", Assurance: countersign.AssuranceSession, Unexpected: true, At: galleryNow.Add(-50 * time.Hour), Index: -1}, Request: rows[3]},
	}
}
