package api_test

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"

	_ "modernc.org/sqlite"
)

// A GET changes nothing: every table is the same before and after, but for the time at
// which sessions were used last.
func TestTrapGetActs(t *testing.T) {
	cfg := sqliteConfig(t)
	s := testkit.Start(t, cfg, testkit.Options{})
	s.Settle()
	s.Vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	noor := s.Person("noor")
	samuel := s.Person("samuel")
	approved, pending := s.Submit(testkit.Order("PO-1", "900.00")), s.Submit(testkit.Order("PO-2", "30000.00"))
	s.Must(s.Authority.Publish(t.Context()))
	settled(t, s)
	before := tables(t, cfg.Path)
	s.Clock.Forward(2 * time.Minute)
	n := 0
	for _, o := range described(t) {
		if o.method != "GET" {
			continue
		}
		for _, id := range []string{approved.ID, pending.ID, "req_01m8677m3se2jscfznjmzgpnb6"} {
			for _, token := range []string{s.Key, noor.Token, samuel.Token, ""} {
				query := ""
				if o.id == "getConsistency" {
					query = "?size=1"
				}
				s.Send("GET", o.at(id)+query, token, nil)
				s.Send("HEAD", o.at(id)+query, token, nil)
				n += 2
			}
		}
	}
	settled(t, s)
	after := tables(t, cfg.Path)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			t.Errorf("%d GETs changed the table %s:\n  %.300s\n  %.300s", n, name, before[name], after[name])
		}
	}
	t.Logf("%d GETs and HEADs, %d tables", n, len(before))
}

func sqliteConfig(t testing.TB) store.Config {
	return store.Config{Driver: store.SQLite, Path: t.TempDir() + "/countersign.db"}
}

// settled waits until the checkpoint is recorded: that lags behind on purpose.
func settled(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Must(s.Authority.Publish(t.Context()))
}

// tables reads every table as text.
func tables(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names := query(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	out := map[string]string{}
	for _, n := range names {
		columns := "*"
		switch n[0] {
		case "session":
			columns = "org_id, token_hash, id, person_id, kind, approval_id, created_us, expires_us"
		case "log_head":
			columns = "org_id, origin, size, root" // what is recorded as published follows behind
		}
		var b strings.Builder
		for _, row := range query(t, db, "SELECT "+columns+" FROM "+n[0]) {
			b.WriteString(strings.Join(row, "|") + "\n")
		}
		out[n[0]] = b.String()
	}
	return out
}

func query(t *testing.T, db *sql.DB, text string) [][]string {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = fmt.Sprintf("%x", []byte(*v.(*sql.RawBytes)))
		}
		out = append(out, row)
	}
	if len(columns) == 1 { // names
		for _, r := range out {
			var s string
			fmt.Sscanf(r[0], "%x", &s)
			r[0] = s
		}
	}
	return out
}
