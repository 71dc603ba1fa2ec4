package main

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/authority"
)

// userResetCmd removes a person's authenticators on the data folder, stamped
// "operator". Where three people or more can decide, a request does the same.
type userResetCmd struct {
	onData
	Person string `arg:"" help:"Login name, or per_…"`
	Reason string `required:"" placeholder:"TEXT" help:"Why: it stands in the log."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

func (c *userResetCmd) Run(ctx context.Context, p *process) error {
	inv, err := c.reset(ctx, p)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(inv)
	}
	p.printf("%s\n", inv.URL)
	fmt.Fprintf(p.err, "their authenticators are removed. The link is for them, once, until %s; an administrator who has spoken with them confirms the new enrolment\n", inMinutes(inv.ExpiresAt))
	return nil
}

func (c *userResetCmd) reset(ctx context.Context, p *process) (inv *authority.Invited, err error) {
	err = c.operate(ctx, p, func(a *authority.Authority) error {
		inv, err = a.ResetFactorsOffline(ctx, c.Person, c.Reason)
		return err
	})
	return inv, err
}
