package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// visitor is a browser without scripts: it keeps cookies, and follows no redirect.
func visitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func signedInAs(t *testing.T, s *testkit.Server, c *http.Client, p *testkit.Person, to string) *http.Response {
	t.Helper()
	res, err := c.PostForm(s.URL+"/sign-in", url.Values{"login": {p.Login}, "password": {testkit.Password}, "totp": {p.Code(0)}, "to": {to}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-in: %d", res.StatusCode)
	}
	s.Clock.Forward(31e9)
	return res
}

// TestTrapSessionsAreTheirBrowsers covers fixation, the cookie's own bounds, and that
// a cookie opens nothing of the API.
func TestTrapSessionsAreTheirBrowsers(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	marta, daniel := s.Person("marta"), s.Person("daniel")
	marta.EnrolCode()
	daniel.EnrolCode()
	s.Clock.Forward(60e9)

	attacker := visitor(t)
	res := signedInAs(t, s, attacker, daniel, "https://evil.example.com/")
	if to := res.Header.Get("Location"); to != "/" {
		t.Errorf("after the sign-in to %q", to)
	}
	slipped := res.Cookies()[0]
	if !slipped.HttpOnly || slipped.SameSite != http.SameSiteLaxMode || slipped.Path != "/" || slipped.Domain != "" || strings.HasPrefix(slipped.Name, "__Host-") != strings.HasPrefix(s.URL, "https://") {
		t.Errorf("the cookie: %+v", slipped)
	}

	// Marta's browser was given the attacker's session. Her sign-in makes a new one, and
	// the one that was slipped under is over.
	victim := visitor(t)
	home, _ := url.Parse(s.URL)
	victim.Jar.SetCookies(home, []*http.Cookie{slipped})
	fresh := signedInAs(t, s, victim, marta, "/").Cookies()[0]
	if fresh.Value == slipped.Value {
		t.Fatal("the sign-in kept the session that was there")
	}
	res, err := attacker.Get(s.URL + "/factors")
	s.Must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/sign-in") {
		t.Errorf("the session that was slipped under still opens pages: %d", res.StatusCode)
	}

	req, _ := http.NewRequest(http.MethodGet, s.URL+"/v1/session", nil)
	req.AddCookie(fresh)
	res, err = http.DefaultClient.Do(req)
	s.Must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie opens the API: %d", res.StatusCode)
	}

	req, _ = http.NewRequest(http.MethodGet, s.URL+"/factors", nil)
	req.AddCookie(fresh)
	req.Host = "evil.example.com"
	res, err = http.DefaultClient.Do(req)
	s.Must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host name: %d", res.StatusCode)
	}

	res, err = victim.PostForm(s.URL+"/sign-out", nil)
	s.Must(err)
	res.Body.Close()
	req, _ = http.NewRequest(http.MethodGet, s.URL+"/preferences", nil)
	req.AddCookie(fresh)
	res, err = http.DefaultTransport.RoundTrip(req)
	s.Must(err)
	res.Body.Close()
	if res.StatusCode == http.StatusOK {
		t.Error("a session that was signed out still opens pages")
	}
}
