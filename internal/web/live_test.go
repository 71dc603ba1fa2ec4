package web_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/internal/web"
)

// following is an open stream of the inbox.
type following struct {
	t     *testing.T
	lines chan string // closed at its end
	text  strings.Builder
}

// follow opens a stream at an address of the server, by a session.
func follow(t *testing.T, base, host, path, session string, change ...func(*http.Request)) *following {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("HX-Request", "true")
	if session != "" {
		req.AddCookie(&http.Cookie{Name: "countersign-local", Value: session})
	}
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	f := &following{t: t, lines: make(chan string, 1000)}
	go func() {
		defer close(f.lines)
		defer res.Body.Close()
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			f.lines <- in.Text()
		}
	}()
	return f
}

// until reads on until all that was read has a text.
func (f *following) until(want string) string {
	f.t.Helper()
	end := time.After(steady.Limit)
	for !strings.Contains(f.text.String(), want) {
		select {
		case line, open := <-f.lines:
			if !open {
				f.t.Fatalf("it ended before %q: %s", want, f.text.String())
			}
			f.text.WriteString(line + "\n")
		case <-end:
			f.t.Fatalf("still no %q: %s", want, f.text.String())
		}
	}
	defer f.text.Reset()
	return f.text.String()
}

// ends waits for the end of the stream.
func (f *following) ends() {
	f.t.Helper()
	end := time.After(steady.Limit)
	for {
		select {
		case _, open := <-f.lines:
			if !open {
				return
			}
		case <-end:
			f.t.Fatal("it does not end")
		}
	}
}

// TestLiveInbox: what comes, what somebody else decides, and the counts reach an open
// page at once; the list as a whole only where it is not what the page has.
func TestLiveInbox(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	host := strings.TrimPrefix(s.URL, "http://")
	first := s.Submit(testkit.Order("PO-1", "30000.00"))
	page := callerOf(t, s, marta.Token).get("/").Body
	_, path, _ := strings.Cut(page, `hx-sse:connect="`)
	path, _, _ = strings.Cut(path, `"`)
	path = strings.ReplaceAll(path, "&amp;", "&")
	f := follow(t, s.URL, host, path, marta.Token)
	if got := f.until("</title>"); strings.Contains(got, `hx-target="#list"`) || !strings.Contains(got, `hx-target="#n-you" hx-swap="textContent">1<`) {
		t.Errorf("at first: %s", got)
	}
	old := follow(t, s.URL, host, "/live?tab=you&have=other", marta.Token)
	old.until("row-" + first.ID)
	back := follow(t, s.URL, host, path, marta.Token, func(r *http.Request) { r.Header.Set("Last-Event-ID", "1") })
	back.until("row-" + first.ID)

	second := s.Submit(testkit.Order("PO-2", "31000.00", func(d *countersign.Document) { d.Category = "tools" }))
	got := f.until("event: request")
	for _, want := range []string{`<li id="row-` + second.ID + `" class="new">`, "New, and waiting for you: Purchase order", ">2<", "<title>Inbox (2)"} {
		if !strings.Contains(got, want) {
			t.Errorf("what came lacks %s: %s", want, got)
		}
	}
	if _, problem := daniel.ByPasskey(first.ID, countersign.ActDeny); problem != nil {
		t.Fatal(problem)
	}
	got = f.until("data: " + first.ID)
	if !strings.Contains(got, "Rejected by Daniel Novak") || strings.Index(got, "row-"+first.ID) > strings.Index(got, "row-"+second.ID) || !strings.Contains(got, `class="gone"`) {
		t.Errorf("what was decided elsewhere: %s", got)
	}
	if _, problem := marta.ByPasskey(second.ID, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	if got = f.until("data: " + second.ID); !strings.Contains(got, "You approved") || !strings.Contains(got, "Rejected by Daniel Novak") {
		t.Errorf("what was decided in another window: %s", got)
	}
	elif := follow(t, s.URL, host, "/live?tab=others", s.Person("elif").Token)
	elif.until("</title>")
	third := s.Submit(testkit.Order("PO-3", "32000.00", func(d *countersign.Document) { d.Category = "steel" }))
	elif.until("row-" + third.ID)
}

// TestLiveEnds: with the session, with the server, at the bound of one person, and for
// whoever may not follow at all. A browser is told not to ask again where that is no use.
func TestLiveEnds(t *testing.T) {
	s := settled(t)
	marta, daniel := s.Person("marta"), s.Person("daniel")
	host := strings.TrimPrefix(s.URL, "http://")
	stranger := follow(t, s.URL, host, "/live", "")
	stranger.until("event: over")
	stranger.ends()
	var all []*following
	for range 6 {
		f := follow(t, s.URL, host, "/live?tab=you", marta.Token)
		f.until("</title>")
		all = append(all, f)
	}
	f := follow(t, s.URL, host, "/live?tab=you", marta.Token)
	if got := f.until("event: over"); !strings.Contains(got, "too many windows") {
		t.Errorf("%s", got)
	}
	other := follow(t, s.URL, host, "/live?tab=you", daniel.Token)
	other.until("</title>")
	s.Call("DELETE", "/v1/session", marta.Token, nil, nil)
	for _, f := range all {
		if got := f.until("event: over"); !strings.Contains(got, "you are signed out") {
			t.Errorf("%s", got)
		}
		f.ends()
	}
	marta.SignIn() // what has ended makes room
	f = follow(t, s.URL, host, "/live?tab=you", marta.Token)
	f.until("</title>")
	s.Site.Stop()
	f.ends()
	other.ends()
}

// TestLiveOutlastsTheBoundsOfAnswers follows through a server that gives every answer
// less time than that.
func TestLiveOutlastsTheBoundsOfAnswers(t *testing.T) {
	s := settled(t)
	server := httptest.NewServer(web.Bounded(s.Site.ServeHTTP))
	t.Cleanup(server.Close)
	f := follow(t, server.URL, strings.TrimPrefix(s.URL, "http://"), "/live?tab=you", s.Person("marta").Token)
	f.until("</title>")
	time.Sleep(web.Bound + web.Bound/4)
	order := s.Submit(testkit.Order("PO-1", "30000.00"))
	f.until("row-" + order.ID)
}
