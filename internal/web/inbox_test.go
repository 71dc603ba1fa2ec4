package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// TestInboxOfTheModelCase: a large order waits for its approver with everything that a
// row says, is in other hands for who asked, and is nowhere for whom it does not concern.
func TestInboxOfTheModelCase(t *testing.T) {
	s := settled(t)
	order := s.Submit(testkit.Order("PO-1", "30000.00", func(d *countersign.Document) { d.Subject = "Forklifts" }))
	marta, elif, tomas := s.Person("marta"), s.Person("elif"), s.Person("tomas")
	page := callerOf(t, s, marta.Token).get("/")
	for _, want := range []string{"Waiting for you", "Purchase order — Nordwind Technik GmbH", "EUR\u00a030\u202f000.00", "asked by Elif Kaya via erp", "PO-1", "Forklifts", "due", "large purchase", "Review and approve", "Why this needs you"} {
		if !strings.Contains(page.text(), want) {
			t.Errorf("the inbox lacks %q: %s", want, page.text())
		}
	}
	if !strings.Contains(page.Body, `<title>Inbox (1) · Example</title>`) || !strings.Contains(page.Body, `href="/r/`+order.ID+`"`) || strings.Count(page.Body, "<h1") != 1 {
		t.Errorf("%s", page.Body)
	}
	if a := callerOf(t, s, elif.Token).get("/?tab=others"); !strings.Contains(a.text(), "Forklifts") || strings.Contains(a.Body, "/approve") {
		t.Errorf("who asked: %s", a.text())
	}
	stranger := callerOf(t, s, tomas.Token)
	for _, path := range []string{"/", "/?tab=others", "/?tab=decided"} {
		if a := stranger.get(path); a.Status != 200 || strings.Contains(a.Body, order.ID) {
			t.Errorf("whom it does not concern, %s: %d %s", path, a.Status, a.text())
		}
	}
	if _, problem := marta.ByPasskey(order.ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	c := callerOf(t, s, marta.Token)
	if a := c.get("/"); !strings.Contains(a.text(), "Nothing waits for you") || !strings.Contains(a.text(), "What you decided last") || !strings.Contains(a.text(), "You approved") {
		t.Errorf("after deciding: %s", a.text())
	}
	if a := c.get("/?tab=decided"); !strings.Contains(a.text(), "Forklifts") || !strings.Contains(a.text(), "Approved") {
		t.Errorf("the decided ones: %s", a.text())
	}
}

// TestInboxPreview: the preview is a part of the page by ?r= and by itself, and what
// somebody may not see is as if it were not there.
func TestInboxPreview(t *testing.T) {
	s := settled(t)
	first := s.Submit(testkit.Order("PO-1", "30000.00"))
	second := s.Submit(testkit.Order("PO-2", "31000.00", func(d *countersign.Document) { d.Category = "tools" }))
	long := s.Submit(testkit.Order("PO-3", "32000.00", func(d *countersign.Document) {
		d.Category = "steel"
		for i := range 100 {
			d.Lines = append(d.Lines, countersign.Line{Number: fmt.Sprint(i + 1), Description: "steel plates, as in the drawing that is attached to the contract", Amount: &countersign.Amount{Value: "320.00", Currency: "EUR"}})
		}
	}))
	marta, tomas := callerOf(t, s, s.Person("marta").Token), callerOf(t, s, s.Person("tomas").Token)
	htmx := func(r *http.Request) { r.Header.Set("HX-Request", "true") }
	if a := marta.get("/?r=" + second.ID); !strings.Contains(a.Body, `data-request="`+second.ID+`"`) || !regexp.MustCompile(`/r/`+second.ID+`"[^>]* aria-current="true"`).MatchString(a.Body) {
		t.Errorf("the chosen one is not kept: %s", a.Body)
	}
	if a := marta.get("/"); !strings.Contains(a.Body, `data-request="`+first.ID+`"`) {
		t.Error("without a choice the first is shown")
	}
	phone := func(r *http.Request) { r.Header.Set("User-Agent", "Mozilla/5.0 (iPhone) Mobile/15E148 Safari") }
	if a := marta.do("GET", "/", nil, phone); strings.Contains(a.Body, "data-request=") {
		t.Error("a phone gets the list alone")
	}
	if a := marta.do("GET", "/inbox/"+second.ID, nil, htmx); a.Status != 200 || strings.Contains(a.Body, "<html") || !strings.Contains(a.text(), "PO-2") || !strings.Contains(a.Body, `/r/`+second.ID+`/approve`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := marta.do("GET", "/inbox/"+long.ID, nil, htmx); !strings.Contains(a.text(), "Read it on its own page") || strings.Contains(a.text(), "steel plates") {
		t.Errorf("a long document: %s", a.text())
	}
	if a := marta.get("/inbox/" + second.ID); a.Status != 303 || a.To != "/r/"+second.ID {
		t.Errorf("opened by itself: %d %s", a.Status, a.To)
	}
	for _, path := range []string{"/?r=req_nothing", "/?r=" + long.ID + "x", "/?r=%00<b>"} {
		if a := marta.get(path); a.Status != 200 || !strings.Contains(a.text(), "Nothing here") {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	none, hidden := tomas.do("GET", "/inbox/req_01k0000000000000000000000a", nil, htmx), tomas.do("GET", "/inbox/"+first.ID, nil, htmx)
	if none.Status != 404 || hidden.Status != 404 || none.Body != hidden.Body {
		t.Errorf("what is not there: %d %s; what may not be seen: %d %s", none.Status, none.Body, hidden.Status, hidden.Body)
	}
	for _, bad := range []string{"/?tab=all", "/?after=x", "/?tab=decided&after=1.req_x"} {
		if a := marta.get(bad); a.Status != 422 && a.Status != 400 {
			t.Errorf("%s: %d", bad, a.Status)
		}
	}
	for _, path := range []string{"/", "/inbox/" + first.ID} {
		if a := callerOf(t, s, "").get(path); a.Status != 303 || !strings.HasPrefix(a.To, "/sign-in") {
			t.Errorf("a stranger at %s: %d %s", path, a.Status, a.To)
		}
	}
}

// TestInboxHoldsHostileTextDown puts mark-up into everything that a row shows.
func TestInboxHoldsHostileTextDown(t *testing.T) {
	s := settled(t)
	evil := "\"><img src=x onerror=alert(1)>{{.ID}}'"
	s.Vendor("V-X", evil, 6, nil)
	s.Submit(testkit.Order("PO-<b>", "30000.00", func(d *countersign.Document) {
		d.Subject, d.Payee = evil, &countersign.Payee{ID: "V-X", Name: evil}
		d.Requester = &countersign.Party{Type: "person", ID: "stranger", Name: evil}
	}))
	a := callerOf(t, s, s.Person("marta").Token).get("/")
	list := a.Body[strings.Index(a.Body, `id="list"`):strings.Index(a.Body, `id="preview"`)]
	if strings.Contains(a.Body, "<img") || strings.Contains(a.Body, "PO-<b>") || strings.Count(list, "&lt;img src=x onerror=alert(1)&gt;{{.ID}}") != 3 {
		t.Errorf("%s", list)
	}
}

// TestInboxIsSmall: the first page with twenty requests is at most 30 KB, and all that
// the browser loads for it at most 60 KB compressed.
func TestInboxIsSmall(t *testing.T) {
	s := settled(t)
	for i := range 25 {
		s.Submit(testkit.Order(fmt.Sprintf("PO-2026-%05d", i), "30000.00", func(d *countersign.Document) {
			d.Category, d.Subject = fmt.Sprint("c", i), "Infeed conveyor for the new folding line"
		}))
	}
	c := callerOf(t, s, s.Person("marta").Token)
	page := c.get("/")
	if n := strings.Count(page.Body, `<li id="row-`); n != 20 {
		t.Fatalf("%d rows", n)
	}
	if len(page.Body) > 30<<10 {
		t.Errorf("the first page has %d bytes", len(page.Body))
	}
	total := 0
	load := func(path string) {
		a := c.do("GET", path, nil, func(r *http.Request) {
			r.Header.Set("Accept-Encoding", "gzip")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		})
		if a.Header.Get("Content-Encoding") != "gzip" && len(a.Body) > 1000 {
			t.Errorf("%s is not compressed", path)
		}
		total += len(a.Body)
	}
	load("/")
	loaded := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:src|href)="(/static/[^"#]+)`).FindAllStringSubmatch(page.Body, -1) {
		if !loaded[m[1]] {
			loaded[m[1]] = true
			load(m[1])
		}
	}
	t.Logf("%d bytes of HTML; %d over the wire with everything", len(page.Body), total)
	if total > 60<<10 || len(loaded) < 5 {
		t.Errorf("the first visit loads %d bytes, %d files", total, len(loaded))
	}
	if a := c.do("GET", "/", nil, func(r *http.Request) {
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}); a.Header.Get("Content-Encoding") != "" {
		t.Error("what another site asked for is compressed")
	}
	next := regexp.MustCompile(`href="(/\?tab=you&amp;after=[^"]+)"`).FindStringSubmatch(page.Body)
	if next == nil {
		t.Fatal("no next page")
	}
	if a := c.get(strings.ReplaceAll(next[1], "&amp;", "&")); strings.Count(a.Body, `<li id="row-`) != 5 || strings.Contains(a.Body, "hx-sse:connect") {
		t.Errorf("the next page: %d rows", strings.Count(a.Body, `<li id="row-`))
	}
}

// TestInboxInTheBrowser is what an approver does with the inbox on a desktop: with keys,
// while things happen elsewhere.
func TestInboxInTheBrowser(t *testing.T) {
	s := settled(t)
	var orders []*countersign.Approval
	submit := func(i int) *countersign.Approval {
		o := s.Submit(testkit.Order(fmt.Sprintf("PO-%d", i), "30000.00", func(d *countersign.Document) { d.Category, d.Subject = fmt.Sprint("c", i), fmt.Sprint("Machine ", i) }))
		orders = append(orders, o)
		return o
	}
	for i := range 3 {
		submit(i)
	}
	marta, daniel := s.Person("marta"), s.Person("daniel")
	b := testkit.OpenBrowser(t)
	b.SetCookie(s.URL, "countersign-local", marta.Token)
	b.Open(s.URL + "/")
	b.WaitText("Machine 2")
	testkit.Eval[bool](b, `window.shifts = 0, new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) shifts += e.value }).observe({type: 'layout-shift', buffered: true}), true`)
	at := func(i int) string {
		return fmt.Sprintf(`document.querySelector('#preview [data-request]').dataset.request === %q && location.search.includes(%q)`, orders[i].ID, orders[i].ID)
	}
	press := func(keys string) { b.Keys(keys) }
	press("j")
	b.Wait(at(1))
	b.Wait(fmt.Sprintf(`document.activeElement.pathname === "/r/%s"`, orders[1].ID))
	press("k")
	b.Wait(at(0))
	b.Open(testkit.Eval[string](b, `location.href`)) // as after a reload
	b.Wait(at(0))
	if n := testkit.Eval[float64](b, `window.shifts ?? 0`); n > 0.01 {
		t.Errorf("the layout shifted by %v", n)
	}
	b.Screenshot("inbox-live")

	// The second is decided elsewhere: it turns grey where it stands.
	if _, problem := daniel.ByPasskey(orders[1].ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	b.WaitText("Approved by Daniel Novak")
	b.Wait(fmt.Sprintf(`document.querySelector('#list').children[1].matches('#row-%s.gone') && document.querySelector('#n-you').textContent === '2'`, orders[1].ID))
	fourth := submit(3)
	b.Wait(fmt.Sprintf(`document.querySelector('#row-%s.new') && document.querySelector('#said').textContent.includes('New, and waiting for you: Purchase order')`, fourth.ID))
	b.Wait(`document.title.startsWith('Inbox (3)')`)
	b.Wait(at(0)) // and nothing took the choice away
	b.Wait(fmt.Sprintf(`document.querySelector('#row-%s a').getAttribute('aria-current') === 'true'`, orders[0].ID))

	// What stands in the preview changes: it says so, and is not exchanged.
	if _, problem := daniel.ByPasskey(orders[0].ID, countersign.ActDeny); problem != nil {
		t.Fatal(problem)
	}
	b.WaitText("This request has changed since you opened it.")
	b.Click("#preview [data-changed] button")
	b.Wait(`!document.querySelector('#preview a[href$="/approve"]')`)

	// Keys rest while somebody writes.
	press("/")
	b.Wait(`document.activeElement.id === 'filter'`)
	testkit.Eval[bool](b, `(document.activeElement.value = '', true)`) // the driver types what the page took as a key
	press("elif po-3")
	b.Wait(`[...document.querySelectorAll('#list > li')].filter(l => !l.hidden).length === 1 && document.querySelector('#filter').value === 'elif po-3'`)
	testkit.Eval[bool](b, `(document.activeElement.blur(), true)`)
	press("?")
	b.Wait(`document.querySelector('#keys').open`)
	press("\x1b")
	b.Wait(`!document.querySelector("#keys").open && !document.querySelector("#keys").contains(document.activeElement)`)
	press("j")
	press("a")
	b.Wait(fmt.Sprintf(`location.pathname === '/r/%s/approve'`, fourth.ID))
	b.Open(s.URL + "/")
	press("gh")
	b.Wait(`location.search === '?tab=decided'`)
	b.Wait(`document.readyState === 'complete'`)
	press("gi")
	b.Wait(`location.pathname === '/' && location.search === ''`)
	b.Wait(`document.readyState === 'complete'`)
	press("j")
	press("\r") // on the row itself: its own page
	b.Wait(`document.readyState === 'complete' && location.pathname.startsWith('/r/req_')`)
	press("d")
	b.Wait(`location.pathname.endsWith('/reject')`)
}
