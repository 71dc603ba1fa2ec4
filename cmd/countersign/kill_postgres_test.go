//go:build !windows

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
)

// postgresServer is a PostgreSQL server of this test alone, which may be stopped as it
// likes; the one that other tests share may not.
type postgresServer struct {
	t    testing.TB
	bin  string
	dir  string
	port string
	as   *syscall.Credential // initdb refuses root
}

func newPostgresServer(t testing.TB) *postgresServer {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		if os.Getenv("COUNTERSIGN_REQUIRE_POSTGRES") == "1" {
			t.Fatal("no PostgreSQL server is installed")
		}
		t.Skip("no PostgreSQL server is installed")
	}
	slices.Sort(found)
	s := &postgresServer{t: t, bin: filepath.Dir(found[0])}
	var err error
	s.dir, err = os.MkdirTemp("", "cs-own-pg")
	must(t, err)
	t.Cleanup(func() { s.stop(); os.RemoveAll(s.dir) })
	must(t, os.Chmod(s.dir, 0o711))
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		must(t, err)
		uid, err := strconv.Atoi(u.Uid)
		must(t, err)
		gid, err := strconv.Atoi(u.Gid)
		must(t, err)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		must(t, os.Chown(s.dir, uid, gid))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	must(t, l.Close())
	must(t, s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"))
	s.start()
	return s
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) command(name string, args ...string) error {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir // the server's user may not be allowed where we are
	if s.as != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	log, err := os.CreateTemp(s.dir, name) // not a pipe: the server would hold it open
	if err != nil {
		return err
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", name, err, said)
	}
	return nil
}

func (s *postgresServer) start() {
	s.t.Helper()
	must(s.t, s.command("pg_ctl", "-D", s.data(), "-s", "-w", "-l", filepath.Join(s.dir, "log"), "-o", "-k "+s.dir+" -p "+s.port+" -c listen_addresses=", "start"))
}

// stop ends the server at once: without a checkpoint, every session cut off.
func (s *postgresServer) stop() {
	if err := s.command("pg_ctl", "-D", s.data(), "-m", "immediate", "-s", "-w", "stop"); err != nil {
		s.t.Logf("stop PostgreSQL: %v", err)
	}
}

// TestPostgresStoppedUnderLoad: the database server itself is stopped at once while
// callers submit, decide and release. They are told "unavailable" and nothing wrong;
// what was acknowledged is there; and the server goes on by itself when the database is
// back.
func TestPostgresStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	s := newPostgresServer(t)
	l := &load{plant: newPlant(t, store.Config{Driver: store.Postgres, DSN: "host=" + s.dir + " port=" + s.port + " user=postgres dbname=postgres sslmode=disable", Connections: 8}), acked: map[string]*acked{}}
	l.start()
	l.run(1500*time.Millisecond, s.stop)
	cut := l.cut.Load()
	if cut == 0 {
		t.Error("nothing was under way")
	}
	if _, err := l.submit(purchase("WHILE-AWAY", "9.00")); !unavailable(err) {
		t.Errorf("without its database the server answers: %v", err)
	}
	s.start()
	out, err := patient(func() (string, error) {
		a, err := l.submit(purchase("BACK", "9.00"))
		return string(a.Status), err
	})
	if err != nil {
		t.Fatalf("the database is back, and the server answers: %v", err)
	}
	l.again()
	l.exported()
	l.kill()
	l.inspect()
	l.start()
	l.again()
	l.kill()
	l.whole()
	t.Logf("%d submissions, %d decisions and %d releases acknowledged, %d calls cut off, then %s", l.submitted.Load(), l.decided.Load(), l.released.Load(), cut, out)
}
