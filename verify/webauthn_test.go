package verify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

// sharedVectors reads a file of the standards' test vectors, or skips the test
// where they are absent.
func sharedVectors(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../shared/vectors/" + path)
	if err != nil {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("the shared test vectors are absent: %v", err)
	}
	return data
}

type webauthnVector struct {
	Title  string
	Blocks []map[string]string
}

func (v webauthnVector) bytes(t *testing.T, block int, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Blocks[block][name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWebAuthnSpecVectors verifies every assertion of the test vectors in Web
// Authentication Level 3 with the key that its registration made.
func TestWebAuthnSpecVectors(t *testing.T) {
	var vectors []webauthnVector
	if err := json.Unmarshal(sharedVectors(t, "webauthn3-spec-vectors.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	verified, refused := 0, 0
	for _, v := range vectors {
		if len(v.Blocks) != 2 || v.Blocks[1]["signature"] == "" {
			continue
		}
		t.Run(v.Title, func(t *testing.T) {
			spki, err := spkiOf(v.bytes(t, 0, "attestationObject"), v.bytes(t, 0, "credential_id"))
			if err != nil {
				t.Fatal(err)
			}
			a, err := openAssertion(&countersign.PasskeyEvidence{
				AuthenticatorData: base64.RawURLEncoding.EncodeToString(v.bytes(t, 1, "authenticatorData")),
				ClientDataJSON:    base64.RawURLEncoding.EncodeToString(v.bytes(t, 1, "clientDataJSON")),
				Signature:         base64.RawURLEncoding.EncodeToString(v.bytes(t, 1, "signature"))})
			if err != nil {
				t.Fatal(err)
			}
			key := base64.RawURLEncoding.EncodeToString(spki)
			if strings.Contains(v.Title, "Ed448") {
				if err := a.checkSignature(key); err == nil {
					t.Error("Ed448 is not known, and passes")
				}
				return
			}
			if err := a.checkSignature(key); err != nil {
				t.Error(err)
			}
			checkDamaged(t, a, key, v.bytes(t, 1, "challenge"))
			foreign := strings.Contains(v.Title, "Origin")
			if err := a.checkOrigin("https://example.org", "example.org"); (err != nil) != foreign {
				t.Errorf("origin: %v", err)
			}
			if foreign {
				refused++
			}
			flags := a.authData[32]
			want := flags&flagUserVerified != 0
			if err := a.checkFlags(flags&flagBackupEligible != 0); (err == nil) != want {
				t.Errorf("flags %02x: %v", flags, err)
			}
			verified++
		})
	}
	if verified < 14 || refused != 2 {
		t.Errorf("%d verified, %d of a foreign frame refused", verified, refused)
	}
}

// checkDamaged: nothing that differs by a bit passes for what was signed.
func checkDamaged(t *testing.T, a assertion, key string, challenge []byte) {
	t.Helper()
	a.authData[36] ^= 1
	if err := a.checkSignature(key); err == nil {
		t.Error("another counter passes")
	}
	a.authData[36] ^= 1
	a.clientData = append(a.clientData, ' ')
	if err := a.checkSignature(key); err == nil {
		t.Error("other client data passes")
	}
	if len(challenge) == 32 {
		if err := a.checkChallenge([32]byte(challenge)); err != nil {
			t.Error(err)
		}
		challenge[0] ^= 1
		if err := a.checkChallenge([32]byte(challenge)); err == nil {
			t.Error("another challenge passes")
		}
	}
}

// TestWebAuthnChromium verifies what a browser made, and refuses its payment
// confirmation, which is another ceremony.
func TestWebAuthnChromium(t *testing.T) {
	type ceremony struct {
		OK struct{ AD, CDJB, Sig, Pub string }
	}
	var v struct {
		ApprovalJCS    string   `json:"approval_jcs"`
		ApprovalSHA256 string   `json:"approval_sha256"`
		Registration   ceremony `json:"registration"`
		Get            ceremony `json:"webauthn_get"`
		SPC            ceremony `json:"spc"`
	}
	if err := json.Unmarshal(sharedVectors(t, "webauthn-chromium156.json"), &v); err != nil {
		t.Fatal(err)
	}
	if !jcs.IsCanonical([]byte(v.ApprovalJCS)) || string(countersign.SumBytes([]byte(v.ApprovalJCS))) != "sha-256:"+v.ApprovalSHA256 {
		t.Error("the canonical bytes have another digest")
	}
	sum, err := hex.DecodeString(v.ApprovalSHA256)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openAssertion(&countersign.PasskeyEvidence{AuthenticatorData: v.Get.OK.AD, ClientDataJSON: v.Get.OK.CDJB, Signature: v.Get.OK.Sig})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{a.checkChallenge([32]byte(sum)), a.checkOrigin("http://localhost:8901", "localhost"), a.checkFlags(false), a.checkSignature(v.Registration.OK.Pub)} {
		if err != nil {
			t.Error(err)
		}
	}
	if a, err = openAssertion(&countersign.PasskeyEvidence{AuthenticatorData: v.SPC.OK.AD, ClientDataJSON: v.SPC.OK.CDJB, Signature: v.SPC.OK.Sig}); err != nil {
		t.Fatal(err)
	}
	if err := a.checkSignature(v.Registration.OK.Pub); err != nil {
		t.Error(err)
	}
	if err := a.checkChallenge([32]byte(sum)); err == nil {
		t.Error("a payment confirmation passes for an assertion")
	}
}

// TestAssertionForm: client data are read strictly, and unknown members are let be,
// as browsers add them.
func TestAssertionForm(t *testing.T) {
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	data := strings.Repeat("\x00", 32) + "\x05\x00\x00\x00\x01"
	good := countersign.PasskeyEvidence{AuthenticatorData: b64(data), ClientDataJSON: b64(`{"type":"webauthn.get","other_keys_can_be_added_here":"x"}`), Signature: b64("x")}
	if _, err := openAssertion(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*countersign.PasskeyEvidence){
		"a member twice":     func(p *countersign.PasskeyEvidence) { p.ClientDataJSON = b64(`{"type":"webauthn.get","type":"x"}`) },
		"trailing data":      func(p *countersign.PasskeyEvidence) { p.ClientDataJSON = b64(`{} {}`) },
		"padding":            func(p *countersign.PasskeyEvidence) { p.Signature = "eA==" },
		"spare bits":         func(p *countersign.PasskeyEvidence) { p.Signature = "eB" },
		"line break":         func(p *countersign.PasskeyEvidence) { p.Signature = "e\nA" },
		"standard alphabet":  func(p *countersign.PasskeyEvidence) { p.Signature = "+/+/" },
		"short":              func(p *countersign.PasskeyEvidence) { p.AuthenticatorData = b64(data[:36]) },
		"longer than flags":  func(p *countersign.PasskeyEvidence) { p.AuthenticatorData = b64(data + "\x00") },
		"client data no map": func(p *countersign.PasskeyEvidence) { p.ClientDataJSON = "" },
	} {
		bad := good
		change(&bad)
		if _, err := openAssertion(&bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	extended := data[:32] + "\x85" + data[33:] + "\xA0"
	good.AuthenticatorData = b64(extended)
	if _, err := openAssertion(&good); err != nil {
		t.Errorf("with extensions: %v", err)
	}
}

// TestKeysThatAreNotKnown: curves, key types and sizes outside the list never pass.
func TestKeysThatAreNotKnown(t *testing.T) {
	a := assertion{authData: make([]byte, 37), clientData: []byte("{}"), signature: []byte("x")}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	for name, key := range map[string]any{"P-224": &p224.PublicKey, "RSA of 1024 bits": small} {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.checkSignature(base64.RawURLEncoding.EncodeToString(der)); err == nil || strings.Contains(err.Error(), "the signature is not") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "AAAA", "not base64!"} {
		if err := a.checkSignature(bad); err == nil {
			t.Errorf("key %q passes", bad)
		}
	}
}

// spkiOf takes the COSE key that follows the credential id in an attestation object
// and writes it as SubjectPublicKeyInfo.
func spkiOf(attestation, credentialID []byte) ([]byte, error) {
	at := strings.Index(string(attestation), string(credentialID))
	if at < 0 {
		return nil, errors.New("no credential id in the attestation object")
	}
	key := coseMap(attestation[at+len(credentialID):])
	big := func(label int) *big.Int { b, _ := key[label].([]byte); return new(big.Int).SetBytes(b) }
	switch {
	case key[1] == 2:
		curve := map[any]elliptic.Curve{1: elliptic.P256(), 2: elliptic.P384(), 3: elliptic.P521()}[key[-1]]
		x, y := key[-2].([]byte), key[-3].([]byte)
		point, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKIXPublicKey(point)
	case key[1] == 3:
		return x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: big(-1), E: int(big(-2).Int64())})
	case key[1] == 1 && key[-1] == 6:
		return x509.MarshalPKIXPublicKey(ed25519.PublicKey(key[-2].([]byte)))
	case key[1] == 1: // Ed448: SEQUENCE { SEQUENCE { 1.3.101.113 } BIT STRING }
		return append([]byte{0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x71, 0x03, 0x3A, 0x00}, key[-2].([]byte)...), nil
	}
	return nil, errors.New("no key that is known")
}

// coseMap reads the CBOR map of small numbers and byte strings that a COSE key is.
func coseMap(b []byte) map[int]any {
	head := func() (major, n int) {
		major, n = int(b[0]>>5), int(b[0]&31)
		b = b[1:]
		for size := map[int]int{24: 1, 25: 2}[n]; size > 0; size-- {
			if n == 24 || n == 25 {
				n = 0
			}
			n = n<<8 | int(b[0])
			b = b[1:]
		}
		return major, n
	}
	value := func() any {
		switch major, n := head(); major {
		case 1:
			return -1 - n
		case 2:
			v := b[:n]
			b = b[n:]
			return v
		default:
			return n
		}
	}
	m := map[int]any{}
	for _, n := head(); n > 0; n-- {
		label := value().(int)
		m[label] = value()
	}
	return m
}
