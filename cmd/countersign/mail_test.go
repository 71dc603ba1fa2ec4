package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Mail settings that could not work are said before the server starts, each at its name.
func TestMailSettings(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "password", "quiet lantern\n")
	write(t, "loose", "quiet lantern\n")
	must(t, os.Chmod("loose", 0o644))
	const good = "mail_server: smtp.example.com:587\nmail_from: Countersign <countersign@example.com>\n"
	for _, c := range []struct{ text, setting, says string }{
		{good, "", ""},
		{good + "mail_user: desk\nmail_password_file: password\n", "", ""},
		{"mail_server: smtp.example.com:587\n", "mail_from", "no mail address"},
		{"mail_from: a@example.com\n", "mail_from", "mail_server is not"},
		{strings.Replace(good, ":587", "", 1), "mail_server", "host:port"},
		{good + "mail_tls: none\n", "mail_server", "this machine only"},
		{good + "mail_tls: sometimes\n", "mail_server", "starttls"},
		{good + "mail_details: all\n", "mail_details", "summary"},
		{good + "mail_user: desk\n", "mail_user", "mail_password_file is not"},
		{good + "mail_user: desk\nmail_password_file: gone\n", "mail_password_file", "gone"},
		{good + "mail_user: desk\nmail_password_file: loose\n", "mail_password_file", "others may read"},
		{good + "mail_roots: password\n", "mail_roots", "no certificate"},
	} {
		write(t, "c.yaml", c.text)
		_, err := Load("c.yaml", nil)
		problems := problemsOf(err)
		if c.setting == "" {
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		if len(problems) != 1 || problems[0].Setting != c.setting || !strings.Contains(problems[0].Message, c.says) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// A test mail goes where the settings say; without settings it says which ones to set.
func TestMailTest(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var out, bad strings.Builder
	env := []string{"COUNTERSIGN_MAIL_FOLDER=mails", "COUNTERSIGN_MAIL_FROM=desk@example.com"}
	if code := run(t.Context(), []string{"mail", "test", "marta@example.com"}, process{out: &out, err: &bad, env: env}); code != exitDone || !strings.Contains(out.String(), "marta@example.com") {
		t.Fatalf("%d: %s%s", code, &out, &bad)
	}
	files, err := filepath.Glob("mails/*.eml")
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("%d mails", len(files))
	}
	for _, c := range []struct {
		address, says string
		env           []string
		code          int
	}{{"marta@example.com", "mail_server", nil, exitFailed}, {"marta", "no mail address", env, exitUsage}} {
		bad.Reset()
		if code := run(t.Context(), []string{"mail", "test", c.address}, process{out: &out, err: &bad, env: c.env}); code != c.code || !strings.Contains(bad.String(), c.says) {
			t.Errorf("%s: %d: %s", c.address, code, &bad)
		}
	}
}

// The doctor says whether mails reach anybody.
func TestDoctorLooksAtMail(t *testing.T) {
	for _, c := range []struct {
		config  Config
		verdict string
	}{
		{Config{}, checkSkip},
		{Config{MailFolder: "mails", MailFrom: "desk@example.com"}, checkWarn},
		{Config{MailServer: "localhost:1", MailTLS: "none", MailFrom: "desk@example.com"}, checkBad},
	} {
		x := &examination{config: c.config}
		x.mail(t.Context())
		if len(x.checks) != 1 || x.checks[0].Verdict != c.verdict {
			t.Errorf("%+v", x.checks)
		}
	}
}
