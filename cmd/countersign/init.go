package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/terminal"
	"github.com/countersign/countersign/policies"
)

// initCmd writes what an installation starts from, and founds its organisation.
type initCmd struct {
	Dir       string `arg:"" help:"Folder for the configuration, the policy, the data, the keys and the guard."`
	Name      string `default:"My organisation" placeholder:"TEXT" help:"Name of the organisation."`
	Admin     string `default:"admin" placeholder:"LOGIN" help:"Login name of the first administrator."`
	AdminName string `default:"First administrator" placeholder:"NAME" help:"Their name, as it stands in the evidence of what they decide."`
	Listen    string `placeholder:"HOST:PORT" help:"Where to listen. Default: localhost:8080."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"The address that people open. Passkeys are bound to it for good. Default: http://localhost:8080."`
	Database  string `placeholder:"ADDRESS" help:"sqlite (default), or the file that holds the address of a PostgreSQL database."`
	FilesOnly bool   `help:"Write the files and found nothing: countersign serve does at its first start."`
}

const configFile = "countersign.yaml"

func (c *initCmd) Run(ctx context.Context, p *process) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	if err := c.files(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, configFile)
	config, err := Load(path, p.env)
	if err != nil {
		return withHint(err, "put it right in %s, then run countersign serve --config %s", path, path)
	}
	p.printf("written:  %s\n          %s\n", path, filepath.Join(dir, "policy"))
	if c.FilesOnly {
		p.printf("\nnext:     countersign serve --config %s\n", path)
		return nil
	}
	link, err := c.found(ctx, config)
	if err != nil {
		return err
	}
	p.printf("founded:  %s, at %s\n", c.Name, config.PublicURL)
	p.printf("data:     %s\nkeys:     %s   (keep them apart from the data, and from its backups)\nguard:    %s   (better on another disk)\n", config.Data, config.Keys, config.Guard)
	p.printf("\nnext:     countersign serve --config %s\n", path)
	if link != nil {
		p.printf("\nThen the first administrator, %s, enrols with this link, once, before %s:\n\n  %s\n\n  countersign user enrol --server %s\n", link.Name, terminal.Minute(link.ExpiresAt), link.URL, config.PublicURL)
	}
	p.printf("\nThe policy that ships is in force. Try it on your own purchases, change it, test it,\nand propose it to a second person:\n\n")
	policy := filepath.Join(dir, "policy", policies.Procurement)
	p.printf("  countersign policy try purchases.csv --policy %[1]s\n  countersign policy test %[1]s\n  countersign policy publish %[1]s --reason '…'\n", policy)
	return nil
}

// files writes the configuration and the policy pack. It overwrites nothing.
func (c *initCmd) files(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, configFile)); err == nil {
		return withHint(fmt.Errorf("%s is there already", filepath.Join(dir, configFile)), "countersign serve --config %s", filepath.Join(dir, configFile))
	}
	if err := os.MkdirAll(filepath.Join(dir, "policy"), 0o755); err != nil {
		return err
	}
	names, err := policies.Files.ReadDir(".")
	if err != nil {
		return err
	}
	for _, n := range names {
		text, err := policies.Files.ReadFile(n.Name())
		if err != nil {
			return err
		}
		if err := writeFresh(filepath.Join(dir, "policy", n.Name()), text); err != nil {
			return err
		}
	}
	return writeFresh(filepath.Join(dir, configFile), []byte(c.configuration(dir)))
}

func writeFresh(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// configuration is the documented example with the settings that this folder needs.
func (c *initCmd) configuration(dir string) string {
	text := example()
	for _, s := range [...]struct{ name, value string }{
		{"data", filepath.Join(dir, "data")}, {"keys", filepath.Join(dir, "keys")}, {"guard", filepath.Join(dir, "guard")},
		{"listen", c.Listen}, {"public_url", c.PublicURL}, {"database", c.Database},
	} {
		if s.value != "" {
			text = settle(text, s.name, s.value)
		}
	}
	return text
}

// settle gives a setting of the example its value.
func settle(example, name, value string) string {
	lines := strings.Split(example, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "#"+name+":") {
			lines[i] = fmt.Sprintf("%s: %q", name, value)
		}
	}
	return strings.Join(lines, "\n")
}

// found makes the data folder with the organisation in it, and the set-up link.
func (c *initCmd) found(ctx context.Context, config Config) (link *authority.SetUp, err error) {
	in, err := openInstallation(ctx, config, &foundation{Name: c.Name, Login: c.Admin, Admin: c.AdminName}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	for _, a := range in.authorities {
		if link, err = a.SetUpLink(ctx, authority.NewPerson{Login: c.Admin, Name: c.AdminName}); err != nil {
			return nil, err
		}
		if err := a.Publish(ctx); err != nil {
			return nil, err
		}
	}
	return link, nil
}
