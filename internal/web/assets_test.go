package web

import (
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVendoredFilesAreWhatTheySay computes the sums in VENDOR.md again, and finds
// files that it does not name.
func TestVendoredFilesAreWhatTheySay(t *testing.T) {
	said, err := os.ReadFile("static/vendor/VENDOR.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("static/vendor/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal("no vendored scripts", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum384(b)
		row := regexp.MustCompile(`\| ` + regexp.QuoteMeta(filepath.Base(f)) + ` \|[^\n]*\| ([0-9a-f]{96}) \|`).FindSubmatch(said)
		if row == nil || string(row[1]) != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: VENDOR.md does not say its sum, %x", f, sum)
		}
	}
}

// TestNothingIsInline finds what the content security policy would refuse: scripts,
// styles and handlers in templates.
func TestNothingIsInline(t *testing.T) {
	bad := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|hx-vals=['"]js:`)
	for name, src := range sources(t) {
		if strings.HasSuffix(name, ".html") {
			if m := bad.FindString(src); m != "" {
				t.Errorf("%s: %q", name, m)
			}
		}
	}
}

// TestOwnScriptsStaySmall keeps the three scripts short enough to be read whole.
func TestOwnScriptsStaySmall(t *testing.T) {
	for name, lines := range map[string]int{"app.js": 150, "stepup.js": 90, "verify.js": 220} {
		b, err := os.ReadFile(filepath.Join("static", name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > lines {
			t.Errorf("%s has %d lines, more than %d", name, n, lines)
		}
	}
}
