package policy

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

func rules(r Result) []string {
	out := []string{}
	for _, reason := range r.Reasons {
		if reason.Silenced == "" && !reason.Recorded {
			out = append(out, reason.Rule)
		}
	}
	return out
}

// TestRuling5UnknownFires: by default, for every kind; with the missing field.
func TestRuling5UnknownFires(t *testing.T) {
	v := load(t, "policy: p\ncurrency: EUR\napprovers: {default: [a]}\nrules:\n"+
		"  - {name: r, when: vendor.country == \"KP\", require: {assurance: mfa}}\n")
	for _, kind := range []string{countersign.KindPurchaseOrder, countersign.KindPayment, "a_custom_kind"} {
		f := completeFacts()
		f.Document.Kind = kind
		if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeAllow {
			t.Errorf("%s: known and other: %s", kind, r.Outcome)
		}
		f.Vendor.Country = ""
		r := v.Evaluate(f, StageSubmit)
		if r.Outcome != countersign.OutcomeStepUp || !slices.Equal(r.Reasons[0].Missing, []string{"vendor.country"}) ||
			!strings.Contains(r.Reasons[0].Sentence, "vendor’s country is not known") || r.Reasons[0].State != countersign.Unknown {
			t.Errorf("%s: not known: %+v", kind, r)
		}
	}
}

// TestRuling5UnknownDenyAsksTwoPeople outside the chain; it does not deny.
func TestRuling5UnknownDenyAsksTwoPeople(t *testing.T) {
	v := load(t, "policy: p\ncurrency: EUR\napprovers: {default: [a]}\nrules:\n"+
		"  - {name: r, when: vendor.country == \"DE\", deny: true}\n")
	f := completeFacts()
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeDeny || r.Reasons[0].Effect != countersign.OutcomeDeny {
		t.Errorf("true: %+v", r)
	}
	f.Vendor.Country = ""
	r := v.Evaluate(f, StageSubmit)
	want := []countersign.Clause{{Count: 2, From: []string{"a"}, OutsideChain: true}}
	if r.Outcome != countersign.OutcomeStepUp || r.Requirement.Assurance != countersign.AssurancePhishingResistant ||
		!reflect.DeepEqual(r.Requirement.Clauses, want) || r.Reasons[0].Effect != countersign.OutcomeStepUp {
		t.Errorf("unknown: %+v", r)
	}
}

// TestRuling5Recorded: a rule may ask only to record, and the reason still lists
// it with what was missing.
func TestRuling5Recorded(t *testing.T) {
	v := load(t, "policy: p\ncurrency: EUR\napprovers: {default: [a]}\nrules:\n"+
		"  - {name: r, when: vendor.country == \"KP\", require: {assurance: mfa}, unknown: record, unknown_because: not imported yet}\n")
	f := completeFacts()
	f.Vendor.Country = ""
	r := v.Evaluate(f, StageSubmit)
	if r.Outcome != countersign.OutcomeAllow || len(r.Reasons) != 1 || !r.Reasons[0].Recorded || len(r.Reasons[0].Missing) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestRuling6WaitsForThePerson: at submit without a named approver, what turns on
// the approver alone waits; it is asked when the person is known. As soon as any
// other fact is missing too, it fires at once.
func TestRuling6WaitsForThePerson(t *testing.T) {
	v := load(t, `policy: p
currency: EUR
approvers: {default: [a]}
rules:
  - {name: privileged, when: approver.privileged && amount >= 5000, require: {assurance: mfa}}
  - {name: own, when: signal.self_approval, deny: true}
  - {name: unnamed, when: "!approver.present && amount >= 8000", require: {assurance: session}}
`)
	f := completeFacts()
	person := f.Approver
	f.Approver = nil
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeAllow || !slices.Equal(r.Waiting, []string{"own"}) {
		t.Errorf("small, unnamed: %+v", r)
	}
	setAmount(f, "6000.00", "EUR")
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeAllow || !slices.Equal(r.Waiting, []string{"privileged", "own"}) {
		t.Errorf("unnamed: %+v", r)
	}
	if r := v.Evaluate(f, StagePerson); r.Outcome != countersign.OutcomeStepUp || len(r.Waiting) != 0 {
		t.Errorf("at challenge and decide nobody waits: %+v", r)
	}
	setAmount(f, "9000.00", "EUR")
	if r := v.Evaluate(f, StageSubmit); !slices.Equal(rules(r), []string{"unnamed"}) {
		t.Errorf("a policy may ask for a name: %+v", rules(r))
	}
	setAmount(f, "6000.00", "GBP") // no rate: something else is missing too
	if r := v.Evaluate(f, StageSubmit); !slices.Contains(rules(r), "privileged") {
		t.Errorf("approver and rate missing: %+v", r)
	}
	f.Approver, f.Requester = nil, nil
	if r := v.Evaluate(f, StageSubmit); !slices.Contains(rules(r), "own") {
		t.Errorf("nobody and no requester: %+v", r)
	}
	f = completeFacts()
	f.Approver = &signal.Person{Claimed: "mystery"} // named, and not on record
	if r := v.Evaluate(f, StageSubmit); !slices.Contains(rules(r), "own") {
		t.Errorf("named but not on record: %+v", r)
	}
	f.Approver = person
	f.Approver.ID = f.Requester.ID
	if r := v.Evaluate(f, StagePerson); r.Outcome != countersign.OutcomeDeny {
		t.Errorf("own request: %+v", r)
	}
}

// TestErrorIsNotTheApproversAbsence: an overflow next to an unnamed approver fires.
func TestErrorIsNotTheApproversAbsence(t *testing.T) {
	v := load(t, "policy: p\ncurrency: EUR\napprovers: {default: [a]}\nrules:\n"+
		"  - {name: r, when: approver.privileged && history.count * 9000000000000000000 > 5, require: {assurance: mfa}}\n")
	f := completeFacts()
	f.Approver = nil
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeStepUp || len(r.Waiting) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestRuling7Refused: nobody named, no group, no default.
func TestRuling7Refused(t *testing.T) {
	v := load(t, "policy: p\ncurrency: EUR\nrules:\n  - {name: r, when: amount >= 5000, require: {assurance: mfa}}\n")
	f := completeFacts()
	setAmount(f, "5000.00", "EUR")
	r := v.Evaluate(f, StageSubmit)
	if want := []countersign.Clause{{Count: 1}}; r.Outcome != countersign.OutcomeStepUp || r.Refusal != "" || !reflect.DeepEqual(r.Requirement.Clauses, want) {
		t.Errorf("named: %+v", r)
	}
	f.Approver = nil
	if r := v.Evaluate(f, StageSubmit); r.Refusal == "" || r.Outcome != countersign.OutcomeDeny || r.Requirement.Outcome != countersign.OutcomeDeny {
		t.Errorf("unnamed: %+v", r)
	}
	if r := v.Evaluate(&signal.Facts{Now: testNow}, StageSubmit); r.Outcome != countersign.OutcomeDeny || r.Refusal == "" {
		t.Errorf("no document: %+v", r)
	}
}

// TestRuling8Merging: clauses are a set, the strictest value of each dimension
// wins, and what no rule says is filled in.
func TestRuling8Merging(t *testing.T) {
	v := load(t, `policy: p
currency: EUR
approvers: {default: [approvers], decide_within: 3d, release_within: 10d}
watchers: [security]
vouching: {refuse: [invoice]}
attestations: {seen: "I saw the goods."}
rules:
  - {name: a, require: {assurance: mfa, max_age: 10m, hold: 1h}}
  - {name: b, require: {assurance: session, max_age: 5m, approvers: {count: 2, from: [finance]}, attest: [callback]}}
  - {name: c, require: {assurance: phishing_resistant, approvers: [{count: 1, from: [finance]}, {count: 1, from: [legal]}], attest: [seen, callback], hold: 2h, reason: true}}
`)
	r := v.Evaluate(completeFacts(), StageSubmit).Requirement
	want := countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, MaxAge: 300,
		Clauses:      []countersign.Clause{{Count: 1, From: []string{"approvers"}}, {Count: 2, From: []string{"finance"}}, {Count: 1, From: []string{"legal"}}},
		Attestations: []countersign.Attestation{{ID: "callback", Question: callback}, {ID: "seen", Question: "I saw the goods."}},
		Hold:         7200, Reason: true, NoVouching: true, Watchers: []string{"security"}, DecideWithin: 3 * 86400, ReleaseWithin: 10 * 86400}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("have %+v\nwant %+v", r, want)
	}
}

// TestRuling35Allow: nothing fires, nobody is asked.
func TestRuling35Allow(t *testing.T) {
	r := load(t, smallPolicy).Evaluate(completeFacts(), StageSubmit)
	if want := (countersign.Requirement{Outcome: countersign.OutcomeAllow, ReleaseWithin: 30 * 86400}); !reflect.DeepEqual(r.Requirement, want) || len(r.Reasons) != 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Findings) != len(signal.Catalogue()) || r.PolicyDigest == "" {
		t.Errorf("a silent pass keeps its findings too: %d", len(r.Findings))
	}
}

// TestRuling8Exceptions: scoped, expiring, and only where they are certainly true.
func TestRuling8Exceptions(t *testing.T) {
	const text = `policy: p
currency: EUR
approvers: {default: [a]}
lists: {framework: {entries: [{value: V-1, owner: cfo, because: calls, until: 2027-03-31}]}}
rules:
  - {name: large, when: amount >= 5000, require: {assurance: mfa}}
exceptions:
  - {rule: large, when: vendor.id in framework, until: 2026-11-24, owner: cfo, because: framework calls}
`
	v := load(t, text)
	f := completeFacts()
	setAmount(f, "6000.00", "EUR")
	r := v.Evaluate(f, StageSubmit)
	if r.Outcome != countersign.OutcomeAllow || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0].Silenced, "framework calls (cfo, until 2026-11-24)") {
		t.Errorf("certainly true: %+v", r)
	}
	f.Now = f.Now.AddDate(0, 0, 1)
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeStepUp {
		t.Errorf("the day after: %+v", r)
	}
	f.Now = testNow
	f.Vendor, f.Document.Payee = nil, nil
	if r := v.Evaluate(f, StageSubmit); r.Outcome != countersign.OutcomeStepUp {
		t.Errorf("vendor not known: %+v", r)
	}
}

// TestSecretThresholds keeps a secret number out of what requesters read.
func TestSecretThresholds(t *testing.T) {
	v := load(t, `policy: p
currency: EUR
constants: {bar: {value: 5000, secret: true}}
approvers: {default: [a]}
rules:
  - {name: large, when: amount >= bar, require: {assurance: mfa}, because: "{kind} of {amount} is {bar} or more, {{sic}}"}
`)
	f := completeFacts()
	setAmount(f, "6000.00", "EUR")
	r := v.Evaluate(f, StageSubmit)
	if want := "invoice of EUR 6,000.00 is EUR 5,000.00 or more, {sic}"; r.Reasons[0].Sentence != want {
		t.Errorf("approver reads %q", r.Reasons[0].Sentence)
	}
	if want := "invoice of EUR 6,000.00 is a limit or more, {sic}"; r.ForRequester[0].Sentence != want {
		t.Errorf("requester reads %q", r.ForRequester[0].Sentence)
	}
}

// TestChangeToCountersignNeverPassesSilently, whatever the rules say (ruling 39).
func TestChangeToCountersignNeverPassesSilently(t *testing.T) {
	f := completeFacts()
	f.Document.Kind = countersign.KindPolicyPublish
	f.Document.Amount = nil // a rule that names no kind is not meant for such a document
	r := load(t, smallPolicy).Evaluate(f, StageSubmit)
	if !slices.Equal(rules(r), []string{"change-to-countersign"}) {
		t.Errorf("rules %v", rules(r))
	}
	if r.Outcome != countersign.OutcomeStepUp || !r.Requirement.Assurance.AtLeast(countersign.AssuranceMFA) {
		t.Errorf("%+v", r)
	}
}

// TestConcurrentUse: one version, many goroutines, the answers of a single one.
func TestConcurrentUse(t *testing.T) {
	v := load(t, manyRules(30))
	var facts []*signal.Facts
	var want []string
	for i := range 8 {
		f := completeFacts()
		f.Document.ID = string(rune('a' + i))
		setAmount(f, []string{"900.00", "1010.00", "6000.00", "40000.00"}[i%4], "EUR")
		if i%2 == 0 {
			f.Vendor.Country = ""
		}
		facts = append(facts, f)
		want = append(want, asJSON(t, v.Evaluate(f, StageSubmit)))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				k := (g + i) % len(facts)
				if have := asJSON(t, v.Evaluate(facts[k], StageSubmit)); have != want[k] {
					t.Errorf("facts %d: another answer", k)
					return
				}
				if i%10 == 0 {
					v.Explain(facts[k], StageSubmit)
				}
			}
		})
	}
	wg.Wait()
}

func asJSON(t testing.TB, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestExplain(t *testing.T) {
	v := load(t, `policy: p
currency: EUR
approvers: {default: [a]}
rules:
  - {name: large, for: [payment], when: amount >= 5000, require: {assurance: mfa}}
  - {name: ring, when: 'alerts.exists(a, a.severity >= high) || vendor.country in ["KP", "IR"]', require: {assurance: mfa}}
  - {name: person, when: approver.privileged && amount >= 5000, require: {assurance: mfa}}
`)
	f := completeFacts()
	f.Approver = nil
	f.Vendor.Country = ""
	setAmount(f, "6000.00", "EUR")
	x := v.Explain(f, StageSubmit)
	if len(x.Rules) != 3 || x.Rules[0].Applies || !strings.Contains(x.Rules[0].Why, "it is for payment") {
		t.Errorf("large: %+v", x.Rules[0])
	}
	var steps []string
	for _, s := range x.Rules[1].Steps {
		steps = append(steps, strings.Repeat(" ", s.Depth)+s.Expression+" = "+s.Value)
	}
	want := []string{
		`alerts.exists(a, a.severity >= high) || vendor.country in ["KP", "IR"] = unknown: vendor.country`,
		` alerts.exists(a, a.severity >= high) = false`,
		`  alerts = none`,
		` vendor.country in ["KP", "IR"] = unknown: vendor.country`,
		`  vendor.country = unknown: vendor.country`,
	}
	if !slices.Equal(steps, want) || !x.Rules[1].Counts {
		t.Errorf("steps:\n%s\nwant:\n%s", strings.Join(steps, "\n"), strings.Join(want, "\n"))
	}
	if x.Rules[2].Counts || !strings.Contains(x.Rules[2].Why, "waits") {
		t.Errorf("person: %+v", x.Rules[2])
	}
}
