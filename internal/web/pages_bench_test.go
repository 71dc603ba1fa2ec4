//go:build linux

package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
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
			{samuel, []string{"/admin/people", "/admin/alerts", "/admin/freezes", "/admin/break-glass", "/admin/delegations", "/admin/keys", "/admin/settings", "/policy/draft"}},
			{marta, []string{"/r/", "/r/approve", "/r/reject", "/r/reassign", "/r/freeze", "/factors", "/delegations", "/preferences"}}, {elif, []string{"/r/", "/r/withdraw"}},
		} {
			p.who.SignIn()
			for _, path := range p.paths {
				name := p.who.Login + " " + path
				if act, of := strings.CutPrefix(path, "/r/"); of {
					path = strings.TrimSuffix("/r/"+out.Approval.ID+"/"+act, "/")
				}
				b.Run(fmt.Sprint(name, " of ", open), func(b *testing.B) { costs[name] = costOf(b, s, p.who, path, "Desktop") })
			}
		}
		return costs
	}
	empty := cost(0)
	for name, full := range cost(10_000) {
		times := full / empty[name]
		b.Run(name+" full by empty", func(b *testing.B) { b.ReportMetric(times, "times") })
		if times > mostTimes {
			b.Errorf("%s costs %.1f times an empty one, more than %d", name, times, mostTimes)
		}
	}
}

// costOf is what a page costs in nanoseconds: the processor's time, since the clock on
// the wall also counts whatever else the machine does.
func costOf(b *testing.B, s *testkit.Server, p *testkit.Person, path, agent string) float64 {
	b.Helper()
	began := processorTime(b)
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
	each := float64(processorTime(b)-began) / float64(b.N)
	b.ReportMetric(each, "cpu-ns/op")
	return each
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
