package backtest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/backtest"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/signal"
)

// file reads a file written here.
func file(t testing.TB, text string, f backtest.File) (*backtest.Book, connect.Report) {
	t.Helper()
	b, report, err := backtest.Read(strings.NewReader(text), f)
	if err != nil {
		t.Fatal(err)
	}
	return b, report
}

func try(t testing.TB, b *backtest.Book, o backtest.Options) *backtest.Result {
	t.Helper()
	if o.Policy == nil {
		o.Policy = load(t, simple)
	}
	r, err := backtest.Try(b, o)
	if err != nil {
		t.Fatal(err)
	}
	invariants(t, r)
	return r
}

func rule(t testing.TB, r *backtest.Result, name string) backtest.Rule {
	t.Helper()
	i := slices.IndexFunc(r.Rules, func(q backtest.Rule) bool { return q.Rule == name })
	if i < 0 {
		t.Fatalf("no rule %s", name)
	}
	return r.Rules[i]
}

const simple = `
policy: simple
currency: EUR
constants: {large: 30000}
signals:
  cumulative: [{by: vendor_requester, within: 7d, limit: large}]
  new_vendor: {purchases: 1}
rules:
  - {name: large, when: amount >= large, require: {assurance: mfa}, because: "{amount} is {large} or more"}
  - {name: split, when: signal.cumulative, require: {assurance: mfa}, because: "{finding.cumulative}"}
  - {name: first, when: signal.new_vendor && amount >= 10000, require: {assurance: phishing_resistant, approvers: {count: 2, from: [finance]}}, because: "{vendor.name} is new"}
  - {name: self, when: signal.self_approval, deny: true}
approvers: {default: [approvers]}
`

// TestRuling5UnknownFiresAndIsShownApart: a file without requester makes every row
// step up, and the report says that this is only for want of the requester.
func TestRuling5UnknownFiresAndIsShownApart(t *testing.T) {
	b, _ := file(t, "doc,vendor,amount,currency,date\n1,Acme,900.00,EUR,2026-01-05\n2,Acme,31000.00,EUR,2026-01-06\n3,Acme,500.00,EUR,2026-01-07\n", backtest.File{})
	r := try(t, b, backtest.Options{})
	if r.Answers.Allow != 0 || r.Answers.StepUp != 3 {
		t.Errorf("answers %+v, want 3 that step up", r.Answers)
	}
	if r.Known.Allow != 2 || r.Known.StepUp != 1 {
		t.Errorf("known %+v, want 2 that pass and the large one that steps up", r.Known)
	}
	if r.OnlyMissing.Requests != 2 || len(r.OnlyMissing.Sets) != 1 || !slices.Equal(r.OnlyMissing.Sets[0].Fields, []string{"requester"}) {
		t.Errorf("only missing %+v, want 2 for want of the requester", r.OnlyMissing)
	}
	if r.Stricter != 1 {
		t.Errorf("%d get more than what is known asks, want the large one", r.Stricter)
	}
	if got := rule(t, r, "self").Missing; len(got) != 1 || got[0].Field != "requester" || got[0].Requests != 3 {
		t.Errorf("the rule on separation of duties lacks %v: whoever approves is known later, the requester is what is to be sent", got)
	}
	if got := r.Required; len(got) != 1 || got[0].Field != "requester" || got[0].Requests != 3 {
		t.Errorf("required %v, want the requester", got)
	}
}

// TestSentFactsLetItPass: the same rows with requester and approver pass.
func TestSentFactsLetItPass(t *testing.T) {
	b, _ := file(t, "doc,vendor,amount,currency,date,requester,approver\n1,Acme,900.00,EUR,2026-01-05,ann,bob\n2,Acme,31000.00,EUR,2026-01-06,ann,bob\n3,Acme,500.00,EUR,2026-01-07,ann,ann\n", backtest.File{})
	r := try(t, b, backtest.Options{})
	if r.Answers.Allow != 1 || r.Answers.StepUp != 1 || r.Answers.Deny != 1 || r.OnlyMissing.Requests != 0 {
		t.Errorf("answers %+v, only missing %+v: want one each, and nothing for want of facts", r.Answers, r.OnlyMissing)
	}
	if r.Known.Deny != 1 || rule(t, r, "self").Fired != 1 {
		t.Errorf("known %+v: want ann's own request denied", r.Known)
	}
	if len(r.Approvers) != 2 || r.Approvers[0].Name != "ann" && r.Approvers[0].Name != "bob" || r.Requesters[0].Requests != 3 {
		t.Errorf("approvers %+v, requesters %+v", r.Approvers, r.Requesters)
	}
	if len(r.Required) != 0 {
		t.Errorf("required %v, want nothing", r.Required)
	}
}

// TestRuling42RowsOfOneDayDoNotKnowEachOther: parts of a purchase on one day are not
// seen as split, parts on following days are.
func TestRuling42RowsOfOneDayDoNotKnowEachOther(t *testing.T) {
	parts := func(sameDay bool) *backtest.Book {
		b := &backtest.Book{}
		for i := range 4 {
			p := purchase(fmt.Sprint("P", i), "Acme", "9000.00", 10)
			if !sameDay {
				p.Date = p.Date.AddDate(0, 0, i)
			}
			if err := b.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	if r := try(t, parts(true), backtest.Options{}); rule(t, r, "split").Fired != 0 {
		t.Errorf("split fired %d times within one day", rule(t, r, "split").Fired)
	}
	r := try(t, parts(false), backtest.Options{})
	q := rule(t, r, "split")
	if q.Fired != 1 || len(q.Examples) != 1 || q.Examples[0].ID != "P3" || !strings.Contains(q.Examples[0].Sentence, "4 requests of EUR 36,000.00 together") {
		t.Errorf("split %+v, want the fourth part with its sentence", q)
	}
}

func purchase(id, vendor, amount string, day int) connect.Purchase {
	p := connect.Purchase{Kind: "invoice", ID: id, VendorID: vendor, VendorName: vendor, Requester: "ann", Approver: "bob", Department: "plant",
		Date: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC), Row: 2}
	p.Amount.Value, p.Amount.Currency = amount, "EUR"
	return p
}

// TestRuling42WarmUp: the first days make history and are not counted.
func TestRuling42WarmUp(t *testing.T) {
	b := bookOf(t, []connect.Purchase{purchase("1", "Acme", "20000.00", 1), purchase("2", "Acme", "20000.00", 11), purchase("3", "New", "20000.00", 11)})
	if r := try(t, b, backtest.Options{}); r.Requests != 3 || rule(t, r, "first").Fired != 2 {
		t.Errorf("without warm-up: %d requests, %d of new vendors; want 3 and 2", r.Requests, rule(t, r, "first").Fired)
	}
	r := try(t, b, backtest.Options{WarmUp: 10})
	if r.Requests != 2 || r.History.WarmUpDocuments != 1 || r.History.CountedFrom != "2026-01-11" || rule(t, r, "first").Fired != 1 {
		t.Errorf("with 10 days: %d requests, history %+v, %d of new vendors; want 2 and 1", r.Requests, r.History, rule(t, r, "first").Fired)
	}
	r = try(t, b, backtest.Options{WarmUp: 365})
	if r.Requests != 0 || !strings.Contains(textOf(t, r), "shorter than the warm-up of 365 days") {
		t.Errorf("a warm-up longer than the file: %d requests\n%s", r.Requests, textOf(t, r))
	}
}

func textOf(t testing.TB, r *backtest.Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRuling42DerivedVendorIsSaid: the output says that vendor ids were derived.
func TestRuling42DerivedVendorIsSaid(t *testing.T) {
	b, report := file(t, "doc,vendor,amount,date\n1,Acme,900.00,2026-01-05\n2,ACME ,900.00,2026-01-06\nx,,\n", backtest.File{Currency: "EUR", Kind: "purchase_order"})
	r := try(t, b, backtest.Options{Report: &report})
	if r.History.DerivedVendors != r.History.Vendors || r.History.Vendors != 1 {
		t.Errorf("history %+v, want one vendor, derived", r.History)
	}
	text := textOf(t, r)
	for _, want := range []string{"1 vendor without an id in the file", "1 line not kept", "line 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if e := rule(t, r, "self").Examples[0]; e.Kind != "purchase_order" {
		t.Errorf("the kind is %s, want the one that was given", e.Kind)
	}
}

// TestCurrencies: a file in another currency needs dated rates, and says so.
func TestCurrencies(t *testing.T) {
	b, _ := file(t, "doc,vendor,amount,date,requester,approver\n1,Acme,26000.00,2026-01-05,ann,bob\n2,Acme,26000.00,2026-02-06,ann,bob\n", backtest.File{Currency: "GBP"})
	r := try(t, b, backtest.Options{})
	if r.History.WithoutRate != 2 || r.Known.Allow != 2 || r.Answers.StepUp != 2 || r.OnlyMissing.Fields[0].Field != "rate of GBP in EUR" {
		t.Errorf("without rates: %+v, answers %+v, missing %+v", r.History, r.Answers, r.OnlyMissing)
	}
	rates, err := backtest.ReadRates(strings.NewReader("date,currency,rate\n2026-01-01,GBP,1.10\n2026-02-01,GBP,1.20\n"), "rates.csv", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	r = try(t, b, backtest.Options{Rates: rates})
	q := rule(t, r, "large") // 28,600 in January, 31,200 in February
	if q.Fired != 1 || q.Examples[0].ID != "2" || q.Examples[0].Sentence != "GBP 26,000.00 (EUR 31,200.00) is EUR 30,000.00 or more" || r.History.WithoutRate != 0 {
		t.Errorf("with rates: %+v, %+v", q, r.History)
	}
}

// TestPositionsAreOneDocument: an order of many small positions is one large order.
func TestPositionsAreOneDocument(t *testing.T) {
	var b backtest.Book
	for i := range 40 {
		p := purchase("PO-1", "Acme", "900.00", 5)
		p.Line, p.Row = fmt.Sprint(i+1), int64(i+2)
		if err := b.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	r := try(t, &b, backtest.Options{})
	if r.History.Rows != 40 || r.History.Documents != 1 || r.Requests != 1 || rule(t, r, "large").Fired != 1 {
		t.Errorf("history %+v, large fired %d; want one document of EUR 36,000.00", r.History, rule(t, r, "large").Fired)
	}
	// Without numbers nothing says that they belong together.
	var loose backtest.Book
	for range 40 {
		p := purchase("row-1", "Acme", "900.00", 5)
		p.IDDerived = true
		if err := loose.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	if r := try(t, &loose, backtest.Options{}); r.Requests != 40 || rule(t, r, "large").Fired != 0 {
		t.Errorf("%d requests, large fired %d; want 40 documents", r.Requests, rule(t, r, "large").Fired)
	}
}

// TestOverflowIsUnknown: positions that do not add up within 64 bits have no amount,
// and the request steps up.
func TestOverflowIsUnknown(t *testing.T) {
	var b backtest.Book
	for i := range 3 {
		p := purchase("PO-1", "Acme", "90000000000000000.00", 5)
		p.Line = fmt.Sprint(i)
		if err := b.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	r := try(t, &b, backtest.Options{})
	if r.Answers.StepUp != 1 || rule(t, r, "large").Unknown != 1 || rule(t, r, "large").Missing[0].Field != "amount" {
		t.Errorf("answers %+v, large %+v; want it unknown for want of the amount", r.Answers, rule(t, r, "large"))
	}
}

// TestAccountsAreUnknownOrKnown: with accounts in the file a new one is found;
// without any, nobody can say.
func TestAccountsAreUnknownOrKnown(t *testing.T) {
	v := load(t, "policy: accounts\ncurrency: EUR\nsignals: {bank_account_differs: {last: 3}}\nrules:\n  - {name: other, when: signal.bank_account_differs, require: {assurance: mfa}}\napprovers: {default: [a]}\n")
	head := "doc,vendor,amount,currency,date,requester,account,account_scheme\n"
	with, _ := file(t, head+"1,Acme,1.00,EUR,2026-01-05,ann,111,bban\n2,Acme,1.00,EUR,2026-01-06,ann,111,bban\n3,Acme,1.00,EUR,2026-01-07,ann,222,bban\n4,Acme,1.00,EUR,2026-01-08,ann,,\n", backtest.File{})
	q := rule(t, try(t, with, backtest.Options{Policy: v}), "other")
	if q.Fired != 1 || q.Examples[0].ID != "3" || q.Unknown != 2 {
		t.Errorf("other account: %+v; want document 3 found, and the first and the one without account unknown", q)
	}
	without, _ := file(t, "doc,vendor,amount,currency,date\n1,Acme,1.00,EUR,2026-01-05\n2,Acme,1.00,EUR,2026-01-06\n", backtest.File{})
	if q := rule(t, try(t, without, backtest.Options{Policy: v}), "other"); q.Unknown != 2 || q.Missing[0].Field != "payee.account" {
		t.Errorf("without accounts: %+v; want both unknown", q)
	}
}

// TestProgressStops: what Progress returns ends the trial.
func TestProgressStops(t *testing.T) {
	var list []connect.Purchase
	for i := range 5000 {
		list = append(list, purchase(fmt.Sprint(i), "Acme", "1.00", 1+i%20))
	}
	stop := errors.New("stop")
	var seen []int
	_, err := backtest.Try(bookOf(t, list), backtest.Options{Policy: load(t, simple), Progress: func(done, total int) error {
		if seen = append(seen, done); total != 5000 {
			t.Errorf("total %d", total)
		}
		if done > 2000 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, stop) || len(seen) < 2 || seen[len(seen)-1] > 4000 {
		t.Errorf("error %v after %v", err, seen)
	}
}

func TestNothing(t *testing.T) {
	r := try(t, &backtest.Book{}, backtest.Options{WarmUp: 30})
	if r.Requests != 0 || !strings.Contains(textOf(t, r), "no purchases") {
		t.Errorf("%+v\n%s", r, textOf(t, r))
	}
	if _, err := backtest.Try(&backtest.Book{}, backtest.Options{}); err == nil {
		t.Error("without a policy there is nothing to try")
	}
}

func TestRatesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "no header",
		"date,rate":                              "no column currency",
		"date,currency,rate\n2026-13-01,GBP,1.1": "rates.csv:2: date",
		"date,currency,rate\n2026-01-01,GBX,1.1": "rates.csv:2: currency",
		"date,currency,rate\n2026-01-01,GBP,-1":  "rates.csv:2: rate",
		"date,currency,rate\n2026-01-01,GBP,1,1": "wrong number of fields",
		"date,currency,rate,base\n2026-01-01,GBP,1.1,USD": "rates.csv:2: a rate into",
	} {
		if _, err := backtest.ReadRates(strings.NewReader(text), "rates.csv", "EUR"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	r := rates(t, signal.Rate{Currency: "GBP", Base: "EUR", Value: "1.1", Date: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)})
	if _, ok := r.On("GBP", time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)); ok {
		t.Error("a rate counts before its day")
	}
}

func TestReadRefusesTwoMeanings(t *testing.T) {
	m, err := connect.ParseMapping("currency=cur")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := backtest.Read(strings.NewReader("x\n"), backtest.File{Mapping: m, Currency: "EUR"}); !errors.Is(err, connect.ErrFile) {
		t.Errorf("%v: the currency is given twice", err)
	}
}
