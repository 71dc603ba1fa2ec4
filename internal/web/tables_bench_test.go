//go:build linux

package web_test

import "testing"

// BenchmarkTables reads the control owner's tables, the log with filters and the policy
// with 10,000 open requests, and the same pages of a fresh organisation. Filters that find
// nothing look at every request.
func BenchmarkTables(b *testing.B) {
	pages := []string{"/requests", "/requests?text=nowhere", "/requests?rule=nothing-like-it", "/requests?group=treasury", "/requests?group=approvers", "/requests?vendor=V-1",
		"/requests?status=pending", "/requests?since=2020-01-01&until=2020-01-02", "/decisions", "/decisions?vendor=V-1", "/decisions?status=pending", "/holds", "/policy", "/policy/draft",
		"/audit?vendor=V-1", "/audit?kind=purchase_order", "/audit?since=2020-01-01&until=2020-01-02"}
	onEach(b, func(b *testing.B, start func(int, ...string) measured) {
		held(b, func(b *testing.B, open int) map[string]float64 {
			s := start(open)
			claire := s.Person("claire")
			claire.SignIn()
			s.ready(b)
			out := map[string]float64{}
			for _, path := range pages {
				b.Run(path, func(b *testing.B) { out[path] = costOf(b, s, claire, path, "Desktop") })
			}
			return out
		})
	})
}
