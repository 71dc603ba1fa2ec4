//go:build linux

package web_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
)

// BenchmarkInboxPage renders the inbox of somebody for whom 10,000 requests wait, with
// and without the preview, beside the inbox of somebody for whom nothing does. It fails
// where the one costs more than mostTimes the other in this run.
func BenchmarkInboxPage(b *testing.B) {
	onEach(b, func(b *testing.B, start func(int, ...string) measured) {
		s := start(fullOpen, "marta", "elif", "amara")
		marta, elif, amara := s.Person("marta"), s.Person("elif"), s.Person("amara")
		for _, p := range []*testkit.Person{marta, elif, amara} {
			p.SignIn()
		}
		s.ready(b)
		visit := func(p *testkit.Person, path, agent string) float64 {
			var each float64
			b.Run(strings.Join([]string{p.Login, strings.TrimPrefix(path, "/?"), agent}, " "), func(b *testing.B) { each = costOf(b, s, p, path, agent) })
			return each
		}
		empty := visit(amara, "/?tab=you", "Mobile")
		for _, p := range []struct {
			who         *testkit.Person
			path, agent string
		}{
			{marta, "/?tab=you", "Desktop"}, {marta, "/?tab=you", "Mobile"}, {marta, "/?tab=decided", "Mobile"},
			{elif, "/?tab=you", "Mobile"}, {elif, "/?tab=others", "Mobile"},
			{marta, "/?tab=others", "Mobile"},
		} {
			times := visit(p.who, p.path, p.agent) / empty
			b.Logf("%s, %s on a %s: %.1f times an empty one", p.who.Login, p.path, p.agent, times)
			if times > mostTimes {
				b.Errorf("%s, %s on a %s costs %.1f times an empty one, more than %d", p.who.Login, p.path, p.agent, times, mostTimes)
			}
		}
	})
}
