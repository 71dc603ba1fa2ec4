package web_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
)

// TestAdministrationByHand is what an administrator does in a real browser: choose how
// numbers are shown and see it at once, make a key and freeze with a passkey, be told on
// the page why not, and find somebody without a script.
func TestAdministrationByHand(t *testing.T) {
	s := settled(t)
	b := testkit.OpenBrowser(t)
	b.Expect("status of 409")
	b.AddAuthenticator()
	enrolInBrowser(b, s, "marta", "Marta Silva")
	ids, err := s.Authority.IdentifyOffline(t.Context(), authority.Directory, "marta")
	s.Must(err)
	var asked countersign.Approval
	s.Call("POST", "/v1/proposals", s.Person("samuel").Token, authority.Proposal{Kind: countersign.KindPeopleChange, ID: ids["marta"], Subject: "The third of us",
		Changes: []countersign.Change{{Field: "group.add", To: "administrators"}}}, &asked)
	agree(t, s, "claire", asked.ID)

	b.Open(s.URL + "/preferences")
	b.WaitText("It looks like this")
	b.Click("input[name=numbers][value=point-comma]")
	b.WaitText("EUR\u00a01.234.567,89")
	b.Type("input[name=zone]", "Asia/Tokyo")
	b.Click("form .wide-btn")
	b.WaitText("Kept.")
	b.WaitText("JST")

	b.Open(s.URL + "/admin/keys/new")
	b.Type("input[name=name]", "Nightly run")
	b.Type("input[name=source]", "sap")
	b.Click("input[value=submit]")
	days := func(n string) bool {
		return testkit.Eval[bool](b, `!!(document.querySelector('input[name=days]').value = '`+n+`')`)
	}
	days("900")
	b.Click("[data-passkey]")
	b.Wait(`document.querySelector('input[name=days]:invalid')`)
	days("30")
	b.Click("[data-passkey]")
	b.WaitText("It is shown this once")
	b.Open(s.URL + "/admin/keys")
	b.WaitText("Nightly run")

	for _, says := range []string{"Frozen, from now on.", "extending a freeze is for two people"} {
		b.Open(s.URL + "/admin/freezes/new?vendor=V-1")
		b.WaitText("Nordwind Technik GmbH")
		testkit.Eval[bool](b, `!!(document.querySelector('textarea[name=reason]').value = 'An odd letter')`)
		b.Click("[data-passkey]")
		b.WaitText(says)
	}

	b.Scripts(false)
	b.Open(s.URL + "/admin/people?q=elif")
	b.Click(".people-list a")
	b.WaitText("they decide on nothing")
}
