package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// rotateCmd makes a new key while no server runs, stamped "operator". On a running
// server an administrator does: key rotate.
type rotateCmd struct {
	onData
	Kind string `arg:"" optional:"" default:"log" enum:"log,seal,hmac" help:"log: signs the log (default). seal: encrypts secrets at rest. hmac: names bank accounts in history."`
	JSON bool   `name:"json" help:"Write JSON."`
}

func (c *rotateCmd) Run(ctx context.Context, p *process) (err error) {
	config, err := Load(c.Config, p.env)
	if err != nil {
		return err
	}
	in, err := openInstallation(ctx, config, nil, newLog(&config, p))
	if errors.Is(err, store.ErrInUse) {
		return withHint(err, "stop the server for it")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	a, err := in.one(c.Org)
	if err != nil {
		return err
	}
	r, err := a.RotateKeyOffline(ctx, c.Kind)
	if err != nil {
		return err
	}
	if err := a.Publish(ctx); err != nil {
		return err
	}
	return p.showRotation(r, c.JSON)
}

// one is the authority that is meant.
func (in *installation) one(org string) (*authority.Authority, error) {
	var found *authority.Authority
	for _, a := range in.authorities {
		if o := a.Organisation(); org == "" || org == o.ID || org == o.Host {
			if found != nil {
				return nil, usage("name one organisation with --org")
			}
			found = a
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is no organisation %q", org)
	}
	return found, nil
}
