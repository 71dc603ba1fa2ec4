package web

import (
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// inboxSpecimens are the inbox in every state.
func inboxSpecimens(s *Site) []specimen {
	now := time.Date(2026, 11, 24, 9, 8, 0, 0, time.UTC)
	f, tx := Format{Zone: time.UTC}, s.texts
	rows := func(tab string, items ...authority.InboxItem) []inboxRow {
		var out []inboxRow
		for _, i := range items {
			out = append(out, inboxRowOf(tx, f, i, tab, now))
		}
		return out
	}
	page := func(state string, w inboxView) specimen {
		if w.Tab == "" {
			w.Tab = authority.TabYou
		}
		for i, n := range []string{"4", "12", "999+"} {
			if i == 0 && len(w.Rows) == 0 && w.Tab == authority.TabYou {
				n = "0"
			}
			w.Tabs = append(w.Tabs, inboxTab{Tab: inboxTabs[i], Path: inboxPath(inboxTabs[i]), Count: n, Current: inboxTabs[i] == w.Tab})
		}
		return specimen{page: "inbox", state: state, view: view{name: "inbox", title: tx.T("inbox.window"), area: "inbox", data: w}}
	}
	waiting := rows(authority.TabYou, inboxSamples(now)...)
	waiting[0].Current = true
	shown := samplePreview(s, sampleRequest())
	gone := rows(authority.TabYou, inboxSamples(now)...)
	gone[1].Gone, gone[1].Can = tx.T("inbox.by.approve", "name", "Ruth Brandt"), ""
	gone[2].New = true
	long := rows(authority.TabYou, inboxLongSamples(now)...)
	problem := errorOf(countersign.NewProblem(countersign.CodeNotFound, "%s", tx.T("error.nothing_here")), tx.T)
	mine := samplePreview(s, sampleRequest(func(r *authority.RequestView) {
		r.You.Acts, r.You.WhyNot = nil, []authority.WhyNot{{Code: "requester", Sentence: "Marta Lindqvist asked for this"}}
	}))
	whole := samplePreview(s, sampleRequest(func(r *authority.RequestView) {
		sampleDocument(r, countersign.Document{Kind: countersign.KindPaymentBatch, ID: "RUN-48", Revision: "1", Requester: &countersign.Party{Type: "person", ID: "tola.okafor", Name: "Tola Okafor"}, Subject: strings.Repeat("a long run of payments ", 400)})
	}))
	erased := samplePreview(s, sampleRequest(func(r *authority.RequestView) {
		r.Canonical, r.You.Acts, r.Missing, r.Approval.Status = nil, nil, nil, countersign.StatusReleased
	}))
	others, decided := inboxOtherSamples(now), inboxDecidedSamples(now)
	return []specimen{
		page("waiting", inboxView{Rows: waiting, Preview: shown, Next: "/?tab=you&after=1"}),
		page("decided-elsewhere", inboxView{Rows: gone, Preview: shown}),
		page("long", inboxView{Rows: long, Preview: whole}),
		page("others", inboxView{Tab: authority.TabOthers, Rows: rows(authority.TabOthers, others...), Preview: mine}),
		page("decided", inboxView{Tab: authority.TabDecided, Rows: rows(authority.TabDecided, decided...), Preview: erased, First: "/?tab=decided"}),
		page("empty", inboxView{Recent: rows(authority.TabDecided, decided[:3]...)}),
		page("empty-new", inboxView{}),
		page("empty-others", inboxView{Tab: authority.TabOthers}),
		page("empty-decided", inboxView{Tab: authority.TabDecided}),
		page("loading", inboxView{Rows: waiting, Loading: true}),
		page("error", inboxView{Rows: waiting, Problem: &problem}),
		page("stale", inboxView{Rows: waiting, Preview: shown, Stale: true}),
	}
}

func eur(v string) *countersign.Amount { return &countersign.Amount{Value: v, Currency: "EUR"} }

// samplePreview is a specimen's preview; one that cannot be made stops the tests.
func samplePreview(s *Site, r *authority.RequestView) *previewView {
	p, err := previewOf(sampleReader(s, r, false))
	if err != nil {
		panic(err)
	}
	return p
}

func inboxSamples(now time.Time) []authority.InboxItem {
	rule := func(name string) []countersign.Reason {
		return []countersign.Reason{{Rule: name, State: countersign.True, Effect: countersign.OutcomeStepUp}}
	}
	in := func(d time.Duration) time.Time { return now.Add(d) }
	return []authority.InboxItem{
		{ID: "req_1", Kind: countersign.KindVendorBankChange, Object: "CHG-2026-90104", Subject: "New bank details, as asked for by mail this morning", Payee: "Nordholz Logistik GmbH", Requester: "Tola Okafor", Source: "erp",
			Status: countersign.StatusPending, Due: in(52 * time.Minute), Expiring: true, Progress: authority.Progress{Need: 2}, Reasons: rule("vendor-bank-change"), Needs: "factor"},
		{ID: "req_2", Kind: countersign.KindInvoice, Object: "90-22841", Subject: "Sheet steel, October", Amount: eur("184200.00"), Payee: "Ferrum Metals S.A.", Requester: "Jack Wren", Source: "erp",
			Status: countersign.StatusPending, Due: in(8 * time.Hour), Progress: authority.Progress{Have: 1, Need: 2}, Reasons: rule("large-invoice")},
		{ID: "req_3", Kind: countersign.KindPurchaseOrder, Object: "4500119001", Subject: "Forty laptops", Amount: eur("41900.00"), Payee: "Kesko IT Oy", Requester: "Leila Amari", Source: "erp",
			Status: countersign.StatusPending, Due: in(31 * time.Hour), Progress: authority.Progress{Need: 1}, Reasons: []countersign.Reason{{Rule: "over-budget", State: countersign.Unknown}}, ActingFor: &countersign.Principal{Name: "Ingrid Berg"}},
		{ID: "req_4", Kind: "countersign.policy_publish", Object: "policy", Subject: "Policy: ask two people for new vendors", Requester: "Claire Dubois", Source: "countersign",
			Status: countersign.StatusPending, Due: in(6 * 24 * time.Hour), Progress: authority.Progress{Need: 1}, Reasons: rule("change-to-countersign")},
	}
}

func inboxLongSamples(now time.Time) []authority.InboxItem {
	i := inboxSamples(now)
	i[0].Payee = "شركة النيل للتوريدات الصناعية والتجارة العامة المحدودة"
	i[1].Amount, i[1].Payee = &countersign.Amount{Value: "123456789012.00", Currency: "IDR"}, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft mbH & Co. KG"
	i[1].Requester = "Wolfeschlegelsteinhausenbergerdorff the Elder of Hamburg and Philadelphia"
	i[2].Payee, i[2].Subject = "Kesko \u202eyO TI", "A subject that goes on for quite a while, because somebody copied the whole description of the project into it, with every reason why it cannot wait any longer"
	i[2].Reasons = []countersign.Reason{{Rule: "purchase-order-without-a-framework-contract-above-the-regional-threshold", State: countersign.True}}
	return i
}

func inboxOtherSamples(now time.Time) []authority.InboxItem {
	i := inboxSamples(now)
	i[0].Needs, i[2].ActingFor = "", nil
	i[2].Status = countersign.StatusUnsatisfiable
	return i
}

func inboxDecidedSamples(now time.Time) []authority.InboxItem {
	i := inboxSamples(now)
	for n, s := range []struct {
		act    countersign.Act
		status countersign.Status
	}{{countersign.ActApprove, countersign.StatusReleased}, {countersign.ActDeny, countersign.StatusDenied}, {countersign.ActApprove, countersign.StatusApproved}, {"", countersign.StatusSuperseded}} {
		i[n].Act, i[n].Status, i[n].Needs, i[n].ActingFor, i[n].Expiring = s.act, s.status, "", nil, false
		if s.act != "" {
			i[n].Decided = now.Add(-time.Duration(n*n*9+1) * time.Hour)
		}
		i[n].Ended = now.Add(-time.Hour)
	}
	return i
}
