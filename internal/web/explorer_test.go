package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// visits fetches a page with a person's session, as their browser would.
func visits(s *testkit.Server, p *testkit.Person, path string) (int, string, http.Header) {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), "GET", s.URL+path, nil)
	s.Must(err)
	req.AddCookie(&http.Cookie{Name: "countersign-local", Value: p.Token})
	w := httptest.NewRecorder()
	req.Host = strings.TrimPrefix(s.URL, "http://")
	s.Site.ServeHTTP(w, req)
	body, err := io.ReadAll(w.Result().Body)
	s.Must(err)
	return w.Code, string(body), w.Header()
}

var entryLink = regexp.MustCompile(`href="/audit/(\d+)[^"]*"[^>]*><span class="num">[^<]*</span>\s*<span class="what"><b>([^<]*)`)

// newest is the number of the newest entry that the list shows for a query.
func newest(s *testkit.Server, p *testkit.Person, query string) string {
	s.T.Helper()
	_, body, _ := visits(s, p, "/audit?"+query)
	m := entryLink.FindStringSubmatch(body)
	if m == nil {
		s.T.Fatalf("no entry for %s:\n%s", query, body)
	}
	return m[1]
}

// logged is a server with decisions of every sort in its log.
func logged(t *testing.T, o testkit.Options) (*testkit.Server, *testkit.Person, map[string]string) {
	s := testkit.StartSQLite(t, o)
	s.Settle()
	noor, marta := s.Person("noor"), s.Person("marta")
	marta.EnrolCode()
	at := map[string]string{}
	decide := func(name, id string, act func(string) *countersign.Problem) {
		out := s.Submit(testkit.Order(id, "30000.00"))
		if p := act(out.ID); p != nil {
			t.Fatalf("%s: %v", name, p)
		}
		at[name] = newest(s, noor, "type=decision.made")
		at[name+" request"] = out.ID
	}
	decide("passkey", "PO-1", func(id string) *countersign.Problem {
		_, p := marta.ByPasskey(id, countersign.ActApprove)
		return p
	})
	s.Clock.Forward(60e9)
	decide("code", "PO-2", func(id string) *countersign.Problem { _, p := marta.ByCode(id, marta.Code(0)); return p })
	at["policy"], at["submitted"] = newest(s, noor, "type=policy.published"), newest(s, noor, "type=request.submitted")
	return s, noor, at
}

// TestTheLogIsForThoseWhoMayAudit: nobody else learns that there is anything, and what
// is not there is not found.
func TestTheLogIsForThoseWhoMayAudit(t *testing.T) {
	s, noor, at := logged(t, testkit.Options{})
	marta := s.Person("marta")
	for _, path := range []string{"/audit", "/audit/proof.json", "/audit/" + at["code"], "/audit/" + at["code"] + "/proof.json", "/audit/" + at["code"] + "/receipt", "/audit/999999"} {
		if code, body, _ := visits(s, marta, path); code != 404 || strings.Contains(body, "data-leaf") {
			t.Errorf("an approver at %s: %d", path, code)
		}
		want := 200
		if path == "/audit/999999" {
			want = 404
		}
		if code, body, _ := visits(s, noor, path); code != want {
			t.Errorf("an auditor at %s: %d %.200s", path, code, body)
		}
	}
	for _, path := range []string{"/audit/-1", "/audit/007", "/audit/x", "/audit/9223372036854775808"} {
		if code, _, _ := visits(s, noor, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	for _, query := range []string{"number=x", "since=yesterday", "until=2026-13-01"} {
		if code, _, _ := visits(s, noor, "/audit?"+query); code != 422 && code != 400 {
			t.Errorf("%s: %d", query, code)
		}
	}
}

// TestTheLogIsFiltered finds entries by what they are, whom and what they concern.
func TestTheLogIsFiltered(t *testing.T) {
	s, noor, at := logged(t, testkit.Options{})
	marta := s.Person("marta")
	for query, want := range map[string]string{
		"number=" + at["policy"]: at["policy"], "type=decision.made&person=" + marta.ID: at["code"], "object=PO-1&type=decision.made": at["passkey"],
		"vendor=V-1&type=request.submitted": at["submitted"], "kind=purchase_order&type=decision.made": at["code"],
	} {
		if got := newest(s, noor, query); got != want {
			t.Errorf("%s: entry %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"vendor=V-2", "object=PO-9", "number=123456", "until=2020-01-01"} {
		if code, body, _ := visits(s, noor, "/audit?"+query); code != 200 || entryLink.MatchString(body) || !strings.Contains(body, "No entry fits") {
			t.Errorf("%s: %d, something fits", query, code)
		}
	}
	for i := range 45 {
		s.Submit(testkit.Order("PO-M"+strconv.Itoa(i), "900.00"))
	}
	_, first, _ := visits(s, noor, "/audit")
	older := regexp.MustCompile(`href="(/audit\?after=[^"]+)"`).FindStringSubmatch(first)
	if older == nil {
		t.Fatal("no older entries are offered")
	}
	_, second, _ := visits(s, noor, older[1])
	a, b := entryLink.FindAllStringSubmatch(first, -1), entryLink.FindAllStringSubmatch(second, -1)
	last, _ := strconv.Atoi(a[len(a)-1][1])
	next, _ := strconv.Atoi(b[0][1])
	if len(a) != 40 || next != last-1 {
		t.Errorf("a page of %d ends with %d, the next begins with %d", len(a), last, next)
	}
}

// TestTheReceiptOfAnEntry is the one that the command verifies.
func TestTheReceiptOfAnEntry(t *testing.T) {
	s, noor, at := logged(t, testkit.Options{})
	code, body, h := visits(s, noor, "/audit/"+at["passkey"]+"/receipt")
	if code != 200 || !strings.Contains(h.Get("Content-Disposition"), at["passkey request"]+".receipt.json") {
		t.Fatalf("%d %v", code, h)
	}
	if v := s.Verify([]byte(body)); v.Request != at["passkey request"] {
		t.Errorf("a receipt of %s", v.Request)
	}
	if code, _, _ := visits(s, noor, "/audit/"+at["policy"]+"/receipt"); code != 404 {
		t.Errorf("a policy has a receipt: %d", code)
	}
}

// liar alters what the server sends to the script.
type liar struct {
	mu    sync.Mutex
	alter func(map[string]any)
}

func (l *liar) tells(alter func(map[string]any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alter = alter
}

func (l *liar) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		alter := l.alter
		l.mu.Unlock()
		if alter == nil || !strings.HasSuffix(r.URL.Path, "/proof.json") {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var data map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &data); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		alter(data)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(data)
	})
}

// swap alters a text that stands somewhere beneath.
func swap(path, from, to string) func(map[string]any) {
	return func(data map[string]any) {
		names := strings.Split(path, "/")
		at := data
		for _, n := range names[:len(names)-1] {
			at = at[n].(map[string]any)
		}
		last := names[len(names)-1]
		was := at[last].(string)
		if at[last] = strings.Replace(was, from, to, 1); at[last] == was {
			panic("nothing to alter at " + path)
		}
	}
}

// flip changes one character of the base64 after a mark.
func flip(text, after string, skip int) string {
	i := strings.Index(text, after) + len(after) + skip
	c := byte('A')
	if text[i] == c {
		c = 'B'
	}
	return text[:i] + string(c) + text[i+1:]
}

// TestTheBrowserComputes: each statement turns green where it was computed, never
// where there is nothing to compute, and red with the failing step named where
// anything was altered on the way.
func TestTheBrowserComputes(t *testing.T) {
	l := &liar{}
	s, noor, at := logged(t, testkit.Options{Handler: l.wrap})
	b := testkit.OpenBrowser(t)
	b.Open(s.URL + "/sign-in")
	testkit.Eval[bool](b, `document.cookie = "countersign-local=`+noor.Token+`; path=/", true`)
	open := func(path string) {
		t.Helper()
		b.Open(s.URL + path)
		b.Wait(`document.querySelector('[data-done]')`)
	}
	state := func(name, want, text string) {
		t.Helper()
		got := testkit.Eval[string](b, `(() => { const c = document.querySelector('[data-check="`+name+`"]'); return c.dataset.state + ': ' + c.querySelector('[data-said]').textContent; })()`)
		if !strings.HasPrefix(got, want+": ") || !strings.Contains(got, text) {
			t.Errorf("%s is %q, want %s: %s", name, got, want, text)
		}
	}
	open("/audit")
	state("grown", "none", "first check")
	for name, signed := range map[string][2]string{"passkey": {"ok", "signed this statement"}, "code": {"none", "stated by the server"}, "policy": {"ok", "No person signs"}, "submitted": {"ok", "No person signs"}} {
		open("/audit/" + at[name])
		state("included", "ok", "Computed here")
		state("signed", signed[0], signed[1])
		state("witnessed", "none", "No witness")
		state("grown", "ok", "Consistent with your last check")
		if bad := testkit.Eval[int](b, `document.querySelectorAll('[data-opening]:not([data-state=ok])').length`); bad != 0 {
			t.Errorf("%s: %d openings are not checked", name, bad)
		}
		b.Screenshot("live-audit-" + name)
	}
	for i, c := range lies(at) {
		s.Submit(testkit.Order("PO-L"+strconv.Itoa(i), "900.00")) // the log grows
		l.tells(c.alter)
		open("/audit/" + at["passkey"])
		state(c.check, c.state, c.says)
	}
	l.tells(nil)
	open("/audit/" + at["passkey"])
	state("grown", "ok", "Consistent")
	testkit.Eval[bool](b, `(() => { const f = document.querySelector('#held-key'); f.value = document.querySelector('.keys li').textContent.replace(/\+[0-9a-f]{8}\+/, '+00000000+'); f.dispatchEvent(new Event('change')); return true; })()`)
	b.Wait(`document.querySelector('[data-held]').dataset.state === 'no'`)
	state("signed", "no", "Failed at checkpoint key")
	testkit.Eval[bool](b, `(() => { const f = document.querySelector('#held-key'); f.value = document.querySelector('.keys li').textContent; f.dispatchEvent(new Event('change')); return true; })()`)
	b.Wait(`document.querySelector('[data-held]').dataset.state === 'ok'`)
	b.Wait(`document.querySelector('[data-done]')`)
	state("signed", "ok", "signed this statement")
	rewritten(b)
	open("/audit")
	state("grown", "no", "it was changed")
	s.Submit(testkit.Order("PO-7", "900.00")) // and not either once it has grown
	open("/audit")
	state("grown", "no", "it was changed")
	testkit.Eval[bool](b, `(() => { for (const k of Object.keys(localStorage)) if (k.includes('checkpoint')) { const v = JSON.parse(localStorage[k]); v.checkpoint = v.checkpoint.replace(/\n\d+\n/, '\n999999\n'); localStorage[k] = JSON.stringify(v); } return true; })()`)
	open("/audit")
	state("grown", "no", "Entries were taken away")
	b.Scripts(false)
	b.Open(s.URL + "/audit/" + at["passkey"])
	b.WaitText("Not checked in this browser")
	b.WaitText("countersign audit verify")
}

// rewritten makes the browser remember another root than the log had.
func rewritten(b *testkit.Browser) {
	b.T.Helper()
	testkit.Eval[bool](b, `(() => { for (const k of Object.keys(localStorage)) if (k.includes('checkpoint')) { const v = JSON.parse(localStorage[k]), l = v.checkpoint.split('\n'); l[2] = (l[2][0] === 'A' ? 'B' : 'A') + l[2].slice(1); v.checkpoint = l.join('\n'); localStorage[k] = JSON.stringify(v); } return true; })()`)
}

type lie struct {
	alter              func(map[string]any)
	check, state, says string
}

func lies(at map[string]string) []lie {
	edit := func(path string, change func(string) string) func(map[string]any) {
		return func(data map[string]any) {
			names := strings.Split(path, "/")
			at := data
			for _, n := range names[:len(names)-1] {
				at = at[n].(map[string]any)
			}
			at[names[len(names)-1]] = change(at[names[len(names)-1]].(string))
		}
	}
	whole := func(change func(string) string) func(map[string]any) { // everywhere, as who forges a checkpoint would
		return func(data map[string]any) {
			text, err := json.Marshal(data)
			if err != nil {
				panic(err)
			}
			clear(data)
			if err := json.Unmarshal([]byte(change(string(text))), &data); err != nil {
				panic(err)
			}
		}
	}
	root := func(s string) string { // the first character of the checkpoint's root
		var p struct{ Checkpoint string }
		if err := json.Unmarshal([]byte(s), &p); err != nil {
			panic(err)
		}
		was := strings.Split(p.Checkpoint, "\n")[2]
		return strings.ReplaceAll(s, was, flip(was, "", 0))
	}
	signature := func(s string) string {
		return flip(s, "— ", strings.Index(s[strings.Index(s, "— ")+len("— "):], " ")+20)
	}
	evidence := func(name string) func(string) string {
		return func(v string) string { return flip(v, `"`+name+`":"`, 30) }
	}
	return []lie{
		{swap("leaf", `"approve"`, `"deny"`), "included", "no", "Failed at entry"},
		{edit("proof", func(s string) string { return flip(s, "\nindex "+at["passkey"]+"\n", 10) }), "included", "no", "Failed at"},
		{whole(root), "included", "no", "Failed at path"},
		{whole(root), "signed", "no", "Failed at checkpoint signature"},
		{whole(root), "grown", "no", "Failed at checkpoint signature"},
		{edit("checkpoint", func(s string) string { return strings.Replace(s, "\n", "\n0", 1) }), "included", "no", "Failed at checkpoint"},
		{edit("checkpoint", signature), "signed", "no", "Failed at checkpoint signature"},
		{func(d map[string]any) { d["keys"] = []string{} }, "signed", "no", "Failed at checkpoint key"},
		{edit("openings/decision/value", evidence("signature")), "signed", "no", "Failed at commitment: the decision"},
		{swap("openings/decision/value", `"act":"approve"`, `"act":"revoke"`), "signed", "no", "Failed at commitment"},
		{swap("submission/openings/document/value", "30000.00", "90000.00"), "signed", "no", "Failed at commitment: the document"},
		{swap("submission/leaf", "request.submitted", "request.reweighed"), "signed", "no", "Failed at path"},
		{edit("enrolment/openings/enrolment/value", evidence("public_key")), "signed", "no", "Failed at commitment: the enrolment"},
		{func(d map[string]any) { delete(d, "enrolment") }, "signed", "no", "Failed at enrolment"},
		{func(d map[string]any) { delete(d, "submission") }, "signed", "no", "Failed at document"},
		{func(d map[string]any) { d["submission"].(map[string]any)["openings"] = map[string]any{} }, "signed", "none", "was erased"},
		{func(d map[string]any) { d["consistency"].(map[string]any)["path"] = []string{} }, "grown", "no", "it was changed"},
	}
}

// TestEveryTypeOfEntryHasWords: whatever the log may hold is said in words.
func TestEveryTypeOfEntryHasWords(t *testing.T) {
	source, err := os.ReadFile("../../entry.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("texts/en/audit.json")
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`EntryType += "([a-z_.]+)"`).FindAllSubmatch(source, -1)
	if len(types) < 30 {
		t.Fatalf("only %d types of entries", len(types))
	}
	for _, m := range types {
		if !strings.Contains(string(text), `"audit.type.`+string(m[1])+`"`) {
			t.Errorf("no words for %s", m[1])
		}
	}
}
