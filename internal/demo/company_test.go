package demo

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

var today = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func TestGenerateIsDeterministic(t *testing.T) {
	a, b := Generate(7, today), Generate(7, today.Add(9*time.Hour))
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed and day make two companies")
	}
	if reflect.DeepEqual(a.Purchases, Generate(8, today).Purchases) {
		t.Error("two seeds make one company")
	}
}

// TestCompanyHoldsTogether over several seeds and days: everything refers to
// something that is there, and nothing is later than the year.
func TestCompanyHoldsTogether(t *testing.T) {
	for seed := range uint64(25) {
		until := today.AddDate(0, 0, int(seed)*17)
		c := Generate(seed, until)
		checkPeople(t, c)
		checkVendors(t, c)
		checkPurchases(t, c)
		checkFrauds(t, c)
		if t.Failed() {
			t.Fatalf("seed %d, until %s", seed, until.Format(time.DateOnly))
		}
	}
}

func checkPeople(t *testing.T, c Company) {
	t.Helper()
	members := map[string]int{}
	if n := len(c.People); n < 11 || n > 14 {
		t.Errorf("%d people", n)
	}
	for _, p := range c.People {
		if p.Manager != "" && c.Person(p.Manager) == nil {
			t.Errorf("%s reports to %q, who is not there", p.Subject, p.Manager)
		}
		for at, steps := p.Manager, 0; at != ""; steps++ {
			if steps > len(c.People) {
				t.Fatalf("%s: the managers go round in a circle", p.Subject)
			}
			at = c.Person(at).Manager
		}
		if p.Name == "" || p.Title == "" || p.Department == "" || !strings.HasSuffix(p.Email, "@example.com") {
			t.Errorf("incomplete: %+v", p)
		}
		if p.Limit != nil {
			if _, err := p.Limit.Minor(); err != nil {
				t.Error(err)
			}
		}
		for _, g := range p.Groups {
			members[g]++
		}
	}
	for _, g := range []string{"approvers", "finance", "treasury", "controllers", "administrators", "buyers"} {
		if members[g] < 2 {
			t.Errorf("group %s has %d members", g, members[g])
		}
	}
}

func checkVendors(t *testing.T, c Company) {
	t.Helper()
	ids, names, accounts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	if len(c.Vendors) != vendorCount {
		t.Errorf("%d vendors", len(c.Vendors))
	}
	for _, v := range c.Vendors {
		if ids[v.ID] || names[v.Name] || accounts[v.Account.Value] {
			t.Errorf("twice: %+v", v)
		}
		ids[v.ID], names[v.Name], accounts[v.Account.Value] = true, true, true
		d := countersign.Document{Kind: countersign.KindPayment, ID: "1", Revision: "1", Amount: &countersign.Amount{Value: "1.00", Currency: "EUR"},
			Requester: &countersign.Party{Type: "person", ID: "x"},
			Payee:     &countersign.Payee{ID: v.ID, Name: v.Name, TaxID: v.TaxID, Country: v.Country, Account: v.Account}}
		if err := d.Validate(""); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if v.Account.Scheme == "iban" && (v.Account.Value[:2] != v.Country || len(v.Account.Value) != ibanLengths[v.Country]) {
			t.Errorf("%s in %s has the account %s", v.Name, v.Country, v.Account.Value)
		}
		if v.CreatedAt.IsZero() || !v.CreatedAt.Before(c.Until) || v.AccountSince.Before(v.CreatedAt) || v.TaxID == "" || v.Category == "" || c.Person(v.CreatedBy) == nil {
			t.Errorf("incomplete: %+v", v)
		}
	}
}

// ibanLengths are those of the IBAN registry (ISO 13616).
var ibanLengths = map[string]int{"DE": 22, "NL": 18, "FR": 27, "GB": 22, "PL": 28, "AT": 20, "CZ": 24, "IT": 27, "ES": 24, "BE": 16,
	"SE": 24, "DK": 18, "CH": 21, "PT": 25, "IE": 22, "FI": 18, "LT": 20}

func checkPurchases(t *testing.T, c Company) {
	t.Helper()
	if n := len(c.Purchases); n < 3700 || n > 4300 {
		t.Errorf("%d purchases", n)
	}
	from, seen := c.Until.AddDate(0, 0, -yearDays), map[Ref]bool{}
	kinds, currencies, negatives, own := map[string]int{}, map[string]int{}, 0, 0
	for i, p := range c.Purchases {
		minor, err := p.Amount.Minor()
		v := c.Vendor(p.VendorID)
		switch {
		case err != nil:
			t.Error(err)
		case v == nil || v.Name != p.VendorName:
			t.Errorf("no such vendor: %+v", p)
		case p.Date.Before(v.CreatedAt):
			t.Errorf("before its vendor: %+v", p)
		case p.Date.Before(from) || !p.Date.Before(c.Until) || !p.ApprovedAt.Before(c.Until):
			t.Errorf("outside the year: %+v", p)
		case seen[Ref{p.Kind, p.ID}]:
			t.Errorf("twice: %s %s", p.Kind, p.ID)
		case c.Person(p.Requester) == nil || c.Person(p.Approver) == nil:
			t.Errorf("nobody: %+v", p)
		case minor < 0 && p.Kind != countersign.KindInvoice:
			t.Errorf("a credit that is not an invoice: %+v", p)
		case p.ApprovedAt.Weekday() == time.Sunday && !p.ApprovedAt.IsZero():
			t.Errorf("approved on a Sunday: %+v", p)
		case i > 0 && p.Date.Before(c.Purchases[i-1].Date):
			t.Errorf("not in order: %+v", p)
		}
		seen[Ref{p.Kind, p.ID}] = true
		kinds[p.Kind]++
		currencies[p.Amount.Currency]++
		if minor < 0 {
			negatives++
		}
		if p.Requester == p.Approver {
			own++
		}
	}
	if kinds[countersign.KindPurchaseOrder] < 600 || kinds[countersign.KindInvoice] < 1200 || kinds[countersign.KindPayment] < 1000 {
		t.Errorf("kinds: %v", kinds)
	}
	if len(currencies) < 3 || negatives == 0 || negatives > 20 {
		t.Errorf("currencies %v, %d credits", currencies, negatives)
	}
	if own == 0 || own > 3 { // the fraud's records, and nobody else's
		t.Errorf("%d own approvals", own)
	}
	for currency := range currencies {
		if currency != c.Currency && !slices.ContainsFunc(c.Rates, func(r Rate) bool { return r.Currency == currency && !r.Day.After(from) }) {
			t.Errorf("no rate for %s on the first day", currency)
		}
	}
}

func checkFrauds(t *testing.T, c Company) {
	t.Helper()
	by := map[Ref]connect.Purchase{}
	for _, p := range c.Purchases {
		by[Ref{p.Kind, p.ID}] = p
	}
	least := map[string]int{FraudBankChange: 2, FraudSplit: 4, FraudNewVendor: 1, FraudDuplicate: 2, FraudBelowThreshold: 4, FraudOwnRequest: 1, FraudUrgentPayment: 1}
	for _, f := range c.Frauds {
		if len(f.Purchases) < least[f.Label] || f.Explanation == "" {
			t.Errorf("%s: %d purchases", f.Label, len(f.Purchases))
		}
		delete(least, f.Label)
		for _, r := range f.Purchases {
			if p, ok := by[r]; !ok || p.VendorID != by[f.Purchases[0]].VendorID {
				t.Errorf("%s: %v is not a purchase of its vendor", f.Label, r)
			}
		}
	}
	if len(least) > 0 {
		t.Errorf("missing: %v", least)
	}
}

func TestLiveCases(t *testing.T) {
	now := today.Add(9*time.Hour + 30*time.Minute)
	for seed := range uint64(10) {
		c := Generate(seed, now)
		cases := LiveCases(c, now)
		names, keys, stories := map[string]bool{}, map[string]bool{}, map[string]int{}
		for _, k := range cases {
			if err := k.Document.Validate(""); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
			if names[k.Name] || keys[k.Document.Key()] {
				t.Errorf("%s stands twice", k.Name)
			}
			names[k.Name], keys[k.Document.Key()] = true, true
			stories[k.Story]++
			if k.Title == "" || k.Expect == "" || k.Outcome == "" || c.Person(k.Requester) == nil || (k.Approver != "" && c.Person(k.Approver) == nil) || k.Requester == k.Approver {
				t.Errorf("incomplete: %+v", k)
			}
			p := k.Document.Requester
			if p.ID != k.Requester && p.Owner != k.Requester {
				t.Errorf("%s: %s does not answer for %+v", k.Name, k.Requester, p)
			}
			if !sumOfLines(t, k.Document) {
				t.Errorf("%s: the lines do not add up", k.Name)
			}
		}
		for _, story := range []string{"orders", "new-vendor", "bank-change", "split", "agent"} {
			if stories[story] == 0 {
				t.Errorf("no case of %s", story)
			}
		}
		if !reflect.DeepEqual(cases, LiveCases(c, now)) {
			t.Error("the cases differ from one time to the next")
		}
	}
}

func sumOfLines(t *testing.T, d countersign.Document) bool {
	t.Helper()
	sum := int64(0)
	for _, l := range d.Lines {
		minor, err := l.Amount.Minor()
		if err != nil {
			t.Fatal(err)
		}
		sum += minor
	}
	if len(d.Lines) == 0 {
		return true
	}
	total, err := d.Amount.Minor()
	return err == nil && sum == total
}

// TestHistoryFitsTheCases: what the cases are to show depends on the year behind.
func TestHistoryFitsTheCases(t *testing.T) {
	for seed := range uint64(10) {
		c := Generate(seed, today)
		invoices, recent := map[string][]int64{}, map[string]int64{}
		for _, p := range c.Purchases {
			minor, _ := p.Amount.Minor() // checked above
			if p.Kind == countersign.KindInvoice {
				invoices[p.VendorID] = append(invoices[p.VendorID], minor)
			}
			if today.Sub(p.Date) < 31*24*time.Hour {
				recent[p.VendorID] += minor
			}
		}
		if n := len(invoices[VendorNew]); n != 0 || c.Vendor(VendorNew).CreatedAt.Before(today.AddDate(0, 0, -10)) {
			t.Errorf("the new vendor has %d invoices", n)
		}
		for id, usual := range map[string]int64{VendorTools: 90000, VendorConveyor: 3000000, VendorFilm: 1428000, VendorFitout: 960000} {
			if n := len(invoices[id]); n < 5 {
				t.Errorf("%s has %d invoices: too few to say what is usual", id, n)
			}
			if most := slices.Max(invoices[id]); most < usual*9/10 || most > 2*usual {
				t.Errorf("%s: the largest invoice is %d, the case asks for %d", id, most, usual)
			}
		}
		if n := recent[VendorFitout]; n != 0 {
			t.Errorf("%d was bought lately from the vendor of the parts", n)
		}
		if recent[VendorTools]+90000 >= 3000000 {
			t.Errorf("%d was bought lately from the vendor of small things", recent[VendorTools])
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		Generate(1, today)
	}
}
