package web_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// TestPagesOfPowerOfferThePasskeyOnly: to whoever has a passkey and an app, a page by
// which somebody gets power offers the passkey; a freeze, which takes power away, both.
func TestPagesOfPowerOfferThePasskeyOnly(t *testing.T) {
	s := settled(t)
	samuel := s.Person("samuel")
	samuel.EnrolCode()
	c, daniel := as(t, s, "samuel"), s.Person("daniel").ID
	_, token := invite(s, "priya")
	her := callerOf(t, s, "")
	her.post("/enrol", "token", token)
	if a := her.post("/enrol/app"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	for path, code := range map[string]bool{"/admin/keys/new": false, "/admin/people/new": false, "/admin/people/" + daniel + "/invite": false, "/admin/rotate/log": false,
		"/delegations/new": false, "/admin/freezes/new?person=" + daniel: true, "/factors/codes": true} {
		page := c.get(path)
		if page.Status != 200 || !strings.Contains(page.Body, "data-passkey") || strings.Contains(page.Body, `name="totp"`) != code {
			t.Errorf("%s (%d): a code is offered: %v, want %v", path, page.Status, !code, code)
		}
	}
	fields := []string{"name", "Store", "source", "wms", "scope", "submit", "days", "30", "with", "code", "password", testkit.Password, "totp", samuel.Code(0)}
	if a := c.post("/admin/keys/new", fields...); a.Status != 403 || !strings.Contains(a.text(), "the strongest that you have") || strings.Contains(a.Body, `name="totp"`) {
		t.Errorf("a key by a code: %d %s", a.Status, a.text())
	}
}

// TestSecondKeyIsConfirmedByAnother: a further key of a system says that it waits, to
// whoever makes it and on the list; another administrator lets it work.
func TestSecondKeyIsConfirmedByAnother(t *testing.T) {
	s := settled(t)
	samuel, claire := s.Person("samuel"), s.Person("claire")
	c, other := as(t, s, "samuel"), as(t, s, "claire")
	c.get("/admin").lacks(t, "API key that waits for a second administrator")
	made := c.byKey(samuel.Key, "/admin/keys/new", "name", "Spare", "source", "erp", "scope", "submit", "scope", "release", "days", "300")
	key := regexp.MustCompile(`id="api-key"[^>]*>([^<]+)<`).FindStringSubmatch(made.Body)
	if made.Status != 200 || key == nil {
		t.Fatalf("%d %s", made.Status, made.text())
	}
	s.Secret(key[1])
	made.has(t, "once a second administrator has confirmed it")
	list := c.get("/admin/keys")
	list.has(t, "Waits for a second administrator", "Your own: somebody else must")
	path := regexp.MustCompile(`/admin/keys/key_[a-z0-9]+/confirm`).FindString(other.get("/admin/keys").Body)
	if path == "" || strings.Contains(list.Body, path) {
		t.Fatalf("where it is confirmed: %q", path)
	}
	if a := c.get(path); a.Status != 404 {
		t.Errorf("whoever made it opens %s: %d", path, a.Status)
	}
	if p := s.Try("GET", "/v1/organisation", key[1], nil, nil); p == nil || p.Status != 403 {
		t.Errorf("it works already: %v", p)
	}
	other.get("/admin").has(t, "1 API key that waits for a second administrator")
	other.get(path).has(t, "Let “Spare” work", "Samuel Osei", "erp", "Release")
	if a := other.byKey(claire.Key, path); a.Status != 303 || a.To != "/admin/keys?said=confirmed" {
		t.Fatalf("confirmed: %d %s", a.Status, a.text())
	}
	s.Call("GET", "/v1/organisation", key[1], nil, nil)
	c.get("/admin/keys?said=confirmed").lacks(t, "Waits for a second administrator")
}
