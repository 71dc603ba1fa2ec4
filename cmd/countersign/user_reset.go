package main

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
)

// userResetCmd removes a person's authenticators on the data folder, stamped
// "operator". Where three people or more can decide, a request does the same.
type userResetCmd struct {
	onData
	Person string `arg:"" help:"Login name, or per_…"`
	Reason string `required:"" placeholder:"TEXT" help:"Why: it stands in the log."`
	jsonFlag
}

func (c *userResetCmd) Run(ctx context.Context, p *process) error {
	inv, err := operate(ctx, p, c.onData, func(a *authority.Authority) (*authority.Invited, error) {
		return a.ResetFactorsOffline(ctx, c.Person, c.Reason)
	})
	if err != nil {
		return err
	}

	return p.show(answer{value: inv, text: func() {
		p.printf("%s\n", inv.URL)
		fmt.Fprintf(p.err, "their authenticators are removed. The link is for them, once, until %s; an administrator who has spoken with them confirms the new enrolment\n", terminal.Minute(inv.ExpiresAt))
	}}, c.JSON)
}
