package policy

import (
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

var testNow = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func eur(units int64) signal.Money { return signal.Money{Minor: units * 100, Currency: "EUR"} }

func at(daysAgo int) time.Time { return testNow.AddDate(0, 0, -daysAgo) }

// completeFacts is an ordinary request of which everything is known: nothing about
// it is unusual.
func completeFacts() *signal.Facts {
	person := func(id, name, manager string) *signal.Person {
		return &signal.Person{ID: id, Claimed: id + "@erp", Name: name, Type: "person", Active: new(true), Privileged: new(false),
			Limit: signal.Limit{State: signal.LimitSet, Amount: eur(100000)}, Groups: []string{"approvers"}, Roles: []string{}, Manager: &manager,
			Since: at(900), RoleChanged: at(800), LimitChanged: at(700), FactorChanged: at(600)}
	}
	return &signal.Facts{
		Now: testNow, Source: "erp",
		Document: &countersign.Document{Kind: countersign.KindInvoice, ID: "INV-1", Revision: "1", Entity: "DE01", CostCentre: "4711", Category: "office",
			Subject: "chairs", Amount: &countersign.Amount{Value: "900.00", Currency: "EUR"},
			Payee:     &countersign.Payee{ID: "V-1", Name: "Nordwind GmbH", Country: "DE", Account: &countersign.Account{Scheme: "bban", Value: "1"}},
			Lines:     []countersign.Line{{Number: "1", Item: "chair", Amount: &countersign.Amount{Value: "900.00", Currency: "EUR"}}},
			Dates:     &countersign.Dates{Issued: "2026-11-20", Due: "2026-12-20"},
			Requester: &countersign.Party{Type: "person", ID: "rita"}},
		Submission: &countersign.Submission{Approver: "mona", Channel: "api"},
		Rates:      []signal.Rate{{Currency: "USD", Base: "EUR", Value: "0.92", Date: at(4), Source: "ECB"}},
		Vendor: &signal.Vendor{OnRecord: true, ID: "V-1", Name: "Nordwind GmbH", Country: "DE", TaxID: "DE1", Status: "active", Created: at(900),
			CreatedBy: "per_victor", RecordedSource: "erp", RecordedAt: at(1), Fingerprint: "fp-1", LastPaid: []string{"fp-1", "fp-1"},
			Accounts: []signal.Account{{Fingerprint: "fp-1", FirstSeen: at(900), Changed: at(900)}}},
		History:   &signal.History{Count: 20, Sum: eur(40000), First: at(800), Last: at(20), Usual: ptr(eur(2000)), Largest: ptr(eur(9000)), Source: "own"},
		Requester: person("per_rita", "Rita", "per_boss"), Approver: person("per_mona", "Mona", "per_boss"),
		Alerts: []signal.Alert{}, Freezes: []signal.Freeze{}, BankChanges: []signal.BankChange{}, Denials: []signal.Denial{},
		Differences: []signal.Difference{},
		Sums:        []signal.Sum{{Window: "vendor_requester/7d/30000.00EUR", Total: eur(0)}},
	}
}

func ptr[T any](v T) *T { return &v }

func setAmount(f *signal.Facts, value, currency string) {
	f.Document.Amount = &countersign.Amount{Value: value, Currency: currency}
}

// ask evaluates one condition and returns its state with what is missing.
func ask(t testing.TB, condition string, f *signal.Facts) (countersign.State, []string) {
	t.Helper()
	v := load(t, "policy: p\ncurrency: EUR\nconstants: {large: 30000, exact: 30000.00, half: \"15000.00 USD\", month: 30d, launch: 2026-11-01}\n"+
		"approvers: {default: [a]}\nlists: {framework: {entries: [{value: V-1, owner: o, because: b, until: 2026-11-24}, {value: V-2, owner: o, because: b, until: 2026-11-23}]}}\n"+
		"signals: {over_threshold: [{amount: 50000}], cumulative: [{by: vendor_requester, within: 7d, limit: large}]}\nrules:\n  - name: r\n    when: '"+condition+"'\n    require: {assurance: mfa}\n")
	r := v.Evaluate(f, StagePerson)
	if len(r.Reasons) == 0 {
		return countersign.False, nil
	}
	return r.Reasons[0].State, r.Reasons[0].Missing
}
