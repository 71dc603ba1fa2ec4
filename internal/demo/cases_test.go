package demo

import (
	"encoding/json"
	"path/filepath"
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

// The live cases, weighed by the policy that ships against the year, come out as they
// say.
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
		if a.Outcome != c.Outcome {
			t.Errorf("%s: %s, want %s", c.Name, a.Outcome, c.Outcome)
		}
		t.Log(c.Name, a.Status, a.Outcome, a.Requirement.Assurance, a.Requirement.Clauses, a.Requirement.Hold)
		for _, r := range a.Reasons {
			t.Log("   ", r.Rule, r.State, r.Sentence, r.Missing)
		}
		t.Log("   missing", a.Missing)
	}
}
