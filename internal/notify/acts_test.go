package notify_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/testkit"
)

// What locks and resets do is told from the act itself: five wrong codes, and a reset that
// a second administrator agreed to.
func TestLockAndResetAreToldFromTheAct(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta, samuel, claire := s.Person("marta"), s.Person("samuel"), s.Person("claire")
		marta.EnrolCode()
		order := s.Submit(testkit.Order("PO-1", "30000.00"))
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		for range 5 {
			if _, problem := marta.ByCode(order.ID, "000000"); problem == nil {
				t.Fatal("a wrong code is right")
			}
		}
		d.want(d.mails(), "Too many wrong codes", "marta")

		var reset countersign.Approval
		s.Call("POST", "/v1/proposals", samuel.Token, authority.Proposal{Kind: countersign.KindFactorReset, ID: marta.ID, Subject: "Her laptop was stolen"}, &reset)
		d.mails()
		if _, problem := claire.ByPasskey(reset.ID, countersign.ActApprove); problem != nil {
			t.Fatal(problem)
		}
		all := d.mails()
		d.want(all, "Your factors were reset", "marta") // once, though three authenticators went
		d.want(all, "Factors of Marta Silva were reset", "claire", "samuel")
	})
}

// What a person raises is told to whoever looks after it, and not to who raised it.
func TestAlertOfAPersonIsToldToOthers(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta, samuel, claire := s.Person("marta"), s.Person("samuel"), s.Person("claire")
		d := openDesk(t, s, notify.DetailsSummary)
		d.mails()
		raise := func(id, token, owner string) []got {
			s.Call("POST", "/v1/alerts", token, countersign.AlertBody{ID: id, Severity: "high", Owner: owner, About: countersign.AlertSubject{Organisation: true}, Title: "an odd call"}, nil)
			return d.mails()
		}
		d.want(raise("1", claire.Token, marta.ID), "An alert of yours", "marta")
		d.want(raise("2", samuel.Token, ""), "An alert of yours", "claire")
		d.want(raise("3", claire.Token, ""), "An alert of yours")
	})
}
