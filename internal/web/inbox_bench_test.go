package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
		b.Run(strings.Join([]string{p.Login, strings.TrimPrefix(path, "/?"), agent}, " "), func(b *testing.B) {
			for b.Loop() {
				req := httptest.NewRequest("GET", s.URL+path, nil)
				req.Header.Set("User-Agent", agent)
				req.AddCookie(&http.Cookie{Name: "countersign-local", Value: p.Token})
				w := httptest.NewRecorder()
				s.Site.ServeHTTP(w, req)
				if w.Code != http.StatusOK {
					b.Fatalf("%s: %d %s", path, w.Code, w.Body)
				}
			}
			each = float64(b.Elapsed()) / float64(b.N)
		})
		return each
	}
	empty := visit(amara, "/?tab=you", "Mobile")
	for _, p := range []struct {
		who         *testkit.Person
		path, agent string
		most        float64
	}{
		{marta, "/?tab=you", "Desktop", mostTimes}, {marta, "/?tab=you", "Mobile", mostTimes}, {marta, "/?tab=decided", "Mobile", mostTimes},
		{elif, "/?tab=you", "Mobile", mostTimes}, {elif, "/?tab=others", "Mobile", mostTimes},
		// Nothing is in other hands where all 10,000 wait for oneself: so many are looked
		// at for nothing, and no more than that.
		{marta, "/?tab=others", "Mobile", 4 * mostTimes},
	} {
		times := visit(p.who, p.path, p.agent) / empty
		b.Logf("%s, %s on a %s: %.1f times an empty one", p.who.Login, p.path, p.agent, times)
		if times > p.most {
			b.Errorf("%s, %s on a %s costs %.1f times an empty one, more than %.0f", p.who.Login, p.path, p.agent, times, p.most)
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
