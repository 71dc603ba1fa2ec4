package policy

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// atLeast reports whether requirement a asks at least what b asks, dimension by
// dimension. It is written without [countersign.Requirement.Merge].
func atLeast(a, b countersign.Requirement) bool {
	rank := map[countersign.Outcome]int{countersign.OutcomeAllow: 1, countersign.OutcomeStepUp: 2, countersign.OutcomeDeny: 3}
	if rank[a.Outcome] < rank[b.Outcome] {
		return false
	}
	if a.Outcome == countersign.OutcomeDeny || b.Outcome == countersign.OutcomeAllow {
		return true
	}
	noLonger := func(a, b int) bool { return b == 0 || a != 0 && a <= b }
	for _, c := range b.Clauses {
		if !slices.ContainsFunc(a.Clauses, func(d countersign.Clause) bool {
			return d.Count >= c.Count && slices.Equal(d.From, c.From) && d.OutsideChain == c.OutsideChain
		}) {
			return false
		}
	}
	for _, q := range b.Attestations {
		if !slices.Contains(a.Attestations, q) {
			return false
		}
	}
	return a.Assurance.AtLeast(b.Assurance) && noLonger(a.MaxAge, b.MaxAge) && a.Hold >= b.Hold && (a.Reason || !b.Reason) &&
		(a.NoVouching || !b.NoVouching) && (a.Witness || !b.Witness)
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func randomRule(rng *rand.Rand, i int) string {
	condition := pick(rng, "amount >= 5000", "signal.new_vendor", "approver.privileged", `vendor.country == "DE"`, "history.count < 30",
		`amount >= usd("100.00")`, "signal.self_approval", "signal.cumulative || amount > 100", "!(requester.privileged)", `channel == "api"`)
	demand := pick(rng, "deny: true", "require: {assurance: mfa}", "require: {assurance: session, hold: 2h}", "require: {}",
		"require: {assurance: phishing_resistant, approvers: {count: 2, from: [finance]}, max_age: 5m}",
		"require: {approvers: [{count: 1, from: [finance]}, {count: 1, from: [legal, finance], outside_chain: true}], reason: true}",
		"require: {attest: [callback], hold: 24h, no_vouching: true}", "require: {approvers: {count: 1, from: [legal]}, max_age: 1h}")
	return fmt.Sprintf("  - {name: r%d, when: '%s', %s}\n", i, condition, demand)
}

// mutations each take one fact away. What is not in it is no fact that can be
// missing: a count stands with its record, nobody named is not somebody unknown,
// and a document that carries no flags has none.
var mutations = []func(*signal.Facts){
	func(f *signal.Facts) { f.Rates = nil },
	func(f *signal.Facts) { f.Vendor = nil },
	func(f *signal.Facts) { f.History = nil },
	func(f *signal.Facts) { f.Alerts = nil },
	func(f *signal.Facts) { f.Freezes = nil },
	func(f *signal.Facts) { f.BankChanges = nil },
	func(f *signal.Facts) { f.Sums = nil },
	func(f *signal.Facts) { f.Denials = nil },
	func(f *signal.Facts) { f.Differences = nil },
	func(f *signal.Facts) { f.Requester = nil },
	func(f *signal.Facts) { f.Document.Amount = nil },
	func(f *signal.Facts) { f.Document.Payee = nil },
	func(f *signal.Facts) { f.Document.Entity, f.Document.Category, f.Document.CostCentre = "", "", "" },
	func(f *signal.Facts) { f.Document.Lines, f.Document.Dates = nil, nil },
	func(f *signal.Facts) { f.Submission = nil },
	onPerson(func(p *signal.Person) { p.ID = "" }),
	onPerson(func(p *signal.Person) { p.Active = nil }),
	onPerson(func(p *signal.Person) { p.Privileged = nil }),
	onPerson(func(p *signal.Person) { p.Limit = signal.Limit{} }),
	onPerson(func(p *signal.Person) { p.Groups, p.Roles = nil, nil }),
	onPerson(func(p *signal.Person) { p.Manager = nil }),
	onPerson(func(p *signal.Person) { p.Name = "" }),
	onVendor(func(v *signal.Vendor) { v.Country, v.TaxID, v.Status, v.CreatedBy = "", "", "", "" }),
	onVendor(func(v *signal.Vendor) { v.Fingerprint = "" }),
	onVendor(func(v *signal.Vendor) { v.LastPaid = nil }),
	onVendor(func(v *signal.Vendor) { v.Accounts = nil }),
	onVendor(func(v *signal.Vendor) { v.Created = time.Time{} }),
	func(f *signal.Facts) {
		if f.History != nil {
			f.History.Usual, f.History.Largest = nil, nil
		}
	},
	func(f *signal.Facts) {
		for i := range f.Alerts {
			f.Alerts[i].Severity = ""
		}
	},
	func(f *signal.Facts) {
		for i := range f.Alerts {
			f.Alerts[i].About = ""
		}
	},
	func(f *signal.Facts) {
		for i := range f.BankChanges {
			f.BankChanges[i].To = ""
		}
	},
	func(f *signal.Facts) {
		for i := range f.Freezes {
			f.Freezes[i].Until = time.Time{}
		}
	},
}

func onPerson(do func(*signal.Person)) func(*signal.Facts) {
	return func(f *signal.Facts) {
		for _, p := range []*signal.Person{f.Requester, f.Approver} {
			if p != nil {
				do(p)
			}
		}
	}
}

func onVendor(do func(*signal.Vendor)) func(*signal.Facts) {
	return func(f *signal.Facts) {
		if f.Vendor != nil {
			do(f.Vendor)
		}
	}
}

// randomFacts makes a complete request that is unusual in some ways.
func randomFacts(rng *rand.Rand) *signal.Facts {
	f := completeFacts()
	f.Document.Kind = pick(rng, countersign.KindPurchaseOrder, countersign.KindInvoice, countersign.KindPayment, countersign.KindVendorBankChange)
	setAmount(f, pick(rng, "900.00", "4999.99", "12000.00", "30000.00", "250000.00"), pick(rng, "EUR", "EUR", "USD"))
	f.History.Count = pick(rng, 0, 3, 20)
	f.Approver.Privileged = ptr(rng.IntN(3) == 0)
	f.Approver.Limit.Amount = eur(pick[int64](rng, 500, 5000, 1000000))
	f.Approver.ID = pick(rng, "per_mona", "per_mona", "per_mona", "per_rita", "per_victor")
	f.Approver.Manager = ptr(pick(rng, "per_boss", "per_rita"))
	f.Vendor.Fingerprint = pick(rng, "fp-1", "fp-1", "fp-2")
	f.Vendor.Accounts[0].Changed = at(pick(rng, 5, 100))
	if rng.IntN(3) == 0 {
		f.Alerts = []signal.Alert{{ID: "a", Severity: pick(rng, signal.SeverityLow, signal.SeverityHigh), About: pick(rng, "V-1", "per_mona", "x")}}
	}
	if rng.IntN(4) == 0 {
		f.BankChanges = []signal.BankChange{{Request: "req_1", To: "fp-2", From: "fp-1"}}
	}
	if rng.IntN(8) == 0 {
		f.Freezes = []signal.Freeze{{ID: "z", About: "V-1", Until: at(-1)}}
	}
	if rng.IntN(4) == 0 {
		f.Sums[0].Count, f.Sums[0].Total = 2, eur(pick[int64](rng, 1000, 29000))
	}
	return f
}

func procurement(t testing.TB) *Version {
	t.Helper()
	text, err := os.ReadFile("../../policies/procurement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Load(Source{File: "procurement.yaml", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAddingARuleNeverWeakens, whatever the rules and the facts.
func TestAddingARuleNeverWeakens(t *testing.T) {
	const seed = 20261124
	rng := rand.New(rand.NewPCG(seed, 2))
	stricter := 0
	for round := range 150 {
		text := "policy: p\ncurrency: EUR\napprovers: {default: [approvers]}\nsignals: {cumulative: [{by: vendor_requester, within: 7d, limit: 30000}]}\nrules:\n"
		n := 1 + rng.IntN(5)
		for i := range n {
			text += randomRule(rng, i)
		}
		fewer, more := load(t, text), load(t, text+randomRule(rng, n))
		for range 10 {
			f := randomFacts(rng)
			if rng.IntN(2) == 0 {
				pick(rng, mutations...)(f)
			}
			a, b := fewer.Evaluate(f, StagePerson), more.Evaluate(f, StagePerson)
			if !atLeast(b.Requirement, a.Requirement) {
				t.Fatalf("seed %d, round %d: weaker with one rule more:\n%s\nwithout %+v\nwith    %+v", seed, round, more.Text(), a.Requirement, b.Requirement)
			}
			if !atLeast(a.Requirement, b.Requirement) {
				stricter++
			}
		}
	}
	if stricter < 100 {
		t.Errorf("the rule more mattered in %d of 1500 cases only", stricter)
	}
}

// TestMergingIsASemilattice: commutative, associative, idempotent, never weaker.
func TestMergingIsASemilattice(t *testing.T) {
	const seed = 20261124
	rng := rand.New(rand.NewPCG(seed, 3))
	random := func() countersign.Requirement {
		text := "policy: p\ncurrency: EUR\napprovers: {default: [approvers]}\nsignals: {cumulative: [{by: vendor, within: 7d, limit: 30000}]}\nrules:\n" + randomRule(rng, 0) + randomRule(rng, 1)
		return load(t, text).Evaluate(randomFacts(rng), StagePerson).Requirement
	}
	for range 100 {
		a, b, c := random(), random(), random()
		if x, y := a.Merge(b), b.Merge(a); !reflect.DeepEqual(x, y) || x.Digest() != y.Digest() {
			t.Fatalf("not commutative: %+v %+v", a, b)
		}
		if x, y := a.Merge(b).Merge(c), a.Merge(b.Merge(c)); !reflect.DeepEqual(x, y) {
			t.Fatalf("not associative: %+v %+v %+v", a, b, c)
		}
		if x := a.Merge(a); !reflect.DeepEqual(x, a.Merge(countersign.Requirement{})) {
			t.Fatalf("not idempotent: %+v %+v", a, x)
		}
		if m := a.Merge(b); !atLeast(m, a) || !atLeast(m, b) {
			t.Fatalf("weaker: %+v %+v", a, b)
		}
	}
}

// TestTakingAFactAwayNeverAllows: what steps up or is denied with all facts known
// is never allowed when some of them are missing. The one rule of the pack that
// asks only to record is left out.
func TestTakingAFactAwayNeverAllows(t *testing.T) {
	const seed = 20261124
	rng := rand.New(rand.NewPCG(seed, 4))
	v := procurement(t)
	asked, changed := 0, 0
	for round := range 4000 {
		f := randomFacts(rng)
		before := v.Evaluate(f, StagePerson)
		if before.Outcome == countersign.OutcomeAllow || slices.Equal(rules(before), []string{"invoice-with-other-account"}) {
			continue
		}
		asked++
		var taken []int
		for range 1 + rng.IntN(4) {
			k := rng.IntN(len(mutations))
			mutations[k](f)
			taken = append(taken, k)
		}
		after := v.Evaluate(f, StagePerson)
		if after.Outcome == countersign.OutcomeAllow {
			t.Fatalf("seed %d, round %d: %v before; allowed without facts %v", seed, round, rules(before), taken)
		}
		if !reflect.DeepEqual(before.Requirement, after.Requirement) {
			changed++
		}
	}
	if asked < 1000 || changed < 300 {
		t.Errorf("asked %d, changed %d: the test looks at too little", asked, changed)
	}
}

// TestDeterministic: the same facts, the same bytes.
func TestDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	v, again := procurement(t), procurement(t)
	for range 50 {
		f := randomFacts(rng)
		pick(rng, mutations...)(f)
		a := asJSON(t, v.Evaluate(f, StageSubmit))
		if b := asJSON(t, again.Evaluate(f, StageSubmit)); a != b {
			t.Fatalf("two answers:\n%s\n%s", a, b)
		}
	}
}

// FuzzEvaluate: no facts make weighing panic, an answer is always one of three, and
// what was missing is named.
func FuzzEvaluate(f *testing.F) {
	for i := range uint64(8) {
		f.Add(i, i, "900.00", "EUR", "invoice")
	}
	f.Add(uint64(3), uint64(1<<40), "92233720368547758.07", "USD", "payment")
	f.Add(uint64(9), uint64(0xffffffff), "-1.00", "XXX", "countersign.policy_publish")
	v := procurement(f)
	f.Fuzz(func(t *testing.T, seed, take uint64, value, currency, kind string) {
		facts := randomFacts(rand.New(rand.NewPCG(seed, 6)))
		facts.Document.Kind = kind
		setAmount(facts, value, currency)
		for i, m := range mutations {
			if take>>(i%64)&1 == 1 {
				if facts.Document.Amount == nil {
					continue
				}
				m(facts)
			}
		}
		for _, stage := range []Stage{StageSubmit, StagePerson, StageRelease} {
			r := v.Evaluate(facts, stage)
			if r.Outcome != r.Requirement.Outcome || r.Outcome != countersign.OutcomeAllow && r.Outcome != countersign.OutcomeStepUp && r.Outcome != countersign.OutcomeDeny {
				t.Fatalf("outcome %q", r.Outcome)
			}
			for _, reason := range r.Reasons {
				if reason.State == countersign.Unknown && len(reason.Missing) == 0 || strings.TrimSpace(reason.Sentence) == "" {
					t.Fatalf("a reason without words: %+v", reason)
				}
			}
		}
		v.Explain(facts, StageSubmit)
	})
}
