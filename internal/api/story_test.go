package api_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
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
		if !jcs.IsCanonical(a.Body) {
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

// Five wrong codes lock the code generator; the passkey still works.
func TestWrongCodesLockOnlyTheApp(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta := s.Person("marta")
		marta.EnrolCode()
		out := s.Submit(testkit.Order("PO-4", "30000.00"))
		for i := range 5 {
			_, p := marta.ByCode(out.ID, "000000")
			if i < 4 {
				s.Refused(p, countersign.CodeUnauthenticated)
			} else if s.Refused(p, countersign.CodeLocked); p.RetryAfterSeconds == 0 || p.Status != 429 {
				t.Errorf("the lock says %+v", p)
			}
		}
		_, p := marta.ByCode(out.ID, marta.Code(0))
		s.Refused(p, countersign.CodeLocked)
		done, p := marta.ByPasskey(out.ID, countersign.ActApprove)
		if p != nil || done.Status != countersign.StatusApproved {
			t.Fatal(p, done)
		}
		s.Verify(done.Receipt)
	})
}

// A new vendor's invoice needs two people with passkeys; whoever asked is neither, and
// the same person does not count twice.
func TestNewVendorInvoiceNeedsTwo(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		marta, daniel, ingrid := s.Person("marta"), s.Person("daniel"), s.Person("ingrid")
		daniel.EnrolCode()
		out := s.Submit(testkit.Order("INV-1", "12000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
			d.Requester = &countersign.Party{Type: "person", ID: "marta", Name: "Marta Silva"}
		}))
		_, p := daniel.ByCode(out.ID, daniel.Code(0))
		s.Refused(p, countersign.CodeForbidden)
		_, p = marta.ByPasskey(out.ID, countersign.ActApprove)
		s.Refused(p, countersign.CodeForbidden)
		first, p := daniel.ByPasskey(out.ID, countersign.ActApprove)
		if p != nil || first.Status != countersign.StatusPending {
			t.Fatal(p, first)
		}
		_, p = daniel.ByPasskey(out.ID, countersign.ActApprove)
		s.Refused(p, countersign.CodeForbidden)
		second, p := ingrid.ByPasskey(out.ID, countersign.ActApprove)
		if p != nil || second.Status != countersign.StatusApproved {
			t.Fatal(p, second)
		}
		s.Verify(second.Receipt)
	})
}

// A change of a vendor's bank details: two treasurers who called back, held from the
// last decision. Meanwhile a payment to the new account is denied, and one to the old
// account steps up.
func TestBankChangeIsHeld(t *testing.T) {
	old := &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
	fresh := &countersign.Account{Scheme: "iban", Value: "FR1420041010050500013M02606"}
	pay := func(id string, to *countersign.Account) *countersign.Document {
		return testkit.Order(id, "900.00", func(d *countersign.Document) { d.Kind, d.Payee.Account = countersign.KindPayment, to })
	}
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Person("marta")
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, old)
		tomas, amara := s.Person("tomas"), s.Person("amara")
		doc := testkit.Order("BC-1", "0.00", func(d *countersign.Document) {
			d.Kind, d.Amount, d.Payee.Account = countersign.KindVendorBankChange, nil, fresh
			d.Changes = []countersign.Change{{Field: "account", From: old.Value, To: fresh.Value}}
		})
		out := s.Submit(doc)
		if out.Requirement.Hold != 24*3600 || len(out.Requirement.Attestations) == 0 {
			t.Fatalf("required: %+v", out.Requirement)
		}
		_, p := tomas.Challenge(out.ID, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Attestations = nil })
		if p == nil {
			t.Log("the missing answer is found when the decision is made")
		}
		if _, p := tomas.ByPasskey(out.ID, countersign.ActApprove); p != nil {
			t.Fatal(p)
		}
		done, p := amara.ByPasskey(out.ID, countersign.ActApprove)
		if p != nil || done.Status != countersign.StatusApproved || done.NotBefore == "" {
			t.Fatalf("%v %+v", p, done)
		}
		s.Refused(s.Try("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: out.ID, Document: testkit.Raw(doc), Execution: "x1"}, nil), countersign.CodeNotReleasable)
		s.Refused(s.Try("POST", "/v1/check", s.Key, countersign.ReleaseBody{Request: out.ID, Document: testkit.Raw(doc)}, nil), countersign.CodeNotReleasable)
		if a := s.Submit(pay("PAY-1", fresh)); a.Status != countersign.StatusDenied {
			t.Errorf("to the new account: %s %+v", a.Status, a.Reasons)
		}
		if a := s.Submit(pay("PAY-2", old)); a.Status != countersign.StatusPending {
			t.Errorf("to the old account: %s %+v", a.Status, a.Reasons)
		}
	})
}

// Between approval and release: an alert on the vendor, a freeze, a deactivated
// approver, a reported factor. Release answers 409, and the request waits again.
func TestReleaseTightens(t *testing.T) {
	for name, happens := range map[string]func(s *testkit.Server, by *testkit.Person){
		"alert": func(s *testkit.Server, _ *testkit.Person) {
			s.Call("POST", "/v1/alerts", s.Key, countersign.AlertBody{ID: "A-1", Severity: "high", About: countersign.AlertSubject{Vendor: "V-1"}, Title: "the vendor's mail was taken over"}, nil)
		},
		"freeze": func(s *testkit.Server, _ *testkit.Person) {
			claire := s.Person("claire")
			s.Call("POST", "/v1/freezes", claire.Token, map[string]any{"vendor": "V-1", "reason": "looks wrong", "step_up": claire.StepUp("freeze:vendor:V-1")}, nil)
		},
		"deactivated approver": func(s *testkit.Server, _ *testkit.Person) {
			s.Call("POST", "/v1/facts", s.APIKey("hr", "provisioning"), countersign.FactsBody{People: []countersign.PersonFact{{Subject: "marta", Name: "Marta Silva", Inactive: true}}}, nil)
		},
		"reported factor": func(s *testkit.Server, by *testkit.Person) {
			var mine struct {
				Items []struct{ ID, Type string }
			}
			s.Call("GET", "/v1/authenticators", by.Token, nil, &mine)
			s.Call("POST", "/v1/authenticators/"+mine.Items[0].ID+"/report", by.Token, nil, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Each(t, func(t *testing.T, s *testkit.Server) {
				s.Settle()
				s.Person("daniel")
				s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
				marta := s.Person("marta")
				doc := testkit.Order("PO-5", "30000.00")
				out := s.Submit(doc)
				if done, p := marta.ByPasskey(out.ID, countersign.ActApprove); p != nil || done.Status != countersign.StatusApproved {
					t.Fatal(p, done)
				}
				happens(s, marta)
				p := s.Refused(s.Try("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: out.ID, Document: testkit.Raw(doc), Execution: "x1"}, nil), countersign.CodeNotReleasable)
				t.Log(p.Detail)
				var now countersign.Approval
				s.Call("GET", "/v1/requests/"+out.ID, s.Key, nil, &now)
				if now.Status != countersign.StatusPending && now.Status != countersign.StatusUnsatisfiable {
					t.Errorf("afterwards it is %s", now.Status)
				}
			})
		})
	}
}

// An approver takes an approval back before its release.
func TestApproverRevokes(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, daniel := s.Person("marta"), s.Person("daniel")
		doc := testkit.Order("PO-6", "30000.00")
		out := s.Submit(doc)
		_, p := marta.Challenge(out.ID, countersign.ActRevoke)
		s.Refused(p, countersign.CodeState)
		if _, p := marta.ByPasskey(out.ID, countersign.ActApprove); p != nil {
			t.Fatal(p)
		}
		_, p = daniel.Challenge(out.ID, countersign.ActRevoke)
		s.Refused(p, countersign.CodeForbidden)
		done, p := marta.ByPasskey(out.ID, countersign.ActRevoke)
		if p != nil || done.Status != countersign.StatusRevoked {
			t.Fatal(p, done)
		}
		s.Refused(s.Try("POST", "/v1/release", s.Key, countersign.ReleaseBody{Request: out.ID, Document: testkit.Raw(doc), Execution: "x1"}, nil), countersign.CodeState)
	})
}

// Twenty equal parts of one purchase at the same instant: the sum never passes
// unasked.
func TestTwentyPartsAtOnce(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Person("marta")
		s.Person("daniel")
		s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		var passed atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				a, err := s.Client(s.Key).Submit(t.Context(), testkit.Body(testkit.Order(fmt.Sprintf("PART-%d", i), "4000.00"), nil))
				switch {
				case err != nil:
					t.Error(err)
				case a.Status == countersign.StatusApproved:
					passed.Add(1)
				}
			})
		}
		wg.Wait()
		t.Logf("%d of 20 parts of 4,000.00 passed unasked", passed.Load())
		if passed.Load() > 7 { // 8 parts are 32,000.00, and the limit is 30,000
			t.Errorf("%d parts passed unasked: their sum is over the limit", passed.Load())
		}
	})
}

// A document that lacks what a rule asks for steps up, and says which fields.
func TestUnknownFires(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	s.Settle()
	s.Person("marta")
	for name, change := range map[string]func(*countersign.Document){
		"requester nobody knows": func(d *countersign.Document) { d.Requester.ID, d.Requester.Name = "stranger", "A Stranger" },
		"no amount":              func(d *countersign.Document) { d.Amount = nil },
		"no rate":                func(d *countersign.Document) { d.Amount.Currency, d.Amount.Value = "JPY", "900" },
	} {
		out := s.Submit(testkit.Order("U-"+strings.ReplaceAll(name, " ", "-"), "900.00", change))
		if out.Status == countersign.StatusApproved {
			t.Errorf("%s: it passed", name)
		}
		if !slices.ContainsFunc(out.Reasons, func(r countersign.Reason) bool { return r.State == countersign.Unknown && len(r.Missing) > 0 }) {
			t.Errorf("%s: no reason names what is missing: %+v", name, out.Reasons)
		}
	}
}
