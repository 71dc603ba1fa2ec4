package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// TestConditions: amounts, dates, lists and people, as a policy writes them.
func TestConditions(t *testing.T) {
	const y, n, u = countersign.True, countersign.False, countersign.Unknown
	for _, c := range []struct {
		condition       string
		value, currency string
		want            countersign.State
	}{
		{"amount >= large", "30000.00", "EUR", y},
		{"amount >= large", "29999.99", "EUR", n},
		{"amount > large", "30000.00", "EUR", n},
		{"amount == 5000", "5000.00", "EUR", y},
		{"amount == 5000", "5000.01", "EUR", n},
		{"amount != 5000", "5000.01", "EUR", y},
		{"5000 <= amount", "5000.00", "EUR", y},
		{"5000 < amount", "5000.00", "EUR", n},
		{"5000 == amount", "5000.00", "EUR", y},
		{"5000 != amount", "5000.00", "EUR", n},
		{"amount >= exact", "30000.00", "EUR", y},
		{"exact <= amount", "29999.99", "EUR", n},
		{`amount >= usd("10000.00")`, "10000.00", "USD", y}, // directly, without a rate
		{`amount >= usd("10000.00")`, "9999.99", "USD", n},
		{`amount >= usd("10000.00")`, "9200.00", "EUR", y}, // 10,000 at 0.92
		{`amount >= usd("10000.00")`, "9199.99", "EUR", n},
		{`usd("10000.00") <= amount`, "9200.00", "EUR", y},
		{`amount >= half`, "13800.00", "EUR", y},
		{`amount >= gbp("10.00")`, "9200.00", "EUR", u}, // no rate
		{`amount >= gbp("10.00")`, "10.00", "GBP", y},   // none needed
		{"amount >= large", "33000.00", "USD", y},
		{"amount >= large", "32000.00", "USD", n},
		{"amount >= large", "5000000", "JPY", u},
		{"amount > history.usual * 10", "20000.00", "EUR", n},
		{"amount > 10 * history.usual", "20000.01", "EUR", y},
		{"amount + amount >= large", "15000.00", "EUR", y},
		{"amount - amount == 0", "15000.00", "USD", y},
		{`amount in [usd("1.00"), eur("5.00")]`, "5.00", "EUR", y},
		{`amount in [usd("1.00"), eur("5.00")]`, "0.92", "EUR", y},
		{`amount in [gbp("1.00"), eur("5.00")]`, "6.00", "EUR", u},
		{`amount in [gbp("1.00"), eur("5.00")]`, "5.00", "EUR", y},
		{"amount * 9000000000000000 > 5", "900.00", "EUR", u}, // overflow is not a match and not a miss
		{"vendor.id in framework", "1.00", "EUR", y},          // until today, inclusive
		{`"V-2" in framework`, "1.00", "EUR", n},              // until yesterday
		{"now - vendor.created > month", "1.00", "EUR", y},
		{"vendor.created > launch", "1.00", "EUR", n},
		{`now - vendor.created < duration("24h")`, "1.00", "EUR", n},
		{`dates.due - dates.issued < month`, "1.00", "EUR", n},
		{`dates.delivery > now`, "1.00", "EUR", u},
		{`"approvers" in approver.groups && !("finance" in approver.groups)`, "1.00", "EUR", y},
		{"approver.limit < amount", "100000.01", "EUR", y},
		{"acting_for.present", "1.00", "EUR", n},
		{"acting_for.id == requester.id", "1.00", "EUR", n}, // nobody is not somebody unknown
		{"!approver.present", "1.00", "EUR", n},
		{`custom.project == "x"`, "1.00", "EUR", u},
		{`lines.exists(l, l.item == "chair" && l.amount >= 900)`, "1.00", "EUR", y},
		{`lines.all(l, l.category == "it")`, "1.00", "EUR", u},
		{`flags.exists(f, f == "urgent")`, "1.00", "EUR", n},
		{`vendor.name.startsWith("Nord") && vendor.name.matches("GmbH$")`, "1.00", "EUR", y},
		{"history.count / 0 == 1", "1.00", "EUR", u},
	} {
		f := completeFacts()
		setAmount(f, c.value, c.currency)
		if have, missing := ask(t, c.condition, f); have != c.want {
			t.Errorf("%s with %s %s: have %s %v, want %s", c.condition, c.value, c.currency, have, missing, c.want)
		}
	}
}

// TestRuling36ErrorNeverHides: "error || true" is true; any error that remains is
// unknown, and says what went wrong.
func TestRuling36ErrorNeverHides(t *testing.T) {
	f := completeFacts()
	if s, _ := ask(t, "history.count / 0 == 1 || vendor.id == \"V-1\"", f); s != countersign.True {
		t.Errorf("error || true: %s", s)
	}
	if s, _ := ask(t, "history.count / 0 == 1 && vendor.id == \"other\"", f); s != countersign.False {
		t.Errorf("error && false: %s", s)
	}
	s, missing := ask(t, "history.count / 0 == 1 && vendor.id == \"V-1\"", f)
	if s != countersign.Unknown || !strings.Contains(strings.Join(missing, " "), "division by zero") {
		t.Errorf("error && true: %s %v", s, missing)
	}
	f.Vendor.Country = ""
	s, missing = ask(t, `history.count / 0 == 1 && vendor.country == "DE"`, f)
	if s != countersign.Unknown || len(missing) != 2 || !slices.Contains(missing, "vendor.country") {
		t.Errorf("error && unknown names both: %s %v", s, missing)
	}
}

// TestElementByElement: one element that is not known hides no other.
func TestElementByElement(t *testing.T) {
	alert := func(id string, s signal.Severity, about string) signal.Alert {
		return signal.Alert{ID: id, Severity: s, About: about, Raised: at(1)}
	}
	const ringing = "alerts.exists(a, a.severity >= high && a.about in [approver.id, vendor.id])"
	for name, c := range map[string]struct {
		alerts   []signal.Alert
		approver bool
		want     countersign.State
	}{
		"not looked up":                       {nil, true, countersign.Unknown},
		"none":                                {[]signal.Alert{}, true, countersign.False},
		"about the vendor, approver unknown":  {[]signal.Alert{alert("1", "high", "V-1")}, false, countersign.True},
		"about another, approver unknown":     {[]signal.Alert{alert("1", "high", "V-9")}, false, countersign.Unknown},
		"low, approver unknown":               {[]signal.Alert{alert("1", "low", "V-9")}, false, countersign.False},
		"one unknown severity, one that fits": {[]signal.Alert{alert("1", "", "V-1"), alert("2", "critical", "V-1")}, true, countersign.True},
		"one unknown severity, one too low":   {[]signal.Alert{alert("1", "", "V-1"), alert("2", "low", "V-1")}, true, countersign.Unknown},
		"unknown severity about another":      {[]signal.Alert{alert("1", "", "V-9")}, true, countersign.False},
	} {
		f := completeFacts()
		f.Alerts = c.alerts
		if !c.approver {
			f.Approver = &signal.Person{Claimed: "somebody"}
		}
		if have, missing := ask(t, ringing, f); have != c.want {
			t.Errorf("%s: have %s %v, want %s", name, have, missing, c.want)
		}
	}
	f := completeFacts()
	f.Document.Lines = []countersign.Line{{Number: "1"}, {Number: "2", Category: "it"}}
	for condition, want := range map[string]countersign.State{
		`lines.exists(l, l.category == "it")`:              countersign.True,
		`lines.all(l, l.category == "it")`:                 countersign.Unknown,
		`lines.all(l, l.category == "office")`:             countersign.False,
		`size(lines.filter(l, l.category == "it")) >= 1`:   countersign.Unknown,
		`lines.filter(l, l.number == "2").exists(l, true)`: countersign.True,
	} {
		if have, _ := ask(t, condition, f); have != want {
			t.Errorf("%s: have %s, want %s", condition, have, want)
		}
	}
}

// TestKleene holds random conditions against three-valued logic written down
// independently: over true, false and unknown facts both must always agree.
func TestKleene(t *testing.T) {
	seed := uint64(20261124)
	rng := rand.New(rand.NewPCG(seed, 1))
	states := [3]countersign.State{}
	count := map[countersign.State]int{}
	for range 400 {
		f := completeFacts()
		for i, p := range []**bool{&f.Approver.Privileged, &f.Requester.Privileged, &f.Approver.Active} {
			switch rng.IntN(3) {
			case 0:
				*p, states[i] = new(true), countersign.True
			case 1:
				*p, states[i] = new(false), countersign.False
			default:
				*p, states[i] = nil, countersign.Unknown
			}
		}
		text, want := randomLogic(rng, 4, states)
		if strings.HasPrefix(text, "false") && want == countersign.False {
			continue
		}
		v, err := Load(Source{Text: []byte("policy: p\ncurrency: EUR\nrules:\n  - name: r\n    when: '" + text + "'\n    require: {assurance: mfa}\n")})
		if err != nil {
			if strings.Contains(err.Error(), "can never fire") { // as it may, for a && !a folded by constants
				continue
			}
			t.Fatal(err)
		}
		have := countersign.False
		if r := v.Evaluate(f, StagePerson); len(r.Reasons) > 0 {
			have = r.Reasons[0].State
		}
		count[have]++
		if have != want {
			t.Fatalf("seed %d: %s with %v: have %s, want %s", seed, text, states, have, want)
		}
	}
	for _, s := range []countersign.State{countersign.True, countersign.False, countersign.Unknown} {
		if count[s] < 40 {
			t.Errorf("only %d conditions were %s", count[s], s)
		}
	}
}

func randomLogic(rng *rand.Rand, depth int, facts [3]countersign.State) (string, countersign.State) {
	rank := map[countersign.State]int{countersign.False: 0, countersign.Unknown: 1, countersign.True: 2}
	by := []countersign.State{countersign.False, countersign.Unknown, countersign.True}
	if depth == 0 || rng.IntN(6) == 0 {
		i := rng.IntN(3)
		return [...]string{"approver.privileged", "requester.privileged", "approver.active"}[i], facts[i]
	}
	a, sa := randomLogic(rng, depth-1, facts)
	b, sb := randomLogic(rng, depth-1, facts)
	switch rng.IntN(3) {
	case 0:
		return fmt.Sprintf("(%s && %s)", a, b), by[min(rank[sa], rank[sb])]
	case 1:
		return fmt.Sprintf("(%s || %s)", a, b), by[max(rank[sa], rank[sb])]
	}
	return "!(" + a + ")", by[2-rank[sa]]
}
