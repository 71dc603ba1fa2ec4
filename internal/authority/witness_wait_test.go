package authority_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// waitingPolicy is the pack that ships, whose large purchases wait for a witness.
func waitingPolicy(t *testing.T) countersign.Change {
	t.Helper()
	const rule = "require: {assurance: mfa}\n    because: \"{kind} of {amount} is {large}"
	text := string(source(t).Text)
	waiting := strings.Replace(text, rule, strings.Replace(rule, "mfa}", "mfa, wait_for_witness: true}", 1), 1)
	if waiting == text {
		t.Fatal("nothing was replaced")
	}
	return countersign.Change{Field: "policy", To: waiting}
}

// TestRuling29WaitsForAWitnessWhereThePolicySaysSo: with the witness down nothing is
// allowed and nothing released, and nothing is lost: later the same questions are
// answered.
func TestRuling29WaitsForAWitnessWhereThePolicySaysSo(t *testing.T) {
	each(t, func(h *house) {
		w := h.witnessed("witness.example/w1")[0]
		authority.Impatient(h.a, 50*time.Millisecond)
		p, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", waitingPolicy(t))
		h.must(err)
		h.who["claire"].approve(p.ID)
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		w.Down(true)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		out := h.who["marta"].approve(id)
		if out.Status != countersign.StatusPending || len(out.Receipt) > 0 || len(out.Missing) != 1 || !strings.Contains(out.Missing[0], "witness") {
			t.Fatalf("with the witness down: %s, missing %v", out.Status, out.Missing)
		}
		if out := h.get(id); out.Status != countersign.StatusPending {
			t.Errorf("whoever looks reads %s", out.Status)
		}
		_, err = h.release(id, d, "E-1")
		if p := h.refused(err, countersign.CodeUnavailable); !strings.Contains(p.Error()+p.Hint, "witness") {
			t.Errorf("the refusal says %v", p)
		}
		w.Down(false)
		h.must(h.a.Publish(h.ctx))
		h.must(h.asked())
		if out := h.get(id); out.Status != countersign.StatusApproved {
			t.Errorf("cosigned, it is %s", out.Status)
		}
		// The release's own entry waits too; the same execution id gets its answer later.
		_, err = h.release(id, d, "E-1")
		h.refused(err, countersign.CodeUnavailable)
		h.must(h.a.Publish(h.ctx))
		h.must(h.asked())
		answer, err := h.release(id, d, "E-1")
		h.must(err)
		h.must(h.cosignedBy(answer.Receipt, 1, w))
		// Where the witness answers in time nobody notices.
		authority.Impatient(h.a, steady.Limit)
		ctx, stop := context.WithCancel(h.ctx)
		defer stop()
		go func() {
			for ctx.Err() == nil {
				h.asked()
				time.Sleep(5 * time.Millisecond)
			}
		}()
		d = order("PO-2", "31000.00")
		second := h.who["marta"].approve(h.submit(d).ID)
		if second.Status != countersign.StatusApproved {
			t.Fatalf("%s, missing %v", second.Status, second.Missing)
		}
		answer, err = h.release(second.ID, d, "E-2")
		h.must(err)
		h.must(h.cosignedBy(answer.Receipt, 1, w))
	})
}

// Without a witness such a policy is not published.
func TestAPolicyThatWaitsNeedsAWitness(t *testing.T) {
	h := onSQLite(t)
	_, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", waitingPolicy(t))
	h.refused(err, countersign.CodeInvalid)
}
