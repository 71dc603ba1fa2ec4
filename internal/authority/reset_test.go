package authority_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// Of two administrators one cannot have the other's factors reset by a request: nobody
// is left to decide it. The operator does it on the data folder, and the other one
// confirms the new enrolment, so that it still takes two.
func TestResetFactorsOffline(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire := h.who["samuel"], h.who["claire"]
		stuck, err := samuel.propose(countersign.KindFactorReset, claire.id)
		h.must(err)
		if stuck.Status != countersign.StatusUnsatisfiable {
			t.Fatalf("a request does it: %s", stuck.Status)
		}
		pending := h.submit(order("PO-1", "30000.00"))
		_, err = h.a.ResetFactorsOffline(h.ctx, "nobody", "lost")
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.ResetFactorsOffline(h.ctx, "claire", "")
		h.refused(err, countersign.CodeInvalid)
		inv, err := h.a.ResetFactorsOffline(h.ctx, "Claire", "her bag was stolen")
		h.must(err)
		if err := claire.trySignIn(); err == nil {
			t.Error("the old passkey signs in")
		}
		if _, err := h.a.AuthenticateSession(h.ctx, "css_nothing"); err == nil {
			t.Error("nonsense is a session")
		}
		removed := 0
		for _, l := range h.leaves(claire.id) {
			if l.Type == countersign.EntryAuthenticatorRemoved {
				removed++
				if l.Actor != "operator" || l.Commitments[countersign.OpeningDetail] == "" {
					t.Errorf("%+v", l)
				}
			}
		}
		if removed != 3 { // passkey, code generator, password
			t.Errorf("%d authenticators were removed", removed)
		}
		in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
		h.must(err)
		e, err := claire.finishPasskey(in.Token)
		h.must(err)
		if !e.NeedsConfirmation {
			t.Fatal("the operator's invitation is enough")
		}
		h.refused(claire.trySignIn(), countersign.CodeForbidden)
		h.must(h.a.ConfirmEnrolment(h.ctx, samuel.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: samuel.stepUp("confirm:" + e.ID)}))
		claire.signIn()
		if h.get(pending.ID).Status != countersign.StatusPending {
			t.Error("the organisation's work was disturbed")
		}
	})
}
