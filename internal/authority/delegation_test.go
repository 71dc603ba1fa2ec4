package authority_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func (h *house) in(d time.Duration) string { return h.clock.Now().Add(d).UTC().Format(time.RFC3339) }

// forMarta is a challenge in Marta's place.
func (h *house) forMarta(b *countersign.ChallengeBody) { b.ActingFor = h.who["marta"].id }

// TestRuling20BothNamesAreSigned: who acts and in whose place stand in the statement
// that the passkey signs, in the decision, in the log and in what a verifier reads; and
// the log says under which delegation.
func TestRuling20BothNamesAreSigned(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, tomas := h.who["marta"], h.who["tomas"]
		made, err := marta.delegate(authority.DelegationBody{To: tomas.id, Ends: h.in(time.Hour), Limit: &countersign.Amount{Value: "40000.00", Currency: "EUR"}})
		h.must(err)
		a := h.submit(order("PO-1", "30000.00"))
		c, err := tomas.challenge(a.ID, countersign.ActApprove, h.forMarta)
		h.must(err)
		s, err := countersign.ParseStatement(c.Statement)
		h.must(err)
		if s.Person != tomas.id || s.ActingFor != marta.id {
			t.Errorf("what is signed: person %s, for %s", s.Person, s.ActingFor)
		}
		out, err := tomas.answer(a.ID, c)
		h.must(err)
		d := out.Decisions[0]
		if d.Person.Name != tomas.name || d.ActingFor == nil || d.ActingFor.Name != marta.name || d.Limit == nil || d.Limit.Value != "40000.00" {
			t.Errorf("the decision: %+v", d)
		}
		if !slices.Contains(d.Groups, "approvers") {
			t.Errorf("the groups are not those whose authority it is: %v", d.Groups)
		}
		claimed := false
		for _, claim := range h.verified(out.Receipt).Claims {
			claimed = claimed || (strings.HasPrefix(claim.By, "person") && strings.Contains(claim.Text, "acts for "+marta.id))
		}
		if !claimed {
			t.Error("no claim of the person's own says in whose place")
		}
		leaves := h.leaves(a.ID)
		if last := leaves[len(leaves)-1]; last.Facts["delegation"] != made.ID {
			t.Errorf("the entry does not say under which delegation: %v", last.Facts)
		}
	})
}

func (h *house) leaves(subject string) (out []countersign.Leaf) {
	h.t.Helper()
	h.must(h.a.Publish(h.ctx))
	h.read(func(tx *store.Tx) error {
		out = nil
		entries, err := tx.EntriesBySubject(subject, -1, 1000)
		for _, e := range entries {
			l, err := countersign.ParseLeaf(e.Leaf)
			if err != nil {
				return err
			}
			out = append(out, l)
		}
		return err
	})
	return out
}

// TestTrapDelegationEndsBetweenChallengeAndDecision: what was offered while it was in
// force is refused when it is over, or when either of its people may do nothing more.
func TestTrapDelegationEndsBetweenChallengeAndDecision(t *testing.T) {
	for name, end := range map[string]func(h *house, id string){
		"ended":    func(h *house, id string) { h.must(h.a.EndDelegation(h.ctx, h.who["marta"].session, id)) },
		"its time": func(h *house, _ string) { h.clock.forward(2 * time.Minute) },
		"delegator": func(h *house, _ string) {
			h.who["marta"].state(func(p *countersign.PersonFact) { p.Inactive = true })
		},
		"delegator's groups": func(h *house, _ string) {
			h.who["marta"].state(func(p *countersign.PersonFact) { p.Groups = []string{"finance"} })
		},
		"delegator's limit": func(h *house, _ string) {
			h.who["marta"].state(func(p *countersign.PersonFact) {
				p.Limits = []countersign.LimitFact{{Amount: countersign.Amount{Value: "100.00", Currency: "EUR"}}}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(h *house) {
				h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
				tomas := h.who["tomas"]
				made, err := h.who["marta"].delegate(authority.DelegationBody{To: tomas.id, Ends: h.in(time.Minute)})
				h.must(err)
				a := h.submit(order("PO-1", "30000.00"))
				c, err := tomas.challenge(a.ID, countersign.ActApprove, h.forMarta)
				h.must(err)
				end(h, made.ID)
				if _, err := tomas.answer(a.ID, c); err == nil {
					t.Fatal("it was decided")
				}
				if st := h.get(a.ID); st.Status != countersign.StatusPending || len(st.Decisions) != 0 {
					t.Errorf("%s, %d decisions", st.Status, len(st.Decisions))
				}
			})
		})
	}
}

// TestDelegationNeedsItsOwnStepUp: neither without one, nor with one that was made for
// other terms; and a challenge counts once.
func TestDelegationNeedsItsOwnStepUp(t *testing.T) {
	each(t, func(h *house) {
		marta, tomas := h.who["marta"], h.who["tomas"]
		narrow := authority.DelegationBody{To: tomas.id, Ends: h.in(time.Hour), Kinds: []string{"invoice"}, Limit: &countersign.Amount{Value: "10.00", Currency: "EUR"}, Reason: "away"}
		for name, widen := range map[string]func(*authority.DelegationBody){
			"to another": func(b *authority.DelegationBody) { b.To = h.who["daniel"].id },
			"for longer": func(b *authority.DelegationBody) { b.Ends = h.in(48 * time.Hour) },
			"sooner":     func(b *authority.DelegationBody) { b.Starts = h.in(-time.Hour) },
			"every kind": func(b *authority.DelegationBody) { b.Kinds = nil },
			"more kinds": func(b *authority.DelegationBody) { b.Kinds = []string{"invoice", "payment"} },
			"no limit":   func(b *authority.DelegationBody) { b.Limit = nil },
			"more":       func(b *authority.DelegationBody) { b.Limit = &countersign.Amount{Value: "11.00", Currency: "EUR"} },
		} {
			b := narrow
			b.StepUp = marta.stepUp(authority.DelegationSubject(narrow))
			widen(&b)
			if _, err := h.a.Delegate(h.ctx, marta.session, b); err == nil {
				t.Errorf("%s: it was made under a step-up for other terms", name)
			} else {
				h.refused(err, countersign.CodeConflict)
			}
		}
		b := narrow
		_, err := h.a.Delegate(h.ctx, marta.session, b)
		h.refused(err, countersign.CodeGone)
		b.StepUp = marta.stepUp(authority.DelegationSubject(narrow))
		_, err = h.a.Delegate(h.ctx, marta.session, b)
		h.must(err)
		_, err = h.a.Delegate(h.ctx, marta.session, b)
		h.refused(err, countersign.CodeGone)
	})
}

// TestRuling20WidestDelegationCounts: of several from one person the one that lets the
// most pass is used, in the currency that amounts are compared in; a limit in a currency
// without a rate lets nothing pass; and what has no amount is covered where it is named.
func TestRuling20WidestDelegationCounts(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, tomas := h.who["marta"], h.who["tomas"]
		n := 0
		try := func(amount string) error {
			n++
			a := h.submit(order(fmt.Sprintf("PO-%d", n), amount, func(d *countersign.Document) { d.Category = fmt.Sprint(n) }))
			_, err := tomas.byPasskey(a.ID, countersign.ActApprove, h.forMarta)
			return err
		}
		give := func(kind, value, currency string) {
			b := authority.DelegationBody{To: tomas.id, Ends: h.in(time.Hour), Limit: &countersign.Amount{Value: value, Currency: currency}}
			if kind != "" {
				b.Kinds = []string{kind}
			}
			_, err := marta.delegate(b)
			h.must(err)
		}
		give("invoice", "99000.00", "EUR")
		h.refused(try("30000.00"), countersign.CodeNotFound) // not this kind
		give("", "50000.00", "USD")
		h.refused(try("30000.00"), countersign.CodeForbidden) // no rate
		_, err := h.a.RecordFacts(h.ctx, h.key, countersign.FactsBody{Rates: []countersign.RateFact{{Base: "EUR", Currency: "USD", Rate: "0.9", Day: h.clock.Now().Format(time.DateOnly)}}})
		h.must(err)
		h.must(try("45000.00"))
		h.refused(try("45000.01"), countersign.CodeForbidden)
		give("purchase_order", "46000.00", "EUR")
		give("purchase_order", "31000.00", "EUR")
		h.must(try("46000.00"))
		h.refused(try("46000.01"), countersign.CodeForbidden)
	})
}

// TestDelegationWithLimitNamesWhatHasNoAmount: a limit says nothing about a change of
// bank details, so that one is covered only where its kind is named.
func TestDelegationWithLimitNamesWhatHasNoAmount(t *testing.T) {
	each(t, func(h *house) {
		old := &countersign.Account{Scheme: "iban", Value: "DE02120300000000202051"}
		h.vendor("V-1", "Nordwind Technik GmbH", 6, old)
		doc := order("BC-1", "1.00", func(d *countersign.Document) {
			d.Kind, d.Amount = countersign.KindVendorBankChange, nil
			d.Payee.Account = &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
			d.Changes = []countersign.Change{{Field: "account", From: old.Value, To: d.Payee.Account.Value}}
		})
		a := h.submit(doc)
		if a.Status != countersign.StatusPending || len(a.Requirement.Clauses) == 0 {
			t.Fatalf("%s %+v", a.Status, a.Requirement)
		}
		ingrid, elif := h.who["ingrid"], h.who["rosa"] // Rosa has no part in it otherwise
		limit := &countersign.Amount{Value: "90000.00", Currency: "EUR"}
		for _, kinds := range [][]string{nil, {countersign.KindVendorBankChange}} {
			_, err := ingrid.delegate(authority.DelegationBody{To: elif.id, Ends: h.in(time.Hour), Limit: limit, Kinds: kinds})
			h.must(err)
			_, err = elif.challenge(a.ID, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.ActingFor = ingrid.id })
			if kinds == nil {
				if p := h.refused(err, countersign.CodeForbidden); !strings.Contains(fmt.Sprint(p.Detail, p.Reasons), "delegation") {
					t.Errorf("refused for another reason: %v %v", p, p.Reasons)
				}
			} else {
				h.must(err)
			}
		}
	})
}

// TestDelegationsAreFew: one person's cannot grow without end, and each is in the log
// with its terms and who is told.
func TestDelegationsAreFew(t *testing.T) {
	each(t, func(h *house) {
		marta, tomas := h.who["marta"], h.who["tomas"]
		var first *authority.DelegationView
		for i := range 21 {
			d, err := marta.delegate(authority.DelegationBody{To: tomas.id, Ends: h.in(time.Hour), Kinds: []string{"invoice"}})
			if i == 20 {
				h.refused(err, countersign.CodeState)
				break
			}
			h.must(err)
			if first == nil {
				first = d
			}
		}
		h.must(h.a.EndDelegation(h.ctx, tomas.session, first.ID))
		leaves := h.leaves(first.ID)
		if len(leaves) != 2 || leaves[0].Type != countersign.EntryDelegationChanged || leaves[0].Actor != marta.id || leaves[0].Facts["state"] != "made" ||
			leaves[1].Facts["state"] != "ended" || leaves[1].Actor != tomas.id || leaves[1].Facts["from"] != marta.id {
			t.Fatalf("%+v", leaves)
		}
		h.read(func(tx *store.Tx) error {
			o, err := tx.Openings(leaves[0].ID)
			h.must(err)
			var terms struct {
				Kinds    []string `json:"kinds"`
				Ends     string   `json:"ends_at"`
				Reason   string   `json:"reason"`
				Evidence countersign.Evidence
			}
			h.must(json.Unmarshal([]byte(o[countersign.OpeningDetail].Value), &terms))
			if terms.Ends != first.EndsAt || terms.Reason != "away" || !slices.Equal(terms.Kinds, []string{"invoice"}) || terms.Evidence.Passkey == nil {
				t.Errorf("the log says %+v", terms)
			}
			return nil
		})
	})
}
