package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// TestReadingIsMadeFromWhatIsThere migrates a database in which requests are stored
// already: what the pages search by is made from them.
func TestReadingIsMadeFromWhatIsThere(t *testing.T) {
	t.Run(SQLite, func(t *testing.T) {
		db, err := sql.Open("sqlite", liteDSN(filepath.Join(t.TempDir(), "old.db")))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		migratedFromOld(t, db, SQLite, goose.DialectSQLite3)
	})
	t.Run(Postgres, func(t *testing.T) {
		dsn := os.Getenv("COUNTERSIGN_TEST_POSTGRES")
		if dsn == "" {
			t.Skip("COUNTERSIGN_TEST_POSTGRES is not set: scripts/test starts a server")
		}
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		server := stdlib.OpenDB(*cfg)
		defer server.Close()
		name := fmt.Sprintf("cs_reading_%d", os.Getpid())
		if _, err := server.Exec("CREATE DATABASE " + name); err != nil {
			t.Fatal(err)
		}
		defer server.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		cfg.Database = name
		db := stdlib.OpenDB(*cfg)
		defer db.Close()
		migratedFromOld(t, db, Postgres, goose.DialectPostgres)
	})
}

func migratedFromOld(t *testing.T, db *sql.DB, driver string, dialect goose.Dialect) {
	t.Helper()
	files, err := mainSchema.rendered(driver)
	if err != nil {
		t.Fatal(err)
	}
	old := fstest.MapFS{}
	for _, name := range []string{"0001_log.sql", "0002_domain.sql"} {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: data}
	}
	up(t, db, dialect, old)
	fillOld(t, db)
	up(t, db, dialect, files)
	checkReading(t, db)
}

func up(t *testing.T, db *sql.DB, dialect goose.Dialect, files fs.FS) {
	t.Helper()
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
}

const (
	oldState = `{"requirement":{"outcome":"step_up","approvers":[{"count":1,"from":["finance","treasury"]}],"watchers":["treasury"]},
		"requesters":[{"id":"per_asks","name":"A"},{"id":"per_owns","name":"O","owner":true}],"not_before":"2026-11-25T09:00:00.000001Z"}`
	oldDocument = `{"id":"PO-1","payee":{"name":"Nordwind"},"requester":{"name":"Elif"},"subject":"Forklifts"}`
	oldLeaf     = `{"actor":"key_1","facts":{"founding":"true"},"type":"request.submitted"}`
	oldWeighing = `{"reasons":[{"rule":"large-purchase"},{"rule":"quiet","silenced":"an exception"},{"rule":"split"}]}`
)

// fillOld writes a request that waits and one whose hold runs, as an older version did.
func fillOld(t *testing.T, db *sql.DB) {
	t.Helper()
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO audit_entry (org_id, id, seq, turn, place, subject, leaf, created_us) VALUES ('o', 'ent_1', 0, 1, 0, 'req_1', $1, 5)`, []byte(oldLeaf))
	exec(`INSERT INTO audit_opening (org_id, entry_id, name, salt, value) VALUES ('o', 'ent_1', 'weighing', $1, $2)`, []byte{1}, []byte(oldWeighing))
	for _, r := range [][2]string{{"req_1", "pending"}, {"req_2", "approved"}} {
		exec(`INSERT INTO approval (org_id, id, source, kind, object_id, revision, attempt, digest, document, submission, status, version, state, weighed_entry, policy_digest,
			policy_version, key_id, vendor_id, requester_key, nominated, category, currency, minor, base_currency, base_minor, counted, bank, created_us, due_us, ended_us, superseded_by, entry_id)
			VALUES ('o', $1, 'erp', 'invoice', $1, '1', 0, '', $2, '', $3, 1, $4, 'ent_1', '', 1, '', '', 'per_asks', 'per_named', '', '', 0, '', 0, 1, 0, 7, 9, 0, '', 'ent_1')`,
			r[0], []byte(oldDocument), r[1], oldState)
	}
	exec(`INSERT INTO decision (org_id, approval_id, id, person_id, act, body, entry_id, at_us) VALUES ('o', 'req_1', 'dec_1', 'per_did', 'approve', '{}', 'ent_1', 8)`)
}

func checkReading(t *testing.T, db *sql.DB) {
	t.Helper()
	var outcome, rules, words, typ, actor string
	var founding, held int64
	if err := db.QueryRow(`SELECT outcome, rules, words, founding FROM approval WHERE id = 'req_1'`).Scan(&outcome, &rules, &words, &founding); err != nil {
		t.Fatal(err)
	}
	if outcome != "step_up" || rules != " large-purchase split " || words != "req_1 forklifts nordwind elif" || founding != 1 {
		t.Errorf("%q %q %q %d", outcome, rules, words, founding)
	}
	if err := db.QueryRow(`SELECT held_us FROM approval WHERE id = 'req_2'`).Scan(&held); err != nil || held/1_000_000 != 1795597200 {
		t.Errorf("held until %d: %v", held, err)
	}
	if err := db.QueryRow(`SELECT type, actor FROM audit_entry`).Scan(&typ, &actor); err != nil || typ != "request.submitted" || actor != "key_1" {
		t.Errorf("%q %q %v", typ, actor, err)
	}
	rows, err := db.Query(`SELECT approval_id, who, part, live FROM audience`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	have := map[[3]string]bool{}
	for rows.Next() {
		var k [3]string
		var live int64
		if err := rows.Scan(&k[0], &k[1], &k[2], &live); err != nil {
			t.Fatal(err)
		}
		have[k] = live == 1
	}
	want := map[[3]string]bool{
		{"req_1", "group:finance", "decide"}: true, {"req_1", "group:treasury", "decide"}: true, {"req_1", "watch:treasury", "watch"}: true,
		{"req_1", "own:per_asks", "ask"}: true, {"req_1", "own:per_owns", "ask"}: true, {"req_1", "per_named", "decide"}: true, {"req_1", "own:per_did", "done"}: true,
		{"req_2", "group:finance", "see"}: false, {"req_2", "group:treasury", "see"}: false, {"req_2", "watch:treasury", "watch"}: true, {"req_2", "own:per_owns", "ask"}: false,
	}
	if len(have) != len(want) {
		t.Errorf("%v", have)
	}
	for k, live := range want {
		if got, ok := have[k]; !ok || got != live {
			t.Errorf("%v: there %v, live %v, want %v", k, ok, got, live)
		}
	}
}
