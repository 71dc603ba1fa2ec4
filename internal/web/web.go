// Package web is the pages: what approvers, controllers, auditors and administrators
// see and press in a browser. A page reads with one verb of the authority or changes
// with one, and renders what comes back; it decides nothing itself.
//
// Everything is rendered here, from the bytes that are signed, by html/template. The
// pages work without scripts, but for passkeys, which need one. Cookies open pages
// and never the API.
package web

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/authority"
)

// Config is what the pages are made of.
type Config struct {
	// Authorities are the organisations; the host name of a request selects one.
	Authorities []*authority.Authority
	Log         *slog.Logger
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Attempts bounds how many attempts to prove something one address may make in a
	// minute; 0 means no bound.
	Attempts int
	Limits   Limits
	Clock    func() time.Time // default time.Now
	// Demo is what the pages offer beyond the product where a demo runs; nil otherwise.
	Demo Demo
}

// Site is the handler of every page. It is safe for concurrent use.
type Site struct {
	cfg     Config
	hosts   map[string]*authority.Authority
	mux     *http.ServeMux
	handler http.Handler
	sets    map[string]*template.Template // by page
	texts   *Texts
	assets  *assets
	limits  *limits
	stopped chan struct{} // closed when no page may stay open any longer
	stop    sync.Once
	live    liveCount
}

// New makes the pages.
func New(cfg Config) (*Site, error) {
	if len(cfg.Authorities) == 0 {
		return nil, errors.New("the pages need an organisation to show")
	}
	return newSite(cfg)
}

func newSite(cfg Config) (*Site, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{cfg: cfg, hosts: map[string]*authority.Authority{}, mux: http.NewServeMux(), stopped: make(chan struct{}), limits: newLimits(cfg)}
	for _, a := range cfg.Authorities {
		host := strings.ToLower(a.Organisation().Host)
		if s.hosts[host] != nil {
			return nil, fmt.Errorf("two organisations have the host name %q: each needs its own", host)
		}
		s.hosts[host] = a
	}
	var err error
	if s.texts, err = loadTexts("en"); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.sets, err = parseTemplates(s.texts, s.assets); err != nil {
		return nil, err
	}
	for _, r := range s.routes() {
		s.mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { s.visit(w, req, r) })
	}
	s.mux.HandleFunc("GET /static/", s.assets.serve)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.visit(w, req, route{pattern: "-", who: anyone, serve: nothingHere})
	})
	// Another origin's page can neither submit here nor call a page's own requests: every
	// browser that has passkeys says where a request comes from. A request that says nothing
	// of that comes from a program, or from a browser so old that all it has against other
	// sites is that the cookie does not go along (SameSite).
	s.handler = http.NewCrossOriginProtection().Handler(s.mux)
	return s, nil
}

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.headers(w, r)
	s.handler.ServeHTTP(w, r)
}

// Stop ends the pages that stay open, as the live inbox does, so that a server that
// shuts down need not wait for them. It may be called again.
func (s *Site) Stop() { s.stop.Do(func() { close(s.stopped) }) }

// contentPolicy is the content security policy of every page: everything comes from here,
// nothing is inline, and no other page may frame it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *Site) headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=(), payment=()")
	h.Set("Cache-Control", "no-store")
	if a := s.hosts[strings.ToLower(r.Host)]; a != nil && strings.HasPrefix(a.Organisation().PublicURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
