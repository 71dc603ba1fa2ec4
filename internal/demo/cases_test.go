package demo

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

func house(t *testing.T) *House {
	t.Helper()
	h, err := Build(t.Context(), Config{Dir: filepath.Join(t.TempDir(), "demo"), URL: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// becauseOf names the rule that each live case is there to show.
var becauseOf = map[string]string{"large-order": "large-purchase", "new-vendor-invoice": "new-vendor-large-invoice", "bank-change": "vendor-bank-change",
	"payment-to-new-account": "payment-to-pending-account", "payment-to-old-account": "payment-during-bank-change", "split-4": "split-purchase", "agent-order": "bought-by-machine"}

// The live cases, weighed by the policy that ships against the year, come out as they
// say, and for the reason that they are there for.
func TestCasesComeOutAsTheySay(t *testing.T) {
	h := house(t)
	key, err := h.Authority.AuthenticateKey(t.Context(), h.Info.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range LiveCases(h.Company, time.Now()) {
		raw, err := json.Marshal(c.Document)
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.Authority.Submit(t.Context(), key, countersign.RequestBody{Document: raw, Submission: &countersign.Submission{Approver: c.Approver, Channel: c.Channel}})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		a := out.Approval
		if a.Outcome != c.Outcome || a.Status == countersign.StatusUnsatisfiable {
			t.Errorf("%s: %s and %s, want %s", c.Name, a.Outcome, a.Status, c.Outcome)
		}
		rule := becauseOf[c.Name]
		if rule == "" && len(a.Reasons) > 0 || rule != "" && !slices.ContainsFunc(a.Reasons, func(r countersign.Reason) bool { return r.Rule == rule && r.State == countersign.True }) {
			t.Errorf("%s: because of %+v, want %q", c.Name, a.Reasons, rule)
		}
		for _, r := range a.Reasons {
			if r.State == countersign.Unknown {
				t.Errorf("%s: %s cannot tell: nothing is missing in the sample company", c.Name, r.Rule)
			}
		}
	}
}
