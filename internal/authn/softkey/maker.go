package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// Maker is a maker of authenticators that does not exist: it attests registrations
// with a certificate under its own root, so that what needs attested hardware can be
// shown and tested.
type Maker struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey // of the leaf
	leaf []byte
}

// NewMaker makes a maker whose certificates are valid from an hour before now and for
// ten years.
func NewMaker(name string, now time.Time) (*Maker, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	template := func(serial int64, subject pkix.Name, ca bool) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: subject, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
			IsCA: ca, BasicConstraintsValid: true,
		}
	}
	rootTemplate := template(1, pkix.Name{CommonName: name + " root"}, true)
	rootTemplate.KeyUsage = x509.KeyUsageCertSign
	rootDER, err := x509.CreateCertificate(rand.Reader, rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	// Web Authentication Level 3 §8.2.1 says what the subject must hold.
	subject := pkix.Name{Country: []string{"SE"}, Organization: []string{name}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: name + " batch 1"}
	leaf, err := x509.CreateCertificate(rand.Reader, template(2, subject, false), root, key.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("maker: %w", err)
	}
	return &Maker{root: root, key: key, leaf: leaf}, nil
}

// Root returns the root certificate, to be configured where the maker is trusted.
func (m *Maker) Root() *x509.Certificate { return m.root }
