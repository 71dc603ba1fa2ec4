package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// rootName names a configured root in enrolments: its digest, then its subject.
func rootName(root *x509.Certificate) string {
	return string(countersign.SumBytes(root.Raw)) + " " + root.Subject.String()
}

// trusts reports whether an enrolment's root is still configured: taking a root out
// takes hardware away from every device that it vouched for.
func (rp *RelyingParty) trusts(attestedBy string) bool {
	return attestedBy != "" && slices.ContainsFunc(rp.config.Roots, func(r *x509.Certificate) bool { return rootName(r) == attestedBy })
}

// attestedBy returns the configured root that a verified attestation leads to, or ""
// (Web Authentication Level 3 §7.1 steps 22–24). Self attestation, no attestation and
// compound statements lead nowhere.
func (rp *RelyingParty) attestedBy(a *protocol.AttestationObject, now time.Time) string {
	switch protocol.AttestationFormat(a.Format) {
	case protocol.AttestationFormatPacked, protocol.AttestationFormatTPM, protocol.AttestationFormatAndroidKey,
		protocol.AttestationFormatApple, protocol.AttestationFormatFIDOUniversalSecondFactor:
	default:
		return ""
	}
	list, _ := a.AttStatement["x5c"].([]any)
	var chain []*x509.Certificate
	for _, item := range list {
		der, _ := item.([]byte)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return ""
		}
		// The subject's alternative name of a TPM certificate is critical and has a form
		// that crypto/x509 does not read (TPM 2.0 EK profile §3.2.9).
		cert.UnhandledCriticalExtensions = slices.DeleteFunc(cert.UnhandledCriticalExtensions, asn1.ObjectIdentifier{2, 5, 29, 17}.Equal)
		chain = append(chain, cert)
	}
	if len(chain) == 0 || len(chain) > 6 {
		return ""
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, r := range rp.config.Roots {
		o.Roots.AddCert(r)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := chain[0].Verify(o)
	if err != nil {
		return ""
	}
	return rootName(chains[0][len(chains[0])-1])
}

// subjectPublicKeyInfo turns a COSE key into the form that the standard library
// reads, and refuses keys that it could not verify with.
func subjectPublicKeyInfo(cose []byte) ([]byte, error) {
	key, err := webauthncose.ParsePublicKey(cose) // checks that curve and algorithm agree, and that points lie on the curve
	if err != nil {
		return nil, refused(ErrAlgorithm, "the passkey's public key is of a kind that is not accepted")
	}
	var public any
	var algorithm int64
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		algorithm = k.Algorithm
		public = ecPublicKey(k)
	case webauthncose.OKPPublicKeyData:
		algorithm, public = k.Algorithm, ed25519.PublicKey(k.XCoord)
	case webauthncose.RSAPublicKeyData:
		n := new(big.Int).SetBytes(k.Modulus)
		e, err := webauthncose.ParseRSAPublicKeyDataExponent(&k)
		if err != nil || e < 3 || e > 1<<31-1 || e%2 == 0 || n.BitLen() < 2048 || n.BitLen() > 8192 || n.Bit(0) == 0 {
			return nil, refused(ErrAlgorithm, "the passkey's RSA key is not accepted: want 2048 to 8192 bits")
		}
		algorithm, public = k.Algorithm, &rsa.PublicKey{N: n, E: e}
	}
	if public == nil || !slices.Contains(algorithms, webauthncose.COSEAlgorithmIdentifier(algorithm)) {
		return nil, refused(ErrAlgorithm, "the passkey's algorithm %d is not accepted", algorithm)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, refused(ErrAlgorithm, "the passkey's public key is of a kind that is not accepted").WithCause(err)
	}
	return der, nil
}

func ecPublicKey(k webauthncose.EC2PublicKeyData) any {
	var curve elliptic.Curve
	switch webauthncose.COSEEllipticCurve(k.Curve) {
	case webauthncose.P256:
		curve = elliptic.P256()
	case webauthncose.P384:
		curve = elliptic.P384()
	case webauthncose.P521:
		curve = elliptic.P521()
	default:
		return nil
	}
	// SEC 1 §2.3.3: an uncompressed point is 4 and both coordinates at full length.
	size := (curve.Params().BitSize + 7) / 8
	if len(k.XCoord) > size || len(k.YCoord) > size {
		return nil
	}
	point := make([]byte, 1+2*size)
	point[0] = 4
	copy(point[1+size-len(k.XCoord):], k.XCoord)
	copy(point[1+2*size-len(k.YCoord):], k.YCoord)
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil
	}
	return key
}
