package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/web"
)

// refusedAfter asks until it is told to wait, and reads what stands there then.
func refusedAfter(t *testing.T, most int, ask func() shown) (n int, last shown) {
	t.Helper()
	for n = range most + 1 {
		if last = ask(); last.Status == http.StatusTooManyRequests {
			if last.Header.Get("Retry-After") == "" || !strings.Contains(last.text(), "Try again in") {
				t.Errorf("%q: %s", last.Header.Get("Retry-After"), last.text())
			}
			return n, last
		}
	}
	t.Fatalf("%d were answered", most)
	return 0, last
}

// TestPagesAreBounded: a person by who they are, a stranger by the address; nobody is
// held up by anybody else, and the page says in plain words how long.
func TestPagesAreBounded(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{Pages: func(c *web.Config) {
		c.Limits = web.Limits{Person: web.Rate{PerSecond: 0.0001, Burst: 5}, Address: web.Rate{PerSecond: 0.0001, Burst: 5}}
	}})
	s.Settle()
	marta, stranger := callerOf(t, s, s.Person("marta").Token), callerOf(t, s, "")
	n, page := refusedAfter(t, 6, func() shown { return marta.get("/") })
	if n != 5 || !strings.Contains(page.text(), "A little too fast") || strings.Contains(page.text(), "sign in first") {
		t.Errorf("after %d: %s", n, page.text())
	}
	if part := marta.do("GET", "/", nil, func(r *http.Request) { r.Header.Set("HX-Request", "true") }); part.Status != http.StatusTooManyRequests || strings.Contains(part.Body, "<html") {
		t.Errorf("%d: %s", part.Status, part.Body)
	}
	if a := marta.post("/sign-out"); a.Status != http.StatusTooManyRequests {
		t.Errorf("a button: %d", a.Status)
	}
	if a := callerOf(t, s, s.Person("daniel").Token).get("/"); a.Status != 200 {
		t.Errorf("another person is held up: %d", a.Status)
	}
	if n, _ := refusedAfter(t, 6, func() shown { return stranger.get("/sign-in") }); n != 5 {
		t.Errorf("a stranger after %d", n)
	}
	if a := callerOf(t, s, "ses_that_nobody_has").get("/sign-in"); a.Status != http.StatusTooManyRequests {
		t.Errorf("a made-up session has a bucket of its own: %d", a.Status)
	}
	if a := stranger.get("/static/app.css"); a.Status != 200 {
		t.Errorf("the page that says so has no looks: %d", a.Status)
	}
	if a := callerOf(t, s, s.Person("claire").Token).get("/"); a.Status != 200 {
		t.Errorf("strangers hold up a person: %d", a.Status)
	}
}

// TestTryingDraftsIsBounded: what was written is not lost, and the page asks anew by
// itself.
func TestTryingDraftsIsBounded(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{Pages: func(c *web.Config) {
		c.Limits = web.Unlimited
		c.Limits.Drafts = web.Rate{PerSecond: 0.001, Burst: 3}
	}})
	s.Settle()
	claire := callerOf(t, s, s.Person("claire").Token)
	text := "policy: mine\ncurrency: EUR\nrules: []\n"
	_, page := refusedAfter(t, 8, func() shown { return claire.post("/policy/draft", "policy", text, "base", "1", "reason", "a reason") })
	if page.textarea("policy") != text || page.textarea("reason") != "a reason" || !strings.Contains(page.text(), "Your draft was tried very often") || strings.Contains(page.Body, `hx-trigger="load`) {
		t.Errorf("%s", page.text())
	}
	part := claire.do("POST", "/policy/draft", map[string][]string{"policy": {text}, "base": {"1"}}, func(r *http.Request) { r.Header.Set("HX-Request", "true") })
	if part.Status != http.StatusTooManyRequests || !strings.Contains(part.Body, `hx-trigger="load delay:`) || strings.Contains(part.Body, "<html") {
		t.Errorf("%d %s", part.Status, part.Body)
	}
	if a := claire.post("/policy/draft/propose", "policy", text, "base", "1", "reason", "a reason"); a.Status != http.StatusTooManyRequests || a.textarea("policy") != text {
		t.Errorf("proposed: %d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, s.Person("samuel").Token).get("/policy/draft"); a.Status != 200 {
		t.Errorf("another person is held up: %d", a.Status)
	}
}
