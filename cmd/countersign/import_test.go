package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
)

// online runs a command against a server and returns its exit code and outputs.
func online(t *testing.T, s *testkit.Server, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, process{in: strings.NewReader(""), out: &o, err: &e,
		env: []string{"COUNTERSIGN_SERVER=" + s.URL, "COUNTERSIGN_API_KEY=" + s.Key, "COUNTERSIGN_CONFIG_DIR=" + t.TempDir()}})
	return code, o.String(), e.String()
}

// importing runs an import that must end with the exit code, and returns its figures.
func importing(t *testing.T, s *testkit.Server, want int, args ...string) (imported, string) {
	t.Helper()
	code, out, errs := online(t, s, append([]string{"import"}, append(args, "--json")...)...)
	if code != want {
		t.Fatalf("import %v: exit code %d, want %d\n%s%s", args, code, want, out, errs)
	}
	var i imported
	must(t, json.Unmarshal([]byte(out), &i))
	return i, errs
}

// The company that the generator makes, written as CSV and imported over HTTP, is the
// company again: every figure, every account; and its cases come out as they say.
func TestImportOfAGeneratedYear(t *testing.T) {
	c := demo.Sample(time.Now())
	dir := t.TempDir()
	must(t, c.WriteCSV(func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, name)) }))
	s := testkit.StartSQLite(t, testkit.Options{})
	people, said := importing(t, s, exitDone, "people", filepath.Join(dir, "people.csv"))
	if people.New != len(c.People) || people.NotKept != 0 || people.InPart != 4 || strings.Count(said, "two administrators decide") != 4 {
		t.Errorf("people: %+v\n%s", people, said)
	}
	for _, f := range []struct {
		name string
		rows int
	}{{"vendors", len(c.Vendors)}, {"rates", len(c.Rates)}, {"purchases", len(c.Purchases)}} {
		if i, said := importing(t, s, exitDone, f.name, filepath.Join(dir, f.name+".csv")); i.New != f.rows || i.NotKept != 0 {
			t.Errorf("%s: %+v, want %d\n%s", f.name, i, f.rows, said)
		}
		if i, _ := importing(t, s, exitDone, f.name, filepath.Join(dir, f.name+".csv")); i.Unchanged != f.rows || i.New+i.Changed != 0 {
			t.Errorf("%s again: %+v, want all %d known", f.name, i, f.rows)
		}
	}
	checkFigures(t, s, c.Purchases)
	client := s.Client(s.Key)
	for _, live := range demo.LiveCases(c, time.Now()) {
		raw, err := json.Marshal(live.Document)
		must(t, err)
		a, err := client.Submit(t.Context(), countersign.RequestBody{Document: raw, Submission: &countersign.Submission{Approver: live.Approver, Channel: live.Channel}})
		must(t, err)
		if a.Outcome != live.Outcome {
			t.Errorf("%s: %s, want %s: %+v", live.Name, a.Outcome, live.Outcome, a.Reasons)
		}
	}
}

// checkFigures compares the stored figures of every vendor with the rows.
func checkFigures(t *testing.T, s *testkit.Server, rows []connect.Purchase) (total int64) {
	t.Helper()
	type figure struct{ n, sum int64 }
	want := map[string]map[string]figure{}
	for _, p := range rows {
		minor, err := p.Amount.Minor()
		must(t, err)
		if want[p.VendorID] == nil {
			want[p.VendorID] = map[string]figure{}
		}
		f := want[p.VendorID][p.Amount.Currency]
		want[p.VendorID][p.Amount.Currency] = figure{f.n + 1, f.sum + minor}
	}
	must(t, s.DB.Read(t.Context(), func(tx *store.Tx) error {
		total = 0
		for vendor, by := range want {
			stats, err := tx.VendorStats(vendor)
			if err != nil {
				return err
			}
			if len(stats) != len(by) {
				t.Errorf("%s: %d currencies, want %d", vendor, len(stats), len(by))
			}
			for _, st := range stats {
				total += st.Count
				if f := by[st.Currency]; f.n != st.Count || f.sum != st.Sum {
					t.Errorf("%s in %s: %d rows of %d, want %d of %d", vendor, st.Currency, st.Count, st.Sum, f.n, f.sum)
				}
			}
		}
		return nil
	}))
	return total
}

// Real files go in over HTTP, and every row of theirs is found again or reported.
func TestImportOfRealFiles(t *testing.T) {
	for _, f := range []struct {
		name, currency                string
		rows, vendors, negatives, big int64
	}{{"oxford.csv", "GBP", 57692, 2870, 71, 3000}, {"gla.csv", "GBP", 28145, 3490, 1209, 6650}} {
		t.Run(f.name, func(t *testing.T) {
			if testing.Short() && f.rows > 30000 {
				t.Skip("for the full tests; the generated year takes the same way")
			}
			path := filepath.Join("..", "..", "..", "shared", "data", f.name)
			if _, err := os.Stat(path); err != nil {
				if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
					t.Fatal(err)
				}
				t.Skip("the real files are not here: ", err)
			}
			s := testkit.StartSQLite(t, testkit.Options{Unchecked: true})
			began := time.Now()
			args := []string{"purchases", path, "--report", filepath.Join(t.TempDir(), "bad.txt"), "--with-vendors", "--allow-bad"}
			i, said := importing(t, s, exitDone, args...)
			took := time.Since(began)
			if lines := i.File.Kept + int64(len(i.File.Bad)); lines != f.rows {
				t.Errorf("%d rows are accounted for, want %d", lines, f.rows)
			}
			var rows []connect.Purchase
			seen, big, nameless := map[string]bool{}, int64(0), 0
			readAll(t, path, func(p connect.Purchase) {
				if p.VendorID == "" {
					nameless++
					return
				}
				rows = append(rows, p)
				seen[p.VendorID] = true
				if minor, err := p.Amount.Minor(); err == nil && minor >= 1000000 {
					big++
				}
			})
			if i.File.Negatives != f.negatives || big != f.big {
				t.Errorf("%d negative, %d of 10,000 or more; want %d and %d", i.File.Negatives, big, f.negatives, f.big)
			}
			if total := checkFigures(t, s, rows); total != int64(len(rows)) {
				t.Errorf("%d rows are history, want %d", total, len(rows))
			}
			if i.NotKept != nameless+len(i.File.Bad) || int64(i.NotKept)+int64(len(rows)) != f.rows {
				t.Errorf("%d rows not kept, %d nameless and %d bad", i.NotKept, nameless, len(i.File.Bad))
			}
			t.Logf("%d rows in %.1f s (%.0f a second), %d vendors (of the file's own counting %d), %d not kept\n%s", len(rows), took.Seconds(),
				float64(len(rows))/took.Seconds(), len(seen), f.vendors, i.NotKept, said)
		})
	}
}

func readAll(t *testing.T, path string, each func(connect.Purchase)) {
	t.Helper()
	in, err := os.Open(path)
	must(t, err)
	defer in.Close()
	_, err = connect.ReadPurchases(in, nil, connect.Options{}, func(p connect.Purchase) error {
		each(p)
		return nil
	})
	must(t, err)
}

// Every bad line is reported with its number and reason, and good ones are kept, also
// where only the server can see what is wrong.
func TestImportReportsEveryBadLine(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "purchases.csv")
	long := strings.Repeat("x", 60)
	must(t, os.WriteFile(file, []byte("id,vendor_id,amount,currency,date,kind\n"+
		"1,V-1,100.00,EUR,2026-01-05,invoice\n"+ // 2
		"2,V-1,1OO.00,EUR,2026-01-05,invoice\n"+ // 3 letters
		"3,,100.00,EUR,2026-01-05,invoice\n"+ // 4 no vendor
		"4,V-1,100.00,EUR,2026-01-05,"+long+"\n"+ // 5 a kind that is too long
		"5,V-1,100.00,XXY,2026-01-05,invoice\n"+ // 6 no currency
		"6,V-1,100.00,EUR,2026-02-31,invoice\n"+ // 7 no day
		"7,V-2,-20.00,EUR,2026-01-06,invoice\n"), 0o600)) // 8
	i, errs := importing(t, s, exitFailed, "purchases", file)
	if i.New != 2 || i.NotKept != 5 {
		t.Errorf("%+v\n%s", i, errs)
	}
	for line := 3; line <= 7; line++ {
		if n := strings.Count(errs, fmt.Sprintf("line %d", line)); n != 1 {
			t.Errorf("line %d is reported %d times\n%s", line, n, errs)
		}
	}
	if strings.Contains(errs, "line 2") || strings.Contains(errs, "line 8") || !strings.Contains(errs, "5 rows were not kept; all others were") {
		t.Error(errs)
	}
	report := filepath.Join(dir, "bad.txt")
	if i, errs := importing(t, s, exitDone, "purchases", file, "--report", report, "--allow-bad"); i.Unchanged != 2 || strings.Contains(errs, "line") {
		t.Errorf("%+v\n%s", i, errs)
	}
	text, err := os.ReadFile(report)
	must(t, err)
	if n := strings.Count(string(text), "\n"); n != 5 {
		t.Errorf("the report has %d lines\n%s", n, text)
	}
	if i, _ := importing(t, s, exitDone, "purchases", file, "--from-line", "8"); i.Unchanged != 1 || i.Skipped != 2 || i.NotKept != 0 {
		t.Errorf("from line 8: %+v", i)
	}
	if i, _ := importing(t, s, exitFailed, "purchases", file, "--dry-run"); i.Unchanged != 2 || !i.DryRun {
		t.Errorf("dry run: %+v", i)
	}
}

// What the server alone can know refuses the line it is about, and no other; a reason
// that holds for all lines stops the import.
func TestImportOfPeopleThatTheServerRefuses(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	file := filepath.Join(t.TempDir(), "people.csv")
	must(t, os.WriteFile(file, []byte("subject,name,manager,groups\nanna,Anna Berg,bert,approvers\nbert,Bert Cole,,approvers;administrators\ncarl,Carl Dahl,nobody,\n"), 0o600))
	i, errs := importing(t, s, exitFailed, "people", file)
	if i.New != 2 || i.NotKept != 1 || i.InPart != 1 || !strings.Contains(errs, "line 4: manager: is nobody on record") || !strings.Contains(errs, "line 3: kept without administrators") {
		t.Errorf("%+v\n%s", i, errs)
	}
	narrow := s.APIKey("erp", "facts")
	var o, e bytes.Buffer
	code := run(t.Context(), []string{"import", "people", file}, process{in: strings.NewReader(""), out: &o, err: &e,
		env: []string{"COUNTERSIGN_SERVER=" + s.URL, "COUNTERSIGN_API_KEY=" + narrow}})
	if code != exitFailed || !strings.Contains(e.String(), `no scope "provisioning"`) {
		t.Errorf("exit %d\n%s%s", code, &o, &e)
	}
}

// A file with several accounts of one vendor brings them in together: none of them
// counts as changed. Rates have a form of their own.
func TestImportOfVendorsAndRates(t *testing.T) {
	s := testkit.StartSQLite(t, testkit.Options{})
	dir := t.TempDir()
	vendors, rates := filepath.Join(dir, "v.csv"), filepath.Join(dir, "r.csv")
	must(t, os.WriteFile(vendors, []byte("id;name;iban\nV-1;Nord;DE89370400440532013000\nV-2;Süd;\nV-1;Nord;GB82WEST12345698765432\n"), 0o600))
	if i, errs := importing(t, s, exitDone, "vendors", vendors); i.New != 2 {
		t.Errorf("%+v\n%s", i, errs)
	}
	must(t, s.DB.Read(t.Context(), func(tx *store.Tx) error {
		all, err := tx.VendorAccounts("V-1")
		if len(all) != 2 || slices.ContainsFunc(all, func(a store.VendorAccount) bool { return !a.Changed.IsZero() && a.Changed.Unix() > 0 }) {
			t.Errorf("accounts: %+v", all)
		}
		return err
	}))
	must(t, os.WriteFile(rates, []byte("date,currency,rate\n2026-01-01,USD,0.92\n2026-01-01,EUR,1\n2026-13-01,GBP,1.1\n2026-01-01,GBP\n"), 0o600))
	i, errs := importing(t, s, exitFailed, "rates", rates)
	if i.New != 1 || i.NotKept != 3 || !strings.Contains(errs, "line 3: currency: is the base currency itself") || !strings.Contains(errs, "line 5: 2 columns") {
		t.Errorf("%+v\n%s", i, errs)
	}
}
