package main

import (
	"context"
	"net/http"

	"github.com/countersign/countersign/internal/authority"
)

// keyRotateCmd makes a new key of the server's own while it runs. The same without a
// server is audit rotate.
type keyRotateCmd struct {
	serverFlags
	factorFlags
	Kind string `arg:"" enum:"log,seal,hmac" help:"log: signs the log. seal: encrypts secrets at rest. hmac: names bank accounts in history."`
	JSON bool   `name:"json" help:"Write JSON."`
}

func (c *keyRotateCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	body := struct {
		Kind string `json:"kind"`
		stepUp
	}{Kind: c.Kind}
	if body.StepUp, err = c.stepUp(ctx, conn, p.asker(), "rotate:"+c.Kind, "/admin/rotate/"+c.Kind); err != nil {
		return err
	}
	var r authority.Rotation
	if err := conn.call(ctx, http.MethodPost, "/v1/keys/rotate", body, &r); err != nil {
		return err
	}
	return p.showRotation(&r, c.JSON)
}

// showRotation says what a rotation did, and what is to be done with the keys.
func (p *process) showRotation(r *authority.Rotation, asJSON bool) error {
	if asJSON {
		return p.json(r)
	}
	p.printf("rotated:  %s\nold:      %s\nnew:      %s\nentry:    %s\n", r.Kind, r.Old, r.New, r.Entry)
	switch r.Kind {
	case authority.KeyKindLog:
		p.printf("\nGive the new key to whoever verifies, beside the old one. The old secret may be deleted now\n(log-N.key); its public half (log-N.pub) stays.\n")
	case authority.KeyKindSeal:
		p.printf("resealed: %d secrets, %d left to the old key\n", r.Resealed, r.Left)
	case authority.KeyKindHMAC:
		p.printf("\nKeep the old key: accounts in history are compared with it until they are recorded again.\n")
	}
	return nil
}
