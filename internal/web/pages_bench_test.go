//go:build linux

package web_test

import (
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// BenchmarkPages holds the pages that read requests and the log, with 10,000 open
// requests, against the same pages with one. Each is read by who sees most of it.
func BenchmarkPages(b *testing.B) {
	onEach(b, func(b *testing.B, start func(int, ...string) measured) {
		held(b, func(b *testing.B, open int) map[string]float64 {
			s := start(open, "marta", "elif")
			samuel, marta, elif := s.Person("samuel"), s.Person("marta"), s.Person("elif")
			key, err := s.Authority.AuthenticateKey(b.Context(), s.Key)
			s.Must(err)
			out, err := s.Authority.Submit(b.Context(), key, testkit.Body(testkit.Order("PO-LAST", "30000.00"), nil))
			s.Must(err)
			s.ready(b)
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
					b.Run(name, func(b *testing.B) { costs[name] = costOf(b, s, p.who, path, "Desktop") })
				}
			}
			return costs
		})
	})
}
