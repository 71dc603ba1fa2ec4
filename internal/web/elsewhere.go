package web

import (
	"net"
	"net/http"
	"strings"
)

// elsewhere answers a host name that is no organisation's. Somebody who opened the
// bare loopback address is sent to localhost, where passkeys work.
func (s *Site) elsewhere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if host, port, err := net.SplitHostPort(r.Host); err == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			if a := s.hosts[strings.ToLower("localhost:"+port)]; a != nil {
				url := a.Organisation().PublicURL
				w.Header().Set("Location", url+localPath(r.URL.EscapedPath(), "/"))
				w.WriteHeader(http.StatusTemporaryRedirect)
				w.Write([]byte("Passkeys do not work on a bare address. Go to " + url + "\n"))
				return
			}
		}
	}
	w.WriteHeader(http.StatusMisdirectedRequest)
	w.Write([]byte("No organisation has this host name.\n"))
}
