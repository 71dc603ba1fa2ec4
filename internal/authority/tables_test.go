package authority_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/note"
)

// TestTables: the control owner finds what they look for, whoever may not look is
// refused, and pages and exports hold the same rows.
func TestTables(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		rosa, marta, tomas := h.who["rosa"], h.who["marta"], h.who["tomas"]
		silent := h.submit(order("PO-0", "9.00")).ID
		h.clock.forward(time.Millisecond) // identifiers sort by the millisecond
		large := h.submit(order("PO-1", "30000.00", func(d *countersign.Document) { d.Subject = "100% Forklifts" })).ID
		h.clock.forward(time.Millisecond)
		invoice := h.submit(order("INV-1", "40000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-9", Name: "Ångström & Söhne"}
			d.Requester.ID = "priya"
		})).ID
		marta.approve(large)
		_, err := h.who["ingrid"].bySession(invoice, countersign.ActDeny)
		h.must(err)
		all := []string{invoice, large, silent}
		for name, c := range map[string]struct {
			f    authority.TableFilter
			want []string
		}{
			"all":          {authority.TableFilter{}, all},
			"status":       {authority.TableFilter{Status: countersign.StatusDenied}, []string{invoice}},
			"kind":         {authority.TableFilter{Kind: countersign.KindPurchaseOrder}, []string{large, silent}},
			"vendor":       {authority.TableFilter{Vendor: "V-1"}, []string{large, silent}},
			"requester":    {authority.TableFilter{Requester: h.who["priya"].id}, []string{invoice}},
			"as a source":  {authority.TableFilter{Requester: "erp:priya"}, []string{invoice}},
			"decider":      {authority.TableFilter{Decider: marta.id}, []string{large}},
			"group":        {authority.TableFilter{Group: "finance"}, []string{invoice}},
			"outcome":      {authority.TableFilter{Outcome: countersign.OutcomeAllow}, []string{silent}},
			"rule":         {authority.TableFilter{Rule: "large-purchase"}, []string{invoice, large}},
			"part of one":  {authority.TableFilter{Rule: "large"}, nil},
			"source":       {authority.TableFilter{Source: "elsewhere"}, nil},
			"text":         {authority.TableFilter{Text: "FORKLIFT"}, []string{large}},
			"wildcard":     {authority.TableFilter{Text: "100%"}, []string{large}},
			"no wildcard":  {authority.TableFilter{Text: "1%f"}, nil},
			"two words":    {authority.TableFilter{Text: "söhne inv-1"}, []string{invoice}},
			"who asked":    {authority.TableFilter{Text: "elif kaya"}, all},
			"since":        {authority.TableFilter{Since: h.clock.Now()}, nil},
			"until":        {authority.TableFilter{Until: h.clock.Now()}, all},
			"all of these": {authority.TableFilter{Kind: countersign.KindInvoice, Group: "finance", Decider: h.who["ingrid"].id, Text: "inv"}, []string{invoice}},
		} {
			var got, paged []string
			for r, err := range h.a.AllRequests(h.ctx, rosa.session, c.f) {
				h.must(err)
				got = append(got, r.ID)
			}
			for p := (authority.TablePage{Limit: 1}); ; {
				page, err := h.a.Requests(h.ctx, rosa.session, c.f, p)
				h.must(err)
				for _, r := range page.Items {
					paged = append(paged, r.ID)
				}
				if p.After = page.Next; p.After == "" {
					break
				}
			}
			if !slices.Equal(got, c.want) || !slices.Equal(paged, c.want) {
				t.Errorf("%s: %v, in pages %v, want %v", name, got, paged, c.want)
			}
		}
		page, err := h.a.Requests(h.ctx, rosa.session, authority.TableFilter{Decider: marta.id}, authority.TablePage{})
		h.must(err)
		if r := page.Items[0]; r.Deciders[0].Name != "Marta Silva" || !slices.Contains(r.Rules, "large-purchase") || r.Outcome != countersign.OutcomeStepUp || r.PolicyVersion != 1 || r.Amount.Value != "30000.00" {
			t.Errorf("%+v", r)
		}
		decisions, err := h.a.Decisions(h.ctx, rosa.session, authority.TableFilter{}, authority.TablePage{})
		h.must(err)
		if len(decisions.Items) != 2 || decisions.Items[0].Act != countersign.ActDeny || decisions.Items[0].Factor != authority.FactorSession || decisions.Items[0].Request.ID != invoice ||
			decisions.Items[1].Person.Name != "Marta Silva" || decisions.Items[1].Factor != store.FactorPasskey {
			t.Errorf("%+v", decisions)
		}
		n := 0
		for d, err := range h.a.AllDecisions(h.ctx, rosa.session, authority.TableFilter{Kind: countersign.KindInvoice}) {
			h.must(err)
			n++
			if d.Request.ID != invoice {
				t.Errorf("%+v", d)
			}
		}
		if n != 1 {
			t.Errorf("%d decisions on invoices", n)
		}
		for _, d := range []*dweller{marta, tomas} {
			_, err := h.a.Requests(h.ctx, d.session, authority.TableFilter{}, authority.TablePage{})
			h.refused(err, countersign.CodeForbidden)
			_, err = h.a.Decisions(h.ctx, d.session, authority.TableFilter{}, authority.TablePage{})
			h.refused(err, countersign.CodeForbidden)
			_, err = h.a.HoldsRunning(h.ctx, d.session, authority.TablePage{})
			h.refused(err, countersign.CodeForbidden)
			_, err = h.a.Founding(h.ctx, d.session)
			h.refused(err, countersign.CodeForbidden)
			_, err = h.a.Entries(h.ctx, d.session, authority.EntryFilter{}, authority.TablePage{})
			h.refused(err, countersign.CodeForbidden)
		}
		f, err := h.a.Founding(h.ctx, rosa.session)
		h.must(err)
		if f.Founding || len(f.Administrators) != 2 || f.Needed != 2 || f.Stamped != 0 {
			t.Errorf("%+v", f)
		}
	})
}

// TestExportCanBeLeft: an export ends where its reader goes, and with the caller.
func TestExportCanBeLeft(t *testing.T) {
	h := onSQLite(t)
	for i := range 3 {
		h.submit(order(fmt.Sprint("PO-", i), "9.00"))
	}
	for range h.a.AllRequests(h.ctx, h.who["rosa"].session, authority.TableFilter{}) {
		break
	}
	ctx, stop := context.WithCancel(h.ctx)
	stop()
	for _, err := range h.a.AllRequests(ctx, h.who["rosa"].session, authority.TableFilter{}) {
		var p *countersign.Problem
		if !errors.As(err, &p) {
			t.Errorf("%v", err)
		}
	}
}

// TestTablesShowTampering: a row that was changed from outside does not vanish from the
// control owner's table.
func TestTablesShowTampering(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	id := h.submit(order("PO-1", "30000.00")).ID
	h.write(func(tx *store.Tx) error {
		return tx.ExecOne(`UPDATE approval SET document = $3 WHERE org_id = $1 AND id = $2`, id, []byte(`{}`))
	})
	h.broken = true
	page, err := h.a.Requests(h.ctx, h.who["rosa"].session, authority.TableFilter{}, authority.TablePage{})
	h.must(err)
	if len(page.Items) != 1 || !page.Items[0].Tampered || page.Items[0].ID != id {
		t.Errorf("%+v", page)
	}
	if got := h.who["marta"].inbox(authority.TabYou, 0); len(got) != 0 {
		t.Error("it is offered for a decision")
	}
}

// TestHoldsRunning: a hold is there until it ends, the first to end at the top.
func TestHoldsRunning(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		rosa := h.who["rosa"]
		var ids []string
		for i, iban := range []string{"DE02120300000000202051", "DE89370400440532013000"} {
			d := &countersign.Document{Kind: countersign.KindVendorBankChange, ID: fmt.Sprint("BC-", i), Revision: "1", Payee: &countersign.Payee{ID: fmt.Sprint("V-", i+1), Name: "A vendor",
				Account: &countersign.Account{Scheme: "iban", Value: iban}}, Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"},
				Changes: []countersign.Change{{Field: "account", To: iban}}}
			id := h.submit(d).ID
			ids = append(ids, id)
			h.who["tomas"].approve(id)
			if v := h.who["ingrid"].approve(id); v.NotBefore == "" {
				h.t.Fatalf("%s: %+v", v.Status, v.Missing)
			}
			h.clock.forward(5 * time.Minute)
		}
		var got []string
		for p := (authority.TablePage{Limit: 1}); ; {
			page, err := h.a.HoldsRunning(h.ctx, rosa.session, p)
			h.must(err)
			for _, r := range page.Items {
				got = append(got, r.ID)
				if len(r.Watchers) == 0 || !r.HeldUntil.After(h.clock.Now()) {
					t.Errorf("%+v", r)
				}
			}
			if p.After = page.Next; p.After == "" {
				break
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%v, want %v", got, ids)
		}
		watcher := h.who["claire"]
		h.write(func(tx *store.Tx) error { _, err := tx.AddMembership("treasury", watcher.id); return err })
		if got := idsOf(watcher.inbox(authority.TabOthers, 0)); !slices.Equal(got, []string{ids[1], ids[0]}) {
			t.Errorf("who watches a hold sees: %v", got)
		}
		for _, d := range []*dweller{watcher, h.who["tomas"]} { // of whom the second has done their part
			page, err := h.a.Inbox(h.ctx, d.session, authority.InboxQuery{})
			h.must(err)
			if others := d.inbox(authority.TabOthers, 0); page.Counts.Others.N != len(others) || (d != watcher && len(others) != 0) {
				t.Errorf("%s: %+v for %d", d.login, page.Counts, len(others))
			}
		}
		h.clock.forward(24*time.Hour - 8*time.Minute)
		rosa.signIn()
		page, err := h.a.HoldsRunning(h.ctx, rosa.session, authority.TablePage{})
		h.must(err)
		if len(page.Items) != 1 || page.Items[0].ID != ids[1] {
			t.Errorf("after the first has ended: %+v", page.Items)
		}
	})
}

// TestEntries: the explorer finds entries by what they are about, and gives for each
// what proves it.
func TestEntries(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		rosa, marta := h.who["rosa"], h.who["marta"]
		id := h.submit(order("PO-1", "30000.00")).ID
		h.submit(order("PO-2", "9.00"))
		marta.approve(id)
		h.step()
		find := func(f authority.EntryFilter) []authority.EntryRow {
			var all []authority.EntryRow
			for p := (authority.TablePage{Limit: 2}); ; {
				page, err := h.a.Entries(h.ctx, rosa.session, f, p)
				h.must(err)
				all = append(all, page.Items...)
				if p.After = page.Next; p.After == "" {
					return all
				}
			}
		}
		everything := find(authority.EntryFilter{})
		for i, e := range everything {
			if e.Index != int64(len(everything)-1-i) {
				t.Fatalf("entry %d is at %d of %d", e.Index, i, len(everything))
			}
		}
		byHand := func(keep func(authority.EntryRow) bool) (out []int64) {
			for _, e := range everything {
				if keep(e) {
					out = append(out, e.Index)
				}
			}
			return out
		}
		of := func(kind string, e authority.EntryRow) bool {
			return strings.HasPrefix(e.Subject, "req_") && e.Request.Kind == kind
		}
		number := everything[1].Index
		for name, c := range map[string]struct {
			f    authority.EntryFilter
			keep func(authority.EntryRow) bool
		}{
			"types": {authority.EntryFilter{Types: []countersign.EntryType{countersign.EntryDecisionMade, countersign.EntryRequestSubmitted}},
				func(e authority.EntryRow) bool {
					return e.Type == countersign.EntryDecisionMade || e.Type == countersign.EntryRequestSubmitted
				}},
			"person": {authority.EntryFilter{Person: marta.id}, func(e authority.EntryRow) bool { return e.Actor.ID == marta.id || e.Subject == marta.id }},
			"person and type": {authority.EntryFilter{Person: marta.id, Types: []countersign.EntryType{countersign.EntrySignedIn}},
				func(e authority.EntryRow) bool { return e.Type == countersign.EntrySignedIn && e.Actor.ID == marta.id }},
			"vendor": {authority.EntryFilter{Vendor: "V-1"}, func(e authority.EntryRow) bool { return strings.HasPrefix(e.Subject, "req_") }},
			"object": {authority.EntryFilter{Object: "PO-1"}, func(e authority.EntryRow) bool { return e.Subject == id }},
			"kind":   {authority.EntryFilter{Kind: countersign.KindPurchaseOrder}, func(e authority.EntryRow) bool { return of(countersign.KindPurchaseOrder, e) }},
			"number": {authority.EntryFilter{Number: &number}, func(e authority.EntryRow) bool { return e.Index == number }},
			"since":  {authority.EntryFilter{Since: everything[2].At}, func(e authority.EntryRow) bool { return !e.At.Before(everything[2].At) }},
			"until":  {authority.EntryFilter{Until: everything[2].At}, func(e authority.EntryRow) bool { return e.At.Before(everything[2].At) }},
		} {
			var got []int64
			for _, e := range find(c.f) {
				got = append(got, e.Index)
			}
			if want := byHand(c.keep); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		decided := find(authority.EntryFilter{Types: []countersign.EntryType{countersign.EntryDecisionMade}})[0]
		v, err := h.a.Entry(h.ctx, rosa.session, decided.Index)
		h.must(err)
		verifier, err := note.NewVerifier(v.Verifiers[0])
		h.must(err)
		if _, err := note.Open(v.Checkpoint, note.VerifierList(verifier)); err != nil {
			t.Error(err)
		}
		leaf, err := countersign.ParseLeaf(v.Leaf)
		h.must(err)
		if leaf.ID != v.ID || v.Actor.Name != "Marta Silva" || !v.Receipt || v.Request.ID != id || !strings.Contains(v.Proof, string(v.Checkpoint)) {
			t.Errorf("%+v", v.EntryRow)
		}
		o := v.Openings[countersign.OpeningDecision]
		if sum, err := o.Commitment(countersign.OpeningDecision); err != nil || sum != leaf.Commitments[countersign.OpeningDecision] {
			t.Errorf("the opening does not open the commitment: %v", err)
		}
		_, err = h.a.Entry(h.ctx, rosa.session, int64(len(everything))+1000)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Entry(h.ctx, marta.session, decided.Index)
		h.refused(err, countersign.CodeForbidden)
	})
}
