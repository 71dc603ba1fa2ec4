package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/jcs"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// What is wrong with a body is said with the status and the place.
func TestBodiesAreReadStrictly(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) { c.MaxBody = 4096 }})
	doc := string(testkit.Raw(testkit.Order("PO-1", "900.00")))
	edit := func(h, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(h, v) } }
	for name, c := range map[string]struct {
		body    string
		edit    func(*http.Request)
		status  int
		pointer string
	}{
		"unknown member":        {`{"document":` + doc + `,"submision":{}}`, nil, 400, "/submision"},
		"another case":          {`{"Document":` + doc + `}`, nil, 400, "/Document"},
		"unknown deeper":        {`{"document":` + strings.Replace(doc, `"kind"`, `"approved":true,"kind"`, 1) + `}`, nil, 400, "/document/approved"},
		"duplicate":             {`{"document":` + doc + `,"document":` + doc + `}`, nil, 400, ""},
		"trailing":              {`{"document":` + doc + `}{}`, nil, 400, ""},
		"null":                  {`{"document":` + doc + `,"submission":null}`, nil, 400, "/submission"},
		"no document":           {`{}`, nil, 400, "/document"},
		"a list":                {`[]`, nil, 400, ""},
		"nothing":               {``, nil, 400, ""},
		"not JSON":              {`hello`, nil, 400, ""},
		"not UTF-8":             {"{\"document\":\"\xff\"}", nil, 400, ""},
		"deep":                  {strings.Repeat("[", 1000), nil, 400, ""},
		"too large":             {`{"document":"` + strings.Repeat("x", 5000) + `"}`, nil, 413, ""},
		"too large, unmeasured": {`{"document":"` + strings.Repeat("x", 5000) + `"}`, func(r *http.Request) { r.ContentLength = -1 }, 413, ""},
		"text":                  {`{}`, edit("Content-Type", "text/plain"), 415, ""},
		"form":                  {`{}`, edit("Content-Type", "application/x-www-form-urlencoded"), 415, ""},
		"no type":               {`{}`, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, ""},
		"latin":                 {`{}`, edit("Content-Type", "application/json; charset=latin1"), 415, ""},
		"compressed":            {`{}`, edit("Content-Encoding", "gzip"), 415, ""},
	} {
		r := s.Request("POST", "/v1/requests", s.Key, c.body)
		if c.edit != nil {
			c.edit(r)
		}
		a := s.Do(r)
		if a.Status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, a.Status, c.status, a.Body)
			continue
		}
		p := s.Problem(a)
		if c.pointer != "" && !slices.ContainsFunc(p.Errors, func(e countersign.FieldError) bool { return e.Pointer == c.pointer }) {
			t.Errorf("%s: %s is not named: %+v", name, c.pointer, p.Errors)
		}
	}
	r := s.Request("POST", "/v1/requests", s.Key, `{"document":`+doc+`}`)
	r.Header.Set("Content-Type", "Application/JSON; charset=UTF-8")
	if a := s.Do(r); a.Status != 201 {
		t.Errorf("a good body: %d %s", a.Status, a.Body)
	}
	if a := s.Send("POST", "/v1/session/challenge", "", "{}"); a.Status != 400 {
		t.Errorf("a body where none is taken: %d", a.Status)
	}
}

// Paths, methods and queries that are not there.
func TestWhatIsNotThere(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	for path, status := range map[string]int{"/v1": 404, "/v1/": 404, "/v1/nothing": 404, "/v1//requests": 404, "/v1/requests/": 404, "/v1/../v1/requests": 404,
		"/v1/requests/%2e%2e/keys": 404, "/v1/requests?colour=red": 400, "/v1/requests?limit=0": 400, "/v1/requests?limit=01": 400, "/v1/requests?limit=201": 400,
		"/v1/requests?status=gone": 400, "/v1/requests?after=x": 400, "/v1/requests?from=yesterday": 400, "/v1/requests?kind=a&kind=b": 400, "/v1/requests?%zz": 400,
		"/v1/requests?status=pending&status=denied&from=2026-01-01&until=2027-01-01T00:00:00Z": 200} {
		if a := s.Send("GET", path, s.Key, nil); a.Status != status {
			t.Errorf("%s: %d, want %d: %s", path, a.Status, status, a.Body)
		}
	}
	for _, m := range []string{"PUT", "PATCH", "DELETE", "TRACE", "QUERY", "POST"} {
		a := s.Send(m, "/v1/session/challenge", "", nil)
		if m != "POST" && (a.Status != 405 || a.Header.Get("Allow") != "POST, OPTIONS") {
			t.Errorf("%s: %d %v", m, a.Status, a.Header)
		}
	}
	a := s.Send("OPTIONS", "/v1/requests", "", nil)
	if a.Status != 204 || a.Header.Get("Allow") != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("OPTIONS: %d %v", a.Status, a.Header)
	}
	r := s.Request("OPTIONS", "/v1/requests", "", nil)
	r.Header.Set("Origin", "https://evil.example.com")
	r.Header.Set("Access-Control-Request-Method", "POST")
	for h := range s.Do(r).Header {
		if strings.HasPrefix(h, "Access-Control-") {
			t.Errorf("a header %s: no other origin may call", h)
		}
	}
	if a := s.Send("HEAD", "/v1/requests", s.Key, nil); a.Status != 200 || len(a.Body) > 0 || a.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", a.Status, a.Header)
	}
	a = s.Send("GET", "/v1/requests", s.Key, nil)
	for h, v := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if a.Header.Get(h) != v {
			t.Errorf("%s: %q", h, a.Header.Get(h))
		}
	}
}

// The host name selects the organisation before anything else is looked at.
func TestHostNames(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	host := strings.TrimPrefix(s.URL, "http://")
	for h, status := range map[string]int{host: 200, strings.ToUpper(host): 200, "localhost": 404, "other.example.com": 404, s.Addr: 404, host + ".": 404, "localhost:1": 404,
		"[::1]:80": 404, strings.Repeat("a", 300): 404} {
		r := s.Request("GET", "/v1/requests", s.Key, nil)
		r.Host = h
		if a := s.Do(r); a.Status != status {
			t.Errorf("%.60s: %d, want %d", h, a.Status, status)
		}
	}
	r := s.Request("GET", "/healthz", "", nil)
	r.Host = "load-balancer.internal"
	if a := s.Do(r); a.Status != 200 {
		t.Errorf("health under another name: %d", a.Status)
	}
	for _, raw := range []string{"GET /v1/requests HTTP/1.1\r\n\r\n", "GET /v1/requests HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /v1/requests HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET /v1/requests HTTP/1.0\r\n\r\n", "GET http://other.example.com/v1/requests HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "\x16\x03\x01\x00\r\n\r\n"} {
		if status := rawStatus(t, s.Addr, raw); status < 400 || status >= 500 {
			t.Errorf("%q: %d", raw, status)
		}
	}
}

func rawStatus(t *testing.T, addr, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(steady.Limit))
	io.WriteString(conn, request)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 400 // closed without an answer
	}
	res.Body.Close()
	return res.StatusCode
}

// The same key with the same body gets the same answer; with another body it is
// refused; bare and quoted are the same key; another caller's is another key.
func TestIdempotencyKey(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Person("marta")
		send := func(key string, token string, body any) testkit.Answer {
			r := s.Request("POST", "/v1/requests", token, body)
			r.Header.Set("Idempotency-Key", key)
			return s.Do(r)
		}
		one, two := testkit.Body(testkit.Order("PO-1", "30000.00"), nil), testkit.Body(testkit.Order("PO-2", "30000.00"), nil)
		first := send(`"a \"key\""`, s.Key, one)
		again := send(`"a \"key\""`, s.Key, one)
		if first.Status != 201 || again.Status != 201 || !bytes.Equal(first.Body, again.Body) {
			t.Errorf("%d %s\n%d %s", first.Status, first.Body, again.Status, again.Body)
		}
		spaced := "\n " + strings.ReplaceAll(asText(t, one), `":`, `" : `)
		if a := send(`"a \"key\""`, s.Key, spaced); a.Status != 201 || a.Header.Get("Idempotent-Replay") != "true" {
			t.Errorf("the same payload in other bytes: %d %s", a.Status, a.Body)
		}
		if a := send(`"a \"key\""`, s.Key, two); a.Status != 422 {
			t.Errorf("another payload: %d %s", a.Status, a.Body)
		}
		if a := send(`"a \"key\""`, s.APIKey("other", "submit"), two); a.Status != 201 {
			t.Errorf("another caller: %d %s", a.Status, a.Body)
		}
		bare := send("bare-1", s.Key, two)
		if a := send(`"bare-1"`, s.Key, two); !bytes.Equal(a.Body, bare.Body) {
			t.Errorf("quoted: %s", a.Body)
		}
		bad := send("wrong-1", s.Key, `{"document":{}}`)
		if a := send("wrong-1", s.Key, `{"document":{}}`); bad.Status != 400 || !bytes.Equal(a.Body, bad.Body) || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("a wrong body again: %d %s", a.Status, a.Body)
		}
		for _, k := range []string{"", `"`, `"a`, `"a\b"`, "ä", strings.Repeat("k", 201), `"a""b"`} {
			if a := send(k, s.Key, one); a.Status != 400 {
				t.Errorf("the key %.20q: %d", k, a.Status)
			}
		}
		r := s.Request("POST", "/v1/requests", s.Key, one)
		r.Header["Idempotency-Key"] = []string{"a", "b"}
		if a := s.Do(r); a.Status != 400 {
			t.Errorf("two keys: %d", a.Status)
		}
		sameMoment(t, s, send)
	})
}

func asText(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sameMoment sends one call many times at once: one is carried out, the others get its
// answer or are told that it is in progress.
func sameMoment(t *testing.T, s *testkit.Server, send func(key, token string, body any) testkit.Answer) {
	body := testkit.Body(testkit.Order("PO-9", "30000.00"), nil)
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a := send("same-moment", s.Key, body)
			mu.Lock()
			defer mu.Unlock()
			if a.Status == 201 {
				seen[string(a.Body)]++
			} else if a.Status != 409 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%d different answers", len(seen))
	}
}

// Whoever calls too often is told so, and for how long; others are not held up.
func TestLimits(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) {
		c.Limits = api.Limits{Key: api.Rate{PerSecond: 0.0001, Burst: 5}, Evaluate: api.Rate{PerSecond: 0.0001, Burst: 2}, Person: api.Rate{PerSecond: 0.0001, Burst: 3},
			Address: api.Rate{PerSecond: 0.0001, Burst: 40}, SignIn: api.Rate{PerSecond: 0.0001, Burst: 4}}
	}})
	until := func(method, path, token string, body any) (n int, last testkit.Answer) {
		for ; n < 100; n++ {
			if last = s.Send(method, path, token, body); last.Status == 429 {
				return n, last
			}
		}
		return n, last
	}
	one, other := s.APIKey("one", "submit", "evaluate"), s.APIKey("other", "submit")
	if n, a := until("GET", "/v1/requests", one, nil); n != 5 || a.Header.Get("Retry-After") == "" || s.Problem(a).Code != countersign.CodeRateLimited {
		t.Errorf("a key: after %d %v", n, a.Header)
	}
	if n, _ := until("POST", "/v1/evaluate", s.Key, "{}"); n != 2 {
		t.Errorf("evaluations: after %d", n)
	}
	if a := s.Send("GET", "/v1/requests", other, nil); a.Status != 200 {
		t.Errorf("another key is held up: %d", a.Status)
	}
	if n, _ := until("POST", "/v1/session", "", map[string]string{"login": "a", "password": "b", "totp": "1"}); n != 4 {
		t.Errorf("sign-ins: after %d", n)
	}
	if n, _ := until("GET", "/v1/requests", "cs_wrong", nil); n != 40 {
		t.Errorf("wrong keys: after %d", n)
	}
	if a := s.Send("GET", "/v1/requests", other, nil); a.Status != 200 {
		t.Errorf("a good key is held up by strangers at the same address: %d", a.Status)
	}
}

// X-Forwarded-For is believed from proxies that are named, and from nobody else.
func TestForwardedAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		trusted string
		header  []string
		want    string
	}{
		"nobody is trusted": {"10.0.0.0/8", []string{"203.0.113.9"}, "127.0.0.1"},
		"one proxy":         {"127.0.0.0/8", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"two headers":       {"127.0.0.0/8", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"not an address":    {"127.0.0.0/8", []string{"203.0.113.9, unknown"}, "127.0.0.1"},
		"all trusted":       {"0.0.0.0/0", []string{"203.0.113.9"}, "203.0.113.9"},
		"none":              {"127.0.0.0/8", nil, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartSQLite(t, testkit.Options{API: func(a *api.Config) { a.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)} }})
			r := s.Request("GET", "/healthz", "", nil)
			r.Header["X-Forwarded-For"] = c.header
			s.Do(r)
			if !steady.Eventually(func() bool { return strings.Contains(s.Log(), `"remote":"`) }) || !strings.Contains(s.Log(), `"remote":"`+c.want+`"`) {
				t.Errorf("want %s: %s", c.want, s.Log())
			}
		})
	}
}

// A panic is a problem with an instance that finds it in the log, and tells nothing.
func TestPanicsTellNothing(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) {
		c.Clock = func() time.Time { panic("the secret of the clock") }
	}})
	a := s.Send("GET", "/healthz", "", nil)
	p := s.Problem(a)
	if a.Status != 500 || p.Code != countersign.CodeInternal || strings.Contains(string(a.Body), "clock") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	id := strings.TrimPrefix(p.Instance, "urn:countersign:call:")
	if id == "" || !strings.Contains(s.Log(), id) || !strings.Contains(s.Log(), "the secret of the clock") {
		t.Errorf("the log does not have %s", p.Instance)
	}
	if a := s.Send("GET", "/healthz", "", nil); a.Status != 500 {
		t.Errorf("afterwards: %d", a.Status)
	}
}

// Whoever sends slowly does not hold others up. That they are cut off in the end is the
// server's matter: see the bounds of a connection in cmd/countersign.
func TestSlowBodies(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) { c.Timeout = time.Hour }})
	var slow []net.Conn
	for range 50 {
		conn, err := net.Dial("tcp", s.Addr)
		s.Must(err)
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/requests HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", strings.TrimPrefix(s.URL, "http://"), s.Key)
		slow = append(slow, conn)
	}
	if a := s.Send("POST", "/v1/requests", s.Key, testkit.Body(testkit.Order("PO-1", "900.00"), nil)); a.Status != 201 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	slow[0].Close()
}

// /metrics is for this machine: not through a proxy on it, and not where it is served
// elsewhere.
func TestMetricsStayHere(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Submit(testkit.Order("PO-1", "900.00"))
	a := s.Send("GET", "/metrics", "", nil)
	if a.Status != 200 || !bytes.Contains(a.Body, []byte(`countersign_http_calls_total{method="POST",route="POST /v1/requests",status="201"} 1`)) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	r := s.Request("GET", "/metrics", "", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	if a := s.Do(r); a.Status != 404 {
		t.Errorf("through a proxy: %d", a.Status)
	}
	hidden := testkit.StartSQLite(t, testkit.Options{API: func(c *api.Config) { c.HideMetrics = true }})
	if a := hidden.Send("GET", "/metrics", "", nil); a.Status != 404 {
		t.Errorf("hidden: %d", a.Status)
	}
}

// Whatever is sent as a body: no panic, no 500, nothing approved that is not a whole
// document, and an answer as described.
func FuzzRequestBody(f *testing.F) {
	s := testkit.StartSQLite(f, testkit.Options{})
	good := string(testkit.Raw(testkit.Order("PO-1", "900.00")))
	for _, seed := range []string{`{"document":` + good + `}`, `{"document":` + good + `,"submission":{"approver":"marta","channel":"api"}}`, `{}`, `[]`, `null`, `{"document":null}`,
		`{"document":{"kind":"payment","id":"1","revision":"1","amount":{"value":"1e3","currency":"EUR"}}}`, `{"document":{"amount":{"value":"-0.00","currency":"EUR"}}}`, "{\"document\":\"\xff\"}",
		`{"document":` + strings.Replace(good, "900.00", "99999999999999999999.00", 1) + `}`, `{"document":` + strings.Replace(good, `"1"`, `"\ud800"`, 1) + `}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/requests", "/v1/evaluate", "/v1/facts", "/v1/alerts", "/v1/check", "/v1/release"} {
			a := s.With(t).Send("POST", path, s.Key, body)
			if a.Status >= 500 {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
			if path == "/v1/requests" && a.Status < 300 {
				if _, err := jcs.Parse(body); err != nil {
					t.Errorf("a submission that is no JSON was taken: %v", err)
				}
			}
		}
	})
}
