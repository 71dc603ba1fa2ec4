package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// invite makes an invitation's link for somebody, as its token.
func invite(s *testkit.Server, login string) (person, token string) {
	s.T.Helper()
	people, err := s.Authority.IdentifyOffline(s.T.Context(), "directory", login)
	s.Must(err)
	inv, err := s.Authority.InviteOffline(s.T.Context(), people[login], false)
	s.Must(err)
	s.Secret(inv.Token)
	return people[login], inv.Token
}

// enrolKey carries out the ceremony of enrolling a passkey.
func (c *caller) enrolKey(key *softkey.Key, fields ...string) shown {
	c.t.Helper()
	begun := c.post("/enrol/passkey", append(fields, "phase", "begin")...)
	var b struct {
		Challenge string          `json:"challenge"`
		Options   json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal([]byte(begun.Body), &b); err != nil {
		return begun
	}
	answer, err := key.Register(b.Options, c.s.URL)
	c.s.Must(err)
	return c.post("/enrol/passkey", append(fields, "challenge", b.Challenge, "passkey", string(answer))...)
}

// signIn signs in with a passkey, through the page.
func (c *caller) signIn(key *softkey.Key) shown { return c.byKey(key, "/sign-in", "to", "/welcome") }

// TestSetUpOfTheFirstAdministrator goes from the link to the welcome: looking at the
// link uses nothing up, the session that it opens can only enrol, and it ends with that.
func TestSetUpOfTheFirstAdministrator(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	up, err := s.Authority.SetUpLink(t.Context(), authority.NewPerson{Login: "samuel", Name: "Samuel Osei"})
	s.Must(err)
	s.Secret(up.Token)
	c := callerOf(t, s, "")
	for range 2 {
		if a := c.get("/enrol"); a.Status != 200 || len(c.cookies) != 0 {
			t.Fatalf("looking: %d %v", a.Status, c.cookies)
		}
	}
	if a := c.post("/enrol", "token", "csi_nonsense"); a.Status != 410 || len(c.cookies) != 0 {
		t.Errorf("nonsense: %d", a.Status)
	}
	if a := c.post("/enrol", "token", s.URL+"/enrol#"+up.Token); a.Status != 303 || a.To != "/enrol/new" {
		t.Fatalf("the whole link, pasted: %d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, "").post("/enrol", "token", up.Token); a.Status != 410 {
		t.Errorf("a second time: %d", a.Status)
	}
	for _, path := range []string{"/factors", "/welcome", "/factors/add", "/factors/codes"} {
		if a := c.get(path); a.Status != 403 {
			t.Errorf("%s in a session for enrolling: %d", path, a.Status)
		}
	}
	key := softkey.New()
	if page := c.get("/enrol/new"); !strings.Contains(page.text(), "Samuel Osei, choose what you will sign in and sign with") {
		t.Errorf("%s", page.text())
	}
	session := c.cookies["countersign-local"]
	if a := c.enrolKey(key, "name", ""); a.Status != 303 || a.To != "/enrol/done" {
		t.Fatalf("enrolled: %d %s", a.Status, a.text())
	}
	if c.cookies["countersign-local"] != "" {
		t.Error("the session for enrolling is still in the browser")
	}
	if a := callerOf(t, s, session).get("/enrol/new"); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
		t.Errorf("and it still works: %d %s", a.Status, a.To)
	}
	if a := c.get("/enrol/done"); !strings.Contains(a.text(), "You can sign in with it now") {
		t.Errorf("%s", a.text())
	}
	if a := c.signIn(key); a.Status != 303 || a.To != "/welcome" {
		t.Fatalf("sign-in: %d %s", a.Status, a.text())
	}
	if a := c.get("/welcome"); !strings.Contains(a.text(), "You are the first administrator") || !strings.Contains(a.text(), "A second administrator") {
		t.Errorf("%s", a.text())
	}
}

// TestRuling14SecondPersonConfirms: what was enrolled by invitation opens nothing before
// an administrator has typed in what the enrolee reads out.
func TestRuling14SecondPersonConfirms(t *testing.T) {
	s := settled(t)
	samuel := s.Person("samuel")
	_, token := invite(s, "priya")
	c, key := callerOf(t, s, ""), softkey.New()
	c.post("/enrol", "token", token)
	if a := c.enrolKey(key, "name", "Priya’s phone"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	page := c.get("/enrol/done")
	digits := regexp.MustCompile(`\b\d{3} \d{3}\b`).FindString(page.text())
	if digits == "" || !strings.Contains(page.text(), "a second person") {
		t.Fatalf("%s", page.text())
	}
	if a := callerOf(t, s, "").get("/enrol/done"); a.Status != 303 {
		t.Errorf("another browser is shown %d", a.Status)
	}
	if a := c.signIn(key); a.Status != 403 {
		t.Errorf("signs in before: %d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, s.Person("marta").Token).get("/factors/confirm"); a.Status != 404 {
		t.Errorf("an approver: %d", a.Status)
	}
	by := callerOf(t, s, samuel.Token)
	list := by.get("/factors/confirm")
	path := regexp.MustCompile(`/factors/fac_[a-z0-9]+/confirm`).FindString(list.Body)
	if path == "" || !strings.Contains(list.text(), "Priya Nair") {
		t.Fatalf("%s", list.text())
	}
	if one := by.get(path); strings.Contains(one.text(), digits) {
		t.Error("the digits stand on the page of whoever is to ask for them")
	}
	if !strings.Contains(list.text(), "by an invitation (invited by the operator") {
		t.Errorf("how: %s", list.text())
	}
	if a := by.byKey(samuel.Key, path, "compare", "000 000"); a.Status != 400 || !strings.Contains(a.text(), "not the digits of this enrolment") {
		t.Errorf("other digits: %d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, s.Person("marta").Token).byKey(s.Person("marta").Key, path, "compare", digits); a.Status != 404 {
		t.Errorf("an approver confirms: %d", a.Status)
	}
	if a := by.byKey(samuel.Key, path, "compare", digits); a.Status != 303 {
		t.Fatalf("confirmed: %d %s", a.Status, a.text())
	}
	if a := c.signIn(key); a.Status != 303 {
		t.Errorf("signs in after: %d %s", a.Status, a.text())
	}
}

// TestCoolOffIsSaid: from when something counts stands on the page that follows.
func TestCoolOffIsSaid(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{Settings: func(st *authority.Settings) { day := 86400; st.CoolOff = &day }})
	s.Register()
	_, token := invite(s, "elif")
	c, key := callerOf(t, s, ""), softkey.New()
	c.post("/enrol", "token", token)
	if a := c.enrolKey(key, "name", "laptop"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := c.get("/enrol/done"); !strings.Contains(a.text(), "It counts for decisions from tomorrow") {
		t.Errorf("%d %s", a.Status, a.text())
	}
	c.signIn(key)
	if a := c.get("/factors"); !strings.Contains(a.text(), "Counts for decisions tomorrow") || !strings.Contains(a.text(), "does not count for decisions yet") {
		t.Errorf("%s", a.text())
	}
	if a := c.get("/factors/add"); !strings.Contains(a.text(), "You have nothing to prove yourself with for this") {
		t.Errorf("%s", a.text())
	}
}

// TestEnrolAppByHand sets up an app with a password, without a script; a wrong code may
// be typed again, and the fifth gives a fresh secret.
func TestEnrolAppByHand(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Register()
	_, token := invite(s, "elif")
	c := callerOf(t, s, "")
	c.post("/enrol", "token", token)
	secretOf := func(a shown) string {
		m := regexp.MustCompile(`id="secret">([A-Z2-7 ]+)<`).FindStringSubmatch(a.Body)
		if m == nil {
			t.Fatalf("no secret: %d %s", a.Status, a.text())
		}
		s.Secret(m[1])
		return strings.ReplaceAll(m[1], " ", "")
	}
	code := func(secret string) string {
		k, err := hotp.GenerateCodeCustom(secret, uint64(s.Clock.Now().Unix()/30), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		s.Must(err)
		return k
	}
	challengeOf := func(a shown) string {
		return regexp.MustCompile(`name="challenge" value="([^"]+)"`).FindStringSubmatch(a.Body)[1]
	}
	page := c.post("/enrol/app")
	first := secretOf(page)
	if !strings.Contains(page.Body, `<svg class="qr"`) || page.Header.Get("Cache-Control") != "no-store" {
		t.Error("no picture, or one that is kept")
	}
	if a := c.post("/enrol/app/code", "challenge", challengeOf(page), "name", "my app", "code", code(first), "password", testkit.Password, "again", "another"); a.Status != 400 || secretOf(a) != first {
		t.Errorf("two passwords: %d", a.Status)
	}
	for i := range 5 {
		page = c.post("/enrol/app/code", "challenge", challengeOf(page), "name", "my app", "code", "000000", "password", testkit.Password, "again", testkit.Password)
		if fresh := secretOf(page) != first; page.Status != 401 || fresh != (i == 4) || fresh != strings.Contains(page.text(), "Scan again") {
			t.Errorf("wrong code %d: %d %s", i+1, page.Status, page.text())
		}
	}
	s.Secret(testkit.Password)
	a := c.post("/enrol/app/code", "challenge", challengeOf(page), "name", "my app", "code", code(secretOf(page)), "password", testkit.Password, "again", testkit.Password)
	if a.Status != 303 || a.To != "/enrol/done" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
}

// TestAddAndRemove adds a security key beside the session that there is, and removes the
// first passkey; the last strong one stays.
func TestAddAndRemove(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	c := callerOf(t, s, marta.Token)
	page := c.get("/factors")
	first := regexp.MustCompile(`fac_[a-z0-9]+`).FindString(page.Body)
	if strings.Contains(page.Body, "/remove") || !strings.Contains(page.text(), "The last strong one that you have") {
		t.Errorf("the last strong one: %s", page.text())
	}
	if a := c.byKey(marta.Key, "/factors/"+first+"/remove"); a.Status != 409 || !strings.Contains(a.text(), "last strong authenticator") {
		t.Errorf("removed all the same: %d %s", a.Status, a.text())
	}
	if a := c.get("/enrol/new?kind=security-key"); a.Status != 303 || a.To != "/factors" {
		t.Errorf("without a step-up: %d %s", a.Status, a.To)
	}
	if a := c.byKey(marta.Key, "/factors/add", "kind", "security-key"); a.Status != 303 || a.To != "/enrol/new?kind=security-key" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	other := callerOf(t, s, s.Person("daniel").Token)
	other.cookies["countersign-grant"] = c.cookies["countersign-grant"]
	if a := other.get("/enrol/new"); a.Status != 303 {
		t.Errorf("a stolen right to enrol works for another: %d", a.Status)
	}
	key := softkey.New()
	begun := c.post("/enrol/passkey", "kind", "security-key", "phase", "begin")
	if !strings.Contains(begun.Body, `"hints":["security-key"]`) {
		t.Errorf("no hint: %s", begun.Body)
	}
	if a := c.enrolKey(key, "kind", "security-key", "name", "in the drawer"); a.Status != 303 || a.To != "/factors?added=counts" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := c.get("/factors"); a.Status != 200 || !strings.Contains(a.text(), "in the drawer") || !strings.Contains(a.Body, "/remove") {
		t.Errorf("the session is kept: %d %s", a.Status, a.text())
	}
	if a := c.enrolKey(softkey.New(), "name", "one more"); a.Status != 410 {
		t.Errorf("the right is for one: %d", a.Status)
	}
	if a := c.byKey(marta.Key, "/factors/"+first+"/remove"); a.Status != 303 {
		t.Errorf("removed: %d %s", a.Status, a.text())
	}
	if a := other.get("/factors/" + first + "/remove"); a.Status != 404 {
		t.Errorf("somebody else's: %d", a.Status)
	}
}

// TestCodeAddsNoPasskey: what is added can be no stronger than what it was added with.
func TestCodeAddsNoPasskey(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	marta.EnrolCode()
	c := callerOf(t, s, marta.Token)
	if a := c.post("/factors/add", "kind", "passkey", "with", "code", "password", testkit.Password, "totp", marta.Code(0)); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := c.enrolKey(softkey.New(), "name", "stronger"); a.Status != 403 {
		t.Errorf("%d %s", a.Status, a.text())
	}
}

// TestRecovery makes codes, which are shown once, and comes back with one of them.
func TestRecovery(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	c := callerOf(t, s, marta.Token)
	a := c.byKey(marta.Key, "/factors/codes")
	codes := regexp.MustCompile(`[a-z0-9]{4}(?:-[a-z0-9]{4}){3}`).FindAllString(a.Body, -1)
	if a.Status != 200 || len(codes) != 10 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	for _, code := range codes {
		s.Secret(code)
	}
	if a := c.get("/factors/codes"); strings.Contains(a.Body, codes[0]) || !strings.Contains(a.text(), "The codes that you have stop working") {
		t.Error("shown again")
	}
	if a := c.get("/factors"); !strings.Contains(a.text(), "10 are left") {
		t.Errorf("%s", a.text())
	}
	lost := callerOf(t, s, "")
	for _, form := range [][]string{{"login", "marta", "code", "k3m7-9qxz-2wrt-h8ya"}, {"login", "nobody", "code", codes[0]}} {
		if a := lost.post("/recover", form...); a.Status != 401 || !strings.Contains(a.text(), "Name or recovery code is wrong") {
			t.Errorf("%v: %d %s", form[1], a.Status, a.text())
		}
	}
	if a := lost.post("/recover", "login", "marta", "code", strings.ToUpper(codes[0])); a.Status != 303 || a.To != "/enrol/new" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, "").post("/recover", "login", "marta", "code", codes[0]); a.Status != 401 {
		t.Errorf("used twice: %d", a.Status)
	}
	if a := lost.enrolKey(softkey.New(), "name", "new phone"); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := lost.get("/enrol/done"); !strings.Contains(a.text(), "a second person") {
		t.Errorf("%s", a.text())
	}
}

// TestReportLost ends every session, and what is lost counts no more.
func TestReportLost(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	c := callerOf(t, s, marta.Token)
	first := regexp.MustCompile(`/factors/fac_[a-z0-9]+/lost`).FindString(c.get("/factors").Body)
	if a := c.get(first); a.Status != 200 || !strings.Contains(a.text(), "the last strong one that you have") {
		t.Errorf("asked first: %d %s", a.Status, a.text())
	}
	if a := c.post(first); a.Status != 303 || a.To != "/sign-in" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, marta.Token).get("/factors"); a.Status != 303 {
		t.Errorf("the session lives on: %d", a.Status)
	}
	if a := callerOf(t, s, "").signIn(marta.Key); a.Status == 303 {
		t.Error("and it signs in")
	}
}

// TestRuling13HandOver: the link is used up by a press and by nothing else, what it opens
// is one request, and whoever is signed in as the same person stays so.
func TestRuling13HandOver(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	handOver := func(id string) (countersign.Approval, string) {
		var a countersign.Approval
		s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order(id, "30000.00"), &countersign.Submission{ReturnURL: "https://erp.example.com/back",
			Vouch: &countersign.Vouch{Person: "marta", Method: "pwd", AuthenticatedAt: s.Clock.Now().UTC().Format(time.RFC3339)}}), &a)
		_, token, _ := strings.Cut(a.HandOverURL, "#")
		s.Secret(token)
		return a, token
	}
	order, token := handOver("PO-1")
	other := s.Submit(testkit.Order("PO-2", "31000.00"))
	c := callerOf(t, s, "")
	if a := c.get("/h"); a.Status != 200 || len(c.cookies) != 0 {
		t.Errorf("looking: %d", a.Status)
	}
	a := c.post("/h", "token", token)
	if a.Status != 303 || a.To != "/r/"+order.ID+"/approve" {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if a := callerOf(t, s, "").post("/h", "token", token); a.Status != 410 {
		t.Errorf("used twice: %d", a.Status)
	}
	for path, want := range map[string]int{"/r/" + other.ID + "/approve": 404, "/r/" + other.ID + "/receipt": 404, "/factors": 403, "/factors/add": 403, "/welcome": 403, "/r/" + order.ID + "/revoke": 403} {
		if a := c.get(path); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
	page := c.get(a.To)
	if strings.Contains(page.Body, "Back to the request") || strings.Contains(page.Body, `href="/factors"`) {
		t.Error("links to what is not open")
	}
	if a := c.byKey(marta.Key, a.To, page.hidden()...); a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if r := c.get("/r/" + order.ID + "/receipt"); !strings.Contains(r.text(), "Continue to erp.example.com") || strings.Contains(r.text(), "Back to the inbox") {
		t.Errorf("%s", r.text())
	}
	next, token := handOver("PO-3")
	signed := callerOf(t, s, marta.Token)
	signed.post("/h", "token", token)
	if signed.cookies["countersign-local"] != marta.Token || signed.get("/factors").Status != 200 || signed.get("/r/"+next.ID+"/approve").Status != 200 {
		t.Error("whoever was signed in is signed out")
	}
}

// TestSessionsCannotBeFixedOrCarried: what somebody slipped under before is worth nothing
// after, and the cookie of one way of serving is not taken for the other's.
func TestSessionsCannotBeFixedOrCarried(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	c := callerOf(t, s, daniel.Token)
	_, token := invite(s, "elif")
	if a := c.post("/enrol", "token", token); a.Status != 303 {
		t.Fatal(a.Status)
	}
	if c.cookies["countersign-local"] == daniel.Token || callerOf(t, s, daniel.Token).get("/factors").Status != 303 {
		t.Error("the session of before lives on")
	}
	for name, value := range map[string]string{"__Host-countersign": marta.Token, "countersign": marta.Token, "countersign-local": marta.Token + "x"} {
		c := callerOf(t, s, "")
		c.cookies[name] = value
		if a := c.get("/factors"); a.Status != 303 {
			t.Errorf("%s opens a page", name)
		}
	}
	elsewhere := callerOf(t, s, marta.Token).do("GET", "/factors", nil, func(r *http.Request) { r.Host = "other.example.com" })
	if elsewhere.Status != 421 {
		t.Errorf("at another host: %d", elsewhere.Status)
	}
	for _, path := range []string{"/h", "/enrol", "/recover", "/factors/add", "/factors/codes", "/enrol/app"} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			a := callerOf(t, s, marta.Token).do("POST", path, url.Values{}, func(r *http.Request) { r.Header.Set(name, value) })
			if a.Status != 403 {
				t.Errorf("%s from elsewhere (%s): %d", path, name, a.Status)
			}
		}
	}
}
