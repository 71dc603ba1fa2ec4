package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/authority"
)

// front is what stands at the door: the API, and beside it a few plain pages that say
// what this is. It changes nothing.
type front struct {
	api   *api.API
	hosts map[string]string // host name and port → public URL
}

func newFront(a *api.API, authorities []*authority.Authority) http.Handler {
	f := &front{api: a, hosts: map[string]string{}}
	for _, o := range authorities {
		f.hosts[strings.ToLower(o.Organisation().Host)] = o.Organisation().PublicURL
	}
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if api.Serves(r.URL.Path) {
		f.api.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		say(w, r, http.StatusMethodNotAllowed, "Pages are only read.\n")
		return
	}
	url, known := f.hosts[strings.ToLower(r.Host)]
	if !known {
		f.elsewhere(w, r)
		return
	}
	if strings.HasPrefix(url, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	f.page(w, r, url)
}

// elsewhere answers a host name that is no organisation's. Somebody who opened the
// bare loopback address is sent to localhost, where passkeys work.
func (f *front) elsewhere(w http.ResponseWriter, r *http.Request) {
	if host, port, err := net.SplitHostPort(r.Host); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			if url, ok := f.hosts["localhost:"+port]; ok {
				w.Header().Set("Location", url+r.URL.EscapedPath())
				say(w, r, http.StatusTemporaryRedirect, "Passkeys do not work on a bare address. Go to "+url+"\n")
				return
			}
		}
	}
	say(w, r, http.StatusMisdirectedRequest, "No organisation has this host name.\n")
}

func (f *front) page(w http.ResponseWriter, r *http.Request, url string) {
	path := r.URL.Path
	request, isRequest := strings.CutPrefix(path, "/r/")
	switch {
	case path == "/":
		say(w, r, http.StatusOK, fmt.Sprintf(`Countersign

It asks people to prove who they are before the approvals that matter, and
proves afterwards that they did.

The API is at %[1]s/v1, and described at %[1]s/openapi.json.
Pages to see and decide on requests come in a later version. Until then:

  countersign sign-in --server %[1]s
  countersign request --help
`, url))
	case isRequest && isID(request):
		say(w, r, http.StatusOK, fmt.Sprintf(`A request waits for your decision.

The page for it comes in a later version. Until then, on the command line:

  countersign sign-in --server %s
  countersign request show %s
  countersign request approve %s
`, url, request, request))
	case path == "/enrol":
		say(w, r, http.StatusOK, fmt.Sprintf(`You are invited to enrol an authenticator.

The page for it comes in a later version. Until then, on the command line, with
the token that stands behind the # in your link (it is asked for, so that it does
not end up in your shell's history):

  countersign user enrol --server %s
`, url))
	case path == "/h":
		say(w, r, http.StatusOK, fmt.Sprintf(`The system that you come from hands you over to decide on a request.

The page for it comes in a later version. Until then, programs use the link with
POST %s/v1/hand-over and the token that stands behind the # in it. Opening this
page used nothing up.
`, url))
	default:
		say(w, r, http.StatusNotFound, "There is no such page.\n")
	}
}

// isID keeps what somebody wrote into a link out of the page, but for identifiers.
func isID(s string) bool {
	if len(s) > 40 || s == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func say(w http.ResponseWriter, r *http.Request, status int, text string) {
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprint(w, text)
	}
}

// inUse reports whether an address could not be listened on because somebody else does.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
