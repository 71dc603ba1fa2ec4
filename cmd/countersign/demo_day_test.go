package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// day is a visitor of the demo with a browser.
type day struct {
	*testkit.Browser
	t    *testing.T
	url  string
	info info.File
}

func (d *day) be(login, to string) {
	d.t.Helper()
	d.Open(d.url + "/demo")
	d.Wait(`document.readyState === 'complete' && document.querySelector('.guide')`)
	testkit.Eval[bool](d.Browser, `(() => { const f = [...document.querySelectorAll('form[action="/demo/be"]')].find(f => f.elements.login.value === '`+login+`'); if (!f) return false; f.requestSubmit(f.querySelector('button')); return true; })()`)
	d.Wait(`document.readyState === 'complete' && !location.pathname.startsWith('/demo')`)
	if to != "" {
		d.Open(d.url + to)
	}
}

// find waits until somebody's inbox has a row with a text, and returns its path.
func (d *day) find(text string) string {
	d.t.Helper()
	for end := time.Now().Add(steady.Limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		d.Open(d.url + "/")
		href := testkit.Eval[string](d.Browser, `(([...document.querySelectorAll('main li')].find(l => l.textContent.includes('`+text+`') && l.querySelector('a')) || {querySelector: () => null}).querySelector('a') || {dataset: {}, getAttribute: () => ''}).getAttribute('href')`)
		if id := regexp.MustCompile(`req_[0-9a-z]+`).FindString(href); id != "" {
			return "/r/" + id
		}
	}
	d.t.Fatalf("nothing with %q waits:\n%s", text, d.Text())
	return ""
}

func (d *day) code(login string) string {
	d.t.Helper()
	code, err := demo.Code(d.info.Person(login).TOTPSecret, time.Now())
	must(d.t, err)
	return code
}

// TestTheDayInABrowser plays the demo by hand, as a visitor does: the cases arrive by
// themselves, and each is brought to its end with what it asks for.
func TestTheDayInABrowser(t *testing.T) {
	b := testkit.OpenBrowser(t)
	b.Expect("Failed to load resource: the server responded with a status of 4")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out said
	file := t.TempDir() + "/demo.json"
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--listen", "localhost:0", "--info", file, "--pace", "50ms"}, process{in: strings.NewReader(""), out: &out, err: &out})
	}()
	out.await(t, `Ctrl-C ends it`)
	known, err := info.Read(file)
	must(t, err)
	d := &day{Browser: b, t: t, url: known.URL, info: known}

	// A stranger is led to the demo's page.
	d.Open(d.url + "/")
	d.WaitText("Be somebody")

	// An order that passed undisturbed has its silent receipt.
	d.be("elif", "")
	d.WaitText("Torque wrenches")
	d.WaitText("Nobody was asked")

	// 30,000: a wrong code first, then the right one.
	d.be("marta", "")
	order := d.find("Glenmore")
	d.Open(d.url + order + "/approve")
	d.WaitText("You are about to approve this")
	codeInstead := func(login, code string) {
		testkit.Eval[bool](b, `document.querySelectorAll('details.other').forEach(d => d.open = true), true`)
		if testkit.Eval[bool](b, `!!document.querySelector('input[name=password]')`) {
			d.Type("input[name=password]", known.Password)
		}
		d.Type("input[name=totp]", code)
		d.Click("button[value=code]")
	}
	wrong := "000000"
	if d.code("marta") == wrong {
		wrong = "000001"
	}
	codeInstead("marta", wrong)
	d.WaitText("code is wrong")
	codeInstead("marta", d.code("marta"))
	d.WaitText("Your approval is recorded")
	d.Open(d.url + order + "/receipt")
	d.WaitText("Marta Silva")

	// A new vendor: one enrols a real passkey of the browser's own, and signs with it;
	// the second person uses the pretended one.
	b.AddAuthenticator()
	d.be("katarzyna", "/factors/add")
	d.Click("input[value=passkey]")
	d.Click("button[value=pretended]")
	d.Wait(`document.querySelector('form[data-ceremony=create] [data-passkey]:not([hidden])')`)
	d.Click("form[data-ceremony=create] [data-passkey]")
	d.WaitText("Added")
	d.be("katarzyna", "")
	invoice := d.find("Brand relaunch")
	d.Open(d.url + invoice + "/approve")
	d.Click("[data-passkey]")
	d.WaitText("Your approval is recorded")
	d.WaitText("Still needed")
	d.be("ingrid", invoice+"/approve")
	d.Click("button[value=pretended]")
	d.WaitText("Your approval is recorded")

	// The bank account: a fraud, and Tomás did not expect it.
	d.be("tomas", "")
	d.Open(d.url + d.find("Change of bank") + "/reject")
	d.Click("input[name=why]")
	d.Click("input[name=unexpected]")
	d.Click("button.danger")
	d.WaitText("It is rejected, and an alert was raised")

	// The tricks, each caught by another part.
	for trick, caught := range map[string]string{"revision": "The old request was superseded", "row": "it was changed in the database", "replay": "Already released"} {
		d.Open(d.url + "/demo")
		testkit.Eval[bool](b, `(() => { const f = document.querySelector('form[action="/demo/trick"] input[value="`+trick+`"]').form; f.requestSubmit(); return true; })()`)
		d.WaitText(caught)
	}

	// The log: the browser computes what the entry of an approval says.
	d.be("ingrid", "/audit")
	testkit.Eval[bool](b, `[...document.querySelectorAll('main li a[href^="/audit/"]')].find(a => a.textContent.includes('Approved')).click(), true`)
	d.Wait(`document.querySelectorAll('.tag.ok').length >= 2`)
	d.WaitText("You have seen it all")

	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d\n%s", code, &out)
	}
}
