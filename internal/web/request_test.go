package web_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// has fails the test where a page lacks one of the texts, and lacks where it has one.
func (a shown) has(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(a.text(), w) {
			t.Errorf("no %q on the page (%d): %s", w, a.Status, a.text())
		}
	}
}

func (a shown) lacks(t *testing.T, not ...string) {
	t.Helper()
	for _, w := range not {
		if strings.Contains(a.Body, w) {
			t.Errorf("%q is on the page (%d): %s", w, a.Status, a.text())
		}
	}
}

// TestRequestPageSays what it is about, why it is here, who can decide, what happened,
// and offers each what they can do: no more.
func TestRequestPageSays(t *testing.T) {
	s := settled(t)
	marta, elif, claire, noor, priya := s.Person("marta"), s.Person("elif"), s.Person("claire"), s.Person("noor"), s.Person("priya")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	path := "/r/" + order.ID
	page := callerOf(t, s, marta.Token).get(path)
	page.has(t, "Purchase order PO-1", "Nordwind Technik GmbH", "Why this needs you", "is EUR 30,000.00 or more", "large-purchase · policy v1", "1 person of approvers", "too", "submitted it; the policy asks for approval",
		"Review and approve", "Reject…", "Hand over…", "Freeze…", "Your approval is the last that is needed")
	page.lacks(t, `href="/audit/`, `href="/policy`, "Withdraw…", "/revoke\"")
	asker := callerOf(t, s, elif.Token).get(path)
	asker.has(t, "You asked for this, so others decide.", "Withdraw…", "Ask a question")
	asker.lacks(t, path+"/approve", path+"/reject", path+"/reassign")
	controller := callerOf(t, s, claire.Token).get(path)
	controller.lacks(t, path+"/approve")
	if !strings.Contains(controller.Body, `href="/policy?version=1#rule-large-purchase"`) || !strings.Contains(controller.Body, `href="/audit/`) {
		t.Error("a controller is not led to the rule and to the log")
	}
	callerOf(t, s, noor.Token).get(path).lacks(t, path+"/approve", path+"/reject", `name="text"`)
	if a := callerOf(t, s, priya.Token).get(path); a.Status != 404 {
		t.Errorf("a stranger to it sees %d", a.Status)
	}
	for _, act := range []string{"", "/reject", "/freeze", "/withdraw", "/reassign", "/attachments/" + strings.Repeat("0f", 32)} {
		if a := callerOf(t, s, priya.Token).get(path + act); a.Status != 404 {
			t.Errorf("%s: a stranger to it gets %d", act, a.Status)
		}
		if a := callerOf(t, s, "").get(path + act); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
			t.Errorf("%s: nobody gets %d %s", act, a.Status, a.To)
		}
	}
}

// TestLiveTellsStrangersNothing: who is signed in no longer, and who may not see the
// request, get a stream that ends at once and says so to the browser.
func TestLiveTellsStrangersNothing(t *testing.T) {
	s := settled(t)
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	for _, session := range []string{"", s.Person("priya").Token} {
		for _, id := range []string{order.ID, "req_01m86pgrc4yaz72vbavt5jfg32"} {
			a := callerOf(t, s, session).get("/r/" + id + "/live?version=0")
			if a.Status != 200 || !strings.Contains(a.Body, "event: over") || strings.Contains(a.Body, "changed") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
	}
}

// TestRejectStory: the reason is chosen and said, the session suffices, pressing twice
// does no harm, and whoever asked reads why.
func TestRejectStory(t *testing.T) {
	s := settled(t)
	marta, elif := s.Person("marta"), s.Person("elif")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID
	form := c.get(path + "/reject")
	form.has(t, "Reject this", "Nobody ordered this", "One rejection is enough")
	if a := c.post(path+"/reject", append(form.hidden(), "text", "kept words")...); a.Status != 400 || !strings.Contains(a.Body, "kept words") {
		t.Errorf("without a reason: %d %s", a.Status, a.text())
	}
	if a := c.post(path+"/reject", append(form.hidden(), "why", "other")...); a.Status != 400 {
		t.Errorf("something else, unsaid: %d", a.Status)
	}
	if a := c.post(path+"/reject", "digest", "sha-256:"+strings.Repeat("0", 64), "why", "amount"); a.Status != 409 {
		t.Errorf("another document: %d %s", a.Status, a.text())
	}
	if got := getRequest(s, order.ID); got.Status != countersign.StatusPending {
		t.Fatal("it is", got.Status)
	}
	fields := append(form.hidden(), "why", "amount", "text", "Ten per cent too much.\r\nAs agreed.")
	for range 2 {
		if a := c.post(path+"/reject", fields...); a.Status != 303 || a.To != path {
			t.Fatalf("rejected: %d %s %s", a.Status, a.To, a.text())
		}
	}
	got := getRequest(s, order.ID)
	if got.Status != countersign.StatusDenied || len(got.Decisions) != 1 || got.Decisions[0].Reason != "The amount is wrong: Ten per cent too much.\nAs agreed." || got.Decisions[0].Unexpected {
		t.Errorf("%s %+v", got.Status, got.Decisions)
	}
	c.get(path).has(t, "You rejected this", "Ten per cent too much.", "with their sign-in")
	callerOf(t, s, elif.Token).get(path).has(t, "Marta Silva rejected this", "Ten per cent too much.")
	c.get(path+"/reject").lacks(t, "<fieldset")
}

// TestRuling22UnexpectedThenFreeze: one press denies and raises an alert, and no more;
// freezing is offered then, and takes a step-up for exactly what is frozen.
func TestRuling22UnexpectedThenFreeze(t *testing.T) {
	s := settled(t)
	marta, claire := s.Person("marta"), s.Person("claire")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID
	form := c.get(path + "/reject")
	form.has(t, "I did not expect this", "alert about Nordwind Technik GmbH for 14 days")
	done := c.post(path+"/reject", append(form.hidden(), "why", "not_ordered", "unexpected", "yes")...)
	if done.Status != 303 || done.To != path+"/freeze?after=rejected" {
		t.Fatalf("rejected: %d %s %s", done.Status, done.To, done.text())
	}
	var alerts countersign.Page[countersign.Alert]
	s.Call("GET", "/v1/alerts", claire.Token, nil, &alerts)
	if len(alerts.Items) != 1 || alerts.Items[0].About.Vendor != "V-1" {
		t.Errorf("alerts: %+v", alerts.Items)
	}
	offer := c.get(done.To)
	offer.has(t, "It is rejected, and an alert was raised", "Nordwind Technik GmbH (V-1)", "Elif Kaya, who asked for this", "Not now")
	if a := c.byKey(marta.Key, path+"/freeze", "reason", "smells"); a.Status != 400 {
		t.Errorf("nothing chosen: %d %s", a.Status, a.text())
	}
	frozen := c.byKey(marta.Key, path+"/freeze", "target", "vendor", "hours", "24", "reason", "smells")
	if frozen.Status != 303 || frozen.To != path {
		t.Fatalf("frozen: %d %s", frozen.Status, frozen.text())
	}
	if again := c.byKey(marta.Key, path+"/freeze", "target", "vendor", "hours", "72", "reason", "smells"); again.Status < 400 {
		t.Errorf("frozen again: %d", again.Status)
	}
	begun := c.post(path+"/freeze", "target", "vendor", "reason", "x", "phase", "begin")
	if a := c.post(path+"/freeze", "target", "person", "reason", "x", "challenge", begun.Body, "passkey", "{}"); a.Status < 400 {
		t.Errorf("a proof for something else: %d", a.Status)
	}
	var f struct {
		Items []struct {
			About   string    `json:"about"`
			Expires time.Time `json:"expires_at"`
		} `json:"items"`
	}
	s.Call("GET", "/v1/freezes", claire.Token, nil, &f)
	if len(f.Items) != 1 {
		t.Errorf("freezes: %+v", f)
	}
}

// TestHandOverWithdrawAsk: the acts that are no decision.
func TestHandOverWithdrawAsk(t *testing.T) {
	s := settled(t)
	marta, daniel, elif := s.Person("marta"), s.Person("daniel"), s.Person("elif")
	var order countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "30000.00"), &countersign.Submission{Approver: "marta"}), &order)
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID
	asker := callerOf(t, s, elif.Token)

	asked := c.post(path+"/questions", "text", "Who needs this?\r\nAnd why now?")
	if asked.Status != 303 || !strings.HasPrefix(asked.To, path+"#qst_") {
		t.Fatalf("asked: %d %s", asked.Status, asked.text())
	}
	if a := c.post(path+"/questions", "text", "what \u202e is this"); a.Status != 400 || !strings.Contains(a.Body, "what \u202e is this") {
		t.Errorf("a character that cannot be seen: %d %s", a.Status, a.text())
	}
	qst := strings.TrimPrefix(asked.To, path+"#")
	form := asker.get(path + "?answer=" + qst)
	form.has(t, "Answer Marta Silva", "And why now?")
	if a := asker.post(path+"/questions", append(form.hidden(), "text", "The workshop, this week.")...); a.Status != 303 {
		t.Fatalf("answered: %d %s", a.Status, a.text())
	}
	c.get(path).has(t, "The workshop, this week.", "asked for this", "to you", "Elif Kaya answered", "You asked a question")

	choice := c.get(path + "/reassign")
	choice.has(t, "Hand this over", "Daniel Novak")
	choice.lacks(t, "Elif Kaya</bdi></label>", "Marta Silva</bdi></label>", "Ingrid Berg</bdi></label>") // who has nothing to sign with
	if a := c.post(path+"/reassign", "to", elif.ID, "reason", "on leave"); a.Status < 400 || a.Status >= 500 {
		t.Errorf("handed to whoever asked: %d", a.Status)
	}
	if a := c.post(path+"/reassign", "to", daniel.ID, "reason", "on leave"); a.Status != 303 {
		t.Fatalf("handed over: %d %s", a.Status, a.text())
	}
	c.get(path).has(t, "You handed it to Daniel Novak")
	c.get(path+"/reassign").lacks(t, `name="to"`)

	asker.get(path+"/withdraw").has(t, "Withdraw this", "It cannot be undone")
	c.get(path+"/withdraw").has(t, "You cannot withdraw this")
	if a := c.post(path+"/withdraw", "reason", "x"); a.Status != 403 && a.Status != 409 {
		t.Errorf("withdrawn by somebody else: %d", a.Status)
	}
	for range 2 {
		if a := asker.post(path+"/withdraw", "reason", "no longer needed"); a.Status != 303 || a.To != path {
			t.Fatalf("withdrawn: %d %s", a.Status, a.text())
		}
	}
	c.get(path).has(t, "Elif Kaya withdrew this")
	if got := getRequest(s, order.ID); got.Status != countersign.StatusCancelled {
		t.Error(got.Status)
	}
}

// TestNothingIsDoneByGet: every page of an act can be opened by anybody who may, and
// nothing has happened.
func TestNothingIsDoneByGet(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	before := getRequest(s, order.ID)
	c := callerOf(t, s, marta.Token)
	for _, act := range []string{"", "/reject", "/freeze", "/withdraw", "/reassign"} {
		if a := c.get("/r/" + order.ID + act + "?why=amount&digest=" + string(order.Digest) + "&to=daniel&reason=x&text=x"); a.Status != 200 {
			t.Errorf("%s: %d", act, a.Status)
		}
	}
	if after := getRequest(s, order.ID); after.Version != before.Version || after.Status != before.Status {
		t.Errorf("version %d became %d", before.Version, after.Version)
	}
}

// TestAttachmentIsWhatTheDocumentNames: a file that is here is a download that nothing
// runs; one that was changed in the database is not given, and says so.
func TestAttachmentIsWhatTheDocumentNames(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	file := []byte("<script>alert(1)</script>, which calls itself a picture")
	digest := countersign.SumBytes(file)
	sum := strings.TrimPrefix(string(digest), "sha-256:")
	order := s.Submit(testkit.Order("PO-1", "30000.00", func(d *countersign.Document) {
		d.Attachments = []countersign.Attachment{{Name: "offer \"final\";/fdp.exe", Digest: digest, Size: int64(len(file))}, {Name: "elsewhere.pdf", Digest: countersign.SumBytes([]byte("x")), Size: 1}}
	}))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID
	at := path + "/attachments/" + sum
	c.get(path).lacks(t, at)
	if a := c.get(at); a.Status != 404 {
		t.Errorf("a file that is not here: %d", a.Status)
	}
	if a := s.Send("POST", "/v1/requests/"+order.ID+"/attachments/"+sum, s.Key, file); a.Status >= 300 {
		t.Fatalf("upload: %d %s", a.Status, a.Body)
	}
	page := c.get(path)
	page.has(t, "elsewhere.pdf The file is not kept here")
	if strings.Count(page.Body, `href="`+at+`"`) != 2 {
		t.Error("the card and the list lead to the file")
	}
	a := c.get(at)
	if a.Status != 200 || a.Body != string(file) {
		t.Fatalf("opened: %d %s", a.Status, a.Body)
	}
	for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="offer _final_;_fdp.exe"`,
		"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	_, err := s.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE attachment_piece SET data = $2 WHERE org_id = $1`, []byte("something else"))
		return err
	})
	s.Must(err)
	if a := c.get(at); a.Status != 409 || strings.Contains(a.Body, "something else") {
		t.Errorf("a changed file: %d %s", a.Status, a.Body)
	} else {
		a.has(t, "The stored file is not the one in the document", "An alert was raised")
	}
}

// TestSupersededPageShowsTheDifference, leads to the newer version, and offers nothing.
func TestSupersededPageShowsTheDifference(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	var newer countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "80000.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: order.ID}), &newer)
	c := callerOf(t, s, marta.Token)
	old := c.get("/r/" + order.ID)
	old.has(t, "A newer version has replaced this one", "30\u202f000.00", "80\u202f000.00", "Open the newer version")
	old.lacks(t, "/approve\"", "/reject\"")
	if !strings.Contains(old.Body, `href="/r/`+newer.ID+`"`) {
		t.Error("no link to the newer version")
	}
	c.get("/r/"+newer.ID).has(t, "This replaces revision 1", "What differs is marked", "Review and approve")
	c.get("/r/"+order.ID+"/reject").has(t, "Decide on the newer version.")
}

// TestLiveBanner: an open page is told once that its request has changed, and what is
// being read is left alone. A page that is old already is told at once.
func TestLiveBanner(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	ctx, cancel := context.WithTimeout(t.Context(), steady.Limit)
	defer cancel()
	read := func(version string, began func()) string {
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/r/"+order.ID+"/live?version="+version, nil)
		s.Must(err)
		req.AddCookie(&http.Cookie{Name: "countersign-local", Value: marta.Token})
		res, err := http.DefaultClient.Do(req)
		s.Must(err)
		defer res.Body.Close()
		if res.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(res.Status, res.Header)
		}
		var all strings.Builder
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if lines.Text() == ": open" && began != nil {
				began()
			}
		}
		return all.String()
	}
	told := read("1", func() {
		if _, p := daniel.ByPasskey(order.ID, countersign.ActDeny); p != nil {
			t.Error(p)
		}
	})
	for _, want := range []string{": open", "This has changed since you opened it.", `data: <div class="note warn">`, "event: over"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in %s", want, told)
		}
	}
	if old := read("1", nil); strings.Contains(old, ": open") || !strings.Contains(old, "This has changed") {
		t.Errorf("a page that is old: %s", old)
	}
}

// TestTextsOfOthersStayTexts: what people and systems write is text wherever it is
// shown, and nothing hides in it.
func TestTextsOfOthersStayTexts(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	s.Vendor("V-1", "Nord "+evil, 6, nil)
	marta, elif := s.Person("marta"), s.Person("elif")
	order := s.Submit(testkit.Order("PO-1 "+evil, "30000.00", func(d *countersign.Document) {
		d.Payee.Name, d.Requester.Name, d.Subject, d.Category, d.Entity, d.CostCentre = "Nord "+evil, "Elif "+evil, evil, evil[:40], evil[:40], evil[:40]
		d.Custom = map[string]string{"note": evil}
		d.Attachments = []countersign.Attachment{{Name: evil, Digest: countersign.SumBytes([]byte("x")), Size: 1}}
		d.Lines = []countersign.Line{{Number: "1", Description: evil, Amount: &countersign.Amount{Value: "30000.00", Currency: "EUR"}}}
	}))
	c, path := callerOf(t, s, marta.Token), "/r/"+order.ID
	if a := callerOf(t, s, elif.Token).post(path+"/questions", "text", evil); a.Status != 303 {
		t.Fatalf("asked: %d %s", a.Status, a.text())
	}
	clean := func(a shown) {
		t.Helper()
		for _, bad := range []string{"<script>alert", "<img", "onerror=alert(1)>"} {
			if strings.Contains(strings.ReplaceAll(a.Body, "onerror=alert(1)&gt;", ""), bad) {
				t.Errorf("%q is a tag on the page", bad)
			}
		}
	}
	for _, page := range []string{"", "/reject", "/freeze", "/reassign", "/approve"} {
		a := c.get(path + page)
		if a.Status != 200 {
			t.Errorf("%s: %d %s", page, a.Status, a.text())
		}
		clean(a)
	}
	clean(c.post(path+"/reject", "why", "nothing", "text", evil, "acting_for", evil))
	clean(c.post(path+"/reassign", "to", evil, "reason", evil))
	clean(c.post(path+"/freeze", "target", evil, "reason", evil))
	if a := c.post(path+"/reject", append(c.get(path+"/reject").hidden(), "why", "other", "text", evil)...); a.Status != 303 {
		t.Fatalf("rejected: %d %s", a.Status, a.text())
	}
	end := c.get(path)
	end.has(t, "<script>alert(1)</script>")
	clean(end)
}

// TestRequestInABrowser: a banner comes while somebody reads and writes, and takes
// nothing away; then the request is rejected without scripts.
func TestRequestInABrowser(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	b := testkit.OpenBrowser(t)
	b.Open(s.URL + "/sign-in")
	testkit.Eval[string](b, `document.cookie = "countersign-local=`+marta.Token+`; path=/"`)
	b.Open(s.URL + "/r/" + order.ID)
	b.WaitText("Your approval is the last that is needed")
	testkit.Eval[string](b, `document.querySelector('#ask textarea').value = "Half a quest"`)
	if _, err := s.Authority.Ask(t.Context(), sessionOf(t, s, daniel), order.ID, countersign.QuestionBody{Text: "Is it for the workshop?"}); err != nil {
		t.Fatal(err)
	}
	b.WaitText("This has changed since you opened it.")
	if left := testkit.Eval[string](b, `document.querySelector('#ask textarea').value`); left != "Half a quest" {
		t.Errorf("what was written became %q", left)
	}
	b.Screenshot("request-live")
	b.Click(".live a")
	b.WaitText("Is it for the workshop?")
	b.Scripts(false)
	b.Open(s.URL + "/r/" + order.ID)
	b.Click(`a[data-act="deny"]`)
	b.Click(`input[value="duplicate"]`)
	b.Click(`form button.danger`)
	b.WaitText("You rejected this")
}

// sessionOf is a person's session as the pages would have it.
func sessionOf(t *testing.T, s *testkit.Server, p *testkit.Person) authority.Session {
	t.Helper()
	session, err := s.Authority.AuthenticateSession(t.Context(), p.Token)
	s.Must(err)
	return session
}

// TestRuling13HandedOverSeesOneRequest: a session that was handed over reads its request
// and may stop it; there is nothing to leave by, and nothing around it.
func TestRuling13HandedOverSeesOneRequest(t *testing.T) {
	s := settled(t)
	marta := s.Person("marta")
	other := s.Submit(testkit.Order("PO-2", "31000.00"))
	var order countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "30000.00"), &countersign.Submission{
		Vouch: &countersign.Vouch{Person: "marta", Method: "pwd", AuthenticatedAt: s.Clock.Now().UTC().Format(time.RFC3339)}}), &order)
	_, token, _ := strings.Cut(order.HandOverURL, "#")
	s.Secret(token)
	c, path := callerOf(t, s, ""), "/r/"+order.ID
	c.post("/h", "token", token)
	page := c.get(path)
	page.has(t, "Purchase order PO-1", "Review and approve")
	page.lacks(t, `class="back" href="/"`, "/reassign", "/freeze", "/withdraw", `href="/factors"`)
	for _, act := range []string{"/freeze", "/withdraw", "/reassign"} {
		if a := c.get(path + act); a.Status != 403 {
			t.Errorf("%s: %d", act, a.Status)
		}
	}
	if a := c.get("/r/" + other.ID); a.Status != 404 {
		t.Errorf("another request: %d", a.Status)
	}
	form := c.get(path + "/reject")
	fields := append(form.hidden(), "why", "not_ordered", "unexpected", "yes")
	if a := c.post(path+"/reject", fields...); a.Status != 401 {
		t.Errorf("rejected on the word of another system: %d %s", a.Status, a.text())
	}
	if a := c.byKey(marta.Key, path+"/reject", fields...); a.Status != 303 || a.To != path {
		t.Fatalf("rejected: %d %s %s", a.Status, a.To, a.text())
	}
	c.get(path).has(t, "You rejected this", "with a passkey")
}
