package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
)

// TestDoctorCertificates: the doctor says it weeks before a certificate ends, and when
// it has.
func TestDoctorCertificates(t *testing.T) {
	now := time.Now()
	day := 24 * time.Hour
	for _, c := range []struct {
		from, to time.Time
		want     string
	}{
		{now.Add(-day), now.Add(90 * day), checkOK},
		{now.Add(-day), now.Add(20 * day), checkWarn},
		{now.Add(-9 * day), now.Add(-day), checkBad},
		{now.Add(day), now.Add(90 * day), checkBad},
	} {
		x := &examination{}
		x.certificate("certificate", &x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}, NotBefore: c.from, NotAfter: c.to})
		if len(x.checks) != 1 || x.checks[0].Verdict != c.want || (c.want != checkOK) != (x.checks[0].Hint != "") {
			t.Errorf("from %v to %v: %+v, want %s", c.from, c.to, x.checks, c.want)
		}
	}
	x := &examination{config: Config{TLSCertificate: filepath.Join(t.TempDir(), "none"), PublicURL: "https://approve.example.com"}}
	x.certificates()
	if len(x.checks) != 1 || x.checks[0].Verdict != checkBad {
		t.Errorf("a certificate that is not there: %+v", x.checks)
	}
}

func TestDoctorSeesThroughLinks(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	must(t, os.MkdirAll(filepath.Join(data, "inner"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, "data-keys"), 0o700))
	must(t, os.Symlink(filepath.Join(data, "inner"), filepath.Join(dir, "link")))
	for path, want := range map[string]bool{"data": true, "data/inner": true, "link": true, "data-keys": false, "none": false, "..data": false} {
		if got := within(data, filepath.Join(dir, path)); got != want {
			t.Errorf("%s is within the data: %v", path, got)
		}
	}
}

// TestDoctorBesideTheServer: looking changes nothing for a server that runs.
func TestDoctorBesideTheServer(t *testing.T) {
	p := newPlant(t, inFolder(t))
	p.start()
	said := func(args ...string) string {
		var out, errs heard
		env := []string{"COUNTERSIGN_DATA=" + filepath.Dir(p.cfg.Path), "COUNTERSIGN_KEYS=" + filepath.Join(p.dir, "keys"), "COUNTERSIGN_GUARD=" + filepath.Join(p.dir, "guard"),
			"COUNTERSIGN_PUBLIC_URL=" + p.url}
		if code := run(t.Context(), args, process{in: strings.NewReader(""), out: &out, err: &errs, env: env}); code != exitDone {
			t.Errorf("%v: exit %d\n%s%s", args, code, &out, &errs)
		}
		return out.String()
	}
	_, err := p.submit(purchase("PO-1", "9.00"))
	p.must(err)
	if text := said("doctor", "--full"); !strings.Contains(text, "in use by the server") || strings.Contains(text, checkBad) {
		t.Errorf("%s", text)
	}
	if text := said("audit", "checkpoint"); !strings.Contains(text, "/log/"+p.cfg.Org) {
		t.Errorf("%s", text)
	}
	said("backup", filepath.Join(t.TempDir(), "b"), "--json")
	_, err = p.submit(purchase("PO-2", "9.00"))
	p.must(err)
}

// TestBackupOfPostgresSaysHow: the server's own tools are named, and the manifest is
// written.
func TestBackupOfPostgresSaysHow(t *testing.T) {
	plant := newPlant(t, storetest.Postgres(t))
	env := []string{"COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_DATABASE=" + plant.cfg.DSN, "COUNTERSIGN_KEYS=" + filepath.Join(plant.dir, "keys"),
		"COUNTERSIGN_GUARD=" + filepath.Join(plant.dir, "guard"), "COUNTERSIGN_PUBLIC_URL=" + plant.url}
	var out, errs heard
	file := filepath.Join(t.TempDir(), "manifest")
	p := process{in: strings.NewReader(""), out: &out, err: &errs, env: env}
	if code := run(t.Context(), []string{"backup", file}, p); code != exitFailed || !strings.Contains(errs.String(), "pg_dump") {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	if code := run(t.Context(), []string{"backup", "--manifest", file}, p); code != exitDone || !strings.Contains(out.String(), "log:") {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), `"driver": "postgres"`) {
		t.Errorf("%v\n%s", err, data)
	}
	if code := run(t.Context(), []string{"restore", file}, p); code != exitFailed || !strings.Contains(errs.String(), "pg_restore") {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	out.b.Reset()
	if code := run(t.Context(), []string{"doctor", "--full"}, p); code != exitDone || !strings.Contains(out.String(), "synchronous_commit=on") {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
}
