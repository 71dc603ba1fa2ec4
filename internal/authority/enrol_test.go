package authority_test

import (
	"errors"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
)

// begun is an enrolment of a code generator, in a session of its own.
type begun struct {
	d       *dweller
	session authority.Session
	c       *authority.Ceremony
}

func (d *dweller) beginCode() *begun {
	h := d.h
	h.t.Helper()
	inv, err := h.a.InviteOffline(h.ctx, d.id, false)
	h.must(err)
	in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
	h.must(err)
	s, err := h.a.AuthenticateSession(h.ctx, in.Token)
	h.must(err)
	c, err := h.a.BeginEnrolment(h.ctx, s, authn.KindTOTP)
	h.must(err)
	other := &dweller{h: h, id: d.id, login: d.login, name: d.name, secret: compact(c.Secret)}
	return &begun{other, s, c}
}

func (b *begun) finish(code, pass string) (*authority.Enrolled, error) {
	return b.d.h.a.FinishEnrolment(b.d.h.ctx, b.session, authority.EnrolBody{Challenge: b.c.Challenge, Name: "app", Code: code, Password: pass})
}

// TestWrongFirstCodeMayBeTypedAgain: the secret stays as it is for five codes in all, and
// a password that is refused costs none.
func TestWrongFirstCodeMayBeTypedAgain(t *testing.T) {
	each(t, func(h *house) {
		b := h.who["priya"].beginCode()
		wrong := b.d.wrongCode()
		for range 4 {
			_, err := b.finish(wrong, password)
			h.refused(err, countersign.CodeUnauthenticated)
		}
		for range 3 {
			_, err := b.finish(b.d.code(0), "short")
			h.refused(err, countersign.CodeInvalid)
		}
		again, err := h.a.EnrolmentBegun(h.ctx, b.session, b.c.Challenge)
		h.must(err)
		if again.Secret != b.c.Secret || again.URI != b.c.URI {
			h.t.Error("another secret is shown")
		}
		_, err = b.finish(b.d.code(0), password)
		h.must(err)
		_, err = h.a.EnrolmentBegun(h.ctx, b.session, b.c.Challenge)
		h.refused(err, countersign.CodeGone)
		_, err = b.finish(b.d.code(1), password)
		h.refused(err, countersign.CodeGone)
	})
}

// TestRuling17FirstCodesAreCountedBeforeTheyAreLookedAt: a sixth code is not looked at,
// right or wrong, however many are sent at the same moment.
func TestRuling17FirstCodesAreCountedBeforeTheyAreLookedAt(t *testing.T) {
	each(t, func(h *house) {
		b := h.who["priya"].beginCode()
		wrong := b.d.wrongCode()
		var all sync.WaitGroup
		looked := make(chan error, 20)
		for range 20 {
			all.Go(func() {
				_, err := b.finish(wrong, password)
				looked <- err
			})
		}
		all.Wait()
		close(looked)
		judged := 0
		for err := range looked {
			var p *countersign.Problem
			if errors.As(err, &p) && p.Code == countersign.CodeUnauthenticated {
				judged++
			}
		}
		if judged > 5 {
			h.t.Errorf("%d codes were looked at", judged)
		}
		for range 5 - judged { // whoever lost a race was not looked at
			_, err := b.finish(wrong, password)
			h.refused(err, countersign.CodeUnauthenticated)
		}
		_, err := b.finish(b.d.code(0), password)
		h.refused(err, countersign.CodeGone)
		_, err = h.a.EnrolmentBegun(h.ctx, b.session, b.c.Challenge)
		h.refused(err, countersign.CodeGone)
	})
}

// Nobody else is shown the secret, and nobody once its time is over.
func TestSecretIsShownToItsSessionOnly(t *testing.T) {
	h := onSQLite(t)
	b, other := h.who["priya"].beginCode(), h.who["elif"].beginCode()
	_, err := h.a.EnrolmentBegun(h.ctx, other.session, b.c.Challenge)
	h.refused(err, countersign.CodeGone)
	h.clock.forward(20 * time.Minute)
	_, err = h.a.EnrolmentBegun(h.ctx, b.session, b.c.Challenge)
	h.refused(err, countersign.CodeGone)
}

// TestDigitsAreOfTheEnrolledKey: the digits that are compared are shown to the enrolee
// alone, follow from what was enrolled, and without them nobody confirms.
func TestDigitsAreOfTheEnrolledKey(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, marta := h.who["samuel"], h.who["claire"], h.who["marta"]
		_, key := marta.newKey(samuel)
		app := h.who["priya"].beginCode()
		code, err := app.finish(app.d.code(0), password)
		h.must(err)
		form := regexp.MustCompile(`^\d{3} \d{3}$`)
		if !form.MatchString(key.Compare) || !form.MatchString(code.Compare) || key.Compare == code.Compare {
			h.t.Errorf("the digits are %q and %q", key.Compare, code.Compare)
		}
		waiting, err := h.a.Unconfirmed(h.ctx, claire.session)
		h.must(err)
		for _, w := range waiting.Items {
			if w.Compare != "" {
				h.t.Error("the digits are shown to whoever is to ask for them")
			}
			if want := map[string]string{marta.id: samuel.name, h.who["priya"].id: ""}[w.Person]; w.Inviter != want {
				h.t.Errorf("invited by %q, want %q", w.Inviter, want)
			}
		}
		mine, err := h.a.Authenticators(h.ctx, marta.session)
		h.must(err)
		if last := mine.Items[len(mine.Items)-1]; last.ID != key.ID || last.Compare != key.Compare {
			h.t.Errorf("marta is shown %+v", last)
		}
		for _, digits := range []string{"", "000000", code.Compare, key.Compare[:6]} {
			err := h.a.ConfirmEnrolment(h.ctx, claire.session, key.ID, authority.ConfirmBody{Compare: digits, StepUp: claire.stepUp("confirm:" + key.ID)})
			h.refused(err, countersign.CodeInvalid)
		}
		h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, key.ID, authority.ConfirmBody{Compare: compact(key.Compare), StepUp: claire.stepUp("confirm:" + key.ID)}))
		// A rotation does not change what was just read out.
		_, err = h.a.RotateKeyOffline(h.ctx, checkpoint.KindHMAC)
		h.must(err)
		h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, code.ID, authority.ConfirmBody{Compare: code.Compare, StepUp: claire.stepUp("confirm:" + code.ID)}))
	})
}
