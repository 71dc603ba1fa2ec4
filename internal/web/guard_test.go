package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestTrapOtherOriginsCannotPress holds every button of every page to where its press
// comes from: another site's page, another origin of this site, an opaque origin.
func TestTrapOtherOriginsCannotPress(t *testing.T) {
	s, _ := gallery(t)
	s.cfg.Demo = pretendedDemo{}
	presses := 0
	for _, r := range append(s.routes(), s.demoRoutes()...) {
		method, path, _ := strings.Cut(r.pattern, " ")
		if method != http.MethodPost {
			if method != http.MethodGet {
				t.Errorf("%s: pages are read by GET and pressed by POST, nothing else", r.pattern)
			}
			continue
		}
		presses++
		for name, set := range map[string]func(http.Header){
			"another site":          func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
			"another origin":        func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
			"an old browser":        func(h http.Header) { h.Set("Origin", "https://evil.example.com") },
			"an opaque origin":      func(h http.Header) { h.Set("Origin", "null") },
			"the same on TLS":       func(h http.Header) { h.Set("Origin", "https://localhost.evil.example.com") },
			"another port":          func(h http.Header) { h.Set("Origin", "http://localhost:1") },
			"a script of elsewhere": func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site"); h.Set("Sec-Fetch-Mode", "no-cors") },
		} {
			req := httptest.NewRequest(http.MethodPost, "http://localhost"+strings.NewReplacer("{", "", "}", "", "$", "").Replace(path), strings.NewReader("a=b"))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			set(req.Header)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s from %s: %d", r.pattern, name, w.Code)
			}
		}
	}
	if presses < 3 {
		t.Fatalf("only %d buttons", presses)
	}
}

// pretendedDemo stands in the table of routes only: no test calls it.
type pretendedDemo struct{ Demo }

// TestTrapNobodyFramesOrReadsAPage looks at the headers of whatever is answered.
func TestTrapNobodyFramesOrReadsAPage(t *testing.T) {
	s, _ := gallery(t)
	for _, path := range []string{"/gallery/sign-in/empty", "/nothing", "/sign-in", "/static/app.css", "/static/none", "/%00", "/r/x/../y"} {
		req := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		req.URL = &url.URL{Scheme: "http", Host: "localhost", Path: strings.ReplaceAll(path, "%00", "\x00")}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		h := w.Header()
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "script-src 'self';"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" ||
			h.Get("Access-Control-Allow-Origin") != "" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// TestTrapRedirectsStayHome holds what a redirect may be to the ways in which browsers
// read addresses.
func TestTrapRedirectsStayHome(t *testing.T) {
	for _, bad := range []string{"", "//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "\\\\evil.example.com", "/\t/evil.example.com", "/\n/evil", "/\r\nSet-Cookie: a=b",
		"javascript:alert(1)", "evil", "/" + strings.Repeat("a", 600), "///evil.example.com", " //evil.example.com", "data:text/html,x"} {
		if got := localPath(bad, "/"); got != "/" {
			t.Errorf("%q became %q", bad, got)
		}
	}
	for _, good := range []string{"/", "/r/req_1", "/audit?after=3&type=x", "/r/req_1#reasons"} {
		if got := localPath(good, "/"); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	f.Add("//evil.example.com")
	f.Add("/r/x?a=b")
	f.Fuzz(func(t *testing.T, s string) {
		got := localPath(s, "/")
		base, _ := url.Parse("https://pay.example.com/sign-in")
		u, err := base.Parse(got)
		if err != nil || u.Host != "pay.example.com" || u.Scheme != "https" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n") {
			t.Fatalf("%q became %q (%v, %v)", s, got, u, err)
		}
	})
}
