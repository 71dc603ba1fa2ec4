package authority_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// A small order passes in one call, with a receipt that verifies.
func TestSmallOrderPassesUndisturbed(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "900.00"))
		if out.Status != countersign.StatusApproved || out.Outcome != countersign.OutcomeAllow {
			t.Fatalf("have %s, %s: %+v", out.Status, out.Outcome, out.Reasons)
		}
		v := h.verified(out.Receipt)
		t.Log(v.Claims)
		again, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "900.00"), nil))
		h.must(err)
		if again.Created || again.Approval.ID != out.ID || again.Approval.Status != countersign.StatusApproved {
			t.Errorf("the same document again: %+v", again)
		}
		h.verified(again.Approval.Receipt)
	})
}

// A 30,000 order asks for two factors; a code is used up; the release wants the same
// document.
func TestLargeOrderStepsUp(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-2", "30000.00"))
		if out.Status != countersign.StatusPending || out.Requirement.Assurance != countersign.AssuranceMFA {
			t.Fatalf("have %s, %+v", out.Status, out.Requirement)
		}
		t.Log(out.Reasons[0].Sentence, out.Missing)
		other := h.submit(order("PO-3", "31000.00"))

		marta := h.who["marta"]
		h.clock.forward(2 * time.Minute)
		code := marta.code(0)
		done, err := marta.byCode(out.ID, code)
		h.must(err)
		if done.Status != countersign.StatusApproved {
			t.Fatalf("have %s, missing %v", done.Status, done.Missing)
		}
		v := h.verified(done.Receipt)
		t.Log(v.Claims)
		_, err = marta.byCode(other.ID, code)
		h.refused(err, countersign.CodeUnauthenticated)

		changed := order("PO-2", "30000.01")
		_, err = h.a.Release(h.ctx, h.key, countersign.ReleaseBody{Request: out.ID, Document: body(changed, nil).Document, Execution: "x1"})
		p := h.refused(err, countersign.CodeChanged)
		if len(p.Differences) != 1 || p.Differences[0].Pointer != "/amount/value" {
			t.Errorf("differences: %+v", p.Differences)
		}
		rel := countersign.ReleaseBody{Request: out.ID, Document: body(order("PO-2", "30000.00"), nil).Document, Execution: "x1"}
		r, err := h.a.Release(h.ctx, h.key, rel)
		h.must(err)
		h.verified(r.Receipt)
		r2, err := h.a.Release(h.ctx, h.key, rel)
		h.must(err)
		if r2.Lease != r.Lease {
			t.Errorf("another lease for the same execution: %+v", r2)
		}
		rel.Execution = "x2"
		_, err = h.a.Release(h.ctx, h.key, rel)
		h.refused(err, countersign.CodeReleased)
	})
}

// Five wrong codes lock the code generator; the passkey still works.
func TestWrongCodesLockOnlyTheApp(t *testing.T) {
	each(t, func(h *house) {
		out := h.submit(order("PO-4", "30000.00"))
		marta := h.who["marta"]
		h.clock.forward(2 * time.Minute)
		for i := range 5 {
			_, err := marta.byCode(out.ID, "000000")
			if i < 4 {
				h.refused(err, countersign.CodeUnauthenticated)
			} else {
				h.refused(err, countersign.CodeLocked)
			}
		}
		_, err := marta.byCode(out.ID, marta.code(0))
		h.refused(err, countersign.CodeLocked)
		done, err := marta.byPasskey(out.ID, countersign.ActApprove)
		h.must(err)
		if done.Status != countersign.StatusApproved {
			t.Fatal(done.Status, done.Missing)
		}
		h.verified(done.Receipt)
	})
}

// A new vendor's invoice needs two people with passkeys; who asked is neither.
func TestNewVendorInvoiceNeedsTwo(t *testing.T) {
	each(t, func(h *house) {
		d := order("INV-1", "12000.00", func(d *countersign.Document) {
			d.Kind = countersign.KindInvoice
			d.Payee = &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
			d.Requester = &countersign.Party{Type: "person", ID: "marta", Name: "Marta Silva"}
		})
		out := h.submit(d)
		if out.Status != countersign.StatusPending {
			t.Fatalf("%s %+v", out.Status, out.Requirement)
		}
		h.clock.forward(2 * time.Minute)
		_, err := h.who["daniel"].byCode(out.ID, h.who["daniel"].code(0))
		h.refused(err, countersign.CodeUnauthenticated)
		_, err = h.who["marta"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		first, err := h.who["daniel"].byPasskey(out.ID, countersign.ActApprove)
		h.must(err)
		if first.Status != countersign.StatusPending {
			t.Fatal(first.Status)
		}
		_, err = h.who["daniel"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		second, err := h.who["ingrid"].byPasskey(out.ID, countersign.ActApprove)
		h.must(err)
		if second.Status != countersign.StatusApproved {
			t.Fatal(second.Status, second.Missing)
		}
		h.verified(second.Receipt)
		_, err = h.who["tomas"].challenge(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeNotFound)
		_ = authority.Caller{}
	})
}
