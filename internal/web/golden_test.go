package web

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign"
)

var updateGolden = flag.Bool("update-golden", false, "write the pages that golden tests compare")

// assetVersion is what an asset's address says of its content.
var assetVersion = regexp.MustCompile(`(/static/[a-z0-9.-]+)\?[^"#]+`)

// TestWhatIsSignedIsWrittenTheSame holds the pages on which people sign, the receipt that
// they get, and the card of a document of each sort, to the mark-up that was looked at. A
// change of it is wanted, or it changes what people sign unseen: -update-golden writes
// the files again, and the difference is read line by line.
func TestWhatIsSignedIsWrittenTheSame(t *testing.T) {
	s, _ := gallery(t)
	pages := map[string]string{}
	for _, at := range []string{"step-up/approve", "step-up/bank-change", "step-up/code", "step-up/delegate", "step-up/break-glass", "step-up/long", "step-up/replaced", "step-up/forbidden",
		"receipt/approved", "receipt/waiting", "receipt/held", "receipt/silent"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/gallery/"+at, nil))
		_, rest, _ := strings.Cut(w.Body.String(), "<main")
		main, _, found := strings.Cut(rest, "</main>")
		if !found {
			t.Fatalf("%s: %d %.300s", at, w.Code, w.Body)
		}
		pages[strings.ReplaceAll(at, "/", "-")] = "<main" + main + "</main>"
	}
	for name, d := range goldenDocuments() {
		var b strings.Builder
		if err := s.sets["step-up"].ExecuteTemplate(&b, "document", specimenCard(s, d)); err != nil {
			t.Fatal(err)
		}
		pages["card-"+name] = b.String()
	}
	for name, page := range pages {
		got := assetVersion.ReplaceAllString(page, "$1") + "\n"
		file := filepath.Join("testdata", "golden", name+".html")
		if *updateGolden {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if line, was, is := firstDifference(string(want), got); line > 0 {
			t.Errorf("%s, line %d, is written differently (-update-golden writes it again):\nwas %s\nis  %s", file, line, was, is)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.html"))
	if err != nil || len(files) != len(pages) {
		t.Errorf("%d files for %d pages (%v)", len(files), len(pages), err)
	}
}

// firstDifference is the first line in which two texts differ; 0 where none does.
func firstDifference(want, got string) (line int, was, is string) {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		was, is = "", ""
		if i < len(w) {
			was = w[i]
		}
		if i < len(g) {
			is = g[i]
		}
		if was != is || i >= len(w) || i >= len(g) {
			return i + 1, was, is
		}
	}
	return 0, "", ""
}

// goldenDocuments is a document of each sort that has a card of its own.
func goldenDocuments() map[string]*countersign.Document {
	eur := func(v string) *countersign.Amount { return &countersign.Amount{Value: v, Currency: "EUR"} }
	tola := &countersign.Party{Type: "person", ID: "u17", Name: "Tola Okafor"}
	order := specimenDocument()
	order.Kind, order.Lines = countersign.KindPurchaseOrder, []countersign.Line{{Number: "1", Description: "Film, 40 m", Quantity: "2", Amount: eur("48200.00")}}
	order.Terms, order.Flags, order.Custom = &countersign.Terms{PaymentDays: 30, Text: "net"}, []string{"urgent"}, map[string]string{"project": "P-1"}
	batch := &countersign.Document{Kind: countersign.KindPaymentBatch, ID: "RUN-48", Revision: "1", Amount: eur("400.00"), Requester: tola}
	for i, name := range []string{"Lipovka Fólie s.r.o.", "شركة الأفق للتجارة"} {
		batch.Lines = append(batch.Lines, countersign.Line{Number: string(rune('1' + i)), Amount: eur("200.00"),
			Payee: &countersign.Payee{ID: "V-" + string(rune('1'+i)), Name: name, Account: &countersign.Account{Scheme: "iban", Value: "CZ6508000000192000145399"}}})
	}
	hidden := specimenDocument()
	hidden.Payee.Name, hidden.Subject = "ACME \u202eknaB\u202c\u200b GmbH", "<b>Bold</b> & “quoted”\nin two lines"
	policy := &countersign.Document{Kind: countersign.KindPolicyPublish, ID: "policy", Revision: "15", Subject: "Orders of 25,000 as well", Requester: tola,
		Changes: []countersign.Change{{Field: "policy", From: "large: 30000\nother: 1\n", To: "large: 25000\nother: 1\n"}}}
	return map[string]*countersign.Document{"invoice": specimenDocument(), "bank-change": specimenBankChange(), "long": specimenLong(), "order": order, "batch": batch, "hidden": hidden, "policy": policy}
}
