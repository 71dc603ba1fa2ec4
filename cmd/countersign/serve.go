package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/notify"
	"github.com/countersign/countersign/internal/terminal"
	"github.com/countersign/countersign/internal/web"
)

// serveCmd runs the server. Without any configuration it founds an organisation in
// ./countersign-data, listens on this machine only, and prints the link by which the
// first administrator enrols.
type serveCmd struct {
	Config    string `short:"c" placeholder:"FILE" help:"The configuration. Without one: the defaults and the environment (countersign config example)."`
	Name      string `default:"My organisation" help:"Name of the organisation, where this start founds it."`
	Admin     string `placeholder:"LOGIN" help:"Login name of the first administrator, until somebody has enrolled. Default: whoever was named before, else admin."`
	AdminName string `placeholder:"NAME" help:"Their name, as it stands in the evidence of what they decide."`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, p *process) error {
	config, err := Load(c.Config, p.env)
	if err != nil {
		return err
	}
	log := newLog(&config, p)
	ln, err := listenOn(config.Listen)
	if err != nil {
		return withHint(err, "another program uses that port: choose another one with listen (COUNTERSIGN_LISTEN)")
	}
	config.PublicURL = withPort(config.PublicURL, ln[0].Addr())
	in, err := openInstallation(ctx, config, &foundation{Name: c.Name, Login: c.Admin, Admin: c.AdminName}, log)
	if err != nil {
		closeAll(ln)
		return err
	}
	s, err := newServing(in, log)
	if err != nil {
		closeAll(ln)
		return errors.Join(err, in.close())
	}
	if err := c.welcome(ctx, p, in, ln); err != nil {
		closeAll(ln)
		return errors.Join(err, in.close())
	}
	debug.SetGCPercent(gcPercent)
	return errors.Join(s.run(ctx, ln), in.close())
}

// gcPercent trades some memory for time: what a call leaves behind is small and many.
const gcPercent = 400

// newLog writes what happens to the error output.
func newLog(config *Config, p *process) *slog.Logger {
	o := &slog.HandlerOptions{Level: config.LogLevel}
	if config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.err, o))
	}
	return slog.New(slog.NewTextHandler(p.err, o))
}

// withPort puts the port that was found into an address that left it open.
func withPort(address string, at net.Addr) string {
	if rest, ok := strings.CutSuffix(address, ":0"); ok {
		_, port, _ := net.SplitHostPort(at.String())
		return rest + ":" + port
	}
	return address
}

// welcome says where the server is, and how to begin where nobody has yet. The link
// goes to the output and never into the log.
func (c *serveCmd) welcome(ctx context.Context, p *process, in *installation, ln []net.Listener) error {
	at := make([]string, len(ln))
	for i, l := range ln {
		at[i] = l.Addr().String()
	}
	p.printf("countersign listens on %s\n", strings.Join(at, " and "))
	for _, a := range in.authorities {
		o := a.Organisation()
		p.printf("%s: %s\n", o.Name, o.PublicURL)
		link, err := a.SetUpLink(ctx, authority.NewPerson{Login: c.Admin, Name: c.AdminName})
		if err != nil {
			return err
		}
		if link != nil {
			p.printf("\nNobody has enrolled yet. The first administrator, %s, enrols with this link, once, before %s:\n\n  %s\n\n", link.Name, terminal.Minute(link.ExpiresAt), link.URL)
		}
	}
	return nil
}

// serving is everything that runs while the server does.
type serving struct {
	config Config
	in     *installation
	api    *api.API
	pages  *web.Site
	front  http.Handler
	bells  []*notify.Bell // one for each organisation
	log    *slog.Logger
	certs  *certificates // nil without TLS
}

func newServing(in *installation, log *slog.Logger) (*serving, error) {
	s := &serving{config: in.config, in: in, log: log}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStoreMetrics(in))
	for _, a := range in.authorities {
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"organisation": a.Org()}, registry)
		for _, c := range a.Collectors() {
			if err := labelled.Register(c); err != nil {
				return nil, err
			}
		}
	}
	var err error
	s.api, err = api.New(api.Config{Authorities: in.authorities, Log: log, MaxBody: in.config.MaxBodyBytes, TrustedProxies: in.config.TrustedProxies,
		Limits: limitsOf(&in.config), Metrics: registry, HideMetrics: in.config.MetricsListen != ""})
	if err != nil {
		return nil, err
	}
	s.pages, err = web.New(web.Config{Authorities: in.authorities, Log: log, TrustedProxies: in.config.TrustedProxies,
		Attempts: in.config.SignInsPerHost, Limits: pageLimitsOf(&in.config), Demo: in.demo})
	if err != nil {
		return nil, err
	}
	if s.bells, err = newBells(in, log); err != nil {
		return nil, err
	}
	s.front = &front{api: s.api, pages: s.pages}
	if in.config.TLSCertificate != "" {
		s.certs = &certificates{cert: in.config.TLSCertificate, key: in.config.TLSKey, log: log}
		if err := s.certs.load(); err != nil {
			return nil, fmt.Errorf("tls_certificate: %w", err)
		}
	}
	return s, nil
}

// limitsOf turns the configured bounds into the API's; 0 is none.
func limitsOf(c *Config) api.Limits {
	bound := func(n int, over, burst float64) api.Rate {
		if n == 0 {
			return api.Rate{PerSecond: math.MaxInt32, Burst: math.MaxInt32}
		}
		return api.Rate{PerSecond: float64(n) / over, Burst: max(1, int(float64(n)*burst))}
	}
	return api.Limits{Key: bound(c.RequestsPerKey, 1, 2), Person: bound(c.RequestsPerHost, 1, 2), Address: bound(c.RequestsPerHost, 1, 2), SignIn: bound(c.SignInsPerHost, 60, 1)}
}

// pageLimitsOf turns the configured bounds into the pages'. Without a bound on requests
// there is none on pages; what trying drafts costs is bounded always.
func pageLimitsOf(c *Config) web.Limits {
	if c.RequestsPerHost == 0 {
		return web.Limits{Person: web.Unlimited.Person, Address: web.Unlimited.Address}
	}
	return web.Limits{Address: web.Rate{PerSecond: float64(c.RequestsPerHost), Burst: 2 * c.RequestsPerHost}}
}

// Bounds of a connection: who reads or writes slowly does not hold it for ever.
const (
	readHeaderWithin = 10 * time.Second
	readWithin       = 30 * time.Second
	writeWithin      = 60 * time.Second
	idleFor          = 2 * time.Minute
	maxHeaderBytes   = 32 << 10
	stopWithin       = 20 * time.Second
)

func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: readHeaderWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// run serves until the context ends or something fails. Then it accepts nothing new,
// finishes what is under way, publishes the log, and returns.
func (s *serving) run(ctx context.Context, ln []net.Listener) error {
	server := newHTTPServer(s.front, s.log)
	if s.certs != nil {
		server.TLSConfig = s.certs.tls()
	}
	failed := make(chan error, len(ln)+1)
	for _, l := range ln {
		go func() {
			if s.certs != nil {
				failed <- server.ServeTLS(l, "", "")
			} else {
				failed <- server.Serve(l)
			}
		}()
	}
	figures, err := s.serveMetrics(failed)
	if err != nil {
		server.Close()
		return err
	}
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := s.loops(loops)
	s.log.Info("serving", "listen", s.config.Listen, "database", s.in.db.Driver(), "public_url", s.config.PublicURL)

	var cause error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err := <-failed:
		cause = fmt.Errorf("serve: %w", err)
	}
	s.pages.Stop() // pages that stay open would hold the end up
	until, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := server.Shutdown(until); err != nil {
		s.log.Warn("calls were cut off at the end", "error", err)
		server.Close()
	}
	if figures != nil {
		figures.Close()
	}
	stop()
	ended.Wait()
	for _, a := range s.in.authorities {
		if err := a.Publish(until); err != nil {
			s.log.Warn("the log could not be published at the end; the next start does", "error", err)
		}
	}
	return cause
}

func (s *serving) serveMetrics(failed chan<- error) (*http.Server, error) {
	if s.config.MetricsListen == "" {
		return nil, nil
	}
	ln, err := listenOn(s.config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("metrics_listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.api.Metrics())
	server := newHTTPServer(mux, s.log)
	for _, l := range ln {
		go func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	return server, nil
}

// loops runs what time alone brings about: each organisation's clock and its outbox,
// and the certificates.
func (s *serving) loops(ctx context.Context) *sync.WaitGroup {
	var all sync.WaitGroup
	for i, a := range s.in.authorities {
		all.Go(func() {
			if err := a.Run(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("the clock of an organisation stopped", "organisation", a.Org(), "error", err)
			}
		})
		all.Go(func() { s.bells[i].Run(ctx) })
	}
	if s.certs != nil {
		all.Go(func() { s.certs.watch(ctx) })
	}
	return &all
}

// listenOn listens on an address; localhost is both loopback addresses, on one port.
func listenOn(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host != "localhost" {
		l, err := net.Listen("tcp", address)
		return []net.Listener{l}, err
	}
	const attempts = 10 // a free port of one family may be taken in the other
	for try := 0; ; try++ {
		four, err := net.Listen("tcp4", "127.0.0.1:"+port)
		if err != nil {
			return nil, err
		}
		_, same, _ := net.SplitHostPort(four.Addr().String())
		six, err := net.Listen("tcp6", "[::1]:"+same)
		switch {
		case err == nil:
			return []net.Listener{four, six}, nil
		case !inUse(err): // a machine without IPv6
			return []net.Listener{four}, nil
		case port != "0" || try == attempts:
			four.Close()
			return nil, err
		}
		four.Close()
	}
}

func closeAll(ln []net.Listener) {
	for _, l := range ln {
		l.Close()
	}
}
