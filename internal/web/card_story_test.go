package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
)

// sample is an invoice with something in every place.
func sample() *countersign.Document {
	digest := countersign.SumBytes([]byte("an invoice"))
	return &countersign.Document{Kind: countersign.KindInvoice, ID: "INV-2026-118", Revision: "2", Entity: "Nordholz AG", CostCentre: "4100", Category: "packaging", Subject: "Film for the winter season",
		Amount: &countersign.Amount{Value: "48200.00", Currency: "EUR"},
		Payee: &countersign.Payee{ID: "V-100482", Name: "Lipovka Fólie s.r.o.", TaxID: "CZ26185610", Country: "CZ",
			Account: &countersign.Account{Scheme: "iban", Value: "CZ6508000000192000145399", BIC: "GIBACZPX", Holder: "Lipovka Fólie"}},
		Lines: []countersign.Line{{Number: "1", Item: "F-20", Description: "Stretch film", Category: "film", CostCentre: "4110", Quantity: "1200", Unit: "KGM", UnitPrice: "40.16667", Amount: &countersign.Amount{Value: "48200.00", Currency: "EUR"}}},
		Dates: &countersign.Dates{Issued: "2026-11-20", Due: "2026-12-20", Delivery: "2026-11-18", Execution: "2026-12-18"}, Terms: &countersign.Terms{PaymentDays: 30, Text: "2 % within 10 days"},
		Flags: []string{"urgent", "off_cycle"}, Requester: &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor", Owner: "u3"},
		Attachments: []countersign.Attachment{{Name: "invoice.pdf", MediaType: "application/pdf", Size: 188416, Digest: digest}},
		References:  []countersign.Reference{{Kind: "purchase_order", ID: "PO-77"}}, Changes: []countersign.Change{{Field: "email", From: "old@lipovka.example", To: "new@lipovka.example"}},
		Custom: map[string]string{"project": "P-1"}}
}

func bankChange() *countersign.Document {
	const old, fresh = "DE89370400440532013000", "DE12500105170648489890"
	return &countersign.Document{Kind: countersign.KindVendorBankChange, ID: "VBC-9", Revision: "1",
		Payee:     &countersign.Payee{ID: "100482", Name: "Nordholz Logistik GmbH", Country: "DE", Account: &countersign.Account{Scheme: "iban", Value: fresh, Holder: "N. Logistik"}},
		Changes:   []countersign.Change{{Field: "account", From: old, To: fresh}, {Field: "bank", From: "Commerzbank", To: "ING-DiBa"}},
		Requester: &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor"}, Subject: "Supplier sent a letter"}
}

// TestCardOfABankChange is the model case: the new account is the largest thing to read,
// in groups, and the old one stands struck through beneath it.
func TestCardOfABankChange(t *testing.T) {
	c, page := cardOf(t, bankChange(), nil, Format{})
	if c.Kind.Label != "Change of bank details" || partsText(c.Title.Parts) != "Nordholz Logistik GmbH" || c.Amount != nil {
		t.Errorf("header: %+v %+v", c.Kind, c.Title)
	}
	row := c.Rows[0]
	main := row.Entries[0].Main
	if row.Label != "Bank account" || partsText(main.Parts) != "DE12 5001 0517 0648 4898 90" || main.At != "/payee/account/value" || main.Also != "/changes/0/to" {
		t.Errorf("the account: %+v", row)
	}
	if len(main.Was) != 1 || partsText(main.Was[0].Parts) != "DE89 3704 0044 0532 0130 00" || main.Was[0].At != "/changes/0/from" {
		t.Errorf("the old account: %+v", main.Was)
	}
	for _, want := range []string{`<del class="was"><span class="hidden">was </span><bdi class="v id account" data-at="/changes/0/from">DE89 3704`, `<span class="hidden">now </span>`,
		`<span class="changed">12</span> <span class="changed">5001</span>`, `<bdi class="v id" data-at="/changes/1/field">bank</bdi>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "5001"); n != 1 {
		t.Errorf("the new account stands %d times", n)
	}
}

// A change that names another account than the payee has is shown beside it: both are
// signed, and a reader must see that they are two.
func TestCardOfAChangeToAnotherAccountThanThePayees(t *testing.T) {
	d := bankChange()
	d.Changes[0].To = "DE02120300000000202051"
	c, _ := cardOf(t, d, nil, Format{})
	if c.Rows[0].Label != "Account" || partsText(c.Rows[0].Entries[0].Main.Parts) != "DE12 5001 0517 0648 4898 90" || partsText(c.Rows[1].Entries[0].Main.Parts) != "DE02 1203 0000 0000 2020 51" {
		t.Errorf("%+v", c.Rows[:2])
	}
}

// TestOneChangedDigitIsOneMarkedDigit, wherever the groups fall.
func TestOneChangedDigitIsOneMarkedDigit(t *testing.T) {
	for _, c := range []struct{ now, was, want string }{
		{"DE89370400440532013000", "DE89370400440532018000", "DE89 3704 0044 0532 01[3]0 00"},
		{"DE89370400440532013000", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"},
		{"AB", "", "[AB]"}, {"12345", "1245", "12[3]4 5"}, {"1245", "12345", "1[24]5"},
	} {
		if got := bracketed(markedParts(c.now, c.was, kindAccount)); got != c.want {
			t.Errorf("%s was %s: %s, want %s", c.now, c.was, got, c.want)
		}
	}
	if got := bracketed(markedParts("Café noir", "Cafe noir", kindLine)); got != "[Café] noir" {
		t.Error(got)
	}
	if got := bracketed(markedParts("ae\u0301", "ai\u0301", kindID)); got != "a[e\u0301]" {
		t.Error(got)
	}
	if got := bracketed(markedParts("Cafe\u0301", "Cafe\u0300", kindID)); got != "Caf[e\u0301]" {
		t.Error(got)
	}
}

// TestListsAreMatchedByTheirKeys, one with one: what stands twice is two.
func TestListsAreMatchedByTheirKeys(t *testing.T) {
	match, gone := pairs([]string{"a", "c", "a", "a"}, []string{"a", "b", "a"})
	if fmt.Sprint(match, gone) != "[0 -1 2 -1] [1]" {
		t.Error(match, gone)
	}
}

func bracketed(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Gap {
			b.WriteByte(' ')
		}
		if p.Escape {
			p.Text = "<" + p.Text + ">"
		}
		if p.Changed {
			p.Text = "[" + p.Text + "]"
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// TestCardAmounts: the currency is with the amount, and an amount of twelve digits is
// whole. What ISO 4217 says of decimals is the document's.
func TestCardAmounts(t *testing.T) {
	for _, c := range []struct{ value, currency, want string }{
		{"48200.00", "EUR", "EUR\u00a048\u202f200.00"}, {"123456789012.00", "EUR", "EUR\u00a0123\u202f456\u202f789\u202f012.00"},
		{"1200000", "JPY", "JPY\u00a01\u202f200\u202f000"}, {"900.000", "BHD", "BHD\u00a0900.000"}, {"-0.50", "USD", "USD\u00a0\u22120.50"},
	} {
		d := sample()
		d.Lines, d.Amount = nil, &countersign.Amount{Value: c.value, Currency: c.currency}
		view, page := cardOf(t, d, nil, Format{})
		got := partsText(view.Amount.Currency.Parts) + hardSpace + partsText(view.Amount.Value.Parts)
		if got != c.want || (Format{}).Money(*d.Amount) != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if view.Amount.Long != (len(c.value) > 12) || !strings.Contains(page, `data-at="/amount/currency">`+c.currency+"</bdi>\u00a0<bdi") && !strings.Contains(page, c.currency+"</bdi>&#160;<bdi") {
			t.Errorf("%s: %s", c.value, page)
		}
	}
}

// TestWhatCannotBeSeenIsShown (CVE-2021-42574): no character that turns or hides text
// reaches a page as itself, and an account has plain letters only.
func TestWhatCannotBeSeenIsShown(t *testing.T) {
	d := bankChange()
	d.Payee.Name = "ACME \u202eknaB\u202c\u200b GmbH\u00ad\u2066"
	d.Payee.Account.Value, d.Changes = "DE8937\u0410\u00a0 0400", nil
	d.ID, d.Subject = "A\u200dB\u00a0C", "a\u200db नि\u200dक \u0301x\ttab\nline \u3164"
	c, page := cardOf(t, d, nil, Format{})
	for _, r := range page {
		if countersign.Invisible(r) || r == 0x3164 {
			t.Errorf("U+%04X stands on the card", r)
		}
	}
	if got := partsText(c.Title.Parts); got != "ACME <U+202E>knaB<U+202C><U+200B> GmbH<U+00AD><U+2066>" {
		t.Error(got)
	}
	if got := partsText(c.Rows[0].Entries[0].Main.Parts); got != "DE89 37<U+0410><U+00A0> <U+0020>040 0" {
		t.Error(got)
	}
	if got := partsText(plainParts(d.ID, kindID)) + " " + partsText(plainParts(d.Subject, kindLine)); got != "A<U+200D>B<U+00A0>C a<U+200D>b नि\u200dक <U+0301>x<U+0009>tab<U+000A>line <U+3164>" {
		t.Error(got)
	}
	// A private character, one that stands for another which was lost, and one without ink.
	if got := partsText(plainParts("\ue000\ufffd\u2800", kindLine)); got != "<U+E000><U+FFFD><U+2800>" {
		t.Error(got)
	}
	if !strings.Contains(page, `<span class="esc">U&#43;202E</span>`) {
		t.Error(page)
	}
}

// TestCardHoldsNoMarkup: what a document says is text, in every field.
func TestCardHoldsNoMarkup(t *testing.T) {
	const evil = `"><script>alert(1)</script><a href=javascript:alert(1) onclick='x'>{{.}}`
	d := sample()
	d.Payee.Name, d.Subject, d.ID, d.Attachments[0].Name, d.Flags[0] = evil, evil, evil, evil, evil
	d.Custom = map[string]string{evil: evil}
	d.Changes = []countersign.Change{{Field: evil, From: evil + "\n", To: evil + "\n\n"}}
	c, _ := cardOf(t, d, nil, Format{})
	c.LinkAttachments(func(countersign.Digest) string { return "javascript:alert(1)" })
	page := writeCard(t, c)
	if strings.Contains(page, "<script") || strings.Contains(page, "href=\"javascript") || strings.Contains(page, "onclick='") && !strings.Contains(page, "onclick=&#39;") {
		t.Error(page)
	}
	readCard(t, page, Format{})
}

// TestAttachmentsAreLinkedByTheirDigest: the caller says where a file is, by its digest.
func TestAttachmentsAreLinkedByTheirDigest(t *testing.T) {
	c, page := cardOf(t, sample(), nil, Format{})
	if strings.Contains(page, "<a ") {
		t.Error("a link that nobody asked for")
	}
	c.LinkAttachments(func(d countersign.Digest) string { return "/file?digest=" + string(d) })
	digest := countersign.SumBytes([]byte("an invoice"))
	if page := writeCard(t, c); !strings.Contains(page, `<a href="/file?digest=`+string(digest)+`"><bdi class="v" data-at="/attachments/0/name">invoice.pdf</bdi></a>`) || !strings.Contains(page, `>188`+thinSpace+`416</bdi> <span class="unit">bytes</span>`) {
		t.Error(page)
	}
}

// TestCardOfANewPolicy: what changes in a long text stands open, the rest folds, and
// both are on the page.
func TestCardOfANewPolicy(t *testing.T) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("rule-%d:", i))
	}
	was := strings.Join(lines, "\n")
	lines[100] = "rule-100: # stricter"
	d := &countersign.Document{Kind: countersign.KindPolicyPublish, ID: "policy", Revision: "1", Subject: "Stricter", Requester: &countersign.Party{Type: "person", ID: "per_1"},
		Changes: []countersign.Change{{Field: "policy", From: was, To: strings.Join(lines, "\n")}, {Field: "list:known", To: "a"}}}
	c, page := cardOf(t, d, nil, Format{})
	if c.Kind.Label != "New policy" || c.Rows[0].Label != "Policy" || c.Rows[1].Label != "List" {
		t.Errorf("%+v", c.Rows[0].Label)
	}
	runs := c.Rows[0].Entries[0].Main.Diff.Runs
	if len(runs) != 3 || runs[0].Fold != "97 lines that did not change" || runs[1].Fold != "" || runs[2].Fold != "96 lines that did not change" || len(runs[1].Lines) != 8 {
		t.Fatalf("%d runs: %+v", len(runs), runs)
	}
	for _, want := range []string{`<div class="ln del">`, `<div class="ln add">`, `rule-199:`, `rule-100: # stricter`, `<summary>97 lines`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	// The whole text alone, against the policy that was published before.
	before := *d
	before.Changes = []countersign.Change{{Field: "policy", To: was}}
	d.Changes[0].From = ""
	c, _ = cardOf(t, d, &before, Format{})
	if diff := c.Rows[0].Entries[0].Main.Diff; diff.Note != "Against the earlier version:" || len(diff.Runs) != 3 || diff.From != "" || diff.To != "/changes/0/to" {
		t.Errorf("%+v", diff)
	}
	c, _ = cardOf(t, d, nil, Format{})
	if runs := c.Rows[0].Entries[0].Main.Diff.Runs; len(runs) != 2 || runs[1].Fold != "188 more lines" {
		t.Errorf("%+v", runs)
	}
}

// TestCardOfAPersonsRights: each change in words, a limit with its digits in groups, and
// what is taken away said so.
func TestCardOfAPersonsRights(t *testing.T) {
	d := &countersign.Document{Kind: countersign.KindPeopleChange, ID: "per_7", Revision: "1", Requester: &countersign.Party{Type: "person", ID: "per_1"},
		Changes: []countersign.Change{{Field: "group.add", To: "treasury"}, {Field: "limit:invoice", From: "30000.00 EUR", To: "300000.00 EUR"}, {Field: "limit", From: "5000.00 EUR"}, {Field: "privileged", From: "false", To: "true"}}}
	c, page := cardOf(t, d, nil, Format{})
	var got []string
	for _, r := range c.Rows[:4] {
		v := r.Entries[0].Main
		s := r.Label + " " + partsText(r.Field.Parts) + ": " + partsText(v.Parts) + v.Empty
		for _, w := range v.Was {
			s += " was " + partsText(w.Parts)
		}
		got = append(got, s)
	}
	want := []string{"Add to group group.add: treasury", "Limit limit:invoice: 300\u202f000.00\u00a0EUR was 30\u202f000.00\u00a0EUR", "Limit limit: (nothing) was 5\u202f000.00\u00a0EUR", "Elevated rights privileged: true was false"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if partsText(c.Title.Parts) != "per_7" || !strings.Contains(page, "Change of a person&#39;s rights") {
		t.Error(page)
	}
}

// TestCardOfSettings: a number of seconds has its digits in groups, so that an hour and
// a day are not mixed up.
func TestCardOfSettings(t *testing.T) {
	d := &countersign.Document{Kind: countersign.KindSettingsChange, ID: "settings", Revision: "1", Requester: &countersign.Party{Type: "person", ID: "per_1"},
		Changes: []countersign.Change{{Field: "cool_off_seconds", From: "86400", To: "0"}, {Field: "break_glass_amount", To: "50000.00 EUR"}, {Field: "kinds", To: "lease,grant"}}}
	c, _ := cardOf(t, d, nil, Format{})
	for i, want := range []string{"0 (was 86\u202f400)", "50\u202f000.00\u00a0EUR", "lease,grant"} {
		if got := valueText(&c.Rows[i].Entries[0].Main); got != want || c.Rows[i].Label == "" {
			t.Errorf("%s: %q, want %q", c.Rows[i].Label, got, want)
		}
	}
}

// TestCardOfAPaymentBatch: who is paid and to which account on every line; of two runs,
// the payee whose account changed stands open however far down it is.
func TestCardOfAPaymentBatch(t *testing.T) {
	batch := func() *countersign.Document {
		d := &countersign.Document{Kind: countersign.KindPaymentBatch, ID: "RUN-1", Revision: "1", Amount: &countersign.Amount{Value: "10000.00", Currency: "EUR"}, Requester: &countersign.Party{Type: "service", ID: "erp"}}
		for i := range 100 {
			d.Lines = append(d.Lines, countersign.Line{Number: fmt.Sprint(i + 1), Amount: &countersign.Amount{Value: "100.00", Currency: "EUR"},
				Payee: &countersign.Payee{Name: fmt.Sprintf("Vendor %d", i+1), Account: &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"}}})
		}
		return d
	}
	was, now := batch(), batch()
	c, _ := cardOf(t, now, nil, Format{})
	if len(c.Lines.Runs) != 2 || c.Lines.Runs[1].Fold != "80 more lines" || c.Lines.Caption != "100 lines" || partsText(c.Lines.Runs[0].Lines[0].Main.Parts) != "Vendor 1" {
		t.Errorf("%+v", c.Lines)
	}
	now.Revision, now.Lines[60].Payee.Account.Value = "2", "DE12500105170648489890"
	now.Lines = append(now.Lines[:5:5], now.Lines[6:]...) // the sixth is paid no more
	c, page := cardOf(t, now, was, Format{})
	var open, folded []string
	for _, r := range c.Lines.Runs {
		for _, l := range r.Lines {
			number := partsText(l.Number.Parts)
			if number == "" {
				number = "gone " + partsText(l.Number.Was[0].Parts)
			}
			if r.Fold == "" {
				open = append(open, number)
			} else {
				folded = append(folded, number)
			}
		}
	}
	if got := strings.Join(open, " "); got != "1 2 3 4 5 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 61 gone 6" {
		t.Error(got)
	}
	if len(folded) != 78 || !strings.Contains(page, "no longer there:") || !strings.Contains(page, "<bdi class=\"v id account\">DE89 3704 0044 0532 0130 00</bdi></del>") {
		t.Errorf("%d lines fold", len(folded))
	}
}

// TestLongValuesFoldAndAreNotCut: a text of 2000 characters stands in two pieces that
// are the whole.
func TestLongValuesFoldAndAreNotCut(t *testing.T) {
	d := sample()
	d.Subject = strings.TrimSpace(strings.Repeat("word ", 400))
	c, page := cardOf(t, d, nil, Format{})
	if got := readCard(t, page, Format{}).members["/subject"]; got != d.Subject {
		t.Errorf("%q", got)
	}
	for _, r := range c.Rows {
		if r.Label == "What for" {
			v := r.Entries[0].Main
			if v.More != "… and 1\u202f719 more characters" || partsText(v.Parts)+partsText(v.Rest) != d.Subject {
				t.Errorf("%q", v.More)
			}
		}
	}
}

// TestCardAsText: the same members in the same order, for a mail in plain text.
func TestCardAsText(t *testing.T) {
	c, _ := cardOf(t, bankChange(), nil, Format{})
	const want = `Change of bank details
Nordholz Logistik GmbH
Supplier: 100482
Country: DE

Bank account account: DE12 5001 0517 0648 4898 90 (was DE89 3704 0044 0532 0130 00)
  Scheme: iban
  Holder: N. Logistik
bank: ING-DiBa (was Commerzbank)
What for: Supplier sent a letter
Number: VBC-9
  Revision: 1
  Kind: vendor_bank_change
Asked by: Tola Okafor
  Kind: person
  Number: u17

Shown, signed and logged as one document: sha-256: `
	if got := c.Text(); !strings.HasPrefix(got, want) {
		t.Error(got)
	}
	d := sample()
	d.Changes = []countersign.Change{{Field: "policy", From: "a\nb", To: "a\nc"}}
	c, _ = cardOf(t, d, nil, Format{})
	for _, want := range []string{"\nEUR\u00a048\u202f200.00\n", "Policy policy:\n  a\n\u2212 b\n+ c\n", "\n1 line\n1 Stretch film EUR\u00a048\u202f200.00\n  Item: F-20\n", "Payment within: 30 days\n"} {
		if got := c.Text(); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestEmptyCardIsWritten: the template stands on nothing that a card may lack.
func TestEmptyCardIsWritten(t *testing.T) {
	readCard(t, writeCard(t, CardView{}), Format{})
	if (&CardView{}).Text() != "\n\n" {
		t.Errorf("%q", (&CardView{}).Text())
	}
}

// TestCardRefusesWhatIsNoCanonicalDocument: half a document is shown to nobody.
func TestCardRefusesWhatIsNoCanonicalDocument(t *testing.T) {
	good := string(canonical(t, sample()))
	for name, bytes := range map[string]string{"empty": "", "null": "null", "no object": "[]", "unknown member": `{"kind":"x","note":"y"}`, "white space": good + " ",
		"empty member": strings.Replace(good, `"entity":"Nordholz AG"`, `"entity":""`, 1), "no requester": `{"id":"1","kind":"x","revision":"1"}`} {
		if _, err := Card([]byte(bytes), nil, Format{}, english(t)); err == nil {
			t.Errorf("%s: a card", name)
		}
		if _, err := Card([]byte(good), []byte(bytes), Format{}, english(t)); err == nil || !strings.Contains(err.Error(), "earlier") {
			t.Errorf("%s as the earlier version: %v", name, err)
		}
	}
	b := &cardBuilder{on: map[string]string{"/kind": "x"}}
	if err := b.covers([]byte(`{"kind":"x","id":"1"}`)); err == nil || err.Error() != "card: /id is not on the card" {
		t.Errorf("a member that is not on the card: %v", err)
	}
}

// TestEveryBuiltInKindHasWords, and no two the same.
func TestEveryBuiltInKindHasWords(t *testing.T) {
	tx, seen := english(t), map[string]string{}
	for _, kind := range slices.Concat(documentKinds, countersign.ChangeKinds(), []string{countersign.KindEnrolmentConfirm}) {
		words := tx.T("card.kind." + kind)
		if words == "card.kind."+kind || seen[words] != "" {
			t.Errorf("%s: %q, as %s", kind, words, seen[words])
		}
		seen[words] = kind
	}
}

// TestFurtherFactsReadAsWords: a further fact is called in words, with its own name
// beneath; what is no plain name, and what would pass for a term of ours, stands as it is.
func TestFurtherFactsReadAsWords(t *testing.T) {
	d := sample()
	d.Custom = map[string]string{"proposed_by_name": "Marta", "project": "P-1", "iban": "x", "Project": "y", "account": "DE00", "amount": "1", "a__b": "", "näme": "z"}
	c, _ := cardOf(t, d, nil, Format{})
	got := map[string]string{}
	for _, r := range c.Rows {
		if r.Field != nil && strings.HasPrefix(r.Field.Key, "/custom/") {
			got[partsText(r.Field.Parts)] = r.Label
		}
	}
	for name, want := range map[string]string{"proposed_by_name": "Proposed by name", "project": "Project", "iban": "Iban", "Project": "", "account": "", "amount": "", "a__b": "", "näme": ""} {
		if label, ok := got[name]; !ok || label != want {
			t.Errorf("%s: %q %v, want %q", name, label, ok, want)
		}
	}
}
