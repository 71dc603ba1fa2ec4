package signal

import (
	"strconv"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
)

// threeLines pays three vendors, all as they should be.
func threeLines() *Facts {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f := &Facts{Now: now, Document: &countersign.Document{Kind: countersign.KindPaymentBatch, Amount: &countersign.Amount{Value: "900.00", Currency: "EUR"}},
		Alerts: []Alert{}, Freezes: []Freeze{}, BankChanges: []BankChange{}, Differences: []Difference{}}
	long := now.AddDate(-2, 0, 0)
	for i := range 3 {
		n := strconv.Itoa(i + 1)
		p := &countersign.Payee{ID: "V-" + n, Name: "Vendor " + n}
		f.Document.Lines = append(f.Document.Lines, countersign.Line{Number: n, Payee: p})
		f.Payments = append(f.Payments, Payment{Lines: 1, First: n, Payee: p, BankChanges: []BankChange{}, History: &History{Count: 9, First: long},
			Vendor: &Vendor{OnRecord: true, ID: p.ID, Fingerprint: "fp-" + n, LastPaid: []string{"fp-" + n}, CreatedBy: "per_v",
				Accounts: []Account{{Fingerprint: "fp-" + n, FirstSeen: long, Changed: long}}}})
	}
	return f
}

var ofPayee = []string{"new_vendor", "bank_account_differs", "bank_account_changed_recently", "pending_bank_change", "pays_pending_account", "open_alert", "frozen"}

func findings(f *Facts) map[string]countersign.Finding {
	s := DefaultSettings("EUR")
	out := map[string]countersign.Finding{}
	for _, x := range Compute(f, &s) {
		out[x.Signal] = x
	}
	return out
}

// TestBatchAnswersForEveryLine: the strictest answer over the lines stands, and says
// which they are.
func TestBatchAnswersForEveryLine(t *testing.T) {
	for _, name := range ofPayee {
		if got := findings(threeLines())[name]; got.State != countersign.False {
			t.Errorf("%s of lines as they should be: %+v", name, got)
		}
	}
	one := "1 of 3 lines, to Vendor 2 (V-2): "
	for name, c := range map[string]struct {
		change func(*Facts, *Payment)
		value  string
	}{
		"new_vendor":                    {func(_ *Facts, p *Payment) { p.History = &History{} }, one + "0 settled purchases"},
		"bank_account_differs":          {func(_ *Facts, p *Payment) { p.Vendor.LastPaid = []string{"fp-x"} }, one + "another account than the last 1 payment went to"},
		"bank_account_changed_recently": {func(f *Facts, p *Payment) { p.Vendor.Accounts[0].Changed = f.Now }, one + "changed or first seen today"},
		"pending_bank_change": {func(f *Facts, p *Payment) { p.BankChanges = []BankChange{{Request: "req_1", To: "fp-y", At: f.Now}} },
			one + "bank change of 2026-11-24 (req_1)"},
		"pays_pending_account": {func(f *Facts, p *Payment) { p.BankChanges = []BankChange{{Request: "req_1", To: "fp-2", At: f.Now}} },
			one + "the account of the bank change req_1"},
		"open_alert": {func(f *Facts, p *Payment) {
			f.Alerts = []Alert{{ID: "alr_1", Severity: SeverityHigh, About: "V-2", Raised: f.Now}}
		}, "high alert about V-2 of 2026-11-24 (1 of 3 lines)"},
		"frozen": {func(f *Facts, p *Payment) {
			f.Freezes = []Freeze{{ID: "frz_1", About: "V-2"}, {ID: "frz_2", About: "V-3"}}
		},
			"V-2, V-3 are frozen (2 of 3 lines)"},
	} {
		f := threeLines()
		c.change(f, &f.Payments[1])
		if got := findings(f)[name]; got.State != countersign.True || got.Value != c.value {
			t.Errorf("%s: %s %q, want %q", name, got.State, got.Value, c.value)
		}
	}
}

// TestBatchCannotSayForAnyLine: what is not known of one line is not known of the
// batch; true for another is true all the same.
func TestBatchCannotSayForAnyLine(t *testing.T) {
	for _, name := range ofPayee[:5] {
		f := threeLines()
		f.Payments[1].Vendor, f.Payments[1].History, f.Payments[1].BankChanges = nil, nil, nil
		if got := findings(f)[name]; got.State != countersign.Unknown || len(got.Missing) == 0 {
			t.Errorf("%s with an unknown line: %+v", name, got)
		}
		for what, change := range map[string]func(){
			"not looked up":    func() { f.Payments = nil },
			"a line forgotten": func() { f.Payments = threeLines().Payments[:2] },
			"no lines":         func() { f.Document.Lines, f.Payments = nil, nil },
		} {
			change()
			if got := findings(f)[name]; got.State != countersign.Unknown {
				t.Errorf("%s, %s: %+v", name, what, got)
			}
		}
	}
	f := threeLines()
	f.Payments[0].History, f.Payments[2].History = nil, &History{}
	if got := findings(f)["new_vendor"]; got.State != countersign.True {
		t.Errorf("one unknown, one new: %+v", got)
	}
}

// TestCreditIsWeighedByItsSize: a threshold is reached by a credit of its size.
func TestCreditIsWeighedByItsSize(t *testing.T) {
	f := threeLines()
	f.Document.Kind, f.Document.Amount.Value = countersign.KindInvoice, "-30000.00"
	s := DefaultSettings("EUR")
	s.Thresholds = []Threshold{{Amount: Money{30000_00, "EUR"}}}
	if got := Compute(f, &s)[0]; got.Signal != "over_threshold" || got.State != countersign.True {
		t.Errorf("%+v", got)
	}
	if m, _ := f.Signed(); m.Minor != -30000_00 {
		t.Errorf("signed: %v", m)
	}
}
