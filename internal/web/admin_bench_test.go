//go:build linux

package web_test

import (
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// BenchmarkAdministration holds each page of the administration with 10,000 open requests
// against the same page with none.
func BenchmarkAdministration(b *testing.B) {
	pages := []string{"/admin", "/admin/people", "/admin/alerts", "/admin/settings"}
	cost := func(open int) map[string]float64 {
		s := testkit.StartSQLite(b, testkit.Options{})
		s.Settle()
		samuel := s.Person("samuel")
		fillInbox(b, s, open)
		samuel.SignIn()
		out := map[string]float64{}
		for _, path := range pages {
			b.Run(path, func(b *testing.B) { out[path] = costOf(b, s, samuel, path, "Desktop") })
		}
		return out
	}
	empty := cost(0)
	for path, full := range cost(10_000) {
		times := full / empty[path]
		b.Logf("%s: %.1f times an empty one", path, times)
		if times > mostTimes {
			b.Errorf("%s costs %.1f times an empty one, more than %d", path, times, mostTimes)
		}
	}
}
