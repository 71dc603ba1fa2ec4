package connect_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/connect"
)

func TestParseMapping(t *testing.T) {
	for text, want := range map[string]connect.Mapping{
		"":                                    {},
		"amount=Betrag,date=Datum@02.01.2006": {"amount": {Header: "Betrag"}, "date": {Header: "Datum", Layout: "02.01.2006"}},
		" amount = Gross amount , line= ":     {"amount": {Header: "Gross amount"}, "line": {Ignored: true}},
		"currency:=GBP,kind:=payment":         {"currency": {Constant: "GBP"}, "kind": {Constant: "payment"}},
		`amount="Betrag, ""brutto"" @ Tag"`:   {"amount": {Header: `Betrag, "brutto" @ Tag`}},
		`date="Datum"@"Jan 2, 2006"`:          {"date": {Header: "Datum", Layout: "Jan 2, 2006"}},
	} {
		have, err := connect.ParseMapping(text)
		if err != nil || !reflect.DeepEqual(have, want) {
			t.Errorf("%q: have %v, %v", text, have, err)
		}
	}
	for _, text := range []string{"amount", "=x", "amount=a,amount=b", `amount="open`, "currency:=", "date=@DD", "date=Datum@", `amount="a" b`} {
		if have, err := connect.ParseMapping(text); err == nil {
			t.Errorf("%q was taken: %v", text, have)
		}
	}
}

func TestColumnsAreFoundOrNamed(t *testing.T) {
	const header = "Invoice Number,Supplier Name,Gross-Amount,CURRENCY,Payment_Date,Note\n"
	kept, r := purchases(t, header+"7,A,1.00,EUR,2025-01-02,x\n", "", connect.Options{})
	equal(t, "id", kept[0].ID, "7")
	equal(t, "kind", kept[0].Kind, "invoice")
	equal(t, "ignored", strings.Join(r.Ignored, ","), "Note")
	equal(t, "column", r.Columns["vendor"], "Supplier Name")

	for mapping, part := range map[string]string{
		"amount=Betrag":   `no column "Betrag"`,
		"betrag=x":        "the fields are kind, id",
		"amount=Note@DD":  "not a date",
		"amount=":         "no column for amount",
		"vendor=":         "no column for vendor_id or vendor",
		"date=":           "as date=Header",
		"vendor_id=Twice": "stands twice",
	} {
		_, err := connect.ReadPurchases(strings.NewReader("Twice,twice,"+header), parse(t, mapping), connect.Options{}, nil)
		if mapping == "vendor_id=Twice" {
			_, err = connect.ReadPurchases(strings.NewReader("Twice,Twice,"+header), parse(t, mapping), connect.Options{}, nil)
		}
		if !errors.Is(err, connect.ErrFile) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: have %v, want %q", mapping, err, part)
		}
	}
	for name, text := range map[string]string{"empty": "", "blank": "\n\n", "open quote": "\"a,b\n"} {
		if _, err := connect.ReadPurchases(strings.NewReader(text), nil, connect.Options{}, nil); !errors.Is(err, connect.ErrFile) {
			t.Errorf("%s file: have %v", name, err)
		}
	}
	for _, o := range []connect.Options{{Delimiter: '|'}, {Thousands: "x"}, {Thousands: ",", DecimalComma: true}, {Thousands: "."}, {Encoding: "ebcdic"}, {MaxLine: -1}} {
		if _, err := connect.ReadPurchases(strings.NewReader(header), nil, o, nil); !errors.Is(err, connect.ErrFile) {
			t.Errorf("%+v: have %v", o, err)
		}
	}
}

func TestCreditsByColumn(t *testing.T) {
	kept, r := purchases(t, "vendor,amount,dc,currency,date\nA,5,H,EUR,2025-01-02\nA,5,S,EUR,2025-01-02\nA,-5,H,EUR,2025-01-02\nA,0,C,EUR,2025-01-02\nA,5,?,EUR,2025-01-02\n", "", connect.Options{})
	equal(t, "kept", len(kept), 3)
	equal(t, "credit", kept[0].Amount.Value, "-5.00")
	equal(t, "debit", kept[1].Amount.Value, "5.00")
	equal(t, "zero", kept[2].Amount.Value, "0.00")
	equal(t, "bad", r.BadByReason[connect.ReasonAmount], 2)
}

func TestReadVendors(t *testing.T) {
	const text = "vendor id,name,country,tax id,iban,created,email,status\n" +
		"1,A GmbH,de,DE811,DE89370400440532013000,2025-01-02,a@example.com,active\n" +
		"1,A GmbH,de,DE811,GB29NWBK60161331926819,2025-01-02,a@example.com,active\n" + // a second account
		"1,Other GmbH,de,DE811,,2025-01-02,a@example.com,active\n" + // a conflict
		",B Ltd,GB,,,,,\n" +
		",,GB,,,,,\n" +
		"3,C,Germany,,,,,\n" +
		"4,D,DE,,,,not an address,\n" +
		",Redacted,DE,,,,,\n"
	var kept []connect.Vendor
	r, err := connect.ReadVendors(strings.NewReader(text), nil, connect.Options{}, func(v connect.Vendor) error {
		kept = append(kept, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "kept", len(kept), 3)
	equal(t, "country", kept[0].Country, "DE")
	equal(t, "scheme", kept[1].Account.Scheme, "iban")
	equal(t, "derived", kept[2].ID, "name:b ltd")
	equal(t, "vendors", r.Vendors, 2)
	equal(t, "conflicts", r.BadByReason[connect.ReasonConflict], 1)
	equal(t, "missing", r.BadByReason[connect.ReasonMissing], 2)
	equal(t, "countries", r.BadByReason[connect.ReasonCountry], 1)
	equal(t, "addresses", r.BadByReason[connect.ReasonEmail], 1)
}

func TestReadPeople(t *testing.T) {
	const text = "login;name;email;manager;groups;limit;currency;privileged\n" +
		"ana;Ana Ruiz;ana@example.com;bo;finance|approvers, finance;50.000,00;EUR;ja\n" +
		"ana;Ana Ruiz;ana@example.com;bo;finance|approvers, finance;50.000,00;EUR;yes\n" +
		"ana;Ana Ruiz;ana@example.com;bo;finance|approvers;50.000,00;EUR;x\n" + // the same once more
		"ana;Ana Ruiz;ana@example.com;bo;administrators;50.000,00;EUR;yes\n" + // a conflict
		"bo;Bo Dahl;;bo;;;;\n" +
		"cy;Cy Lund;;;;-1;EUR;no\n" +
		"di;Di Moss;;;;100;;no\n" +
		"ed;Ed Hale;;;;;;\n"
	var kept []connect.Person
	r, err := connect.ReadPeople(strings.NewReader(text), nil, connect.Options{DecimalComma: true, Thousands: "."}, func(p connect.Person) error {
		kept = append(kept, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "kept", len(kept), 3)
	equal(t, "groups", strings.Join(kept[0].Groups, " "), "approvers finance")
	equal(t, "limit", kept[0].Limit.Value, "50000.00")
	equal(t, "privileged", kept[0].Privileged, true)
	equal(t, "no limit", kept[2].Limit == nil, true)
	equal(t, "repeated", r.RepeatedIDs, 1)
	for reason, n := range map[string]int64{connect.ReasonBoolean: 1, connect.ReasonConflict: 1, connect.ReasonSelfManage: 1, connect.ReasonAmount: 1, connect.ReasonMissing: 1} {
		equal(t, reason, r.BadByReason[reason], n)
	}
}
