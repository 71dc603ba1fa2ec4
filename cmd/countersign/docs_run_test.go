//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// TestDocSessions plays every ```console block of the documentation, and compares what
// is printed with what is shown. The blocks of one file are one session, in a fresh
// folder that looks like the repository's root; blocks that name a file are written
// there first.
//
//	$ command       is run by bash; a line that ends with \ or |, or within quotes,
//	                goes on in the next
//	$ command &     runs on; what it prints is awaited
//	…               alone on a line stands for any lines, within one for any text
//
// A server listens on a free port, which is shown as 8080. A command that fails must
// show its error.
func TestDocSessions(t *testing.T) {
	for _, p := range pages(t) {
		sessions := false
		for _, b := range p.blocks {
			sessions = sessions || b.language == "console"
		}
		if !sessions {
			continue
		}
		t.Run(strings.ReplaceAll(p.name, "/", "-"), func(t *testing.T) {
			if testing.Short() && p.name != "README.md" {
				t.Skip("the sessions of the README only")
			}
			t.Parallel()
			s := newSession(t)
			for _, b := range p.blocks {
				s.play(&p, b)
			}
		})
	}
}

// step is one command of a session with what is shown of its output.
type step struct {
	line           int
	command, shown string
}

func (b *block) steps() (out []step, err error) {
	continued := false
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case continued:
			last := &out[len(out)-1]
			last.command += "\n" + line
			continued = goesOn(last.command)
		case isCommand:
			out = append(out, step{line: b.line + i + 1, command: command})
			continued = goesOn(command)
		case len(out) == 0:
			return nil, fmt.Errorf("a session begins with $ and a command, not with %q", line)
		default:
			out[len(out)-1].shown += line + "\n"
		}
	}
	return out, nil
}

// goesOn reports whether a command needs the next line too.
func goesOn(command string) bool {
	return strings.HasSuffix(command, `\`) || strings.HasSuffix(command, "|") || strings.Count(command, "'")%2 == 1
}

// session is one bash with what it prints.
type session struct {
	t     *testing.T
	dir   string
	port  string
	in    io.Writer
	out   *bufio.Reader
	front int // the job that runs in front of the reader; 0 for none
	backs int
}

func newSession(t *testing.T) *session {
	for _, program := range []string{"bash", "curl", "jq", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("the sessions need %s", program)
		}
	}
	s := &session{t: t, dir: t.TempDir()}
	for _, name := range []string{"examples", "policies", "internal"} {
		at, err := filepath.Abs(filepath.Join(root, name))
		must(t, err)
		must(t, os.Symlink(at, filepath.Join(s.dir, name)))
	}
	ln, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	_, s.port, _ = net.SplitHostPort(ln.Addr().String())
	must(t, ln.Close())
	s.start()
	return s
}

func (s *session) start() {
	shell := exec.Command("bash", "--noprofile", "--norc")
	shell.Dir = s.dir
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	at := "localhost:" + s.port
	shell.Env = append(os.Environ(), "HOME="+s.dir, "TZ=UTC", "COUNTERSIGN_CONFIG_DIR="+filepath.Join(s.dir, ".config"),
		"COUNTERSIGN_SERVER=http://"+at, "COUNTERSIGN_LISTEN="+at)
	in, err := shell.StdinPipe()
	must(s.t, err)
	out, err := shell.StdoutPipe()
	must(s.t, err)
	shell.Stderr = shell.Stdout
	must(s.t, shell.Start())
	s.in, s.out = in, bufio.NewReader(out)
	s.t.Cleanup(func() {
		syscall.Kill(-shell.Process.Pid, syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { shell.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(steady.Limit):
		}
		syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
	})
}

func (s *session) play(p *page, b block) {
	if b.file != "" {
		must(s.t, os.WriteFile(filepath.Join(s.dir, b.file), []byte(b.text), 0o600))
	}
	if b.language != "console" {
		return
	}
	steps, err := b.steps()
	if err != nil {
		s.t.Fatalf("%s:%d: %v", p.name, b.line, err)
	}
	for _, st := range steps {
		printed, code := s.run(st)
		printed = s.asShown(printed)
		if !shows(st.shown, printed) {
			s.t.Fatalf("%s:%d: $ %s\nnot printed: %s\nprinted:\n%s", p.name, st.line, st.command, firstWrong(st.shown, printed), printed)
		}
		if code != "0" && !strings.Contains(st.shown, "countersign: ") {
			s.t.Fatalf("%s:%d: $ %s\nends with %s, and no error is shown", p.name, st.line, st.command, code)
		}
	}
}

// firstWrong is the first line that is shown and was not printed there.
func firstWrong(shown, printed string) string {
	lines := strings.SplitAfter(shown, "\n")
	for n := range lines {
		if part := strings.Join(lines[:n+1], ""); !shows(part+"…\n", printed) {
			return strings.TrimSuffix(lines[n], "\n")
		}
	}
	return "(more was printed than is shown)"
}

// asShown takes out what differs from one run to the next and is not the product's.
func (s *session) asShown(printed string) string {
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		printed = strings.ReplaceAll(printed, host+":"+s.port, host+":8080")
	}
	return strings.ReplaceAll(printed, s.dir, "…")
}

var demoCommand = regexp.MustCompile(`^countersign demo( --play| --still| --data| --info| &|$)`)

// foreground is a demo that a reader watches until they press Ctrl-C.
var foreground = regexp.MustCompile(`^countersign demo( --listen \S+)?$`)

// run runs a command and returns what it printed and its exit code.
func (s *session) run(st step) (printed, code string) {
	command := strings.ReplaceAll(strings.ReplaceAll(st.command, "go run ./cmd/countersign", "countersign"), "localhost:8080", "localhost:"+s.port)
	if demoCommand.MatchString(command) && !strings.Contains(command, "--listen") {
		command = strings.Replace(command, "countersign demo", "countersign demo --listen localhost:"+s.port, 1)
	}
	if s.front != 0 { // Ctrl-C of what ran in front before
		fmt.Fprintf(s.in, "kill -INT %%%d; wait %%%d\n", s.front, s.front)
		s.front = 0
	}
	if back, ok := strings.CutSuffix(command, " &"); ok {
		return s.background(back, st.shown), "0"
	}
	if foreground.MatchString(command) {
		s.front = s.backs + 1
		return s.background(command, st.shown), "0"
	}
	const mark = "\x01end "
	fmt.Fprintf(s.in, "{ %s\n} </dev/null\nprintf '\\n\\001end %%d\\n' $?\n", command)
	var b strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("$ %s\nthe session ended: %v\n%s", st.command, err, &b)
		}
		if rest, ok := strings.CutPrefix(line, mark); ok {
			text := strings.TrimSuffix(b.String(), "\n") // of the mark
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			return text, strings.TrimSpace(rest)
		}
		b.WriteString(line)
	}
}

// background starts a command and waits until it has printed what is shown.
func (s *session) background(command, shown string) string {
	s.backs++
	file := filepath.Join(s.dir, fmt.Sprintf(".background-%d", s.backs))
	fmt.Fprintf(s.in, "%s >%s 2>&1 </dev/null &\n", command, file)
	for deadline := time.Now().Add(steady.Limit); ; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		if shows(shown, s.asShown(string(text))) || time.Now().After(deadline) {
			return string(text)
		}
	}
}
