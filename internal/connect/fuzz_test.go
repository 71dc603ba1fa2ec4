package connect_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/connect"
)

// FuzzEveryLineIsAccountedFor: no input makes a reader panic, and every line is
// header, blank, kept or reported, exactly once.
func FuzzEveryLineIsAccountedFor(f *testing.F) {
	f.Add(dirty, true)
	f.Add("id,vendor,amount,currency,date\n1,\"a\nb\",1.00,EUR,2025-01-02\n\"x,\"y\",\"z\"\n2,A,1,EUR,2025-01-02", false)
	f.Add("sep=;\nvendor;amount;currency;date\n\"\n\"\n\"\"\"\n;;;\n", false)
	f.Add("\xEF\xBB\xBFvendor\tamount\tcurrency\tdate\r\nA\t1\tEUR\t2025-01-02\r\n\x00\n\xFF\n", false)
	f.Fuzz(func(t *testing.T, text string, comma bool) {
		o := connect.Options{MaxLine: 200}
		if comma {
			o.DecimalComma, o.Thousands = true, "."
		}
		for _, mapping := range []string{"", dirtyMapping, "currency:=EUR,kind:=payment"} {
			account(t, text, mapping, o)
		}
	})
}

func account(t *testing.T, text, mapping string, o connect.Options) {
	m := parse(t, mapping)
	owner := map[int64]bool{}
	claim := func(first int64, n int) {
		for l := first; l < first+int64(n); l++ {
			if owner[l] {
				t.Fatalf("line %d is accounted for twice", l)
			}
			owner[l] = true
		}
	}
	keys := map[string]bool{}
	r, err := connect.ReadPurchases(strings.NewReader(text), m, o, func(p connect.Purchase) error {
		claim(p.Row, p.RowLines)
		if keys[key(p)] {
			t.Fatalf("%q stands twice", key(p))
		}
		keys[key(p)] = true
		if _, err := p.Amount.Minor(); err != nil || p.Date.IsZero() || p.ID == "" {
			t.Fatalf("a bad row was kept: %+v: %v", p, err)
		}
		return nil
	})
	if err != nil {
		return
	}
	for _, b := range r.Bad {
		claim(b.Line, b.Lines)
	}
	if r.Lines != r.HeaderLines+r.BlankLines+r.KeptLines+r.BadLines {
		t.Fatalf("lines do not add up: %+v", r)
	}
	if int64(len(r.Bad)) < 1000 && int64(len(owner)) != r.KeptLines+r.BadLines {
		t.Fatalf("%d lines claimed, %d kept and %d bad", len(owner), r.KeptLines, r.BadLines)
	}
	if r.Bytes != int64(len(text)) {
		t.Fatalf("%d bytes read of %d", r.Bytes, len(text))
	}
	if lines := int64(strings.Count(text, "\n")); r.Lines != lines && r.Lines != lines+1 {
		t.Fatalf("%d lines read of %d", r.Lines, lines)
	}
	for _, read := range []func() (connect.Report, error){
		func() (connect.Report, error) {
			return connect.ReadVendors(strings.NewReader(text), nil, o, func(connect.Vendor) error { return nil })
		},
		func() (connect.Report, error) {
			return connect.ReadPeople(strings.NewReader(text), nil, o, func(connect.Person) error { return nil })
		},
	} {
		if r, err := read(); err == nil && r.Lines != r.HeaderLines+r.BlankLines+r.KeptLines+r.BadLines {
			t.Fatalf("lines do not add up: %+v", r)
		}
	}
}

// FuzzParseMapping: no text makes it panic.
func FuzzParseMapping(f *testing.F) {
	f.Add(dirtyMapping)
	f.Add(`a="b""c"@"d",e:=f,g=`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := connect.ParseMapping(text)
		if err == nil && strings.TrimSpace(text) != "" && len(m) == 0 {
			t.Fatalf("%q gives an empty mapping", text)
		}
	})
}
