package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// visit is one request of a browser on its way through.
type visit struct {
	site    *Site
	w       http.ResponseWriter
	r       *http.Request
	route   route
	org     *authority.Authority
	session *authority.Session // nil for a stranger
	who     *authority.Who     // who that is, nil with session
	format  Format
	status  int
}

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// visit answers one request. The steps are always the same, in this order: which
// organisation, who it is, how often, and only then the page.
func (s *Site) visit(w http.ResponseWriter, r *http.Request, to route) {
	v := &visit{site: s, w: w, r: r, route: to, format: Format{Zone: time.UTC}}
	began := s.cfg.Clock()
	defer v.finish(began)
	v.org = s.hosts[strings.ToLower(r.Host)]
	if v.org == nil {
		s.elsewhere(w, r)
		return
	}
	if err := v.carryOut(); err != nil {
		v.problem(err)
	}
}

func (v *visit) carryOut() error {
	if err := v.identify(); err != nil {
		return err
	}
	if v.route.attempt {
		if err := v.attempt(); err != nil {
			return err
		}
	}
	if v.r.Method == http.MethodPost {
		most := v.route.large
		if most == 0 {
			most = maxForm
		}
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
		if err := v.r.ParseForm(); err != nil {
			if e := (*http.MaxBytesError)(nil); errors.As(err, &e) {
				return countersign.NewProblem(countersign.CodeTooLarge, "the form has more than %d bytes", most)
			}
			return countersign.NewProblem(countersign.CodeMalformed, "the form could not be read")
		}
	}
	return v.route.serve(v)
}

// identify finds out whose browser it is, and refuses whoever the page is not for. A
// stranger who opens a page is asked to sign in and comes back to it.
func (v *visit) identify() error {
	if c, err := v.r.Cookie(v.cookieName()); err == nil {
		s, who, err := v.org.Visitor(v.ctx(), c.Value)
		switch {
		case err == nil:
			v.session, v.who = &s, who
		case !hasCode(err, countersign.CodeUnauthenticated):
			return err
		default:
			v.forget()
		}
	}
	if err := v.pace(); err != nil {
		return err
	}
	if v.session != nil {
		v.format = formatOf(v.session.Person.Settings)
	}
	switch {
	case v.route.who == anyone:
		return nil
	case v.session == nil:
		return errSignIn
	case v.route.who == signedIn && v.who.Kind != "normal", v.route.who == handed && v.who.Kind == "enrolment":
		return v.only()
	}
	return nil
}

// errSignIn sends a stranger to the sign-in page.
var errSignIn = errors.New("sign in first")

// only refuses what a session that was opened for one thing cannot do (ruling 13).
func (v *visit) only() error {
	p := countersign.NewProblem(countersign.CodeForbidden, "%s", v.t("visit.only."+v.who.Kind))
	return p
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// t reads a text of the catalogue.
func (v *visit) t(key string, args ...any) string { return v.site.texts.T(key, args...) }

// now is the time of day that pages reckon with.
func (v *visit) now() time.Time { return v.site.cfg.Clock() }

// member reports whether the visitor is in one of the groups.
func (v *visit) member(groups ...string) bool {
	if v.who == nil {
		return false
	}
	for _, g := range v.who.Groups {
		for _, want := range groups {
			if g == want {
				return true
			}
		}
	}
	return false
}

// caller is the visitor as the authority's reads want them.
func (v *visit) caller() authority.Caller { return authority.Caller{Session: v.session} }

// form reads a field of the form; what is not there is "".
func (v *visit) form(name string) string { return v.r.PostForm.Get(name) }

// query reads a parameter of the address; what is absurdly long is not there.
func (v *visit) query(name string) string {
	s := v.r.URL.Query().Get(name)
	if len(s) > 300 {
		return ""
	}
	return s
}

func (v *visit) path(name string) string { return v.r.PathValue(name) }

// fragment reports that a part of a page is asked for, not the whole.
func (v *visit) fragment() bool { return v.r.Header.Get("HX-Request") == "true" }

// redirect sends the browser on after a press of a button, so that neither reload nor
// the back button repeats it. The place is one of ours: a path.
func (v *visit) redirect(path string) error {
	path = localPath(path, "/")
	if v.fragment() {
		v.w.Header().Set("HX-Redirect", path)
		v.write(http.StatusNoContent, nil)
		return nil
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	v.status = http.StatusSeeOther
	return nil
}

// localPath keeps a redirect at home: a path of this site, or the fallback. Anything
// that a browser could read as another host is not one.
func localPath(p, fallback string) string {
	if len(p) > 500 || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return fallback
	}
	u, err := url.Parse(p)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
		return fallback
	}
	return p
}

// remote is the address that the request came from; see the API for what is believed.
func (v *visit) remote() netip.Addr {
	ap, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := ap.Addr().Unmap()
	trusted := func(a netip.Addr) bool {
		for _, p := range v.site.cfg.TrustedProxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	if !trusted(at) {
		return at
	}
	hops := strings.Split(strings.Join(v.r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return at
		}
		if at = hop.Unmap(); !trusted(at) {
			return at
		}
	}
	return at
}

// finish turns a panic into an error page and logs the visit. Paths as they came,
// forms and cookies are never logged: only what was matched.
func (v *visit) finish(began time.Time) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
			panic(p)
		}
		v.site.cfg.Log.Error("a page panicked", "page", v.route.pattern, "panic", p, "stack", string(debug.Stack()))
		if v.status == 0 {
			v.problem(countersign.NewProblem(countersign.CodeInternal, "something went wrong here"))
		}
	}
	level := slog.LevelInfo
	if v.status >= 500 {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("page", v.route.pattern), slog.Int("status", v.status), slog.Duration("took", v.site.cfg.Clock().Sub(began)), slog.String("remote", v.remote().String())}
	if v.session != nil {
		attrs = append(attrs, slog.String("person", v.session.Person.ID))
	}
	v.site.cfg.Log.LogAttrs(context.WithoutCancel(v.r.Context()), level, "page", attrs...)
}

// write sends an answer whole.
func (v *visit) write(status int, b *bytes.Buffer) {
	v.status = status
	if b == nil {
		v.w.WriteHeader(status)
		return
	}
	b = v.compressed(b)
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		v.w.Write(b.Bytes()) // whoever hung up does not read it
	}
}

func hasCode(err error, code countersign.Code) bool {
	var p *countersign.Problem
	return errors.As(err, &p) && p.Code == code
}

// past reports whether a time that the authority wrote has come. None at all has.
func past(stamp string, now time.Time) bool {
	if stamp == "" {
		return true
	}
	t, err := time.Parse(time.RFC3339, stamp)
	return err == nil && !t.After(now)
}
