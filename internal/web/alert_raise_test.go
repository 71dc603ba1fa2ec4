package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// TestAlertIsRaisedByAController: what it is about is read by name before it is pressed, a
// double press raises one, and whoever only reads is not offered what they may not do.
func TestAlertIsRaisedByAController(t *testing.T) {
	s := settled(t)
	marta, order := s.Person("marta"), s.Submit(testkit.Order("PO-1", "30000.00"))
	c := as(t, s, "claire")
	c.get("/admin/alerts").has(t, "Raise")
	c.get("/admin/alerts/new").has(t, "Number of the vendor", "About the whole organisation")
	c.get("/admin/alerts/new?about=organisation").has(t, "All that was approved before")
	c.get("/admin/alerts/new?vendor=V-99").has(t, "No vendor with this number is on record")
	c.get("/admin/alerts/new?vendor=V-1").has(t, "Nordwind Technik GmbH")
	c.get("/admin/people/"+marta.ID).has(t, "Raise an alert")
	c.get("/r/"+order.ID).has(t, "Raise an alert…")
	path := "/admin/alerts/new?request=" + order.ID
	ask := c.get(path)
	ask.has(t, "Purchase order PO-1", "this request alone")
	form := regexp.MustCompile(`name="form" value="([a-z0-9_]+)"`).FindStringSubmatch(ask.Body)[1]
	day := regexp.MustCompile(`name="until" value="([0-9-]+)"`).FindStringSubmatch(ask.Body)[1]
	press := func(title, until string) shown {
		return c.post("/admin/alerts/new", "form", form, "request", order.ID, "severity", "high", "owner", marta.ID, "until", until, "title", title)
	}
	if a := press(" ", day); a.Status != 400 || !strings.Contains(a.text(), "Say what happened") || !strings.Contains(a.text(), "Purchase order PO-1") {
		t.Errorf("without a sentence: %d %s", a.Status, a.text())
	}
	if a := press("odd", "2099-01-01"); a.Status != 400 || !strings.Contains(a.text(), "within the next 90 days") {
		t.Errorf("for ever: %d %s", a.Status, a.text())
	}
	for range 2 {
		if a := press("The supplier knows\r\nnothing of it", day); a.Status != 303 {
			t.Fatalf("%d %s", a.Status, a.text())
		}
	}
	if a := press("Something else", day); a.Status != 409 || !strings.Contains(a.text(), "raised another alert already") {
		t.Errorf("the same form again with another sentence: %d %s", a.Status, a.text())
	}
	list := c.get("/admin/alerts?said=raised")
	list.has(t, "weighed from now on", "The supplier knows nothing of it", "Raised by Claire Dubois", "for Marta Silva", order.ID)
	if n := strings.Count(list.Body, "/close"); n != 1 {
		t.Errorf("%d alerts for one form", n)
	}
	c.get("/admin/alerts/new?vendor=V-1").lacks(t, "The supplier knows")
	for _, login := range []string{"noor", "marta"} { // an auditor, an approver
		other := as(t, s, login)
		if a, b := other.get(path), other.post("/admin/alerts/new", "form", "x", "about", "organisation", "severity", "high", "until", day, "title", "odd"); a.Status != 404 || b.Status != 404 {
			t.Errorf("%s: %d, %d", login, a.Status, b.Status)
		}
		other.get("/r/"+order.ID).lacks(t, "Raise an alert")
	}
}
