package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// textarea is what stands in a field of the form.
func (a shown) textarea(name string) string {
	m := regexp.MustCompile(`(?s)<textarea[^>]* name="` + regexp.QuoteMeta(name) + `"[^>]*>\n?(.*?)</textarea>`).FindStringSubmatch(a.Body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// TestPolicyIsReadAndReplaced: the policy with its figures; a draft with its problems at
// their lines; a proposal whose difference a second person signs; the next version.
func TestPolicyIsReadAndReplaced(t *testing.T) {
	s := settled(t)
	claire, samuel := callerOf(t, s, s.Person("claire").Token), s.Person("samuel")
	s.Submit(testkit.Order("PO-1", "30000.00"))
	page := claire.get("/policy")
	for _, want := range []string{`id="rule-large-purchase"`, `href="#rule-large-purchase"`, `href="/requests?rule=large-purchase"`, "in force: version 1", "the operator", `href="/policy/draft"`} {
		if page.Status != 200 || !strings.Contains(page.Body, want) {
			t.Errorf("%d: no %q", page.Status, want)
		}
	}
	if m := regexp.MustCompile(`requests\?rule=large-purchase">1<`); !m.MatchString(page.Body) {
		t.Error("the figure of the rule that counted is not there")
	}
	noor := callerOf(t, s, s.Person("noor").Token)
	if a := noor.get("/policy?version=1"); a.Status != 200 || strings.Contains(a.Body, "/policy/draft") {
		t.Errorf("an auditor reads it, and is not offered to write: %d", a.Status)
	}
	for _, path := range []string{"/policy?version=2", "/policy?version=x", "/policy?version=-1", "/policy/difference?from=7"} {
		if a := claire.get(path); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if a := noor.get("/policy/draft"); a.Status != http.StatusNotFound {
		t.Errorf("an auditor's draft: %d", a.Status)
	}
	if a := noor.post("/policy/draft/propose", "policy", "x", "reason", "y", "base", "1"); a.Status != http.StatusNotFound {
		t.Errorf("an auditor proposes: %d", a.Status)
	}
	start := claire.get("/policy/draft")
	text, tests := start.textarea("policy"), start.textarea("tests")
	if !strings.Contains(start.text(), "This is version 1, which is in force") || !strings.Contains(start.text(), "cases pass") || !strings.HasPrefix(tests, "# Tests") {
		t.Fatalf("%s", start.text())
	}
	draft := strings.Replace(text, "  large: 30000 ", "  large: 25000 ", 1)
	form := func(policy string, more ...string) []string {
		// As browsers send it: lines end in two characters.
		return append([]string{"policy", strings.ReplaceAll(policy, "\n", "\r\n"), "tests", strings.ReplaceAll(tests, "\n", "\r\n"), "base", "1"}, more...)
	}
	wrong := claire.post("/policy/draft", form(strings.Replace(draft, "amount >= large\n", "ammount >= large\n", 1))...)
	line := regexp.MustCompile(`href="#(line-\d+)"`).FindStringSubmatch(wrong.Body)
	if wrong.Status != 200 || line == nil || !regexp.MustCompile(`<li id="`+line[1]+`" class="bad"><code>.*ammount`).MatchString(wrong.Body) || !strings.Contains(wrong.text(), "did you mean") {
		t.Errorf("the problem is not at its line: %d %v", wrong.Status, line)
	}
	for _, refused := range [][]string{form(draft, "reason", " "), form(text, "reason", "nothing"), form("policy: [", "reason", "broken")} {
		if a := claire.post("/policy/draft/propose", refused...); a.Status < 400 || a.textarea("policy") == "" {
			t.Errorf("%d: it was proposed, or the draft is lost", a.Status)
		}
	}
	open := regexp.MustCompile(`1 request is open`)
	if a := claire.post("/policy/draft", form(draft)...); !open.MatchString(a.text()) || a.textarea("policy") != draft || !strings.Contains(a.text(), " fail") {
		t.Errorf("%s", a.text())
	}
	made := claire.post("/policy/draft/propose", form(draft, "reason", "Orders of 25,000 as well")...)
	if made.Status != http.StatusSeeOther || !strings.HasPrefix(made.To, "/proposed/req_") {
		t.Fatalf("%d %s", made.Status, made.text())
	}
	id := strings.TrimPrefix(made.To, "/proposed/")
	if a := claire.get(made.To); a.Status != 200 {
		t.Errorf("%d", a.Status)
	}
	if a := claire.get("/policy"); !strings.Contains(a.text(), "Claire Dubois proposes another version") || !strings.Contains(a.Body, "/r/"+id) {
		t.Error("the proposal that waits is not said")
	}
	reader := callerOf(t, s, samuel.Token).get("/r/" + id)
	if !regexp.MustCompile(`(?s)class="ln del".*large: 30000 .*class="ln add".*large: 25000 `).MatchString(reader.Body) {
		t.Error("the reader of the proposal does not see the difference")
	}
	if _, problem := samuel.ByPasskey(id, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	if a := claire.get("/policy"); !strings.Contains(a.text(), "in force: version 2") || !strings.Contains(a.text(), "large : 25000") {
		t.Errorf("%s", a.text())
	}
	if a := claire.get("/policy?version=1#rule-large-purchase"); !strings.Contains(a.text(), "no longer in force: version 2 is") || !strings.Contains(a.text(), "large : 30000") {
		t.Error("the older version is not shown as one")
	}
	if a := noor.get("/policy/difference?from=1&to=2"); !regexp.MustCompile(`(?s)class="ln del".*30000.*class="ln add".*25000`).MatchString(a.Body) {
		t.Error("no difference")
	}
	// Somebody else's draft from before.
	late := claire.post("/policy/draft/propose", form(strings.Replace(text, "  large: 30000 ", "  large: 20000 ", 1), "reason", "Even lower")...)
	if late.Status != http.StatusConflict || !strings.Contains(late.text(), "was published since you began with version 1") || !strings.Contains(late.textarea("policy"), "large: 20000") {
		t.Errorf("%d %s", late.Status, late.text())
	}
}

// TestDraftIsCheckedWhileItIsWritten: what a script puts into the page is the part that
// says what is wrong; a list in a file has a field of its own, and is published with it.
func TestDraftIsCheckedWhileItIsWritten(t *testing.T) {
	s := settled(t)
	claire := callerOf(t, s, s.Person("claire").Token)
	text := claire.get("/policy/draft").textarea("policy") + "\nlists:\n  known: {file: known.csv}\n"
	send := func(path string, more ...string) shown {
		form := url.Values{"policy": {text}, "base": {"1"}, "reason": {"a list"}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return claire.do("POST", path, form, func(r *http.Request) {
			if path == "/policy/draft" {
				r.Header.Set("HX-Request", "true")
			}
		})
	}
	part := send("/policy/draft")
	if part.Status != 200 || strings.Contains(part.Body, "<html") || strings.Contains(part.Body, "<textarea") || !strings.Contains(part.Body, `<hx-partial hx-target="#copy"`) || !strings.Contains(part.text(), "known.csv") {
		t.Errorf("%d %s", part.Status, part.text())
	}
	if a := claire.post("/policy/draft", "policy", text, "base", "1"); !strings.Contains(a.Body, `name="list:known"`) {
		t.Error("no field for the list")
	}
	list := "value,owner,because,until\nV-1,cfo,\"=contract\",2027-12-31\n"
	if part := send("/policy/draft", "list:known", list, "list:gone", "x"); !strings.Contains(part.text(), "It can be published") || !strings.Contains(part.text(), "There are none") {
		t.Errorf("%s", part.text())
	}
	made := send("/policy/draft/propose", "list:known", strings.ReplaceAll(list, "\n", "\r\n"))
	if made.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", made.Status, made.text())
	}
	if _, problem := s.Person("samuel").ByPasskey(strings.TrimPrefix(made.To, "/proposed/"), countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	if a := claire.get("/policy"); !strings.Contains(a.text(), "1 entry") || !strings.Contains(a.text(), "until 31") || !strings.Contains(a.Body, `id="list-known"`) {
		t.Errorf("%s", a.text())
	}
	if got := claire.get("/policy/draft").textarea("list:known"); got != list {
		t.Errorf("%q", got)
	}
	if a := claire.post("/policy/draft", "policy", strings.Repeat("a", 5<<20)); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", a.Status)
	}
	if a := claire.post("/policy/draft", "policy", strings.Repeat("[", 20000)+"\n"+strings.Repeat("- ", 20000)); a.Status != 200 {
		t.Errorf("an odd text: %d", a.Status)
	}
}

// TestDraftInABrowser types into a draft: one request comes of many keys, the focus
// stays, and the problem stands at its line.
func TestDraftInABrowser(t *testing.T) {
	s := settled(t)
	claire := s.Person("claire")
	b := testkit.OpenBrowser(t)
	b.Open(s.URL + "/sign-in")
	testkit.Eval[bool](b, fmt.Sprintf(`document.cookie = "countersign-local=%s; path=/"; true`, claire.Token))
	b.Open(s.URL + "/policy/draft")
	b.WaitText("which is in force")
	testkit.Eval[bool](b, `(() => { const e = document.querySelector('textarea[name=policy]'); e.focus(); e.setSelectionRange(e.value.length, e.value.length); window.asked = 0;
		document.addEventListener('htmx:before:request', () => window.asked++); return true })()`)
	for _, key := range "bogus: 1" {
		testkit.Eval[bool](b, fmt.Sprintf(`document.execCommand('insertText', false, %q)`, string(key)))
	}
	b.WaitText("it cannot be published like this")
	b.WaitText("nknown key \"bogus\"")
	if !testkit.Eval[bool](b, `document.activeElement.name === 'policy' && document.querySelector('#copy .bad .problem') !== null && document.activeElement.value.endsWith('bogus: 1')`) {
		t.Error("the focus is lost, or the line is not marked")
	}
	if n := testkit.Eval[int](b, `window.asked`); n != 1 {
		t.Errorf("%d requests for one run of keys", n)
	}
	b.Screenshot("draft-in-a-browser")
}
