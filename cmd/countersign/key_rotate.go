package main

import (
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
)

// keyRotateCmd makes a new key of the server's own while it runs. The same without a
// server is audit rotate.
type keyRotateCmd struct {
	personFlags
	factorFlags
	Kind string `arg:"" enum:"log,seal,hmac" help:"log: signs the log. seal: encrypts secrets at rest. hmac: names bank accounts in history."`
	jsonFlag
}

func (c *keyRotateCmd) do(s *server) (answer, error) {
	body := struct {
		Kind string `json:"kind"`
		stepUp
	}{Kind: c.Kind}
	var err error
	if body.StepUp, err = c.stepUp(s, "rotate:"+c.Kind, "/admin/rotate/"+c.Kind); err != nil {
		return answer{}, err
	}
	r, err := post[authority.Rotation](s, "/v1/keys/rotate", body)

	return s.rotated(r), err
}

// rotated says what a rotation did, and what is to be done with the keys.
func (p *process) rotated(r *authority.Rotation) answer {
	return answer{value: r, text: func() {
		p.printf("rotated:  %s\nold:      %s\nnew:      %s\nentry:    %s\n", r.Kind, r.Old, r.New, r.Entry)
		switch r.Kind {
		case checkpoint.KindLog:
			p.printf("\nGive the new key to whoever verifies, beside the old one. The old secret may be deleted now\n(log-N.key); its public half (log-N.pub) stays.\n")
		case checkpoint.KindSeal:
			p.printf("resealed: %d secrets, %d left to the old key\n", r.Resealed, r.Left)
		case checkpoint.KindHMAC:
			p.printf("\nKeep the old key: accounts in history are compared with it until they are recorded again.\n")
		}
	}}
}
