package connect_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/countersign/countersign/internal/connect"
)

// dirty is a German export as they come: a semicolon, decimal commas, grouped
// thousands, and on every second line something that is wrong.
var dirty = "Beleg;Lieferant;Name;Betrag;Datum;Konto;Art\n" +
	"R-1;K100;Müller & Söhne;1.054,11;07.04.2025;DE89 3704 0044 0532 0130 00;Rechnung\n" + // 2 good
	"R-2;K100;Müller & Söhne;12,345;07.04.2025;;Rechnung\n" + // 3 three decimals
	"R-3;K100;Müller & Söhne;1.05,00;07.04.2025;;Rechnung\n" + // 4 grouping in the wrong place
	"R-4;K100;Müller & Söhne;10;31.02.2025;;Rechnung\n" + // 5 no such day
	"R-5;K100;Müller & Söhne;10;07.04.2025;DE89370400440532013001;Rechnung\n" + // 6 check digits
	"R-6;K100;\"Müller;10;07.04.2025;;Rechnung\n" + // 7 an open quotation mark
	"R-7;K100;\"Zeile\n eins\";10,5;07.04.2025;;Rechnung\n" + // 8–9 good, two lines
	"R-8;K100;10;07.04.2025;;Rechnung\n" + // 10 a column too few
	"\n" + // 11 blank
	";;;;;;\n" + // 12 blank, as spreadsheets leave it
	"R-9;K100;Zoll\"stock;10;07.04.2025;;Rechnung\n" + // 13 a mark inside
	"R-10;;Ohne Nummer;-20,00;08.04.2025;;Gutschrift\n" + // 14 good, derived vendor, credit
	"R-11;K100;Un\u200Bsichtbar;10;07.04.2025;;Rechnung\n" + // 15 invisible
	"R-12;K100;Müller & Söhne;;07.04.2025;;Rechnung\n" + // 16 no amount
	"R-13;K100;Müller & Söhne;99999999999999999999;07.04.2025;;Rechnung\n" + // 17 too large
	"R-14;K100;\"Müller\" & Söhne;10;07.04.2025;;Rechnung\n" + // 18 text after the mark
	"R-15;K100;Müller & Söhne;$ 10;07.04.2025;;Rechnung\n" + // 19 another currency's sign
	"R-16;K100;" + longName + ";10;07.04.2025;;Rechnung\n" + // 20 a long name
	"R-1;K100;Müller & Söhne;1.054,11;07.04.2025;DE89370400440532013000;Rechnung" // 21 good, comes again, no line end

var longName = strings.Repeat("lang ", 80)

const dirtyMapping = "id=Beleg,vendor_id=Lieferant,vendor=Name,amount=Betrag,date=Datum@DD.MM.YYYY,account=Konto,kind=art,currency:=EUR"

var german = connect.Options{DecimalComma: true, Thousands: "."}

func TestDirtyFileLosesNothing(t *testing.T) {
	kept, r := purchases(t, dirty, dirtyMapping, german)
	var have []string
	for _, b := range r.Bad {
		have = append(have, fmt.Sprintf("%d %s %s", b.Line, b.Column, b.Reason))
	}
	want := []string{"3 Betrag precision", "4 Betrag amount", "5 Datum date", "6 Konto account", "7  quote", "10  columns", "13  quote",
		"15 Name character", "16 Betrag missing", "17 Betrag overflow", "18  quote", "19 Betrag currency", "20 Name too_long"}
	equal(t, "bad lines", strings.Join(have, "\n"), strings.Join(want, "\n"))
	equal(t, "kept", len(kept), 4)
	equal(t, "lines", r.Lines, 21)
	equal(t, "header", r.HeaderLines, 1)
	equal(t, "blank", r.BlankLines, 2)
	equal(t, "kept lines", r.KeptLines, 5)
	equal(t, "bad lines", r.BadLines, 13)
	equal(t, "delimiter", r.Delimiter, ";")
	equal(t, "sum", r.Sums["EUR"], "2098.72")
	equal(t, "negatives", r.Negatives, 1)
	equal(t, "derived", r.DerivedVendorIDs, 1)
	equal(t, "repeated", r.RepeatedIDs, 1)
	equal(t, "duplicates", r.Duplicates, connect.Duplicates{Groups: 1, Extra: 1})
	equal(t, "first kept", kept[0].Amount.Value, "1054.11")
	equal(t, "account", kept[0].Account.Value, "DE89370400440532013000")
	equal(t, "two lines", kept[1].VendorName, "Zeile  eins")
	equal(t, "decimals filled", kept[1].Amount.Value, "10.50")
	equal(t, "derived id", kept[2].VendorID, "name:ohne nummer")
	equal(t, "kind", kept[2].Kind, "gutschrift")
	equal(t, "line of the second", kept[3].ID+kept[3].Line, "R-1#2")
	for _, b := range r.Bad {
		if len(b.Value) > 90 {
			t.Errorf("line %d: value of %d bytes is not clipped", b.Line, len(b.Value))
		}
	}
}

func TestEncodings(t *testing.T) {
	want, _ := purchases(t, dirty, dirtyMapping, german)
	t.Run("byte order mark", func(t *testing.T) {
		have, r := purchases(t, "\xEF\xBB\xBF"+dirty, dirtyMapping, german)
		equal(t, "kept", len(have), len(want))
		equal(t, "bytes", r.Bytes, int64(len(dirty)+3))
	})
	t.Run("windows-1252", func(t *testing.T) {
		text, err := charmap.Windows1252.NewEncoder().String(strings.ReplaceAll(dirty, "\u200B", "§"))
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "\xA7", "\x81") // a byte that windows-1252 leaves open
		o := german
		o.Encoding = "windows-1252"
		have, r := purchases(t, text, dirtyMapping, o)
		equal(t, "kept", len(have), len(want))
		equal(t, "name", have[0].VendorName, "Müller & Söhne")
		equal(t, "character", r.BadByReason[connect.ReasonCharacter], 1)
		_, r = purchases(t, text, "id=Beleg,vendor_id=Lieferant,vendor=Name,amount=Betrag,date=Datum,currency:=EUR", german)
		if r.BadByReason[connect.ReasonEncoding] == 0 {
			t.Errorf("read as UTF-8, the umlauts are not reported: %v", r.BadByReason)
		}
	})
	t.Run("UTF-16", func(t *testing.T) {
		_, err := connect.ReadPurchases(strings.NewReader("\xFF\xFEa\x00m\x00"), nil, connect.Options{}, nil)
		if !errors.Is(err, connect.ErrFile) || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("have %v", err)
		}
	})
}

func TestDelimiterIsFound(t *testing.T) {
	for name, text := range map[string]string{
		"comma":             "id,vendor,amount,currency,date\n1,A,1.00,EUR,2025-01-02\n",
		"semicolon":         "id;vendor;amount;currency;date\n1;A;1.00;EUR;2025-01-02\n",
		"tab":               "id\tvendor\tamount\tcurrency\tdate\r\n1\tA\t1.00\tEUR\t2025-01-02\r\n",
		"quoted commas":     "id;\"vendor\";amount;currency;date;\"a,b,c,d,e,f,g\"\n1;A;1.00;EUR;2025-01-02;\n",
		"said in the file":  "sep=;\nid;vendor;amount;currency;date\n1;A;1.00;EUR;2025-01-02\n",
		"blank lines first": "\n\n;;\nid;vendor;amount;currency;date\n1;A;1.00;EUR;2025-01-02\n",
	} {
		kept, r := purchases(t, text, "", connect.Options{})
		if len(kept) != 1 || kept[0].Amount.Value != "1.00" || r.Lines != r.HeaderLines+r.BlankLines+r.KeptLines {
			t.Errorf("%s: %d kept, %+v", name, len(kept), r)
		}
	}
}

// TestOpenQuoteTakesOneLineOnly: the classic way to lose the rest of a file.
func TestOpenQuoteTakesOneLineOnly(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,vendor,amount,currency,date\n1,\"open,1.00,EUR,2025-01-02\n")
	for i := range 500 {
		fmt.Fprintf(&b, "%d,\"V, %d\",1.00,EUR,2025-01-02\n", i+2, i)
	}
	kept, r := purchases(t, b.String(), "", connect.Options{})
	equal(t, "kept", len(kept), 500)
	equal(t, "bad", r.BadLines, 1)
	equal(t, "line", r.Bad[0].Line, 2)

	// Far below stands what would close it; a value over a hundred lines is none.
	plain := strings.Repeat("2,A,1.00,EUR,2025-01-02\n", 100)
	kept, r = purchases(t, "id,vendor,amount,currency,date\n1,\"open\n"+plain+"\",1.00,EUR,2025-01-02\n", "", connect.Options{})
	equal(t, "kept between", len(kept), 100)
	equal(t, "bad around", r.BadLines, 2)

	kept, r = purchases(t, "id,vendor,amount,currency,date\n1,A,1.00,EUR,2025-01-02\n2,\"open,1.00,EUR,2025-01-02", "", connect.Options{})
	equal(t, "kept before the end", len(kept), 1)
	equal(t, "bad at the end", r.Bad[0].Reason, connect.ReasonQuote)
}

func TestLongLineIsBounded(t *testing.T) {
	text := "id,vendor,amount,currency,date\n1," + strings.Repeat("x", 10<<20) + ",1.00,EUR,2025-01-02\n2,A,1.00,EUR,2025-01-02\n"
	kept, r := purchases(t, text, "", connect.Options{})
	equal(t, "kept", len(kept), 1)
	equal(t, "reason", r.Bad[0].Reason, connect.ReasonTooLong)
	equal(t, "bytes", r.Bytes, int64(len(text)))
	if n := len(r.Bad[0].Value); n > 90 {
		t.Errorf("the value has %d bytes", n)
	}
}

func TestProgressAndCancel(t *testing.T) {
	stop := errors.New("stopped")
	text := "id,vendor,amount,currency,date\n" + strings.Repeat("1,A,1.00,EUR,2025-01-02\n", 20000)
	calls := 0
	o := connect.Options{Progress: func(bytes, lines int64) error {
		calls++
		if bytes <= 0 || lines <= 0 || bytes > int64(len(text)) {
			t.Errorf("progress %d bytes, %d lines", bytes, lines)
		}
		return nil
	}}
	_, r := purchases(t, text, "", o)
	if calls < 4 || r.Kept != 20000 {
		t.Errorf("%d calls, %d kept", calls, r.Kept)
	}
	o.Progress = func(_, lines int64) error { return stop }
	r, err := connect.ReadPurchases(strings.NewReader(text), nil, o, func(connect.Purchase) error { return nil })
	if !errors.Is(err, stop) || r.Kept >= 20000 {
		t.Errorf("progress did not stop it: %v, %d kept", err, r.Kept)
	}
	n := 0
	_, err = connect.ReadPurchases(strings.NewReader(text), nil, connect.Options{}, func(connect.Purchase) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 3 {
		t.Errorf("the function did not stop it: %v after %d", err, n)
	}
	broken := errors.New("disk gone")
	r, err = connect.ReadPurchases(&failing{data: bytes.NewBufferString(text[:1000]), err: broken}, nil, connect.Options{}, func(connect.Purchase) error { return nil })
	if !errors.Is(err, broken) || r.Kept == 0 {
		t.Errorf("a read error: %v, %d kept", err, r.Kept)
	}
}

type failing struct {
	data *bytes.Buffer
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if n, _ := f.data.Read(p); n > 0 {
		return n, nil
	}
	return 0, f.err
}

func TestTimesOfPurchases(t *testing.T) {
	kept, r := purchases(t, "vendor,amount,currency,date,approved_at\n"+
		"A,1,EUR,2025-01-02,2025-01-02T23:30:00-05:00\n"+
		"A,1,EUR,2025-01-02T23:30:00-05:00,\n"+
		"A,1,EUR,03/04/2025,\n"+
		"A,1,EUR,0205-01-02,\n", "", connect.Options{})
	equal(t, "kept", len(kept), 2)
	equal(t, "approved", kept[0].ApprovedAt, time.Date(2025, 1, 3, 4, 30, 0, 0, time.UTC))
	equal(t, "the day as written", kept[1].Date, time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC))
	equal(t, "two readings are none", r.BadByReason[connect.ReasonDate], 2)
	equal(t, "missing numbers", r.MissingIDs, 2)
	kept, _ = purchases(t, "vendor,amount,currency,date\nA,1,EUR,03/04/2025\n", "date=date@DD/MM/YYYY", connect.Options{})
	equal(t, "said", kept[0].Date, time.Date(2025, 4, 3, 0, 0, 0, 0, time.UTC))
}
