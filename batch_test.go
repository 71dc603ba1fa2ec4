package countersign

import (
	"fmt"
	"testing"
)

func run() Document {
	line := func(number, amount string) Line {
		return Line{Number: number, Amount: &Amount{amount, "EUR"}, Payee: &Payee{ID: "V-" + number, Account: &Account{Scheme: "bban", Value: number}}}
	}
	return Document{Kind: KindPaymentBatch, ID: "B-1", Revision: "1", Amount: &Amount{"900.00", "EUR"}, Requester: &Party{Type: "person", ID: "u17"},
		Lines: []Line{line("1", "400.00"), line("2", "500.00")}}
}

// TestPaymentBatchPaysByItsLines: who is paid, how much and to which account stands
// on every line, and the lines are the amount.
func TestPaymentBatchPaysByItsLines(t *testing.T) {
	d := run()
	if err := d.Validate(""); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Document){
		"/lines":                   func(d *Document) { d.Lines = nil },
		"/payee":                   func(d *Document) { d.Payee = d.Lines[0].Payee },
		"/lines/1/payee":           func(d *Document) { d.Lines[1].Payee = nil },
		"/lines/1/payee/account":   func(d *Document) { d.Lines[1].Payee.Account = nil },
		"/lines/0/amount":          func(d *Document) { d.Lines[0].Amount = nil },
		"/lines/0/amount/currency": func(d *Document) { d.Lines[0].Amount.Currency = "USD" },
		"/lines/1/number":          func(d *Document) { d.Lines[1].Number = "1" },
		"/lines/1/amount/value":    func(d *Document) { d.Amount.Value, d.Lines[1].Amount.Value = "400.00", "-100.00" },
		"/amount/value /lines":     func(d *Document) { d.Amount.Value = "-900.00" },
		"/amount/value":            func(d *Document) { *d = purchase(); d.Amount.Value = "-1.00" },
	} {
		d := run()
		change(&d)
		if got := pointers(d.Validate("")); got != want {
			t.Errorf("want %q, have %q", want, got)
		}
	}
}

// TestPaymentBatchAddsUp: to the cent, and beyond 64 bits.
func TestPaymentBatchAddsUp(t *testing.T) {
	for _, c := range []struct{ amount, a, b, detail string }{
		{"900.01", "400.00", "500.00", "add up to 0.01 less than the amount, 900.01"},
		{"899.99", "400.00", "500.00", "add up to more than the amount, 899.99"},
		{"240000.00", "9000000.00", "0.00", "add up to more than the amount, 240000.00"},
		{"0.00", "92233720368547758.07", "92233720368547758.07", "add up to more than the amount, 0.00"},
		{"92233720368547758.06", "92233720368547758.06", "92233720368547758.07", "add up to more than the amount, 92233720368547758.06"},
	} {
		d := run()
		d.Amount.Value, d.Lines[0].Amount.Value, d.Lines[1].Amount.Value = c.amount, c.a, c.b
		err := d.Validate("")
		if got := pointers(err); got != "/lines" || err.(*Problem).Errors[0].Detail != c.detail {
			t.Errorf("%s + %s as %s: %s %v", c.a, c.b, c.amount, got, err)
		}
	}
	d := run()
	d.Lines, d.Amount.Value = nil, "50.00"
	for i := range maxLines {
		d.Lines = append(d.Lines, Line{Number: fmt.Sprint(i), Amount: &Amount{"0.01", "EUR"}, Payee: &Payee{ID: "V", Account: &Account{Scheme: "bban", Value: "1"}}})
	}
	if err := d.Validate(""); err != nil {
		t.Error(err)
	}
}
