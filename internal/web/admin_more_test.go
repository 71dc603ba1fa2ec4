package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
)

// TestKeyIsShownOnce: a key is made for what the form says, after a step-up; it works, is
// shown no second time, and works no more once it is revoked.
func TestKeyIsShownOnce(t *testing.T) {
	s := settled(t)
	samuel := s.Person("samuel")
	c := as(t, s, "samuel")
	form := c.get("/admin/keys/new")
	form.has(t, "Hand in requests", "Read the log")
	form.lacks(t, "Appoint people")
	fields := []string{"name", "Nightly run", "source", "sap", "scope", "audit", "scope", "submit", "returns", "https://erp.example.com", "days", "20"}
	if a := c.byKey(samuel.Key, "/admin/keys/new", append(fields[:len(fields)-1:len(fields)-1], "900")...); a.Status != 400 || !strings.Contains(a.text(), "want 1 to 730") || !strings.Contains(a.Body, `value="Nightly run"`) {
		t.Errorf("900 days: %d %s", a.Status, a.text())
	}
	if a := c.byKey(samuel.Key, "/admin/keys/new", "name", "n", "source", "sap", "scope", "provisioning", "days", "1"); a.Status != 403 {
		t.Errorf("a key that appoints people: %d %s", a.Status, a.text())
	}
	made := c.byKey(samuel.Key, "/admin/keys/new", fields...)
	key := regexp.MustCompile(`id="api-key"[^>]*>([^<]+)<`).FindStringSubmatch(made.Body)
	if made.Status != 200 || key == nil || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", made.Status, made.text())
	}
	s.Secret(key[1])
	made.has(t, "shown this once", "Hand in requests")
	list := c.get("/admin/keys")
	list.has(t, "Nightly run", "sap", "Read the log", "Made by Samuel Osei", "https://erp.example.com", "Made by the operator")
	list.lacks(t, key[1])
	c.get("/admin").has(t, "1 key that ends within 30 days")
	client := s.Client(key[1])
	order := testkit.Order("PO-9", "30000.00")
	if _, err := client.Submit(t.Context(), countersign.RequestBody{Document: testkit.Raw(order)}); err != nil {
		t.Errorf("the key does not work: %v", err)
	}
	path := regexp.MustCompile(`/admin/keys/key_[a-z0-9]+/revoke`).FindString(list.Body)
	c.get(path).has(t, "Revoke “Nightly run”", "It does not come back")
	if a := c.post(path); a.Status != 303 {
		t.Fatalf("revoked: %d %s", a.Status, a.text())
	}
	c.get("/admin/keys?said=revoked").has(t, "Revoked. It works no more.", "One key that works no more")
	if a := c.get(path); a.Status != 404 {
		t.Errorf("revoked twice: %d", a.Status)
	}
	s.Clock.Forward(2 * time.Second)
	if _, err := client.Submit(t.Context(), countersign.RequestBody{Document: testkit.Raw(order)}); err == nil {
		t.Error("the key works on")
	}
}

// TestAlertIsClosedByTwo: a controller proposes, another person decides; what it is about
// is said by name.
func TestAlertIsClosedByTwo(t *testing.T) {
	s := settled(t)
	c := as(t, s, "claire")
	c.get("/admin/alerts").has(t, "No alerts")
	s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "a1", Severity: "critical", Title: "The mailbox was taken over", About: countersign.AlertSubject{Vendor: "V-1"}}, nil)
	s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "a2", Severity: "low", Title: "A strange call", About: countersign.AlertSubject{Person: "marta"}}, nil)
	list := c.get("/admin/alerts")
	list.has(t, "The mailbox was taken over", "critical", "Nordwind Technik GmbH (V-1)", "A strange call", "Marta Silva", "Raised by erp")
	as(t, s, "noor").get("/admin/alerts").lacks(t, "Close A strange call")
	path := regexp.MustCompile(`/admin/alerts/[a-z0-9_]+/close`).FindAllString(list.Body, -1)[1]
	c.get(path).has(t, "Close an alert", "The mailbox was taken over", "weighed no more")
	if a := c.post(path, "reason", " "); a.Status != 400 || !strings.Contains(a.text(), "Say why") {
		t.Errorf("without a reason: %d %s", a.Status, a.text())
	}
	request, _ := c.proposed(c.post(path, "reason", "It was the vendor’s own test"))
	agree(t, s, "samuel", request)
	c.get("/admin/alerts").lacks(t, "The mailbox was taken over")
	c.get("/admin/alerts?show=all").has(t, "The mailbox was taken over", "Closed by Samuel Osei")
	if a := c.get(path); a.Status != 404 {
		t.Errorf("closed twice: %d", a.Status)
	}
}

// TestRuling22FreezeIsPlacedByOneAndChangedByTwo: whose name it is is read before it is
// pressed; extending and lifting are for two people, and not for its subject.
func TestRuling22FreezeIsPlacedByOneAndChangedByTwo(t *testing.T) {
	s := settled(t)
	samuel, marta := s.Person("samuel"), s.Person("marta")
	c := as(t, s, "samuel")
	c.get("/admin/freezes").has(t, "Nothing is frozen")
	c.get("/admin/freezes/new").has(t, "Number of the vendor")
	c.get("/admin/freezes/new?vendor=V-1").has(t, "Nordwind Technik GmbH", "ends by itself")
	c.get("/admin/freezes/new?vendor=V-99").has(t, "No vendor with this number is on record")
	if a := c.post("/admin/freezes/new", "vendor", "V-1", "hours", "4", "reason", "odd", "password", "x", "totp", "000000"); a.Status != 401 {
		t.Errorf("not proven: %d", a.Status)
	}
	if a := c.byKey(samuel.Key, "/admin/freezes/new", "vendor", "V-1", "hours", "4", "reason", "An odd letter"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := c.byKey(samuel.Key, "/admin/freezes/new", "person", marta.ID, "hours", "72", "reason", "Her telephone was stolen"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	list := c.get("/admin/freezes")
	list.has(t, "Nordwind Technik GmbH (V-1)", "An odd letter", "Placed by Samuel Osei", "Marta Silva")
	if a := c.byKey(samuel.Key, "/admin/freezes/new", "vendor", "V-1", "hours", "4", "reason", "again"); a.Status != 409 || !strings.Contains(a.text(), "frozen until") {
		t.Errorf("twice: %d %s", a.Status, a.text())
	}
	path := regexp.MustCompile(`/admin/freezes/[a-z0-9_]+/extend`).FindString(list.Body)
	day := s.Clock.Now().UTC().AddDate(0, 0, 20).Format(time.DateOnly)
	c.get(path).has(t, "Extend the freeze of", "An odd letter", "Whoever is frozen cannot be one of the two")
	if a := c.post(path, "until", "soon", "reason", "r"); a.Status != 400 || !strings.Contains(a.text(), "Want a day") {
		t.Errorf("no day: %d %s", a.Status, a.text())
	}
	if a := c.post(path, "until", s.Clock.Now().UTC().AddDate(1, 0, 0).Format(time.DateOnly), "reason", "r"); a.Status != 400 || !strings.Contains(a.text(), "within 90 days") {
		t.Errorf("a year: %d %s", a.Status, a.text())
	}
	request, page := c.proposed(c.post(path, "until", day, "reason", "They still look into it"))
	page.has(t, "you can be one of them", "Review and sign")
	agree(t, s, "samuel", request)
	c.get("/proposed/"+request).has(t, "Proposed")
	agree(t, s, "claire", request)
	c.get("/proposed/"+request).has(t, "Done")
	c.get("/admin/freezes").has(t, s.Clock.Now().UTC().AddDate(0, 0, 21).Format("Jan\u00a02006"))
	request, _ = c.proposed(c.post(strings.Replace(path, "/extend", "/lift", 1), "reason", "It was genuine"))
	agree(t, s, "samuel", request)
	agree(t, s, "claire", request)
	c.get("/admin/freezes").lacks(t, "An odd letter")
}

// TestRuling21BreakGlass: names are for two people and count later; a use is reviewed by
// somebody who proves themself.
func TestRuling21BreakGlass(t *testing.T) {
	s := settled(t)
	samuel, ingrid := s.Person("samuel"), s.Person("ingrid")
	c := as(t, s, "samuel")
	c.get("/admin/break-glass").has(t, "It is off", "Nobody is named", "None to review")
	path := "/admin/people/" + ingrid.ID + "/break-glass"
	c.get(path).has(t, "Name Ingrid Berg for break-glass", "72 hours after two people have agreed")
	request, _ := c.proposed(c.post(path, "reason", "She is always near"))
	agree(t, s, "samuel", request)
	agree(t, s, "claire", request)
	c.get("/admin/break-glass").has(t, "Ingrid Berg", "counts from")
	c.get(path).has(t, "Take Ingrid Berg off break-glass")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
		return tx.InsertBreakGlassUse(store.BreakGlassUse{Approval: order.ID, Currency: "EUR", Minor: 3_000_000, Used: s.Clock.Now()})
	})
	s.Must(err)
	c.get("/admin").has(t, "1 use of break-glass to review")
	c.get("/admin/break-glass").has(t, "EUR\u00a030\u202f000.00", "blocks the next one from")
	review := "/admin/break-glass/" + order.ID + "/review"
	as(t, s, "noor").get("/admin/break-glass").lacks(t, "/review")
	if a := c.post(review, "password", "x", "totp", "000000"); a.Status != 401 {
		t.Errorf("not proven: %d", a.Status)
	}
	if a := c.byKey(samuel.Key, review); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	c.get("/admin/break-glass?said=reviewed").has(t, "Reviewed.", "None to review")
}

// TestRuling20Delegations: made for what the form says, after a step-up; ended by either;
// for somebody who is absent proposed by whoever answers for them.
func TestRuling20Delegations(t *testing.T) {
	s := settled(t)
	marta, daniel, elif := s.Person("marta"), s.Person("daniel"), s.Person("elif")
	c := as(t, s, "marta")
	c.get("/delegations").has(t, "No delegations", "Nobody decides in your place")
	form := c.get("/delegations/new")
	form.has(t, "Daniel Novak", "It never widens anything")
	form.lacks(t, "Elif Kaya") // is in no group, and could decide nothing
	today, last := s.Clock.Now().UTC().Format(time.DateOnly), s.Clock.Now().UTC().AddDate(0, 0, 10).Format(time.DateOnly)
	fields := []string{"to", daniel.ID, "starts", today, "ends", last, "kind", "invoice", "limit", "20 000 EUR", "reason", "On holiday"}
	if a := c.byKey(marta.Key, "/delegations/new", "to", marta.ID, "starts", today, "ends", last, "reason", "r"); a.Status != 400 || !strings.Contains(a.text(), "nobody delegates to themselves") {
		t.Errorf("to oneself: %d %s", a.Status, a.text())
	}
	if a := c.byKey(marta.Key, "/delegations/new", "to", daniel.ID, "starts", "soon", "ends", "2040-01-01", "limit", "1,2,3", "reason", "r"); a.Status != 400 || !strings.Contains(a.text(), "want a day") || !strings.Contains(a.text(), "ant an amount") {
		t.Errorf("what is no day: %d %s", a.Status, a.text())
	}
	if a := c.post("/delegations/new", append(fields, "password", "x", "totp", "000000")...); a.Status != 401 || !strings.Contains(a.Body, `value="20 000 EUR"`) {
		t.Errorf("not proven: %d", a.Status)
	}
	if a := c.byKey(marta.Key, "/delegations/new", fields...); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	c.get("/delegations?said=made").has(t, "Daniel Novak decides for Marta Silva", "in force", "Invoice", "EUR\u00a020\u202f000.00", "Both of you have been told")
	his := as(t, s, "daniel").get("/delegations")
	his.has(t, "You, in the place of others", "Daniel Novak decides for Marta Silva")
	path := regexp.MustCompile(`/delegations/del_[a-z0-9]+/end`).FindString(his.Body)
	if a := as(t, s, "ingrid").get(path); a.Status != 404 {
		t.Errorf("another sees it: %d", a.Status)
	}
	if a := as(t, s, "ingrid").get("/delegations?person=" + marta.ID); a.Status != 404 {
		t.Errorf("another lists it: %d", a.Status)
	}
	as(t, s, "noor").get("/admin/delegations").has(t, "Daniel Novak decides for Marta Silva")
	if a := as(t, s, "daniel").post(path); a.Status != 303 {
		t.Errorf("ended: %d %s", a.Status, a.text())
	}
	c.get("/delegations").has(t, "over", "Ended")
	if a := c.get("/delegations/propose"); a.Status != 404 {
		t.Errorf("who answers for nobody: %d", a.Status)
	}
	admin := as(t, s, "samuel")
	admin.get("/delegations/propose").has(t, "In whose place", "Marta Silva", "Another person, an administrator or controller, decides")
	request, page := admin.proposed(admin.post("/delegations/propose", "for", marta.ID, "to", daniel.ID, "starts", today, "ends", last, "reason", "She is in hospital"))
	page.has(t, "Delegation", "Marta Silva", "Daniel Novak", "She is in hospital")
	if a := admin.post("/delegations/propose", "for", elif.ID, "to", daniel.ID, "starts", today, "ends", today[:4]+"-13-01", "reason", "r"); a.Status != 400 {
		t.Errorf("no day: %d", a.Status)
	}
	agree(t, s, "claire", request)
	c.get("/delegations").has(t, "in force")
	admin.get("/delegations?person="+marta.ID).has(t, "Delegations of Marta Silva", "in force")
}

// TestEverySettingHasWords: none is shown by the name of its text.
func TestEverySettingHasWords(t *testing.T) {
	s := settled(t)
	c := as(t, s, "samuel")
	page := c.get("/admin/settings")
	page.lacks(t, "settings.")
	var all authority.SettingsView
	s.Call("GET", "/v1/organisation/settings", s.Person("samuel").Token, nil, &all)
	for _, setting := range all.Items {
		if !strings.Contains(page.Body, "/admin/settings/"+setting.Name+`"`) {
			t.Errorf("%s is not there", setting.Name)
		}
		c.get("/admin/settings/"+setting.Name).lacks(t, "settings.")
	}
}
