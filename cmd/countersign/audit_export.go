package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// onData are the flags of commands that work on the data itself, and not through a
// server.
type onData struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration of the server whose data it is. Without one: the defaults and the environment."`
	Org    string `placeholder:"ORG" help:"The organisation, by id or host name, where there are several."`
}

// data is one organisation's data, opened beside a server or without one.
type data struct {
	config Config
	db     *store.DB // of all organisations
	org    store.Organisation
	keys   string // folder
}

// read opens the data to read it, also while a server runs.
func (o *onData) read(ctx context.Context, p *process) (*data, error) {
	config, db, err := openReader(ctx, p, o.Config)
	if err != nil {
		return nil, err
	}
	return o.choose(ctx, config, db)
}

// look reads the data and shows what it says.
func (o *onData) look(ctx context.Context, p *process, asJSON bool, do func(*data) (answer, error)) (err error) {
	d, err := o.read(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	a, err := do(d)
	if err != nil {
		return err
	}
	return p.show(a, asJSON)
}

// write opens the data to change it, which no server may be using.
func (o *onData) write(ctx context.Context, p *process) (*data, error) {
	config, cfg, err := configured(p, o.Config)
	if err != nil {
		return nil, err
	}
	if there, err := databaseExists(cfg); !there || err != nil {
		return nil, errors.Join(err, withHint(fmt.Errorf("there is no database in %s", config.Data), "name the server's configuration with --config"))
	}
	db, err := openData(ctx, &config)
	if err != nil {
		return nil, err
	}
	return o.choose(ctx, config, db)
}

// configured reads the configuration and says which database it names.
func configured(p *process, file string) (config Config, cfg store.Config, err error) {
	if config, err = Load(file, p.env); err == nil {
		cfg, err = databaseOf(&config)
	}
	return config, cfg, err
}

// openReader opens the database to read it, also while a server runs.
func openReader(ctx context.Context, p *process, file string) (config Config, db *store.DB, err error) {
	config, cfg, err := configured(p, file)
	if err != nil {
		return config, nil, err
	}
	db, err = store.OpenReader(ctx, cfg)

	return config, db, withHint(err, "name the server's configuration with --config, or its data folder with COUNTERSIGN_DATA")
}

// databaseOf says which database a configuration names.
func databaseOf(config *Config) (store.Config, error) {
	dsn, err := config.DSN()
	if err != nil {
		return store.Config{}, err
	}
	if dsn != "" {
		return store.Config{Driver: store.Postgres, DSN: dsn, Connections: 4}, nil
	}
	return store.Config{Driver: store.SQLite, Path: filepath.Join(config.Data, dataFile)}, nil
}

// choose finds the organisation that is meant.
func (o *onData) choose(ctx context.Context, config Config, db *store.DB) (*data, error) {
	var all []store.Organisation
	err := db.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Organisations()
		return err
	})
	d := &data{config: config, db: db}
	found := 0
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = one.ID + " (" + one.Host + ")"
		if o.Org == "" || o.Org == one.ID || o.Org == one.Host {
			d.org = one
			found++
		}
	}
	switch {
	case err != nil:
	case len(all) == 0:
		err = withHint(errors.New("there is no organisation yet"), "countersign serve founds one")
	case found == 0:
		err = fmt.Errorf("there is no organisation %q: there are %s", o.Org, strings.Join(names, ", "))
	case found > 1:
		err = usage("name one organisation with --org: there are %s", strings.Join(names, ", "))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	d.keys = keysFolder(config.Keys, d.org.ID, len(all))
	return d, nil
}

func (d *data) close() error { return d.db.Close() }

// openKeys reads the keys, and makes none: who only looks leaves no trace.
func (d *data) openKeys() (*checkpoint.Keys, error) {
	names, err := filepath.Glob(filepath.Join(d.keys, "log-*"))
	if err != nil || len(names) == 0 {
		return nil, withHint(fmt.Errorf("there are no keys of the log in %s", d.keys), "name the server's configuration with --config; where the keys are lost, countersign audit recover --new-origin")
	}
	return checkpoint.OpenKeys(d.keys, d.org.Origin)
}

// exportCmd writes the log for somebody who will verify it elsewhere.
type exportCmd struct {
	onData
	Folder   string `arg:"" help:"Folder to write to: empty, or with an earlier export of this log, which is brought up to date."`
	Since    int64  `placeholder:"INDEX" help:"Take whole tiles before this entry from the folder, without looking whether something in them was erased since."`
	Openings bool   `default:"true" negatable:"" help:"Write the contents too, and not only what commits to them."`
	jsonFlag
}

func (c *exportCmd) Run(ctx context.Context, p *process) error {
	return c.look(ctx, p, c.JSON, func(d *data) (answer, error) {
		keys, err := d.openKeys()
		if err != nil {
			return answer{}, err
		}

		bar := p.progress("entries")
		defer bar.end()
		r, err := authority.ExportLog(ctx, authority.ExportConfig{DB: d.db.For(d.org.ID), Verifiers: keys.Verifiers(), Dir: c.Folder, Since: c.Since,
			WithoutOpenings: !c.Openings, Progress: bar.show})

		return answer{value: r, text: func() {
			p.printf("log:       %s\nentries:   %d, %d of them in the folder before\nfiles:     %d written, %d removed\nroot:      %s\n",
				r.Checkpoint.Origin, r.Checkpoint.Size, r.Before, r.Written, r.Removed, r.Checkpoint.Root)
			p.printf("\nverify:    countersign audit verify %s --key FILE   (countersign audit keys prints what belongs in the file)\n", c.Folder)
		}}, err
	})
}

// checkpointCmd prints what an auditor keeps, to find a roll-back later.
type checkpointCmd struct{ onData }

func (c *checkpointCmd) Run(ctx context.Context, p *process) error {
	return c.look(ctx, p, false, func(d *data) (answer, error) {
		head, err := d.db.For(d.org.ID).Head(ctx)
		if err == nil && head.SignedSize == 0 {
			err = authority.ErrNotPublished
		}
		return answer{text: func() { p.printf("%s", head.Checkpoint) }}, err
	})
}

// keysCmd prints what verifies the log.
type keysCmd struct {
	onData
	jsonFlag
}

func (c *keysCmd) Run(ctx context.Context, p *process) error {
	return c.look(ctx, p, c.JSON, func(d *data) (answer, error) {
		keys, err := d.openKeys()
		if err != nil {
			return answer{}, err
		}
		all, err := checkpoint.LogKeys(ctx, d.db.For(d.org.ID), keys)

		return answer{value: all, text: func() { p.logKeys(all) }}, err
	})
}

// logKeys writes lines that audit verify --key takes as a file.
func (p *process) logKeys(all []checkpoint.LogKeyInfo) {
	for _, k := range all {
		switch {
		case k.Since < 0:
			p.printf("# of an origin that this log continues\n")
		case k.Now:
			p.printf("# signs now\n")
		default:
			p.printf("# signed from entry %d on\n", k.Since)
		}
		p.printf("%s\n", k.Key)
	}
}
