package countersign

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/jcs"
)

func purchase() Document {
	return Document{Kind: KindPayment, ID: "PAY-1", Revision: "3", Entity: "ACME GmbH", Amount: &Amount{"48200.00", "EUR"},
		Payee:       &Payee{ID: "V-17", Name: "Bäcker & Söhne", Country: "DE", Account: &Account{Scheme: "iban", Value: "DE89370400440532013000", BIC: "COBADEFFXXX"}},
		Lines:       []Line{{Number: "1", Quantity: "2.5", UnitPrice: "0.33333", Amount: &Amount{"48200.00", "EUR"}}},
		Dates:       &Dates{Issued: "2026-11-24", Due: "2026-12-24"},
		Terms:       &Terms{PaymentDays: 30},
		Flags:       []string{"urgent"},
		Requester:   &Party{Type: "person", ID: "u17"},
		Attachments: []Attachment{{Name: "invoice.pdf", Size: 12, Digest: SumBytes(nil)}},
		References:  []Reference{{Kind: "purchase_order", ID: "PO-1"}}, Changes: []Change{{Field: "text", From: "a\nb", To: "c\td"}},
		Custom: map[string]string{"project": "P-1"}}
}

// TestRuling3RequiredFields: a table per kind; what else is missing is no error.
func TestRuling3RequiredFields(t *testing.T) {
	d := purchase()
	if err := d.Validate(""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind    string
		missing string
	}{
		{KindPurchaseRequest, ""}, {KindPurchaseOrder, ""}, {KindInvoice, ""}, {"expense_report", ""},
		{KindPayment, "/amount /payee"}, {KindPaymentBatch, "/amount"}, {KindVendorCreate, "/payee"}, {KindVendorBankChange, "/payee"},
		{KindVendorContactChange, "/payee /changes"}, {KindPolicyPublish, ""}, {"Invoice", "/kind"}, {"", "/kind"},
	} {
		d := Document{Kind: c.kind, ID: "1", Revision: "1", Requester: &Party{Type: "service", ID: "s", Owner: "u"}}
		if got := pointers(d.Validate("")); got != c.missing {
			t.Errorf("%s: %q, want %q", c.kind, got, c.missing)
		}
	}
	none := Document{}
	if got := pointers(none.Validate("/document")); got != "/document/kind /document/id /document/revision /document/requester" {
		t.Error(got)
	}
	noAccount := Document{Kind: KindVendorBankChange, ID: "1", Revision: "1", Requester: &Party{Type: "person", ID: "u"}, Payee: &Payee{ID: "V"}}
	if got := pointers(noAccount.Validate("")); got != "/payee/account" {
		t.Error(got)
	}
}

func pointers(err error) string {
	var p *Problem
	if !errors.As(err, &p) {
		return ""
	}
	var at []string
	for _, e := range p.Errors {
		at = append(at, e.Pointer)
	}
	return strings.Join(at, " ")
}

func TestDocumentForm(t *testing.T) {
	for at, change := range map[string]func(*Document){
		"/amount":               func(d *Document) { d.Amount.Value = "48200" },
		"/id":                   func(d *Document) { d.ID = strings.Repeat("x", 201) },
		"/entity":               func(d *Document) { d.Entity = "ACME " },
		"/subject":              func(d *Document) { d.Subject = "pay \u202Enow" },
		"/cost_centre":          func(d *Document) { d.CostCentre = "a\x00b" },
		"/category":             func(d *Document) { d.Category = "zero\u200Bwidth" },
		"/payee":                func(d *Document) { d.Payee = &Payee{Account: d.Payee.Account} },
		"/payee/country":        func(d *Document) { d.Payee.Country = "de" },
		"/payee/account/value":  func(d *Document) { d.Payee.Account.Value = "DE89370400440532013001" },
		"/payee/account/scheme": func(d *Document) { d.Payee.Account.Scheme = "" },
		"/payee/account/bic":    func(d *Document) { d.Payee.Account.BIC = "COBADEFFXXXX" },
		"/lines/0/number":       func(d *Document) { d.Lines[0].Number = "" },
		"/lines/0/quantity":     func(d *Document) { d.Lines[0].Quantity = "1e9" },
		"/lines/0/unit_price":   func(d *Document) { d.Lines[0].UnitPrice = "-0" },
		"/lines/0/amount":       func(d *Document) { d.Lines[0].Amount.Currency = "EURO" },
		"/lines/0/payee":        func(d *Document) { d.Lines[0].Payee = &Payee{} },
		"/dates/due":            func(d *Document) { d.Dates.Due = "2026-02-30" },
		"/dates/issued":         func(d *Document) { d.Dates.Issued = "24.11.2026" },
		"/terms/payment_days":   func(d *Document) { d.Terms.PaymentDays = -1 },
		"/flags/1":              func(d *Document) { d.Flags = []string{"urgent", "urgent"} },
		"/requester/type":       func(d *Document) { d.Requester.Type = "robot" },
		"/requester/id":         func(d *Document) { d.Requester.ID = "" },
		"/attachments/0/digest": func(d *Document) { d.Attachments[0].Digest = "x" },
		"/attachments/0/size":   func(d *Document) { d.Attachments[0].Size = -1 },
		"/references/0/id":      func(d *Document) { d.References[0].ID = "" },
		"/changes/0/field":      func(d *Document) { d.Changes[0].Field = "" },
		"/changes/0/to":         func(d *Document) { d.Changes[0].To = "x\x07" },
		"/custom/Project":       func(d *Document) { d.Custom = map[string]string{"Project": "x"} },
		"/custom/project":       func(d *Document) { d.Custom["project"] = "a\nb" },
		"/lines":                func(d *Document) { d.Lines = make([]Line, maxLines+1) },
	} {
		d := purchase()
		change(&d)
		got := pointers(d.Validate(""))
		if first, _, _ := strings.Cut(got, " "); first != at {
			t.Errorf("want %s, have %q", at, got)
		}
	}
	var d Document
	d.Lines = make([]Line, maxLines)
	if got := strings.Fields(pointers(d.Validate(""))); len(got) > jcs.MaxFieldErrors {
		t.Errorf("%d errors are listed", len(got))
	}
}

// TestDocumentDigestCoversEveryMember (ruling 1): there is no ignore list.
func TestDocumentDigestCoversEveryMember(t *testing.T) {
	digest := func(change func(*Document)) Digest {
		d := purchase()
		change(&d)
		b, err := Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		return SumBytes(b)
	}
	whole := digest(func(*Document) {})
	for i, change := range []func(*Document){
		func(d *Document) { d.Amount.Value = "48200.01" }, func(d *Document) { d.Payee.Account.Value = "DE02120300000000202051" }, func(d *Document) { d.Revision = "4" },
		func(d *Document) { d.Lines[0].UnitPrice = "0.33334" }, func(d *Document) { d.Terms = nil }, func(d *Document) { d.Flags = nil }, func(d *Document) { d.Requester.Name = "x" },
		func(d *Document) { d.Attachments = nil }, func(d *Document) { d.Custom["project"] = "P-2" }, func(d *Document) { d.Payee.Account.Holder = "x" }, func(d *Document) { d.Subject = "x" },
	} {
		if digest(change) == whole {
			t.Errorf("change %d does not change the digest", i)
		}
	}
	d := purchase()
	if d.Key() != "payment:PAY-1" {
		t.Error(d.Key())
	}
}

func TestIBAN(t *testing.T) {
	for _, good := range []string{"DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947", "MT84MALT011000012345MTLCAST001S", "FR1420041010050500013M02606"} {
		if err := CheckIBAN(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
		for i := range good {
			if c := good[i]; c >= '0' && c <= '9' {
				bad := good[:i] + string((c-'0'+1)%10+'0') + good[i+1:]
				if CheckIBAN(bad) == nil {
					t.Errorf("%s passes, one digit from %s", bad, good)
				}
			}
		}
	}
	for _, bad := range []string{"", "DE", "de89370400440532013000", "DE89 3704 0044 0532 0130 00", "DE8937040044053201300ü", strings.Repeat("D", 35)} {
		if CheckIBAN(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestInvisible(t *testing.T) {
	for _, r := range []rune{0x202E, 0x2066, 0x200B, 0xFEFF, 0x00AD, 0xE0041, 0xFFFD, 0x2028, 0x061C} {
		if !Invisible(r) {
			t.Errorf("U+%04X is taken for visible", r)
		}
	}
	for _, r := range "aé€字😂\u200D\u200C" { // joiners are needed by some scripts
		if Invisible(r) {
			t.Errorf("U+%04X is taken for invisible", r)
		}
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[string][3]bool{KindInvoice: {true, false, true}, KindErasure: {false, true, false}, "expense": {false, false, true}, "x": {}, "1x": {}, "Expense": {}} {
		if got := [3]bool{BuiltinKind(kind), InternalKind(kind), ValidKind(kind)}; got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}

// TestEveryChangeIsListed: a kind of change to Countersign itself that is not among those
// that people propose cannot be proposed, found or filtered by.
func TestEveryChangeIsListed(t *testing.T) {
	source, err := os.ReadFile("document.go")
	if err != nil {
		t.Fatal(err)
	}
	named := []string{}
	for _, m := range regexp.MustCompile(`Kind\w+ += "(countersign\.\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if m[1] != KindEnrolmentConfirm { // which nobody proposes
			named = append(named, m[1])
		}
	}

	listed := ChangeKinds()
	slices.Sort(named)
	slices.Sort(listed)
	if len(named) == 0 || !slices.Equal(named, listed) {
		t.Errorf("the changes that have a name are\n%q\nand listed are\n%q", named, listed)
	}
}
