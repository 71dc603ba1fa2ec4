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
