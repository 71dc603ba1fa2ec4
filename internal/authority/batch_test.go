package authority_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

var (
	knownAccount = countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}
	otherAccount = countersign.Account{Scheme: "iban", Value: "GB82WEST12345698765432"}
)

// paid is one line of a payment batch.
func paid(number, vendor, name, amount string, account countersign.Account) countersign.Line {
	return countersign.Line{Number: number, Amount: &countersign.Amount{Value: amount, Currency: "EUR"},
		Payee: &countersign.Payee{ID: vendor, Name: name, Account: &account}}
}

func batch(id, amount string, lines ...countersign.Line) *countersign.Document {
	return order(id, amount, func(d *countersign.Document) {
		d.Kind, d.Payee, d.Lines = countersign.KindPaymentBatch, nil, lines
	})
}

func bankChange(id, vendor string, to countersign.Account) *countersign.Document {
	return order(id, "1.00", func(d *countersign.Document) {
		d.Kind, d.Amount, d.Payee.ID, d.Payee.Account = countersign.KindVendorBankChange, nil, vendor, &to
	})
}

// fired returns the sentences of the rules that fired on a request, by rule.
func (h *house) fired(r *countersign.Approval) map[string]string {
	h.t.Helper()
	seen, err := h.a.Get(h.ctx, authority.Caller{Key: &h.key}, r.ID)
	h.must(err)
	out := map[string]string{}
	for _, reason := range seen.Reasons {
		out[reason.Rule] = reason.Sentence
	}
	return out
}

// paidBefore makes the account of a vendor one that was paid.
func (h *house) paidBefore(vendors ...string) {
	h.t.Helper()
	for _, v := range vendors {
		h.vendor(v, "Vendor "+v, 2, &knownAccount)
		_, err := h.a.RecordFacts(h.ctx, h.key, countersign.FactsBody{Purchases: []countersign.PurchaseFact{{Kind: countersign.KindPayment, ID: "H-" + v, Vendor: v,
			Amount: countersign.Amount{Value: "2100.00", Currency: "EUR"}, Date: "2024-01-01", Account: &knownAccount}}})
		h.must(err)
	}
}

func TestBatchToKnownAccountsPasses(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1", "V-2")
	r := h.submit(batch("B-1", "900.00", paid("1", "V-1", "Vendor V-1", "400.00", knownAccount), paid("2", "V-2", "Vendor V-2", "500.00", knownAccount)))
	if r.Status != countersign.StatusApproved {
		t.Errorf("a run to known accounts is %s: %v", r.Status, h.fired(r))
	}
}

// TestBatchIsWeighedLineByLine: what stops a payment stops a payment batch with a line
// like it.
func TestBatchIsWeighedLineByLine(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1", "V-2")
	good := paid("1", "V-1", "Vendor V-1", "400.00", knownAccount)
	for name, c := range map[string]struct {
		line  countersign.Line
		rule  string
		wants string
	}{
		"another account":       {paid("2", "V-2", "Vendor V-2", "500.00", otherAccount), "batch-to-other-account", "1 of 2 lines, to Vendor V-2 (V-2)"},
		"a vendor nobody knows": {paid("2", "V-9", "Newcomer", "20000.00", otherAccount), "batch-to-new-vendor", "1 of 2 lines, to Newcomer (V-9)"},
		"no vendor number":      {paid("2", "", "Newcomer", "500.00", otherAccount), "batch-to-pending-account", "open changes of bank details could not be looked up"},
		"another name":          {paid("2", "V-2", "Somebody Else", "500.00", knownAccount), "claims-differ", "of line 2"},
	} {
		total := "900.00"
		if c.line.Amount.Value == "20000.00" {
			total = "20400.00"
		}
		r := h.submit(batch("B-"+strings.ReplaceAll(name, " ", "-"), total, good, c.line))
		fired := h.fired(r)
		if r.Status == countersign.StatusApproved || !strings.Contains(fired[c.rule], c.wants) {
			t.Errorf("%s: %s, %v", name, r.Status, fired)
		}
	}
}

func TestBatchToPendingAccountIsDenied(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1", "V-2")
	h.submit(bankChange("BC-1", "V-2", otherAccount))
	good := paid("1", "V-1", "Vendor V-1", "400.00", knownAccount)
	r := h.submit(batch("B-1", "900.00", good, paid("2", "V-2", "Vendor V-2", "500.00", otherAccount)))
	if s := h.fired(r)["batch-to-pending-account"]; r.Status != countersign.StatusDenied || !strings.Contains(s, "1 of 2 lines, to Vendor V-2 (V-2)") {
		t.Errorf("to the pending account: %s %q", r.Status, s)
	}
	r = h.submit(batch("B-2", "900.00", good, paid("2", "V-2", "Vendor V-2", "500.00", knownAccount)))
	if s := h.fired(r)["batch-during-bank-change"]; r.Status != countersign.StatusPending || !strings.Contains(s, "Vendor V-2") {
		t.Errorf("to the old account meanwhile: %s %q", r.Status, s)
	}
}

func TestBatchWithFrozenVendorIsDenied(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1", "V-2")
	_, err := h.who["rosa"].freeze(authority.FreezeBody{Vendor: "V-2", Reason: "fraud"})
	h.must(err)
	r := h.submit(batch("B-1", "900.00", paid("1", "V-1", "Vendor V-1", "400.00", knownAccount), paid("2", "V-2", "Vendor V-2", "500.00", knownAccount)))
	if s := h.fired(r)["frozen"]; r.Status != countersign.StatusDenied || !strings.Contains(s, "V-2 is frozen (1 of 2 lines)") {
		t.Errorf("%s %q", r.Status, s)
	}
}

// TestBatchIsHeldAtRelease: what is new about a vendor of one line stands against the
// release of the whole run.
func TestBatchIsHeldAtRelease(t *testing.T) {
	for name, happens := range map[string]func(*house){
		"frozen": func(h *house) {
			_, err := h.who["rosa"].freeze(authority.FreezeBody{Vendor: "V-2", Reason: "fraud"})
			h.must(err)
		},
		"bank change": func(h *house) { h.submit(bankChange("BC-1", "V-2", otherAccount)) },
	} {
		t.Run(name, func(t *testing.T) {
			h := onSQLite(t)
			h.paidBefore("V-1", "V-2")
			d := batch("B-1", "900.00", paid("1", "V-1", "Vendor V-1", "400.00", knownAccount), paid("2", "V-2", "Vendor V-2", "500.00", knownAccount))
			r := h.submit(d)
			if r.Status != countersign.StatusApproved {
				t.Fatalf("%s: %v", r.Status, h.fired(r))
			}
			happens(h)
			if _, err := h.release(r.ID, d, "x1"); err == nil {
				t.Error("released")
			}
		})
	}
}

// TestCustomKindThatPaysIsHeldAtRelease: an organisation's own kind that names an
// account moves money, whatever it is called.
func TestCustomKindThatPaysIsHeldAtRelease(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1")
	h.settings(func(s *authority.Settings) { s.Kinds = []string{"refund"} })
	d := order("R", "900.00", func(d *countersign.Document) {
		d.Kind, d.Payee.Name, d.Payee.Account = "refund", "Vendor V-1", &otherAccount
	})
	r := h.submit(d)
	if r.Status != countersign.StatusApproved {
		t.Fatalf("%s: %v", r.Status, h.fired(r))
	}
	h.submit(bankChange("BC-1", "V-1", otherAccount))
	if _, err := h.release(r.ID, d, "x"); err == nil {
		t.Error("released while that account's change is pending")
	}
}

// TestBatchBecomesHistory: each line is a purchase of its vendor, and its account was
// paid.
func TestBatchBecomesHistory(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1", "V-2")
	d := batch("B-1", "900.00", paid("1", "V-1", "Vendor V-1", "400.00", knownAccount), paid("2", "V-2", "Vendor V-2", "300.00", knownAccount),
		paid("3", "V-2", "Vendor V-2", "200.00", knownAccount))
	r := h.submit(d)
	before := h.stat("V-2")
	_, err := h.release(r.ID, d, "x1")
	h.must(err)
	after := h.stat("V-2")
	if after.Count != before.Count+2 || after.Sum != before.Sum+500_00 {
		t.Errorf("history of V-2: %d purchases of %d, before %d of %d", after.Count, after.Sum, before.Count, before.Sum)
	}
	h.read(func(tx *store.Tx) error {
		accounts, err := tx.VendorAccounts("V-2")
		if err == nil && (len(accounts) != 1 || accounts[0].Paid.Before(h.clock.Now().Add(-time.Minute))) {
			t.Errorf("accounts of V-2: %+v", accounts)
		}
		return err
	})
}

func (h *house) stat(vendor string) (out signal.Purchases) {
	h.t.Helper()
	h.read(func(tx *store.Tx) error {
		stats, err := tx.VendorStats(vendor)
		if len(stats) > 0 {
			out = stats[0]
		}
		return err
	})
	return out
}

// TestLargestBatch: the longest run there may be is weighed whole, one look at each
// vendor.
func TestLargestBatch(t *testing.T) {
	h := onSQLite(t)
	h.paidBefore("V-1")
	var lines []countersign.Line
	for i := range 4000 {
		lines = append(lines, paid(fmt.Sprint(i), fmt.Sprint("W-", i), "W", "1.00", knownAccount))
	}
	began := time.Now()
	r := h.submit(batch("B-1", "4000.00", lines...))
	t.Logf("4000 vendors in %v", time.Since(began).Round(time.Millisecond))
	if s := h.fired(r)["batch-to-other-account"]; r.Status != countersign.StatusPending || !strings.Contains(s, "no bank account of this vendor is on record") {
		t.Errorf("%s %q", r.Status, s)
	}
}

// TestCreditsLowerNoSum: a credit makes no room for purchases that are split, and is
// itself weighed by its size.
func TestCreditsLowerNoSum(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	if r := h.submit(order("C", "-9000000.00")); r.Status != countersign.StatusPending || h.fired(r)["large-purchase"] == "" {
		t.Errorf("a credit of nine millions is %s", r.Status)
	}
	if r := h.submit(order("C2", "-900.00")); r.Status != countersign.StatusApproved {
		t.Errorf("a small credit is %s", r.Status)
	}
	first, second := h.submit(order("S1", "29000.00")), h.submit(order("S2", "29000.00"))
	if first.Status != countersign.StatusApproved || second.Status != countersign.StatusPending || h.fired(second)["split-purchase"] == "" {
		t.Errorf("two parts beside a credit: %s, %s", first.Status, second.Status)
	}
}

func TestOldRateIsNoRate(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
	h.rates("0.92", 30)
	dollars := func(id string) *countersign.Document {
		return order(id, "900.00", func(d *countersign.Document) { d.Amount.Currency = "USD" })
	}
	if r := h.submit(dollars("A")); r.Status != countersign.StatusApproved {
		t.Errorf("at a rate of 30 days: %s", r.Status)
	}
	h.clock.forward(24 * time.Hour)
	if r := h.submit(dollars("B")); r.Status != countersign.StatusPending || !strings.Contains(h.fired(r)["large-purchase"], "rate of USD in EUR") {
		t.Errorf("at a rate of 31 days: %s", r.Status)
	}
}

// TestRateLeaps: a rate that is far from the last one is refused, unless a key says it
// that may.
func TestRateLeaps(t *testing.T) {
	h := onSQLite(t)
	plain := h.key
	plain.Scopes = nil
	for _, s := range h.key.Scopes {
		if s != authn.ScopeProvisioning {
			plain.Scopes = append(plain.Scopes, s)
		}
	}
	h.key = plain
	h.rates("0.92", 3)
	for _, value := range []string{"0.0092", "0.45", "1.85", "92"} {
		for _, ago := range []int{0, 3, 10} {
			_, err := h.a.RecordFacts(h.ctx, plain, h.rate(value, ago))
			if p := h.refused(err, countersign.CodeInvalid); len(p.Errors) != 1 || p.Errors[0].Pointer != "/rates/0/rate" {
				t.Errorf("%s of %d days ago: %v", value, ago, p)
			}
		}
	}
	h.rates("1.84", 0)
	trusted := plain
	trusted.Scopes = append([]authn.Scope{authn.ScopeProvisioning}, plain.Scopes...)
	_, err := h.a.RecordFacts(h.ctx, trusted, h.rate("92", 0))
	h.must(err)
}

func (h *house) rate(value string, ago int) countersign.FactsBody {
	return countersign.FactsBody{Rates: []countersign.RateFact{{Base: "EUR", Currency: "USD", Rate: value, Day: h.clock.Now().AddDate(0, 0, -ago).Format(time.DateOnly)}}}
}

func (h *house) rates(value string, ago int) {
	h.t.Helper()
	_, err := h.a.RecordFacts(h.ctx, h.key, h.rate(value, ago))
	h.must(err)
}
