package zones

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write zones.tar.gz anew from the zones of this Go")

// ofGo are the zone files that come with Go.
func ofGo(t *testing.T) map[string][]byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skip("this Go has no zones of its own: ", err)
	}
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		write(t, z.File, out)
	}
	return out
}

func write(t *testing.T, order []*zip.File, data map[string][]byte) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, f := range order {
		if d, ok := data[f.Name]; ok {
			err = errors.Join(err, w.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(d)), Format: tar.FormatUSTAR}))
			_, e := w.Write(d)
			err = errors.Join(err, e)
		}
	}
	if err := errors.Join(err, w.Close(), z.Close(), os.WriteFile("zones.tar.gz", b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestZonesAreThoseOfGo: no zone that Go knows is missing, and each says the same time
// over a year. Countries change their zones: the year is one that is over.
func TestZonesAreThoseOfGo(t *testing.T) {
	all := ofGo(t)
	if *update {
		return
	}
	if len(all) < 400 {
		t.Fatalf("%d zones", len(all))
	}
	older := 0
	for name, data := range all {
		ours, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v; go test ./internal/zones -update writes them anew", name, err)
			continue
		}
		want, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2024, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() == 2024; at = at.Add(12 * time.Hour) {
			if a, b := at.In(ours).Format(time.RFC1123Z), at.In(want).Format(time.RFC1123Z); a != b {
				t.Fatalf("%s: %s, want %s", name, a, b)
			}
		}
		if known, _ := files(); name != "UTC" && !bytes.Equal(known[name], data) {
			older++
		}
	}
	if older > 0 {
		t.Logf("%d zones differ from those of this Go: go test ./internal/zones -update takes them over", older)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"Local", "local", "Mars/Olympus", "../etc/passwd", "/UTC", "europe/berlin", "Europe/", "."} {
		if z, err := Load(name); err == nil {
			t.Errorf("%q is %v", name, z)
		}
	}
	for _, name := range []string{"", "UTC"} {
		if z, err := Load(name); err != nil || z != time.UTC {
			t.Errorf("%q: %v, %v", name, z, err)
		}
	}
}
