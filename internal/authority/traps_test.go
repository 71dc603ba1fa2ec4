package authority_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// Traps that others fell into. Some are tests of other rulings as well:
//
//	approved is a flag                 TestTrapApprovedIsNoFlag
//	a digest compared with nothing     TestTrapDigestComparedWithNothing
//	a digest taken at the tap          TestTrapDigestTakenWhenShown, TestStorySupersede
//	deleted without trace              TestTrapNothingVanishes
//	cosmetic fields                    TestRuling34OneFormOnly: spelling is no content
//	an e-mailed code elevates          TestTrapInvitationOnlyEnrols
//	chat identity, SAML, acr           nothing here takes them yet

// newVendor is a request that needs two people of finance.
func (h *house) newVendor(id string, change ...func(*countersign.Document)) *countersign.Approval {
	h.t.Helper()
	all := append([]func(*countersign.Document){func(d *countersign.Document) {
		d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-" + id, Name: "Brandneu AG"}
	}}, change...)
	return h.submit(order(id, "12000.00", all...))
}

func TestTrapQuorumCountsPeople(t *testing.T) {
	each(t, func(h *house) {
		id := h.newVendor("INV-1").ID
		ingrid := h.who["ingrid"] // in three groups
		if out := ingrid.approve(id); out.Status != countersign.StatusPending {
			h.t.Fatalf("one person is a quorum of two: %s", out.Status)
		}
		_, err := ingrid.byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		if out := h.who["marta"].approve(id); out.Status != countersign.StatusApproved {
			h.t.Fatalf("two people are none: %s", out.Status)
		}
		// One more than needed is refused, not counted past the mark.
		_, err = h.who["daniel"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeState)
	})
}

func TestTrapQuorumZero(t *testing.T) {
	h := onSQLite(t)
	for _, count := range []string{"0", "-1"} {
		text := strings.Replace(string(source(t).Text), "approvers: {count: 2, from: [finance]}", "approvers: {count: "+count+", from: [finance]}", 1)
		_, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: text})
		h.refused(err, countersign.CodeInvalid)
	}
}

func TestTrapGroupsAcrossOrganisations(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		other := founded(h) // has approvers and administrators of the same names
		defer other.close()
		for _, login := range []string{"samuel", "marta"} {
			d := other.who[login]
			d.enrolPasskey()
			d.signIn()
			_, err := other.a.Get(h.ctx, authority.Caller{Session: &d.session}, id)
			h.refused(err, countersign.CodeNotFound)
			// A person of one organisation is nobody in the other, even with their session.
			_, err = h.a.Get(h.ctx, authority.Caller{Session: &d.session}, id)
			h.refused(err, countersign.CodeNotFound)
			_, err = h.a.Challenge(h.ctx, d.session, id, countersign.ChallengeBody{Digest: digestOf(order("PO-1", "30000.00")), Act: countersign.ActApprove})
			h.refused(err, countersign.CodeNotFound)
		}
		_, err := other.a.Get(h.ctx, authority.Caller{Key: &other.key}, id)
		h.refused(err, countersign.CodeNotFound)
	})
}

func TestTrapAdministratorsAreNotExempt(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.write(func(tx *store.Tx) error {
			for _, g := range []string{"approvers", "controllers"} {
				if _, err := tx.AddMembership(g, h.who["samuel"].id); err != nil {
					return err
				}
			}
			return tx.FactsChanged()
		})
		id := h.submit(order("PO-1", "30000.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "person", ID: "samuel", Name: "Samuel Osei"}
		})).ID
		_, err := h.who["samuel"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		other := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		h.who["samuel"].approve(other) // somebody else's they may, as anybody of the group
	})
}

func TestTrapNothingVanishes(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		_, err := h.a.Cancel(h.ctx, authority.Caller{Key: &h.key}, id)
		h.must(err)
		if got := h.get(id); got.Status != countersign.StatusCancelled || len(got.Document) == 0 {
			h.t.Errorf("what is left of a cancelled request: %s", got.Status)
		}
		if types := h.entries(id); len(types) != 2 || types[1] != countersign.EntryRequestCancelled {
			h.t.Errorf("its entries are %v", types)
		}
	})
}

func TestTrapDigestTakenWhenShown(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta := h.who["marta"]
		first := order("PO-1", "30000.00")
		one := h.submit(first)
		c, err := marta.challenge(one.ID, countersign.ActApprove)
		h.must(err)
		// Between the page and the tap the order is replaced by a dearer one.
		second := order("PO-1", "90000.00", func(d *countersign.Document) { d.Revision = "2" })
		two, err := h.a.Submit(h.ctx, h.key, body(second, &countersign.Submission{Supersedes: one.ID}))
		h.must(err)
		_, err = marta.answer(one.ID, c)
		h.refused(err, countersign.CodeState)
		// What was shown does not open a challenge for what came after it.
		_, err = h.a.Challenge(h.ctx, marta.session, two.Approval.ID, countersign.ChallengeBody{Digest: one.Digest, Act: countersign.ActApprove})
		p := h.refused(err, countersign.CodeChanged)
		if len(p.Differences) != 2 {
			h.t.Errorf("differences: %+v", p.Differences)
		}
		_, err = h.a.Challenge(h.ctx, marta.session, two.Approval.ID, countersign.ChallengeBody{Act: countersign.ActApprove})
		h.refused(err, countersign.CodeChanged)
	})
}

func TestTrapOneClock(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta := h.who["marta"]
		c, err := marta.challenge(id, countersign.ActApprove)
		h.must(err)
		h.clock.forward(5*time.Minute + time.Second)
		_, err = marta.answer(id, c)
		h.refused(err, countersign.CodeGone)
		// A challenge that is still good does not outlive the time to decide.
		h.clock.forward(7*24*time.Hour - 6*time.Minute - 3*time.Second)
		marta.signIn()
		c, err = marta.challenge(id, countersign.ActApprove)
		h.must(err)
		h.clock.forward(2 * time.Minute)
		_, err = marta.answer(id, c)
		h.refused(err, countersign.CodeGone)
		if s := h.get(id).Status; s != countersign.StatusExpired {
			h.t.Errorf("it is %s", s)
		}
	})
}

func TestTrapLookingChangesNothing(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.who["marta"].approve(id)
		before := h.rows()
		for _, c := range []authority.Caller{{Key: &h.key}, {Session: &h.who["claire"].session}} {
			_, err := h.a.Get(h.ctx, c, id)
			h.must(err)
			_, err = h.a.List(h.ctx, c, authority.ListQuery{})
			h.must(err)
			_, err = h.a.Receipt(h.ctx, c, id)
			h.must(err)
			_, err = h.a.LogEntries(h.ctx, c, 0, 10)
			h.must(err)
		}
		for range 3 {
			_, err := h.a.Check(h.ctx, h.key, countersign.ReleaseBody{Request: id, Document: body(d, nil).Document})
			h.must(err)
		}
		if after := h.rows(); after != before || h.get(id).Status != countersign.StatusApproved {
			h.t.Errorf("%d rows before, %d after looking", before, after)
		}
	})
}

func TestTrapMaxAgeIsChecked(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		daniel := h.who["daniel"]
		daniel.state(func(p *countersign.PersonFact) { p.Privileged = true }) // five minutes
		id := h.submit(order("PO-1", "30000.00")).ID
		daniel.signIn()
		onlyCode := func() error {
			c, err := daniel.challenge(id, countersign.ActApprove)
			h.must(err)
			_, err = h.a.Decide(h.ctx, daniel.session, id, countersign.DecisionBody{Challenge: c.ID, TOTP: daniel.code(0)})
			return err
		}
		h.clock.forward(6 * time.Minute)
		h.refused(onlyCode(), countersign.CodeUnauthenticated)
		daniel.signIn()
		signedIn := h.clock.Now()
		h.clock.forward(time.Minute)
		h.must(onlyCode())
		e := h.get(id).Decisions[0].Evidence
		at, err := time.Parse(time.RFC3339, e.AuthTime)
		h.must(err)
		if at.After(signedIn) || signedIn.Sub(at) > time.Minute {
			h.t.Errorf("the evidence says %s, the oldest factor is of %s", e.AuthTime, signedIn)
		}
	})
}

func TestTrapElevationIsForOneAct(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta := h.who["marta"]
		one := h.submit(order("PO-1", "30000.00")).ID
		two := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		marta.approve(one)
		_, err := marta.bySession(two, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		// Nor is the assertion of one act good for another.
		c, err := marta.challenge(two, countersign.ActApprove)
		h.must(err)
		d, err := marta.challenge(two, countersign.ActDeny)
		h.must(err)
		response, err := marta.key.Assert(d.Passkey, publicURL)
		h.must(err)
		_, err = h.a.Decide(h.ctx, marta.session, two, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
		h.refused(err, countersign.CodeUnauthenticated)
		if s := h.get(two).Status; s != countersign.StatusPending {
			h.t.Errorf("it is %s", s)
		}
	})
}

func TestTrapInvitationOnlyEnrols(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		inv, err := h.a.InviteOffline(h.ctx, h.who["marta"].id, false)
		h.must(err)
		in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
		h.must(err)
		s, err := h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		_, err = h.a.Challenge(h.ctx, s, id, countersign.ChallengeBody{Digest: digestOf(order("PO-1", "30000.00")), Act: countersign.ActApprove})
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.List(h.ctx, authority.Caller{Session: &s}, authority.ListQuery{})
		if err == nil {
			h.t.Error("an invitation opens the inbox")
		}
		_, err = h.a.Alerts(h.ctx, s, true, "", 10)
		h.refused(err, countersign.CodeForbidden)
	})
}

func TestTrapForeignFrames(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta := h.who["marta"]
		for name, set := range map[string]func(){
			"a frame of another site": func() { marta.key.Behaviour.CrossOrigin, marta.key.Behaviour.TopOrigin = true, "https://evil.example" },
			"another origin":          func() { marta.key.Behaviour.Origin = "https://evil.example" },
			"another relying party":   func() { marta.key.Behaviour.RPID = "evil.example" },
			"no verification":         func() { marta.key.Behaviour.NoUserVerification = true },
			"nobody there":            func() { marta.key.Behaviour.NoUserPresence = true },
		} {
			clean := marta.key.Behaviour
			set()
			_, err := marta.byPasskey(id, countersign.ActApprove)
			if codeOf(err) != countersign.CodeUnauthenticated {
				h.t.Errorf("%s: %v", name, err)
			}
			marta.key.Behaviour = clean
		}
		marta.approve(id)
	})
}

func TestTrapApproverIsJudgedAgain(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		for name, change := range map[string]func(*countersign.PersonFact){
			"left the group": func(p *countersign.PersonFact) { p.Groups = []string{"finance"} },
			"limit lowered": func(p *countersign.PersonFact) {
				p.Limits = []countersign.LimitFact{{Amount: countersign.Amount{Value: "100.00", Currency: "EUR"}}}
			},
			"deactivated": func(p *countersign.PersonFact) { p.Inactive = true },
		} {
			daniel := h.who["daniel"]
			groups := daniel.groups
			id := h.submit(order("PO-"+strings.ReplaceAll(name, " ", "-"), "30000.00", func(d *countersign.Document) { d.Category = name })).ID
			c, err := daniel.challenge(id, countersign.ActApprove)
			h.must(err)
			daniel.state(change)
			_, err = daniel.answer(id, c)
			if code := codeOf(err); code != countersign.CodeForbidden && code != countersign.CodeNotFound && code != countersign.CodeGone {
				h.t.Errorf("%s: %v", name, err)
			}
			daniel.groups = groups
			daniel.state(func(*countersign.PersonFact) {})
			daniel.signIn()
		}
	})
}
