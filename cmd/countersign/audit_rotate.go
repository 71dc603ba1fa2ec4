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
	jsonFlag
}

func (c *rotateCmd) Run(ctx context.Context, p *process) error {
	r, err := operate(ctx, p, c.onData, func(a *authority.Authority) (*authority.Rotation, error) {
		return a.RotateKeyOffline(ctx, c.Kind)
	})
	if err != nil {
		return err
	}
	return p.show(p.rotated(r), c.JSON)
}

// operate does something on the data as its operator, while no server runs.
func operate[T any](ctx context.Context, p *process, d onData, do func(*authority.Authority) (T, error)) (out T, err error) {
	config, err := Load(d.Config, p.env)
	if err != nil {
		return out, err
	}
	return operateOn(ctx, p, &installation{config: config}, d.Org, do)
}

// operateOn does it on the data of an installation that is not open yet.
func operateOn[T any](ctx context.Context, p *process, in *installation, org string, do func(*authority.Authority) (T, error)) (out T, err error) {
	defer func() { err = errors.Join(err, in.close()) }()
	if err := in.open(ctx, nil, newLog(&in.config, p)); errors.Is(err, store.ErrInUse) {
		return out, withHint(err, "stop the server for it")
	} else if err != nil {
		return out, err
	}
	a, err := in.one(org)
	if err != nil {
		return out, err
	}

	if out, err = do(a); err != nil {
		return out, err
	}
	return out, a.Publish(ctx)
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
