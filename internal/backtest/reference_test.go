package backtest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/backtest"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
)

// everything is a policy that looks at everything that a history can hold.
const everything = `
policy: everything
currency: EUR
constants: {large: 5000}
signals:
  cumulative:
    - {by: vendor_requester, within: 7d, limit: large}
    - {by: vendor, within: 10d, limit: 8000}
    - {by: requester_category, within: 14d, limit: 6000}
  unusual_amount: {observations: 5, times_usual: 3, times_largest: 2}
  new_vendor: {purchases: 2}
  bank_account_differs: {last: 2}
  bank_account_changed_recently: {within: 30d}
rules:
  - {name: large, when: amount >= large, require: {assurance: mfa}}
  - {name: split, when: signal.cumulative, require: {assurance: mfa, reason: true}}
  - {name: unusual, when: signal.unusual_amount && amount >= usd("500.00"), require: {assurance: session}}
  - {name: first, when: signal.new_vendor && amount >= 1000, require: {assurance: phishing_resistant, approvers: {count: 2, from: [finance]}}}
  - {name: account, when: signal.bank_account_differs, require: {assurance: mfa}, unknown: record, unknown_because: many name none}
  - {name: recent-account, for: [payment], when: signal.bank_account_changed_recently, require: {assurance: phishing_resistant}}
  - {name: self, when: signal.self_approval, deny: true}
  - {name: it-line, when: 'lines.exists(l, l.category == "it")', require: {assurance: mfa}, unknown: record, unknown_because: few have lines}
  - {name: cheap-vendor, when: history.count > 1 && history.sum < 3000 && amount >= 900, require: {assurance: session}}
approvers: {default: [approvers]}
exceptions:
  - {rule: large, when: 'cost_centre == "plant"', until: 2026-06-30, owner: cfo, because: budgeted}
`

func load(t testing.TB, text string) *policy.Version {
	t.Helper()
	v, err := policy.Load(policy.Source{File: "test.yaml", Text: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// invented makes a history in which everything occurs: several currencies, one of
// them without a rate, accounts that change, positions, revisions on later days,
// credits, rows without vendor, requester or number.
func invented(seed uint64, n int) []connect.Purchase {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	var out []connect.Purchase
	for i := range n {
		currency := pick("EUR", "EUR", "EUR", "GBP", "USD")
		if r.IntN(200) == 0 {
			currency = "SEK"
		}
		minor := int64(r.ExpFloat64() * 120000)
		if r.IntN(15) == 0 {
			minor = -minor / 3
		}
		p := connect.Purchase{Kind: pick("invoice", "invoice", "payment"), ID: fmt.Sprintf("D%d", i), VendorID: pick("V1", "V2", "V3", "V4", "V5"),
			Department: pick("plant", "office", "sales"), Category: pick("it", "food", ""), Requester: pick("ann", "bob", "", "cy"),
			Approver: pick("ann", "dan", ""), Amount: countersign.Amount{Value: countersign.FormatMinor(minor, currency), Currency: currency},
			Date: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(200)), Row: int64(i + 2)}
		if r.IntN(4) == 0 {
			p.VendorID = fmt.Sprint("W", r.IntN(40)) // one that comes a few times only
		}
		p.VendorName = "Vendor " + p.VendorID
		switch r.IntN(12) {
		case 0:
			p.VendorID = ""
		case 1:
			p.VendorID, p.VendorName = "", ""
		case 2:
			p.IDDerived = true
		case 3, 4:
			p.Account = &countersign.Account{Scheme: "bban", Value: pick("1", "2", "3")}
		case 5, 6: // a position, of the document before it or a new one
			if len(out) > 0 && r.IntN(3) > 0 {
				line := out[len(out)-1]
				line.Line, line.Row, line.Amount = fmt.Sprint(i), p.Row, countersign.Amount{Value: "4100.00", Currency: line.Amount.Currency}
				line.Department = p.Department
				p = line
			} else {
				p.Line = "1"
			}
		case 7: // a later revision
			if len(out) > 0 {
				p.ID, p.Kind = out[r.IntN(len(out))].ID, "invoice"
			}
		}
		out = append(out, p)
	}
	return out
}

func bookOf(t testing.TB, purchases []connect.Purchase) *backtest.Book {
	t.Helper()
	b := &backtest.Book{}
	for _, p := range purchases {
		if err := b.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// twoRates has no rate for SEK, and one for USD only from February on.
func twoRates(t testing.TB) *backtest.Rates {
	day := func(m, d int) time.Time { return time.Date(2026, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	return rates(t,
		signal.Rate{Currency: "GBP", Base: "EUR", Value: "1.15", Date: day(1, 1), Source: "test"},
		signal.Rate{Currency: "GBP", Base: "EUR", Value: "1.21", Date: day(3, 15), Source: "test"},
		signal.Rate{Currency: "USD", Base: "EUR", Value: "0.92", Date: day(2, 1), Source: "test"})
}

// TestAgainstReference holds every count against an implementation that looks
// through the whole past again for each document.
func TestAgainstReference(t *testing.T) {
	v := load(t, everything)
	fired := map[string]int{}
	for seed := range uint64(6) {
		purchases := invented(seed, 350+int(seed)*150)
		got, err := backtest.Try(bookOf(t, purchases), backtest.Options{Policy: v, Rates: twoRates(t), WarmUp: 20})
		if err != nil {
			t.Fatal(err)
		}
		want := reference(v, twoRates(t), purchases, 20)
		if got.Requests != want.requests || got.Answers.Allow != want.answers["allow"] || got.Answers.StepUp != want.answers["step_up"] || got.Answers.Deny != want.answers["deny"] {
			t.Errorf("seed %d: %d requests, answers %+v; reference: %d, %v", seed, got.Requests, got.Answers, want.requests, want.answers)
		}
		if got.Known.Allow != want.known["allow"] || got.Known.StepUp != want.known["step_up"] || got.Known.Deny != want.known["deny"] {
			t.Errorf("seed %d: known %+v; reference: %v", seed, got.Known, want.known)
		}
		if got.OnlyMissing.Requests != want.onlyMissing {
			t.Errorf("seed %d: %d only for want of facts; reference: %d", seed, got.OnlyMissing.Requests, want.onlyMissing)
		}
		for _, r := range got.Rules {
			counts := [5]int{r.Fired, r.Unknown, r.Recorded, r.Silenced, r.Waiting}
			if counts != want.rules[r.Rule] {
				t.Errorf("seed %d: rule %s: fired, unknown, recorded, silenced, waiting %v; reference: %v", seed, r.Rule, counts, want.rules[r.Rule])
			}
			fired[r.Rule] += r.Fired
		}
		invariants(t, got)
	}
	for _, r := range v.Rules() {
		if fired[r.Name] == 0 {
			t.Errorf("the rule %s never fired: the histories do not show it", r.Name)
		}
	}
}

type counted struct {
	requests, onlyMissing int
	answers, known        map[countersign.Outcome]int
	rules                 map[string][5]int
}

// bill is a document of the reference.
type bill struct {
	connect.Purchase // of the largest position
	minor            int64
	lines            []connect.Purchase
}

func (b bill) day() time.Time { return b.Date }

// bills puts positions together and orders the documents.
func bills(purchases []connect.Purchase) []bill {
	by := map[string]*bill{}
	for i, p := range purchases {
		account := ""
		if p.Account != nil {
			account = p.Account.Value
		}
		key := fmt.Sprint(p.Date.Unix(), "|", p.Kind, "|", p.ID, "|", p.VendorID, "|", p.VendorName, "|", p.Amount.Currency, "|", p.Requester, "|", p.Approver, "|", account)
		if p.IDDerived {
			key = fmt.Sprint("row ", i)
		}
		if by[key] == nil {
			by[key] = &bill{Purchase: p}
		}
		b := by[key]
		minor, _ := p.Amount.Minor()
		b.minor += minor
		b.lines = append(b.lines, p)
	}
	var out []bill
	for _, b := range by {
		slices.SortFunc(b.lines, func(x, y connect.Purchase) int {
			mx, _ := x.Amount.Minor()
			my, _ := y.Amount.Minor()
			return cmp.Or(cmp.Compare(my, mx), cmp.Compare(x.Line, y.Line))
		})
		b.Department, b.Category = b.lines[0].Department, b.lines[0].Category
		out = append(out, *b)
	}
	slices.SortFunc(out, func(x, y bill) int {
		return cmp.Or(x.Date.Compare(y.Date), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID), cmp.Compare(x.VendorID, y.VendorID),
			cmp.Compare(x.VendorName, y.VendorName), cmp.Compare(x.Amount.Currency, y.Amount.Currency), cmp.Compare(x.Requester, y.Requester), cmp.Compare(x.Approver, y.Approver))
	})
	return out
}

func reference(v *policy.Version, rates *backtest.Rates, purchases []connect.Purchase, warmUp int) counted {
	c := counted{answers: map[countersign.Outcome]int{}, known: map[countersign.Outcome]int{}, rules: map[string][5]int{}}
	all := bills(purchases)
	info := map[string]policy.RuleInfo{}
	for _, r := range v.Rules() {
		info[r.Name] = r
	}
	for _, b := range all {
		if b.day().Before(all[0].day().AddDate(0, 0, warmUp)) {
			continue
		}
		var past []bill
		for _, earlier := range all {
			if earlier.day().Before(b.day()) {
				past = append(past, earlier)
			}
		}
		f := referenceFacts(v, rates, b, past)
		r := v.Evaluate(&f, policy.StageSubmit)
		c.requests++
		c.answers[r.Outcome]++
		known := countersign.OutcomeAllow
		note := func(rule string, at int) {
			n := c.rules[rule]
			n[at]++
			c.rules[rule] = n
		}
		for _, reason := range r.Reasons {
			switch {
			case reason.Silenced != "":
				note(reason.Rule, 3)
			case reason.Recorded:
				note(reason.Rule, 2)
			case reason.State == countersign.Unknown:
				note(reason.Rule, 1)
			case info[reason.Rule].Deny:
				note(reason.Rule, 0)
				known = countersign.OutcomeDeny
			default:
				note(reason.Rule, 0)
				if known == countersign.OutcomeAllow {
					known = countersign.OutcomeStepUp
				}
			}
		}
		for _, name := range r.Waiting {
			note(name, 4)
		}
		c.known[known]++
		if r.Outcome != countersign.OutcomeAllow && known == countersign.OutcomeAllow {
			c.onlyMissing++
		}
	}
	return c
}

func referenceFacts(v *policy.Version, rates *backtest.Rates, b bill, past []bill) signal.Facts {
	now := b.day()
	who := func(name string) *signal.Person {
		if name == "" {
			return nil
		}
		return &signal.Person{ID: name, Claimed: name, Name: name, Type: "person"}
	}
	f := signal.Facts{Now: now, Source: "file", Requester: who(b.Requester), Approver: who(b.Approver), Rates: ratesAt(rates, now),
		Alerts: []signal.Alert{}, Freezes: []signal.Freeze{}, BankChanges: []signal.BankChange{}, Denials: []signal.Denial{},
		Differences: []signal.Difference{}, Sums: []signal.Sum{}}
	d := &countersign.Document{Kind: b.Kind, ID: b.ID, Revision: "1", CostCentre: b.Department, Category: b.Category,
		Amount: &countersign.Amount{Value: countersign.FormatMinor(b.minor, b.Amount.Currency), Currency: b.Amount.Currency},
		Dates:  &countersign.Dates{Issued: now.Format(time.DateOnly)}}
	if b.VendorID+b.VendorName != "" {
		d.Payee = &countersign.Payee{ID: b.VendorID, Name: b.VendorName, Account: b.Account}
	}
	if len(b.lines) > 1 || b.Line != "" {
		for _, l := range b.lines {
			d.Lines = append(d.Lines, countersign.Line{Number: l.Line, Category: l.Category, Amount: &l.Amount})
		}
	}
	f.Document = d
	if b.VendorID != "" {
		f.Vendor, f.History = referenceVendor(&f, b, past)
	}
	for _, w := range v.Windows() {
		if s := referenceSum(rates, w, b, past); s != nil {
			f.Sums = append(f.Sums, *s)
		}
	}
	return f
}

func ratesAt(rates *backtest.Rates, day time.Time) []signal.Rate {
	out := []signal.Rate{}
	for _, c := range rates.Currencies() {
		if r, ok := rates.On(c, day); ok {
			out = append(out, r)
		}
	}
	return out
}

func referenceVendor(f *signal.Facts, b bill, past []bill) (*signal.Vendor, *signal.History) {
	v := &signal.Vendor{ID: b.VendorID, Name: b.VendorName, LastPaid: []string{}}
	if b.Account != nil {
		v.Fingerprint = "bban:" + b.Account.Value
	}
	h := &signal.History{Source: "file"}
	first, last := map[string]time.Time{}, map[string]int{}
	var amounts []int64
	var sum, largest int64
	known := true
	currencies := map[string]int64{}
	for i, p := range past {
		if p.VendorID != b.VendorID {
			continue
		}
		v.OnRecord = true
		h.Count++
		if h.First.IsZero() {
			h.First = p.day()
		}
		h.Last = p.day()
		currencies[p.Amount.Currency] += p.minor
		m, _, missing := f.InBase(signal.Money{Minor: p.minor, Currency: p.Amount.Currency}, "EUR")
		known = known && missing == ""
		amounts = append(amounts, m.Minor)
		if p.day().After(f.Now.AddDate(-1, 0, 0)) {
			largest = max(largest, m.Minor)
		}
		if p.Account != nil {
			print := "bban:" + p.Account.Value
			if first[print].IsZero() {
				first[print] = p.day()
			}
			last[print] = i
		}
	}
	prints := slices.SortedFunc(maps.Keys(last), func(x, y string) int { return last[y] - last[x] })
	for _, print := range prints {
		v.Accounts = append(v.Accounts, signal.Account{Fingerprint: print, FirstSeen: first[print]})
	}
	v.LastPaid = append(v.LastPaid, prints[:min(3, len(prints))]...)
	for currency, total := range currencies {
		m, _, _ := f.InBase(signal.Money{Minor: total, Currency: currency}, "EUR")
		sum += m.Minor
	}
	switch {
	case h.Count == 0:
		h.Sum = signal.Money{Currency: "EUR"}
	case known:
		h.Sum = signal.Money{Minor: sum, Currency: "EUR"}
		amounts = amounts[max(0, len(amounts)-60):]
		slices.Sort(amounts)
		middle := amounts[len(amounts)/2]
		if n := len(amounts); n%2 == 0 {
			middle = (amounts[n/2-1] + amounts[n/2]) / 2
		}
		h.Usual, h.Largest = &signal.Money{Minor: middle, Currency: "EUR"}, &signal.Money{Minor: largest, Currency: "EUR"}
	}
	return v, h
}

func referenceSum(rates *backtest.Rates, w signal.Window, b bill, past []bill) *signal.Sum {
	same := func(p bill) bool {
		switch w.By {
		case signal.ByVendor:
			return p.VendorID == b.VendorID
		case signal.ByVendorRequester:
			return p.VendorID == b.VendorID && p.Requester == b.Requester
		}
		return p.Requester == b.Requester && p.Category == b.Category
	}
	if (w.By != signal.ByRequesterCategory && b.VendorID == "") || (w.By != signal.ByVendor && b.Requester == "") || (w.By == signal.ByRequesterCategory && b.Category == "") {
		return nil
	}
	s := &signal.Sum{Window: w.Name, Total: signal.Money{Currency: "EUR"}}
	for _, p := range past {
		if !same(p) || p.Kind != b.Kind || p.ID == b.ID || !p.day().After(b.day().Add(-w.Within)) {
			continue
		}
		f := signal.Facts{Now: p.day(), Rates: ratesAt(rates, p.day())}
		m, _, missing := f.InBase(signal.Money{Minor: p.minor, Currency: p.Amount.Currency}, "EUR")
		switch {
		case missing != "":
			s.Unknown++
		case m.Minor > 0 && m.Minor < w.Below.Minor:
			s.Count++
			s.Total.Minor += m.Minor
		}
	}
	return s
}

// invariants are what must hold of every result.
func invariants(t testing.TB, r *backtest.Result) {
	t.Helper()
	same := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	same("documents", r.History.WarmUpDocuments+r.Requests, r.History.Documents)
	for _, o := range []backtest.Outcomes{r.Answers, r.Known} {
		same("outcomes", o.Allow+o.StepUp+o.Deny, r.Requests)
		steps := 0
		for _, a := range o.ByAssurance {
			steps += a.Requests
		}
		same("assurances", steps, o.StepUp)
	}
	same("only for want of facts", r.OnlyMissing.Requests, r.Known.Allow-r.Answers.Allow)
	sets := r.OnlyMissing.Others
	for _, s := range r.OnlyMissing.Sets {
		sets += s.Requests
	}
	same("sets of missing facts", sets, r.OnlyMissing.Requests)
	var months backtest.Month
	for _, m := range r.Months {
		same("month "+m.Month, m.Allow+m.Asked+m.Denied, m.Requests)
		months.Requests += m.Requests
		months.Asked += m.Asked
		months.Denied += m.Denied
		months.OnlyMissing += m.OnlyMissing
	}
	same("months", months.Requests, r.Requests)
	same("months asked", months.Asked, r.Known.StepUp)
	same("months denied", months.Denied, r.Known.Deny)
	same("months for want of facts", months.OnlyMissing, r.OnlyMissing.Requests)
	for _, s := range r.Signals {
		same("signal "+s.Signal, s.True+s.False+s.Unknown, r.Requests)
	}
	for _, q := range r.Rules {
		if q.Alone > q.Fired || q.Fired+q.Unknown+q.Recorded+q.Silenced+q.Waiting > r.Requests {
			t.Errorf("rule %s counts more than there is: %+v", q.Rule, q)
		}
		if want := min(3, q.Fired+q.Unknown); len(q.Examples) != want {
			t.Errorf("rule %s: %d examples, want %d", q.Rule, len(q.Examples), want)
		}
	}
}

// TestOrderOfRowsDoesNotMatter: the rows of a day in any order, and the days as well,
// give the same result to the last byte.
func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	v := load(t, everything)
	purchases := invented(7, 400)
	try := func() string {
		r, err := backtest.Try(bookOf(t, purchases), backtest.Options{Policy: v, Rates: twoRates(t), WarmUp: 10, Top: 3})
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	want := try()
	random := rand.New(rand.NewPCG(9, 9))
	for range 5 {
		random.Shuffle(len(purchases), func(i, j int) { purchases[i], purchases[j] = purchases[j], purchases[i] })
		if got := try(); got != want {
			t.Fatalf("another order gives another result:\n%s\n%s", got, want)
		}
	}
}
