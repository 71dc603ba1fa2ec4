package web_test

import (
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// TestTrapTheRightToEnrolEndsWithTheSession: what a step-up left in the browser opens
// nothing for whoever uses that browser next.
func TestTrapTheRightToEnrolEndsWithTheSession(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	for name, leave := range map[string]func(*caller) shown{
		"signed out":         func(c *caller) shown { return c.post("/sign-out") },
		"another signed in":  func(c *caller) shown { return c.signIn(daniel.Key) },
		"signed in anew":     func(c *caller) shown { return c.signIn(marta.Key) },
		"the session itself": func(c *caller) shown { delete(c.cookies, "countersign-local"); return c.signIn(daniel.Key) },
	} {
		marta.SignIn()
		c := callerOf(t, s, marta.Token)
		if a := c.byKey(marta.Key, "/factors/add", "kind", "passkey"); a.Status != 303 {
			t.Fatalf("%d %s", a.Status, a.text())
		}
		right := c.cookies["countersign-grant"]
		if a := leave(c); a.Status != 303 {
			t.Fatalf("%s: %d %s", name, a.Status, a.text())
		}
		if c.cookies["countersign-grant"] != "" {
			t.Errorf("%s: the right is still in the browser", name)
		}
		next := callerOf(t, s, right) // as the session that it is
		if a := next.get("/enrol/new"); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
			t.Errorf("%s: it still enrols for Marta: %d %s", name, a.Status, a.To)
		}
	}
}

// hostile is a text that would become markup, a formula or an address wherever somebody
// forgot what it is.
const hostile = `="><img src=x onerror=alert(1)><script>alert(1)</script>'{{.}}`

var markup = regexp.MustCompile(`<img src=x|<script>alert|onerror=alert\(1\)>[^&]*</|href="\s*javascript:`)

// TestTrapStoredTextsStayText: whatever others write stands on every page as it was
// written, and in a file as no formula.
func TestTrapStoredTextsStayText(t *testing.T) {
	s := settled(t)
	marta, daniel, samuel := s.Person("marta"), s.Person("daniel"), s.Person("samuel")
	key := s.APIKey("erp", "submit", "facts", "alert")
	s.Call("POST", "/v1/facts", key, countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: hostile, Name: hostile, Country: "DE", CreatedAt: "2020-01-01"}}}, nil)
	file := []byte("a file")
	d := testkit.Order("PO-1", "30000.00", func(d *countersign.Document) {
		d.ID, d.Subject, d.CostCentre, d.Category, d.Entity = hostile, hostile, hostile, hostile, hostile
		d.Payee = &countersign.Payee{ID: hostile, Name: hostile}
		d.Requester.ID, d.Requester.Name = hostile, hostile
		d.Custom = map[string]string{"note": hostile}
		d.Attachments = []countersign.Attachment{{Name: hostile, Digest: countersign.SumBytes(file)}}
	})
	var a countersign.Approval
	s.Call("POST", "/v1/requests", key, testkit.Body(d, nil), &a)
	s.Call("POST", "/v1/alerts", key, countersign.AlertBody{ID: hostile, Severity: "high", Title: hostile, About: countersign.AlertSubject{Vendor: hostile}}, nil)
	asking := callerOf(t, s, marta.Token)
	if got := asking.post("/r/"+a.ID+"/questions", "text", hostile); got.Status != 303 {
		t.Fatalf("%d %s", got.Status, got.text())
	}
	change := callerOf(t, s, samuel.Token)
	if got := change.post("/admin/people/"+daniel.ID+"/change", "seen", regexp.MustCompile(`name="seen" value="([0-9a-f]+)"`).FindStringSubmatch(change.get("/admin/people/" + daniel.ID + "/change").Body)[1],
		"active", "yes", "another", hostile, "reason", hostile); got.Status != 303 {
		t.Fatalf("%d %s", got.Status, got.text())
	}
	seen := 0
	for _, path := range []string{"/", "/?tab=others", "/r/" + a.ID, "/r/" + a.ID + "/approve", "/r/" + a.ID + "/reject", "/r/" + a.ID + "/freeze", "/r/" + a.ID + "/reassign", "/r/" + a.ID + "/receipt",
		"/requests", "/decisions", "/holds", "/audit", "/admin", "/admin/alerts", "/admin/people", "/admin/people/" + daniel.ID, "/admin/freezes/new?vendor=" + strings.NewReplacer("<", "%3C", ">", "%3E", `"`, "%22", " ", "%20").Replace(hostile)} {
		for _, c := range []*caller{asking, change} {
			page := c.get(path)
			if found := markup.FindString(page.Body); found != "" || page.Status >= 500 {
				t.Errorf("%s (%d) has %q", path, page.Status, found)
			}
			if strings.Contains(page.text(), "alert(1)") {
				seen++
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d pages show the text at all", seen)
	}
	entries := regexp.MustCompile(`href="(/audit/[0-9]+)"`).FindAllStringSubmatch(change.get("/audit").Body, -1)
	for _, e := range entries {
		if found := markup.FindString(change.get(e[1]).Body); found != "" {
			t.Errorf("%s has %q", e[1], found)
		}
	}
	if len(entries) == 0 {
		t.Error("no entries")
	}
	rows, err := csv.NewReader(strings.NewReader(change.get("/requests.csv").Body)).ReadAll()
	s.Must(err)
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}
