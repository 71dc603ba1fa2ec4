package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
)

// TestDayWithoutScripts is a day with JavaScript off: everything but passkeys works, from
// the sign-in to the sign-out.
func TestDayWithoutScripts(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	var asked countersign.Approval
	s.Call("POST", "/v1/proposals", s.Person("samuel").Token, authority.Proposal{Kind: countersign.KindPeopleChange, ID: marta.ID, Subject: "She looks after the policy",
		Changes: []countersign.Change{{Field: "group.add", To: "controllers"}}}, &asked)
	agree(t, s, "claire", asked.ID)
	marta.EnrolCode()
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	b := testkit.OpenBrowser(t)
	b.Scripts(false)

	b.Open(s.URL + "/")
	b.WaitText("A passkey needs JavaScript")
	b.Type("input[name=login]", "marta")
	b.Type("input[name=password]", testkit.Password)
	b.Type("input[name=totp]", marta.Code(0))
	b.Click("form button.wide-btn:not([hidden])")
	b.WaitText("PO-1")
	b.Screenshot("no-scripts-inbox")

	b.Click(`main a[href*="` + order.ID + `"]`)
	b.WaitText("Purchase order PO-1")
	b.Click(`a[data-act="approve"]`)
	b.WaitText("You are about to approve this")
	b.Type("textarea[name=reason]", "as agreed in spring")
	if testkit.Eval[bool](b, `!!document.querySelector('details.other:not([open])')`) {
		b.Click("details.other summary")
	}
	s.Clock.Forward(31 * time.Second) // a code counts once
	if testkit.Eval[bool](b, `!!document.querySelector('input[name=password]')`) {
		b.Type("input[name=password]", testkit.Password)
	}
	b.Type("input[name=totp]", marta.Code(0))
	b.Click("button[value=code]")
	b.WaitText("Your approval is recorded")
	if got := getRequest(s, order.ID); got.Status != countersign.StatusApproved || got.Decisions[0].Reason != "as agreed in spring" {
		t.Errorf("%s %+v", got.Status, got.Decisions)
	}
	b.Click(".verify summary")
	b.WaitText("countersign audit verify")

	b.Open(s.URL + "/preferences")
	b.Click("input[name=numbers][value=point-comma]")
	b.Type("input[name=zone]", "Asia/Tokyo")
	b.Click("form .wide-btn")
	b.WaitText("Kept.")
	b.WaitText("JST")
	b.Open(s.URL + "/r/" + order.ID)
	b.WaitText("30.000,00")

	b.Open(s.URL + "/policy/draft")
	b.WaitText("which is in force")
	b.Type("textarea[name=policy]", "policy: p\ncurrency: EUR\nruls: []\n")
	b.Click("form .policy-head button")
	b.WaitText(`did you mean "rules"?`)

	b.Click(".top details summary")
	b.Click(`form[action="/sign-out"] button`)
	b.WaitText("Sign in")
	b.Open(s.URL + "/r/" + order.ID)
	b.WaitText("Or with your password")
	if strings.Contains(b.Text(), "PO-1") {
		t.Error("signed out, and the request is still shown")
	}
}
