package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit"
)

// Round trips to the database that looking at a request and approving it may cost, session
// and log included, however many may decide and whatever was decided before.
const (
	mostToLook    = 25
	mostToApprove = 40 // begin and decide together
)

// counted counts the round trips of the requests that are made while it is held.
type counted struct {
	now atomic.Pointer[store.TripCounter]
}

func (c *counted) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := c.now.Load(); now != nil {
			r = r.WithContext(store.CountTrips(r.Context(), now))
		}
		h.ServeHTTP(w, r)
	})
}

func (c *counted) of(do func()) store.Trips {
	var now store.TripCounter
	c.now.Store(&now)
	do()
	c.now.Store(nil)
	return now.Trips()
}

func TestRoundTripsOfLookingAndApproving(t *testing.T) {
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) {
		var c counted
		s := testkit.Start(t, cfg, testkit.Options{Handler: c.wrap})
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		s.Person("marta")
		size := 3 // the residents
		for _, step := range []struct {
			name             string
			members, history int
		}{{"5 people", 5, 0}, {"200 people", 200, 0}, {"200 people, 20000 requests", 200, 20_000}} {
			join(s, step.members-size)
			size = step.members
			if step.history > 0 {
				remember(s, step.history)
			}
			roundTrips(t, s, &c, step.name)
		}
	})
}

func roundTrips(t *testing.T, s *testkit.Server, c *counted, name string) {
	t.Helper()
	marta := s.Person("marta")
	browser := callerOf(t, s, marta.Token)
	held := func(what string, got store.Trips, most int64) {
		t.Helper()
		t.Logf("%s: %s: %d round trips (%d queries), %d snapshots, %d writes", name, what, got.Statements, got.Statements+got.Together, got.Reads, got.Writes)
		if got.Statements > most {
			t.Errorf("%s: %s takes %d round trips, more than %d", name, what, got.Statements, most)
		}
	}

	first := s.Submit(testkit.Order("PO-page "+name, "30000.00"))
	var page shown
	look := c.of(func() { page = browser.get("/r/" + first.ID) })
	if page.Status != 200 {
		t.Fatalf("the page: %d %s", page.Status, page.text())
	}
	held("GET /r/{id}", look, mostToLook)
	if look.Reads > 2 { // who it is, and the page
		t.Errorf("%s: the page is read from %d snapshots", name, look.Reads)
	}

	path := "/r/" + first.ID + "/approve"
	var act, done shown
	held("GET /r/{id}/approve", c.of(func() { act = browser.get(path) }), mostToLook)
	approved := c.of(func() { done = browser.byKey(marta.Key, path, append(act.hidden(), "reason", "as agreed")...) })
	if done.Status != 303 {
		t.Fatalf("approved: %d %s", done.Status, done.text())
	}
	held("approving by page", approved, mostToApprove)
	held("GET /r/{id}, approved", c.of(func() { page = browser.get("/r/" + first.ID) }), mostToLook)
	if !strings.Contains(page.text(), "approved") {
		t.Errorf("the page of what is approved: %s", page.text())
	}

	second := s.Submit(testkit.Order("PO-api "+name, "30000.00"))
	var problem *countersign.Problem
	approved = c.of(func() {
		var ch countersign.ChallengeAnswer
		if problem = s.Try("POST", "/v1/requests/"+second.ID+"/challenges", marta.Token, countersign.ChallengeBody{Digest: second.Digest, Act: countersign.ActApprove, Reason: "as agreed"}, &ch); problem != nil {
			return
		}
		answer, err := marta.Key.Assert(ch.Passkey, s.URL)
		s.Must(err)
		problem = s.Try("POST", "/v1/requests/"+second.ID+"/decisions", marta.Token, countersign.DecisionBody{Challenge: ch.ID, Passkey: answer}, nil)
	})
	if problem != nil {
		t.Fatalf("approved by the API: %v", problem)
	}
	held("approving by API", approved, mostToApprove)
}

// join lets n more people into the group that approves, each with a passkey and a limit.
func join(s *testkit.Server, n int) {
	marta := s.Person("marta").ID
	_, err := s.DB.Write(s.T.Context(), func(tx *store.Tx) error {
		row, err := tx.Person(marta)
		if err != nil {
			return err
		}
		factors, err := tx.Authenticators(marta)
		if err != nil {
			return err
		}
		for i := range n {
			p := row
			p.ID, p.Name, p.Manager = countersign.NewID(countersign.PrefixPerson, tx.Now()), fmt.Sprintf("Member %d", i), marta
			p.Email, p.Handle = fmt.Sprintf("member%d@example.com", i), []byte(p.ID)
			if err := tx.InsertPerson(p); err != nil {
				return err
			}
			if _, err := tx.AddMembership("approvers", p.ID); err != nil {
				return err
			}
			if _, err := tx.PutLimit(store.PersonLimit{Person: p.ID, Currency: "EUR", Minor: 100_000_00}); err != nil {
				return err
			}
			for _, f := range factors {
				f.ID, f.Person, f.CredentialID = countersign.NewID(countersign.PrefixAuthenticator, tx.Now()), p.ID, p.ID
				if err := tx.InsertAuthenticator(f); err != nil {
					return err
				}
			}
		}
		return tx.FactsChanged()
	})
	s.Must(err)
}

// remember makes n requests of the same requester for the same vendor that are over.
func remember(s *testkit.Server, n int) {
	like := s.Submit(testkit.Order("PO-like", "30000.00"))
	for from := 0; from < n; from += 2000 {
		_, err := s.DB.Write(s.T.Context(), func(tx *store.Tx) error {
			row, err := tx.Approval(like.ID)
			if err != nil {
				return err
			}
			for i := range 2000 {
				r := row
				r.ID = countersign.NewID(countersign.PrefixRequest, tx.Now())
				r.Object, r.Status, r.Due = fmt.Sprintf("PO-old-%d", from+i), countersign.StatusReleased, r.Ended
				if err := tx.InsertApproval(&r); err != nil {
					return err
				}
			}
			return nil
		})
		s.Must(err)
	}
}
