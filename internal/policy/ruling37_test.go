package policy

import (
	"os"
	"strings"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// TestRuling37WindowsStandInThePolicy: what a signal holds amounts to is said in the
// policy's signals section: another number there is another answer and another digest.
// Each signal is named as conditions write it where policies are explained.
func TestRuling37WindowsStandInThePolicy(t *testing.T) {
	text := func(limit string) string {
		return "policy: p\ncurrency: EUR\napprovers: {default: [a]}\nsignals: {cumulative: [{by: vendor_requester, within: 7d, limit: " + limit +
			"}], over_threshold: [{amount: " + limit + "}]}\nrules:\n  - {name: sum, when: signal.cumulative, require: {assurance: mfa}}\n" +
			"  - {name: one, when: signal.over_threshold, require: {assurance: mfa}}\n"
	}
	low, high := load(t, text("1000")), load(t, text("30000"))
	if low.Digest() == high.Digest() {
		t.Error("another window has the same digest")
	}
	f := completeFacts() // 900.00, and two that went before it
	f.Sums = []signal.Sum{{Window: "vendor_requester/7d/1000.00EUR", Count: 2, Total: eur(800)}, {Window: "vendor_requester/7d/30000.00EUR", Count: 2, Total: eur(800)}}
	if r := low.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeStepUp || strings.Join(rules(r), " ") != "sum" {
		t.Errorf("1,700 together in a window of 1,000: %s %v", r.Outcome, rules(r))
	}
	if r := high.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeAllow {
		t.Errorf("1,700 together in a window of 30,000: %s %v", r.Outcome, rules(r))
	}
	setAmount(f, "1000.00", "EUR")
	if r := low.Evaluate(f, StageSubmit); strings.Join(rules(r), " ") != "one" {
		t.Errorf("1,000 at a threshold of 1,000: %v", rules(r))
	}
	if r := high.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeAllow {
		t.Errorf("1,000 at a threshold of 30,000: %v", rules(r))
	}
	explained, err := os.ReadFile("../../docs/POLICY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signal.Catalogue() {
		if !strings.Contains(string(explained), "signal."+s.Name) {
			t.Errorf("docs/POLICY.md does not name signal.%s", s.Name)
		}
	}
}
