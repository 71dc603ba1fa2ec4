package main

import (
	"fmt"
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
	personFlags
	jsonFlag
}

func (s *server) settings() ([]authority.SettingView, error) {
	all, err := get[authority.SettingsView](s, "/v1/organisation/settings")
	return all.Items, err
}

func (c *settingsShowCmd) do(s *server) (answer, error) {
	all, err := s.settings()
	return answer{value: all, text: func() {
		for _, v := range all {
			s.printf("%-26s %-14s %s%s\n", v.Name, or(v.Value, "-"), v.Meaning, spanOf(v))
		}
	}}, err
}

// spanOf says what a number may be, and what it is without being set.
func spanOf(s authority.SettingView) string {
	if s.Most == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d to %d, by default %s)", s.Least, s.Most, s.Default)
}

type settingsChangeCmd struct {
	personFlags
	Changes []string `arg:"" name:"change" placeholder:"NAME=VALUE" help:"A setting and what it shall be, as lease_seconds=600; nothing behind the sign turns it off."`
	Reason  string   `required:"" placeholder:"TEXT" help:"Why: the second administrator reads it."`
	jsonFlag
}

func (c *settingsChangeCmd) do(s *server) (answer, error) {
	all, err := s.settings()
	if err != nil {
		return answer{}, err
	}

	changes := make([]countersign.Change, len(c.Changes))
	for i, text := range c.Changes {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return answer{}, usage("%s: want NAME=VALUE", strconv.Quote(text))
		}
		changes[i] = countersign.Change{Field: name, To: value}
		for _, v := range all {
			if v.Name == name {
				changes[i].From = v.Value
			}
		}
	}

	return s.propose(countersign.KindSettingsChange, "settings", c.Reason, changes)
}
