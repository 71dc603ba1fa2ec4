package authority_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/policy"
)

// founded makes an organisation of its own in which nobody has enrolled.
func founded(h *house) *house {
	n := &house{t: h.t, ctx: h.ctx, clock: h.clock, who: map[string]*dweller{}, broken: true}
	zero := 0
	unbound := h.db.For("")
	org, err := authority.Create(h.ctx, unbound, authority.NewOrganisation{Name: "New", Host: "new.example", PublicURL: publicURL, RPID: rpID,
		Settings: authority.Settings{CoolOff: &zero}, Policy: source(h.t)})
	h.must(err)
	n.openAs(h.db.For(org), h.t.TempDir(), "new.example")
	for _, p := range []*dweller{{login: "samuel", name: "Samuel Osei", groups: []string{"administrators"}}, {login: "claire", name: "Claire Dubois", groups: []string{"administrators"}},
		{login: "marta", name: "Marta Silva", groups: []string{"approvers"}}, {login: "elif", name: "Elif Kaya"}} {
		id, err := n.a.AddPersonOffline(n.ctx, authority.NewPerson{Login: p.login, Name: p.name, Groups: p.groups})
		n.must(err)
		p.h, p.id = n, id
		n.who[p.login] = p
	}
	n.key = n.apiKey("erp", "submit", "facts", "release")
	return n
}

func TestRuling14Founding(t *testing.T) {
	each(t, func(parent *house) {
		h := founded(parent)
		defer h.close()
		samuel, claire, marta := h.who["samuel"], h.who["claire"], h.who["marta"]
		samuel.enrolPasskey()
		samuel.signIn()
		marta.enrolPasskey()
		marta.signIn()
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		// One administrator may act alone, and everything says so.
		p, err := samuel.propose(countersign.KindHistoryConfirm, "V-1")
		h.must(err)
		if p.Status != countersign.StatusApproved || !p.Founding {
			h.t.Fatalf("%s, founding %v", p.Status, p.Founding)
		}
		id := h.submit(order("PO-1", "30000.00")).ID
		done := marta.approve(id)
		if v := h.verified(done.Receipt); !v.Founding {
			h.t.Error("the receipt is not stamped as founding")
		}
		// The second administrator ends it, for good.
		claire.enrolPasskey()
		claire.signIn()
		p, err = samuel.propose(countersign.KindPeopleChange, marta.id, countersign.Change{Field: "privileged", To: "true"})
		h.must(err)
		if p.Status != countersign.StatusPending || p.Founding {
			h.t.Errorf("after founding: %s, founding %v", p.Status, p.Founding)
		}
		id = h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		if v := h.verified(marta.approve(id).Receipt); v.Founding {
			h.t.Error("a later receipt is stamped as founding")
		}
		claire.approve(p.ID)
	})
}

func TestRuling14Confirmation(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		samuel, claire, rosa := h.who["samuel"], h.who["claire"], h.who["rosa"]
		// Nobody but an administrator invites; nobody invites themselves.
		_, err := h.a.Invite(h.ctx, rosa.session, h.who["priya"].id, rosa.stepUp("invite:"+h.who["priya"].id))
		h.refused(err, countersign.CodeForbidden)
		_, err = h.a.Invite(h.ctx, samuel.session, samuel.id, samuel.stepUp("invite:"+samuel.id))
		h.refused(err, countersign.CodeForbidden)
		h.who["priya"].groups = []string{"approvers"}
		h.who["priya"].state(func(*countersign.PersonFact) {})
		inv, err := h.a.Invite(h.ctx, samuel.session, h.who["priya"].id, samuel.stepUp("invite:"+h.who["priya"].id))
		h.must(err)
		in, err := h.a.RedeemInvitation(h.ctx, inv.Token)
		h.must(err)
		_, err = h.a.RedeemInvitation(h.ctx, inv.Token)
		h.refused(err, countersign.CodeGone)
		priya := h.who["priya"]
		e, err := priya.finishPasskey(in.Token)
		h.must(err)
		if !e.NeedsConfirmation {
			h.t.Fatal("an approver's enrolment counts at once")
		}
		// The grant is used up with it.
		_, err = priya.finishPasskey(in.Token)
		h.refused(err, countersign.CodeUnauthenticated)
		h.refused(priya.trySignIn(), countersign.CodeForbidden)
		id := h.submit(order("PO-1", "30000.00")).ID
		// Neither the inviter nor the enrolee confirms, nor somebody without a step-up.
		h.refused(h.a.ConfirmEnrolment(h.ctx, samuel.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: samuel.stepUp("confirm:" + e.ID)}), countersign.CodeForbidden)
		h.refused(h.a.ConfirmEnrolment(h.ctx, priya.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: authority.StepUpBody{}}), countersign.CodeForbidden)
		h.refused(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: claire.stepUp("confirm:other")}), countersign.CodeConflict)
		h.must(h.a.ConfirmEnrolment(h.ctx, claire.session, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: claire.stepUp("confirm:" + e.ID)}))
		priya.signIn()
		h.verified(priya.approve(id).Receipt)
		// An invitation ends by the clock.
		inv, err = h.a.Invite(h.ctx, samuel.session, h.who["elif"].id, samuel.stepUp("invite:"+h.who["elif"].id))
		h.must(err)
		h.clock.forward(73 * time.Hour)
		_, err = h.a.RedeemInvitation(h.ctx, inv.Token)
		h.refused(err, countersign.CodeGone)
	})
}

func TestRuling15OnePersonManyIds(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.who["marta"].state(func(p *countersign.PersonFact) { p.Aliases = []countersign.Alias{{Source: "erp", Subject: "MS-77"}} })
		id := h.submit(order("PO-1", "30000.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "person", ID: "MS-77", Name: "M. Silva"}
		})).ID
		_, err := h.who["marta"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		out, err := h.a.Submit(h.ctx, h.key, body(order("PO-2", "30000.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "person", ID: "marta"}
		}), &countersign.Submission{Approver: "MS-77"}))
		h.must(err)
		if out.Approval.Status != countersign.StatusDenied {
			h.t.Errorf("approver and requester under two ids: %s", out.Approval.Status)
		}
		h.who["daniel"].approve(id)
	})
}

func TestRuling16StatementIsTheChallenge(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "30000.00"))
		marta := h.who["marta"]
		c, err := marta.challenge(out.ID, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Reason = "agreed" })
		h.must(err)
		s, err := countersign.ParseStatement(c.Statement)
		h.must(err)
		if s.Org != h.a.Org() || s.Approval != out.ID || s.Digest != out.Digest || s.RequirementDigest != out.RequirementDigest || s.PolicyDigest != out.PolicyDigest ||
			s.Act != countersign.ActApprove || s.Reason != "agreed" || s.Person != marta.id || s.Nonce == "" || s.Expires == "" {
			h.t.Errorf("the statement is %+v", s)
		}
		var options struct {
			PublicKey struct {
				Challenge string `json:"challenge"`
			} `json:"publicKey"`
			Challenge string `json:"challenge"`
		}
		h.must(json.Unmarshal(c.Passkey, &options))
		sum, err := base64.RawURLEncoding.DecodeString(options.PublicKey.Challenge + options.Challenge)
		h.must(err)
		if have := countersign.SumBytes(c.Statement); !bytes.Equal(sum, sumOf(h.t, have)) {
			h.t.Errorf("the key is asked to sign %x, the statement's sum is %s", sum, have)
		}
		done, err := marta.answer(out.ID, c)
		h.must(err)
		if !bytes.Equal(done.Decisions[0].Evidence.Statement, c.Statement) {
			h.t.Error("the evidence holds other bytes than were signed")
		}
		// Each of the parts is held to what stands: a challenge is for one person, act and request.
		other := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" }))
		c, err = marta.challenge(other.ID, countersign.ActApprove)
		h.must(err)
		response, err := h.who["daniel"].key.Assert(c.Passkey, publicURL)
		if err == nil {
			_, err = h.a.Decide(h.ctx, h.who["daniel"].session, other.ID, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
			h.refused(err, countersign.CodeGone)
		}
	})
}

func sumOf(t testing.TB, d countersign.Digest) []byte {
	_, hex, _ := strings.Cut(string(d), ":")
	out := make([]byte, len(hex)/2)
	if _, err := fmt.Sscanf(hex, "%x", &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRuling18RecoveryOnlyEnrols(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta := h.who["marta"]
		codes, err := h.a.MakeRecoveryCodes(h.ctx, marta.session, marta.stepUp("recovery-codes"))
		h.must(err)
		in, err := h.a.Recover(h.ctx, authority.RecoverBody{Login: "marta", Code: codes.Codes[0]})
		h.must(err)
		_, err = h.a.Recover(h.ctx, authority.RecoverBody{Login: "marta", Code: codes.Codes[0]})
		h.refused(err, countersign.CodeUnauthenticated)
		s, err := h.a.AuthenticateSession(h.ctx, in.Token)
		h.must(err)
		_, err = h.a.Challenge(h.ctx, s, id, countersign.ChallengeBody{Digest: digestOf(order("PO-1", "30000.00")), Act: countersign.ActApprove})
		h.refused(err, countersign.CodeNotFound)
		e, err := marta.finishPasskey(in.Token)
		h.must(err)
		if !e.NeedsConfirmation {
			h.t.Error("what rests on a recovery code counts at once")
		}
	})
}

func TestRuling19HardwareNeedsRoots(t *testing.T) {
	h := onSQLite(t)
	text := strings.Replace(string(source(t).Text), "require: {assurance: mfa}\n    because: \"{kind} of {amount} is {large}", "require: {assurance: hardware}\n    because: \"{kind} of {amount} is {large}", 1)
	if text == string(source(t).Text) {
		t.Fatal("nothing was replaced")
	}
	_, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: text})
	h.refused(err, countersign.CodeInvalid)
	if _, err := policy.Load(policy.Source{File: "p", Text: []byte(text), Options: policy.Options{Hardware: true}}); err != nil {
		t.Errorf("with a root it loads: %v", err)
	}
}

func TestRuling20OwnerCountsAsRequester(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "1500.00", func(d *countersign.Document) {
			d.Requester = &countersign.Party{Type: "service", ID: "buying-bot", Name: "Buying bot", Owner: "marta"}
		}))
		if out.Status != countersign.StatusPending {
			h.t.Fatalf("what a machine buys passes unasked: %s", out.Status)
		}
		_, err := h.who["marta"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeForbidden)
		_, err = h.who["daniel"].byPasskey(out.ID, countersign.ActApprove)
		h.must(err)
	})
}
