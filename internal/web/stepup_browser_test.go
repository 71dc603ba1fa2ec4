package web_test

import (
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// answers makes the browser's authenticator answer wrongly, or rightly again.
func answers(b *testkit.Browser, a *testkit.Authenticator, bogus, unverified bool) {
	b.T.Helper()
	_, err := chromedp.Call(b.Ctx, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: a.ID, IsBogusSignature: &bogus, IsBadUV: &unverified})
	if err != nil {
		b.T.Fatal(err)
	}
}

// enrolInBrowser goes from the invitation's link to the welcome: the passkey, the second
// person, the sign-in.
func enrolInBrowser(b *testkit.Browser, s *testkit.Server, login, name string) {
	t := b.T.(*testing.T)
	samuel := s.Person("samuel")
	_, token := invite(s, login)
	b.Open(s.URL + "/enrol#" + token)
	b.WaitText("You are invited")
	b.Wait(`location.hash === '' && document.querySelector('input[name=token]').type === 'hidden'`)
	b.Screenshot("enrol-link")
	b.Click("form button")
	b.WaitText("choose what you will sign in and sign with")
	b.Type("input[name=name]", "My laptop")
	b.Click("[data-passkey]")
	b.WaitText("One step is left: a second person")
	digits := regexp.MustCompile(`\b\d{3} \d{3}\b`).FindString(b.Text())
	by := callerOf(t, s, samuel.Token)
	path := regexp.MustCompile(`/factors/fac_[a-z0-9]+/confirm`).FindString(by.get("/factors/confirm").Body)
	if a := by.byKey(samuel.Key, path, "compare", digits); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	b.Click("a.btn")
	b.WaitText("Sign in with a passkey")
	b.Click("[data-passkey]")
	b.WaitText("Welcome, " + name)
}

// TestFromTheLinkToTheReceipt is what an approver does, in a real browser with a real
// passkey: the invitation, the second person, the sign-in, forged answers that are
// refused, a document that changes behind their back, a double click, the way back.
func TestFromTheLinkToTheReceipt(t *testing.T) {
	s := settled(t)
	b := testkit.OpenBrowser(t)
	for _, status := range []string{"401", "403", "404", "409"} {
		b.Expect("status of " + status)
	}
	key := b.AddAuthenticator()
	enrolInBrowser(b, s, "marta", "Marta Silva")

	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	approve := func(bogus, unverified bool, want string) {
		t.Helper()
		answers(b, key, bogus, unverified)
		b.Open(s.URL + "/r/" + order.ID + "/approve")
		b.Click("[data-passkey]")
		b.WaitText(want)
	}
	approve(true, false, "That did not prove who you are")
	approve(false, true, "That did not prove who you are")
	answers(b, key, false, false)
	if got := getRequest(s, order.ID); got.Status != countersign.StatusPending || len(got.Decisions) != 0 {
		t.Fatalf("a forged answer decided: %+v", got.Decisions)
	}

	b.Open(s.URL + "/r/" + order.ID + "/approve")
	b.WaitText("You are about to approve this")
	var newer countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "80000.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: order.ID}), &newer)
	b.Click("[data-passkey]")
	b.WaitText("This was replaced while you looked at it")
	b.WaitText("80\u202f000.00")
	b.Wait(`document.querySelector('[data-passkey]').checkVisibility() === false`)
	b.Screenshot("replaced")

	b.Open(s.URL + "/r/" + newer.ID + "/approve")
	b.WaitText("You are about to approve this")
	b.Do(chromedp.SendKeys(chromedp.CSS("textarea[name=reason]"), "as agreed"))
	testkit.Eval[bool](b, `(() => { const k = document.querySelector('[data-passkey]'); k.click(); k.click(); k.click(); return true })()`)
	b.WaitText("Your approval is recorded")
	b.Click(".verify summary")
	b.WaitText("countersign audit verify")
	b.Screenshot("receipt")
	b.Do(chromedp.Reload())
	b.WaitText("Your approval is recorded")
	testkit.Eval[bool](b, `(history.back(), true)`)
	b.WaitText("You have decided on this")
	got := getRequest(s, newer.ID)
	if len(got.Decisions) != 1 || got.Decisions[0].Reason != "as agreed" || got.Decisions[0].Evidence.Passkey == nil {
		t.Errorf("%+v", got.Decisions)
	}
	byKeysAlone(b, s)
}

// byKeysAlone goes from the inbox to the receipt without a pointer: every stop on the way
// can be seen, and the key that signs is among them.
func byKeysAlone(b *testkit.Browser, s *testkit.Server) {
	t := b.T.(*testing.T)
	order := s.Submit(testkit.Order("PO-K", "31000.00", func(d *countersign.Document) { d.Category = "keys" }))
	b.Open(s.URL + "/")
	b.WaitText("PO-K")
	b.Keys("j")
	b.Keys("a")
	b.Wait(`document.readyState === 'complete' && location.pathname === '/r/` + order.ID + `/approve'`)
	for range 60 {
		b.Keys("\t")
		if hidden := testkit.Eval[string](b, `(() => { const e = document.activeElement, c = getComputedStyle(e); return e === document.body || c.outlineStyle !== 'none' || e.matches(':focus-visible') && c.boxShadow !== 'none' ? '' : e.outerHTML.slice(0, 200) })()`); hidden != "" {
			t.Errorf("where the focus is cannot be seen: %s", hidden)
		}
		if testkit.Eval[bool](b, `document.activeElement.matches('[data-passkey]')`) {
			b.Keys("\r")
			b.WaitText("Your approval is recorded")
			if got := getRequest(s, order.ID); got.Status != countersign.StatusApproved {
				t.Errorf("it is %s", got.Status)
			}
			return
		}
	}
	t.Error("the key that signs is never reached")
}
