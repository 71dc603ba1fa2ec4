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
	Create  keyCreateCmd  `cmd:"" help:"Make an API key. It is shown once."`
	Confirm keyConfirmCmd `cmd:"" help:"Let an API key work that waits for a second administrator."`
	List    keyListCmd    `cmd:"" help:"List API keys."`
	Revoke  keyRevokeCmd  `cmd:"" help:"End an API key now."`
	Rotate  keyRotateCmd  `cmd:"" help:"Make a new key of the running server's own: of the log, of sealing, or of naming accounts."`
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

	page string // on which another administrator confirms it
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
	if made.Waits {
		p.printf("it works once a second administrator has confirmed it: %s has a key already, or had one\n", made.Source)
		fmt.Fprintf(p.err, "hint: they run countersign key confirm %s, or open %s\n", made.ID, c.page)
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
	if body.StepUp, err = c.stepUp(ctx, conn, p.asker(), authority.KeySubject(n.Source, n.Scopes), "/admin/keys/new"); err != nil {
		return nil, err
	}
	var made authority.MadeKey
	if err := conn.call(ctx, http.MethodPost, "/v1/keys", body, &made); err != nil {
		return nil, err
	}
	if made.Waits {
		c.page = conn.inBrowser(ctx, "/admin/keys")
	}
	return &made, nil
}

// offline makes the key on the data, stamped "operator".
func (c *keyCreateCmd) offline(ctx context.Context, p *process, n authority.NewKey) (made *authority.MadeKey, err error) {
	err = c.onData.operate(ctx, p, func(a *authority.Authority) error {
		made, err = a.CreateKeyOffline(ctx, n)
		return err
	})
	return made, err
}

// operate does something on the data as its operator, while no server runs.
func (d onData) operate(ctx context.Context, p *process, do func(*authority.Authority) error) (err error) {
	config, err := Load(d.Config, p.env)
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
	a, err := in.one(d.Org)
	if err != nil {
		return err
	}
	if err := do(a); err != nil {
		return err
	}
	return a.Publish(ctx)
}

type keyConfirmCmd struct {
	serverFlags
	factorFlags
	onData
	Offline bool   `help:"Do it on the data folder, as its operator, while no server runs."`
	Key     string `arg:"" help:"The key's id: key_…"`
}

func (c *keyConfirmCmd) Run(ctx context.Context, p *process) error {
	if c.Offline {
		if err := c.onData.operate(ctx, p, func(a *authority.Authority) error { return a.ConfirmKeyOffline(ctx, c.Key) }); err != nil {
			return err
		}
		p.printf("%s works now\n", c.Key)
		return nil
	}
	if c.Config != "" || c.Org != "" {
		return usage("--config and --org are for --offline: a server has its own")
	}
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	body, err := c.stepUp(ctx, conn, p.asker(), authority.ConfirmKeySubject(c.Key), "/admin/keys/"+url.PathEscape(c.Key)+"/confirm")
	if err != nil {
		return err
	}
	if err := conn.call(ctx, http.MethodPost, "/v1/keys/"+url.PathEscape(c.Key)+"/confirm", stepUp{body}, nil); err != nil {
		return err
	}
	p.printf("%s works now\n", c.Key)
	return nil
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
		if k.Waits {
			state = "waits for a second administrator"
		}
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
