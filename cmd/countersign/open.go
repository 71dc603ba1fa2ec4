package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/web"
	"github.com/countersign/countersign/policies"
)

// dataFile is the database's name in the data folder.
const dataFile = "countersign.db"

// foundation is what the first organisation is founded with.
type foundation struct {
	Name  string // of the organisation
	Login string // of its first administrator
	Admin string // the first administrator's name
}

// installation is the data, the guard and the organisations of one configuration.
type installation struct {
	config      Config
	db          *store.DB
	guard       store.Guard
	authorities []*authority.Authority
	demo        web.Demo // nil but where the demo runs
	moves       bool     // to another address: it may be at another one than is configured
}

// openInstallation opens what the configuration names. Without an organisation it
// founds the first one; with a nil foundation that is an error.
func openInstallation(ctx context.Context, config Config, first *foundation, log *slog.Logger) (*installation, error) {
	in := &installation{config: config}
	if err := in.open(ctx, first, log); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

func (in *installation) close() error {
	var errs []error
	if in.guard != nil {
		errs = append(errs, in.guard.Close())
	}
	if in.db != nil {
		errs = append(errs, in.db.Close())
	}
	return errors.Join(errs...)
}

func (in *installation) open(ctx context.Context, first *foundation, log *slog.Logger) (err error) {
	if in.db, err = openData(ctx, &in.config); err != nil {
		return err
	}
	organisations, err := in.organisations(ctx)
	if err != nil {
		return err
	}
	if len(organisations) == 0 {
		if first == nil {
			return withHint(errors.New("there is no organisation yet"), "countersign serve founds one")
		}
		if err := in.found(ctx, *first); err != nil {
			return err
		}
		if organisations, err = in.organisations(ctx); err != nil {
			return err
		}
	}
	if err := in.admits(organisations); err != nil {
		return err
	}
	if in.guard, err = openGuard(ctx, &in.config); err != nil {
		return err
	}
	roots, err := readRoots(in.config.AttestationRoots)
	if err != nil {
		return err
	}
	for _, o := range organisations {
		keys, err := checkpoint.OpenKeys(keysFolder(in.config.Keys, o.ID, len(organisations)), o.Origin)
		if err != nil {
			return err
		}
		a, err := authority.Open(ctx, authority.Config{DB: in.db.For(o.ID), Keys: keys, Guard: in.guard, Log: log.With("organisation", o.ID), Roots: roots,
			Witnesses: witnessesOf(&in.config)})
		if err != nil {
			return fmt.Errorf("organisation %s: %w", o.Name, err)
		}
		in.authorities = append(in.authorities, a)
	}
	return nil
}

// openData opens the database, and makes the data folder when it is not there.
func openData(ctx context.Context, config *Config) (*store.DB, error) {
	dsn, err := config.DSN()
	if err != nil {
		return nil, err
	}
	if dsn != "" {
		return store.Open(ctx, store.Config{Driver: store.Postgres, DSN: dsn})
	}
	if err := os.MkdirAll(config.Data, 0o700); err != nil {
		return nil, withHint(fmt.Errorf("the data folder: %w", err), "name another one with data in the configuration")
	}
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: filepath.Join(config.Data, dataFile)})
	if errors.Is(err, store.ErrInUse) {
		return nil, withHint(err, "another countersign serves %s: stop it, or name another folder", config.Data)
	}
	return db, err
}

func openGuard(ctx context.Context, config *Config) (store.Guard, error) {
	if config.PostgresGuard() {
		return store.OpenDatabaseGuard(ctx, store.Config{Driver: store.Postgres, DSN: config.Guard, Connections: 4})
	}
	return store.OpenFileGuard(config.Guard)
}

// keysFolder is where the keys of an organisation are: the keys folder itself while
// there is one organisation, and else a folder in it for each.
func keysFolder(folder, org string, organisations int) string {
	if organisations == 1 {
		return folder
	}
	return filepath.Join(folder, org)
}

func (in *installation) organisations(ctx context.Context) (all []store.Organisation, err error) {
	err = in.db.Read(ctx, func(tx *store.Tx) error {
		all, err = tx.Organisations()
		return err
	})
	return all, err
}

// admits refuses what must not be served under this configuration.
func (in *installation) admits(organisations []store.Organisation) error {
	for _, o := range organisations {
		if o.Demo {
			return withHint(fmt.Errorf("%s holds a demo: its people have simulated keys, and its passwords are known to everybody", in.config.Data),
				"countersign demo --data opens it; for real work name another data folder")
		}
	}
	if o := organisations[0]; len(organisations) == 1 && o.PublicURL != in.config.PublicURL && !in.moves {
		return withHint(fmt.Errorf("public_url is %s, but this organisation is at %s, and its passkeys are bound to that", in.config.PublicURL, o.PublicURL),
			"set public_url (COUNTERSIGN_PUBLIC_URL) to %s; or move it: countersign move says first what is lost", o.PublicURL)
	}
	return nil
}

// found writes the first organisation with the policy that ships.
func (in *installation) found(ctx context.Context, f foundation) error {
	u, err := url.Parse(in.config.PublicURL)
	if err != nil {
		return err
	}
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		return err
	}
	_, err = authority.Create(ctx, in.db, authority.NewOrganisation{Name: f.Name, Host: strings.ToLower(u.Host), PublicURL: in.config.PublicURL, RPID: u.Hostname(),
		Policy: policy.Source{File: policies.Procurement, Text: text}})
	return err
}

// readRoots reads certificates out of a PEM file; none where there is no file.
func readRoots(path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("attestation_roots: %w", err)
	}
	var roots []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("attestation_roots: %s: %w", path, err)
		}
		roots = append(roots, root)
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("attestation_roots: %s holds no certificate", path)
	}
	return roots, nil
}
