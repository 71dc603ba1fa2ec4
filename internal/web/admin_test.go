package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/testkit"
)

// as is a browser in which somebody is signed in.
func as(t *testing.T, s *testkit.Server, login string) *caller {
	t.Helper()
	return callerOf(t, s, s.Person(login).Token)
}

// proposed follows a proposal to its page, and returns the request that it became.
func (c *caller) proposed(a shown) (request string, page shown) {
	c.t.Helper()
	if a.Status != 303 || !strings.HasPrefix(a.To, "/proposed/req_") {
		c.t.Fatalf("proposed: %d %s %s", a.Status, a.To, a.text())
	}
	return strings.TrimPrefix(a.To, "/proposed/"), c.get(a.To)
}

func agree(t *testing.T, s *testkit.Server, login, request string) *countersign.Approval {
	t.Helper()
	a, problem := s.Person(login).ByPasskey(request, countersign.ActApprove)
	if problem != nil {
		t.Fatalf("%s does not agree: %v", login, problem)
	}
	return a
}

// TestAdministrationIsForWhomItIs: to everybody else its pages are not there, neither to
// look at nor to press.
func TestAdministrationIsForWhomItIs(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta").ID
	register := []string{"/admin", "/admin/people", "/admin/people/" + marta, "/admin/delegations", "/admin/keys", "/admin/alerts", "/admin/freezes", "/admin/freezes/new", "/admin/break-glass", "/admin/settings"}
	administrators := []string{"/admin/people/new", "/admin/people/" + marta + "/change", "/admin/people/" + marta + "/invite", "/admin/people/" + marta + "/reset",
		"/admin/people/" + marta + "/sign-out", "/admin/people/" + marta + "/break-glass", "/admin/keys/new", "/admin/keys/" + s.KeyID + "/revoke", "/admin/rotate/log", "/admin/settings/cool_off_seconds"}
	for login, sees := range map[string][2]int{"samuel": {200, 200}, "noor": {200, 404}, "marta": {404, 404}} {
		c := as(t, s, login)
		for i, paths := range [][]string{register, administrators} {
			for _, path := range paths {
				if a := c.get(path); a.Status != sees[i] {
					t.Errorf("%s opens %s: %d, want %d", login, path, a.Status, sees[i])
				}
			}
		}
		if sees[1] == 404 {
			for _, path := range administrators {
				if a := c.post(path, "reason", "because", "phase", "begin"); a.Status != 404 {
					t.Errorf("%s presses %s: %d", login, path, a.Status)
				}
			}
		}
	}
	if a := callerOf(t, s, "").get("/admin"); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
		t.Errorf("a stranger: %d %s", a.Status, a.To)
	}
	noor := as(t, s, "noor")
	noor.get("/admin/people/"+marta).lacks(t, "Invite", "Reset", "Sign them out", "/change")
	for _, path := range []string{"/admin/people/per_00000000000000000000000000", "/admin/keys/key_0/revoke", "/admin/rotate/other", "/admin/settings/unknown", "/admin/alerts/alt_0/close", "/admin/freezes/frz_0/lift",
		"/admin/break-glass/req_0/review", "/delegations/del_0/end", "/proposed/req_0"} {
		if a := as(t, s, "samuel").get(path); a.Status != 404 {
			t.Errorf("%s, which is not there: %d", path, a.Status)
		}
	}
}

// TestRightsAreChangedByTwo: one administrator proposes from a form, another decides;
// until then nothing is different, and who proposed cannot decide.
func TestRightsAreChangedByTwo(t *testing.T) {
	s := settled(t)
	c, elif := as(t, s, "samuel"), s.Person("elif").ID
	path := "/admin/people/" + elif + "/change"
	form := c.get(path)
	form.has(t, "Change what Elif Kaya may do", "Another administrator decides", "See everything, change nothing.")
	fields := append(form.hidden(), "active", "1", "group", "approvers", "another", "site_leads", "kind", "", "amount", "30 000 EUR", "reason", "She leads the <b>site</b> in Emden")
	request, page := c.proposed(c.post(path, fields...))
	page.has(t, "Proposed", "Nothing has changed yet", "approvers", "site_leads", "30\u202f000.00\u00a0EUR", "She leads the <b>site</b> in Emden")
	if !strings.Contains(page.Body, `href="/r/`+request+`"`) {
		t.Error("no link to the request")
	}
	person := c.get("/admin/people/" + elif)
	person.has(t, "None: they decide on nothing.", "Changes that wait for a decision", "proposed by Samuel Osei")
	if again := c.post(path, fields...); again.Status != 303 {
		t.Errorf("a second proposal of the same: %d", again.Status)
	}
	if _, problem := s.Person("samuel").ByPasskey(request, countersign.ActApprove); problem == nil {
		t.Error("who proposed decides")
	}
	c.get("/admin").has(t, "Change of a person's rights")
	agree(t, s, "claire", request)
	c.get("/admin/people/"+elif).has(t, "approvers", "site_leads", "EUR\u00a030\u202f000.00")
	c.get("/proposed/"+request).has(t, "Done", "It is in effect")
	if late := c.post(path, fields...); late.Status != 409 || !strings.Contains(late.text(), "were changed while you had this form open") {
		t.Errorf("from what is no longer so: %d %s", late.Status, late.text())
	}
	if late := c.post(path, append(fields, "another", "something_else")...); strings.Contains(late.Body, "something_else") {
		t.Error("what was typed stands in a form that was made from something else")
	}
	fresh := c.get(path).hidden()
	if none := c.post(path, append(fresh, "active", "1", "group", "approvers", "group", "site_leads", "limit", "30000.00 EUR", "reason", "r")...); none.Status != 400 || !strings.Contains(none.text(), "Nothing is different") {
		t.Errorf("nothing: %d %s", none.Status, none.text())
	}
	if wrong := c.post(path, append(fresh, "active", "1", "limit", "lots", "reason", "r")...); wrong.Status != 400 || !strings.Contains(wrong.text(), "want an amount with its currency") || !strings.Contains(wrong.Body, `value="lots"`) {
		t.Errorf("an amount that is none: %d %s", wrong.Status, wrong.text())
	}
	request, page = c.proposed(c.post(path, append(fresh, "group", "approvers", "limit", "", "privileged", "1", "reason", "She left")...))
	page.has(t, "site_leads", "30\u202f000.00\u00a0EUR")
	agree(t, s, "claire", request)
	c.get("/admin/people/"+elif).has(t, "Not active", "Elevated rights", "No limit of their own")
}

// TestResetIsForTwo: what somebody proves themself with goes when a second administrator
// has agreed, and an invitation, shown once, lets them begin anew.
func TestResetIsForTwo(t *testing.T) {
	s := settled(t)
	c, marta := as(t, s, "samuel"), s.Person("marta")
	path := "/admin/people/" + marta.ID
	c.get(path).has(t, "my passkey", "In one place now.")
	request, _ := c.proposed(c.post(path+"/reset", "reason", "Her laptop was stolen"))
	c.get(path).has(t, "my passkey", "Reset of a person's authenticators")
	agree(t, s, "claire", request)
	c.get(path).has(t, "Nothing yet. They cannot sign in", "Nowhere now.")
	if a := as(t, s, "marta").get("/factors"); a.Status != 303 {
		t.Errorf("her session lives on: %d", a.Status)
	}
	c.get(path+"/invite").lacks(t, "/enrol#")
	if a := c.post(path + "/invite"); a.Status == 200 {
		t.Errorf("a link without a step-up: %s", a.text())
	}
	made := c.byKey(s.Person("samuel").Key, path+"/invite")
	link := regexp.MustCompile(`/enrol#([^<]+)<`).FindStringSubmatch(made.Body)
	if made.Status != 200 || link == nil {
		t.Fatalf("%d %s", made.Status, made.text())
	}
	s.Secret(link[1])
	made.has(t, "shown this once", "another administrator, not you, confirms")
	her := callerOf(t, s, "")
	if a := her.post("/enrol", "token", link[1]); a.Status != 303 {
		t.Errorf("redeemed: %d %s", a.Status, a.text())
	}
	if a := her.enrolKey(softkey.New(), "name", "new laptop"); a.Status != 303 {
		t.Errorf("enrolled: %d %s", a.Status, a.text())
	}
	c.get("/admin").has(t, "1 enrolment to confirm")
	c.get(path).has(t, "new laptop", "Waits for a second person")
}

// TestSomebodyIsAddedAndSignedOut: by one administrator, who proves themself for the one
// and not for the other; whoever is added may do nothing.
func TestSomebodyIsAddedAndSignedOut(t *testing.T) {
	s := settled(t)
	samuel := s.Person("samuel")
	c := as(t, s, "samuel")
	if a := c.byKey(samuel.Key, "/admin/people/new", "name", "Marta Again", "login", "MARTA"); a.Status != 409 || !strings.Contains(a.text(), "Marta Silva already") {
		t.Errorf("twice: %d %s", a.Status, a.text())
	}
	if a := c.post("/admin/people/new", "name", "Jonas Weber", "login", "jonas", "password", "x", "totp", "000000"); a.Status != 401 || !strings.Contains(a.Body, `value="Jonas Weber"`) {
		t.Errorf("not proven: %d %s", a.Status, a.text())
	}
	a := c.byKey(samuel.Key, "/admin/people/new", "name", "Jonas Weber", "login", "jonas", "email", "jonas@example.com")
	if a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	c.get(a.To).has(t, "Added. Now invite them", "Jonas Weber", "None: they decide on nothing.")
	c.get("/admin/people?q=JONAS").has(t, "Jonas Weber", "jonas@example.com")
	c.get("/admin/people?q=jonas").lacks(t, "Marta Silva")
	c.get("/admin/people?group=treasury").has(t, "Ingrid Berg", "Tomas Horak")
	c.get("/admin/people?q=zzz").has(t, "Nobody on record is like that")
	marta := s.Person("marta")
	if a := c.post("/admin/people/" + marta.ID + "/sign-out"); a.Status != 303 {
		t.Errorf("signed out: %d %s", a.Status, a.text())
	}
	if a := as(t, s, "marta").get("/factors"); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
		t.Errorf("her session lives on: %d", a.Status)
	}
}

// TestFoundingIsDoneAtOnce: the first administrator makes the second by the pages alone,
// and every page says that the organisation is founding until then.
func TestFoundingIsDoneAtOnce(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	samuel := s.Person("samuel")
	c := as(t, s, "samuel")
	c.get("/admin").has(t, "being founded", "There is one administrator.")
	a := c.byKey(samuel.Key, "/admin/people/new", "name", "Claire Dubois", "login", "claire2")
	if a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	path := strings.TrimSuffix(a.To, "?said=added")
	form := c.get(path + "/change")
	form.has(t, "takes effect at once, by you alone")
	c.get(path).has(t, "Login name claire2")
	c.get(path+"/invite").has(t, "what they enrol counts at once, nobody has to confirm it")
	c.get(path+"/invite").lacks(t, "another administrator, not you")
	_, page := c.proposed(c.post(path+"/change", append(form.hidden(), "active", "1", "group", "administrators", "reason", "The second of us")...))
	page.has(t, "Done", "It is in effect")
	c.get("/admin").has(t, "There are 2 administrators.", "being founded")
	c.get("/admin/keys/new").has(t, "Appoint people")
}

// TestSettingsAreChangedByTwo proposes in words that people use, from the value that was
// shown.
func TestSettingsAreChangedByTwo(t *testing.T) {
	s := settled(t)
	c := as(t, s, "samuel")
	c.get("/admin/settings").has(t, "Wait after a new authenticator", "0\u00a0s", "By default 1\u00a0d", "Break-glass: most for one use", "off", s.URL)
	path := "/admin/settings/session_idle_seconds"
	form := c.get(path)
	form.has(t, "A session ends unused after", "1\u00a0min to 1\u00a0d")
	for value, says := range map[string]string{"lots": "Want a whole number", "99999999999999": "Want a whole number", "300": "rom 60 to 86400"} {
		if a := c.post(path, append(form.hidden(), "value", value, "unit", "days", "reason", "r")...); a.Status != 400 || !strings.Contains(a.text(), says) {
			t.Errorf("%s days: %d %s", value, a.Status, a.text())
		}
	}
	request, page := c.proposed(c.post(path, append(form.hidden(), "value", "30", "unit", "minutes", "reason", "The auditors ask for it")...))
	page.has(t, "3\u202f600", "1\u202f800", "Session ends when idle")
	c.get("/admin/settings").has(t, "Changes that wait for a decision")
	agree(t, s, "claire", request)
	c.get("/admin/settings").has(t, "30\u00a0min", "By default 1\u00a0h")
	if a := c.post(path, append(form.hidden(), "value", "20", "unit", "minutes", "reason", "r")...); a.Status != 409 || !strings.Contains(a.text(), "the change was made from") {
		t.Errorf("from what is no longer so: %d %s", a.Status, a.text())
	}
	glass := "/admin/settings/break_glass_amount"
	request, _ = c.proposed(c.post(glass, append(c.get(glass).hidden(), "value", "EUR 40 000", "reason", "For the night")...))
	agree(t, s, "claire", request)
	c.get("/admin/break-glass").has(t, "EUR\u00a040\u202f000.00")
	kinds := "/admin/settings/kinds"
	request, _ = c.proposed(c.post(kinds, append(c.get(kinds).hidden(), "value", "contract,\nlease_agreement", "reason", "They need it")...))
	agree(t, s, "claire", request)
	c.get("/admin/settings").has(t, "contract, lease_agreement")
}

// TestPreferences: what is chosen is what pages show from then on; what is no choice is
// refused in words.
func TestPreferences(t *testing.T) {
	s := settled(t)
	c := as(t, s, "marta")
	c.get("/preferences").has(t, "1\u202f234\u202f567.89", "1.234.567,89", "UTC")
	if a := c.post("/preferences", "zone", "Europe/Atlantis", "numbers", "point-comma", "dates", "iso"); a.Status != 400 || !strings.Contains(a.text(), "want a time zone by its IANA name") || !strings.Contains(a.Body, `value="Europe/Atlantis"`) {
		t.Errorf("%d %s", a.Status, a.text())
	}
	if a := c.post("/preferences", "zone", "Asia/Tokyo", "numbers", "point-comma", "dates", "iso"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	page := c.get("/preferences?said=kept")
	tokyo := s.Clock.Now().In(time.FixedZone("JST", 9*3600))
	page.has(t, "Kept.", tokyo.Format("2006-01-02"), "JST", "EUR\u00a01.234.567,89")
	example := c.get("/preferences/example?zone=America/New_York&numbers=comma-point&dates=month-day")
	example.has(t, "EUR\u00a01,234,567.89")
	example.lacks(t, "<html")
	for _, q := range []string{"?zone=../../etc/passwd&numbers=iso&dates=iso", "?numbers=comma-point", ""} {
		if a := c.get("/preferences/example" + q); a.Status != 404 {
			t.Errorf("%s: %d", q, a.Status)
		}
	}
	c.get("/preferences/example?zone=Local&numbers=comma-point&dates=iso").has(t, "No time zone has this name")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c.get("/r/"+order.ID).has(t, "30.000,00")
}

// TestStrangeTextsAreOnlyText: what people type comes back as text, wherever it is shown.
func TestStrangeTextsAreOnlyText(t *testing.T) {
	s := settled(t)
	const evil = `<img src=x onerror=alert(1)>"'`
	samuel := s.Person("samuel")
	c := as(t, s, "samuel")
	a := c.byKey(samuel.Key, "/admin/people/new", "name", evil, "login", "evil")
	if a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	path := strings.TrimSuffix(a.To, "?said=added")
	request, _ := c.proposed(c.post(path+"/change", append(c.get(path+"/change").hidden(), "active", "1", "another", "approvers", "reason", evil)...))
	s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "a1", Severity: "high", Title: evil, Owner: evil, About: countersign.AlertSubject{Vendor: evil}}, nil)
	c.byKey(samuel.Key, "/admin/freezes/new", "vendor", evil, "hours", "4", "reason", evil)
	c.byKey(samuel.Key, "/admin/keys/new", "name", evil, "source", "sap", "scope", "submit", "days", "30")
	for _, page := range []string{"/admin", "/admin/people", path, path + "/change", path + "/reset", path + "/invite", "/proposed/" + request, "/admin/alerts", "/admin/freezes", "/admin/keys", "/admin/freezes/new?vendor=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"} {
		a := c.get(page)
		if strings.Contains(a.Body, "<img") {
			t.Errorf("%s shows markup", page)
		}
		if !strings.Contains(a.text(), "<img src=x") {
			t.Errorf("%s does not show the text: %d %s", page, a.Status, a.text())
		}
	}
}

// TestRotateByHand: after a step-up, with the log saying so.
func TestRotateByHand(t *testing.T) {
	s := settled(t)
	samuel, before := s.Person("samuel"), len(s.Authority.Verifiers())
	c := as(t, s, "samuel")
	for _, kind := range []string{checkpoint.KindLog, checkpoint.KindSeal, checkpoint.KindHMAC} {
		path := "/admin/rotate/" + kind
		if a := c.post(path, "password", "x", "totp", "000000"); a.Status != 401 {
			t.Errorf("%s, not proven: %d %s", kind, a.Status, a.text())
		}
		c.get(path).has(t, "Rotate it", "Copy the keys folder again")
		a := c.byKey(samuel.Key, path)
		if a.Status != 303 {
			t.Fatalf("%s: %d %s", kind, a.Status, a.text())
		}
		c.get(a.To).has(t, "Rotated.")
	}
	if n := len(s.Authority.Verifiers()); n != before+1 {
		t.Errorf("%d keys of the log, %d before", n, before)
	}
}
