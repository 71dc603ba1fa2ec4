package authority_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// What follows is what people try who are let in, and want more than they may.

// delegateByCode delegates with a password and a code in place of the passkey.
func (d *dweller) delegateByCode(b authority.DelegationBody) error {
	h := d.h
	c, err := h.a.BeginStepUp(h.ctx, d.session, authority.DelegationSubject(b))
	h.must(err)
	h.clock.forward(time.Minute)
	b.StepUp = authority.StepUpBody{Challenge: c.Challenge, Password: password, TOTP: d.code(0)}
	_, err = h.a.Delegate(h.ctx, d.session, b)
	return err
}

// TestTrapPhishedCodeIsNoPasskeyByDelegation: a password and a code, phished of somebody
// who has a passkey, must not give a colleague what only that passkey could do.
func TestTrapPhishedCodeIsNoPasskeyByDelegation(t *testing.T) {
	each(t, func(h *house) {
		marta, elif := h.who["marta"], h.who["elif"]
		b := authority.DelegationBody{To: elif.id, Ends: h.in(24 * time.Hour), Reason: "away"}
		h.refused(marta.delegateByCode(b), countersign.CodeForbidden)
		_, err := marta.delegate(b)
		h.must(err)
	})
}

// TestTrapDelegateIsNoStrongerThanTheDelegator: somebody who could prove themself by a code
// only gives away no more than that, whatever the delegate has.
func TestTrapDelegateIsNoStrongerThanTheDelegator(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, tomas := h.who["marta"], h.who["tomas"]
		h.write(func(tx *store.Tx) error { // Marta has an app and no passkey
			all, err := tx.Authenticators(marta.id)
			for _, f := range all {
				if f.Type == store.FactorPasskey {
					f.Removed = tx.Now()
					err = tx.UpdateAuthenticator(f)
				}
			}
			return err
		})
		_, err := marta.signInByCode(password)
		h.must(err)
		in, err := marta.signInByCode(password)
		h.must(err)
		marta.session, err = h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		h.must(marta.delegateByCode(authority.DelegationBody{To: tomas.id, Ends: h.in(24 * time.Hour), Reason: "away"}))
		tomas.signIn()
		order := h.submit(order("PO-1", "30000.00")).ID // by a code
		_, err = tomas.byPasskey(order, countersign.ActApprove, h.forMarta)
		h.must(err)
		invoice := h.newVendor("V-77").ID // by a passkey
		_, err = tomas.byPasskey(invoice, countersign.ActApprove, h.forMarta)
		h.refused(err, countersign.CodeForbidden)
	})
}

// TestTrapOneGrantIsOneAuthenticator: two enrolments that were begun in one session do not
// both end, however close to each other they are.
func TestTrapOneGrantIsOneAuthenticator(t *testing.T) {
	each(t, func(h *house) {
		priya := h.who["priya"]
		inv, err := h.a.InviteOffline(h.ctx, priya.id, false)
		h.must(err)
		in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
		h.must(err)
		s, err := h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		var begun []*authority.Ceremony
		for range 2 {
			c, err := h.a.BeginEnrolment(h.ctx, s, authn.KindTOTP)
			h.must(err)
			begun = append(begun, c)
		}
		for i, c := range begun {
			priya.secret = compact(c.Secret)
			_, err := h.a.FinishEnrolment(h.ctx, s, authority.EnrolBody{Challenge: c.Challenge, Name: "app", Code: priya.code(0), Password: password})
			if i == 0 {
				h.must(err)
			} else {
				h.refused(err, countersign.CodeUnauthenticated)
			}
		}
	})
}

// TestTrapTamperingTellsStrangersNothing: to whoever may not see a request it is not
// there, also where its row was changed in the database.
func TestTrapTamperingTellsStrangersNothing(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.changeDocument(id, "30000.00", "90000.00")
		h.broken = true
		stranger := h.who["tomas"]
		_, err := h.a.Get(h.ctx, stranger.caller(), id)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.RequestPage(h.ctx, stranger.session, id)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Challenge(h.ctx, stranger.session, id, countersign.ChallengeBody{Digest: digestOf(d), Act: countersign.ActApprove})
		h.refused(err, countersign.CodeNotFound)
		for _, who := range []string{"marta", "rosa"} { // who is asked, and who sees everything
			_, err = h.a.Get(h.ctx, h.who[who].caller(), id)
			h.differs(err, "/amount/value")
		}
	})
}

// TestTrapReplacementIsShownToWhoMaySeeIt: who was asked about a request and is not about
// the one that took its place does not read there what changed.
func TestTrapReplacementIsShownToWhoMaySeeIt(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		tomas := h.who["tomas"]
		d := order("PO-1", "30000.00")
		sent, err := h.a.Submit(h.ctx, h.key, body(d, &countersign.Submission{Approver: "tomas"}))
		h.must(err)
		first := sent.Approval
		next := order("PO-1", "77000.00", func(d *countersign.Document) { d.Revision = "2" })
		sent, err = h.a.Submit(h.ctx, h.key, body(next, &countersign.Submission{Approver: "marta", Supersedes: first.ID}))
		h.must(err)
		second := sent.Approval
		_, err = h.a.Get(h.ctx, tomas.caller(), second.ID)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Challenge(h.ctx, tomas.session, first.ID, countersign.ChallengeBody{Digest: digestOf(next), Act: countersign.ActApprove})
		p := h.refused(err, countersign.CodeChanged)
		if len(p.Differences) != 0 {
			t.Errorf("the differences are told: %+v", p.Differences)
		}
	})
}

// TestTrapBreakGlassIsReviewedByOthers: who asked for what was approved by break-glass
// took part in it, and does not review it.
func TestTrapBreakGlassIsReviewedByOthers(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		rosa := h.who["rosa"]
		id := h.submit(order("PO-1", "30000.00", func(d *countersign.Document) { d.Requester.ID, d.Requester.Name = "rosa", "Rosa Lindt" })).ID
		h.write(func(tx *store.Tx) error {
			return tx.InsertBreakGlassUse(store.BreakGlassUse{Approval: id, Used: h.clock.Now()})
		})
		h.refused(h.a.ReviewBreakGlass(h.ctx, rosa.session, id, rosa.stepUp("review:"+id)), countersign.CodeForbidden)
		claire := h.who["claire"]
		h.must(h.a.ReviewBreakGlass(h.ctx, claire.session, id, claire.stepUp("review:"+id)))
	})
}

// TestTrapNarrowDelegationShowsNoMore: who decides on invoices in another's place does not
// read their payments.
func TestTrapNarrowDelegationShowsNoMore(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, elif := h.who["marta"], h.who["amara"]
		id := h.submit(order("PO-1", "30000.00")).ID
		_, err := h.a.Get(h.ctx, elif.caller(), id)
		h.refused(err, countersign.CodeNotFound)
		_, err = marta.delegate(authority.DelegationBody{To: elif.id, Ends: h.in(24 * time.Hour), Kinds: []string{"invoice"}})
		h.must(err)
		_, err = h.a.Get(h.ctx, elif.caller(), id)
		h.refused(err, countersign.CodeNotFound)
		if rows := elif.inbox(authority.TabOthers, 0); len(rows) != 0 {
			t.Errorf("it is listed: %+v", rows)
		}
	})
}

// TestTrapProposalSaysWhatIs: whoever agrees to a change reads from what to what. What the
// proposer says it was is held to what is, when it is proposed and when it is carried out.
func TestTrapProposalSaysWhatIs(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, marta := h.who["samuel"], h.who["claire"], h.who["marta"]
		limit := func(from, to string) (*countersign.Approval, error) {
			return samuel.propose(countersign.KindPeopleChange, marta.id, countersign.Change{Field: "limit", From: from, To: to})
		}
		_, err := limit("9000000.00 EUR", "1000000.00 EUR") // a raise that looks like a cut
		h.refused(err, countersign.CodeConflict)
		for field, from := range map[string]string{"privileged": "true", "active": "false", "group.add": "nothing"} {
			to := map[string]string{"true": "false", "false": "true", "nothing": "finance"}[from]
			_, err = samuel.propose(countersign.KindPeopleChange, marta.id, countersign.Change{Field: field, From: from, To: to})
			h.refused(err, countersign.CodeConflict)
		}
		_, err = samuel.propose(countersign.KindBreakGlassNames, marta.id, countersign.Change{Field: "break_glass", From: "true", To: "false"})
		h.refused(err, countersign.CodeConflict)
		p, err := limit("", "30000.00 EUR")
		h.must(err)
		claire.approve(p.ID)
		raise, err := limit("", "9000000.00 EUR") // what is not said is filled in
		h.must(err)
		if got := changesOf(t, raise); got[0].From != "30000.00 EUR" {
			t.Errorf("it says %+v", got)
		}
		cut, err := limit("30000.00 EUR", "10.00 EUR")
		h.must(err)
		claire.approve(cut.ID)
		_, err = claire.byPasskey(raise.ID, countersign.ActApprove) // it was made from another limit
		h.refused(err, countersign.CodeConflict)
		for _, two := range [][]countersign.Change{
			{{Field: "limit", To: "1.00 EUR"}, {Field: "limit", To: "9000000.00 EUR"}},
			{{Field: "active", To: "true"}, {Field: "active", To: "false"}},
			{{Field: "group.add", To: "finance"}, {Field: "group.remove", To: "finance"}},
		} {
			_, err = samuel.propose(countersign.KindPeopleChange, h.who["priya"].id, two...)
			h.refused(err, countersign.CodeInvalid)
		}
		text := string(source(t).Text)
		_, err = samuel.propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: text}, countersign.Change{Field: "policy", To: nominating})
		h.refused(err, countersign.CodeInvalid)
		publish, err := samuel.propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: nominating})
		h.must(err)
		if got := changesOf(t, publish); got[0].From != text {
			t.Errorf("a policy is shown without what it changes: %q", got[0].From)
		}
		_, err = samuel.propose(countersign.KindPeopleChange, h.who["priya"].id, countersign.Change{Field: "group.add", To: "finance"}, countersign.Change{Field: "group.add", To: "treasury"})
		h.must(err)
	})
}

func changesOf(t *testing.T, a *countersign.Approval) []countersign.Change {
	t.Helper()
	var d countersign.Document
	if err := countersign.DecodeStrict(a.Document, &d); err != nil {
		t.Fatal(err)
	}
	return d.Changes
}
