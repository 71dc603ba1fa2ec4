package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// backupCmd copies the data into one file, also while a server runs.
type backupCmd struct {
	Config   string `short:"c" placeholder:"FILE" help:"The configuration of the server whose data it is. Without one: the defaults and the environment."`
	File     string `arg:"" help:"File to write. It must not exist."`
	Manifest bool   `help:"Write only the manifest: what a copy made now by the database server's own tools must hold."`
	JSON     bool   `name:"json" help:"Write the manifest as JSON to the output too."`
}

func (c *backupCmd) Run(ctx context.Context, p *process) (err error) {
	_, db, err := openReader(ctx, p, c.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	bar := p.progress("")
	defer bar.end()
	b := authority.BackupConfig{DB: db, File: c.File, Program: thisProgram(), Progress: func(step string, done, total int64) {
		bar.label = step
		bar.show(done, total)
	}}
	var m *authority.Manifest
	if c.Manifest {
		m, err = c.describe(ctx, b)
	} else {
		m, err = authority.Backup(ctx, b)
	}
	bar.end()
	if errors.Is(err, store.ErrNotSQLite) {
		return withHint(errors.New("a PostgreSQL database is copied by its own tools"),
			"countersign backup --manifest %[1]s.json; then pg_dump --format=custom --file=%[1]s; after pg_restore, countersign doctor --full checks the logs, and countersign audit checkpoint must not be behind the manifest", c.File)
	}
	if err != nil {
		return err
	}

	return p.show(answer{value: m, text: func() { c.say(p, m) }}, c.JSON)
}

// thisProgram is the version that a manifest names.
func thisProgram() string {
	info, _ := debug.ReadBuildInfo()
	return builtFrom(info).Version
}

// describe writes the manifest alone.
func (c *backupCmd) describe(ctx context.Context, b authority.BackupConfig) (*authority.Manifest, error) {
	m, err := authority.DescribeBackup(ctx, b)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	err = (&process{out: f}).json(m)
	return m, errors.Join(err, f.Sync(), f.Close())
}

func (c *backupCmd) say(p *process, m *authority.Manifest) {
	p.printf("written:  %s", c.File)
	if m.Content != nil {
		p.printf(", %d bytes of data", m.Content.Bytes)
	}
	p.printf("\n")
	for _, o := range m.Organisations {
		p.printf("log:      %s, %d entries, %d of them published\n", o.Origin, o.Size, o.SignedSize)
	}
	p.printf("\nThe keys and the guard are not in it. Keep copies of the keys somewhere else, and none of the\nguard: it is what notices that a restored copy is old.\n")
}

// restoreCmd puts a backup in place of a database that is not there any more.
type restoreCmd struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration of the server. Without one: the defaults and the environment."`
	File   string `arg:"" help:"The backup."`
	JSON   bool   `name:"json" help:"Write the manifest as JSON."`
}

func (c *restoreCmd) Run(ctx context.Context, p *process) error {
	_, cfg, err := configured(p, c.Config)
	if err != nil {
		return err
	}
	if cfg.Driver != store.SQLite {
		return withHint(errors.New("a PostgreSQL database is restored by its own tools"), "pg_restore, then countersign doctor --full, which checks the logs")
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	bar := p.progress("entries checked")
	m, err := authority.Restore(ctx, authority.RestoreConfig{Backup: f, Path: cfg.Path, Progress: bar.show})
	bar.end()
	if errors.Is(err, authority.ErrBackup) {
		return withHint(err, "take another copy; nothing was put in place")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(m)
	}
	p.printf("restored:  %s, as of %s\n", cfg.Path, m.MadeAt)
	var names []string
	for _, o := range m.Organisations {
		p.printf("log:       %s, %d entries\n", o.Origin, o.Size)
		names = append(names, o.Name)
	}
	p.printf("\nnext:      countersign doctor; then start the server. It compares with the guard: if more was\n           published since, it refuses to sign until countersign audit recover.\n")
	p.printf("look at:   people, keys and authenticators of %s: what was ended after that time is back.\n           Everybody signs in again, and invitations have to be made anew.\n", strings.Join(names, ", "))
	return nil
}
