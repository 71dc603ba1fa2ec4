package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// place says where a value comes from.
func (l *configLoader) place(name string) string {
	if at, ok := l.where[name]; ok {
		return at
	}
	if l.file != "" {
		return l.file
	}
	return "by default"
}

func (l *configLoader) wrong(name, hint, format string, args ...any) {
	l.problem(l.place(name), name, hint, format, args...)
}

// check fills in what depends on other settings, and holds the settings against
// each other and the machine. It makes nothing.
func (l *configLoader) check() {
	c := &l.c
	if c.Data == "" {
		l.wrong("data", "leave the line out for ./countersign-data", "is empty")
		return
	}
	beside := filepath.Clean(c.Data)
	if c.Keys == "" {
		c.Keys = beside + "-keys"
	}
	if c.Guard == "" {
		c.Guard = beside + "-guard"
	}
	l.folders()
	l.database()
	l.network()
	l.certificates()
	l.mail()
	l.witnesses()
	if c.LogFormat != "text" && c.LogFormat != "json" {
		l.wrong("log_format", "", "%q: want text or json", c.LogFormat)
	}
	if c.MaxBodyBytes < 1<<10 || c.MaxBodyBytes > 16<<20 {
		l.wrong("max_body_bytes", "", "%d: want 1024 to 16777216", c.MaxBodyBytes)
	}
}

// folders keeps keys and guard apart from the data: whoever restores or copies the
// one must not get the others with it.
func (l *configLoader) folders() {
	c := &l.c
	if inside(c.Keys, c.Data) {
		l.wrong("keys", "move it beside the data folder, as "+filepath.Clean(c.Data)+"-keys", "is inside the data folder: a copy of the data would be a copy of the keys")
	}
	if inside(c.Data, c.Keys) {
		l.wrong("data", "move it beside the folder of the keys", "is inside the folder of the keys")
	}
	if c.PostgresGuard() {
		return
	}
	if inside(c.Guard, c.Data) {
		l.wrong("guard", "move it out, best to another disk", "is inside the data folder: an old copy of the data would bring the old guard with it")
	}
	if inside(c.Data, c.Guard) {
		l.wrong("data", "move it out", "is inside the folder of the guard")
	}
}

// inside reports whether a path is another one, or below it, whatever links there
// are on the way.
func inside(path, folder string) bool {
	rel, err := filepath.Rel(resolved(folder), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved resolves the part of a path that exists.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for at := abs; ; {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		up := filepath.Dir(at)
		if up == at {
			return abs
		}
		rest, at = filepath.Join(filepath.Base(at), rest), up
	}
}

func (l *configLoader) database() {
	c := &l.c
	dsn, err := c.DSN()
	if err != nil {
		hint := "want sqlite, postgres://user@host/name, or the path of a file that holds such an address"
		if h, ok := err.(hinted); ok {
			hint = h.hint
		}
		l.wrong("database", hint, "%s", strings.TrimPrefix(err.Error(), "database: "))
		return
	}
	for name, address := range map[string]string{"database": dsn, "guard": c.Guard} {
		if u, err := url.Parse(address); strings.HasPrefix(address, "postgres") && isDSN(address) && (err != nil || u.Host == "" && u.RawQuery == "") {
			l.wrong(name, "want postgres://user@host:5432/name", "is no address of a database")
		}
	}
	if dsn != "" && c.Guard == dsn {
		l.wrong("guard", "use a folder, or a database on another server", "is the same database: an old copy of it would bring the old guard with it")
	}
}

func (l *configLoader) network() {
	c := &l.c
	host, ok := l.address("listen", c.Listen)
	if c.MetricsListen != "" {
		l.address("metrics_listen", c.MetricsListen)
		if c.MetricsListen == c.Listen {
			l.wrong("metrics_listen", "leave it out to have /metrics on the same port", "is the same as listen")
		}
	}
	if c.PublicURL == "" {
		if !ok {
			return
		}
		if !onLoopback(host) {
			l.wrong("public_url", "write the address that people open, as https://approve.example.com", "is needed when listen is not a loopback address")
			return
		}
		_, port, _ := net.SplitHostPort(c.Listen)
		scheme := "http"
		if c.TLSCertificate != "" {
			scheme = "https"
		}
		c.PublicURL = scheme + "://localhost:" + port
	}
	l.publicURL()
}

// publicURL must be an address that a browser gives passkeys to.
func (l *configLoader) publicURL() {
	u, err := url.Parse(l.c.PublicURL)
	const want = "want an address as https://approve.example.com, without a path"
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		l.wrong("public_url", want, "%q is no address", l.c.PublicURL)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		l.wrong("public_url", want, "has more than a host")
	case isAddress(u.Hostname()):
		l.wrong("public_url", "use a host name; for a trial on one machine, http://localhost:8080", "%s is a bare address: browsers give no passkeys to it", u.Hostname())
	case u.Scheme == "http" && u.Hostname() != "localhost":
		l.wrong("public_url", "use https, with tls_certificate and tls_key, or a proxy that ends TLS", "browsers give no passkeys to http, but on localhost")
	case u.Scheme == "http" && l.c.TLSCertificate != "":
		l.wrong("public_url", "write https://"+u.Host, "is http, and a certificate is set")
	}
	l.c.PublicURL = strings.TrimSuffix(l.c.PublicURL, "/")
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func onLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// address checks host:port and returns the host.
func (l *configLoader) address(name, text string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		l.wrong(name, "want host:port, as localhost:8080 or :8443", "%q is no host and port", text)
		return "", false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		l.wrong(name, "", "port %q: want 0 to 65535", port)
		return host, false
	}
	return host, true
}

func (l *configLoader) certificates() {
	c := &l.c
	switch {
	case c.TLSCertificate == "" && c.TLSKey == "":
	case c.TLSCertificate == "":
		l.wrong("tls_key", "", "is set, and tls_certificate is not")
	case c.TLSKey == "":
		l.wrong("tls_certificate", "", "is set, and tls_key is not")
	default:
		if _, err := tls.LoadX509KeyPair(c.TLSCertificate, c.TLSKey); err != nil {
			l.wrong("tls_certificate", "want a certificate with its chain, and its key, both PEM", "%v", err)
		}
	}
	if c.AttestationRoots == "" {
		return
	}
	data, err := os.ReadFile(c.AttestationRoots)
	if err != nil {
		l.wrong("attestation_roots", "", "%v", err)
	} else if !x509.NewCertPool().AppendCertsFromPEM(data) {
		l.wrong("attestation_roots", "want the makers' root certificates, PEM", "%s holds no certificate", c.AttestationRoots)
	}
}

// example is the documented configuration, made from [Config] itself.
func example() string {
	var b strings.Builder
	b.WriteString("# Configuration of countersign serve. Every setting has a value that works, so that\n" +
		"# this file may be empty. A line that begins with #name: shows the value that counts\n" +
		"# when it is left out, or what one may look like. Each setting can also be given as\n" +
		"# an environment variable, which wins: COUNTERSIGN_LISTEN=:8443. Paths are relative\n" +
		"# to the folder that the program is started in. countersign config check says\n" +
		"# everything that is wrong with it.\n")
	var c Config
	for _, s := range settingsOf(&c) {
		b.WriteString("\n")
		for _, line := range wrapDoc(s.doc, 82) {
			b.WriteString("# " + line + "\n")
		}
		switch {
		case s.standard != "":
			b.WriteString("#" + s.name + ": " + s.standard + "\n")
		default:
			b.WriteString("#" + s.name + ": " + s.example + "\n")
		}
	}
	return b.String()
}

// wrapDoc breaks a text into lines of at most so many bytes.
func wrapDoc(text string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
