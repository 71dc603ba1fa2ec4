package authority_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// inbox reads a whole tab, page by page.
func (d *dweller) inbox(tab string, limit int) []authority.InboxItem {
	d.h.t.Helper()
	var all []authority.InboxItem
	for after := ""; ; {
		page, err := d.h.a.Inbox(d.h.ctx, d.session, authority.InboxQuery{Tab: tab, After: after, Limit: limit})
		d.h.must(err)
		all = append(all, page.Items...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

func idsOf(items []authority.InboxItem) []string {
	ids := make([]string, len(items))
	for i, v := range items {
		ids[i] = v.ID
	}
	return ids
}

// TestInboxOfTheModelCase: a large order waits for the approvers, is in other hands for
// who asked and for who has seen it all, and is over for whoever decided.
func TestInboxOfTheModelCase(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		d := order("PO-1", "30000.00", func(d *countersign.Document) { d.Subject = "Forklifts" })
		id := h.submit(d).ID
		marta, elif, samuel, tomas := h.who["marta"], h.who["elif"], h.who["samuel"], h.who["tomas"]
		page, err := h.a.Inbox(h.ctx, marta.session, authority.InboxQuery{})
		h.must(err)
		if len(page.Items) != 1 || page.Counts.You.N != 1 || page.Counts.Others.N != 0 || page.Counts.Decided.N != 0 {
			t.Fatalf("%+v", page)
		}
		v := page.Items[0]
		if v.ID != id || v.Subject != "Forklifts" || v.Payee != "Nordwind Technik GmbH" || v.Requester != "Elif Kaya" || v.Amount.Value != "30000.00" ||
			v.Progress != (authority.Progress{Have: 0, Need: 1}) || len(v.Reasons) == 0 || v.Reasons[0].Sentence == "" || v.Due.IsZero() || v.Expiring || v.Source != "erp" {
			t.Errorf("%+v", v)
		}
		for who, tab := range map[*dweller]string{elif: authority.TabOthers, samuel: authority.TabOthers} {
			if got := idsOf(who.inbox(tab, 0)); !slices.Equal(got, []string{id}) {
				t.Errorf("%s, %s: %v", who.login, tab, got)
			}
		}
		for _, tab := range []string{authority.TabYou, authority.TabOthers, authority.TabDecided} {
			if got := tomas.inbox(tab, 0); len(got) != 0 {
				t.Errorf("somebody whom it does not concern sees it in %s: %v", tab, got)
			}
		}
		h.clock.forward(7*24*time.Hour - 3*time.Hour)
		marta.signIn()
		if v := marta.inbox(authority.TabYou, 0)[0]; !v.Expiring {
			t.Error("three hours before its end it does not stand out")
		}
		marta.approve(id)
		done := marta.inbox(authority.TabDecided, 0)
		if len(done) != 1 || done[0].Act != countersign.ActApprove || done[0].Decided.IsZero() || len(marta.inbox(authority.TabYou, 0)) != 0 {
			t.Errorf("%+v", done)
		}
		elif.signIn()
		if got := idsOf(elif.inbox(authority.TabDecided, 0)); !slices.Equal(got, []string{id}) {
			t.Errorf("who asked: %v", got)
		}
	})
}

// TestInboxOrder: what expires first stands first, then what was found weighs, then age.
func TestInboxOrder(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	soon := h.submit(order("PO-1", "30000.00")).ID
	h.clock.forward(7*24*time.Hour - 2*time.Hour)
	by := func(login, category string) func(*countersign.Document) {
		return func(d *countersign.Document) { d.Requester.ID, d.Category = login, category }
	}
	urgent := func(d *countersign.Document) { d.Kind, d.Flags = countersign.KindInvoice, []string{"urgent"} }
	light1 := h.submit(order("PO-2", "30000.00", by("priya", "x"))).ID
	light2 := h.submit(order("PO-3", "31000.00", by("rosa", "y"))).ID
	heavy := h.submit(order("PO-4", "32000.00", by("samuel", "z"), urgent)).ID
	marta := h.who["marta"]
	marta.signIn()
	want := []string{soon, heavy, light1, light2}
	for _, limit := range []int{0, 1, 2, 3} {
		if got := idsOf(marta.inbox(authority.TabYou, limit)); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
}

// waitsBySlowRules is the inbox's "you" as deciding itself would have it: a challenge is
// asked for, by the person and in the place of everybody they may act for.
func (d *dweller) waitsBySlowRules(id string, delegators []string) bool {
	h := d.h
	seen, err := h.a.Get(h.ctx, authority.Caller{Session: &d.session}, id)
	if err != nil {
		return false
	}
	for _, from := range append([]string{""}, delegators...) {
		b := countersign.ChallengeBody{Digest: seen.Digest, Act: countersign.ActApprove, ActingFor: from}
		_, err := h.a.Challenge(h.ctx, d.session, id, b)
		if err == nil {
			return true
		}
		p := h.problem(err)
		passing := len(p.Reasons) > 0
		for _, r := range p.Reasons {
			passing = passing && (r.Rule == approval.ObstacleCoolOff || r.Rule == approval.ObstacleFactor)
		}
		if passing {
			return true
		}
	}
	return false
}

// problem wants some problem and returns it.
func (h *house) problem(err error) *countersign.Problem {
	h.t.Helper()
	p, ok := err.(*countersign.Problem)
	if !ok {
		h.t.Fatal(describe(err))
	}
	return p
}

// TestInboxIsWhatDecidingSays makes a random house full of requests and holds
// everybody's inbox to what they could decide on if they tried: what is in "you" they can
// decide, what they can decide is in "you", what they see besides and is open is with the
// others, and nothing that they may not see is anywhere.
func TestInboxIsWhatDecidingSays(t *testing.T) {
	each(t, func(h *house) {
		rnd := rand.New(rand.NewPCG(1, 7))
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		h.vendor("V-2", "Südwind AG", 12, &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"})
		var ids []string
		submit := func(d *countersign.Document, sub *countersign.Submission) {
			out, err := h.a.Submit(h.ctx, h.key, body(d, sub))
			h.must(err)
			ids = append(ids, out.Approval.ID)
		}
		askers := []string{"elif", "priya", "marta", "ingrid", "tomas", "stranger"}
		for i := range 40 {
			d := order(fmt.Sprintf("PO-%d", i), []string{"900.00", "12000.00", "30000.00", "80000.00"}[rnd.IntN(4)], func(d *countersign.Document) {
				d.Kind = []string{countersign.KindPurchaseOrder, countersign.KindInvoice, countersign.KindPurchaseOrder}[rnd.IntN(3)]
				d.Payee = &countersign.Payee{ID: []string{"V-1", "V-2", "V-9"}[rnd.IntN(3)], Name: "Somebody"}
				d.Requester = &countersign.Party{Type: "person", ID: askers[rnd.IntN(len(askers))], Name: "Somebody"}
				d.Category = fmt.Sprint("c", i)
			})
			var sub *countersign.Submission
			if rnd.IntN(3) == 0 {
				sub = &countersign.Submission{Approver: []string{"marta", "daniel", "tomas", "elif"}[rnd.IntN(4)]}
			}
			submit(d, sub)
			h.clock.forward(time.Minute)
		}
		iban := countersign.Account{Scheme: "iban", Value: "DE02120300000000202051"}
		submit(&countersign.Document{Kind: countersign.KindVendorBankChange, ID: "BC-1", Revision: "1", Payee: &countersign.Payee{ID: "V-2", Name: "Südwind AG", Account: &iban},
			Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"}, Changes: []countersign.Change{{Field: "account", From: "DE89370400440532013000", To: iban.Value}}}, nil)
		for _, login := range []string{"marta", "samuel", "claire", "elif"} {
			h.who[login].signIn()
		}
		out, err := h.who["samuel"].propose(countersign.KindPeopleChange, h.who["priya"].id, countersign.Change{Field: "group.add", To: "finance"})
		h.must(err)
		ids = append(ids, out.ID)
		delegators := map[string][]string{}
		for _, p := range [][2]string{{"ingrid", "amara"}, {"marta", "rosa"}, {"claire", "tomas"}} {
			from, to := h.who[p[0]], h.who[p[1]]
			from.signIn()
			_, err := from.delegate(authority.DelegationBody{To: to.id, Ends: h.clock.Now().AddDate(0, 0, 5).Format(time.RFC3339)})
			h.must(err)
			delegators[p[1]] = append(delegators[p[1]], from.id)
		}
		h.who["daniel"].state(func(p *countersign.PersonFact) {
			p.Limits = []countersign.LimitFact{{Amount: countersign.Amount{Value: "20000.00", Currency: "EUR"}}}
		})
		_, err = h.who["marta"].freeze(authority.FreezeBody{Person: h.who["amara"].id, Reason: "a lost laptop"})
		h.must(err)              // the policy, and it alone, bars them from now on
		for _, id := range ids { // some decide on some
			for _, login := range []string{"ingrid", "marta", "tomas"} {
				if rnd.IntN(5) == 0 {
					act := []countersign.Act{countersign.ActApprove, countersign.ActApprove, countersign.ActDeny}[rnd.IntN(3)]
					h.who[login].byPasskey(id, act)
				}
			}
		}
		full := 0
		for login, d := range h.who {
			if d.key == nil {
				continue
			}
			d.signIn()
			you, others, decided := d.inbox(authority.TabYou, 7), d.inbox(authority.TabOthers, 7), d.inbox(authority.TabDecided, 7)
			page, err := h.a.Inbox(h.ctx, d.session, authority.InboxQuery{Limit: 100})
			h.must(err)
			if c := page.Counts; c.You.N != len(you) || c.Others.N != len(others) || c.Decided.N != len(decided) {
				t.Errorf("%s: counts %+v for %d, %d, %d", login, c, len(you), len(others), len(decided))
			}
			in := map[string]string{}
			for tab, items := range map[string][]authority.InboxItem{"you": you, "others": others, "decided": decided} {
				for _, v := range items {
					if in[v.ID] != "" {
						t.Errorf("%s: %s is in %s and in %s", login, v.ID, in[v.ID], tab)
					}
					in[v.ID] = tab
				}
			}
			for _, id := range ids {
				seen, err := h.a.Get(h.ctx, authority.Caller{Session: &d.session}, id)
				want := ""
				switch {
				case err != nil:
				case seen.Status == countersign.StatusPending && d.waitsBySlowRules(id, delegators[login]):
					want = "you"
				case seen.Status == countersign.StatusPending || seen.Status == countersign.StatusUnsatisfiable:
					want = "others"
				case h.tookPart(id, d.id):
					want = "decided"
				}
				if in[id] != want {
					t.Errorf("%s: %s %s is in %q, want %q", login, id, seen.Status, in[id], want)
				}
				if want == "you" {
					full++
				}
			}
		}
		if full < 40 {
			t.Errorf("only %d times anybody is waited for: the house is too quiet for this test", full)
		}
	})
}

// TestInboxTrustsNoIndex: a row of the index that should not be there lets nobody see or
// decide anything.
func TestInboxTrustsNoIndex(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		tomas := h.who["tomas"]
		h.write(func(tx *store.Tx) error {
			for _, part := range []string{store.PartDecide, store.PartSee} {
				if err := tx.ExecOne(`INSERT INTO audience (org_id, approval_id, who, part, live, pressing, due_us, created_us) SELECT $1, id, $3, $4, 1, 0, due_us, created_us
					FROM approval WHERE org_id = $1 AND id = $2`, id, tomas.id, part); err != nil {
					return err
				}
			}
			return nil
		})
		for _, tab := range []string{authority.TabYou, authority.TabOthers, authority.TabDecided} {
			if got := tomas.inbox(tab, 0); len(got) != 0 {
				h.t.Errorf("%s: %+v", tab, got)
			}
		}
	})
}

// tookPart reports whether a person asked for a request or decided on it.
func (h *house) tookPart(id, person string) bool {
	h.t.Helper()
	var n int
	h.read(func(tx *store.Tx) error {
		return tx.Row(`SELECT (SELECT COUNT(*) FROM approval WHERE org_id = $1 AND id = $2 AND requester_key = $3) +
			(SELECT COUNT(*) FROM decision WHERE org_id = $1 AND approval_id = $2 AND person_id = $3)`, id, person).Scan(&n)
	})
	return n > 0
}
