package web_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/testkit"
)

// links are the requests that a page names, in their order.
func (a shown) links() []string {
	var out []string
	for _, m := range regexp.MustCompile(`href="/r/(req_[a-z0-9]+)"`).FindAllStringSubmatch(a.Body, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestTablesOfTheControlOwner narrows the tables, follows their links from one to
// another, and reads them page by page.
func TestTablesOfTheControlOwner(t *testing.T) {
	s := settled(t)
	noor, marta := callerOf(t, s, s.Person("noor").Token), s.Person("marta")
	for _, table := range []string{"/requests", "/decisions", "/holds"} { // nothing there yet
		if a := noor.get(table); a.Status != 200 || !regexp.MustCompile(`No (requests yet|decisions yet|hold runs)`).MatchString(a.Body) || len(a.links()) > 0 {
			t.Errorf("%s: %d %s", table, a.Status, a.text())
		}
	}
	large := s.Submit(testkit.Order("PO-1", "30000.00", func(d *countersign.Document) { d.Subject = "Forklifts <script>alert(1)</script>" })).ID
	silent := s.Submit(testkit.Order("PO-2", "900.00")).ID
	if _, problem := marta.ByPasskey(large, countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	page := noor.get("/requests")
	if got := page.links(); !slices.Equal(got, []string{silent, large}) || strings.Contains(page.Body, "<script>alert") {
		t.Fatalf("%v", got)
	}
	for _, want := range []string{"Forklifts", "large purchase", "Marta Silva", "nobody was asked", "to Nordwind Technik GmbH", "freezes in force"} {
		if !strings.Contains(page.text(), want) {
			t.Errorf("no %q in %s", want, page.text())
		}
	}
	if !strings.Contains(page.Body, "EUR\u00a030\u202f000.00") {
		t.Error("no amount")
	}
	for query, want := range map[string][]string{
		"status=approved": {silent, large}, "status=denied": nil, "outcome=allow": {silent}, "text=forklifts": {large}, "rule=large-purchase": {large}, "vendor=V-1": {silent, large},
		"kind=invoice": nil, "kind=purchase_order": {silent, large}, "decider=" + marta.ID: {large}, "group=approvers": {large}, "since=2020-01-01&until=2020-01-31": nil, "since=2020-01-01": {silent, large},
		"source=erp": {silent, large}, "requester=erp:" + url.QueryEscape("nobody"): nil,
	} {
		if a := noor.get("/requests?" + query); a.Status != 200 || !slices.Equal(a.links(), want) {
			t.Errorf("%s: %d %v, want %v", query, a.Status, a.links(), want)
		}
	}
	for _, query := range []string{"since=tomorrow", "until=2026-13-01", "status=done", "after=req_1", "text=" + strings.Repeat("a", 101)} {
		if a := noor.get("/requests?" + query); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.Status)
		}
	}
	d := noor.get("/decisions?decider=" + marta.ID)
	if got := d.links(); !slices.Equal(got, []string{large}) || !strings.Contains(d.text(), "a passkey") || !strings.Contains(d.text(), "approved") {
		t.Errorf("%v %s", got, d.text())
	}
	for i := range 60 {
		s.Submit(testkit.Order(fmt.Sprint("PO-M", i), "10.00", func(d *countersign.Document) { d.Category = fmt.Sprint("c", i) }))
	}
	var all []string
	for path := "/requests?kind=purchase_order"; path != ""; {
		a := noor.get(path)
		all = append(all, a.links()...)
		path = ""
		if m := regexp.MustCompile(`href="(/requests\?after=[^"]+)">Older`).FindStringSubmatch(a.Body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
			if !strings.Contains(path, "kind=purchase_order") {
				t.Errorf("the next page is another table: %s", path)
			}
		}
	}
	if len(all) != 62 || all[61] != large || !slices.IsSortedFunc(all, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("%d requests in pages", len(all))
	}
	for _, path := range []string{"/requests", "/requests.csv", "/decisions", "/decisions.csv", "/holds", "/policy", "/policy/difference", "/policy/draft"} {
		if a := callerOf(t, s, marta.Token).get(path); a.Status != http.StatusNotFound || strings.Contains(a.Body, "Nordwind") {
			t.Errorf("an approver at %s: %d", path, a.Status)
		}
		if a := callerOf(t, s, "").get(path); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.To, "/sign-in") {
			t.Errorf("a stranger at %s: %d %s", path, a.Status, a.To)
		}
	}
}

// TestExportsAsCSV: every row, in the form of RFC 4180, and nothing in it that a
// spreadsheet would take for a formula.
func TestExportsAsCSV(t *testing.T) {
	s := settled(t)
	noor, marta := callerOf(t, s, s.Person("noor").Token), s.Person("marta")
	odd := []string{`=HYPERLINK("http://evil.example")`, "+1", "-2+3", "@SUM(A1)", "plain, with \"quotes\"", "مورد"}
	ids := map[string]string{}
	for i, subject := range odd {
		ids[subject] = s.Submit(testkit.Order(fmt.Sprint("PO-", i), fmt.Sprint(30000+i, ".00"), func(d *countersign.Document) { d.Subject, d.Category = subject, fmt.Sprint("c", i) })).ID
	}
	for i := range 220 { // more than one page of the export
		s.Submit(testkit.Order(fmt.Sprint("PO-M", i), "10.00", func(d *countersign.Document) { d.Category = fmt.Sprint("m", i) }))
	}
	if _, problem := marta.ByPasskey(ids["+1"], countersign.ActApprove); problem != nil {
		t.Fatal(problem)
	}
	a := noor.get("/requests.csv")
	if a.Status != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv; charset=utf-8") || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment; filename=\"requests-") {
		t.Fatalf("%d %v", a.Status, a.Header)
	}
	if strings.Count(a.Body, "\r\n") != 227 || strings.Count(a.Body, "\n") != 227 {
		t.Errorf("%d lines", strings.Count(a.Body, "\n"))
	}
	rows, err := csv.NewReader(strings.NewReader(a.Body)).ReadAll()
	s.Must(err)
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	seen := map[string][]string{}
	for _, r := range rows[1:] {
		seen[r[at["request"]]] = r
		for i, c := range r {
			if c != "" && strings.ContainsAny(c[:1], "=+-@") && !countersign.IsDecimal(c) {
				t.Errorf("%s: %q would be a formula", rows[0][i], c)
			}
		}
	}
	for i, subject := range odd {
		r := seen[ids[subject]]
		want := subject
		if i < 4 {
			want = "'" + subject
		}
		if r == nil || r[at["subject"]] != want || r[at["amount"]] != fmt.Sprint(30000+i, ".00") || r[at["rules"]] != "large-purchase" || r[at["payee"]] != "Nordwind Technik GmbH" {
			t.Errorf("%q: %q", subject, r)
		}
	}
	rows, err = csv.NewReader(strings.NewReader(noor.get("/decisions.csv?decider=" + marta.ID).Body)).ReadAll()
	s.Must(err)
	if len(rows) != 2 || rows[1][3] != "Marta Silva" || rows[1][16] != ids["+1"] {
		t.Errorf("%q", rows)
	}
	if a := noor.get("/requests.csv?kind=invoice"); a.Status != 200 || strings.Count(a.Body, "\n") != 1 {
		t.Errorf("nothing fits: %q", a.Body)
	}
	if a := noor.get("/requests.csv?since=x"); a.Status != http.StatusBadRequest || strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
}
