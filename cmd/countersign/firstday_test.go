package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// said collects what a command writes, for whoever waits for something in it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await returns the first match of the pattern's group.
func (s *said) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(steady.Limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(s.String()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("%s was never said:\n%s", pattern, s)
	return ""
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// The first day, with nothing but the command line: found, serve, enrol by the set-up
// link, sign in, make a key, bring people and vendors in, submit, deny.
func TestFirstDay(t *testing.T) {
	dir := t.TempDir()
	home, url := filepath.Join(dir, "home"), "http://localhost:"+freePort(t)
	env := []string{"COUNTERSIGN_CONFIG_DIR=" + filepath.Join(dir, "config"), "COUNTERSIGN_SERVER=" + url}
	do := func(want int, input string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, process{in: strings.NewReader(input), out: &out, err: &errs, env: env}); code != want {
			t.Fatalf("countersign %v: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
		}
		return out.String() + errs.String()
	}
	do(exitDone, "", "init", home, "--name", "Acme GmbH", "--admin", "ada", "--admin-name", "Ada Lang", "--listen", strings.TrimPrefix(url, "http://"))

	server := startServer(t, filepath.Join(home, configFile))
	link := server.await(t, `(http://localhost:\d+/enrol#\S+)`)

	secret := enrolOnTerminal(t, env, link)
	code := func(steps int) string {
		c, err := demo.Code(secret, time.Now().Add(time.Duration(steps)*authn.TOTPPeriod))
		must(t, err)
		return c
	}
	do(exitDone, firstPassword+"\n"+code(0)+"\n", "sign-in", "ada")
	if out := do(exitDone, "", "whoami"); !strings.Contains(out, "Ada Lang") || !strings.Contains(out, "fewer than two administrators") {
		t.Error(out)
	}
	keyFile := filepath.Join(dir, "key")
	do(exitDone, firstPassword+"\n"+code(1)+"\n", "key", "create", "erp", "--scope", "submit,facts,provisioning,release", "-o", keyFile)
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	people := filepath.Join(dir, "people.csv")
	must(t, os.WriteFile(people, []byte("subject,name,groups\nelif,Elif Demir,buyers\nmarta,Marta Silva,approvers\n"), 0o600))
	do(exitDone, "", "import", "people", people, "--key-file", keyFile)
	do(exitDone, "", "user", "change", "marta", "--limit", "50000.00 EUR", "--reason", "head of production") // carried out at once: founding
	do(exitUsage, "", "user", "change", "marta", "--reason", "nothing")
	if out := do(exitDone, "", "user", "list"); !strings.Contains(out, "approvers  up to EUR 50,000.00") {
		t.Error(out)
	}
	invoice := filepath.Join(dir, "invoice.json")
	must(t, os.WriteFile(invoice, []byte(`{"kind":"purchase_order","id":"PO-1","revision":"1","amount":{"value":"31000.00","currency":"EUR"},`+
		`"payee":{"id":"V-1","name":"Nord"},"requester":{"type":"person","id":"elif","name":"Elif Demir"}}`), 0o600))
	out := do(exitDone, "", "request", "submit", invoice, "--approver", "marta", "--key-file", keyFile)
	if !strings.Contains(out, "pending") || !strings.Contains(out, "founding") {
		t.Error(out)
	}
	request := strings.Fields(out)[0]
	if out := do(exitDone, "", "request", "show", request); !strings.Contains(out, "EUR 31,000.00") {
		t.Error(out)
	}
	do(exitDone, "", "request", "cancel", request, "--key-file", keyFile)
	do(exitDone, "", "sign-out")
}

// startServer runs a server until the end of the test, and returns what it says.
func startServer(t *testing.T, config string) *said {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	server, ended := &said{}, make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--config", config}, process{in: strings.NewReader(""), out: server, err: io.Discard})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("serve ended with %d\n%s", code, server)
		}
	})
	return server
}

const firstPassword = "copper lantern marches slowly"

// enrolOnTerminal answers the questions of an enrolment as they come, and returns the
// code generator's secret.
func enrolOnTerminal(t *testing.T, env []string, link string) string {
	t.Helper()
	in, answers := io.Pipe()
	var asked said
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"user", "enrol"}, process{in: in, out: &asked, err: &asked, env: env})
	}()
	fmt.Fprintln(answers, link)
	secret := asked.await(t, `(?m)^  ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})$`)
	code, err := demo.Code(secret, time.Now().Add(-authn.TOTPPeriod))
	must(t, err)
	asked.await(t, `The code that it shows now`)
	fmt.Fprintln(answers, code)
	fmt.Fprintln(answers, firstPassword)
	if code := <-ended; code != exitDone {
		t.Fatalf("enrol ended with %d\n%s", code, &asked)
	}
	return secret
}

// What the demo prints works as it is printed, and its folder opens again as it was
// left.
func TestDemoPrintsWhatWorks(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("the printed lines need curl")
	}
	_ = curl
	dir := filepath.Join(t.TempDir(), "demo")
	port := freePort(t)
	for round := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		var out said
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"demo", "--listen", "localhost:" + port, "--data", dir}, process{in: strings.NewReader(""), out: &out, err: &out})
		}()
		out.await(t, `Ctrl-C ends it`)
		answers := printed(t, out.String())
		if len(answers) != 2 || !strings.Contains(answers[0], `"status":"approved"`) || !strings.Contains(answers[1], `"status":"pending"`) {
			t.Errorf("round %d: %q", round, answers)
		}
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("round %d: exit code %d\n%s", round, code, &out)
		}
	}
	file, err := os.Stat(filepath.Join(dir, info.Name))
	if err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("the file of secrets: %v, %v", file, err)
	}
}

// printed runs the exports and each curl of the demo's output in a shell.
func printed(t *testing.T, out string) (answers []string) {
	t.Helper()
	exports, command := "", ""
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		switch {
		case strings.HasPrefix(line, "export "):
			exports += line + "\n"
			continue
		case strings.HasPrefix(line, "curl "), command != "":
			command += line + "\n"
		default:
			continue
		}
		if strings.HasSuffix(line, `\`) {
			continue
		}
		answer, err := exec.Command("sh", "-c", exports+command).Output()
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
		answers, command = append(answers, string(answer)), ""
	}
	return answers
}

// A demo without --data leaves nothing behind.
func TestDemoLeavesNothing(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, stop := context.WithCancel(t.Context())
	var out said
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--listen", "localhost:0"}, process{in: strings.NewReader(""), out: &out, err: &out})
	}()
	out.await(t, `Ctrl-C ends it`)
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d\n%s", code, &out)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
