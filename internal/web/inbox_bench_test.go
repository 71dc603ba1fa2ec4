//go:build linux

package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// mostTimes is how many times the cost of an empty inbox a full one may cost.
const mostTimes = 20

// BenchmarkInboxPage renders the inbox of somebody for whom 10,000 requests wait, with
// and without the preview, beside the inbox of somebody for whom nothing does. It fails
// where the one costs more than mostTimes the other in this run.
func BenchmarkInboxPage(b *testing.B) {
	s := testkit.StartSQLite(b, testkit.Options{})
	s.Settle()
	marta, elif, amara := s.Person("marta"), s.Person("elif"), s.Person("amara")
	fillInbox(b, s, 10_000)
	for _, p := range []*testkit.Person{marta, elif, amara} {
		p.SignIn()
	}
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
}

// fillInbox submits so many orders that all wait for the approvers.
func fillInbox(b *testing.B, s *testkit.Server, n int) {
	key, err := s.Authority.AuthenticateKey(b.Context(), s.Key)
	s.Must(err)
	for v := range 200 {
		s.Vendor(fmt.Sprint("V-", v), fmt.Sprint("Vendor ", v), 0, nil)
	}
	for i := range n {
		_, err := s.Authority.Submit(b.Context(), key, testkit.Body(testkit.Order(fmt.Sprint("PO-F", i), "30000.00", func(d *countersign.Document) {
			d.Payee = &countersign.Payee{ID: fmt.Sprint("V-", i%200), Name: fmt.Sprint("Vendor ", i%200)}
			d.Category, d.Subject = fmt.Sprint("c", i%500), fmt.Sprint("Order ", i)
		}), nil))
		s.Must(err)
		s.Clock.Forward(10 * time.Second)
	}
}
