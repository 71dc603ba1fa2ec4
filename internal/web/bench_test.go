//go:build linux

package web_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit"
)

// mostTimes is how many times the cost of an empty page a full one may cost.
const mostTimes = 20

// fullOpen is how many open requests a full page has behind it.
const fullOpen = 10_000

// measured is a server that is measured, with so many open requests.
type measured struct {
	*testkit.Server
	config store.Config
}

// onEach runs a benchmark over SQLite, and over PostgreSQL where a server is at hand.
func onEach(b *testing.B, bench func(b *testing.B, start func(open int, people ...string) measured)) {
	for driver, config := range map[string]func(testing.TB) store.Config{store.SQLite: storetest.SQLite, store.Postgres: storetest.Postgres} {
		b.Run(driver, func(b *testing.B) {
			bench(b, func(open int, people ...string) measured {
				cfg := config(b)
				s := measured{testkit.Start(b, cfg, testkit.Options{}), cfg}
				s.Settle()
				for _, login := range people {
					s.Person(login)
				}
				fillInbox(b, s.Server, open)
				return s
			})
		})
	}
}

// ready has PostgreSQL look at what is in its tables, as it does by itself after a while.
func (m measured) ready(b *testing.B) {
	b.Helper()
	if m.config.Driver != store.Postgres {
		return
	}
	db, err := sql.Open("pgx", m.config.DSN)
	if err == nil {
		_, err = db.Exec("VACUUM ANALYZE")
		db.Close()
	}
	m.Must(err)
}

// held measures pages of a full organisation against those of an empty one, and fails
// where one costs more than mostTimes the other.
func held(b *testing.B, cost func(b *testing.B, open int) map[string]float64) {
	b.Helper()
	empty := cost(b, 0)
	full := cost(b, fullOpen)
	for name, each := range full {
		times := each / empty[name]
		b.Logf("%s: %.1f times an empty one, %.1f ms", name, times, each/1e6)
		if times > mostTimes {
			b.Errorf("%s costs %.1f times an empty one, more than %d", name, times, mostTimes)
		}
	}
}

// costOf is what a page costs in nanoseconds. On SQLite it is the processor's time, since
// the clock on the wall also counts whatever else the machine does. On PostgreSQL most is
// done by another process, so that there it is the time on the wall, which a quarter of the
// readings are within: what the machine does beside it now and then is not in it.
func costOf(b *testing.B, s measured, p *testkit.Person, path, agent string) float64 {
	b.Helper()
	wall := make([]time.Duration, 0, 1000)
	began := processorTime(b)
	for b.Loop() {
		start := time.Now()
		req := httptest.NewRequest("GET", s.URL+path, nil)
		req.Header.Set("User-Agent", agent)
		req.AddCookie(&http.Cookie{Name: "countersign-local", Value: p.Token})
		w := httptest.NewRecorder()
		s.Site.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		wall = append(wall, time.Since(start))
	}
	if s.config.Driver == store.Postgres {
		slices.Sort(wall)
		quick := float64(wall[len(wall)/4])
		b.ReportMetric(quick, "wall-ns/op")
		return quick
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
		if s.DB.Driver() == store.SQLite { // a server's clock does not come along
			s.Clock.Forward(10 * time.Second)
		}
	}
}
