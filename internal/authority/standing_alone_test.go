package authority_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// What follows is what one administrator could do who holds a key of somebody else's
// name, and anything else by which one person could stand for two.

// newKey enrols a fresh passkey for somebody by another's invitation, in other hands
// than theirs.
func (d *dweller) newKey(by *dweller) (*dweller, *authority.Enrolled) {
	h := d.h
	h.t.Helper()
	inv, err := h.a.Invite(h.ctx, by.session, d.id, by.stepUp("invite:"+d.id))
	h.must(err)
	in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
	h.must(err)
	other := &dweller{h: h, id: d.id, login: d.login, name: d.name}
	e, err := other.finishPasskey(in.Token)
	h.must(err)
	return other, e
}

// newCode enrols a code generator with a password by another's invitation.
func (d *dweller) newCode(by *dweller, pass string) (*dweller, *authority.Enrolled) {
	h := d.h
	h.t.Helper()
	inv, err := h.a.Invite(h.ctx, by.session, d.id, by.stepUp("invite:"+d.id))
	h.must(err)
	in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
	h.must(err)
	other := &dweller{h: h, id: d.id, login: d.login, name: d.name}
	s, err := h.a.AuthenticateSession(h.ctx, in.Token)
	h.must(err)
	c, err := h.a.BeginEnrolment(h.ctx, s, authn.KindTOTP)
	h.must(err)
	other.secret = compact(c.Secret)
	e, err := h.a.FinishEnrolment(h.ctx, s, authority.EnrolBody{Challenge: c.Challenge, Name: "app", Code: other.code(0), Password: pass})
	h.must(err)
	h.clock.forward(time.Minute)
	return other, e
}

func (d *dweller) signInByCode(pass string) (*authority.SignedIn, error) {
	d.h.clock.forward(time.Minute)
	return d.h.a.SignIn(d.h.ctx, authority.SignInBody{Login: d.login, Password: pass, TOTP: d.code(0)})
}

const waiting = "this authenticator waits for a second person to confirm it"

func TestLoneAdministratorIsNotTwo(t *testing.T) {
	each(t, func(h *house) {
		samuel := h.who["samuel"]
		puppet, e := h.who["claire"].newKey(samuel)
		if p := h.refused(puppet.trySignIn(), countersign.CodeForbidden); !strings.Contains(p.Detail, waiting) {
			h.t.Errorf("the refusal says %q", p.Detail)
		}
		h.refused(h.a.ConfirmEnrolment(h.ctx, samuel.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: samuel.stepUp("confirm:" + e.ID)}), countersign.CodeForbidden)
		// A key that waits proves nothing in a session of its owner's either.
		claire := h.who["claire"]
		puppet.session = claire.session
		begun, err := h.a.BeginStepUp(h.ctx, claire.session, "enrol")
		h.must(err)
		response, err := puppet.key.Assert(begun.Options, publicURL)
		if err == nil {
			_, err = h.a.GrantEnrolment(h.ctx, claire.session, authority.StepUpBody{Challenge: begun.Challenge, Passkey: response})
		}
		if err == nil {
			h.t.Error("a key that nobody confirmed lets another one enrol")
		}
	})
}

// Nobody is in a group yet who is in one tomorrow.
func TestEverybodysEnrolmentWaits(t *testing.T) {
	h := onSQLite(t)
	puppet, e := h.who["priya"].newKey(h.who["samuel"])
	if !e.NeedsConfirmation {
		t.Error("the enrolment of somebody in no group counts at once")
	}
	h.refused(puppet.trySignIn(), countersign.CodeForbidden)
}

func TestConfirmerIsNotBehindTheInviter(t *testing.T) {
	h := onSQLite(t)
	samuel, claire := h.who["samuel"], h.who["claire"]
	_, first := claire.newKey(samuel) // perhaps in samuel's hands
	_, second := h.who["ingrid"].newKey(claire)
	h.refused(h.a.ConfirmEnrolment(h.ctx, samuel.session, second.ID, authority.ConfirmBody{Compare: second.Compare, StepUp: samuel.stepUp("confirm:" + second.ID)}), countersign.CodeForbidden)
	// Once nothing of it waits, samuel confirms like anybody.
	h.must(h.a.RemoveAuthenticator(h.ctx, claire.session, first.ID, claire.stepUp("remove:"+first.ID)))
	h.must(h.a.ConfirmEnrolment(h.ctx, samuel.session, second.ID, authority.ConfirmBody{Compare: second.Compare, StepUp: samuel.stepUp("confirm:" + second.ID)}))
}

func TestSessionEndsWithWhatOpenedIt(t *testing.T) {
	each(t, func(h *house) {
		marta := h.who["marta"]
		token := func() string {
			in, err := marta.signInByCode(password)
			h.must(err)
			_, err = h.a.AuthenticateSession(h.ctx, in.Token)
			h.must(err)
			return in.Token
		}
		code := func() (found store.Authenticator) {
			h.read(func(tx *store.Tx) error {
				all, err := tx.Authenticators(marta.id)
				for _, f := range all {
					if f.Type == store.FactorTOTP {
						found = f
					}
				}
				return err
			})
			return found
		}
		for name, change := range map[string]func(*store.Authenticator){
			"reported":    func(f *store.Authenticator) { f.Reported = h.clock.Now() },
			"unconfirmed": func(f *store.Authenticator) { f.Standing = `{"needs_confirmation":true}` },
			"removed":     func(f *store.Authenticator) { f.Removed = h.clock.Now() },
		} {
			if name == "removed" {
				continue // last: it does not come back
			}
			in := token()
			before := code()
			row := before
			change(&row)
			h.write(func(tx *store.Tx) error { return tx.UpdateAuthenticator(row) })
			if _, err := h.a.AuthenticateSession(h.ctx, in); err == nil {
				h.t.Errorf("%s: the session that it opened goes on", name)
			}
			before.Version = code().Version
			h.write(func(tx *store.Tx) error { return tx.UpdateAuthenticator(before) })
		}
		in := token()
		h.must(h.a.RemoveAuthenticator(h.ctx, marta.session, code().ID, marta.stepUp("remove:"+code().ID)))
		_, err := h.a.AuthenticateSession(h.ctx, in)
		h.refused(err, countersign.CodeUnauthenticated)
		_, err = h.a.AuthenticateSession(h.ctx, in)
		h.refused(err, countersign.CodeUnauthenticated)
	})
}

func TestPasswordWaitsWithItsEnrolment(t *testing.T) {
	each(t, func(h *house) {
		const theirs = "somebody else chose this one"
		marta, claire := h.who["marta"], h.who["claire"]
		other, e := marta.newCode(h.who["samuel"], theirs)
		_, err := other.signInByCode(theirs)
		h.refused(err, countersign.CodeUnauthenticated)
		_, err = other.signInByCode(password)
		if p := h.refused(err, countersign.CodeForbidden); !strings.Contains(p.Detail, waiting) {
			h.t.Errorf("the refusal says %q", p.Detail)
		}
		before, err := marta.signInByCode(password)
		h.must(err)
		// Confirmed, it takes the other's place, and what that one opened ends.
		h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: claire.stepUp("confirm:" + e.ID)}))
		_, err = marta.signInByCode(password)
		h.refused(err, countersign.CodeUnauthenticated)
		_, err = other.signInByCode(theirs)
		h.must(err)
		_, err = h.a.AuthenticateSession(h.ctx, before.Token)
		h.refused(err, countersign.CodeUnauthenticated)
	})
}

// Whoever has nothing else is told what they wait for.
func TestFirstPasswordWaits(t *testing.T) {
	h := onSQLite(t)
	claire := h.who["claire"]
	priya, e := h.who["priya"].newCode(h.who["samuel"], password)
	_, err := priya.signInByCode(password)
	h.refused(err, countersign.CodeForbidden)
	mine, err := h.a.Unconfirmed(h.ctx, claire.session)
	h.must(err)
	if len(mine.Items) != 1 || mine.Items[0].ID != e.ID {
		t.Errorf("%d enrolments wait: %+v", len(mine.Items), mine.Items)
	}
	h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: claire.stepUp("confirm:" + e.ID)}))
	_, err = priya.signInByCode(password)
	h.must(err)
}

func TestProvisioningKeyIsTheOperators(t *testing.T) {
	h := onSQLite(t)
	samuel := h.who["samuel"]
	n := authority.NewKey{Name: "hr", Source: "hr", Scopes: []string{"submit", "facts", "provisioning"}}
	_, err := h.a.CreateKey(h.ctx, samuel.session, n, samuel.stepUp("key:hr:facts,provisioning,submit"))
	if p := h.refused(err, countersign.CodeForbidden); !strings.Contains(p.Hint, "--offline") {
		t.Errorf("the hint is %q", p.Hint)
	}
	_, err = h.a.CreateKeyOffline(h.ctx, n)
	h.must(err)
	// What was stepped up for is what is made.
	for _, subject := range []string{"key:hr", "key:hr:facts", "key:hr:facts,release,submit", "key:erp:facts,submit"} {
		_, err = h.a.CreateKey(h.ctx, samuel.session, authority.NewKey{Name: "hr", Source: "hr", Scopes: []string{"submit", "facts"}}, samuel.stepUp(subject))
		h.refused(err, countersign.CodeConflict)
	}
	_, err = h.a.CreateKey(h.ctx, samuel.session, authority.NewKey{Name: "hr", Source: "hr", Scopes: []string{"submit", "facts"}}, samuel.stepUp("key:hr:facts,submit"))
	h.must(err)
}

// founding puts the organisation back to where it has one administrator.
func (h *house) founding() {
	h.write(func(tx *store.Tx) error {
		if _, err := tx.RemoveMembership("administrators", h.who["claire"].id); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE organisation SET founding = 1 WHERE org_id = $1`); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
}

func (h *house) isFounding() bool {
	who, err := h.a.WhoAmI(h.ctx, h.who["samuel"].session)
	h.must(err)
	return who.Founding
}

func TestFoundingEndsWithTheSecondAdministrator(t *testing.T) {
	for name, join := range map[string]func(*house){
		"by a change": func(h *house) {
			_, err := h.who["samuel"].propose(countersign.KindPeopleChange, h.who["claire"].id, countersign.Change{Field: "group.add", To: "administrators"})
			h.must(err)
		},
		"by the operator": func(h *house) {
			_, err := h.a.AddPersonOffline(h.ctx, authority.NewPerson{Login: "claire", Name: "Claire Dubois", Groups: []string{"administrators", "controllers"}})
			h.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := onSQLite(t)
			h.founding()
			if !h.isFounding() {
				t.Fatal("it is not founding")
			}
			_, err := h.who["rosa"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: string(source(t).Text) + "\n# one\n"})
			h.refused(err, countersign.CodeForbidden)
			join(h)
			if h.isFounding() {
				t.Error("two administrators can prove themselves, and it is still founding")
			}
			p, err := h.who["samuel"].propose(countersign.KindPeopleChange, h.who["elif"].id, countersign.Change{Field: "group.add", To: "treasury"})
			h.must(err)
			if p.Status != countersign.StatusPending {
				t.Errorf("one administrator changed people alone: %s", p.Status)
			}
		})
	}
}

func TestNobodyDecidesAboutThemselves(t *testing.T) {
	h := onSQLite(t)
	rosa, claire, samuel := h.who["rosa"], h.who["claire"], h.who["samuel"]
	al := h.alert("A1", "critical", countersign.AlertSubject{Person: rosa.login})
	p, err := claire.propose(countersign.KindAlertClose, al.ID)
	h.must(err)
	_, err = rosa.byPasskey(p.ID, countersign.ActApprove)
	h.refused(err, countersign.CodeForbidden)
	_, err = rosa.bySession(p.ID, countersign.ActDeny)
	h.refused(err, countersign.CodeForbidden)
	if out := samuel.approve(p.ID); out.Status != countersign.StatusApproved {
		t.Errorf("somebody else closes it: %s", out.Status)
	}
	for kind, change := range map[string]countersign.Change{
		countersign.KindPeopleChange:    {Field: "limit", To: "9000000.00 EUR"},
		countersign.KindFactorReset:     {},
		countersign.KindBreakGlassNames: {Field: "break_glass", To: "true"},
	} {
		var changes []countersign.Change
		if change.Field != "" {
			changes = append(changes, change)
		}
		q, err := samuel.propose(kind, claire.id, changes...)
		h.must(err)
		if q.Status != countersign.StatusUnsatisfiable {
			t.Errorf("%s: two administrators, one of them its subject, and yet %s", kind, q.Status)
		}
		for _, act := range []countersign.Act{countersign.ActApprove, countersign.ActDeny} {
			if out, err := claire.byPasskey(q.ID, act); err == nil {
				t.Errorf("%s: its subject may %s: %s", kind, act, out.Status)
			}
		}
	}
	// Whoever proposes for themselves needs somebody else.
	q, err := claire.propose(countersign.KindPeopleChange, claire.id, countersign.Change{Field: "limit", To: "1.00 EUR"})
	h.must(err)
	if _, err := claire.byPasskey(q.ID, countersign.ActApprove); err == nil {
		t.Error("claire decides on what she asked for")
	}
	if out := samuel.approve(q.ID); out.Status != countersign.StatusApproved {
		t.Errorf("%s", out.Status)
	}
}

func TestFreezeByOneIsNotForEver(t *testing.T) {
	h := onSQLite(t)
	place := func(who string) error {
		h.who[who].signIn()
		_, err := h.who[who].freeze(authority.FreezeBody{Vendor: "V-1", Reason: "an odd letter"})
		return err
	}
	h.refused(place("elif"), countersign.CodeForbidden) // in no group
	h.must(place("marta"))
	refused := func(who string) {
		t.Helper()
		if p := h.refused(place(who), countersign.CodeState); !strings.Contains(p.Detail, "two people") {
			t.Errorf("the refusal says %q", p.Detail)
		}
	}
	h.clock.forward(71 * time.Hour)
	refused("daniel") // while it is in force nobody extends it alone
	h.clock.forward(2 * time.Hour)
	refused("marta")        // nor may she go on by herself
	h.must(place("daniel")) // who answers for it himself
	h.clock.forward(73 * time.Hour)
	refused("daniel")
	h.clock.forward(24 * time.Hour)
	h.must(place("marta"))
}

func TestLoginHasOneForm(t *testing.T) {
	h := onSQLite(t)
	_, err := h.a.AddPersonOffline(h.ctx, authority.NewPerson{Login: "Zoë.Straße", Name: "Zoë Straße"})
	h.must(err)
	want, err := h.a.IdentifyOffline(h.ctx, authority.Directory, "Zoë.Straße")
	h.must(err)
	for _, typed := range []string{"zoë.strasse", "ZOE\u0308.STRASSE"} {
		ids, err := h.a.IdentifyOffline(h.ctx, authority.Directory, typed)
		if err != nil || ids[typed] != want["Zoë.Straße"] {
			t.Errorf("%q is somebody else: %v", typed, err)
		}
	}
	// What is known and what is not fail alike, however it is typed.
	said := map[string]countersign.Code{}
	for _, n := range []string{"MARTA", "NOBODY"} {
		for range 5 {
			h.a.SignIn(h.ctx, authority.SignInBody{Login: n, Password: "wrong wrong wrong", TOTP: "123456"})
		}
	}
	for _, n := range []string{"marta", "nobody"} {
		_, err := h.a.SignIn(h.ctx, authority.SignInBody{Login: n, Password: "wrong wrong wrong", TOTP: "123456"})
		said[n] = h.refused(err, countersign.CodeLocked).Code
	}
	if said["marta"] != said["nobody"] {
		t.Errorf("%v", said)
	}
	long := strings.Repeat("x", 201)
	_, err = h.a.SignIn(h.ctx, authority.SignInBody{Login: long, Password: "p", TOTP: "1"})
	h.refused(err, countersign.CodeInvalid)
	_, err = h.a.Recover(h.ctx, authority.RecoverBody{Login: long, Code: "k3m7-9qxz-2wrt-h8ya"})
	h.refused(err, countersign.CodeInvalid)
}

func TestFailuresAreForgottenUnlessLocked(t *testing.T) {
	h := onSQLite(t)
	count := func() (n int64) {
		h.read(func(tx *store.Tx) error {
			return tx.Row(`SELECT COUNT(*) FROM throttle WHERE org_id = $1`).Scan(&n)
		})
		return n
	}
	for _, n := range []string{"nobody", "no one"} {
		h.a.SignIn(h.ctx, authority.SignInBody{Login: n, Password: "hunter2 hunter2", TOTP: "123456"})
	}
	person, err := h.a.AddPersonOffline(h.ctx, authority.NewPerson{Login: "locked-out", Name: "Locked Out"})
	h.must(err)
	h.write(func(tx *store.Tx) error {
		// As many as would fill whole pages, of names that nobody bears, and one of somebody.
		for i := range 2500 {
			if err := tx.SetThrottle(store.Throttle{Subject: fmt.Sprintf("password:%064d", i), State: `{"failures":100,"ended":true}`}); err != nil {
				return err
			}
		}
		return tx.SetThrottle(store.Throttle{Subject: fmt.Sprintf("password:%x", sha256.Sum256([]byte(person))), State: `{"failures":100,"ended":true}`})
	})
	h.read(func(tx *store.Tx) error {
		rows, err := store.List(tx, func(s store.Scanner) (v string, err error) { return v, s.Scan(&v) }, `SELECT subject FROM throttle WHERE org_id = $1`)
		for _, subject := range rows {
			if strings.Contains(subject, "nobody") || len(subject) > 100 {
				t.Errorf("what was typed is kept: %q", subject)
			}
		}
		return err
	})
	authority.Sweep(h.a, h.ctx)
	if n := count(); n != 2503 {
		t.Errorf("%d counters after a sweep at once", n)
	}
	h.clock.forward(31 * 24 * time.Hour)
	authority.Sweep(h.a, h.ctx)
	if n := count(); n != 1 {
		t.Errorf("%d counters after a month, want the one alone that is ended for good and guards somebody", n)
	}
}

func TestNewInvitationWithdrawsTheOld(t *testing.T) {
	h := onSQLite(t)
	samuel, claire, priya := h.who["samuel"], h.who["claire"], h.who["priya"]
	first, err := h.a.Invite(h.ctx, samuel.session, priya.id, samuel.stepUp("invite:"+priya.id))
	h.must(err)
	second, err := h.a.Invite(h.ctx, claire.session, priya.id, claire.stepUp("invite:"+priya.id))
	h.must(err)
	_, err = h.a.RedeemInvitation(h.ctx, first.Token)
	h.refused(err, countersign.CodeGone)
	other, err := h.a.Invite(h.ctx, claire.session, h.who["marta"].id, claire.stepUp("invite:"+h.who["marta"].id))
	h.must(err)
	p, err := samuel.propose(countersign.KindFactorReset, priya.id)
	h.must(err)
	claire.approve(p.ID)
	_, err = h.a.RedeemInvitation(h.ctx, second.Token)
	h.refused(err, countersign.CodeGone)
	_, err = h.a.RedeemInvitation(h.ctx, other.Token)
	h.must(err)
}

// What is kept of the facts is read anew after every change of them.
func TestFactsMoveWithNamesAndCodes(t *testing.T) {
	h := onSQLite(t)
	gen := func() (g int64) {
		h.read(func(tx *store.Tx) (err error) { g, err = tx.FactsGen(); return err })
		return g
	}
	marta := h.who["marta"]
	before := gen()
	_, err := h.a.MakeRecoveryCodes(h.ctx, marta.session, marta.stepUp("recovery-codes"))
	h.must(err)
	if gen() == before {
		t.Error("recovery codes")
	}
	p, err := h.who["samuel"].propose(countersign.KindBreakGlassNames, marta.id, countersign.Change{Field: "break_glass", To: "true"})
	h.must(err)
	h.who["samuel"].approve(p.ID)
	before = gen()
	h.who["claire"].approve(p.ID)
	if gen() == before {
		t.Error("break-glass names")
	}
}
