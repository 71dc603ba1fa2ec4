package authority_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

const elsewhere = "https://approve.example.com"

// without takes a person's authenticators of a kind away, as if they had never had any.
func (d *dweller) without(kind string) {
	d.h.write(func(tx *store.Tx) error {
		all, err := tx.Authenticators(d.id)
		for _, f := range all {
			if f.Type == kind {
				f.Removed = tx.Now()
				if err := tx.UpdateAuthenticator(f); err != nil {
					return err
				}
			}
		}
		return err
	})
}

// TestRuling12MovingLosesPasskeys: under another host name passkeys are gone, which is said
// before; what is left signs in, and what was proven before verifies as it did.
func TestRuling12MovingLosesPasskeys(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, elif, marta := h.who["samuel"], h.who["claire"], h.who["elif"], h.who["marta"]
		before := h.submit(order("PO-1", "30000.00"))
		marta.approve(before.ID)
		claire.without(store.FactorTOTP)
		open, err := samuel.signInByCode(password)
		h.must(err)
		m, err := h.a.CheckMove(h.ctx, elsewhere)
		h.must(err)
		left := map[string]bool{}
		for _, who := range m.Left {
			left[who.ID] = true
		}
		if m.Passkeys != 9 || m.People != 9 || m.Administrators != 1 || len(left) != 2 || !left[elif.id] || !left[claire.id] {
			t.Errorf("said before: %+v", m)
		}
		_, err = h.a.MoveOffline(h.ctx, elsewhere, "")
		h.refused(err, countersign.CodeInvalid)
		m, err = h.a.MoveOffline(h.ctx, elsewhere, "the company has another name")
		h.must(err)
		if len(m.Invitations) != 1 || m.Invitations[0].Person.ID != claire.id || !strings.HasPrefix(m.Invitations[0].URL, elsewhere+"/enrol#") {
			t.Errorf("invited: %+v", m.Invitations)
		}
		h.must(h.a.Publish(h.ctx))
		h.restart()
		if o := h.a.Organisation(); o.PublicURL != elsewhere || o.RPID != "approve.example.com" || o.Host != "approve.example.com" {
			t.Errorf("it is at %+v", o)
		}
		if _, err := h.a.AuthenticateSession(h.ctx, open.Token); err == nil {
			t.Error("a session outlived the move")
		}
		h.clock.forward(time.Minute)
		in, err := samuel.signInByCode(password)
		h.must(err)
		samuel.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		moved, removed := 0, 0
		for _, l := range append(h.leaves(h.db.Org()), h.leaves(marta.id)...) {
			switch l.Type {
			case countersign.EntryOrganisationMoved:
				moved++
			case countersign.EntryAuthenticatorRemoved:
				removed++
			}
		}
		if moved != 1 || removed != 1 {
			t.Errorf("%d moves are logged, and %d of marta's authenticators as removed", moved, removed)
		}
		_, err = h.release(before.ID, order("PO-1", "30000.00"), "pay-1")
		h.must(err)
		h.must(h.a.Publish(h.ctx))
		receipt, err := h.a.Receipt(h.ctx, authority.Caller{Key: &h.key}, before.ID)
		h.must(err)
		h.verified(receipt)
		_, err = h.a.MoveOffline(h.ctx, elsewhere, "again")
		h.refused(err, countersign.CodeState)
	})
}

// TestMoveLocksNobodyOut: not where no administrator could sign in afterwards; another port
// loses nothing; and an organisation of which only the founder has enrolled begins anew.
func TestMoveLocksNobodyOut(t *testing.T) {
	each(t, func(h *house) {
		for _, who := range h.who {
			who.without(store.FactorTOTP)
		}
		_, err := h.a.MoveOffline(h.ctx, elsewhere, "a trial")
		if p := h.refused(err, countersign.CodeState); !strings.Contains(p.Hint, publicURL) {
			t.Errorf("hint %q", p.Hint)
		}
		m, err := h.a.MoveOffline(h.ctx, "http://localhost:9090", "another port")
		h.must(err)
		if m.Passkeys != 0 || len(m.Left) != 0 {
			t.Errorf("another port: %+v", m)
		}
		h.restart()
		h.founding()
		for _, who := range h.who {
			who.without(store.FactorPassword)
			if who.login != "samuel" {
				who.without(store.FactorPasskey)
			}
		}
		m, err = h.a.MoveOffline(h.ctx, elsewhere, "its real name")
		h.must(err)
		if m.Passkeys != 1 || len(m.Invitations) != 0 {
			t.Errorf("the founder alone: %+v", m)
		}
		h.restart()
		again, err := h.a.SetUpLink(h.ctx, authority.NewPerson{})
		h.must(err)
		if again == nil || !strings.HasPrefix(again.URL, elsewhere) {
			t.Errorf("the set-up link: %+v", again)
		}
	})
}
