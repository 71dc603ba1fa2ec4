package authority_test

import (
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// TestRetriedSubmissionIsWeighedOnWhatItSees: after a collision PostgreSQL's transaction
// runs again. The second attempt must not take the sums that the first one read for
// those that the answer at hand was given on.
func TestRetriedSubmissionIsWeighedOnWhatItSees(t *testing.T) {
	for _, collide := range []bool{false, true} {
		h := onSQLite(t)
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		out, err := authority.SubmitRetried(h.a, h.ctx, h.key, body(order("B", "20000.00"), nil), func() { h.submit(order("A", "20000.00")) }, collide)
		h.must(err)
		if out.Status != countersign.StatusPending {
			t.Errorf("second half of a split, collision %v: %s", collide, out.Status)
		}
	}
}

// TestDenialIsNotWashedOut: however many revisions come after a denial, the next one
// still shows it.
func TestDenialIsNotWashedOut(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	first := h.submit(order("PO-D", "31000.00"))
	_, err := h.who["marta"].byPasskey(first.ID, countersign.ActDeny)
	h.must(err)
	last := ""
	for i := range 25 {
		h.clock.forward(4 * 60e9)
		d := order("PO-D", "900.00", func(d *countersign.Document) { d.Revision = string(rune('a' + i)) })
		out, err := h.a.Submit(h.ctx, h.key, body(d, &countersign.Submission{Supersedes: last}))
		h.must(err)
		if out.Approval.Status == countersign.StatusApproved {
			t.Fatalf("revision %d after a denial passed", i+1)
		}
		last = out.Approval.ID
	}
}

// TestRuling11ProvisioningIsLogged: a manager or an alias that a directory changes is
// counted, logged, and seen by the next weighing.
func TestRuling11ProvisioningIsLogged(t *testing.T) {
	h := onSQLite(t)
	for _, p := range []countersign.PersonFact{
		{Subject: "elif", Name: "Elif Kaya", Manager: "ingrid"},
		{Subject: "elif", Name: "Elif Kaya", Aliases: []countersign.Alias{{Source: "concur", Subject: "elif.k"}}},
	} {
		before, err := h.a.LogEntries(h.ctx, authority.Caller{Key: &h.key}, 0, 500)
		h.must(err)
		out, err := h.a.RecordFacts(h.ctx, h.key, countersign.FactsBody{People: []countersign.PersonFact{p}})
		h.must(err)
		h.must(h.a.Publish(h.ctx))
		after, err := h.a.LogEntries(h.ctx, authority.Caller{Key: &h.key}, 0, 500)
		h.must(err)
		if out.Changed != 1 || len(after.Items) < len(before.Items)+2 {
			t.Errorf("%+v: counted %+v, %d new entries", p, out, len(after.Items)-len(before.Items))
		}
	}
}
