package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// BenchmarkTables reads the control owner's tables and the policy with 10,000 open
// requests, and the same pages of a fresh organisation. Filters that find nothing look
// at every request.
func BenchmarkTables(b *testing.B) {
	pages := []string{"/requests", "/requests?text=nowhere", "/requests?rule=nothing-like-it", "/requests?group=treasury", "/requests?vendor=V-1", "/requests?status=pending", "/decisions", "/holds", "/policy", "/policy/draft"}
	cost := func(open int) map[string]float64 {
		s := testkit.StartSQLite(b, testkit.Options{})
		s.Settle()
		claire := s.Person("claire")
		fillInbox(b, s, open)
		claire.SignIn()
		out := map[string]float64{}
		for _, path := range pages {
			b.Run(path, func(b *testing.B) {
				for b.Loop() {
					req := httptest.NewRequest("GET", s.URL+path, nil)
					req.AddCookie(&http.Cookie{Name: "countersign-local", Value: claire.Token})
					w := httptest.NewRecorder()
					s.Site.ServeHTTP(w, req)
					if w.Code != http.StatusOK {
						b.Fatalf("%s: %d %s", path, w.Code, w.Body)
					}
				}
				out[path] = float64(b.Elapsed()) / float64(b.N)
			})
		}
		return out
	}
	empty := cost(0)
	for path, full := range cost(10_000) {
		times := full / empty[path]
		b.Logf("%s: %.1f times an empty one, %.1f ms", path, times, full/1e6)
		if times > mostTimes {
			b.Errorf("%s costs %.1f times an empty one, more than %d", path, times, mostTimes)
		}
	}
}
