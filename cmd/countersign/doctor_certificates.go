package main

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"
)

// Days before the end of a certificate at which something is said.
const certificateSoon = 21

// certificates looks at the certificates that the configuration names.
func (x *examination) certificates() {
	if x.config.TLSCertificate != "" {
		pair, err := tls.LoadX509KeyPair(x.config.TLSCertificate, x.config.TLSKey)
		if err != nil {
			x.add("certificate", checkBad, "", "tls_certificate: %v", err)
		} else {
			x.certificate("certificate", pair.Leaf)
		}
	}
	roots, err := readRoots(x.config.AttestationRoots)
	if err != nil {
		x.add("attestation", checkBad, "", "%v", err)
	}
	for _, r := range roots {
		x.certificate("attestation", r)
	}
	if x.config.TLSCertificate == "" && strings.HasPrefix(x.config.PublicURL, "https://") && len(x.config.TrustedProxies) == 0 {
		x.add("proxy", checkWarn, "name the proxy in trusted_proxies, so that limits count clients and not the proxy", "something else ends TLS for %s, and no proxy is trusted", x.config.PublicURL)
	}
}

func (x *examination) certificate(name string, c *x509.Certificate) {
	left := time.Until(c.NotAfter)
	until := c.NotAfter.UTC().Format(time.DateOnly)
	switch who := c.Subject.String(); {
	case time.Now().Before(c.NotBefore):
		x.add(name, checkBad, "wait, or set the clock right", "that of %s is not valid before %s", who, c.NotBefore.UTC().Format(time.DateTime))
	case left < 0:
		x.add(name, checkBad, "renew it", "that of %s ended on %s", who, until)
	case left < certificateSoon*24*time.Hour:
		x.add(name, checkWarn, "renew it; the server reads the file again by itself", "that of %s ends on %s, in %d days", who, until, int(left.Hours()/24))
	default:
		x.add(name, checkOK, "", "that of %s is valid until %s", who, until)
	}
}
