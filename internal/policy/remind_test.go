package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/policy"
)

const waits = `policy: waits
currency: EUR
rules:
  - name: all
    require: {assurance: session, approvers: {count: 1, from: [managers]}}
approvers:
  default: [managers]
  decide_within: 3d
  remind_before: [2h, 24h, 24h]
  escalate: {after: 36h, to: [treasury, controllers]}
`

// What a policy says about reminding and escalating stands in its fallback as in every
// requirement, sorted, and the groups that are told are groups of the policy.
func TestRemindersAndEscalation(t *testing.T) {
	v, err := policy.Load(policy.Source{Text: []byte(waits)})
	if err != nil {
		t.Fatal(err)
	}
	r := v.Fallback()
	if !slices.Equal(r.Reminders, []int{2 * 3600, 24 * 3600}) {
		t.Errorf("reminders: %v", r.Reminders)
	}
	if r.Escalate == nil || r.Escalate.After != 36*3600 || !slices.Equal(r.Escalate.To, []string{"controllers", "treasury"}) {
		t.Errorf("escalation: %+v", r.Escalate)
	}
	if g := v.Groups(); !slices.Contains(g, "treasury") || !slices.Contains(g, "controllers") {
		t.Errorf("the groups that are told are not named: %v", g)
	}
	if m := r.Merge(r); m.Digest() != r.Digest() {
		t.Error("merging with itself changes it")
	}
}

// A reminder before the beginning, or an escalation after the end, would never be told.
func TestRemindersThatCannotBe(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"[2h, 24h, 24h]", "[3d]", "before the beginning"},
		{"after: 36h", "after: 3d", "has expired"},
	} {
		_, err := policy.Load(policy.Source{Text: []byte(strings.Replace(waits, c.from, c.to, 1))})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
}
