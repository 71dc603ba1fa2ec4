package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// recoverCmd is the way out when the server refuses to sign: the guard is lost, or the
// database is not the one that published last.
type recoverCmd struct {
	onData
	Since     string `placeholder:"FILE" help:"A signed checkpoint that somebody else kept, an auditor or a witness."`
	NewOrigin bool   `help:"Let the log go on under a new name where it cannot be shown that it has grown out of what was published. The log says so for ever."`
	JSON      bool   `name:"json" help:"Write JSON."`
}

func (c *recoverCmd) Run(ctx context.Context, p *process) (err error) {
	cfg := authority.RecoverConfig{NewOrigin: c.NewOrigin}
	if c.Since != "" {
		if cfg.Earlier, err = p.read(c.Since, maxSmallFile); err != nil {
			return err
		}
	}
	d, err := c.write(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	guard, err := openGuard(ctx, &d.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guard.Close()) }()
	if cfg.Keys, err = checkpoint.OpenKeys(d.keys, d.org.Origin); err != nil {
		return err
	}
	bar := p.progress("entries checked")
	defer bar.end()
	cfg.DB, cfg.Guard, cfg.Log = d.db.For(d.org.ID), guard, newLog(&d.config, p)
	cfg.Progress = func(done, total int64) error { bar.show(done, total); return ctx.Err() }
	r, err := authority.Recover(ctx, cfg)
	bar.end()
	switch {
	case errors.Is(err, authority.ErrGrowth):
		return withHint(err, "put back a newer copy of the database if there is one; if not: countersign audit recover --new-origin, which names in the log what is lost")
	case err != nil:
		return err
	case c.JSON:
		return p.json(r)
	}
	c.say(p, r)
	return nil
}

func (c *recoverCmd) say(p *process, r *authority.Recovered) {
	if !r.Done {
		p.printf("nothing is wrong: the log %s has %d entries, and has grown out of what was published\n", r.Origin, r.Size)
		return
	}
	p.printf("log:        %s\nentries:    %d\n", r.Origin, r.Size)
	if r.NewOrigin {
		p.printf("found:      %s\ncontinues:  not %s at %d entries; the log says so in %s\n", r.Found, r.Continues.Origin, r.Continues.Size, r.Entry)
		p.printf("lost:       %d published entries\n\n", r.Lost)
		p.printf("Receipts from before stay verifiable with the old keys, new ones need the new key: give both to\nwhoever verifies (countersign audit keys). What was decided and released in what is lost is not\nknown here: an alert asks the controllers to compare with the systems that asked. Keys that were\nrevoked and people who were deactivated since are active again: look at them first.\n")
		return
	}
	p.printf("continues:  %d entries, proven by the %s; the log says so in %s\n", r.Continues.Size, r.ProvenBy, r.Entry)
	if r.ProvenBy == authority.ProvenByDatabase {
		p.printf("\nNobody but the database itself says that nothing is missing at its end. If an auditor or a witness\nkept a checkpoint, compare it: countersign audit verify FOLDER --since CHECKPOINT, after an export.\n")
	}
}

// databaseExists tells whether there is a database to work on: looking makes none.
func databaseExists(cfg store.Config) (bool, error) {
	if cfg.Driver != store.SQLite {
		return true, nil
	}
	_, err := os.Stat(filepath.Clean(cfg.Path))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
