package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestExampleCannotDrift: the example is made from the struct; every setting has a
// sentence and something to show, and the example with every line switched on that
// needs no file of the machine loads, and says what the defaults are.
func TestExampleCannotDrift(t *testing.T) {
	text := example()
	var c Config
	for _, s := range settingsOf(&c) {
		if s.name == "" || s.doc == "" || !strings.HasSuffix(s.doc, ".") || s.standard == "" && s.example == "" {
			t.Errorf("%+v: wants a name, a sentence, and a default or an example", s)
		}
		if !strings.Contains(text, "\n#"+s.name+": ") {
			t.Errorf("%s is not in the example", s.name)
		}
	}
	dir := t.TempDir()
	t.Chdir(dir)
	var on strings.Builder
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "#"), ":")
		isSetting := strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && strings.TrimSpace(line) != "#"
		if isSetting && name != "tls_certificate" && name != "tls_key" && name != "attestation_roots" && name != "mail_password_file" && name != "mail_user" && name != "mail_roots" {
			line = strings.TrimPrefix(line, "#")
		}
		on.WriteString(line)
	}
	write(t, "on.yaml", on.String())
	got, err := Load("on.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	standard, err := Load("", nil)
	must(t, err)
	if got.Data != standard.Data || got.MaxBodyBytes != standard.MaxBodyBytes || got.RequestsPerKey != standard.RequestsPerKey || got.LogLevel != standard.LogLevel || got.Database != standard.Database {
		t.Errorf("the example shows %+v, the defaults are %+v", got, standard)
	}
	if got.PublicURL != "https://approve.example.com" || len(got.TrustedProxies) != 2 || got.MetricsListen != "localhost:9090" {
		t.Errorf("the examples load as %+v", got)
	}
}

// witnessKey is the key of a witness that nobody runs.
const witnessKey = "witness.example/w1+6327c7cb+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY"

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o600))
}

// TestEverySettingByEnvironment: each setting has its variable, which wins over the
// file.
func TestEverySettingByEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	values := map[string]string{"data": "d", "keys": "k", "guard": "g", "database": "postgres://app@db.example/x", "listen": "localhost:1",
		"public_url": "https://approve.example", "trusted_proxies": "10.0.0.0/8", "metrics_listen": "localhost:2", "log_level": "warn", "log_format": "json",
		"max_body_bytes": "2048", "requests_per_key": "1", "requests_per_host": "2", "sign_ins_per_host": "3",
		"witnesses": witnessKey + " https://witness.example/w1/", "mail_server": "smtp.example:465", "mail_tls": "implicit", "mail_from": "desk@example.com", "mail_details": "none", "mail_folder": "mails"}
	var env, wanted []string
	var c Config
	for _, s := range settingsOf(&c) {
		switch s.name {
		case "tls_certificate", "tls_key", "attestation_roots", "mail_roots", "mail_user", "mail_password_file": // need files: see the scripts
			continue
		}
		value, ok := values[s.name]
		if !ok {
			t.Errorf("no value for %s in this test", s.name)
		}
		env = append(env, s.env()+"="+value)
		shown := value
		if s.name == "database" {
			shown = "(a PostgreSQL database)" // it may hold a password
		}
		if s.name == "witnesses" {
			shown = "witness.example/w1 at https://witness.example/w1"
		}
		wanted = append(wanted, s.name+"="+shown)
	}
	write(t, "file.yaml", "data: other\nlisten: localhost:7777\nlog_level: debug\n")
	got, err := Load("file.yaml", env)
	must(t, err)
	for _, s := range settingsOf(&got) {
		if slices.Contains([]string{"tls_certificate", "tls_key", "attestation_roots", "mail_roots", "mail_user", "mail_password_file"}, s.name) {
			continue
		}
		if !slices.Contains(wanted, s.name+"="+s.shown()) {
			t.Errorf("%s is %q, not what the environment says", s.name, s.shown())
		}
	}
	if got.LogLevel != slog.LevelWarn {
		t.Errorf("level %v", got.LogLevel)
	}
}

// TestRuling32KeysAndGuardStayOutside: neither keys nor guard may come back with a
// copy of the data, also not through a link.
func TestRuling32KeysAndGuardStayOutside(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.Mkdir("data", 0o700))
	if err := os.Symlink("data", "link"); err != nil {
		t.Skip("no symbolic links here")
	}
	for _, text := range []string{
		"data: data\nkeys: data\n", "data: data\nkeys: data/keys\n", "data: data\nkeys: ./data/../data/x/y\n", "data: data\nkeys: link/keys\n",
		"data: link\nkeys: " + filepath.Join(dir, "data", "keys") + "\n", "data: data/inner\nkeys: data\n",
		"data: data\nguard: link/guard\n", "data: data\nguard: data/a/b\n", "data: data/inner\nguard: data\n",
	} {
		write(t, "c.yaml", text)
		if _, err := Load("c.yaml", nil); err == nil || !strings.Contains(err.Error(), "inside") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"data: data\n", "data: data\nkeys: data-keys\n", "data: data\nguard: postgres://app@elsewhere/guard\n", "data: data\nkeys: ..keys\n"} {
		write(t, "c.yaml", text)
		if _, err := Load("c.yaml", nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestWhatDoesNotLoad: each mistake is told at its place, and nothing is returned
// that could be used all the same.
func TestWhatDoesNotLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "empty.pem", "nothing")
	for text, want := range map[string]string{
		"[]":                             "c.yaml:1:1: want settings by name",
		"data: [a, b]":                   "c.yaml:1:7: data: want one value",
		"data: ''":                       "data: is empty",
		"a: &x b\nlisten: *x":            `there is no setting "a"`,
		"data: {":                        "c.yaml",
		"listen: nowhere":                "no host and port",
		"listen: localhost:http":         `port "http"`,
		"listen: localhost:70000":        `port "70000"`,
		"listen: :8080":                  "public_url: is needed",
		"public_url: approve.example":    "is no address",
		"public_url: http://a.example":   "but on localhost",
		"public_url: https://10.0.0.1":   "bare address",
		"public_url: https://a/b":        "more than a host",
		"metrics_listen: localhost:8080": "the same as listen",
		"database: postgres://u@h/d\nguard: postgres://u@h/d":                                     "the same database",
		"database: 'postgres://'":                                                                 "no address of a database",
		"tls_key: k.pem":                                                                          "tls_certificate is not",
		"tls_certificate: empty.pem\ntls_key: empty.pem":                                          "tls_certificate: ",
		"attestation_roots: empty.pem":                                                            "holds no certificate",
		"requests_per_key: -1":                                                                    "0 or more",
		"requests_per_key: 99999999999999999999":                                                  "whole number",
		"trusted_proxies: 10.0.0.0/8":                                                             "",
		"trusted_proxies: 10.0.0.0/33":                                                            "an address or a range",
		"log_level: info+2":                                                                       "want debug, info",
		"witnesses: [" + witnessKey + " https://w.example]":                                       "",
		"witnesses: [" + witnessKey + " http://127.0.0.1:9]":                                      "",
		"witnesses: " + witnessKey:                                                                "public key and its address",
		"witnesses: [" + witnessKey + " http://w.example]":                                        "want https",
		"witnesses: ['" + witnessKey + " https://w.example?x=1']":                                 "more than a host and a path",
		"witnesses: [" + witnessKey + " https://u:p@w.example]":                                   "more than a host and a path",
		"witnesses: [" + witnessKey + " ftp://w.example]":                                         "no address of a witness",
		"witnesses: [w+00000000+AAAA https://w.example]":                                          "witness key",
		"witnesses: [" + strings.Replace(witnessKey, "6327", "6328", 1) + " https://w.example]":   "does not fit the key",
		"witnesses: [" + witnessKey + " https://w.example, " + witnessKey + " https://x.example]": "stands twice",
		"witnesses: [" + strings.TrimSuffix(strings.Repeat(witnessKey+" https://w.example, ", 6), ", ") + "]": "at most 5",
		"Data: x":                  `did you mean "data"?`,
		"{data: a, keys: b}":       "",
		"# nothing but comments\n": "",
		"listen: localhost:0\npublic_url: http://localhost:123": "",
	} {
		write(t, "c.yaml", text)
		c, err := Load("c.yaml", nil)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		case want != "" && !reflect.DeepEqual(c, Config{}):
			t.Errorf("%q: a configuration is returned beside the error", text)
		}
		var all configError
		if want != "" && !errors.As(err, &all) {
			t.Errorf("%q: the error is no list of problems: %v", text, err)
		}
	}
}
