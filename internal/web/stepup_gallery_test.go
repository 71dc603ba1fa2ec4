package web

import (
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// stepUpSpecimens are the pages of an act in all their states.
func stepUpSpecimens(s *Site) []specimen {
	t := s.texts.T
	page := func(state string, w stepUpView) specimen {
		return specimen{page: "step-up", state: state, view: view{name: "step-up", title: w.Heading, plain: true, data: w}}
	}
	approve := func(change func(*stepUpView)) stepUpView {
		w := stepUpView{Act: countersign.ActApprove, Action: "/gallery", Back: "/r/req_1", Heading: t("step_up.heading.approve"), Card: specimenCard(s, specimenDocument()), Form: specimenForm(s)}
		change(&w)
		return w
	}
	all := []specimen{
		page("approve", approve(func(*stepUpView) {})),
		page("bank-change", approve(func(w *stepUpView) {
			w.Card = specimenCard(s, specimenBankChange())
			w.Form.Questions = []questionField{{ID: "callback", Question: "Have you called the supplier on a number that you had before? Which one?"}}
			w.Form.ReasonRequired = true
		})),
		page("code", approve(func(w *stepUpView) {
			w.Form.StepUp = stepUpFields{Verb: t("step_up.verb.approve"), Code: true, Password: true, Login: "marta", Weaker: t("step_up.weaker")}
			w.Form.Uses = ""
		})),
		page("delegate", approve(func(w *stepUpView) {
			w.Form.For = []actingChoice{{Name: t("step_up.for_yourself"), Chosen: true}, {ID: "per_2", Name: "Ingrid Margareta Björklund-Hellström av Västergötland"}}
		})),
		page("break-glass", approve(func(w *stepUpView) { w.Form.Glass = true })),
		page("handed-over", approve(func(w *stepUpView) { w.Back = "" })),
		page("forbidden", approve(func(w *stepUpView) {
			w.Form, w.Enrol, w.Heading = nil, true, t("step_up.heading.not_open")
			w.WhyNot = []string{t("request.whynot.requester")}
		})),
		page("decided", approve(func(w *stepUpView) {
			w.Form, w.Receipt, w.Heading, w.WhyNot = nil, "/r/req_1/receipt", t("step_up.heading.decided"), []string{t("request.whynot.decided", "by", t("request.you_object"))}
		})),
		page("long", approve(func(w *stepUpView) { w.Card = specimenCard(s, specimenLong()) })),
		page("erased", approve(func(w *stepUpView) {
			w.Form, w.Card, w.Heading, w.WhyNot = nil, nil, t("step_up.heading.not_open"), []string{t("request.not_open")}
		})),
	}
	all[5].visitor = "handed"
	all = append(all, page("revoke", stepUpView{Act: countersign.ActRevoke, Action: "/gallery", Back: "/r/req_1", Heading: t("step_up.heading.revoke"), Card: specimenCard(s, specimenDocument()),
		Form: &actForm{StepUp: stepUpFields{Verb: t("step_up.verb.revoke"), Passkey: true}}}))
	return append(append(all, stepUpRefusals(s, page, approve)...), receiptSpecimens(s)...)
}

// stepUpRefusals are the page of an act after each way of being refused.
func stepUpRefusals(s *Site, page func(string, stepUpView) specimen, approve func(func(*stepUpView)) stepUpView) []specimen {
	t := s.texts.T
	refused := func(state string, f refusalView) specimen {
		return page(state, approve(func(w *stepUpView) {
			if w.Refusal = &f; !f.Again {
				w.Form, w.Heading = nil, t("step_up.heading.stopped")
			}
		}))
	}
	return []specimen{
		refused("replaced", refusalView{Title: t("step_up.replaced"), Detail: t("step_up.replaced_detail"), Link: "/r/req_2", LinkText: t("step_up.to_newer"),
			Differences: (&requestReader{tx: s.texts}).differences([]countersign.Difference{{Pointer: "/amount/value", Stored: "48200.00", Sent: "84200.00"}, {Pointer: "/payee/account/value", Stored: "CZ6508000000192000145399", Sent: "CZ6508000000192000145388"}})}),
		refused("first", refusalView{Title: t("error.wrong_state"), Detail: "The request is not waiting for a decision.", First: []string{t("step_up.first.approve", "name", "Ruth Adler", "when", "3 min ago")},
			Link: "/r/req_1/approve", LinkText: t("step_up.look_again")}),
		refused("wrong-code", refusalView{Title: t("error.unauthenticated"), Detail: "The code is wrong.", Hint: "Wait for the next one.", Again: true}),
		refused("locked", refusalView{Title: t("error.locked"), Detail: "This authenticator is locked after five wrong codes.", Hint: "Use your passkey, or wait 15 minutes.", Again: true}),
		refused("expired", refusalView{Title: t("error.gone"), Detail: "This challenge was used already, or has expired.", Hint: "Look at the request again and start anew.", Again: true}),
		refused("unanswered", refusalView{Title: t("error.invalid"), Detail: t("error.fields"), Errors: []string{"The question callback is not answered: Have you called the supplier?"}, Again: true}),
	}
}

func specimenForm(s *Site) *actForm {
	now := specimenNow()
	return &actForm{Uses: "Marta’s laptop", StepUp: stepUpFields{Verb: s.texts.T("step_up.verb.approve"), Passkey: true, Code: true, Weaker: s.texts.T("step_up.weaker")},
		DecideBy: Format{}.Moment(s.texts, now.Add(52*time.Minute), now)}
}

func specimenNow() time.Time { return time.Date(2026, 11, 24, 10, 12, 0, 0, time.UTC) }

// specimenCard is the card of a document made up here; one that has none is a fault
// that the gallery's test finds.
func specimenCard(s *Site, d *countersign.Document) *CardView {
	b, err := countersign.Canonical(d)
	if err != nil {
		panic(err)
	}
	c, err := Card(b, nil, Format{}, s.texts)
	if err != nil {
		panic(err)
	}
	return &c
}

func specimenDocument() *countersign.Document {
	return &countersign.Document{Kind: countersign.KindInvoice, ID: "INV-2026-118", Revision: "2", Entity: "Norderney Werft GmbH", CostCentre: "4100", Subject: "Film for the winter season",
		Amount: &countersign.Amount{Value: "48200.00", Currency: "EUR"},
		Payee: &countersign.Payee{ID: "V-100482", Name: "Lipovka Fólie s.r.o.", Country: "CZ",
			Account: &countersign.Account{Scheme: "iban", Value: "CZ6508000000192000145399", BIC: "GIBACZPX"}},
		Dates: &countersign.Dates{Issued: "2026-11-20", Due: "2026-12-20"}, Requester: &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor"}}
}

func specimenBankChange() *countersign.Document {
	const old, fresh = "DE89370400440532013000", "DE12500105170648489890"
	return &countersign.Document{Kind: countersign.KindVendorBankChange, ID: "VBC-9", Revision: "1", Subject: "The supplier sent a letter",
		Payee:     &countersign.Payee{ID: "100482", Name: "Nordholz Logistik GmbH", Country: "DE", Account: &countersign.Account{Scheme: "iban", Value: fresh}},
		Changes:   []countersign.Change{{Field: "account", From: old, To: fresh}},
		Requester: &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor"}}
}

// specimenLong has long names, a name that is written from the right, and an amount of
// twelve digits.
func specimenLong() *countersign.Document {
	d := specimenDocument()
	d.Amount = &countersign.Amount{Value: "987654321098.76", Currency: "EUR"}
	d.Payee.Name = "شركة الأفق للتجارة والمقاولات العامة المحدودة"
	d.Subject = strings.Repeat("Maintenance of the harbour cranes, second part of the frame contract. ", 8)
	d.Requester.Name = specimenWordName
	return d
}

func receiptSpecimens(s *Site) []specimen {
	t, now := s.texts.T, specimenNow()
	at := exactly(Format{}.Moment(s.texts, now.Add(-2*time.Minute), now))
	page := func(state string, change func(*receiptView)) specimen {
		w := receiptView{ID: "req_01KE3W6Q5JX7N0V2D9H4T8ABCM", Heading: t("receipt.recorded.approve"), Lead: t("receipt.recorded_lead"), Status: t("receipt.status.approved"), Tone: "ok",
			Digest: plainParts(string(countersign.SumBytes([]byte("a document"))), kindDigest), Back: "/r/req_1", Inbox: true, File: "/gallery", Name: receiptName("req_01KE3W6Q5JX7N0V2D9H4T8ABCM"), Command: verifyCommand(receiptName("req_01KE3W6Q5JX7N0V2D9H4T8ABCM")),
			Decisions: []receiptLine{{What: t("receipt.you.approve"), How: t("receipt.factor.passkey"), At: at, Entry: "ent_01KE3W7B2M", Index: "48 211", Yours: true, Reason: "Called the supplier on the number on file."}}}
		change(&w)
		return specimen{page: "receipt", state: state, view: view{name: "receipt", title: w.Heading, plain: true, data: w}}
	}
	return []specimen{
		page("approved", func(*receiptView) {}),
		page("waiting", func(w *receiptView) {
			w.Status, w.Tone, w.Missing, w.File = t("receipt.status.pending"), "warn", []string{"1 person of treasury must approve."}, ""
		}),
		page("held", func(w *receiptView) {
			until := Format{}.Moment(s.texts, now.Add(24*time.Hour), now)
			w.Held, w.Watchers, w.Founding = &until, "treasury or controllers", true
			w.Decisions = append(w.Decisions, receiptLine{What: t("receipt.other.approve", "name", "Ruth Adler"), How: t("receipt.factor.totp"), At: at, Entry: "ent_01KE3W7B2N", Index: "48 207", Link: "/audit/48207"})
		}),
		page("continue", func(w *receiptView) { w.Inbox, w.Back, w.Host = false, "", "erp.example.com" }),
		page("long", func(w *receiptView) {
			w.Missing = []string{"2 people of " + specimenWordName + " must approve.", longName(1)}
			w.Host, w.Watchers, w.Held = strings.Repeat("subsidiary.", 8)+"example.com", longName(2)+" or "+longName(3), &at
			for i := range 4 {
				w.Decisions = append(w.Decisions, receiptLine{What: t("receipt.other.approve", "name", longName(i)), How: t("receipt.factor.totp"), At: at, Entry: "ent_01KE3W7B2N", Index: "87 654 321", Link: "/audit/48207", Reason: longText(i), Void: longText(i + 1)})
			}
		}),
		page("silent", func(w *receiptView) {
			w.Decisions, w.Silent, w.Heading, w.Lead = nil, true, t("receipt.heading"), t("receipt.lead")
		}),
		page("revoked", func(w *receiptView) {
			w.Status, w.Tone, w.Heading = t("receipt.status.revoked"), "no", t("receipt.recorded.revoke")
			w.Decisions[0].Void = "what is required changed"
		}),
	}
}
