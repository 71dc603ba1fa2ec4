package web

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/tlog"
)

func explorerSpecimens(s *Site) []specimen {
	show := func(state string, change ...func(*auditView)) specimen {
		w := sampleLog(s)
		for _, c := range change {
			c(w)
		}
		title := s.texts.T("audit.title")
		if w.Entry != nil {
			title = s.texts.T("audit.entry", "n", w.Entry.Number)
		}
		return specimen{page: "audit", state: state, visitor: "controller", view: view{name: "audit", title: title, area: "audit", data: w}}
	}
	said := func(state, verdict, text string, vars ...any) func(*auditView) {
		return func(w *auditView) {
			w.Grown = checkView{State: state, Verdict: s.texts.T("audit.check." + verdict), Text: s.texts.T("audit.check."+text, vars...)}
		}
	}
	nothing := func(w *auditView) { w.Rows, w.Older = nil, "" }
	filtered := func(w *auditView) {
		w.Filter = auditFilter{Vendor: "V-100482", Object: "INV-77", Since: "2026-11-01"}
		w.Filtered = true
	}
	entry := func(checks ...[3]string) func(*auditView) {
		return func(w *auditView) { w.Entry, w.Rows[0].Current = sampleEntry(s, checks), true }
	}
	who := []any{"name", "Ruth Adler", "act", "approved", "key", "log.example.com/org_1+1f0a88c2", "size", "48 230"}
	good := [3]string{"included", "ok", s.texts.T("audit.check.included", who...)}
	log := s.texts.T("audit.check.signed_log", who...) + " "
	return []specimen{
		show("list"), show("empty", nothing, func(w *auditView) { w.Size = "0" }), show("nothing-fits", nothing, filtered),
		show("consistent", said("ok", "verdict_ok", "grown", "when", "23 Nov 2026, 17:04", "old", "48 102", "size", "48 230")),
		show("fork", said("no", "verdict_no", "grown_fork", "when", "23 Nov 2026, 17:04", "old", "48 102")),
		show("long", func(w *auditView) {
			for i := range w.Rows {
				w.Rows[i].About = longName(i) + " · " + longName(i+1) + " · INV-" + strings.Repeat("0123456789", 6)
			}
		}, entry()),
		show("entry", entry()),
		show("entry-checked", entry(good, [3]string{"signed", "ok", log + s.texts.T("audit.check.signed_person", who...)})),
		show("entry-wrong", entry([3]string{"included", "no", s.texts.T("audit.check.path")}, [3]string{"signed", "no", s.texts.T("audit.check.passkey_signature")})),
		show("entry-stated", entry(good, [3]string{"signed", "none", log + s.texts.T("audit.check.stated_code", who...)})),
		show("entry-tampered", entry(good), func(w *auditView) {
			w.Entry.Tampered, w.Entry.Receipt, w.Rows[0].About = true, "", s.texts.T("audit.tampered")
		}),
		show("entry-erased", entry(), func(w *auditView) {
			e := w.Entry
			e.Document, e.DocumentGone, e.Receipt = nil, true, ""
			for i := range e.Openings {
				e.Openings[i].Erased = true
			}
		}),
	}
}

func sampleLog(s *Site) *auditView {
	now := time.Date(2026, 11, 24, 10, 12, 0, 0, time.UTC)
	f := Format{}
	w := &auditView{Size: f.Count(48230), Types: s.texts.under("audit.type.", ""), People: []choice{{Value: "per_1", Text: "Ruth Adler"}}, Words: s.verdicts(),
		Older: "/audit?after=48208", Back: "/audit", Grown: s.notGrown()}
	w.Log = logView{Origin: "log.example.com/org_1", Keys: []string{"log.example.com/org_1+1f0a88c2+AbJ0mIVzQ1xkwGZ2Cw0Zt3FzO7M6pZ0cO2m1w0VxJc1k"}, Checkpoint: sampleCheckpoint}
	w.Log.Export = "countersign audit export log/\ncountersign audit verify log/ --key " + quoted(w.Log.Keys[0])
	what := func(t countersign.EntryType) string { return s.texts.T("audit.type." + string(t)) }
	for i, r := range []auditRow{{What: s.texts.T("audit.act.approve"), About: "Ruth Adler · Nordholz Logistik GmbH · VBC-9"}, {What: s.texts.T("audit.act.approve"), About: "Maria Lind · Nordholz Logistik GmbH · VBC-9"},
		{What: s.texts.T("audit.outcome.step_up"), About: "erp · Nordholz Logistik GmbH · VBC-9"}, {What: what(countersign.EntryPolicyPublished), About: "Ingrid Brandt"}, {What: what(countersign.EntryRequestReleased), About: "erp · Lipovka Fólie s.r.o. · INV-2026-118"}} {
		r.Number, r.Path = f.Count(int64(48212-i)), fmt.Sprintf("/audit/%d", 48212-i)
		r.At = f.Moment(s.texts, now.Add(-time.Duration(i*i*40+3)*time.Minute), now)
		w.Rows = append(w.Rows, r)
	}
	return w
}

const sampleCheckpoint = "log.example.com/org_1\n48230\nqB9mFzvYyTkGg0v3wq0c7rQXrH7cAq3q3gkxO5oVb7Q=\n\n— log.example.com/org_1 HwqIwm1vZ0e4c2Y2\n"

func sampleEntry(s *Site, checks [][3]string) *entryView {
	now := time.Date(2026, 11, 24, 10, 12, 0, 0, time.UTC)
	f := Format{}
	proof := verify.Proof{Index: 48212, Checkpoint: []byte(sampleCheckpoint)}
	for i := range 12 {
		proof.Path = append(proof.Path, tlog.Hash(sha256.Sum256([]byte{byte(i)})))
	}
	leaf := countersign.Leaf{Version: 1, ID: "ent_01KB0ZC4T3G8", Org: "org_1", Type: countersign.EntryDecisionMade, Time: "2026-11-24T10:09:00.000000Z", Subject: "req_01KB0ZB7R2D5", Actor: "per_01KA2M",
		Facts: map[string]string{"act": "approve", "assurance": "phishing_resistant", "status": "approved"}, Commitments: map[string]string{"decision": "7Qf0mB1rjSpnR0gJXv6v5mVJr4Qd3v8dE2T5nq0nX6c="}}
	e := &entryView{Number: f.Count(48212), What: s.texts.T("audit.act.approve"), Who: "Ruth Adler", WhoPath: "/audit?person=per_01KA2M", At: f.Moment(s.texts, now.Add(-3*time.Minute), now), Leaf: string(leaf.Bytes()), Facts: factsOf(leaf),
		Checks: s.unchecked(false), Request: "/r/" + leaf.Subject, ObjectPath: "/audit?object=INV-2026-118", Receipt: "/audit/48212/receipt", Openings: []openingView{{Name: "decision", Title: s.texts.T("audit.opening.decision"), Salt: "mB1rjSpnR0gJXv6v5mVJr4Qd3v8dE2T5nq0nX6c7Qf0=", Value: `{"act":"approve","at":"2026-11-24T10:09:00.000000Z"}`}},
		Command: "countersign audit verify " + leaf.Subject + ".receipt.json --key 'log.example.com/org_1+1f0a88c2+AbJ0mIVzQ1xkwGZ2Cw0Zt3FzO7M6pZ0cO2m1w0VxJc1k'"}
	verdict := func(name string) string { return s.texts.T("audit.check." + name) }
	for _, c := range checks {
		for i := range e.Checks {
			if e.Checks[i].Name == c[0] {
				e.Checks[i].State, e.Checks[i].Text, e.Checks[i].Verdict = c[1], c[2], verdict("verdict_"+c[1])
			}
		}
	}
	if err := e.draw(s.texts, f, string(proof.Bytes())); err != nil {
		panic(err) // the sample is a constant
	}
	doc := &countersign.Document{Kind: countersign.KindInvoice, ID: "INV-2026-118", Revision: "1", Amount: &countersign.Amount{Value: "123456789012.00", Currency: "EUR"}, Payee: &countersign.Payee{ID: "V-9", Name: "شركة الأفق للتجارة"}, Requester: &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor"}}
	if canonical, err := countersign.Canonical(doc); err == nil {
		if card, err := Card(canonical, nil, f, s.texts); err == nil {
			e.Document = &card
		}
	}
	return e
}
