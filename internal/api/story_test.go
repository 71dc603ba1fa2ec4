package api_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// A 900 order passes in one call, with a receipt that verifies offline.
func TestSmallOrderPassesInOneCall(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := s.Submit(testkit.Order("PO-1", "900.00"))
		if out.Status != countersign.StatusApproved || out.Outcome != countersign.OutcomeAllow {
			t.Fatalf("have %s, %s: %+v", out.Status, out.Outcome, out.Reasons)
		}
		s.Verify(out.Receipt)
		a := s.Send("GET", "/v1/requests/"+out.ID+"/receipt", s.Key, nil)
		if !countersign.IsCanonical(a.Body) {
			t.Error("the receipt is not in its one encoding")
		}
		s.Verify(a.Body)
	})
}

// A 30,000 order by the same people asks for two factors. A code is used up wherever
// it was used; the release wants the same document, and says yes once.
func TestLargeOrderStepsUp(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta := s.Person("marta")
		marta.EnrolCode()
		out := s.Submit(testkit.Order("PO-2", "30000.00"))
		if out.Status != countersign.StatusPending || out.Requirement.Assurance != countersign.AssuranceMFA {
			t.Fatalf("have %s, %+v", out.Status, out.Requirement)
		}
		other := s.Submit(testkit.Order("PO-3", "31000.00"))
		code := marta.Code(0)
		done, p := marta.ByCode(out.ID, code)
		if p != nil {
			t.Fatal(p)
		}
		if done.Status != countersign.StatusApproved {
			t.Fatalf("have %s, missing %v", done.Status, done.Missing)
		}
		s.Verify(done.Receipt)
		_, p = marta.ByCode(other.ID, code)
		s.Refused(p, countersign.CodeUnauthenticated)

		body := countersign.ReleaseBody{Request: out.ID, Document: testkit.Raw(testkit.Order("PO-2", "30000.01")), Execution: "x1"}
		p = s.Refused(s.Try("POST", "/v1/release", s.Key, body, nil), countersign.CodeChanged)
		if len(p.Differences) != 1 || p.Differences[0].Pointer != "/amount/value" {
			t.Errorf("differences: %+v", p.Differences)
		}
		body.Document = testkit.Raw(testkit.Order("PO-2", "30000.00"))
		var check countersign.CheckAnswer
		s.Call("POST", "/v1/check", s.Key, countersign.ReleaseBody{Request: out.ID, Document: body.Document}, &check)
		if !check.Releasable {
			t.Errorf("check: %+v", check)
		}
		var first, second countersign.ReleaseAnswer
		s.Call("POST", "/v1/release", s.Key, body, &first)
		s.Verify(first.Receipt)
		s.Call("POST", "/v1/release", s.Key, body, &second)
		if second.Lease != first.Lease {
			t.Errorf("another lease for the same execution: %+v", second)
		}
		body.Execution = "x2"
		s.Refused(s.Try("POST", "/v1/release", s.Key, body, nil), countersign.CodeReleased)
		var confirmed countersign.ReleaseAnswer
		s.Call("POST", "/v1/requests/"+out.ID+"/confirm", s.Key, map[string]string{"execution": "x1"}, &confirmed)
		if confirmed.State != "confirmed" {
			t.Errorf("confirmed: %+v", confirmed)
		}
	})
}
