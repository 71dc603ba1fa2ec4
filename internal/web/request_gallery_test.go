package web

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
)

// galleryNow is the time of day in every specimen of a request.
var galleryNow = time.Date(2026, 11, 24, 9, 48, 0, 0, time.UTC)

const galleryMe = "per_gallery"

// sampleRequest is a request as the authority would give it; change edits it.
func sampleRequest(change ...func(*authority.RequestView)) *authority.RequestView {
	doc := countersign.Document{Kind: countersign.KindVendorBankChange, ID: "VBC-2026-0117", Revision: "1", Entity: "DE01",
		Payee:     &countersign.Payee{ID: "100482", Name: "Nordholz Logistik GmbH", Country: "DE", Account: &countersign.Account{Scheme: "iban", Value: "DE12500105170648489890"}},
		Requester: &countersign.Party{Type: "person", ID: "tola.okafor", Name: "Tola Okafor"},
		Subject:   "Supplier sent a letter, see attachment"}
	r := &authority.RequestView{Vendor: "100482", Requester: countersign.Principal{ID: "per_tola", Name: "Tola Okafor"},
		Approval: &countersign.Approval{ID: "req_01kb1x9p7n4f2vq8d5m3c6z0ae", Status: countersign.StatusPending, Version: 3, Source: "erp", Outcome: countersign.OutcomeStepUp, PolicyVersion: 14,
			DecideBy: "2026-11-24T10:40:00.000000Z", CreatedAt: "2026-11-24T09:12:00.000000Z",
			Requirement: countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, MaxAge: 300, Hold: 86400,
				Clauses:      []countersign.Clause{{Count: 2, From: []string{"treasury"}}},
				Attestations: []countersign.Attestation{{ID: "callback", Question: "Did you call the vendor back on a number that was on file before?"}}},
			Reasons: []countersign.Reason{
				{Rule: "vendor-bank-change", State: countersign.True, Effect: countersign.OutcomeStepUp, Sentence: "the bank details of Nordholz Logistik GmbH shall change"},
				{Rule: "payment-to-other-account", State: countersign.Unknown, Effect: countersign.OutcomeStepUp, Sentence: "Nordholz Logistik GmbH was never paid to this account", Missing: []string{"vendor.last_paid"}}},
			Findings: []countersign.Finding{
				{Signal: "bank_account_differs", State: countersign.True, Value: "DE12 … 90, never paid", Comparison: "the last 3 payments", Source: "418 purchases until 2026-11-20"},
				{Signal: "claims_differ", State: countersign.Unknown, Missing: []string{"vendor.tax_id"}},
				{Signal: "new_vendor", State: countersign.False, Value: "418 purchases", Comparison: "fewer than 1"},
				{Signal: "open_alert", State: countersign.False}}},
		Missing: []authority.MissingClause{{Clause: countersign.Clause{Count: 2, From: []string{"treasury"}}, Have: 1, Lacks: 1, Eligible: 2,
			Who: []countersign.Principal{{ID: galleryMe, Name: "Marta Lindqvist"}, {ID: "per_omar", Name: "Omar Haddad"}}}},
		Decisions: []authority.DecisionLine{{ID: "dec_1", Person: countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}, Act: countersign.ActApprove, Factor: "passkey",
			Assurance: countersign.AssuranceHardware, Reason: "Called back on the number from 2019: confirmed by Mr Brandt.", At: galleryNow.Add(-8 * time.Minute), Index: 48211}},
		Timeline: []authority.TimelineEvent{
			{Index: 48190, Published: true, Type: countersign.EntryRequestSubmitted, At: galleryNow.Add(-36 * time.Minute), Actor: countersign.Principal{ID: "key_erp", Name: "ERP"}, Facts: map[string]string{"outcome": "step_up"}},
			{Index: 48205, Published: true, Type: countersign.EntryRequestQuestion, At: galleryNow.Add(-20 * time.Minute), Actor: countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}},
			{Index: 48211, Published: true, Type: countersign.EntryDecisionMade, At: galleryNow.Add(-8 * time.Minute), Actor: countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}, Facts: map[string]string{"act": "approve"}}},
		You: authority.YourPart{Clauses: []countersign.Clause{{Count: 2, From: []string{"treasury"}}}, Acts: []string{authority.CanApprove, authority.CanDeny, authority.CanReassign, authority.CanFreeze}, Concerned: true, Need: countersign.AssurancePhishingResistant}}
	sampleDocument(r, doc)
	for _, c := range change {
		c(r)
	}
	return r
}

// sampleDocument puts a document into a request.
func sampleDocument(r *authority.RequestView, d countersign.Document) {
	b, err := countersign.Canonical(d)
	if err != nil {
		panic(err)
	}
	r.Canonical, r.Approval.Document, r.Approval.Digest = b, json.RawMessage(b), countersign.SumBytes(b)
}

func sampleReader(s *Site, r *authority.RequestView, sees bool) *requestReader {
	return &requestReader{r: r, f: Format{}, tx: s.texts, now: galleryNow, me: galleryMe, whole: true, sees: sees, warns: sees}
}

// sampleView is the page of a request. A specimen that cannot be made would be missed
// by the tests of the gallery, so it stops them.
func sampleView(s *Site, r *authority.RequestView, change func(*requestReader, *requestView)) requestView {
	q := sampleReader(s, r, true)
	w, err := q.view()
	if err != nil {
		panic(err)
	}
	w.Thread = q.thread(nil, "")
	if change != nil {
		change(q, &w)
	}
	return w
}

// ended makes a request that is over, or approved, and waits for nobody.
func ended(status countersign.Status) func(*authority.RequestView) {
	return func(r *authority.RequestView) {
		r.Approval.Status, r.Approval.EndedAt, r.Missing = status, "2026-11-24T09:45:00.000000Z", nil
		r.You = authority.YourPart{}
	}
}

func over(act countersign.Act, reason string, unexpected bool) func(*authority.RequestView) {
	return func(r *authority.RequestView) {
		omar := countersign.Principal{ID: "per_omar", Name: "Omar Haddad"}
		r.Decisions = append(r.Decisions, authority.DecisionLine{ID: "dec_2", Person: omar, Act: act, Factor: "session", Reason: reason, Unexpected: unexpected, At: galleryNow.Add(-3 * time.Minute), Index: 48230})
		r.Timeline = append(r.Timeline, authority.TimelineEvent{Index: 48230, Type: countersign.EntryDecisionMade, At: galleryNow.Add(-3 * time.Minute), Actor: omar, Facts: map[string]string{"act": string(act)}})
	}
}

func mayNot(status countersign.Status, why ...authority.WhyNot) func(*authority.RequestView) {
	return func(r *authority.RequestView) {
		r.Approval.Status = status
		r.You.Acts, r.You.WhyNot = nil, why
	}
}

func requestSpecimens(s *Site) []specimen {
	page := func(state string, r *authority.RequestView, change func(*requestReader, *requestView)) specimen {
		w := sampleView(s, r, change)
		return specimen{page: "request", state: state, visitor: "controller", view: view{name: "request", title: w.Heading, area: "inbox", data: w}}
	}
	all := []specimen{
		page("waiting", sampleRequest(), withThread),
		page("superseded", sampleRequest(ended(countersign.StatusSuperseded), func(r *authority.RequestView) { r.Links.SupersededBy = "req_01kb1y00000000000000000000" }), func(q *requestReader, w *requestView) {
			w.Notes[0].Differences = q.differences([]countersign.Difference{{Pointer: "/payee/account/value", Stored: "DE12500105170648489890", Sent: "DE89370400440532013000"}, {Pointer: "/revision", Stored: "1", Sent: "2"}, {Pointer: "/custom/incoterm", Sent: "DAP"}})
		}),
		page("held", sampleRequest(ended(countersign.StatusApproved), func(r *authority.RequestView) {
			r.Hold = &authority.Hold{Seconds: 86400, Until: galleryNow.Add(23 * time.Hour), Watchers: []string{"controllers"}}
			r.You.Acts = []string{authority.CanRevoke, authority.CanFreeze}
		}), nil),
		page("approved", sampleRequest(ended(countersign.StatusApproved), func(r *authority.RequestView) { r.Approval.ReleaseBy = "2026-12-20T10:00:00.000000Z" }), nil),
		page("allowed", sampleRequest(ended(countersign.StatusApproved), func(r *authority.RequestView) {
			r.Decisions, r.Approval.Reasons, r.Approval.Outcome = nil, nil, countersign.OutcomeAllow
			r.Approval.ReleaseBy = "2026-12-20T10:00:00.000000Z"
		}), nil),
		page("released", sampleRequest(ended(countersign.StatusReleased)), nil),
		page("denied", sampleRequest(ended(countersign.StatusDenied), over(countersign.ActDeny, "The payee or the account is wrong: they say that they did not move banks.", true)), nil),
		page("frozen", sampleRequest(ended(countersign.StatusDenied), over(countersign.ActDeny, "Nobody there knows of a new account.", true), func(r *authority.RequestView) {
			r.Frozen = []authority.FrozenNow{{Vendor: true, Until: time.Date(2026, 11, 27, 10, 12, 0, 0, time.UTC)}}
		}), nil),
		page("denied-by-policy", sampleRequest(ended(countersign.StatusDenied), func(r *authority.RequestView) {
			r.Decisions, r.Approval.Outcome = nil, countersign.OutcomeDeny
			r.Approval.Reasons[0].Effect = countersign.OutcomeDeny
		}), nil),
		page("expired", sampleRequest(ended(countersign.StatusExpired)), nil),
		page("withdrawn", sampleRequest(ended(countersign.StatusCancelled)), nil),
		page("revoked", sampleRequest(ended(countersign.StatusRevoked), over(countersign.ActRevoke, "The vendor called: the letter is not theirs.", false)), nil),
		page("unsatisfiable", sampleRequest(mayNot(countersign.StatusUnsatisfiable, authority.WhyNot{Code: approval.ObstacleGroup, Args: map[string]string{"groups": "treasury"}}), func(r *authority.RequestView) {
			r.Missing[0].Who, r.Missing[0].Eligible = nil, 0
		}), nil),
		page("forbidden", sampleRequest(mayNot(countersign.StatusPending, authority.WhyNot{Code: approval.ObstacleRequester}, authority.WhyNot{Code: approval.ObstacleFactor, Args: map[string]string{"assurance": "phishing_resistant"}}), func(r *authority.RequestView) {
			r.Missing[0].Who = r.Missing[0].Who[1:]
		}), nil),
		page("two-groups", sampleRequest(func(r *authority.RequestView) {
			r.Missing = append(r.Missing, authority.MissingClause{Clause: countersign.Clause{Count: 2, From: []string{"finance"}}, Lacks: 2, Eligible: 12})
			r.You.Clauses = []countersign.Clause{{Count: 2, From: []string{"treasury"}}}
		}), nil),
		page("erased", sampleRequest(ended(countersign.StatusReleased), func(r *authority.RequestView) { r.Canonical = nil }), nil),
		page("stale", sampleRequest(), func(_ *requestReader, w *requestView) {
			w.Changed = &changedView{Path: w.Path, Text: s.texts.T("request.changed")}
		}),
		page("refused", sampleRequest(), func(_ *requestReader, w *requestView) {
			w.Problem = &errorView{Title: s.texts.T("error.invalid"), Reasons: []string{"Has the character U+202E, which cannot be seen"}}
			w.Thread.Text = "Is this yours?"
		}),
		page("long", longRequest(), withThread),
	}
	return append(all, aroundSpecimens(s)...)
}

// withThread adds attachments and a conversation.
func withThread(q *requestReader, w *requestView) {
	digest := countersign.SumBytes([]byte("letter"))
	w.Files = q.files([]countersign.AttachedFile{{Name: "letter-nordholz.pdf", Digest: digest, Here: true, Size: 184320, MediaType: "application/pdf"}, {Name: "envelope.jpg"}}, w.Card)
	ruth, tola := countersign.Principal{ID: "per_ruth", Name: "Ruth Adler"}, countersign.Principal{ID: "per_tola", Name: "Tola Okafor"}
	w.Thread = q.thread([]countersign.Question{
		{ID: "qst_1", Person: ruth, Text: "Who sent the letter, and did anybody here expect it?", At: "2026-11-24T09:28:00.000000Z"},
		{ID: "qst_2", Person: tola, Asker: true, Answers: "qst_1", Text: "It came by post on Friday.\nNobody announced it before.", At: "2026-11-24T09:35:00.000000Z"}}, "qst_2")
}

// longRequest has everything that is long, reads from right to left, or cannot be seen.
func longRequest() *authority.RequestView {
	return sampleRequest(func(r *authority.RequestView) {
		sampleDocument(r, countersign.Document{Kind: countersign.KindInvoice, ID: "INV-" + strings.Repeat("0123456789", 8), Revision: "1",
			Amount:    &countersign.Amount{Value: "999999999999.99", Currency: "EUR"},
			Payee:     &countersign.Payee{ID: "V-9", Name: "شركة النور للتجارة والمقاولات العامة المحدودة"},
			Requester: &countersign.Party{Type: "person", ID: "x", Name: "Donaudampfschifffahrtsgesellschaftskapitänswitwe von und zu Hohenstein-Oberpfaffenhofen"}})
		r.Requester.Name = "Donaudampfschifffahrtsgesellschaftskapitänswitwe"
		r.Approval.Reasons = append(r.Approval.Reasons, countersign.Reason{Rule: "vendor-" + strings.Repeat("very-", 12) + "long", State: countersign.True, Effect: countersign.OutcomeStepUp, Silenced: "known-vendors",
			Sentence: "شركة النور \u202edna\u202c asks for EUR 999 999 999 999.99 and " + strings.Repeat("more ", 60)})
		r.Decisions[0].Person.Name = "יעל כהן-לוי"
		r.Decisions[0].Reason = "<script>alert(1)</script> \"'>" + strings.Repeat("x", 300)
		r.Decisions[0].Void = "a stricter rule counts now"
		r.Decisions = append(r.Decisions, authority.DecisionLine{ID: "dec_3", Person: countersign.Principal{ID: galleryMe, Name: "Marta Lindqvist"}, ActingFor: &countersign.Principal{ID: "per_o", Name: "Omar Haddad"},
			Act: countersign.ActApprove, Factor: "passkey", BreakGlass: true, Simulated: true, Yours: true, At: galleryNow.Add(-time.Minute), Index: -1})
		for range 8 {
			r.Missing[0].Who = append(r.Missing[0].Who, countersign.Principal{ID: "per_y", Name: "Wolfeschlegelsteinhausenbergerdorff"})
		}
	})
}

// aroundSpecimens are the forms about a request.
func aroundSpecimens(s *Site) []specimen {
	var all []specimen
	add := func(page, state string, w any, title string) {
		all = append(all, specimen{page: page, state: state, view: view{name: page, title: title, area: "inbox", data: w}})
	}
	nothing := func(string) string { return "" }
	q := sampleReader(s, sampleRequest(), false)
	rejected, err := q.rejectView(nothing)
	if err != nil {
		panic(err)
	}
	add("reject", "empty", rejected, rejected.Title)
	rejected.Problem = &errorView{Title: s.texts.T("error.invalid"), Detail: s.texts.T("reject.choose")}
	rejected.Unexpected, rejected.Text = true, "This is not our letter."
	rejected.For = []option{{Text: s.texts.T("reject.for_yourself"), Chosen: true}, {Value: "per_omar", Text: s.texts.T("reject.for_other", "name", "Omar Haddad")}}
	add("reject", "refused", rejected, rejected.Title)
	rejected.Problem, rejected.For, rejected.StepUp = nil, nil, &stepUpFields{Verb: s.texts.T("reject.go"), Passkey: true}
	add("reject", "handed-over", rejected, rejected.Title)
	barred := sampleReader(s, sampleRequest(mayNot(countersign.StatusPending, authority.WhyNot{Code: approval.ObstacleNominated, Args: map[string]string{"by": "Omar Haddad"}})), false)
	no, err := barred.rejectView(nothing)
	if err != nil {
		panic(err)
	}
	add("reject", "forbidden", no, no.Title)
	frozen := q.freezeView(nothing)
	frozen.StepUp, frozen.After = stepUpFields{Verb: s.texts.T("freeze.verb"), Passkey: true, Code: true, Password: true, Login: "marta"}, true
	add("freeze", "after-rejecting", frozen, frozen.Title)
	none := barred.freezeView(nothing)
	add("freeze", "nothing", none, none.Title)
	card, err := q.card()
	if err != nil {
		panic(err)
	}
	back := aroundView{aboutRequest: q.about("withdraw.title"), Card: card, May: true, Most: countersign.MaxQuestionCharacters}
	add("withdraw", "empty", back, back.Title)
	back.May = false
	add("withdraw", "forbidden", back, back.Title)
	over := aroundView{aboutRequest: q.about("reassign.title"), May: true, Most: countersign.MaxQuestionCharacters,
		People: choices([]countersign.Principal{{ID: "per_omar", Name: "Omar Haddad"}, {ID: "per_y", Name: "יעל כהן-לוי"}, {ID: "per_a", Name: "Anna Schmidt"}, {ID: "per_b", Name: "Anna Schmidt"}}, "")}
	add("reassign", "people", over, over.Title)
	over.People = nil
	add("reassign", "nobody", over, over.Title)
	over.May = false
	add("reassign", "forbidden", over, over.Title)
	return all
}
