package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
)

// keyCmd holds the commands about the API keys of systems.
type keyCmd struct {
	Create  keyCreateCmd  `cmd:"" help:"Make an API key. It is shown once."`
	Confirm keyConfirmCmd `cmd:"" help:"Let an API key work that waits for a second administrator."`
	List    keyListCmd    `cmd:"" help:"List API keys."`
	Revoke  keyRevokeCmd  `cmd:"" help:"End an API key now."`
	Rotate  keyRotateCmd  `cmd:"" help:"Make a new key of the running server's own: of the log, of sealing, or of naming accounts."`
}

// connectUnless connects where the command is not for the data itself.
func (d onData) connectUnless(offline bool, p *process, as personFlags) (*connection, error) {
	switch {
	case offline:
		return nil, nil
	case d.Config != "" || d.Org != "":
		return nil, usage("--config and --org are for --offline: a server has its own")
	}
	return as.connect(p)
}

type keyCreateCmd struct {
	personFlags
	factorFlags
	onData
	Offline bool     `help:"Make it on the data folder, as its operator, while no server runs: the only way to a key with the scope provisioning once there are two administrators."`
	Source  string   `arg:"" help:"The system that will use it, as sap: what it submits is what it sees."`
	Name    string   `placeholder:"TEXT" help:"What you call it. Default: the source."`
	Scopes  []string `name:"scope" required:"" placeholder:"SCOPE" help:"What it may do: submit, evaluate, facts, alert, vouch, release, audit, events, provisioning."`
	Returns []string `name:"return" placeholder:"ORIGIN" help:"Where its return URLs may lead, as https://erp.example.com."`
	Days    int      `placeholder:"N" help:"Days until it expires: 365 by default, at most 730."`
	Output  string   `short:"o" placeholder:"FILE" help:"Write the key alone to a file that only you can read, instead of showing it."`
	jsonFlag

	page string // on which another administrator confirms it
}

func (c *keyCreateCmd) connect(p *process) (*connection, error) {
	return c.connectUnless(c.Offline, p, c.personFlags)
}

func (c *keyCreateCmd) do(s *server) (answer, error) {
	made, err := c.make(s)
	if err != nil {
		return answer{}, err
	}
	if c.Output != "" {
		if err := writePrivately(c.Output, []byte(made.Key+"\n")); err != nil {
			return answer{}, withHint(fmt.Errorf("%s was made, but its key could not be written: %w", made.ID, err),
				"countersign key revoke %s, and make another", made.ID)
		}
		made.Key = ""
	}

	return answer{value: made, text: func() { c.say(s.process, made) }}, nil
}

func (c *keyCreateCmd) say(p *process, made *authority.MadeKey) {
	p.printf("%s for %s: %s, until %s\n", made.ID, made.Source, strings.Join(made.Scopes, ", "), terminal.Minute(made.ExpiresAt))
	if made.Key != "" {
		p.printf("%s\n", made.Key)
		p.hint("keep it now, it is shown nowhere again")
	}
	if made.Waits {
		p.printf("it works once a second administrator has confirmed it: %s has a key already, or had one\n", made.Source)
		p.hint(fmt.Sprintf("they run countersign key confirm %s, or open %s", made.ID, c.page))
	}
}

func (c *keyCreateCmd) make(s *server) (*authority.MadeKey, error) {
	n := authority.NewKey{Name: or(c.Name, c.Source), Source: c.Source, Scopes: c.Scopes, Returns: c.Returns, Days: c.Days}
	if c.Offline {
		return operate(s.ctx, s.process, c.onData, func(a *authority.Authority) (*authority.MadeKey, error) {
			return a.CreateKeyOffline(s.ctx, n)
		})
	}

	body := struct {
		authority.NewKey
		stepUp
	}{NewKey: n}
	var err error
	if body.StepUp, err = c.stepUp(s, authority.KeySubject(n.Source, n.Scopes), "/admin/keys/new"); err != nil {
		return nil, err
	}
	made, err := post[authority.MadeKey](s, "/v1/keys", body)
	if err == nil && made.Waits {
		c.page = s.inBrowser("/admin/keys")
	}

	return made, err
}

type keyConfirmCmd struct {
	personFlags
	factorFlags
	onData
	Offline bool   `help:"Do it on the data folder, as its operator, while no server runs."`
	Key     string `arg:"" help:"The key's id: key_…"`
}

func (c *keyConfirmCmd) connect(p *process) (*connection, error) {
	return c.connectUnless(c.Offline, p, c.personFlags)
}

func (c *keyConfirmCmd) do(s *server) (answer, error) {
	works := s.line(nil, "%s works now", c.Key)
	if c.Offline {
		_, err := operate(s.ctx, s.process, c.onData, func(a *authority.Authority) (any, error) {
			return nil, a.ConfirmKeyOffline(s.ctx, c.Key)
		})
		return works, err
	}

	path := "/" + url.PathEscape(c.Key) + "/confirm"
	proven, err := c.stepUp(s, authority.ConfirmKeySubject(c.Key), "/admin/keys"+path)
	if err != nil {
		return answer{}, err
	}

	return works, s.call(http.MethodPost, "/v1/keys"+path, stepUp{proven}, nil)
}

type keyListCmd struct {
	personFlags
	jsonFlag
}

func (c *keyListCmd) do(s *server) (answer, error) {
	all, err := get[authority.KeysView](s, "/v1/keys")
	return answer{value: all.Items, text: func() {
		for _, k := range all.Items {
			state := "until " + terminal.Minute(k.ExpiresAt)
			if k.Waits {
				state = "waits for a second administrator"
			}
			if k.RevokedAt != "" {
				state = "revoked " + terminal.Minute(k.RevokedAt)
			}
			s.printf("%s  %-12s %s  %s\n", k.ID, k.Source, state, strings.Join(k.Scopes, ","))
		}
	}}, err
}

type keyRevokeCmd struct {
	personFlags
	Key string `arg:"" help:"The key's id: key_…"`
}

func (c *keyRevokeCmd) do(s *server) (answer, error) {
	return s.line(nil, "%s is ended", c.Key), s.delete("/v1/keys/" + url.PathEscape(c.Key))
}
