package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// TestFullDisk: the data folder is a disk of 4 MB that fills up. Callers are told
// "unavailable" and nothing wrong, reading goes on, what was acknowledged is kept, and
// the same server goes on when there is room again; and one that is started on the
// full disk keeps all of it, too.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := newPlant(t, inFolder(t)) // founded elsewhere: what founding writes and throws away would fill the disk
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a small file system cannot be mounted: %v", err)
		}
		t.Skipf("a small file system cannot be mounted (run as root): %v", err)
	}
	t.Cleanup(func() {
		p.kill()
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	founded, err := os.ReadFile(p.cfg.Path)
	p.must(err)
	p.cfg.Path = filepath.Join(disk, dataFile)
	p.must(os.WriteFile(p.cfg.Path, founded, 0o600))
	ballast := filepath.Join(disk, "ballast")
	p.must(os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	l := &load{plant: p, acked: map[string]*acked{}}
	l.start()
	l.fill("FILL")
	l.kept()
	if err := p.call("GET", "/v1/requests?limit=5", p.key, nil, new(countersign.Page[countersign.Approval])); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	if res, err := http.Get(p.url + "/healthz"); err != nil || res.StatusCode != 200 {
		t.Errorf("alive on a full disk: %v %v", res, err)
	}
	p.must(os.Remove(ballast))
	if _, err := patient(func() (*countersign.Approval, error) { return p.submit(purchase("ROOM", "9.00")) }); err != nil {
		t.Errorf("there is room again, and the server answers: %v", err)
	}
	l.fill("AGAIN")
	l.kill()
	l.inspect()
	l.room()
	l.start()
	l.again()
	l.exported()
	l.kill()
	l.whole()
	t.Logf("%d submissions were acknowledged, the disk full twice", l.submitted.Load())
}

// fill submits until the disk is full, and goes on for a while.
func (l *load) fill(prefix string) {
	l.t.Helper()
	full := 0
	for i := 0; full < 20; i++ {
		if i > 20_000 {
			l.t.Fatal("the disk did not become full")
		}
		name := fmt.Sprintf("%s-%d", prefix, i)
		a := &acked{document: purchase(name, "9.00")}
		out, err := l.submit(a.document)
		switch {
		case err == nil:
			l.acknowledge(name, a, out)
			l.submitted.Add(1)
		case unavailable(err):
			full++
			l.uncertain(name, a)
		default:
			l.t.Fatalf("%s on a full disk: %v", name, err)
		}
	}
	if len(l.recent) == 0 {
		l.t.Fatal("nothing was acknowledged before the disk was full")
	}
}

// kept reads what was acknowledged back through the API.
func (l *load) kept() {
	l.t.Helper()
	for i, name := range l.recent {
		if i%10 != 0 {
			continue
		}
		out := new(countersign.Approval)
		if err := l.call("GET", "/v1/requests/"+l.acked[name].id, l.key, nil, out); err != nil || out.Status != l.acked[name].status {
			l.t.Fatalf("%s was acknowledged as %s, and is %s: %v", name, l.acked[name].status, out.Status, err)
		}
	}
}

// room moves the data to a disk that has room, as an operator would.
func (l *load) room() {
	l.t.Helper()
	dir := l.t.TempDir()
	l.must(os.CopyFS(dir, os.DirFS(filepath.Dir(l.cfg.Path))))
	l.cfg = store.Config{Driver: store.SQLite, Path: filepath.Join(dir, dataFile), Org: l.cfg.Org}
}
