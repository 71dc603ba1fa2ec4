package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
)

// ErrNotSQLite says that something is the business of the database server's own tools.
var ErrNotSQLite = errors.New("only an SQLite database is copied by this program")

// OpenReader opens a database to read it, also while a server is using it: it takes no
// lock, migrates nothing and refuses every write. The schema must be this program's.
// The database must exist.
func OpenReader(ctx context.Context, cfg Config) (*DB, error) {
	e := newEngine(cfg)
	var err error
	switch cfg.Driver {
	case SQLite:
		e.backend, err = openLiteReader(ctx, e, cfg)
	case Postgres:
		e.backend, err = connectPostgres(ctx, e, cfg)
	default:
		err = fmt.Errorf("database driver %q is not known: use %q or %q", cfg.Driver, SQLite, Postgres)
	}
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, org: cfg.Org}
	if err := db.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.readOnly = true
	return db, nil
}

func openLiteReader(ctx context.Context, e *engine, cfg Config) (*liteBackend, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database here: %w", err)
	}
	b := &liteBackend{engine: e, path: path, count: 1, readers: make(chan *liteConn, 1)}
	c, err := openLite(ctx, path, true)
	if err != nil {
		return nil, err
	}
	b.readers <- c
	return b, nil
}

// checkSchema compares the schema's version with the one that this program knows.
func (db *DB) checkSchema(ctx context.Context) error {
	names, err := fs.Glob(mainSchema.files, mainSchema.dir+"/*.sql")
	if err != nil {
		return err
	}
	want, err := goose.NumericComponent(names[len(names)-1]) // the newest; they come in order
	if err != nil {
		return err
	}
	var have int64
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.Across().Row(`SELECT CAST(COALESCE(MAX(version_id), 0) AS BIGINT) FROM goose_db_version`).Scan(&have)
	})
	if err != nil {
		return fmt.Errorf("the database has no schema of this program: %w", err)
	}
	if have != want {
		return fmt.Errorf("the database's schema has version %d, this program knows %d: use the program that serves it", have, want)
	}
	return nil
}

// CopyTo writes a consistent copy of the whole database into a new file: everything
// that was committed before, and nothing of what is being written meanwhile. Others
// go on working. What was deleted is not in the copy, not even as a trace. The file is
// on the disk when CopyTo returns; a file that exists is refused.
func (db *DB) CopyTo(ctx context.Context, path string) error {
	b, ok := db.backend.(*liteBackend)
	if !ok {
		return ErrNotSQLite
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // VACUUM INTO accepts an empty file
	if err != nil {
		return fmt.Errorf("the copy of the database: %w", err)
	}
	defer f.Close()
	if err := b.vacuumInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("copy the database: %w", err), os.Remove(path))
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("copy the database: %w", err), os.Remove(path))
	}
	return syncDir(filepath.Dir(path))
}

// vacuumInto works on a connection of its own: those that read are bound to write
// nothing, nowhere.
func (b *liteBackend) vacuumInto(ctx context.Context, path string) error {
	c, err := openLite(ctx, b.path, false)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.exec("VACUUM INTO '"+strings.ReplaceAll(path, "'", "''")+"'", nil)
	return classify(err)
}

// ForgetSignIns deletes what a copy of the database would bring back to life although
// it ended since: sessions, open challenges, invitations, links. People sign in again.
func (db *DB) ForgetSignIns(ctx context.Context) error {
	var orgs []Organisation
	if err := db.Read(ctx, func(tx *Tx) (err error) {
		orgs, err = tx.Organisations()
		return err
	}); err != nil {
		return err
	}
	for _, o := range orgs {
		_, err := db.For(o.ID).Write(ctx, func(tx *Tx) error {
			for _, text := range []string{
				`DELETE FROM session WHERE org_id = $1`,
				`DELETE FROM challenge WHERE org_id = $1`,
				`DELETE FROM invitation WHERE org_id = $1`,
			} {
				if _, err := tx.Exec(text); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Settings reads back the settings of the engine that durability rests on, and its
// version, by name.
func (db *DB) Settings(ctx context.Context) (map[string]string, error) {
	switch b := db.backend.(type) {
	case *liteBackend:
		return b.settings(ctx)
	case *pgBackend:
		out := map[string]string{}
		for _, name := range []string{"server_version", "fsync", "full_page_writes", "synchronous_commit"} {
			var v string
			if err := b.db.QueryRowContext(ctx, "SHOW "+name).Scan(&v); err != nil {
				return nil, classify(err)
			}
			out[name] = v
		}
		return out, nil
	}
	return nil, nil
}

func (b *liteBackend) settings(ctx context.Context) (map[string]string, error) {
	c, err := openLite(ctx, b.path, true)
	if err != nil {
		return nil, err
	}
	defer c.close()
	out := map[string]string{}
	for _, p := range pragmas {
		if out[p.name], err = c.text("PRAGMA " + p.name); err != nil {
			return nil, err
		}
	}
	out["version"], err = c.text("SELECT sqlite_version()")
	return out, err
}
