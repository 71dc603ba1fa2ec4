package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
)

// mailCmd tries the mail settings.
type mailCmd struct {
	Test mailTestCmd `cmd:"" help:"Send a mail that says that mail works."`
}

type mailTestCmd struct {
	Address string `arg:"" help:"Who gets it."`
	Config  string `short:"c" placeholder:"FILE" help:"The configuration of the server. Without one: the defaults and the environment."`
}

func (c *mailTestCmd) Run(ctx context.Context, p *process) error {
	config, err := Load(c.Config, p.env)
	if err != nil {
		return err
	}
	to, err := mail.ParseAddress(c.Address)
	if err != nil {
		return usageError{err: fmt.Errorf("%q is no mail address", c.Address)}
	}
	post, from, err := postOf(&config)
	if err != nil {
		return err
	}
	if post == nil {
		return withHint(errors.New("no mail is set up"), "set mail_server and mail_from (COUNTERSIGN_MAIL_SERVER, COUNTERSIGN_MAIL_FROM)")
	}
	m, err := notify.Test(from, *to, config.PublicURL, time.Now())
	if err != nil {
		return err
	}
	if err := post.Deliver(ctx, m); err != nil {
		return withHint(err, "countersign doctor looks at the mail settings without sending anything")
	}
	where := config.MailServer
	if config.MailFolder != "" {
		where = config.MailFolder
	}
	p.printf("%s has taken a mail on for %s\n", where, to.Address)
	return nil
}

// mail checks the mail settings. It connects to nothing.
func (l *configLoader) mail() {
	c := &l.c
	if c.MailDetails != notify.DetailsSummary && c.MailDetails != notify.DetailsNone {
		l.wrong("mail_details", "", "%q: want %s or %s", c.MailDetails, notify.DetailsSummary, notify.DetailsNone)
	}
	if c.MailUser != "" && c.MailPasswordFile == "" {
		l.wrong("mail_user", "name the file with the password in mail_password_file", "is set, and mail_password_file is not")
		return
	}
	if c.MailServer == "" && c.MailFolder == "" {
		for name, value := range map[string]string{"mail_from": c.MailFrom, "mail_user": c.MailUser} {
			if value != "" {
				l.wrong(name, "", "is set, and mail_server is not")
			}
		}
		return
	}
	if _, _, err := postOf(c); err != nil {
		var m mailError
		name := "mail_server"
		if errors.As(err, &m) {
			name = m.setting
		}
		hint := ""
		if h, ok := errors.AsType[hinted](err); ok {
			hint = h.hint
		}
		l.wrong(name, hint, "%v", err)
	}
}

// mailError says which setting is wrong.
type mailError struct {
	setting string
	err     error
}

func (e mailError) Error() string { return e.err.Error() }
func (e mailError) Unwrap() error { return e.err }

// postOf is what takes mails on, and whom they come from; nil where nothing is set up.
func postOf(c *Config) (notify.Post, mail.Address, error) {
	if c.MailServer == "" && c.MailFolder == "" {
		return nil, mail.Address{}, nil
	}
	from, err := mail.ParseAddress(c.MailFrom)
	if err != nil {
		return nil, mail.Address{}, mailError{"mail_from", withHint(fmt.Errorf("%q is no mail address", c.MailFrom), "write Countersign <countersign@example.com>")}
	}
	if c.MailFolder != "" {
		return notify.Folder(c.MailFolder), *from, nil
	}
	s := notify.SMTPConfig{Server: c.MailServer, TLS: c.MailTLS, User: c.MailUser}
	if c.MailRoots != "" {
		data, err := os.ReadFile(c.MailRoots)
		if err != nil {
			return nil, *from, mailError{"mail_roots", err}
		}
		s.Roots = x509.NewCertPool()
		if !s.Roots.AppendCertsFromPEM(data) {
			return nil, *from, mailError{"mail_roots", fmt.Errorf("%s holds no certificate", c.MailRoots)}
		}
	}
	if c.MailPasswordFile != "" {
		if s.Password, err = passwordIn(c.MailPasswordFile); err != nil {
			return nil, *from, mailError{"mail_password_file", err}
		}
	}
	post, err := notify.NewSMTP(s)
	if err != nil {
		return nil, *from, err
	}
	return post, *from, nil
}

// passwordIn reads a password out of a file that nobody else can read.
func passwordIn(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", withHint(fmt.Errorf("others may read %s", path), "chmod 600 %s", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	word := strings.TrimRight(string(data), "\r\n")
	if word == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return word, nil
}

// newBells makes the doorbell of each organisation.
func newBells(in *installation, log *slog.Logger) ([]*notify.Bell, error) {
	post, from, err := postOf(&in.config)
	if err != nil {
		return nil, err
	}
	bells := make([]*notify.Bell, len(in.authorities))
	for i, a := range in.authorities {
		if bells[i], err = newBell(in, a, notify.Config{Post: post, From: from, Log: log}); err != nil {
			return nil, err
		}
	}
	return bells, nil
}

func newBell(in *installation, a *authority.Authority, c notify.Config) (*notify.Bell, error) {
	c.DB, c.Log, c.Details = in.db.For(a.Org()), c.Log.With("organisation", a.Org()), in.config.MailDetails
	return notify.New(c)
}

// mail connects to the mail server as for a mail, and sends none.
func (x *examination) mail(ctx context.Context) {
	switch post, from, err := postOf(&x.config); {
	case err != nil:
		x.add("mail", checkBad, "", "%v", err)
	case post == nil:
		x.add("mail", checkSkip, "set mail_server, so that people learn that something waits for them", "nobody is written to: no mail server is set")
	default:
		s, isServer := post.(*notify.SMTP)
		if !isServer {
			x.add("mail", checkWarn, "set mail_server to reach people", "mails are written into %s, and reach nobody", x.config.MailFolder)
			return
		}
		if err := s.Check(ctx); err != nil {
			x.add("mail", checkBad, "compare mail_server, mail_tls, mail_roots, mail_user and mail_password_file with what the server offers", "%v", err)
			return
		}
		x.add("mail", checkOK, "", "%s takes mail on (%s), from %s", x.config.MailServer, x.config.MailTLS, from.Address)
	}
}
