// Package testkit runs a whole server for tests, on a free port, over either
// database, with people who have software authenticators. Every answer is held
// against the API's description, and everything that was logged is searched for
// secrets. Only tests import it.
package testkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/testkit/steady"
	"github.com/countersign/countersign/internal/web"
	"github.com/countersign/countersign/policies"
)

// Options change what [Start] starts. The zero value is an ordinary server.
type Options struct {
	API       func(*api.Config)                  // edits the API's configuration
	Authority func(*authority.Config)            // edits the authority's
	Settings  func(*authority.Settings)          // edits the organisation's; no cool-off and no settling time are set before
	Handler   func(http.Handler) http.Handler    // wraps the API and the pages
	Pages     func(*web.Config)                  // edits the pages' configuration
	Create    func(n *authority.NewOrganisation) // edits what the organisation is created from
	Unchecked bool                               // answers are not held against the description
}

// Server is a running server and everything that a test needs of it.
type Server struct {
	T         testing.TB
	URL       string // http://localhost:PORT
	Addr      string // where it listens
	API       *api.API
	Site      *web.Site
	Authority *authority.Authority
	DB        *store.DB
	Org       string
	Clock     *Clock
	Key       string // an API key of the source "erp" with every scope
	KeyID     string

	client *http.Client
	log    *lockedBuffer
	seen   *secrets
	mu     *sync.Mutex
	people map[string]*Person
}

// Clock is the time of day, moved by tests.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Forward moves the clock. PostgreSQL has a clock of its own, and a server whose clock
// disagrees with it decides nothing: there only moves of less than five minutes work.
func (c *Clock) Forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Each runs a test on every database.
func Each(t *testing.T, test func(*testing.T, *Server)) {
	t.Helper()
	EachWith(t, Options{}, test)
}

// EachWith is Each with options.
func EachWith(t *testing.T, o Options, test func(*testing.T, *Server)) {
	t.Helper()
	storetest.EachConfig(t, func(t *testing.T, cfg store.Config) { test(t, Start(t, cfg, o)) })
}

// StartSQLite starts a server over a fresh SQLite database.
func StartSQLite(t testing.TB, o Options) *Server {
	t.Helper()
	return Start(t, storetest.SQLite(t), o)
}

// Start starts a server until the end of the test.
func Start(t testing.TB, cfg store.Config, o Options) *Server {
	t.Helper()
	s := &Server{T: t, Clock: &Clock{}, log: &lockedBuffer{}, seen: newSecrets(), mu: new(sync.Mutex), people: map[string]*Person{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.Must(err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.Addr, s.URL = listener.Addr().String(), "http://localhost:"+port
	s.open(cfg, o)
	made, err := s.Authority.CreateKeyOffline(t.Context(), authority.NewKey{Name: "everything", Source: "erp",
		Scopes: []string{"submit", "evaluate", "facts", "alert", "release", "audit", "provisioning", "vouch"}, Returns: []string{"https://erp.example.com"}})
	s.Must(err)
	s.Key, s.KeyID = made.Key, made.ID
	s.seen.add(made.Key)
	s.serve(listener, o)
	return s
}

func (s *Server) open(cfg store.Config, o Options) {
	t := s.T
	cfg.Clock = s.Clock.Now
	db, err := store.Open(t.Context(), cfg)
	s.Must(err)
	t.Cleanup(func() { db.Close() })
	text, err := policies.Files.ReadFile(policies.Procurement)
	s.Must(err)
	zero := 0
	n := authority.NewOrganisation{Name: "Example", Host: strings.TrimPrefix(s.URL, "http://"), PublicURL: s.URL, RPID: "localhost",
		Settings: authority.Settings{CoolOff: &zero, HistorySettling: &zero}, Policy: policy.Source{File: policies.Procurement, Text: text}}
	if o.Settings != nil {
		o.Settings(&n.Settings)
	}
	if o.Create != nil {
		o.Create(&n)
	}
	s.Org, err = authority.Create(t.Context(), db, n)
	s.Must(err)
	dir := t.TempDir()
	keys, err := checkpoint.OpenKeys(filepath.Join(dir, "keys"), authority.LogOrigin(n.Host, s.Org))
	s.Must(err)
	guard, err := store.OpenFileGuard(filepath.Join(dir, "guard"))
	s.Must(err)
	t.Cleanup(func() { guard.Close() })
	s.DB = db.For(s.Org)
	ac := authority.Config{DB: s.DB, Keys: keys, Guard: guard, Log: s.Logger(), Simulated: true, Steady: s.Clock.Now, Publishes: steady.Limit}
	if o.Authority != nil {
		o.Authority(&ac)
	}
	s.Authority, err = authority.Open(t.Context(), ac)
	s.Must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Authority.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
}

func (s *Server) serve(listener net.Listener, o Options) {
	t := s.T
	ac := api.Config{Authorities: []*authority.Authority{s.Authority}, Log: s.Logger(), Limits: Unlimited}
	if o.API != nil {
		o.API(&ac)
	}
	var err error
	s.API, err = api.New(ac)
	s.Must(err)
	wc := web.Config{Authorities: []*authority.Authority{s.Authority}, Log: s.Logger(), Clock: s.Clock.Now, Limits: web.Unlimited}
	if o.Pages != nil {
		o.Pages(&wc)
	}
	s.Site, err = web.New(wc)
	s.Must(err)
	t.Cleanup(s.Site.Stop)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Serves(r.URL.Path) {
			s.API.ServeHTTP(w, r)
			return
		}
		s.Site.ServeHTTP(w, r)
	})
	if o.Handler != nil {
		h = o.Handler(h)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: steady.Limit, ErrorLog: slog.NewLogLogger(s.Logger().Handler(), slog.LevelWarn)}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: &watcher{t: t, next: transport, seen: s.seen, unchecked: o.Unchecked},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(s.checkLog)
}

// Unlimited are limits that no test reaches by accident.
var Unlimited = api.Limits{Key: api.Rate{PerSecond: 1e6, Burst: 1e6}, Evaluate: api.Rate{PerSecond: 1e6, Burst: 1e6}, Person: api.Rate{PerSecond: 1e6, Burst: 1e6},
	Address: api.Rate{PerSecond: 1e6, Burst: 1e6}, SignIn: api.Rate{PerSecond: 1e6, Burst: 1e6}}

// With is the same server for another test, such as one run of a fuzz target.
func (s *Server) With(t testing.TB) *Server {
	other := *s
	w := s.client.Transport.(*watcher)
	client := *s.client
	client.Transport = &watcher{t: t, next: w.next, seen: w.seen, unchecked: w.unchecked}
	other.T, other.client = t, &client
	return &other
}

// Logger writes to what is searched for secrets at the end of the test.
func (s *Server) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Log is what was logged until now.
func (s *Server) Log() string { return s.log.String() }

// Secret remembers something that must never be logged.
func (s *Server) Secret(secret string) { s.seen.add(secret) }

// checkLog searches the log for every secret that was made.
func (s *Server) checkLog() {
	text := s.log.String()
	for _, secret := range s.seen.all() {
		if strings.Contains(text, secret) {
			s.T.Errorf("the log holds a secret: %.8s…", secret)
		}
	}
}

// HTTP is the client by which everything is called: it checks every answer.
func (s *Server) HTTP() *http.Client { return s.client }

// Client is the Go client of a key.
func (s *Server) Client(key string) *countersign.Client {
	return &countersign.Client{BaseURL: s.URL, Key: key, HTTP: s.client}
}

// APIKey makes an API key with scopes.
func (s *Server) APIKey(source string, scopes ...string) string {
	s.T.Helper()
	made, err := s.Authority.CreateKeyOffline(s.T.Context(), authority.NewKey{Name: source + " key", Source: source, Scopes: scopes})
	s.Must(err)
	s.seen.add(made.Key)
	return made.Key
}

// Must fails the test on an error, with everything that led to it.
func (s *Server) Must(err error) {
	s.T.Helper()
	if err == nil {
		return
	}
	var p *countersign.Problem
	if errors.As(err, &p) {
		s.T.Fatalf("%v (code %s, cause %v) %+v\n%s", err, p.Code, errors.Unwrap(p), p.Reasons, tail(s.log.String()))
	}
	s.T.Fatalf("%v\n%s", err, tail(s.log.String()))
}

func tail(s string) string {
	if len(s) > 2000 {
		return "…" + s[len(s)-2000:]
	}
	return s
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*lockedBuffer)(nil)
