// Package storetest opens real databases for tests: SQLite always, and PostgreSQL
// where a server is at hand.
//
// COUNTERSIGN_TEST_POSTGRES is the connection string of a server on which databases
// may be made and dropped. With COUNTERSIGN_REQUIRE_POSTGRES=1 a test that needs it
// fails without it, instead of being skipped.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Org is the organisation that test databases are bound to.
const Org = "org_00000000000000000000000000"

// Origin is the origin of its log.
const Origin = "test.example/log/" + Org

// Each runs a test on every engine, each time on a fresh database that has the
// organisation's log and nothing else.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachConfig(t, func(t *testing.T, cfg store.Config) { test(t, Open(t, cfg)) })
}

// EachConfig runs a test on every engine with the configuration of a fresh, empty
// database, for tests that open it themselves, perhaps more than once.
func EachConfig(t *testing.T, test func(t *testing.T, cfg store.Config)) {
	t.Helper()
	t.Run(store.SQLite, func(t *testing.T) { test(t, SQLite(t)) })
	t.Run(store.Postgres, func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is the configuration of a fresh SQLite database.
func SQLite(t testing.TB) store.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.db")
	migrated, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, migrated, 0o600); err != nil {
		t.Fatal(err)
	}
	return store.Config{Driver: store.SQLite, Path: path, Org: Org}
}

// Open opens a database until the end of the test, and makes the log when it is not
// there.
func Open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	if _, err := db.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Head(); err == nil {
			return nil
		}
		return tx.CreateLog(Origin)
	}); err != nil {
		t.Fatal(err)
	}
	return db
}

// sqliteTemplate is a database file with the whole schema: running the migrations
// once for each test would be most of a test's time.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	db, err := store.Open(context.Background(), store.Config{Driver: store.SQLite, Path: path})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // the last connection moves everything into the file
		return nil, err
	}
	return os.ReadFile(path)
})

var databases atomic.Int64

// Postgres is the configuration of a fresh PostgreSQL database, dropped at the end of
// the test. Without a server the test is skipped, or fails where one is required.
func Postgres(t testing.TB) store.Config {
	t.Helper()
	server := server(t)
	template, err := postgresTemplate()
	if err != nil {
		t.Fatal(err)
	}
	return create(t, server, "TEMPLATE "+template)
}

// EmptyPostgres is the configuration of a database without a schema.
func EmptyPostgres(t testing.TB) store.Config {
	t.Helper()
	return create(t, server(t), "")
}

func server(t testing.TB) string {
	t.Helper()
	server := os.Getenv("COUNTERSIGN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("COUNTERSIGN_REQUIRE_POSTGRES") == "1" {
			t.Fatal("COUNTERSIGN_TEST_POSTGRES is not set, and COUNTERSIGN_REQUIRE_POSTGRES=1 demands it")
		}
		t.Skip("COUNTERSIGN_TEST_POSTGRES is not set: scripts/test starts a server")
	}
	return server
}

func create(t testing.TB, server, options string) store.Config {
	t.Helper()
	name := fmt.Sprintf("cs_%d_%d", os.Getpid(), databases.Add(1))
	if err := command(server, "CREATE DATABASE "+name+" "+options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return store.Config{Driver: store.Postgres, DSN: onDatabase(server, name), Org: Org, Connections: 8}
}

// postgresTemplate is an empty database with the whole schema, made once for each
// schema and left on the server. It is migrated under another name first, so that
// packages whose tests run at the same time do not meet a half-made one.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	server := os.Getenv("COUNTERSIGN_TEST_POSTGRES")
	digest, err := store.SchemaDigest(store.Postgres)
	if err != nil {
		return "", err
	}
	name := "cs_template_" + digest[:24]
	making := fmt.Sprintf("cs_%d_template", os.Getpid())
	if there, err := exists(server, name); there || err != nil {
		return name, err
	}
	if err := command(server, "CREATE DATABASE "+making); err != nil {
		return "", err
	}
	db, err := store.Open(context.Background(), store.Config{Driver: store.Postgres, DSN: onDatabase(server, making)})
	if err != nil {
		return "", errors.Join(err, command(server, "DROP DATABASE "+making))
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	if err := command(server, "ALTER DATABASE "+making+" RENAME TO "+name); err != nil {
		if there, _ := exists(server, name); there { // another package was faster
			return name, command(server, "DROP DATABASE "+making)
		}
		return "", err
	}
	return name, nil
})

func exists(server, name string) (there bool, err error) {
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		return false, fmt.Errorf("COUNTERSIGN_TEST_POSTGRES: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	err = db.QueryRow("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&there)
	return there, err
}

// command runs one statement on the server.
func command(server, text string) error {
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		return fmt.Errorf("COUNTERSIGN_TEST_POSTGRES: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

// onDatabase is the connection string with another database name.
func onDatabase(server, name string) string {
	if strings.Contains(server, "://") {
		if base, query, ok := strings.Cut(server, "?"); ok {
			return base[:strings.LastIndex(base, "/")+1] + name + "?" + query
		}
		return server[:strings.LastIndex(server, "/")+1] + name
	}
	return server + " dbname=" + name
}
