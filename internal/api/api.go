// Package api is the HTTP API: JSON in and out under /v1, and nothing else. It reads
// who asks and what, calls one verb of the authority, and writes its answer or its
// problem (RFC 9457). It decides nothing.
//
// The Host header selects the organisation before anything else. Systems prove
// themselves with an API key and people with a session's token, both as
// Authorization: Bearer; cookies are never looked at. A GET changes nothing but the
// time at which a session was used last, once a minute.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the API serves and within which bounds. The zero value of every
// bound is its default.
type Config struct {
	Authorities []*authority.Authority // one for each organisation; at least one
	Log         *slog.Logger

	MaxBody        int64          // bytes of a request's body; default 1 MiB
	Timeout        time.Duration  // for one call; default 30 s
	TrustedProxies []netip.Prefix // from which X-Forwarded-For is believed
	Limits         Limits
	Clock          func() time.Time // for rate limits; default time.Now

	// Metrics are what /metrics shows, beside the API's own; default a fresh registry.
	Metrics *prometheus.Registry
	// HideMetrics says that /metrics is served elsewhere, by [API.Metrics]. Otherwise
	// it is here, for callers on this machine only.
	HideMetrics bool
}

// DefaultMaxBody bounds a request's body, in bytes.
const DefaultMaxBody = 1 << 20

// API is the handler of everything under /v1, and of /openapi.json, /healthz, /readyz
// and /metrics. It is safe for concurrent use.
type API struct {
	cfg     Config
	hosts   map[string]*authority.Authority
	secure  map[*authority.Authority]bool // reached by https: browsers are told to stay there
	mux     *http.ServeMux
	limits  *limiter
	uploads chan struct{} // holds one for each file that is being taken in
	metrics *metrics
}

// New makes the API.
func New(cfg Config) (*API, error) {
	if len(cfg.Authorities) == 0 {
		return nil, errors.New("the API needs an organisation to serve")
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	a := &API{cfg: cfg, hosts: map[string]*authority.Authority{}, secure: map[*authority.Authority]bool{}, mux: http.NewServeMux(),
		limits: newLimiter(cfg.Limits, cfg.Clock), uploads: make(chan struct{}, uploadsAtOnce)}
	for _, au := range cfg.Authorities {
		o := au.Organisation()
		host := strings.ToLower(o.Host)
		if a.hosts[host] != nil {
			return nil, fmt.Errorf("two organisations have the host name %q: each needs its own", o.Host)
		}
		a.hosts[host] = au
		a.secure[au] = strings.HasPrefix(o.PublicURL, "https://")
	}
	var err error
	if a.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	a.route()
	return a, nil
}

// Serves reports whether the path is the API's to answer. Everything else is for the
// pages.
func Serves(path string) bool {
	switch path {
	case "/v1", "/openapi.json", "/healthz", "/readyz", "/metrics":
		return true
	}
	return strings.HasPrefix(path, "/v1/")
}

// organisation finds the organisation that a request's Host header names. A host name
// is one or more labels with an optional port; anything else names nothing.
func (a *API) organisation(host string) (*authority.Authority, bool) {
	au, ok := a.hosts[host]
	if !ok && len(host) <= 260 {
		au, ok = a.hosts[strings.ToLower(host)]
	}
	return au, ok
}

// ServeHTTP answers one call.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{api: a, w: w, r: r, id: newRequestID(), began: time.Now()}
	defer c.finish()
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	c.r = r.WithContext(withCall(ctx, c))
	c.headers()
	c.remote = a.remote(r)
	if !clean(r.URL.Path) || r.Method == http.MethodConnect {
		c.nothing()
		return
	}
	a.mux.ServeHTTP(c, c.r)
}
