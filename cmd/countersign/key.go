package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// keyCmd holds the commands about the API keys of systems.
type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key. It is shown once."`
	List   keyListCmd   `cmd:"" help:"List API keys."`
	Revoke keyRevokeCmd `cmd:"" help:"End an API key now."`
	Rotate keyRotateCmd `cmd:"" help:"Make a new key of the running server's own: of the log, of sealing, or of naming accounts."`
}

type keyCreateCmd struct {
	serverFlags
	factorFlags
	onData
	Offline bool     `help:"Make it on the data folder, as its operator, while no server runs: the only way to a key with the scope provisioning once there are two administrators."`
	Source  string   `arg:"" help:"The system that will use it, as sap: what it submits is what it sees."`
	Name    string   `placeholder:"TEXT" help:"What you call it. Default: the source."`
	Scopes  []string `name:"scope" required:"" placeholder:"SCOPE" help:"What it may do: submit, evaluate, facts, alert, vouch, release, audit, events, provisioning."`
	Returns []string `name:"return" placeholder:"ORIGIN" help:"Where its return URLs may lead, as https://erp.example.com."`
	Days    int      `placeholder:"N" help:"Days until it expires: 365 by default, at most 730."`
	Output  string   `short:"o" placeholder:"FILE" help:"Write the key alone to a file that only you can read, instead of showing it."`
	JSON    bool     `name:"json" help:"Write JSON."`
}

func (c *keyCreateCmd) Run(ctx context.Context, p *process) error {
	made, err := c.make(ctx, p)
	if err != nil {
		return err
	}
	if c.Output != "" {
		if err := writePrivately(c.Output, []byte(made.Key+"\n")); err != nil {
			return withHint(fmt.Errorf("%s was made, but its key could not be written: %w", made.ID, err), "countersign key revoke %s, and make another", made.ID)
		}
		made.Key = ""
	}
	if c.JSON {
		return p.json(made)
	}
	p.printf("%s for %s: %s, until %s\n", made.ID, made.Source, strings.Join(made.Scopes, ", "), inMinutes(made.ExpiresAt))
	if made.Key != "" {
		p.printf("%s\n", made.Key)
		fmt.Fprintln(p.err, "hint: keep it now, it is shown nowhere again")
	}
	return nil
}

func (c *keyCreateCmd) make(ctx context.Context, p *process) (*authority.MadeKey, error) {
	n := authority.NewKey{Name: or(c.Name, c.Source), Source: c.Source, Scopes: c.Scopes, Returns: c.Returns, Days: c.Days}
	if c.Offline {
		return c.offline(ctx, p, n)
	}
	if c.Config != "" || c.Org != "" {
		return nil, usage("--config and --org are for --offline: a server has its own")
	}
	conn, err := c.asPerson(p)
	if err != nil {
		return nil, err
	}
	body := struct {
		authority.NewKey
		stepUp
	}{NewKey: n}
	if body.StepUp, err = c.stepUp(ctx, conn, p.asker(), authority.KeySubject(n.Source, n.Scopes)); err != nil {
		return nil, err
	}
	var made authority.MadeKey
	return &made, conn.call(ctx, http.MethodPost, "/v1/keys", body, &made)
}

// offline makes the key on the data, stamped "operator".
func (c *keyCreateCmd) offline(ctx context.Context, p *process, n authority.NewKey) (made *authority.MadeKey, err error) {
	config, err := Load(c.Config, p.env)
	if err != nil {
		return nil, err
	}
	in, err := openInstallation(ctx, config, nil, newLog(&config, p))
	if errors.Is(err, store.ErrInUse) {
		return nil, withHint(err, "stop the server for it")
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	a, err := in.one(c.Org)
	if err != nil {
		return nil, err
	}
	if made, err = a.CreateKeyOffline(ctx, n); err != nil {
		return nil, err
	}
	return made, a.Publish(ctx)
}

type keyListCmd struct {
	serverFlags
	JSON bool `name:"json" help:"Write JSON."`
}

func (c *keyListCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	var all authority.KeysView
	if err := conn.call(ctx, http.MethodGet, "/v1/keys", nil, &all); err != nil {
		return err
	}
	if c.JSON {
		return p.json(all.Items)
	}
	for _, k := range all.Items {
		state := "until " + inMinutes(k.ExpiresAt)
		if k.RevokedAt != "" {
			state = "revoked " + inMinutes(k.RevokedAt)
		}
		p.printf("%s  %-12s %s  %s\n", k.ID, k.Source, state, strings.Join(k.Scopes, ","))
	}
	return nil
}

type keyRevokeCmd struct {
	serverFlags
	Key string `arg:"" help:"The key's id: key_…"`
}

func (c *keyRevokeCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	if err := conn.call(ctx, http.MethodDelete, "/v1/keys/"+url.PathEscape(c.Key), nil, nil); err != nil {
		return err
	}
	p.printf("%s is ended\n", c.Key)
	return nil
}
