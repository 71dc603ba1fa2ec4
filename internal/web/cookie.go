package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// The session's cookie. Under https it carries the prefix that ties it to this very
// host (RFC 6265bis §4.1.3.2); without TLS, on localhost only, browsers refuse that
// prefix, and it has another name, so that neither is taken for the other.
const (
	cookieSecure = "__Host-countersign"
	cookiePlain  = "countersign-local"
)

func (v *visit) secure() bool {
	return v.org != nil && strings.HasPrefix(v.org.Organisation().PublicURL, "https://")
}

func (v *visit) cookieName() string {
	if v.secure() {
		return cookieSecure
	}
	return cookiePlain
}

// remember puts a fresh session into the browser. Whatever session it had ends: what
// somebody slipped under before the sign-in is worth nothing after it.
func (v *visit) remember(in *authority.SignedIn) error {
	if v.session != nil {
		if err := v.org.SignOut(v.ctx(), *v.session); err != nil {
			return err
		}
	}
	if err := v.endGrant(); err != nil {
		return err
	}
	http.SetCookie(v.w, v.cookie(in.Token, 0))
	return nil
}

// endGrant ends the right to enrol that a step-up left in this browser: it is a session
// of its own, and whoever uses the browser next must not find it.
func (v *visit) endGrant() error {
	token := v.passed(grantCookie)
	if token == "" {
		return nil
	}
	v.passing(grantCookie, "", -time.Second)
	s, err := v.org.AuthenticateSession(v.ctx(), token)
	if hasCode(err, countersign.CodeUnauthenticated) {
		return nil // over already
	} else if err != nil {
		return err
	}
	return v.org.SignOut(v.ctx(), s)
}

// forget takes the session out of the browser.
func (v *visit) forget() { http.SetCookie(v.w, v.cookie("", -1)) }

func (v *visit) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: v.cookieName(), Value: value, Path: "/", MaxAge: age, Secure: v.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// passing is a cookie of one page's own, for minutes: nothing that opens anything.
func (v *visit) passing(name, value string, lives time.Duration) {
	if v.secure() {
		name = "__Host-" + name
	}
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(lives.Seconds()), Secure: v.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (v *visit) passed(name string) string {
	if v.secure() {
		name = "__Host-" + name
	}
	c, err := v.r.Cookie(name)
	if err != nil || len(c.Value) > 300 {
		return ""
	}
	return c.Value
}
