package web_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/testkit"
)

// caller is a browser without scripts, as far as the server can tell: it keeps cookies
// and sends forms.
type caller struct {
	t       *testing.T
	s       *testkit.Server
	cookies map[string]string
	whoever bool // the device answers with any key that it has, whatever is asked for
}

func callerOf(t *testing.T, s *testkit.Server, session string) *caller {
	c := &caller{t: t, s: s, cookies: map[string]string{}}
	if session != "" {
		c.cookies["countersign-local"] = session
	}
	return c
}

// shown is what a page answered.
type shown struct {
	Status int
	Body   string
	To     string
	Header http.Header
}

// text is what a person reads of it.
func (a shown) text() string {
	return html.UnescapeString(regexp.MustCompile(`\s+`).ReplaceAllString(regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(a.Body, " "), " "))
}

func (c *caller) do(method, path string, form url.Values, change ...func(*http.Request)) shown {
	c.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.s.URL+path, body)
	c.s.Must(err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range c.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for _, f := range change {
		f(req)
	}
	res, err := c.s.HTTP().Do(req)
	c.s.Must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	c.s.Must(err)
	for _, k := range res.Cookies() {
		if k.MaxAge < 0 {
			delete(c.cookies, k.Name)
			continue
		}
		c.cookies[k.Name] = k.Value
		if len(k.Value) > 30 {
			c.s.Secret(k.Value)
		}
	}
	return shown{res.StatusCode, string(text), res.Header.Get("Location"), res.Header}
}

func (c *caller) get(path string) shown { c.t.Helper(); return c.do("GET", path, nil) }

func (c *caller) post(path string, pairs ...string) shown {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.do("POST", path, form)
}

// hidden are the hidden fields of the page's forms, as a browser would send them.
func (a shown) hidden() []string {
	var out []string
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([a-z_.]+)"(?: value="([^"]*)")?>`).FindAllStringSubmatch(a.Body, -1) {
		if m[1] != "challenge" && m[1] != "passkey" {
			out = append(out, m[1], html.UnescapeString(m[2]))
		}
	}
	return out
}

// byKey carries out a form's ceremony with a software passkey, as the script does.
func (c *caller) byKey(key *softkey.Key, path string, fields ...string) shown {
	c.t.Helper()
	begun := c.post(path, append(fields, "phase", "begin")...)
	var b struct {
		Challenge string          `json:"challenge"`
		Options   json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal([]byte(begun.Body), &b); err != nil {
		return begun
	}
	if c.whoever {
		var options map[string]any
		c.s.Must(json.Unmarshal(b.Options, &options))
		delete(options, "allowCredentials")
		var err error
		b.Options, err = json.Marshal(options)
		c.s.Must(err)
	}
	answer, err := key.Assert(b.Options, c.s.URL)
	c.s.Must(err)
	return c.post(path, append(fields, "challenge", b.Challenge, "passkey", string(answer))...)
}

// settled is a server with people, and a vendor that everybody knows.
func settled(t *testing.T) *testkit.Server {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	return s
}

// TestRuling16ApproveByPasskey approves what is displayed, by its digest; the receipt
// is verified offline; a second press and the way back do no harm.
func TestRuling16ApproveByPasskey(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID+"/approve"
	page := c.get(path)
	if page.Status != 200 || !strings.Contains(page.text(), "You are about to approve this") || !strings.Contains(page.Body, `name="digest" value="`+string(order.Digest)) {
		t.Fatalf("the page: %d %s", page.Status, page.text())
	}
	if strings.Contains(page.Body, "<nav") {
		t.Error("there is something to leave by")
	}
	done := c.byKey(marta.Key, path, append(page.hidden(), "reason", "as agreed in spring")...)
	if done.Status != 303 || done.To != "/r/"+order.ID+"/receipt" {
		t.Fatalf("approved: %d %s %s", done.Status, done.To, done.text())
	}
	receipt := c.get(done.To)
	for _, want := range []string{"Your approval is recorded", "You approved", "with a passkey", "as agreed in spring", "Log entry", "Approved", "countersign audit verify receipt-" + order.ID + ".json --key log.key"} {
		if !strings.Contains(receipt.text(), want) {
			t.Errorf("no %q on the receipt: %s", want, receipt.text())
		}
	}
	file := c.get("/r/" + order.ID + "/receipt.json")
	s.Verify([]byte(file.Body))
	if d := file.Header.Get("Content-Disposition"); d != `attachment; filename="receipt-`+order.ID+`.json"` {
		t.Error(d)
	}
	if keys := c.get("/log.key").Body; keys != strings.Join(s.Authority.Verifiers(), "\n")+"\n" {
		t.Error("the key:", keys)
	}
	again := c.byKey(marta.Key, path, page.hidden()...)
	if again.Status != 403 && again.Status != 409 {
		t.Errorf("begun again: %d %s", again.Status, again.text())
	}
	if !strings.Contains(again.text(), "See what was recorded") {
		t.Errorf("begun again says: %s", again.text())
	}
	if twice := c.post(path, append(page.hidden(), "challenge", "chl_used", "passkey", "{}")...); twice.Status != 303 || twice.To != done.To {
		t.Errorf("sent twice: %d %s", twice.Status, twice.text())
	}
	if back := c.get(path); back.Status != 200 || strings.Contains(back.Body, "<form class=\"stack act") || !strings.Contains(back.text(), "You have decided on this") {
		t.Errorf("the way back: %s", back.text())
	}
	if n := len(getRequest(s, order.ID).Decisions); n != 1 {
		t.Errorf("%d decisions", n)
	}
}

func getRequest(s *testkit.Server, id string) countersign.Approval {
	var a countersign.Approval
	s.Call("GET", "/v1/requests/"+id, s.Key, nil, &a)
	return a
}

// TestEveryFieldIsOnTheStepUpPage: every member of the canonical document stands on the
// page that is signed, with its place in the document.
func TestEveryFieldIsOnTheStepUpPage(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "987654321098.00", func(d *countersign.Document) {
		d.Subject, d.Payee.Country, d.Payee.Account = "<b>Bold</b> & “quoted”", "DE", &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000", Holder: "N. Technik"}
		d.Dates, d.Terms, d.Flags = &countersign.Dates{Due: "2026-12-20"}, &countersign.Terms{PaymentDays: 30, Text: "net"}, []string{"urgent"}
		d.Lines = []countersign.Line{{Number: "1", Description: "Turbine", Quantity: "1", Amount: &countersign.Amount{Value: "987654321098.00", Currency: "EUR"}}}
		d.Custom = map[string]string{"project": "P-1"}
	}))
	page := callerOf(t, s, marta.Token).get("/r/" + order.ID + "/approve")
	var places func(at string, node any)
	places = func(at string, node any) {
		switch n := node.(type) {
		case map[string]any:
			for k, m := range n {
				places(at+"/"+k, m)
			}
		case []any:
			for i, m := range n {
				places(at+"/"+string(rune('0'+i)), m)
			}
		default:
			if !strings.Contains(page.Body, `data-at="`+at+`"`) && !strings.Contains(page.Body, `data-also="`+at+`"`) {
				t.Errorf("%s (%v) is not on the page", at, n)
			}
		}
	}
	var whole any
	s.Must(json.Unmarshal(order.Document, &whole))
	places("", whole)
	if strings.Contains(page.Body, "<b>Bold</b>") {
		t.Error("a text of the document became a tag")
	}
}

// TestApproveByCode approves without scripts: a code counts on top of a sign-in that is
// fresh, and with the password where it is not. It is said to be weaker.
func TestApproveByCode(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	marta.EnrolCode()
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID+"/approve"
	page := c.get(path)
	if strings.Contains(page.Body, `name="password"`) || !strings.Contains(page.text(), "A code is weaker than a passkey") {
		t.Errorf("a fresh sign-in: %s", page.text())
	}
	s.Clock.Forward(20 * time.Minute)
	if page = c.get(path); !strings.Contains(page.Body, `name="password"`) {
		t.Error("the password is not asked, though the sign-in is old")
	}
	wrong := c.post(path, append(page.hidden(), "with", "code", "password", testkit.Password, "totp", "000000", "reason", "my words")...)
	if wrong.Status != 401 || !strings.Contains(wrong.Body, "my words") || strings.Contains(wrong.Body, testkit.Password) {
		t.Errorf("a wrong code: %d %s", wrong.Status, wrong.text())
	}
	done := c.post(path, append(page.hidden(), "with", "code", "password", testkit.Password, "totp", marta.Code(0))...)
	if done.Status != 303 {
		t.Fatalf("approved: %d %s", done.Status, done.text())
	}
	if receipt := c.get(done.To); !strings.Contains(receipt.text(), "with a code, which is weaker than a passkey") {
		t.Errorf("the receipt: %s", receipt.text())
	}
}

// TestForgedAnswersAreRefused: another digest, another's key, an answer that was made
// for another request, and one that is no answer at all.
func TestForgedAnswersAreRefused(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	order, other := s.Submit(testkit.Order("PO-1", "30000.00")), s.Submit(testkit.Order("PO-2", "31000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID+"/approve"
	fields := c.get(path).hidden()
	if a := c.post(path, "phase", "begin", "digest", string(other.Digest), "requirement", string(order.RequirementDigest)); a.Status != 409 || !strings.Contains(a.text(), "Look at it again") {
		t.Errorf("another digest: %d %s", a.Status, a.text())
	}
	c.whoever = true
	if a := c.byKey(daniel.Key, path, fields...); a.Status != 401 && a.Status != 403 {
		t.Errorf("another's key: %d %s", a.Status, a.text())
	}
	if a := c.post(path, append(fields, "challenge", "chl_01KE3W6Q5JX7N0V2D9H4T8ABCM", "passkey", `{"id":"x"}`)...); a.Status != 410 {
		t.Errorf("no challenge: %d %s", a.Status, a.text())
	}
	begun := c.post(path, append(fields, "phase", "begin")...)
	var b struct{ Challenge string }
	s.Must(json.Unmarshal([]byte(begun.Body), &b))
	if a := c.post("/r/"+other.ID+"/approve", "challenge", b.Challenge, "passkey", `{"id":"x"}`); a.Status != 410 {
		t.Errorf("for another request: %d %s", a.Status, a.text())
	}
	if a := c.post(path, append(fields, "phase", "begin", "requirement", "sha-256:00")...); a.Status != 200 { // the first of two values is what the page had
		t.Errorf("a second value: %d", a.Status)
	}
	if a := c.post(path, "phase", "begin", "digest", string(order.Digest), "requirement", "sha-256:00"); a.Status != 409 || !strings.Contains(a.text(), "What is asked of you has changed") {
		t.Errorf("another requirement: %d %s", a.Status, a.text())
	}
	if got := getRequest(s, order.ID); got.Status != countersign.StatusPending || len(got.Decisions) != 0 {
		t.Errorf("%s with %d decisions", got.Status, len(got.Decisions))
	}
}

// TestReplacedWhileLookedAt: a revision that comes behind the approver's back is shown
// with what differs, in the place of the signature.
func TestReplacedWhileLookedAt(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID+"/approve"
	fields := c.get(path).hidden()
	var newer countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "80000.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: order.ID}), &newer)
	a := c.do("POST", path, values(append(fields, "phase", "begin")...))
	for _, want := range []string{"This was replaced while you looked at it", "<th scope=\"row\">Amount</th>", "30\u202f000.00", "80\u202f000.00", "/r/" + newer.ID} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("no %q in %d %s", want, a.Status, a.Body)
		}
	}
	if strings.Contains(a.Body, "<html") {
		t.Error("the script gets a whole page to put into a page")
	}
	whole := c.post(path, append(fields, "with", "code", "totp", "123456", "password", "x")...)
	if whole.Status != 409 || !strings.Contains(whole.Body, "</html>") || !strings.Contains(whole.Body, "80\u202f000.00") || strings.Contains(whole.Body, `class="stack act"`) {
		t.Errorf("without a script: %d %s", whole.Status, whole.text())
	}
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// TestSomebodyWasFirst names them.
func TestSomebodyWasFirst(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID+"/approve"
	fields := c.get(path).hidden()
	if _, p := daniel.ByPasskey(order.ID, countersign.ActDeny); p != nil {
		t.Fatal(p)
	}
	if a := c.byKey(marta.Key, path, fields...); a.Status != 409 || !strings.Contains(a.text(), "Daniel Novak rejected it") {
		t.Errorf("%d %s", a.Status, a.text())
	}
}

// TestBankChangeAsksForTheCall: the question's answer is signed, two people are needed,
// the hold is on the receipt, and a watcher's way out works.
func TestBankChangeAsksForTheCall(t *testing.T) {
	s := settled(t)
	ingrid, tomas := s.Person("ingrid"), s.Person("tomas")
	account := &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
	s.Vendor("V-2", "Nordholz Logistik GmbH", 6, account)
	change := s.Submit(testkit.Order("VBC-1", "1.00", func(d *countersign.Document) {
		d.Kind, d.Amount, d.Category, d.CostCentre = countersign.KindVendorBankChange, nil, "", ""
		d.Payee = &countersign.Payee{ID: "V-2", Name: "Nordholz Logistik GmbH", Account: &countersign.Account{Scheme: "iban", Value: "DE12500105170648489890"}}
		d.Changes = []countersign.Change{{Field: "account", From: account.Value, To: "DE12500105170648489890"}}
	}))
	path := "/r/" + change.ID + "/approve"
	c := callerOf(t, s, ingrid.Token)
	page := c.get(path)
	if !strings.Contains(page.Body, `name="answer.callback"`) {
		t.Fatalf("no question: %s", page.text())
	}
	if a := c.byKey(ingrid.Key, path, page.hidden()...); a.Status != 400 || !strings.Contains(a.text(), "is not answered") && !strings.Contains(a.text(), "needs an answer") {
		t.Errorf("no answer: %d %s", a.Status, a.text())
	}
	if a := c.byKey(ingrid.Key, path, append(page.hidden(), "answer.callback", "yes, +49 40 1234")...); a.Status != 303 {
		t.Fatalf("ingrid: %d %s", a.Status, a.text())
	}
	if r := c.get("/r/" + change.ID + "/receipt"); !strings.Contains(r.text(), "Still needed") || strings.Contains(r.Body, "receipt.json") {
		t.Errorf("while one is missing: %s", r.text())
	}
	if got := getRequest(s, change.ID).Decisions[0].Attestations; len(got) != 1 || got[0].Answer != "yes, +49 40 1234" {
		t.Errorf("signed: %+v", got)
	}
	d := callerOf(t, s, tomas.Token)
	if a := d.byKey(tomas.Key, path, append(d.get(path).hidden(), "answer.callback", "yes")...); a.Status != 303 {
		t.Fatalf("tomas: %d %s", a.Status, a.text())
	}
	if r := d.get("/r/" + change.ID + "/receipt"); !strings.Contains(r.text(), "Held: nothing is released before") {
		t.Errorf("the hold: %s", r.text())
	}
	back := d.get("/r/" + change.ID + "/revoke")
	if a := d.byKey(tomas.Key, "/r/"+change.ID+"/revoke", append(back.hidden(), "reason", "the call was forwarded")...); a.Status != 303 {
		t.Fatalf("taken back: %d %s", a.Status, a.text())
	}
	if got := getRequest(s, change.ID).Status; got != countersign.StatusRevoked {
		t.Error(got)
	}
	if a := d.get("/r/" + change.ID + "/revoke"); strings.Contains(a.Body, `class="stack act"`) {
		t.Error("what is taken back can be taken back again")
	}
}

// TestWhoMayNotDecide sees why, and nobody else sees that there is anything.
func TestWhoMayNotDecide(t *testing.T) {
	s := settled(t)
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	elif, priya := s.Person("elif"), s.Person("priya")
	path := "/r/" + order.ID + "/approve"
	if a := callerOf(t, s, elif.Token).get(path); a.Status != 200 || !strings.Contains(a.text(), "You cannot decide on this") || strings.Contains(a.Body, `class="stack act"`) {
		t.Errorf("who asked: %d %s", a.Status, a.text())
	}
	for _, p := range []string{path, "/r/" + order.ID + "/receipt", "/r/" + order.ID + "/receipt.json", "/r/" + order.ID + "/continue", "/r/" + order.ID + "/revoke"} {
		nothing, here := callerOf(t, s, priya.Token).get(strings.Replace(p, order.ID, "req_01KE3W6Q5JX7N0V2D9H4T8ABCM", 1)), callerOf(t, s, priya.Token).get(p)
		if here.Status != 404 || here.Body != nothing.Body {
			t.Errorf("%s for a stranger: %d", p, here.Status)
		}
		if a := callerOf(t, s, "").get(p); a.Status != 303 || a.To != "/sign-in?to="+url.QueryEscape(p) {
			t.Errorf("%s without a session: %d %s", p, a.Status, a.To)
		}
	}
}

// TestContinueGoesWhereTheSubmissionSaid, with a signed result, and nowhere that the
// address names.
func TestContinueGoesWhereTheSubmissionSaid(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	var order, plain countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "30000.00"), &countersign.Submission{ReturnURL: "https://erp.example.com/po/1?x=y"}), &order)
	plain = *s.Submit(testkit.Order("PO-2", "30000.00"))
	c := callerOf(t, s, marta.Token)
	if r := c.get("/r/" + order.ID + "/receipt?return_url=https://evil.example"); !strings.Contains(r.text(), "Continue to erp.example.com") || strings.Contains(r.Body, "evil") {
		t.Errorf("%s", r.text())
	}
	a := c.get("/r/" + order.ID + "/continue?to=https://evil.example")
	if a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	got, err := countersign.VerifyReturn(a.To, s.Authority.Verifiers(), s.Clock.Now())
	if err != nil || got.Request != order.ID || got.Status != countersign.StatusPending {
		t.Errorf("%s: %+v %v", a.To, got, err)
	}
	if a := c.get("/r/" + plain.ID + "/continue?to=https://evil.example"); a.Status != 404 || a.To != "" {
		t.Errorf("nowhere to go: %d %s", a.Status, a.To)
	}
}

// TestRuling20InPlaceOfAnother: whoever may decide in another's place says so on the
// page, signs it, and both names stand on the receipt.
func TestRuling20InPlaceOfAnother(t *testing.T) {
	s := settled(t)
	marta, priya := s.Person("marta"), s.Person("priya")
	ends := s.Clock.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	body := map[string]any{"to": priya.ID, "ends_at": ends, "reason": "a week off", "step_up": marta.StepUp("delegate:" + priya.ID + "::" + ends + "::")}
	s.Call("POST", "/v1/delegations", marta.Token, body, nil)
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, priya.Token), "/r/"+order.ID+"/approve"
	page := c.get(path)
	if !strings.Contains(page.text(), "Marta Silva, in whose place you may decide") || strings.Contains(page.text(), "Yourself") {
		t.Fatalf("%d %s", page.Status, page.text())
	}
	if a := c.byKey(priya.Key, path, page.hidden()...); a.Status != 403 {
		t.Errorf("for themself: %d %s", a.Status, a.text())
	}
	a := c.byKey(priya.Key, path, append(page.hidden(), "acting_for", marta.ID)...)
	if a.Status != 303 {
		t.Fatalf("%d %s", a.Status, a.text())
	}
	if r := c.get(a.To); !strings.Contains(r.text(), "You approved in place of Marta Silva") {
		t.Errorf("%s", r.text())
	}
	if d := getRequest(s, order.ID).Decisions[0]; d.ActingFor == nil || d.ActingFor.ID != marta.ID || !strings.Contains(string(d.Evidence.Statement), marta.ID) {
		t.Errorf("%+v", d)
	}
}
