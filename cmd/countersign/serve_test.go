package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/policies"
)

// heard collects what a running command writes.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// find waits for a pattern and returns its group.
func (h *heard) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(steady.Limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(h.String()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("%s was not written:\n%s", pattern, h)
	return ""
}

// served is a serve that runs in this process.
type served struct {
	t        *testing.T
	url      string
	out, err heard
	stop     context.CancelFunc
	done     chan int
}

// serveWith starts serve over a folder, on a free port.
func serveWith(t *testing.T, dir string, env ...string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &served{t: t, stop: stop, done: make(chan int, 1)}
	env = append([]string{"COUNTERSIGN_DATA=" + filepath.Join(dir, "data"), "COUNTERSIGN_LISTEN=localhost:0", "COUNTERSIGN_LOG_FORMAT=json"}, env...)
	go func() {
		s.done <- run(ctx, []string{"serve", "--name", "Acme"}, process{in: strings.NewReader(""), out: &s.out, err: &s.err, env: env})
	}()
	t.Cleanup(func() { stop() })
	return s
}

func (s *served) ready() *served {
	s.t.Helper()
	s.err.find(s.t, `("msg":"serving")`)
	s.url = s.out.find(s.t, `(?m)^Acme: (\S+)$`)
	return s
}

// ended stops it and returns the exit code.
func (s *served) ended() int {
	s.t.Helper()
	s.stop()
	select {
	case code := <-s.done:
		return code
	case <-time.After(steady.Limit):
		s.t.Fatal("it does not end")
		return -1
	}
}

func fetch(t *testing.T, c *http.Client, url, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	must(t, err)
	if host != "" {
		r.Host = host
	}
	res, err := c.Do(r)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(b)
}

var plain = &http.Client{Timeout: steady.Limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Zero configuration: everything is made, the set-up link is printed at every start
// until somebody has enrolled, and a restart finds what was there.
func TestServeFromNothing(t *testing.T) {
	dir := t.TempDir()
	s := serveWith(t, dir).ready()
	first := s.out.find(t, `(csi_[0-9a-z]+)`)
	for path, want := range map[string]struct {
		status int
		text   string
	}{"/": {303, ""}, "/sign-in": {200, "Sign in with a passkey"}, "/healthz": {200, "ok"}, "/readyz": {200, `"guard","ok":true`}, "/nothing": {404, "There is nothing here"}, "/%3Cscript%3E": {404, "There is nothing here"},
		"/v1/requests": {401, "unauthenticated"}, "/openapi.json": {200, "3.1.0"}} {
		if status, text := fetch(t, plain, s.url+path, ""); status != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := fetch(t, plain, s.url+"/", "evil.example.com"); status != 421 {
		t.Errorf("a foreign host: %d", status)
	}
	if status, _ := fetch(t, plain, s.url+"/r/x", strings.Replace(strings.TrimPrefix(s.url, "http://"), "localhost", "127.0.0.1", 1)); status != 307 {
		t.Errorf("the bare address: %d", status)
	}
	for _, path := range []string{"/nothing", "/demo/be", "/demo/trick", "/demo/anew"} {
		if res, err := plain.Post(s.url+path, "application/x-www-form-urlencoded", strings.NewReader("login=samuel&trick=row")); err != nil || res.StatusCode != 404 {
			t.Errorf("POST of %s: %v %v", path, res, err)
		}
	}
	for _, path := range []string{"/demo", "/demo/app"} { // for trying, never here
		if status, _ := fetch(t, plain, s.url+path, ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, name := range []string{"data", "data-keys", "data-guard"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if code := s.ended(); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &s.err)
	}
	again := serveWith(t, dir, "COUNTERSIGN_PUBLIC_URL="+s.url).ready()
	if second := again.out.find(t, `(csi_[0-9a-z]+)`); second == first {
		t.Error("the same link twice")
	}
	for _, log := range []string{s.err.String(), again.err.String()} {
		if strings.Contains(log, "csi_") {
			t.Error("a link is in the log")
		}
	}
	if code := again.ended(); code != exitDone {
		t.Errorf("exit code %d: %s", code, &again.err)
	}
}

// What must not be served is refused, with what to do.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	s := serveWith(t, dir).ready()
	second := serveWith(t, dir, "COUNTERSIGN_PUBLIC_URL="+s.url)
	if code := <-second.done; code != exitFailed || !strings.Contains(second.err.String(), "hint: another countersign serves") {
		t.Errorf("a second one on the same folder: %d %s", code, &second.err)
	}
	taken := serveWith(t, t.TempDir(), "COUNTERSIGN_LISTEN="+strings.TrimPrefix(s.url, "http://"))
	if code := <-taken.done; code != exitFailed || !strings.Contains(taken.err.String(), "hint: another program uses that port") {
		t.Errorf("a port that is taken: %d %s", code, &taken.err)
	}
	s.ended()
	moved := serveWith(t, dir, "COUNTERSIGN_PUBLIC_URL=https://other.example.com")
	if code := <-moved.done; code != exitFailed || !strings.Contains(moved.err.String(), "passkeys are bound") {
		t.Errorf("another public_url: %d %s", code, &moved.err)
	}
	demo := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(demo, "data"), 0o700))
	db, err := store.Open(t.Context(), store.Config{Driver: store.SQLite, Path: filepath.Join(demo, "data", dataFile)})
	must(t, err)
	text, err := policies.Files.ReadFile(policies.Procurement)
	must(t, err)
	_, err = authority.Create(t.Context(), db, authority.NewOrganisation{Name: "Demo", Host: "localhost:8080", PublicURL: "http://localhost:8080", RPID: "localhost", Demo: true,
		Policy: policy.Source{File: policies.Procurement, Text: text}})
	must(t, err)
	must(t, db.Close())
	d := serveWith(t, demo)
	if code := <-d.done; code != exitFailed || !strings.Contains(d.err.String(), "holds a demo") {
		t.Errorf("a demo's folder: %d %s", code, &d.err)
	}
}

// TLS ends here, and a certificate that was renewed is used without a restart.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	s := serveWith(t, dir, "COUNTERSIGN_TLS_CERTIFICATE="+cert, "COUNTERSIGN_TLS_KEY="+key).ready()
	if !strings.HasPrefix(s.url, "https://localhost:") {
		t.Fatal(s.url)
	}
	serial := func() int64 {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if serial() != 1 {
		t.Error("another certificate than the first")
	}
	client := &http.Client{Timeout: steady.Limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	res, err := client.Get(s.url + "/")
	must(t, err)
	res.Body.Close()
	if res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("HTTP/%d %v", res.ProtoMajor, res.Header)
	}
	must(t, os.WriteFile(cert, []byte("rubbish"), 0o600))
	hangUp(t)
	s.err.find(t, `(could not be read again)`)
	if serial() != 1 {
		t.Error("rubbish replaced the certificate")
	}
	writeCertificate(t, cert, key, 2)
	hangUp(t)
	s.err.find(t, `(was read again)`)
	if serial() != 2 {
		t.Error("the renewed certificate is not used")
	}
	client.CloseIdleConnections()
	if code := s.ended(); code != exitDone {
		t.Errorf("exit code %d: %s", code, &s.err)
	}
}

func hangUp(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	must(t, err)
	must(t, self.Signal(syscall.SIGHUP))
}

func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	must(t, err)
	pk, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk}), 0o600))
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

// What somebody is to be told becomes a line of the log, once its entry is published:
// ids, and nothing of the document.
func TestDoorbell(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		s.Settle()
		s.Person("marta")
		out := s.Submit(testkit.Order("PO-1", "30000.00"))
		var lines heard
		bell, err := notify.New(notify.Config{DB: s.DB, Log: slog.New(slog.NewTextHandler(&lines, nil))})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); bell.Run(ctx) }()
		lines.find(t, `waiting for a decision.*(`+out.ID+`)`)
		if strings.Contains(lines.String(), "Nordwind") || strings.Contains(lines.String(), "30000") {
			t.Errorf("contents are told: %s", &lines)
		}
		for end := time.Now().Add(steady.Limit); ; time.Sleep(10 * time.Millisecond) {
			var left int64
			must(t, s.DB.Read(t.Context(), func(tx *store.Tx) error {
				c, err := tx.OutboxCounts()
				left = c.Waiting + c.Dead
				return err
			}))
			if left == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d events are left", left)
			}
		}
		stop()
		<-ended
	})
}

// Figures on a listener of their own are not on the other one.
func TestServeFigures(t *testing.T) {
	at := "localhost:" + unusedPort(t)
	s := serveWith(t, t.TempDir(), "COUNTERSIGN_METRICS_LISTEN="+at).ready()
	if status, _ := fetch(t, plain, s.url+"/metrics", ""); status != 404 {
		t.Errorf("/metrics on the public listener: %d", status)
	}
	status, text := fetch(t, plain, "http://"+at+"/metrics", "")
	for _, want := range []string{"countersign_log_entries{", "countersign_outbox_waiting{", "countersign_store_commits_total", "countersign_http_calls_total", "go_goroutines"} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("%d, without %s", status, want)
		}
	}
	s.ended()
}

func unusedPort(t *testing.T) string {
	t.Helper()
	ln, err := listenOn("localhost:0")
	must(t, err)
	defer closeAll(ln)
	var port string
	_, err = fmt.Sscanf(ln[0].Addr().String(), "127.0.0.1:%s", &port)
	must(t, err)
	return port
}
