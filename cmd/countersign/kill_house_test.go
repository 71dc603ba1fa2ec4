package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/policies"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// programFolder holds the built program, once there is one.
var programFolder string

// program is the built program: what is killed is what is shipped, and under the race
// detector what it watches.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "countersign-built")
	if err != nil {
		return "", err
	}
	programFolder = dir
	path := filepath.Join(dir, "countersign")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if underRace {
		build = exec.Command("go", "build", "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-o", path, ".")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// plant is an organisation whose server runs as a process of its own, so that it can
// be killed.
type plant struct {
	t      testing.TB
	cfg    store.Config // of its database
	dir    string       // keys and guard
	url    string
	key    string // API key of the purchasing system
	people map[string]*worker
	server *exec.Cmd
	log    bytes.Buffer // what the servers wrote
	http   *http.Client
}

// worker is one person with a passkey and, some, a code generator.
type worker struct {
	login, id string
	key       *softkey.Key
	token     string // of the session
	secret    string
}

const plantPassword = "quiet-lantern-orchard-9"

// newPlant founds an organisation over an empty database, whose people have enrolled.
// Their passkeys are ordinary ones to the server.
func newPlant(t testing.TB, cfg store.Config) *plant {
	t.Helper()
	p := &plant{t: t, cfg: cfg, dir: t.TempDir(), people: map[string]*worker{}}
	p.http = &http.Client{Timeout: steady.Limit, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.must(l.Close())
	p.url = "http://localhost:" + port
	p.found(t.Context())
	t.Cleanup(p.kill)
	return p
}

func (p *plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, lastOf(p.log.String(), 3000))
	}
}

func lastOf(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// found makes the organisation as a server would, and moves its people in.
func (p *plant) found(ctx context.Context) {
	p.t.Helper()
	db, err := store.Open(ctx, p.cfg)
	p.must(err)
	defer db.Close()
	text, err := policies.Files.ReadFile(policies.Procurement)
	p.must(err)
	zero := 0
	host := strings.TrimPrefix(p.url, "http://")
	org, err := authority.Create(ctx, db, authority.NewOrganisation{Name: "Plant", Host: host, PublicURL: p.url, RPID: "localhost",
		Settings: authority.Settings{CoolOff: &zero, HistorySettling: &zero}, Policy: policy.Source{File: policies.Procurement, Text: text}})
	p.must(err)
	p.cfg.Org = org
	keys, err := checkpoint.OpenKeys(filepath.Join(p.dir, "keys"), authority.LogOrigin(host, org))
	p.must(err)
	guard, err := store.OpenFileGuard(filepath.Join(p.dir, "guard"))
	p.must(err)
	defer guard.Close()
	a, err := authority.Open(ctx, authority.Config{DB: db.For(org), Keys: keys, Guard: guard, Log: slog.New(slog.DiscardHandler)})
	p.must(err)
	loop, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); a.Run(loop) }()
	for _, who := range []struct {
		login  string
		groups []string
	}{{"samuel", []string{"administrators"}}, {"marta", []string{"approvers", "finance", "treasury"}}, {"daniel", []string{"approvers", "finance", "treasury"}}, {"elif", nil}} {
		id, err := a.AddPersonOffline(ctx, authority.NewPerson{Login: who.login, Name: who.login, Email: who.login + "@example.com", Groups: who.groups})
		p.must(err)
		w := &worker{login: who.login, id: id}
		p.people[who.login] = w
		if who.groups != nil {
			p.enrol(ctx, a, w)
		}
	}
	made, err := a.CreateKeyOffline(ctx, authority.NewKey{Name: "erp", Source: "erp", Scopes: []string{"submit", "release", "facts", "audit"}})
	p.must(err)
	p.key = made.Key
	p.must(a.Publish(ctx))
	stop()
	<-ended
}

func (p *plant) enrol(ctx context.Context, a *authority.Authority, w *worker) {
	inv, err := a.InviteOffline(ctx, w.id, w.login == "samuel")
	p.must(err)
	in, err := a.RedeemInvitation(ctx, inv.Token)
	p.must(err)
	w.key = softkey.New()
	w.key.Behaviour.AAGUID = make([]byte, 16) // of no model that says it is simulated
	e := p.finish(ctx, a, in.Token, authn.KindPasskey, func(c *authority.Ceremony) authority.EnrolBody {
		response, err := w.key.Register(c.Options, p.url)
		p.must(err)
		return authority.EnrolBody{Passkey: response}
	})
	if e.NeedsConfirmation {
		by := p.people["samuel"]
		s, err := a.AuthenticateSession(ctx, by.token)
		p.must(err)
		p.must(a.ConfirmEnrolment(ctx, s, e.ID, authority.ConfirmBody{Compare: e.Compare, StepUp: p.stepUp(ctx, a, by, "confirm:"+e.ID)}))
	}
	begun, err := a.BeginSignIn(ctx)
	p.must(err)
	response, err := w.key.Assert(begun.Options, p.url)
	p.must(err)
	signed, err := a.SignIn(ctx, authority.SignInBody{Challenge: begun.Challenge, Binding: begun.Binding, Passkey: response})
	p.must(err)
	w.token = signed.Token
	if w.login != "marta" {
		return
	}
	s, err := a.AuthenticateSession(ctx, w.token)
	p.must(err)
	granted, err := a.GrantEnrolment(ctx, s, p.stepUp(ctx, a, w, "enrol"))
	p.must(err)
	p.finish(ctx, a, granted.Token, authn.KindTOTP, func(c *authority.Ceremony) authority.EnrolBody {
		w.secret = strings.ReplaceAll(c.Secret, " ", "")
		return authority.EnrolBody{Code: p.code(w, -1), Password: plantPassword}
	})
}

func (p *plant) finish(ctx context.Context, a *authority.Authority, token string, kind authn.Kind, answer func(*authority.Ceremony) authority.EnrolBody) *authority.Enrolled {
	s, err := a.AuthenticateSession(ctx, token)
	p.must(err)
	c, err := a.BeginEnrolment(ctx, s, kind)
	p.must(err)
	body := answer(c)
	body.Challenge, body.Name = c.Challenge, string(kind)
	e, err := a.FinishEnrolment(ctx, s, body)
	p.must(err)
	return e
}

func (p *plant) stepUp(ctx context.Context, a *authority.Authority, w *worker, subject string) authority.StepUpBody {
	s, err := a.AuthenticateSession(ctx, w.token)
	p.must(err)
	c, err := a.BeginStepUp(ctx, s, subject)
	p.must(err)
	response, err := w.key.Assert(c.Options, p.url)
	p.must(err)
	return authority.StepUpBody{Challenge: c.Challenge, Passkey: response}
}

// code is what a person's app shows, steps of 30 seconds away from now.
func (p *plant) code(w *worker, steps int64) string {
	c, err := hotp.GenerateCodeCustom(w.secret, uint64(time.Now().Unix()/30+steps), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	p.must(err)
	return c
}

// start starts the built program over the plant's data, and waits until it answers.
func (p *plant) start() {
	p.t.Helper()
	path, err := program()
	p.must(err)
	p.server = exec.Command(path, "serve")
	database := "sqlite"
	if p.cfg.Driver == store.Postgres {
		database = p.cfg.DSN
	}
	data := filepath.Dir(p.cfg.Path)
	if p.cfg.Path == "" {
		data = filepath.Join(p.dir, "data")
	}
	p.server.Env = append(os.Environ(), "COUNTERSIGN_DATA="+data, "COUNTERSIGN_KEYS="+filepath.Join(p.dir, "keys"), "COUNTERSIGN_GUARD="+filepath.Join(p.dir, "guard"),
		"COUNTERSIGN_DATABASE="+database, "COUNTERSIGN_PUBLIC_URL="+p.url, "COUNTERSIGN_LISTEN="+strings.TrimPrefix(p.url, "http://"),
		"COUNTERSIGN_REQUESTS_PER_KEY=0", "COUNTERSIGN_REQUESTS_PER_HOST=0", "COUNTERSIGN_SIGN_INS_PER_HOST=0", "COUNTERSIGN_LOG_LEVEL=warn")
	p.log.Reset()
	p.server.Stdout, p.server.Stderr = &p.log, &p.log
	p.must(p.server.Start())
	for end := time.Now().Add(steady.Limit); ; time.Sleep(5 * time.Millisecond) {
		if res, err := p.http.Get(p.url + "/healthz"); err == nil {
			res.Body.Close()
			return
		}
		if time.Now().After(end) {
			p.kill()
			p.t.Fatalf("the server does not answer\n%s", p.log.String())
		}
	}
}

// kill ends the server as a power cut would end it: with SIGKILL.
func (p *plant) kill() {
	if p.server == nil {
		return
	}
	p.server.Process.Signal(syscall.SIGKILL)
	p.server.Wait()
	if strings.Contains(p.log.String(), "WARNING: DATA RACE") {
		p.t.Errorf("the race detector: %s", p.log.String())
	}
	p.server = nil
	p.http.CloseIdleConnections()
}

// call calls the API once. A problem is a *countersign.Problem; anything else means
// that the caller does not know what became of it.
func (p *plant) call(method, path, token string, body, out any) error {
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, p.url+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		problem := new(countersign.Problem)
		if err := json.Unmarshal(data, problem); err != nil {
			return err
		}
		return problem
	}
	return json.Unmarshal(data, out)
}

// unavailable reports whether an answer says that it may be asked again.
func unavailable(err error) bool {
	var p *countersign.Problem
	return errors.As(err, &p) && p.Code == countersign.CodeUnavailable
}

func isProblem(err error) bool {
	var p *countersign.Problem
	return errors.As(err, &p)
}

// purchase is an order, of a vendor of its own so that sums stay small.
func purchase(id, amount string) json.RawMessage {
	raw, err := json.Marshal(countersign.Document{Kind: countersign.KindPurchaseOrder, ID: id, Revision: "1", Entity: "DE01", CostCentre: "4100", Category: "it",
		Amount: &countersign.Amount{Value: amount, Currency: "EUR"}, Payee: &countersign.Payee{ID: "V-" + id, Name: "Vendor of " + id},
		Requester: &countersign.Party{Type: "person", ID: "elif", Name: "elif"}})
	if err != nil {
		panic(err)
	}
	return raw
}

func (p *plant) submit(document json.RawMessage) (*countersign.Approval, error) {
	out := new(countersign.Approval)
	return out, p.call("POST", "/v1/requests", p.key, countersign.RequestBody{Document: document}, out)
}

func (p *plant) release(request string, document json.RawMessage, execution string) (*countersign.ReleaseAnswer, error) {
	out := new(countersign.ReleaseAnswer)
	return out, p.call("POST", "/v1/release", p.key, countersign.ReleaseBody{Request: request, Document: document, Execution: execution}, out)
}

// decide approves a request with the person's passkey.
func (p *plant) decide(w *worker, a *countersign.Approval) (*countersign.Approval, error) {
	challenge := new(countersign.ChallengeAnswer)
	body := countersign.ChallengeBody{Digest: a.Digest, Act: countersign.ActApprove}
	if err := p.call("POST", "/v1/requests/"+a.ID+"/challenges", w.token, body, challenge); err != nil {
		return nil, err
	}
	response, err := w.key.Assert(challenge.Passkey, p.url)
	if err != nil {
		return nil, err
	}
	out := new(countersign.Approval)
	return out, p.call("POST", "/v1/requests/"+a.ID+"/decisions", w.token, countersign.DecisionBody{Challenge: challenge.ID, Passkey: response}, out)
}
