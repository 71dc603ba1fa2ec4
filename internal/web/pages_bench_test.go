package web_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/testkit"
)

// BenchmarkPages holds the pages that read requests and the log, with 10,000 open
// requests, against the same pages with one. Each is read by who sees most of it.
func BenchmarkPages(b *testing.B) {
	cost := func(open int) map[string]float64 {
		s := testkit.StartSQLite(b, testkit.Options{})
		s.Settle()
		samuel, marta, elif := s.Person("samuel"), s.Person("marta"), s.Person("elif")
		fillInbox(b, s, open)
		key, err := s.Authority.AuthenticateKey(b.Context(), s.Key)
		s.Must(err)
		out, err := s.Authority.Submit(b.Context(), key, testkit.Body(testkit.Order("PO-LAST", "30000.00"), nil))
		s.Must(err)
		costs := map[string]float64{}
		for _, p := range []struct {
			who   *testkit.Person
			paths []string
		}{
			{samuel, []string{"/requests", "/requests?status=pending", "/requests?status=released", "/decisions", "/holds", "/audit", "/admin", "/policy"}},
			{marta, []string{"/r/"}}, {elif, []string{"/r/"}},
		} {
			p.who.SignIn()
			for _, path := range p.paths {
				name := p.who.Login + " " + path
				if path == "/r/" {
					path += out.Approval.ID
				}
				b.Run(fmt.Sprint(name, " of ", open), func(b *testing.B) { costs[name] = costOf(b, s, p.who, path, "Desktop") })
			}
		}
		return costs
	}
	empty := cost(0)
	for name, full := range cost(10_000) {
		times := full / empty[name]
		b.Logf("%s: %.1f times an empty one", name, times)
		if times > mostTimes {
			b.Errorf("%s costs %.1f times an empty one, more than %d", name, times, mostTimes)
		}
	}
}

// costOf is what a page costs, in nanoseconds: the fastest of all visits of this run, since
// whatever else the machine does makes the others slower, and none of them faster.
func costOf(b *testing.B, s *testkit.Server, p *testkit.Person, path, agent string) float64 {
	b.Helper()
	fastest := math.Inf(1)
	for b.Loop() {
		req := httptest.NewRequest("GET", s.URL+path, nil)
		req.Header.Set("User-Agent", agent)
		req.AddCookie(&http.Cookie{Name: "countersign-local", Value: p.Token})
		w := httptest.NewRecorder()
		began := time.Now()
		s.Site.ServeHTTP(w, req)
		fastest = min(fastest, float64(time.Since(began)))
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	return fastest
}
