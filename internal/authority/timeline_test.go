package authority_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func (d *dweller) page(id string) *authority.RequestView {
	d.h.t.Helper()
	v, err := d.h.a.RequestPage(d.h.ctx, d.session, id)
	d.h.must(err)
	return v
}

func can(v *authority.RequestView, act string) bool { return slices.Contains(v.You.Acts, act) }

func why(v *authority.RequestView) []string {
	var codes []string
	for _, w := range v.You.WhyNot {
		codes = append(codes, w.Code)
	}
	return codes
}

// TestRequestPage: what each person may do on an order that two must approve, and why
// they may not.
func TestRequestPage(t *testing.T) {
	each(t, func(h *house) {
		d := order("INV-1", "30000.00", func(d *countersign.Document) { d.Kind = countersign.KindInvoice })
		sent := h.submit(d)
		id := sent.ID
		marta, ingrid, elif, tomas, rosa := h.who["marta"], h.who["ingrid"], h.who["elif"], h.who["tomas"], h.who["rosa"]
		v := marta.page(id)
		if string(v.Canonical) != string(sent.Document) || v.Approval.ID != id || v.Requester.Name != "Elif Kaya" || v.Requester.ID != elif.id {
			t.Errorf("%+v", v)
		}
		if !can(v, authority.CanApprove) || !can(v, authority.CanDeny) || can(v, authority.CanRevoke) || can(v, authority.CanWithdraw) || len(v.You.WhyNot) != 0 {
			t.Errorf("%+v", v.You)
		}
		would := map[string]bool{}
		for _, f := range v.You.Factors {
			would[f.Type] = f.Would
		}
		if v.You.Need != countersign.AssurancePhishingResistant || !would[store.FactorPasskey] || would[store.FactorTOTP] {
			t.Errorf("factors: %+v, need %s", v.You.Factors, v.You.Need)
		}
		i := slices.IndexFunc(v.Missing, func(m authority.MissingClause) bool {
			return slices.Equal(m.Clause.From, []string{"finance"}) && !m.Clause.OutsideChain
		})
		if i < 0 || v.Missing[i].Lacks != 2 || v.Missing[i].Have != 0 || v.Missing[i].Eligible != 3 || len(v.Missing[i].Who) != 3 || v.Missing[i].Who[0].Name != "Daniel Novak" {
			t.Errorf("%+v", v.Missing)
		}
		if got := why(elif.page(id)); len(got) == 0 || got[0] != approval.ObstacleRequester || !can(elif.page(id), authority.CanWithdraw) {
			t.Errorf("who asked: %v", got)
		}
		if _, err := h.a.RequestPage(h.ctx, tomas.session, id); err == nil {
			t.Error("a stranger to it sees it")
		} else {
			h.refused(err, countersign.CodeNotFound)
		}
		if got := why(rosa.page(id)); !slices.Contains(got, approval.ObstacleGroup) || !can(rosa.page(id), authority.CanFreeze) {
			t.Errorf("a controller: %v", got)
		}
		marta.approve(id)
		v = marta.page(id)
		if got := why(v); !slices.Contains(got, approval.ObstacleDecided) || v.You.WhyNot[slices.Index(got, approval.ObstacleDecided)].Args["by"] != "Marta Silva" {
			t.Errorf("%+v", v.You.WhyNot)
		}
		if len(v.Decisions) != 1 || !v.Decisions[0].Yours || v.Decisions[0].Factor != store.FactorPasskey || v.Decisions[0].Entry == "" {
			t.Errorf("%+v", v.Decisions)
		}
		h.step()
		ingrid.approve(id)
		h.step()
		v = ingrid.page(id)
		if len(v.Approval.Receipt) == 0 || !can(v, authority.CanRevoke) || can(v, authority.CanApprove) || v.Missing != nil {
			t.Errorf("approved: %+v", v.You)
		}
		var types []countersign.EntryType
		for _, e := range v.Timeline {
			types = append(types, e.Type)
			if !e.Published || e.Index < 0 {
				t.Errorf("%+v", e)
			}
		}
		if !slices.Equal(types, []countersign.EntryType{countersign.EntryRequestSubmitted, countersign.EntryDecisionMade, countersign.EntryDecisionMade}) {
			t.Errorf("%v", types)
		}
		if v.Timeline[0].Actor.Name != "erp key" || v.Timeline[1].Actor.Name != "Marta Silva" || v.Decisions[1].Index != v.Timeline[2].Index {
			t.Errorf("%+v %+v", v.Timeline, v.Decisions)
		}
	})
}

// TestRequestPageHoldsEarlierVersions: a revision is shown beside the one it replaces,
// and a change of bank details beside the one that brought the account before.
func TestRequestPageHoldsEarlierVersions(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		marta := h.who["marta"]
		first := h.submit(order("PO-1", "30000.00"))
		out, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "31000.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: first.ID}))
		h.must(err)
		v := marta.page(out.Approval.ID)
		if v.Earlier == nil || v.Earlier.Request != first.ID || v.Earlier.Why != authority.EarlierSupersedes || string(v.Earlier.Canonical) != string(first.Document) || v.Links.Supersedes != first.ID {
			t.Errorf("%+v", v.Earlier)
		}
		old := marta.page(first.ID)
		if old.Links.SupersededBy != out.Approval.ID || can(old, authority.CanApprove) || why(old)[0] != approval.ObstacleStatus {
			t.Errorf("the one that was replaced: %+v", old.You)
		}
		change := func(id, from, to string) (*countersign.Document, *countersign.Approval) {
			d := &countersign.Document{Kind: countersign.KindVendorBankChange, ID: id, Revision: "1", Payee: &countersign.Payee{ID: "V-1", Name: "Nordwind Technik GmbH",
				Account: &countersign.Account{Scheme: "iban", Value: to}}, Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"},
				Changes: []countersign.Change{{Field: "account", From: from, To: to}}}
			return d, h.submit(d)
		}
		a, b := "DE02120300000000202051", "DE89370400440532013000"
		d, one := change("BC-1", "", a)
		h.who["tomas"].approve(one.ID)
		if v := h.who["amara"].approve(one.ID); v.Status != countersign.StatusApproved {
			t.Fatalf("%+v", v.Missing)
		}
		h.step()
		if v := h.who["rosa"].page(one.ID); v.Hold == nil || v.Hold.Until.IsZero() || v.Earlier != nil {
			t.Errorf("%+v", v.Hold)
		}
		h.clock.forward(25 * time.Hour)
		_, err = h.release(one.ID, d, "x-1")
		h.must(err)
		_, two := change("BC-2", a, b)
		h.who["tomas"].signIn()
		if v := h.who["tomas"].page(two.ID); v.Earlier == nil || v.Earlier.Request != one.ID || v.Earlier.Why != authority.EarlierAccount {
			t.Errorf("%+v", v.Earlier)
		}
	})
}

// TestRequestPageInAnothersPlace: a delegate sees for whom they could decide, and why
// not.
func TestRequestPageInAnothersPlace(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	marta, amara := h.who["marta"], h.who["amara"]
	_, err := marta.delegate(authority.DelegationBody{To: amara.id, Ends: h.clock.Now().AddDate(0, 0, 5).Format(time.RFC3339)})
	h.must(err)
	id := h.submit(order("PO-1", "30000.00")).ID
	v := amara.page(id)
	if len(v.You.ActingFor) != 1 || v.You.ActingFor[0].Person.ID != marta.id || !slices.Contains(v.You.ActingFor[0].Acts, authority.CanApprove) || can(v, authority.CanApprove) {
		t.Errorf("%+v", v.You)
	}
	items := amara.inbox(authority.TabYou, 0)
	if len(items) != 1 || items[0].ActingFor == nil || items[0].ActingFor.Name != "Marta Silva" {
		t.Errorf("%+v", items)
	}
	marta.approve(id)
	if got := amara.inbox(authority.TabYou, 0); len(got) != 0 {
		t.Error("decided by the delegator, it still waits for the delegate")
	}
}

// TestRequestPageOfAHandOver: a session that was opened for one request sees its page,
// and can do nothing around it; no other request is there.
func TestRequestPageOfAHandOver(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	at := h.clock.Now().Add(-time.Minute).Format(time.RFC3339)
	out, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "30000.00"), &countersign.Submission{Approver: "marta", Vouch: &countersign.Vouch{Person: "marta", Method: "pwd", AuthenticatedAt: at}}))
	h.must(err)
	other := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "x" })).ID
	_, token, _ := strings.Cut(out.Approval.HandOverURL, "#")
	in, err := h.a.RedeemHandOver(h.ctx, token)
	h.must(err)
	s, err := h.a.AuthenticateSession(h.ctx, in.Token)
	h.must(err)
	v, err := h.a.RequestPage(h.ctx, s, out.Approval.ID)
	h.must(err)
	if !can(v, authority.CanApprove) || can(v, authority.CanReassign) || can(v, authority.CanFreeze) || v.You.Concerned {
		t.Errorf("%+v", v.You)
	}
	_, err = h.a.RequestPage(h.ctx, s, other)
	h.refused(err, countersign.CodeNotFound)
	_, err = h.a.Inbox(h.ctx, s, authority.InboxQuery{})
	h.refused(err, countersign.CodeForbidden)
}
