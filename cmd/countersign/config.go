package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strings"
)

// Config is the configuration of serve: one file, one level deep, and every member
// also as an environment variable, which wins unless it is empty: COUNTERSIGN_ and the
// name in capitals.
// Paths are relative to the folder that the program is started in. What a member
// means stands beside it, and nowhere else: the documented example is made from it.
type Config struct {
	Data      string      `yaml:"data" default:"./countersign-data" doc:"Folder of the data. It is made when it is not there. On SQLite the database is in it; it must be on a local disk."`
	Keys      string      `yaml:"keys" doc:"Folder of the keys: those that sign the log, and those that encrypt secrets. Never inside the data folder, so that a copy of the data is not a copy of the keys. By default it stands beside the data folder: <data>-keys." example:"./countersign-data-keys"`
	Guard     string      `yaml:"guard" doc:"Where the last published checkpoint of the log is kept, so that an old copy of the database is noticed: a folder outside the data folder, better on another disk, or the address of a second PostgreSQL database. By default <data>-guard." example:"./countersign-data-guard"`
	Witnesses []witnessAt `yaml:"witnesses" doc:"Up to 5 witnesses, better run by others, that cosign every published checkpoint and so notice when the log forks or goes back: each the public key of its cosignatures (name+hash+base64) and its address, to which add-checkpoint is appended (C2SP tlog-witness). In the environment separated by commas. https, unless it is on this machine." example:"[witness.example/w1+6327c7cb+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY https://witness.example]"`
	Database  string      `yaml:"database" default:"sqlite" doc:"sqlite, or the address of a PostgreSQL database (postgres://user@host/name or key=value words), or the path of a file that holds that address, which keeps the password out of here. The file must be readable by its owner alone."`

	Listen         string         `yaml:"listen" default:"localhost:8080" doc:"Host and port to listen on. localhost listens on both loopback addresses; an empty host, as in :8443, on all addresses."`
	PublicURL      string         `yaml:"public_url" doc:"The address that people open in their browsers. Passkeys are bound to its host name: another one later loses all of them (countersign move). Required unless listen is a loopback address." example:"https://approve.example.com"`
	TLSCertificate string         `yaml:"tls_certificate" doc:"PEM file with the certificate and its chain, where Countersign itself ends TLS. It is read again when it changes." example:"/etc/countersign/tls.crt"`
	TLSKey         string         `yaml:"tls_key" doc:"PEM file with the key of the certificate." example:"/etc/countersign/tls.key"`
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" doc:"Addresses of the proxies before Countersign. Only from these a forwarded client address is believed." example:"[10.0.0.0/8, 127.0.0.1/32]"`
	MetricsListen  string         `yaml:"metrics_listen" doc:"Host and port for /metrics alone. By default /metrics is on the same port as everything, and answers loopback addresses only." example:"localhost:9090"`

	LogLevel  slog.Level `yaml:"log_level" default:"info" doc:"debug, info, warn or error."`
	LogFormat string     `yaml:"log_format" default:"text" doc:"text, or json for machines."`

	MaxBodyBytes    int64 `yaml:"max_body_bytes" default:"1048576" doc:"Largest body of a request, in bytes: 1,024 to 16,777,216."`
	RequestsPerKey  int   `yaml:"requests_per_key" default:"2000" doc:"Requests a second that one API key may make; it may save up twice as many. 0: no bound. The default is about half of what a server with two cores answers, so that one key leaves room for the others."`
	RequestsPerHost int   `yaml:"requests_per_host" default:"50" doc:"Requests a second from one client address without an API key. On the pages, a person who is signed in has 20 a second of their own instead. 0: no bound."`
	SignInsPerHost  int   `yaml:"sign_ins_per_host" default:"30" doc:"Attempts to sign in from one client address in a minute. 0: no bound."`

	MailServer       string `yaml:"mail_server" doc:"Host and port of the mail server that takes mails on. Without it, and without mail_folder, nobody is written to: what people are to be told becomes a line of the log." example:"smtp.example.com:587"`
	MailTLS          string `yaml:"mail_tls" default:"starttls" doc:"starttls: the connection must become encrypted before anything is sent. implicit: it is from the first byte, mostly on port 465. none: only for a mail server on this machine."`
	MailRoots        string `yaml:"mail_roots" doc:"PEM file with the root certificates that vouch for the mail server. Without it: the system's." example:"/etc/countersign/mail-ca.pem"`
	MailUser         string `yaml:"mail_user" doc:"Who signs in at the mail server." example:"countersign"`
	MailPasswordFile string `yaml:"mail_password_file" doc:"File that holds the password of mail_user, readable by its owner alone." example:"/etc/countersign/mail-password"`
	MailFrom         string `yaml:"mail_from" doc:"Whom mails come from. Required where mails are written." example:"Countersign <countersign@example.com>"`
	MailDetails      string `yaml:"mail_details" default:"summary" doc:"summary: a mail names kind, number, amount, payee and who asks. none: it says that something waits, until when, and where. Accounts are in neither."`
	MailFolder       string `yaml:"mail_folder" doc:"Folder that mails are written into, one file each, to try it. Where it is set nothing is sent, whatever mail_server says." example:"./countersign-mail"`

	AttestationRoots string `yaml:"attestation_roots" doc:"PEM file with the root certificates of the makers of hardware keys. Without it no policy can ask for assurance hardware." example:"/etc/countersign/fido-roots.pem"`
}

// envPrefix begins the names of environment variables.
const envPrefix = "COUNTERSIGN_"

// PostgresGuard reports whether the guard is a database, and not a folder.
func (c *Config) PostgresGuard() bool { return isDSN(c.Guard) }

// isDSN tells the address of a database from a path.
func isDSN(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://") || strings.Contains(s, "=")
}

// DSN returns the address of the PostgreSQL database, from the file where it stands
// in one, and "" for SQLite.
func (c *Config) DSN() (string, error) {
	switch {
	case c.Database == "sqlite":
		return "", nil
	case isDSN(c.Database):
		return c.Database, nil
	}
	info, err := os.Stat(c.Database)
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", withHint(fmt.Errorf("database: others may read %s, which holds a password", c.Database), "chmod 600 %s", c.Database)
	}
	data, err := os.ReadFile(c.Database)
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	dsn := strings.TrimSpace(string(data))
	if !isDSN(dsn) {
		return "", fmt.Errorf("database: %s holds no address of a database: want one line as postgres://user:password@host/name", c.Database)
	}
	return dsn, nil
}

// configCmd holds the commands about the configuration.
type configCmd struct {
	Check   configCheckCmd   `cmd:"" help:"Say everything that is wrong with a configuration."`
	Example configExampleCmd `cmd:"" help:"Print an example that documents every setting."`
}

type configCheckCmd struct {
	File string `arg:"" optional:"" help:"The configuration. Without one, the environment alone."`
	JSON bool   `name:"json" help:"Write JSON."`
}

func (c *configCheckCmd) Run(p *process) error {
	config, err := Load(c.File, p.env)
	if c.JSON {
		problems := problemsOf(err)
		if err != nil && problems == nil {
			return err
		}
		out := struct {
			OK       bool              `json:"ok"`
			Problems []ConfigProblem   `json:"problems"`
			Settings map[string]string `json:"settings,omitempty"`
		}{OK: err == nil, Problems: problems}
		if out.OK {
			out.Problems, out.Settings = []ConfigProblem{}, map[string]string{}
			for _, s := range settingsOf(&config) {
				out.Settings[s.name] = s.shown()
			}
		}
		if err := p.json(out); err != nil || out.OK {
			return err
		}
		return errSaid
	}
	if err != nil {
		return err
	}
	for _, s := range settingsOf(&config) {
		if text := s.shown(); text != "" {
			p.printf("%-18s %s\n", s.name, text)
		}
	}
	p.printf("no problems\n")
	return nil
}

type configExampleCmd struct{}

func (c *configExampleCmd) Run(p *process) error {
	p.printf("%s", example())
	return nil
}
