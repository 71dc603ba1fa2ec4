package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"testing/fstest"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// schema is a timeline of migrations and the table that remembers how far it got.
type schema struct {
	files embed.FS
	dir   string
}

var mainSchema = schema{migrationFiles, "migrations"}

// integers are the names of integer columns that SQLite's STRICT tables refuse.
var integers = regexp.MustCompile(`\b(BIGINT|SMALLINT)\b`)

// rendered is the timeline in the words of one engine. The macros are:
//
//	{{text}}    text that is compared and ordered byte by byte
//	{{blob}}    bytes
//	{{strict}}  after the closing bracket of a table: values must have the column's type
//	{{if sqlite}} … {{end}}, {{if postgres}} … {{end}}
//
// Integers are BIGINT, or SMALLINT for truth values.
func (s schema) rendered(driver string) (fs.FS, error) {
	lite := driver == SQLite
	pick := func(sqlite, postgres string) func() string {
		return func() string {
			if lite {
				return sqlite
			}
			return postgres
		}
	}
	macros := template.FuncMap{
		"text":     pick("TEXT", `TEXT COLLATE "C"`),
		"blob":     pick("BLOB", "BYTEA"),
		"strict":   pick(" STRICT", ""),
		"sqlite":   func() bool { return lite },
		"postgres": func() bool { return !lite },
	}
	names, err := fs.Glob(s.files, s.dir+"/*.sql")
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for _, name := range names {
		text, err := s.files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		t, err := template.New(name).Funcs(macros).Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("migration: %w", err)
		}
		var b bytes.Buffer
		if err := t.Execute(&b, nil); err != nil {
			return nil, fmt.Errorf("migration: %w", err)
		}
		data := b.Bytes()
		if lite {
			data = integers.ReplaceAll(data, []byte("INTEGER"))
		}
		out[name[len(s.dir)+1:]] = &fstest.MapFile{Data: data}
	}
	return out, nil
}

// SchemaDigest identifies the schema on one engine: empty databases of one digest are
// alike, and can be copied instead of migrated.
func SchemaDigest(driver string) (string, error) {
	files, err := mainSchema.rendered(driver)
	if err != nil {
		return "", err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// migrateSQLite runs under the lock of the data folder and before the pools are
// opened: SQLite has no lock for migrations.
func migrateSQLite(ctx context.Context, path string, s schema) error {
	db, err := sql.Open("sqlite", liteDSN(path))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return migrate(ctx, db, SQLite, s)
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB, driver string, s schema, opts ...goose.ProviderOption) error {
	files, err := s.rendered(driver)
	if err != nil {
		return err
	}
	dialect := goose.DialectSQLite3
	if driver == Postgres {
		dialect = goose.DialectPostgres
	}
	opts = append(opts, goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", classify(err))
	}
	if current == target {
		return nil
	}
	if current > target {
		return fmt.Errorf("the database's schema has version %d, this program knows %d: run the newer program", current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", classify(err))
	}
	return nil
}

// Several processes may start at once: a lock in a table (an advisory lock is not to
// be had everywhere) lets one migrate, and the others look again.
const (
	migrationTries = 8
	lockInterval   = 250 * time.Millisecond
	lockTries      = 240
)

// madeByOther reports whether another process made the table of the lock or of the
// versions at the same moment.
func madeByOther(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P07" || pg.Code == "23505" || pg.Code == "42710")
}

func migratePostgres(ctx context.Context, db *sql.DB, s schema) error {
	var err error
	for try := range migrationTries {
		var locker lock.Locker
		locker, err = lock.NewPostgresTableLocker(
			lock.WithTableLockTimeout(lockInterval, lockTries),
			lock.WithTableLeaseDuration(30*time.Second),
			lock.WithTableHeartbeatInterval(5*time.Second))
		if err != nil {
			return err
		}
		err = migrate(ctx, db, Postgres, s, goose.WithLocker(locker))
		if err == nil || !madeByOther(err) {
			return err
		}
		wait := time.Duration(50+rand.IntN(100*(try+1))) * time.Millisecond
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return err
}
