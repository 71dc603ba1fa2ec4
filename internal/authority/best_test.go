package authority_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// stepUpByCode proves the person again for a subject, with password and code.
func (d *dweller) stepUpByCode(subject string) authority.StepUpBody {
	h := d.h
	h.clock.forward(time.Minute) // a code is used up
	c, err := h.a.BeginStepUp(h.ctx, d.session, subject)
	h.must(err)
	return authority.StepUpBody{Challenge: c.Challenge, Password: password, TOTP: d.code(0)}
}

// withoutPasskeys leaves the person with their code generator and password.
func (d *dweller) withoutPasskeys() {
	d.h.write(func(tx *store.Tx) error {
		all, err := tx.Authenticators(d.id)
		if err != nil {
			return err
		}
		for _, f := range all {
			if f.Type == store.FactorPasskey {
				f.Removed = tx.Now()
				if err := tx.UpdateAuthenticator(f); err != nil {
					return err
				}
			}
		}
		return tx.FactsChanged()
	})
	in, err := d.signInByCode(password)
	d.h.must(err)
	d.session, err = d.h.a.AuthenticateSession(d.h.ctx, in.Token)
	d.h.must(err)
}

// actsOfPower are all that an administrator does alone and that gives somebody power.
func actsOfPower(d *dweller, waits *authority.Enrolled, prove func(subject string) authority.StepUpBody) map[string]error {
	h, err := d.h, map[string]error{}
	_, err["make a key"] = h.a.CreateKey(h.ctx, d.session, authority.NewKey{Name: "wms", Source: "wms", Scopes: []string{"submit"}}, prove("key:wms:submit"))
	err["confirm"] = h.a.ConfirmEnrolment(h.ctx, d.session, waits.ID, authority.ConfirmBody{Compare: waits.Compare, StepUp: prove("confirm:" + waits.ID)})
	_, err["invite"] = h.a.Invite(h.ctx, d.session, h.who["priya"].id, prove("invite:"+h.who["priya"].id))
	_, err["add a person"] = h.a.AddPerson(h.ctx, d.session, authority.NewPerson{Login: "jonas", Name: "Jonas Weber"}, prove(authority.AddPersonSubject("jonas")))
	_, err["rotate"] = h.a.RotateKey(h.ctx, d.session, checkpoint.KindLog, prove("rotate:log"))
	_, err["delegate"] = h.a.Delegate(h.ctx, d.session, authority.DelegationBody{To: h.who["marta"].id, Ends: "2026-11-30T09:00:00Z", Reason: "away",
		StepUp: prove(authority.DelegationSubject(authority.DelegationBody{To: h.who["marta"].id, Ends: "2026-11-30T09:00:00Z"}))})
	return err
}

// TestPowerIsGivenByTheStrongestOneHas: a password and a code that were phished make no
// key, confirm nobody, invite nobody and rotate nothing in the name of an administrator
// who has a passkey; of one who has nothing else they do.
func TestPowerIsGivenByTheStrongestOneHas(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire := h.who["samuel"], h.who["claire"]
		_, waits := h.who["elif"].newKey(samuel)
		for act, err := range actsOfPower(claire, waits, claire.stepUpByCode) {
			if err == nil {
				h.t.Errorf("%s: done with a code", act)
				continue
			}
			if p := h.refused(err, countersign.CodeForbidden); !strings.Contains(p.Detail, "strongest") || !strings.Contains(p.Hint, "passkey") {
				h.t.Errorf("%s: %q, hint %q", act, p.Detail, p.Hint)
			}
		}
		_, err := h.a.Freeze(h.ctx, claire.session, authority.FreezeBody{Person: h.who["tomas"].id, Reason: "a call", StepUp: claire.stepUpByCode("freeze:" + h.who["tomas"].id)})
		h.must(err) // what takes power away stays easy
		claire.withoutPasskeys()
		for act, err := range actsOfPower(claire, waits, claire.stepUpByCode) {
			if err != nil {
				h.t.Errorf("%s, with nothing but a code: %s", act, describe(err))
			}
		}
	})
}

// TestReportedPasskeyIsNoWayDown: whoever holds a session, the password and the app of
// somebody does not become as strong as these by reporting the passkey lost.
func TestReportedPasskeyIsNoWayDown(t *testing.T) {
	each(t, func(h *house) {
		claire := h.who["claire"]
		mine, err := h.a.Authenticators(h.ctx, claire.session)
		h.must(err)
		passkey := ""
		for _, f := range mine.Items {
			if f.Type == store.FactorPasskey {
				passkey = f.ID
				h.must(h.a.ReportAuthenticator(h.ctx, claire.session, f.ID))
				in, err := claire.signInByCode(password)
				h.must(err)
				claire.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
				h.must(err)
			}
		}
		act := func() error {
			_, err := h.a.CreateKey(h.ctx, claire.session, authority.NewKey{Name: "wms", Source: "wms", Scopes: []string{"submit"}}, claire.stepUpByCode("key:wms:submit"))
			return err
		}
		if p := h.refused(act(), countersign.CodeForbidden); !strings.Contains(p.Detail, "reported lost") {
			h.t.Errorf("after the report: %q", p.Detail)
		}
		h.must(h.a.RemoveAuthenticator(h.ctx, claire.session, passkey, claire.stepUpByCode("remove:"+passkey)))
		h.refused(act(), countersign.CodeForbidden) // taking it away washes nothing off
		h.clock.forward(25 * time.Hour)
		in, err := claire.signInByCode(password)
		h.must(err)
		claire.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		h.must(act())
	})
}

// TestStepUpOffersWhatWouldDo: no code is offered for what a code is not enough for.
func TestStepUpOffersWhatWouldDo(t *testing.T) {
	h := onSQLite(t)
	claire := h.who["claire"]
	for subject, want := range map[string]string{"key:wms:submit": "passkey", "confirm:fac_x": "passkey", "invite:per_x": "passkey", "person:x": "passkey",
		"rotate:log": "passkey", "review:req_x": "passkey", "delegate:x": "passkey", "freeze:vendor:V-1": "passkey totp", "enrol": "passkey totp", "recovery-codes": "passkey totp"} {
		c, err := h.a.BeginStepUp(h.ctx, claire.session, subject)
		h.must(err)
		if got := strings.Join(c.Factors, " "); got != want {
			t.Errorf("%s: %q is offered, want %q", subject, got, want)
		}
	}
	claire.withoutPasskeys()
	c, err := h.a.BeginStepUp(h.ctx, claire.session, "key:wms:submit")
	h.must(err)
	if got := strings.Join(c.Factors, " "); got != "totp" {
		t.Errorf("with nothing else: %q", got)
	}
}

// TestInvitationIsProven: once the organisation is founded; before, its first
// administrator is there alone and goes on.
func TestInvitationIsProven(t *testing.T) {
	h := onSQLite(t)
	samuel, priya := h.who["samuel"], h.who["priya"]
	_, err := h.a.Invite(h.ctx, samuel.session, priya.id, authority.StepUpBody{})
	h.refused(err, countersign.CodeInvalid)
	_, err = h.a.Invite(h.ctx, samuel.session, priya.id, samuel.stepUp("invite:"+h.who["elif"].id))
	h.refused(err, countersign.CodeConflict)
	_, err = h.a.Invite(h.ctx, samuel.session, priya.id, samuel.stepUp("invite:"+priya.id))
	h.must(err)
	h.founding()
	_, err = h.a.Invite(h.ctx, samuel.session, priya.id, authority.StepUpBody{})
	h.must(err)
}
