package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// TestHoldInABrowser is a change of bank details to its end: two treasurers approve it,
// the last of them in a browser with its own passkey; every page says until when it is
// held, a release before that is refused, and one after it goes through.
func TestHoldInABrowser(t *testing.T) {
	s := settled(t)
	b := testkit.OpenBrowser(t)
	b.AddAuthenticator()
	account := &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
	s.Vendor("V-2", "Nordholz Logistik GmbH", 6, account)
	doc := testkit.Order("VBC-1", "1.00", func(d *countersign.Document) {
		d.Kind, d.Amount, d.Category, d.CostCentre = countersign.KindVendorBankChange, nil, "", ""
		d.Payee = &countersign.Payee{ID: "V-2", Name: "Nordholz Logistik GmbH", Account: &countersign.Account{Scheme: "iban", Value: "DE12500105170648489890"}}
		d.Changes = []countersign.Change{{Field: "account", From: account.Value, To: "DE12500105170648489890"}}
	})
	change := s.Submit(doc)
	if _, p := s.Person("amara").ByPasskey(change.ID, countersign.ActApprove); p != nil {
		t.Fatal(p)
	}
	enrolInBrowser(b, s, "tomas", "Tomas Horak")

	b.Open(s.URL + "/r/" + change.ID + "/approve")
	b.WaitText("You are about to approve this")
	b.Do(chromedp.SendKeys(chromedp.CSS(`[name="answer.callback"]`), "yes, +49 40 1234"))
	b.Click("[data-passkey]")
	b.WaitText("Your approval is recorded")
	b.WaitText("Held: nothing is released before")
	held := getRequest(s, change.ID)
	if held.Status != countersign.StatusApproved || len(held.Decisions) != 2 || held.Decisions[1].Evidence.Passkey == nil {
		t.Fatalf("%s %+v", held.Status, held.Decisions)
	}
	until, err := time.Parse(time.RFC3339Nano, held.NotBefore)
	s.Must(err)
	if left := until.Sub(s.Clock.Now()); left < 23*time.Hour || left > 24*time.Hour {
		t.Fatalf("held for %s", left)
	}
	said := `[...document.querySelectorAll('main time')].some(m => Math.abs(new Date(m.dateTime) - new Date('` + until.Format(time.RFC3339) + `')) < 2000)`
	for _, path := range []string{"/r/" + change.ID + "/receipt", "/r/" + change.ID} {
		b.Open(s.URL + path)
		b.Wait(said)
	}
	holds := as(t, s, "claire").get("/holds")
	holds.has(t, "VBC-1")
	if !strings.Contains(holds.Body, until.Format(`datetime="2006-01-02T15:04`)) {
		t.Errorf("the list of holds does not say until when: %s", holds.text())
	}

	release := func(execution string) *countersign.Problem {
		return s.Try("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: change.ID, Document: testkit.Raw(doc), Execution: execution}, nil)
	}
	s.Refused(release("early"), countersign.CodeNotReleasable)
	s.Clock.Forward(until.Sub(s.Clock.Now()) - time.Minute)
	s.Refused(release("a minute early"), countersign.CodeNotReleasable)
	s.Clock.Forward(2 * time.Minute)
	if p := release("run-1"); p != nil {
		t.Fatalf("after the hold: %v %+v", p, p.Reasons)
	}
	b.Open(s.URL + "/r/" + change.ID) // the session has ended meanwhile
	b.WaitText("Sign in with a passkey")
	b.Click("[data-passkey]")
	b.WaitText("Released")
	if testkit.Eval[bool](b, said) {
		t.Error("the page still says that it is held")
	}
}
