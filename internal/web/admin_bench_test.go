//go:build linux

package web_test

import "testing"

// BenchmarkAdministration holds each page of the administration with 10,000 open requests
// against the same page with none.
func BenchmarkAdministration(b *testing.B) {
	pages := []string{"/admin", "/admin/people", "/admin/alerts", "/admin/settings"}
	onEach(b, func(b *testing.B, start func(int, ...string) measured) {
		held(b, func(b *testing.B, open int) map[string]float64 {
			s := start(open)
			samuel := s.Person("samuel")
			samuel.SignIn()
			s.ready(b)
			out := map[string]float64{}
			for _, path := range pages {
				b.Run(path, func(b *testing.B) { out[path] = costOf(b, s, samuel, path, "Desktop") })
			}
			return out
		})
	})
}
