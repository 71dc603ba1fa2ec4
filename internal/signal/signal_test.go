package signal

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func eur(units int64) Money { return Money{units * 100, "EUR"} }

func daysAgo(days int) time.Time { return now.AddDate(0, 0, -days) }

func person(id, manager string) *Person {
	return &Person{ID: id, Claimed: id + "@erp", Name: strings.ToUpper(id), Type: "person", Active: new(true), Privileged: new(false),
		Limit: Limit{State: LimitSet, Amount: eur(50000)}, Groups: []string{}, Manager: &manager}
}

func facts() *Facts {
	usual, largest := eur(2000), eur(9000)
	return &Facts{Now: now,
		Document: &countersign.Document{Kind: countersign.KindInvoice, ID: "1", Category: "office", Amount: &countersign.Amount{Value: "900.00", Currency: "EUR"},
			Payee: &countersign.Payee{ID: "V-1", Name: "Nordwind"}, Requester: &countersign.Party{Type: "person", ID: "rita"}},
		Rates: []Rate{{Currency: "USD", Base: "EUR", Value: "0.92", Date: daysAgo(3), Source: "ECB"}},
		Vendor: &Vendor{OnRecord: true, ID: "V-1", CreatedBy: "victor", RecordedSource: "erp", Fingerprint: "a", LastPaid: []string{"a", "b", "c"},
			Accounts: []Account{{Fingerprint: "a", FirstSeen: daysAgo(900), Changed: daysAgo(900)}}},
		History:   &History{Count: 20, Sum: eur(40000), First: daysAgo(800), Last: daysAgo(20), Usual: &usual, Largest: &largest, Source: "own"},
		Requester: person("rita", "boss"), Approver: person("mona", "boss"),
		Alerts: []Alert{}, Freezes: []Freeze{}, BankChanges: []BankChange{}, Denials: []Denial{}, Differences: []Difference{},
		Sums: []Sum{{Window: "w", Total: eur(0)}},
	}
}

func settings() Settings {
	s := DefaultSettings("EUR")
	s.Thresholds = []Threshold{{Kinds: []string{"invoice"}, Amount: eur(30000)}, {Category: "it", Amount: eur(5000)}, {Currency: "USD", Amount: Money{1000000, "USD"}},
		{Entity: "CH01", Amount: eur(100)}}
	s.Bands = []Band{{Window{Name: "w", By: ByVendorRequester, Within: 7 * 24 * time.Hour, Below: eur(30000)}}}
	return s
}

func find(t testing.TB, name string, f *Facts, s Settings) countersign.Finding {
	t.Helper()
	for _, found := range Compute(f, &s) {
		if found.Signal == name {
			return found
		}
	}
	t.Fatalf("no signal %q", name)
	return countersign.Finding{}
}

func amount(value, currency string) func(*Facts, *Settings) {
	return func(f *Facts, _ *Settings) { f.Document.Amount = &countersign.Amount{Value: value, Currency: currency} }
}

func all(do ...func(*Facts, *Settings)) func(*Facts, *Settings) {
	return func(f *Facts, s *Settings) {
		for _, d := range do {
			d(f, s)
		}
	}
}

// TestSignals: every signal true, false and not to be told, with its numbers.
func TestSignals(t *testing.T) {
	const y, n, u = countersign.True, countersign.False, countersign.Unknown
	for _, c := range []struct {
		signal  string
		change  func(*Facts, *Settings)
		want    countersign.State
		mention string // stands in value, comparison, source or missing
	}{
		{"over_threshold", amount("30000.00", "EUR"), y, "EUR 30,000.00 or more"},
		{"over_threshold", amount("29999.99", "EUR"), n, "below EUR 30,000.00"},
		{"over_threshold", amount("33000.00", "USD"), y, "at the rate 0.92 of 2026-11-21 (ECB)"},
		{"over_threshold", amount("10000.00", "USD"), y, "USD 10,000.00 or more"},
		{"over_threshold", amount("9999.99", "USD"), n, "below"},
		{"over_threshold", amount("9999999", "JPY"), u, "rate of JPY in EUR"},
		{"over_threshold", func(f *Facts, _ *Settings) { f.Document.Amount = nil }, u, "amount"},
		{"over_threshold", func(f *Facts, _ *Settings) { f.Document.Kind, f.Document.Entity = "payment", "DE01" }, n, "no threshold"},
		{"over_threshold", func(f *Facts, _ *Settings) { f.Document.Kind, f.Document.Entity = "payment", "CH01" }, y, "EUR 100.00 or more"},
		{"over_threshold", func(f *Facts, _ *Settings) { f.Document.Category, f.Document.Entity = "", "DE01" }, u, "category"},
		{"over_threshold", all(amount("5000.00", "EUR"), func(f *Facts, _ *Settings) { f.Document.Category = "it" }), y, "EUR 5,000.00 or more"},

		{"cumulative", func(f *Facts, s *Settings) { s.Bands = nil }, n, "no window"},
		{"cumulative", amount("29999.99", "EUR"), n, "1 request of"},
		{"cumulative", all(amount("10000.00", "EUR"), func(f *Facts, _ *Settings) { f.Sums[0].Count, f.Sums[0].Total = 2, eur(20000) }), y, "3 requests of EUR 30,000.00 together"},
		{"cumulative", all(amount("9999.99", "EUR"), func(f *Facts, _ *Settings) { f.Sums[0].Count, f.Sums[0].Total = 2, eur(20000) }), n, "each below it"},
		{"cumulative", all(amount("30000.00", "EUR"), func(f *Facts, _ *Settings) { f.Sums[0].Count, f.Sums[0].Total = 2, eur(20000) }), n, ""},
		{"cumulative", func(f *Facts, _ *Settings) { f.Sums[0].Unknown = 1 }, u, "amounts of 1 request in sums.w"},
		{"cumulative", func(f *Facts, _ *Settings) { f.Sums = nil }, u, "sums.w"},
		{"cumulative", func(f *Facts, _ *Settings) { f.Sums[0].Count, f.Sums[0].Total.Minor = 1, math.MaxInt64 }, u, "too large"},
		{"cumulative", amount("1", "JPY"), u, "rate of JPY in EUR"},

		{"unusual_amount", amount("20000.00", "EUR"), n, "usual EUR 2,000.00 over 20 purchases"},
		{"unusual_amount", amount("20000.01", "EUR"), y, "more than 10 times the usual EUR 2,000.00"},
		{"unusual_amount", all(amount("27000.01", "EUR"), func(f *Facts, s *Settings) { s.Unusual.TimesUsual = 0 }), y, "more than 3 times the largest of twelve months, EUR 9,000.00"},
		{"unusual_amount", func(f *Facts, _ *Settings) { f.History.Count = 4 }, u, "at least 5 observations needed"},
		{"unusual_amount", func(f *Facts, _ *Settings) { f.History.Usual = nil }, u, "history.usual"},

		{"new_vendor", func(f *Facts, _ *Settings) { f.History.Count = 0 }, y, "0 settled purchases"},
		{"new_vendor", func(f *Facts, _ *Settings) { f.History.Count, f.History.Unsettled = 0, 7 }, y, "7 not settled yet"},
		{"new_vendor", nil, n, "20 settled purchases"},
		{"new_vendor", func(f *Facts, s *Settings) { s.NewVendor.Age, f.History.First = 90*24*time.Hour, daysAgo(10) }, y, "the first 10 days ago"},
		{"new_vendor", func(f *Facts, s *Settings) { s.NewVendor.Age, f.History.First = 90*24*time.Hour, time.Time{} }, u, "history.first"},
		{"new_vendor", func(f *Facts, _ *Settings) { f.History = nil }, u, "history"},
		{"new_vendor", func(f *Facts, _ *Settings) { f.Document.Payee = nil }, u, "payee"},

		{"claims_differ", func(f *Facts, _ *Settings) { f.Differences = []Difference{{"vendor.name", "A", "B"}} }, y, `vendor.name "A" where "B" is on record`},
		{"claims_differ", func(f *Facts, _ *Settings) { f.Differences = nil }, u, "differences"},

		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.Fingerprint = "c" }, n, "payment 3 before this one"},
		{"bank_account_differs", func(f *Facts, s *Settings) { f.Vendor.Fingerprint, s.LastPaid = "c", 1 }, y, "last 1 payment went to"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.Fingerprint = "z" }, y, "last 3 payments"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.Fingerprint = "" }, u, "payee.account"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor = nil }, u, "payee.account"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.LastPaid = []string{} }, n, "never paid yet"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.LastPaid, f.Vendor.Fingerprint = []string{}, "z" }, y, "not the one on record"},
		{"bank_account_differs", func(f *Facts, _ *Settings) { f.Vendor.LastPaid, f.Vendor.Accounts = []string{}, nil }, u, "vendor.accounts"},

		{"bank_account_changed_recently", func(f *Facts, _ *Settings) { f.Vendor.Accounts[0].Changed = daysAgo(30) }, y, "30 days ago"},
		{"bank_account_changed_recently", func(f *Facts, _ *Settings) { f.Vendor.Accounts[0].Changed = daysAgo(31) }, n, "31 days ago"},
		{"bank_account_changed_recently", func(f *Facts, _ *Settings) { f.Vendor.Fingerprint = "z" }, y, "not on record"},
		{"bank_account_changed_recently", func(f *Facts, _ *Settings) { f.Vendor.Accounts[0] = Account{Fingerprint: "a"} }, u, "vendor.accounts.changed"},
		{"bank_account_changed_recently", func(f *Facts, _ *Settings) { f.Vendor.Accounts = nil }, u, "vendor.accounts"},

		{"pending_bank_change", func(f *Facts, _ *Settings) {
			f.BankChanges = []BankChange{{Request: "req_1", To: "n", From: "a", At: daysAgo(1)}}
		}, y, "pays to the old account"},
		{"pending_bank_change", nil, n, "no bank change"},
		{"pending_bank_change", func(f *Facts, _ *Settings) { f.BankChanges = nil }, u, "bank_changes"},
		{"pays_pending_account", func(f *Facts, _ *Settings) { f.BankChanges = []BankChange{{Request: "req_1", To: "a"}} }, y, "req_1"},
		{"pays_pending_account", func(f *Facts, _ *Settings) { f.BankChanges = []BankChange{{Request: "req_1", To: "n"}} }, n, "another account"},
		{"pays_pending_account", func(f *Facts, _ *Settings) { f.BankChanges = []BankChange{{Request: "req_1"}} }, u, "bank_changes.to"},

		{"self_approval", nil, n, "MONA approves, RITA asks"},
		{"self_approval", func(f *Facts, _ *Settings) { f.Approver.ID = "rita" }, y, "asked for this"},
		{"self_approval", func(f *Facts, _ *Settings) { f.ActingFor = person("rita", "boss") }, y, "RITA asked for this"},
		{"self_approval", func(f *Facts, _ *Settings) { f.ActingFor = &Person{Claimed: "x"} }, u, "acting_for"},
		{"self_approval", func(f *Facts, _ *Settings) { f.Requester = nil }, u, "requester"},
		{"self_approval", func(f *Facts, _ *Settings) { f.Approver = nil }, u, "approver"},
		{"self_approval", func(f *Facts, _ *Settings) {
			f.Requester.ID, f.Approver.ID, f.Approver.Claimed = "", "", f.Requester.Claimed
		}, y, "asked for this"},
		{"self_approval", func(f *Facts, _ *Settings) { f.Document.Requester.Type = "service" }, u, "owner"},
		{"self_approval", func(f *Facts, _ *Settings) { f.Document.Requester.Type, f.Owner = "service", person("mona", "boss") }, y, "MONA asked"},
		{"self_approval", func(f *Facts, _ *Settings) {
			f.Document.Requester.Type, f.Requester, f.Owner = "service", &Person{Claimed: "mrp", Type: "service"}, person("uwe", "boss")
		}, n, ""},
		{"self_approval", func(f *Facts, _ *Settings) {
			f.Document.Requester.Type, f.Requester = "service", &Person{Claimed: "mrp", Type: "service"}
		}, u, "owner"},

		{"approver_created_vendor", func(f *Facts, _ *Settings) { f.Approver.ID = "victor" }, y, "victor"},
		{"approver_created_vendor", nil, n, "somebody else"},
		{"approver_created_vendor", func(f *Facts, _ *Settings) { f.Vendor.CreatedBy = "" }, u, "vendor.created_by"},
		{"approver_reports_to_requester", func(f *Facts, _ *Settings) { *f.Approver.Manager = "rita" }, y, "reports to RITA"},
		{"approver_reports_to_requester", nil, n, "does not report"},
		{"approver_reports_to_requester", func(f *Facts, _ *Settings) { f.Approver.Manager = nil }, u, "approver.manager"},
		{"approver_privileged", func(f *Facts, _ *Settings) { f.Approver.Privileged = new(true) }, y, "elevated"},
		{"approver_privileged", func(f *Facts, _ *Settings) { f.ActingFor = person("x", ""); f.ActingFor.Privileged = new(true) }, y, "elevated"},
		{"approver_privileged", func(f *Facts, _ *Settings) { f.Approver.Privileged = nil }, u, "approver.privileged"},
		{"approver_privileged", func(f *Facts, _ *Settings) { f.ActingFor = &Person{Claimed: "x"} }, u, "acting_for"},
		{"approver_over_limit", amount("50000.00", "EUR"), n, "up to EUR 50,000.00"},
		{"approver_over_limit", amount("50000.01", "EUR"), y, "up to EUR 50,000.00"},
		{"approver_over_limit", func(f *Facts, _ *Settings) { f.Approver.Limit = Limit{State: LimitNone} }, u, "approver.limit"},
		{"approver_over_limit", func(f *Facts, s *Settings) {
			f.Approver.Limit, s.LimitUnset = Limit{State: LimitNone}, LimitUnsetUnbound
		}, n, "no limit is recorded"},
		{"approver_over_limit", func(f *Facts, s *Settings) { f.Approver.Limit, s.LimitUnset = Limit{}, LimitUnsetUnbound }, u, "approver.limit"},
		{"approver_over_limit", func(f *Facts, _ *Settings) { f.ActingFor = person("x", ""); f.ActingFor.Limit.Amount = eur(100) }, y, "up to EUR 100.00"},
		{"approver_inactive", func(f *Facts, _ *Settings) { f.Approver.Active = new(false) }, y, "deactivated"},
		{"approver_inactive", nil, n, "active"},
		{"approver_inactive", func(f *Facts, _ *Settings) { f.Approver = &Person{Claimed: "ghost"} }, u, "ghost is not on record"},

		{"open_alert", func(f *Facts, _ *Settings) {
			f.Alerts = []Alert{{ID: "alr_1", Severity: SeverityHigh, About: "V-1", Raised: daysAgo(1)}}
		}, y, "alr_1"},
		{"open_alert", func(f *Facts, _ *Settings) { f.Alerts = []Alert{{ID: "alr_1", Severity: SeverityLow}} }, n, "medium or higher"},
		{"open_alert", func(f *Facts, _ *Settings) { f.Alerts = []Alert{{ID: "alr_1", Severity: "odd"}} }, y, "unranked"},
		{"open_alert", func(f *Facts, _ *Settings) { f.Alerts = nil }, u, "alerts"},
		{"frozen", func(f *Facts, _ *Settings) {
			f.Freezes = []Freeze{{ID: "frz_1", About: "V-1", Until: now.Add(time.Hour)}}
		}, y, "V-1 is frozen"},
		{"frozen", func(f *Facts, _ *Settings) { f.Freezes = []Freeze{{ID: "frz_1", About: "V-1", Until: now}} }, n, "not frozen"},
		{"frozen", func(f *Facts, _ *Settings) { f.Freezes = nil }, u, "freezes"},
		{"previously_denied", func(f *Facts, _ *Settings) {
			f.Denials = []Denial{{Request: "req_1", At: daysAgo(2), By: "Mona", Reason: "no"}}
		}, y, "denied on 2026-11-22 by Mona: no"},
		{"previously_denied", func(f *Facts, _ *Settings) { f.Denials = nil }, u, "denials"},
	} {
		f, s := facts(), settings()
		f.Document.Entity = "DE01"
		if c.change != nil {
			c.change(f, &s)
		}
		have := find(t, c.signal, f, s)
		said := have.Value + " | " + have.Comparison + " | " + have.Source + " | " + strings.Join(have.Missing, ", ")
		if have.State != c.want || !strings.Contains(said, c.mention) {
			t.Errorf("%s: have %s %q, want %s with %q", c.signal, have.State, said, c.want, c.mention)
		}
		if (have.State == u) != (len(have.Missing) > 0) {
			t.Errorf("%s: %s with missing %q", c.signal, have.State, have.Missing)
		}
	}
}

// TestNothingKnown: with no facts at all no signal says false or true, but where
// the policy's own settings make it pointless to ask.
func TestNothingKnown(t *testing.T) {
	s := settings()
	for _, f := range Compute(&Facts{}, &s) {
		if f.State != countersign.Unknown || len(f.Missing) == 0 {
			t.Errorf("%s: %s %v", f.Signal, f.State, f.Missing)
		}
	}
}

// TestTrapAdministratorIsNotExempt: neither privilege nor another login makes one's
// own request somebody else's.
func TestTrapAdministratorIsNotExempt(t *testing.T) {
	f := facts()
	f.Approver = person("rita", "")
	f.Approver.Claimed, f.Approver.Privileged, f.Approver.Roles = "root@directory", new(true), []string{"administrator"}
	if have := find(t, "self_approval", f, settings()); have.State != countersign.True {
		t.Errorf("%+v", have)
	}
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Catalogue() {
		if seen[s.Name] || s.Doc == "" || !strings.HasSuffix(s.Doc, ".") || len(s.Needs) == 0 || s.compute == nil {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
	}
}

// TestRuling9ClaimsAgainstRecords.
func TestRuling9ClaimsAgainstRecords(t *testing.T) {
	d := &countersign.Document{Payee: &countersign.Payee{Name: "nordwind  gmbh", TaxID: "DE2", Country: ""}}
	v := &Vendor{OnRecord: true, Name: "Nordwind GmbH", TaxID: "DE1", Country: "DE"}
	if have := Differences(d, v); !reflect.DeepEqual(have, []Difference{{"vendor.tax_id", "DE2", "DE1"}}) {
		t.Errorf("%+v", have)
	}
	if have := Differences(d, &Vendor{}); have == nil || len(have) != 0 {
		t.Errorf("not on record: %+v", have)
	}
}

// TestConvert holds the 128-bit conversion against math/big.
func TestConvert(t *testing.T) {
	rng := rand.New(rand.NewPCG(20261124, 1))
	currencies := []string{"EUR", "JPY", "KWD", "CLF", "USD"}
	overflows := 0
	for range 20000 {
		r := Rate{Currency: currencies[rng.IntN(5)], Base: currencies[rng.IntN(5)], Value: randomRate(rng)}
		m := Money{int64(rng.Uint64() >> (1 + rng.IntN(62))), r.Currency}
		if rng.IntN(2) == 0 {
			m.Minor = -m.Minor
		}
		from, _ := countersign.Exponent(r.Currency)
		to, _ := countersign.Exponent(r.Base)
		want, _ := new(big.Rat).SetString(r.Value)
		want.Mul(want, new(big.Rat).SetInt64(m.Minor))
		for e := from; e < to; e++ {
			want.Mul(want, big.NewRat(10, 1))
		}
		for e := to; e < from; e++ {
			want.Quo(want, big.NewRat(10, 1))
		}
		nearest := new(big.Int)
		two := new(big.Rat).Mul(want, big.NewRat(2, 1)) // away from zero at halves: ⌊(2|x|+1)/2⌋
		two.Abs(two).Add(two, big.NewRat(1, 1))
		nearest.Quo(two.Num(), new(big.Int).Mul(two.Denom(), big.NewInt(2)))
		if want.Sign() < 0 {
			nearest.Neg(nearest)
		}
		have, err := r.Convert(m)
		if nearest.CmpAbs(big.NewInt(math.MaxInt64)) > 0 {
			overflows++
			if err == nil {
				t.Fatalf("%v at %s: %v does not fit, have %v", m, r.Value, nearest, have)
			}
			continue
		}
		if err != nil || have.Minor != nearest.Int64() || have.Currency != r.Base {
			t.Fatalf("%v at %s in %s: have %v %v, want %v", m, r.Value, r.Base, have, err, nearest)
		}
	}
	if overflows < 500 {
		t.Errorf("%d overflows: the test looks at too few", overflows)
	}
}

func randomRate(rng *rand.Rand) string {
	digits := "0123456789"
	b := []byte{digits[1+rng.IntN(9)]}
	for range rng.IntN(5) {
		b = append(b, digits[rng.IntN(10)])
	}
	if n := rng.IntN(12); n > 0 {
		b = append(b, '.')
		for range n {
			b = append(b, digits[rng.IntN(10)])
		}
	}
	return string(b)
}

func TestRatesThatAreNone(t *testing.T) {
	for _, value := range []string{"", "0", "0.00", "-1", "1e3", "1,5", "01", "0.1234567890123", "99999999999999999999"} {
		if m, err := (Rate{Currency: "USD", Base: "EUR", Value: value}).Convert(Money{100, "USD"}); err == nil {
			t.Errorf("rate %q: %v", value, m)
		}
	}
	f := &Facts{Now: now, Rates: []Rate{{Currency: "USD", Base: "EUR", Value: "1", Date: now.Add(time.Hour)}}}
	if _, _, missing := f.InBase(Money{1, "USD"}, "EUR"); missing == "" {
		t.Error("a rate of tomorrow was used")
	}
}

// TestFactsAreKept: ruling 10, what is stored with a decision reads back the same.
func TestFactsAreKept(t *testing.T) {
	f := facts()
	f.Alerts = append(f.Alerts, Alert{ID: "a", Severity: SeverityHigh, About: "V-1", Raised: daysAgo(1)})
	b, err := countersign.Canonical(f)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseFacts(b)
	if err != nil {
		t.Fatal(err)
	}
	s := settings()
	if !reflect.DeepEqual(Compute(f, &s), Compute(back, &s)) {
		t.Error("other findings")
	}
	again, err := countersign.Canonical(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("%v\n%s\n%s", err, b, again)
	}
	// "Looked up, and there is none" is not "not looked up".
	empty, _ := json.Marshal(&Facts{Alerts: []Alert{}})
	none, _ := json.Marshal(&Facts{})
	if e, _ := ParseFacts(empty); e.Alerts == nil {
		t.Errorf("%s", empty)
	}
	if n, _ := ParseFacts(none); n.Alerts != nil {
		t.Errorf("%s", none)
	}
	for _, bad := range []string{`{"nwo":1}`, `{} {}`, `[]`, ``} {
		if _, err := ParseFacts([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestReadiness(t *testing.T) {
	var r Readiness
	s := settings()
	r.Add(Compute(facts(), &s))
	r.Add(Compute(&Facts{}, &s))
	r.Add(Compute(&Facts{}, &s))
	got := r.Signals()
	i := slices.IndexFunc(got, func(x SignalReadiness) bool { return x.Signal == "frozen" })
	if x := got[i]; x.False != 1 || x.Unknown != 2 || !slices.Equal(x.Missing, []Count{{"freezes", 2}}) {
		t.Errorf("%+v", x)
	}
}

func TestMoneyForPeople(t *testing.T) {
	for want, m := range map[string]Money{"EUR 30,000.00": eur(30000), "JPY 1,234,567": {1234567, "JPY"}, "KWD -1,000.500": {-1000500, "KWD"}, "EUR 0.05": {5, "EUR"},
		"EUR 92,233,720,368,547,758.07": {math.MaxInt64, "EUR"}} {
		if have := m.String(); have != want {
			t.Errorf("have %q, want %q", have, want)
		}
	}
}

func BenchmarkCompute(b *testing.B) {
	f, s := facts(), settings()
	b.ReportAllocs()
	for b.Loop() {
		Compute(f, &s)
	}
}
