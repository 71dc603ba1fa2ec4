package authority_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
)

// refusals are the reasons of the refused releases of a request, as logged.
func (h *house) refusals(request string) []string {
	h.t.Helper()
	h.must(h.a.Publish(h.ctx))
	var out []string
	h.read(func(tx *store.Tx) error {
		entries, err := tx.EntriesBySubject(request, -1, 1000)
		for _, e := range entries {
			leaf, err := countersign.ParseLeaf(e.Leaf)
			h.must(err)
			if leaf.Type == countersign.EntryReleaseRefused {
				out = append(out, leaf.Facts["reason"])
			}
		}
		return err
	})
	return out
}

// TestRefusedReleaseIsLoggedOnce: what an auditor wants to know of is in the log, and a
// caller that asks again and again does not fill it.
func TestRefusedReleaseIsLoggedOnce(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "900.00")
		id := h.submit(d).ID
		for range 3 {
			_, err := h.release(id, order("PO-1", "901.00"), "run-1")
			h.refused(err, countersign.CodeChanged)
		}
		if have := h.refusals(id); !slices.Equal(have, []string{"document"}) {
			h.t.Fatalf("logged: %v", have)
		}
		h.clock.forward(time.Hour)
		_, err := h.release(id, order("PO-1", "901.00"), "run-1")
		h.refused(err, countersign.CodeChanged)
		_, err = h.release(id, d, "run-1")
		h.must(err)
		_, err = h.release(id, d, "run-2")
		h.refused(err, countersign.CodeReleased)
		if have := h.refusals(id); !slices.Equal(have, []string{"document", "document", "execution"}) {
			h.t.Errorf("logged: %v", have)
		}
		// What is new against it is said beside the return to the approvers.
		d = order("PO-2", "900.00")
		id = h.submit(d).ID
		h.alert("1", "high", countersign.AlertSubject{Vendor: "V-1"})
		_, err = h.release(id, d, "run-3")
		h.refused(err, countersign.CodeNotReleasable)
		if have := h.refusals(id); !slices.Equal(have, []string{"alert"}) {
			h.t.Errorf("logged: %v", have)
		}
		// That nobody has decided yet is everyday.
		_, err = h.release(id, d, "run-3")
		h.refused(err, countersign.CodeState)
		if have := h.refusals(id); len(have) != 1 {
			h.t.Errorf("logged: %v", have)
		}
	})
}

// TestPastItsDeadlineItReadsExpired: from the deadline on every answer says so, before
// the clock's own work has come to it.
func TestPastItsDeadlineItReadsExpired(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.clock.forward(8 * 24 * time.Hour)
		if out := h.get(id); out.Status != countersign.StatusExpired || len(out.Missing) > 0 || out.EndedAt != out.DecideBy {
			h.t.Errorf("reads %s, ended %q, missing %v", out.Status, out.EndedAt, out.Missing)
		}
		list := func(s ...countersign.Status) []string {
			page, err := h.a.List(h.ctx, authority.Caller{Key: &h.key}, authority.ListQuery{ApprovalFilter: store.ApprovalFilter{Statuses: s}})
			h.must(err)
			var ids []string
			for _, i := range page.Items {
				ids = append(ids, i.ID)
				if i.Status != countersign.StatusExpired {
					h.t.Errorf("listed as %s", i.Status)
				}
			}
			return ids
		}
		for _, c := range []struct {
			asked []countersign.Status
			want  []string
		}{{nil, []string{id}}, {[]countersign.Status{countersign.StatusPending}, nil}, {[]countersign.Status{countersign.StatusExpired}, []string{id}}} {
			if have := list(c.asked...); !slices.Equal(have, c.want) {
				h.t.Errorf("%v: lists %v", c.asked, have)
			}
		}
		_, err := h.a.Check(h.ctx, h.key, countersign.ReleaseBody{Request: id, Document: body(d, nil).Document})
		if p := h.refused(err, countersign.CodeNotReleasable); !strings.Contains(p.Detail, "expired") {
			h.t.Errorf("a check says %q", p.Detail)
		}
		h.must(h.a.Tick(h.ctx))
		if out := h.get(id); out.Status != countersign.StatusExpired {
			h.t.Errorf("reads %s", out.Status)
		}
	})
}

// TestErasedReleaseIsStillProven: after an erasure the receipt of what was released
// verifies for whom it may be erased, and says what it no longer shows.
func TestErasedReleaseIsStillProven(t *testing.T) {
	each(t, func(h *house) {
		h.erased = true
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.settings(func(s *authority.Settings) { s.RetentionDays = 1 })
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.who["marta"].approve(id)
		_, err := h.release(id, d, "run-1")
		h.must(err)
		h.clock.forward(25 * time.Hour)
		h.who["samuel"].signIn()
		h.who["claire"].signIn()
		p, err := h.who["samuel"].propose(countersign.KindErasure, id)
		h.must(err)
		h.who["samuel"].approve(p.ID)
		h.who["claire"].approve(p.ID)
		h.must(h.a.Publish(h.ctx))
		receipt, err := h.a.Receipt(h.ctx, authority.Caller{Key: &h.key}, id)
		h.must(err)
		v, err := verify.Receipt(receipt, verify.Options{Keys: h.a.Verifiers(), AllowErased: true})
		if err != nil || v.Status != countersign.StatusReleased || len(v.Erased) == 0 {
			h.t.Errorf("%v: %+v", err, v)
		}
		if _, err := verify.Receipt(receipt, verify.Options{Keys: h.a.Verifiers()}); err == nil {
			h.t.Error("it verifies for whom nothing may be erased")
		}
	})
}

// TestReportIsNoLock: that somebody lost a key is not that somebody guessed at it.
func TestReportIsNoLock(t *testing.T) {
	h := onSQLite(t)
	marta := h.who["marta"]
	marta.signIn()
	mine, err := h.a.Authenticators(h.ctx, marta.session)
	h.must(err)
	h.must(h.a.ReportAuthenticator(h.ctx, marta.session, mine.Items[0].ID))
	types := h.entries(marta.id)
	if !slices.Contains(types, countersign.EntryAuthenticatorReported) || slices.Contains(types, countersign.EntryAuthenticatorLocked) {
		t.Errorf("the log has %v", types)
	}
}

// TestNominatedIsProvenAndReleased: who is asked by name, without a group, can be proven
// and what they approved released.
func TestNominatedIsProvenAndReleased(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		p, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: nominating})
		h.must(err)
		h.who["claire"].approve(p.ID)
		d := order("PO-1", "30000.00")
		sent, err := h.a.Submit(h.ctx, h.key, body(d, &countersign.Submission{Approver: "marta"}))
		h.must(err)
		if cl := sent.Approval.Requirement.Clauses; len(cl) != 1 || len(cl[0].From) != 0 {
			h.t.Fatalf("asks for %+v", cl)
		}
		out := h.who["marta"].approve(sent.Approval.ID)
		if v := h.verified(out.Receipt); v.Status != countersign.StatusApproved {
			h.t.Errorf("the receipt says %s", v.Status)
		}
		answer, err := h.release(sent.Approval.ID, d, "run-1")
		h.must(err)
		if v := h.verified(answer.Receipt); v.Status != countersign.StatusReleased {
			h.t.Errorf("the receipt says %s", v.Status)
		}
	})
}

// TestNobodyElseRaisesAnAlertAboutARequest: only Countersign says that nobody can decide
// on one.
func TestNobodyElseRaisesAnAlertAboutARequest(t *testing.T) {
	h := onSQLite(t)
	_, _, err := h.a.RaiseAlert(h.ctx, authority.Caller{Key: &h.key}, countersign.AlertBody{ID: "1", Severity: "high", Title: "odd", About: countersign.AlertSubject{Vendor: "V-1", Request: "req_x"}})
	h.refused(err, countersign.CodeInvalid)
}
