package notify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// mailServer is scripts/mailserver.js while it runs.
type mailServer struct {
	address string
	roots   *x509.CertPool
	said    chan event
}

// event is a line that the server writes.
type event struct {
	Port   int      `json:"port"`
	Auth   string   `json:"auth"`
	OK     bool     `json:"ok"`
	Mail   []byte   `json:"mail"`
	From   string   `json:"from"`
	To     []string `json:"to"`
	Secure bool     `json:"secure"`
	User   string   `json:"user"`
	Drop   bool     `json:"dropped"`
	Error  string   `json:"error"`
}

const (
	mailUser     = "countersign"
	mailPassword = "a pass word: with ümlauts"
)

func startMailServer(t *testing.T, mode string, env ...string) *mailServer {
	t.Helper()
	tools, err := filepath.Abs(filepath.Join("..", "..", ".tools", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if _, missing := os.Stat(filepath.Join(tools, "smtp-server")); err != nil || missing != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no mail server: scripts/test installs it")
		}
		t.Skip("no mail server: scripts/test installs it")
	}
	dir := t.TempDir()
	s := &mailServer{roots: certificate(t, dir), said: make(chan event, 100)}
	cmd := exec.Command(node, filepath.Join("..", "..", "scripts", "mailserver.js"), mode)
	cmd.Env = append(os.Environ(), "NODE_PATH="+tools, "CERT="+filepath.Join(dir, "crt"), "KEY="+filepath.Join(dir, "key"))
	cmd.Env = append(cmd.Env, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	go func() {
		defer close(s.said)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.said <- e
			}
		}
	}()
	s.address = net.JoinHostPort("localhost", strconv.Itoa(s.next(t).Port))
	return s
}

func (s *mailServer) next(t *testing.T) event {
	t.Helper()
	for {
		select {
		case e, ok := <-s.said:
			if !ok {
				t.Fatal("the mail server ended")
			}
			if e.Error == "" {
				return e
			}
		case <-time.After(steady.Limit):
			t.Fatal("the mail server says nothing")
		}
	}
}

// certificate makes a certificate authority and a certificate of it for localhost.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	make := func(c, parent *x509.Certificate, of, by *ecdsa.PrivateKey) []byte {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &of.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	ca, caKey := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key()
	root, err := x509.ParseCertificate(make(ca, ca, caKey, caKey))
	if err != nil {
		t.Fatal(err)
	}
	own := key()
	der := make(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}}, root, own, caKey)
	pk, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: pk}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool
}

func (s *mailServer) post(t *testing.T, change func(*SMTPConfig)) *SMTP {
	t.Helper()
	c := SMTPConfig{Server: s.address, TLS: TLSStart, Roots: s.roots, Timeout: steady.Limit}
	if change != nil {
		change(&c)
	}
	post, err := NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return post
}

func example(to string) *Mail {
	c := content{Subject: "Waiting for you: Invoice INV-7", Lead: "Elif asks, and your decision is needed.", Rows: []row{{"Amount", "EUR 30 000.00"}},
		Link: "https://approve.example.com/r/req_1", Action: "Open the request", Foot: []string{"This mail only rings."}}
	return &Mail{ID: "evt_1.per_1.waiting", Thread: "req_1", Host: "approve.example.com", Date: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		From: mail.Address{Name: "Countersign", Address: "countersign@example.com"}, To: mail.Address{Name: "Marta Kühn", Address: to},
		Subject: c.Subject, Text: c.text(), HTML: c.html("en")}
}

// parsed is a received mail, read by the standard library.
type parsed struct {
	header     mail.Header
	text, html string
	flowed     bool
}

func parse(t *testing.T, raw []byte) parsed {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	kind, args, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	out := parsed{header: msg.Header}
	for parts := multipart.NewReader(msg.Body, args["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, args, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(args["charset"], "utf-8") || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("part %v: %v", part.Header, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "text/plain":
			out.text, out.flowed = string(body), args["format"] == "flowed"
		case "text/html":
			out.html = string(body)
		}
	}
}

// A mail goes over an encrypted connection, signed in, and arrives as it was meant.
func TestMailIsHandedOver(t *testing.T) {
	for mode, tls := range map[string]string{"starttls": TLSStart, "implicit": TLSImplicit} {
		t.Run(mode, func(t *testing.T) {
			s := startMailServer(t, mode, "USER_NAME="+mailUser, "PASSWORD="+mailPassword)
			post := s.post(t, func(c *SMTPConfig) { c.TLS, c.User, c.Password = tls, mailUser, mailPassword })
			if err := post.Deliver(t.Context(), example("marta@example.com")); err != nil {
				t.Fatal(err)
			}
			if e := s.next(t); e.Auth == "" || !e.OK || !e.Secure {
				t.Fatalf("signed in: %+v", e)
			}
			e := s.next(t)
			if !e.Secure || e.User != mailUser || e.From != "countersign@example.com" || len(e.To) != 1 || e.To[0] != "marta@example.com" {
				t.Fatalf("%+v", e)
			}
			p := parse(t, e.Mail)
			for name, want := range map[string]string{"Message-Id": "<evt_1.per_1.waiting@approve.example.com>", "In-Reply-To": "<req_1@approve.example.com>",
				"References": "<req_1@approve.example.com>", "Auto-Submitted": "auto-generated", "List-Id": "<doorbell.approve.example.com>",
				"Date": "Tue, 24 Nov 2026 10:00:00 +0000", "Subject": "Waiting for you: Invoice INV-7"} {
				if got := p.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			to, err := p.header.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Name != "Marta Kühn" {
				t.Errorf("to %v: %v", to, err)
			}
			for _, part := range []string{p.text, p.html} {
				if !strings.Contains(part, "https://approve.example.com/r/req_1") || !strings.Contains(part, "EUR 30 000.00") {
					t.Errorf("the mail says\n%s", part)
				}
			}
			if !p.flowed || !strings.Contains(p.text, "\r\n-- \r\n") {
				t.Errorf("plain text is not flowed:\n%q", p.text)
			}
		})
	}
}

// A connection that is not encrypted is refused, by the certificate or altogether:
// nobody in between reads along (RFC 8314 §3).
func TestMailIsNotSentInClear(t *testing.T) {
	plain := startMailServer(t, "plain")
	if err := plain.post(t, nil).Deliver(t.Context(), example("marta@example.com")); !unreachable(err) || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("without STARTTLS: %v", err)
	}
	if err := plain.post(t, func(c *SMTPConfig) { c.TLS = TLSNone }).Deliver(t.Context(), example("marta@example.com")); err != nil {
		t.Errorf("on this machine, as it was asked for: %v", err)
	}
	s := startMailServer(t, "starttls")
	if err := s.post(t, func(c *SMTPConfig) { c.Roots = x509.NewCertPool() }).Check(t.Context()); !unreachable(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	if _, err := NewSMTP(SMTPConfig{Server: "smtp.example.com:25", TLS: TLSNone}); err == nil {
		t.Error("no TLS to another machine is allowed")
	}
	if _, err := NewSMTP(SMTPConfig{Server: "localhost:25", TLS: TLSNone, User: "u"}); err == nil {
		t.Error("a password without TLS is allowed")
	}
}

func unreachable(err error) bool {
	var d *DeliveryError
	return errors.As(err, &d) && d.Unreachable && !d.Permanent
}

// What the server says of a mail decides whether it comes again; what it says of us does
// not count against the mail.
func TestAnswersOfTheMailServer(t *testing.T) {
	s := startMailServer(t, "starttls", "SLOW_MS=3000")
	for _, c := range []struct {
		to        string
		permanent bool
		says      string
	}{{"no@example.com", true, "recipient: 550"}, {"large@example.com", true, "mail: 552"}, {"busy@example.com", false, "recipient: 450"}, {"drop@example.com", false, "lost"}} {
		err := s.post(t, nil).Deliver(t.Context(), example(c.to))
		var d *DeliveryError
		if !errors.As(err, &d) || d.Permanent != c.permanent || d.Unreachable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v", c.to, err)
		}
		if strings.Contains(err.Error(), c.to) {
			t.Errorf("the error names the recipient: %v", err)
		}
	}
	for _, to := range []string{"busy@example.com", "drop@example.com"} { // once, and then not again
		if err := s.post(t, nil).Deliver(t.Context(), example(to)); err != nil {
			t.Errorf("%s the second time: %v", to, err)
		}
	}
	err := s.post(t, func(c *SMTPConfig) { c.Timeout = 300 * time.Millisecond }).Deliver(t.Context(), example("slow@example.com"))
	var d *DeliveryError
	if !errors.As(err, &d) || d.Permanent {
		t.Errorf("a slow server: %v", err)
	}
	m := example("marta@example.com")
	m.From.Address = "unwelcome@example.com"
	if err := s.post(t, nil).Deliver(t.Context(), m); !errors.As(err, &d) || d.Permanent {
		t.Errorf("a refused sender: %v", err)
	}
}

// A wrong password is the operator's to put right: mails wait for it.
func TestWrongMailPassword(t *testing.T) {
	s := startMailServer(t, "starttls", "USER_NAME="+mailUser, "PASSWORD="+mailPassword)
	wrong := s.post(t, func(c *SMTPConfig) { c.User, c.Password = mailUser, "not it" })
	if err := wrong.Check(t.Context()); !unreachable(err) || strings.Contains(err.Error(), "not it") {
		t.Errorf("%v", err)
	}
	if err := s.post(t, func(c *SMTPConfig) { c.User, c.Password = mailUser, mailPassword }).Check(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wrong.Check(ctx); err == nil {
		t.Error("a call that was given up succeeds")
	}
}
