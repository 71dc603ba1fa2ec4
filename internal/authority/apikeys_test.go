package authority_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func (d *dweller) makeKey(source string, scopes ...string) (*authority.MadeKey, error) {
	return d.h.a.CreateKey(d.h.ctx, d.session, authority.NewKey{Name: source, Source: source, Scopes: scopes}, d.stepUp(authority.KeySubject(source, scopes)))
}

func (d *dweller) confirmKey(id string) error {
	return d.h.a.ConfirmKey(d.h.ctx, d.session, id, d.stepUp(authority.ConfirmKeySubject(id)))
}

// TestRuling11SecondKeyOfASourceTakesTwo: one administrator alone cannot make themselves
// a key by which they see and release what another system submitted.
func TestRuling11SecondKeyOfASourceTakesTwo(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire := h.who["samuel"], h.who["claire"]
		made, err := samuel.makeKey("erp", "submit", "release")
		h.must(err)
		if !made.Waits {
			h.t.Error("a second key of a source that is in use works at once")
		}
		_, err = h.a.AuthenticateKey(h.ctx, made.Key)
		if p := h.refused(err, countersign.CodeForbidden); !strings.Contains(p.Detail, "second administrator") {
			h.t.Errorf("the refusal says %q", p.Detail)
		}
		_, err = h.a.AuthenticateKey(h.ctx, made.Key[:len(made.Key)-1]+"x") // who does not hold it is not told
		h.refused(err, countersign.CodeUnauthenticated)
		if p := h.refused(samuel.confirmKey(made.ID), countersign.CodeForbidden); !strings.Contains(p.Hint, "--offline") {
			h.t.Errorf("the hint is %q", p.Hint)
		}
		h.refused(h.who["marta"].confirmKey(made.ID), countersign.CodeForbidden)
		h.refused(h.a.ConfirmKey(h.ctx, claire.session, made.ID, claire.stepUp("confirm:other")), countersign.CodeConflict)
		h.refused(h.a.ConfirmKey(h.ctx, claire.session, made.ID, claire.stepUpByCode(authority.ConfirmKeySubject(made.ID))), countersign.CodeForbidden)
		h.must(claire.confirmKey(made.ID))
		k, err := h.a.AuthenticateKey(h.ctx, made.Key)
		h.must(err)
		if k.Source != "erp" {
			h.t.Errorf("it is a key of %s", k.Source)
		}
		h.refused(claire.confirmKey(made.ID), countersign.CodeState)
		leaves := h.leaves(made.ID)
		if len(leaves) != 2 || leaves[0].Facts["needs_confirmation"] != "true" || leaves[1].Type != countersign.EntryKeyConfirmed || leaves[1].Actor != claire.id {
			h.t.Errorf("the log says %+v", leaves)
		}
		all, err := h.a.APIKeys(h.ctx, samuel.session)
		h.must(err)
		if last := all.Items[len(all.Items)-1]; last.Waits || last.ConfirmedBy != claire.id {
			h.t.Errorf("listed as %+v", last)
		}
	})
}

// A new system is plugged in by one administrator, in minutes.
func TestFirstKeyOfASourceWorksAtOnce(t *testing.T) {
	h := onSQLite(t)
	samuel := h.who["samuel"]
	first, err := samuel.makeKey("wms", "submit", "release", "vouch")
	h.must(err)
	_, err = h.a.AuthenticateKey(h.ctx, first.Key)
	h.must(err)
	// That it was ended changes nothing: what it submitted is still there.
	h.must(h.a.RevokeKey(h.ctx, samuel.session, first.ID))
	second, err := samuel.makeKey("wms", "evaluate")
	h.must(err)
	if first.Waits || !second.Waits {
		t.Errorf("the first waits: %v; the second: %v", first.Waits, second.Waits)
	}
}

// What was submitted is what makes a source one in use, also where its key is not there.
func TestSourceIsInUseByItsRequests(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	h.submit(order("PO-1", "30000.00"))
	h.write(func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM api_key WHERE org_id = $1`)
		return err
	})
	made, err := h.who["samuel"].makeKey("erp", "submit")
	h.must(err)
	if !made.Waits {
		t.Error("it works at once")
	}
}

// While the organisation is founding its one administrator is alone (ruling 14).
func TestRuling14KeysWhileFounding(t *testing.T) {
	h := onSQLite(t)
	h.founding()
	made, err := h.who["samuel"].makeKey("erp", "submit", "release")
	h.must(err)
	_, err = h.a.AuthenticateKey(h.ctx, made.Key)
	h.must(err)
}

// The operator makes keys that work at once, and lets one work that waits.
func TestOperatorConfirmsAKey(t *testing.T) {
	h := onSQLite(t)
	samuel := h.who["samuel"]
	made, err := h.a.CreateKeyOffline(h.ctx, authority.NewKey{Name: "erp", Source: "erp", Scopes: []string{"submit"}})
	h.must(err)
	_, err = h.a.AuthenticateKey(h.ctx, made.Key)
	h.must(err)
	made, err = samuel.makeKey("erp", "submit")
	h.must(err)
	h.must(h.a.ConfirmKeyOffline(h.ctx, made.ID))
	_, err = h.a.AuthenticateKey(h.ctx, made.Key)
	h.must(err)
	if leaves := h.leaves(made.ID); leaves[len(leaves)-1].Actor != "operator" {
		t.Errorf("the log says %+v", leaves)
	}
	// One that was ended, or has expired meanwhile, never begins to work.
	made, err = samuel.makeKey("erp", "submit")
	h.must(err)
	h.must(h.a.RevokeKey(h.ctx, samuel.session, made.ID))
	h.refused(h.a.ConfirmKeyOffline(h.ctx, made.ID), countersign.CodeState)
	made, err = samuel.makeKey("erp", "submit")
	h.must(err)
	h.clock.forward(366 * 24 * time.Hour)
	h.refused(h.a.ConfirmKeyOffline(h.ctx, made.ID), countersign.CodeState)
	h.refused(h.a.ConfirmKeyOffline(h.ctx, "key_00000000000000000000000000"), countersign.CodeNotFound)
}
