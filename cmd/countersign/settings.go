package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// orgSettingsCmd holds the commands about the organisation's own settings. What a server
// is configured with is another thing: see config.
type orgSettingsCmd struct {
	Show   settingsShowCmd   `cmd:"" help:"Show the organisation's settings."`
	Change settingsChangeCmd `cmd:"" help:"Propose a change of the organisation's settings; a second administrator decides, with a passkey."`
}

type settingsShowCmd struct {
	serverFlags
	JSON bool `name:"json" help:"Write JSON."`
}

func (c *connection) settings(ctx context.Context) ([]authority.SettingView, error) {
	var all authority.SettingsView
	err := c.call(ctx, http.MethodGet, "/v1/organisation/settings", nil, &all)
	return all.Items, err
}

func (c *settingsShowCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	all, err := conn.settings(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.json(all)
	}
	for _, s := range all {
		p.printf("%-26s %-14s %s%s\n", s.Name, or(s.Value, "-"), s.Meaning, spanOf(s))
	}
	return nil
}

// spanOf says what a number may be, and what it is without being set.
func spanOf(s authority.SettingView) string {
	if s.Most == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d to %d, by default %s)", s.Least, s.Most, s.Default)
}

type settingsChangeCmd struct {
	serverFlags
	Changes []string `arg:"" name:"change" placeholder:"NAME=VALUE" help:"A setting and what it shall be, as lease_seconds=600; nothing behind the sign turns it off."`
	Reason  string   `required:"" placeholder:"TEXT" help:"Why: the second administrator reads it."`
	JSON    bool     `name:"json" help:"Write JSON."`
}

func (c *settingsChangeCmd) Run(ctx context.Context, p *process) error {
	conn, err := c.asPerson(p)
	if err != nil {
		return err
	}
	all, err := conn.settings(ctx)
	if err != nil {
		return err
	}
	changes := make([]countersign.Change, len(c.Changes))
	for i, text := range c.Changes {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return usage("%s: want NAME=VALUE", strconv.Quote(text))
		}
		changes[i] = countersign.Change{Field: name, To: value}
		for _, s := range all {
			if s.Name == name {
				changes[i].From = s.Value
			}
		}
	}
	return conn.propose(ctx, p, c.JSON, authority.Proposal{Kind: countersign.KindSettingsChange, ID: "settings", Subject: c.Reason, Changes: changes})
}
