package api

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// who says which callers an operation is for.
type who int

const (
	anyone who = iota // no credentials are looked at
	keys              // systems, by API key
	people            // persons, by session
	either
)

// identify finds out who calls. There is exactly one way to say it: one Authorization
// header with one bearer token, whose first letters tell what it is.
func (c *call) identify() error {
	wants := c.op.who
	values := c.r.Header["Authorization"]
	if len(values) > 1 {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "the request carries more than one Authorization header").
			WithHint("send one: either an API key or a session token")
	}
	if wants == anyone {
		return nil
	}
	if len(values) == 0 {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "this needs an API key or a session token").
			WithHint("send Authorization: Bearer and the key or token; cookies are not looked at")
	}
	token, ok := bearer(values[0])
	if !ok {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "the Authorization header is not one bearer token").WithHint("send Authorization: Bearer and the key or token")
	}
	if err := c.authenticate(token); err != nil {
		return err
	}
	switch {
	case wants == keys && c.caller.Key == nil:
		return countersign.NewProblem(countersign.CodeForbidden, "this is for systems, which use an API key")
	case wants == people && c.caller.Session == nil:
		return countersign.NewProblem(countersign.CodeForbidden, "this is for people, who use their session's token").WithHint("no API key decides, enrols or changes Countersign")
	}
	return nil
}

func (c *call) authenticate(token string) error {
	if strings.HasPrefix(token, "cs_") {
		k, err := c.org.AuthenticateKey(c.ctx(), token)
		if err != nil {
			return err
		}
		c.caller, c.who = authority.Caller{Key: &k}, k.ID
		return nil
	}
	s, err := c.org.AuthenticateSession(c.ctx(), token)
	if err != nil {
		return err
	}
	c.caller, c.who = authority.Caller{Session: &s}, s.Person.ID
	return nil
}

// bearer reads the token out of an Authorization header (RFC 6750 §2.1).
func bearer(value string) (string, bool) {
	scheme, token, ok := strings.Cut(value, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 200 {
		return "", false
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c == ',' || c >= 0x7f {
			return "", false
		}
	}
	return token, true
}

// remote is the address that a request came from: the peer's, or, where the peer is a
// proxy that is trusted, the last one in X-Forwarded-For that is not. What others say
// in that header is not believed.
func (a *API) remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := ap.Addr().Unmap()
	if !a.trusts(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return at
		}
		if at = hop.Unmap(); !a.trusts(at) {
			return at
		}
	}
	return at
}

func (a *API) trusts(at netip.Addr) bool {
	for _, p := range a.cfg.TrustedProxies {
		if p.Contains(at) {
			return true
		}
	}
	return false
}

// onThisMachine reports whether a call comes from this machine and through no proxy
// on it.
func onThisMachine(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && ap.Addr().Unmap().IsLoopback() && len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 && len(r.Header["Via"]) == 0
}
