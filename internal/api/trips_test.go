package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit"
)

// The most round trips to the database that a call may make, whatever the size of the
// group that is asked and of the history.
const (
	mostToSubmit  = 12
	mostToRelease = 25
)

// tripMeter counts, beside serving, what each call asks of the database.
type tripMeter struct {
	now atomic.Pointer[store.TripCounter]
}

func (m *tripMeter) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := m.now.Load(); c != nil {
			r = r.WithContext(store.CountTrips(r.Context(), c))
		}
		next.ServeHTTP(w, r)
	})
}

// of is what the calls that fn makes ask.
func (m *tripMeter) of(fn func()) store.Trips {
	c := new(store.TripCounter)
	m.now.Store(c)
	defer m.now.Store(nil)
	fn()
	return c.Trips()
}

// Submitting and releasing ask the database a bounded number of times.
func TestRoundTripsOfSubmitAndRelease(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		for _, people := range []int{5, 200} {
			t.Run(fmt.Sprintf("people=%d", people), func(t *testing.T) {
				if people != 5 && cfg.Driver == store.Postgres {
					cfg = storetest.Postgres(t)
				} else if people != 5 {
					cfg = storetest.SQLite(t)
				}
				m := &tripMeter{}
				s := testkit.Start(t, cfg, testkit.Options{Handler: m.wrap})
				s.Settle()
				crowd(s, people)
				s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
				roundTrips(s, m, "few requests")
				fillRequests(s, s.Submit(testkit.Order("PO-FILL", "700.00")).ID, 20_000)
				somethingOpen(s)
				roundTrips(s, m, "20,000 requests, and alerts, freezes and a bank change elsewhere")
			})
		}
	})
}

var tripRound atomic.Int64

// roundTrips counts the calls of one silent order and one that steps up. Before each the
// key that was read before is too old to be taken for granted.
func roundTrips(s *testkit.Server, m *tripMeter, what string) {
	t := s.T
	t.Helper()
	round := tripRound.Add(1)
	measure := func(name string, most, reads int64, fn func()) {
		t.Helper()
		s.Clock.Forward(1100 * time.Millisecond)
		got := m.of(fn)
		t.Logf("%s: %s: %d round trips (%d statements more went along) in %d reads and %d writes",
			what, name, got.Statements, got.Together, got.Reads, got.Writes)
		// On PostgreSQL an answer looks again and again whether its entry has a place in the log
		// by now, each time in a read of its own. How often depends on the machine.
		waited := int64(0)
		if s.DB.Driver() == store.Postgres {
			waited = max(0, got.Reads-reads)
		}
		if trips := got.Statements - waited; trips > most {
			t.Errorf("%s: %s: %d round trips, at most %d are wanted", what, name, trips, most)
		}
	}
	submit := func(d *countersign.Document, want countersign.Status) (out countersign.Approval) {
		t.Helper()
		r := s.Request("POST", "/v1/requests", s.Key, testkit.Body(d, nil))
		r.Header.Set("Idempotency-Key", d.ID)
		a := s.Do(r)
		s.Must(json.Unmarshal(a.Body, &out))
		if a.Status != 201 || out.Status != want {
			t.Fatalf("%s: %d %s: %+v", d.ID, a.Status, out.Status, out.Reasons)
		}
		return out
	}
	order := func(n int, amount string) *countersign.Document {
		return testkit.Order(fmt.Sprintf("PO-T%d-%d", round, n), amount)
	}

	var silent, stepUp countersign.Approval
	submit(order(0, "800.00"), countersign.StatusApproved) // what is kept in memory is there
	measure("submit, approved at once", mostToSubmit, 2, func() { silent = submit(order(1, "900.00"), countersign.StatusApproved) })
	submit(order(2, "31000.00"), countersign.StatusPending)
	measure("submit, step-up", mostToSubmit, 2, func() { stepUp = submit(order(3, "30000.00"), countersign.StatusPending) })

	marta := s.Person("marta")
	if _, p := marta.ByPasskey(stepUp.ID, countersign.ActApprove); p != nil {
		t.Fatal(p)
	}
	for _, r := range []struct {
		name string
		of   countersign.Approval
	}{{"that nobody decided", silent}, {"that somebody approved", stepUp}} {
		body := countersign.ReleaseBody{Request: r.of.ID, Document: r.of.Document}
		measure("check "+r.name, mostToRelease, 2, func() { s.Call("POST", "/v1/check", s.Key, body, nil) })
		body.Execution = "x" + r.of.ID
		measure("release "+r.name, mostToRelease, 4, func() { s.Call("POST", "/v1/release", s.Key, body, nil) })
	}
}

// crowd adds approvers.
func crowd(s *testkit.Server, n int) {
	s.T.Helper()
	for i := range n {
		_, err := s.Authority.AddPersonOffline(s.T.Context(), authority.NewPerson{Login: fmt.Sprintf("approver%d", i),
			Name: fmt.Sprintf("Approver %d", i), Groups: []string{"approvers", "finance", "treasury"}})
		s.Must(err)
	}
}

// somethingOpen leaves an alert, a freeze and a change of bank details, none of which is
// about what is submitted.
func somethingOpen(s *testkit.Server) {
	s.T.Helper()
	s.Vendor("V-2", "Andere GmbH", 1, nil)
	s.Submit(testkit.Order("BC-1", "0.00", func(d *countersign.Document) {
		d.Kind, d.Amount = countersign.KindVendorBankChange, nil
		d.Payee = &countersign.Payee{ID: "V-2", Name: "Andere GmbH", Account: &countersign.Account{Scheme: "iban", Value: "DE02120300000000202051"}}
		d.Category, d.CostCentre = "", ""
	}))
	_, err := s.DB.Write(s.T.Context(), func(tx *store.Tx) error {
		now := tx.Now()
		if err := tx.InsertFreeze(store.Freeze{ID: countersign.NewID(countersign.PrefixFreeze, now), About: store.AboutVendor("V-2"), Reason: "r",
			PlacedBy: "system", Placed: now, Expires: now.Add(time.Hour)}); err != nil {
			return err
		}
		if _, err := tx.InsertAlert(store.Alert{ID: countersign.NewID(countersign.PrefixAlert, now), Severity: "high", About: store.AboutVendor("V-2"),
			Title: "t", Owner: "controllers", Source: "erp", External: "e", Raised: now, Expires: now.Add(time.Hour)}); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	s.Must(err)
}

// fillRequests writes copies of a request straight into the tables.
func fillRequests(s *testkit.Server, id string, n int) {
	s.T.Helper()
	const same = `source, kind, revision, attempt, digest, document, submission, status, version, state, weighed_entry,
		policy_digest, policy_version, key_id, vendor_id, requester_key, nominated, category, currency, minor, base_currency, base_minor,
		counted, bank, due_us, ended_us, superseded_by, entry_id, outcome, rules, founding, held_us, words`
	_, err := s.DB.Write(s.T.Context(), func(tx *store.Tx) error {
		made, err := tx.Exec(`INSERT INTO approval (org_id, id, object_id, created_us, `+same+`)
			WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < CAST($3 AS BIGINT))
			SELECT $1, 'req_0' || CAST(1000000000 + i AS TEXT), 'PO-F' || CAST(i AS TEXT), created_us - 86400000000 * 30 - i * 1000000, `+same+`
			FROM approval, n WHERE org_id = $1 AND id = $2`, id, n)
		if err == nil && made != int64(n) {
			err = fmt.Errorf("%d requests were written", made)
		}
		return err
	})
	s.Must(err)
}
