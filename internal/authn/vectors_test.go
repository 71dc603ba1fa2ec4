package authn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/jcs"
	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// vector reads a file of shared test vectors, or skips the test where the folder is
// absent.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", name))
	if err != nil {
		if os.Getenv("COUNTERSIGN_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no shared test vectors here: %v", err)
	}
	return b
}

type ceremonyVector struct{ challenge, id, clientData, attestation, data, signature []byte }

func (v ceremonyVector) response() []byte {
	b64 := base64.RawURLEncoding.EncodeToString
	inner := map[string]any{"clientDataJSON": b64(v.clientData)}
	for name, value := range map[string][]byte{"attestationObject": v.attestation, "authenticatorData": v.data, "signature": v.signature} {
		if value != nil {
			inner[name] = b64(value)
		}
	}
	out, _ := json.Marshal(map[string]any{"id": b64(v.id), "rawId": b64(v.id), "type": "public-key", "response": inner})
	return out
}

func (v ceremonyVector) sum() (sum [32]byte) { copy(sum[:], v.challenge); return sum }

// specification reads the vectors of Web Authentication Level 3 §16.
func specification(t *testing.T) (root *x509.Certificate, vectors map[string][2]ceremonyVector) {
	t.Helper()
	var sections []struct {
		Anchor string
		Blocks []map[string]string
	}
	if err := json.Unmarshal(vector(t, "webauthn3-spec-vectors.json"), &sections); err != nil {
		t.Fatal(err)
	}
	vectors = map[string][2]ceremonyVector{}
	for _, s := range sections {
		get := func(i int, name string) []byte {
			b, err := hex.DecodeString(s.Blocks[i][name])
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if len(s.Blocks) == 1 && s.Blocks[0]["attestation_ca_cert"] != "" {
			var err error
			if root, err = x509.ParseCertificate(get(0, "attestation_ca_cert")); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.Blocks) != 2 || s.Blocks[1]["signature"] == "" {
			continue
		}
		id := get(0, "credential_id")
		vectors[strings.TrimPrefix(s.Anchor, "sctn-test-vectors-")] = [2]ceremonyVector{
			{challenge: get(0, "challenge"), id: id, clientData: get(0, "clientDataJSON"), attestation: get(0, "attestationObject")},
			{challenge: get(1, "challenge"), id: id, clientData: get(1, "clientDataJSON"), data: get(1, "authenticatorData"), signature: get(1, "signature")},
		}
	}
	return root, vectors
}

// refusals are the vectors whose registration we refuse, apart from those that did not
// verify their user.
var refusals = map[string]error{
	"packed-ed448":      authn.ErrAlgorithm,   // the standard library cannot verify it
	"packed-es512":      authn.ErrChallenge,   // its challenge has 128 bytes; ours always have 32
	"tpm-es256":         authn.ErrAttestation, // its maker of TPMs does not exist
	"android-key-es256": authn.ErrAttestation, // its root is not Google's
}

// TestSpecificationVectors runs every vector of the standard. We always ask for user
// verification, and the standard's authenticators flip a coin over it; so those that
// did not verify must be refused for that reason and no other, and the signatures of
// all are verified with the key as we store it, as an auditor would.
func TestSpecificationVectors(t *testing.T) {
	root, vectors := specification(t)
	if len(vectors) != 15 || root == nil {
		t.Fatalf("%d vectors", len(vectors))
	}
	rp := relyingParty(t, func(c *authn.RelyingPartyConfig) {
		c.ID, c.Origins, c.Roots = "example.org", []string{"https://example.org"}, []*x509.Certificate{root}
	})
	accepted := 0
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			attested := attestedData(t, v[0])
			flags := byte(attested.Flags)
			want := expectedRefusal(v[0].clientData, flags)
			in := authn.Registration{Handle: authn.NewUserHandle(), Response: v[0].response(), Now: now}
			p, err := rp.VerifyRegistrationOf(in, v[0].sum())
			spki, keyErr := authn.SubjectPublicKeyInfo(attested.AttData.CredentialPublicKey)
			if refusals[name] != nil && (want == nil || name == "packed-es512") {
				want = refusals[name]
			}
			if (keyErr != nil) != (name == "packed-ed448") {
				t.Fatal(keyErr)
			}
			if want != nil {
				checkRefused(t, err, want)
			} else if err != nil {
				t.Fatal(err)
			} else {
				accepted++
				if p.AttestedBy != "" { // all that verified their user say that they may be copied
					t.Errorf("attested by %q, backup eligible %v", p.AttestedBy, p.BackupEligible)
				}
			}
			if keyErr != nil {
				return
			}
			if !verifies(t, spki, v[1]) {
				t.Error("the signature does not verify with the key as stored")
			}
			p = authn.Passkey{Person: newPerson(), CredentialID: v[0].id, COSEKey: attested.AttData.CredentialPublicKey, SPKI: spki, BackupEligible: flags&8 != 0, RPID: "example.org"}
			_, err = rp.VerifyAssertionOf(authn.Assertion{Passkey: p, Handle: in.Handle, Response: v[1].response(), Now: now}, v[1].sum())
			want = expectedRefusal(v[1].clientData, v[1].data[32])
			if name == "packed-es512" {
				want = authn.ErrChallenge
			}
			if want != nil {
				checkRefused(t, err, want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	if accepted != 3 {
		t.Errorf("%d registrations were accepted", accepted)
	}
}

// The chains of the standard's vectors lead to their root, that of the TPM with its
// critical name too; without the root, or long after, they lead nowhere.
func TestAttestationChains(t *testing.T) {
	root, vectors := specification(t)
	with := relyingParty(t, func(c *authn.RelyingPartyConfig) { c.Roots = []*x509.Certificate{root} })
	for name, v := range vectors {
		r := protocol.AuthenticatorAttestationResponse{AttestationObject: v[0].attestation}
		r.ClientDataJSON = v[0].clientData
		p, err := r.Parse()
		if err != nil {
			t.Fatal(err)
		}
		chained := strings.HasPrefix(name, "packed-") && name != "packed-self-es256" || slices.Contains([]string{"tpm-es256", "android-key-es256", "apple-es256", "fido-u2f-es256"}, name)
		if got := with.AttestedBy(&p.AttestationObject, now); (got != "") != chained {
			t.Errorf("%s: attested by %q", name, got)
		}
		if got := relyingParty(t).AttestedBy(&p.AttestationObject, now); got != "" {
			t.Errorf("%s: without a root attested by %q", name, got)
		}
		if got := with.AttestedBy(&p.AttestationObject, now.AddDate(2000, 0, 0)); got != "" {
			t.Errorf("%s: after its certificates attested by %q", name, got)
		}
	}
}

func expectedRefusal(clientData []byte, flags byte) error {
	var c struct {
		CrossOrigin bool
		TopOrigin   string
	}
	_ = json.Unmarshal(clientData, &c)
	switch {
	case c.CrossOrigin || c.TopOrigin != "":
		return authn.ErrOrigin
	case flags&4 == 0:
		return authn.ErrUserVerification
	}
	return nil
}

func attestedData(t *testing.T, v ceremonyVector) protocol.AuthenticatorData {
	t.Helper()
	r := protocol.AuthenticatorAttestationResponse{AttestationObject: v.attestation}
	r.ClientDataJSON = v.clientData
	p, err := r.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return p.AttestationObject.AuthData
}

// verifies does with the standard library what an offline verifier does.
func verifies(t *testing.T, spki []byte, v ceremonyVector) bool {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	client := sha256.Sum256(v.clientData)
	signed := slices.Concat(v.data, client[:])
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 384:
			sum := sha512.Sum384(signed)
			return ecdsa.VerifyASN1(k, sum[:], v.signature)
		case 521:
			sum := sha512.Sum512(signed)
			return ecdsa.VerifyASN1(k, sum[:], v.signature)
		}
		sum := sha256.Sum256(signed)
		return ecdsa.VerifyASN1(k, sum[:], v.signature)
	case ed25519.PublicKey:
		return ed25519.Verify(k, signed, v.signature)
	case *rsa.PublicKey:
		sum := sha256.Sum256(signed)
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], v.signature) == nil
	}
	t.Fatalf("key of type %T", key)
	return false
}

// TestChromiumVectors runs what a real browser sent: a registration, an assertion
// over a document's digest, and the payment dialog's answer, which is refused.
func TestChromiumVectors(t *testing.T) {
	type ceremony struct {
		OK struct {
			ID, Att, Ad, Cdj, Sig string
		}
	}
	var v struct {
		ApprovalJCS    string   `json:"approval_jcs"`
		ApprovalSHA256 string   `json:"approval_sha256"`
		Registration   ceremony `json:"registration"`
		Get            ceremony `json:"webauthn_get"`
		SPC            ceremony `json:"spc"`
	}
	if err := json.Unmarshal(vector(t, "webauthn-chromium156.json"), &v); err != nil {
		t.Fatal(err)
	}
	raw := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rp := relyingParty(t, func(c *authn.RelyingPartyConfig) { c.ID, c.Origins = "localhost", []string{"http://localhost:8901"} })
	id := raw(v.Registration.OK.ID)
	registration := ceremonyVector{challenge: make([]byte, 32), id: id, clientData: []byte(v.Registration.OK.Cdj), attestation: raw(v.Registration.OK.Att)}
	handle := authn.NewUserHandle()
	p, err := rp.VerifyRegistrationOf(authn.Registration{Handle: handle, Response: registration.response(), Now: now}, registration.sum())
	if err != nil {
		t.Fatal(err)
	}
	if p.SignCount != 1 || p.BackupEligible || p.AAGUID != "01020304-0506-0708-0102-030405060708" || p.Format != "none" {
		t.Errorf("record %+v", p)
	}
	sum := sha256.Sum256([]byte(v.ApprovalJCS))
	if hex.EncodeToString(sum[:]) != v.ApprovalSHA256 || !jcs.IsCanonical([]byte(v.ApprovalJCS)) {
		t.Fatal("the vector's document is not canonical")
	}
	get := ceremonyVector{id: id, clientData: []byte(v.Get.OK.Cdj), data: raw(v.Get.OK.Ad), signature: raw(v.Get.OK.Sig)}
	f, err := rp.VerifyAssertionOf(authn.Assertion{Passkey: p, Handle: handle, Response: get.response(), Now: now}, sum)
	if err != nil || !f.UserVerified || f.SignCount != 2 || f.CloneWarning {
		t.Errorf("%v %+v", err, f)
	}
	spc := ceremonyVector{id: id, clientData: []byte(v.SPC.OK.Cdj), data: raw(v.SPC.OK.Ad), signature: raw(v.SPC.OK.Sig)}
	_, err = rp.VerifyAssertionOf(authn.Assertion{Passkey: p, Handle: handle, Response: spc.response(), Now: now}, sum)
	checkRefused(t, err, authn.ErrResponse)
	// One bit of the document's digest changes everything.
	sum[0] ^= 1
	_, err = rp.VerifyAssertionOf(authn.Assertion{Passkey: p, Handle: handle, Response: get.response(), Now: now}, sum)
	checkRefused(t, err, authn.ErrChallenge)
}

// padded is an answer of the virtual authenticator with its key's coordinates in full
// length, as RFC 9053 §7.1.1 wants them: it leaves their leading zeros out, which one key
// in 128 has.
func padded(t *testing.T, answer string, by *virtualwebauthn.Key) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatal(err)
	}
	response := all["response"].(map[string]any)
	var object map[string]any
	if err := webauthncbor.Unmarshal(bytesOf(response["attestationObject"].(string)), &object); err != nil {
		t.Fatal(err)
	}
	data := object["authData"].([]byte)
	at := 55 + int(binary.BigEndian.Uint16(data[53:])) // behind the credential's id (Web Authentication §6.1)
	var key map[int64]any
	if err := webauthncbor.Unmarshal(data[at:], &key); err != nil {
		t.Fatal(err)
	}

	if key[1] == uint64(2) {
		for _, label := range []int64{-2, -3} {
			short := key[label].([]byte)
			key[label] = append(make([]byte, 32-len(short)), short...)
		}
	}
	cose, err := webauthncbor.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	object["authData"] = append(data[:at:at], cose...)
	client := sha256.Sum256(bytesOf(response["clientDataJSON"].(string)))
	sum := sha256.Sum256(append(data[:at:at], append(cose, client[:]...)...))
	signature, err := by.Sign(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	object["attStmt"].(map[any]any)["sig"] = signature
	full, err := webauthncbor.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	response["attestationObject"] = base64Of(full)
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestShortCoordinates: a key whose coordinate lacks its leading zeros is refused, and the
// same key written in full is not.
func TestShortCoordinates(t *testing.T) {
	for name, scalar := range map[string]uint16{"x of 31 bytes": 43, "y of 31 bytes": 379} {
		t.Run(name, func(t *testing.T) {
			raw := binary.BigEndian.AppendUint16(make([]byte, 30), scalar)
			private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
			if err != nil {
				t.Fatal(err)
			}
			pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				t.Fatal(err)
			}
			rp := relyingParty(t, func(c *authn.RelyingPartyConfig) { c.Simulated = false })
			site := virtualwebauthn.RelyingParty{Name: "Countersign", ID: "approvals.example.com", Origin: origin}
			credential := virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, pkcs8)
			enrol := func(write func(string) []byte) error {
				person, handle := newPerson(), authn.NewUserHandle()
				c := enrolChallenge(t, person)
				creation, err := rp.CreationOptions(authn.User{Handle: handle, Name: "mara", DisplayName: "Mara"}, c, nil)
				if err != nil {
					t.Fatal(err)
				}
				ao, err := virtualwebauthn.ParseAttestationOptions(`{"publicKey":` + string(creation) + `}`)
				if err != nil {
					t.Fatal(err)
				}
				a := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: handle})
				answer := write(virtualwebauthn.CreateAttestationResponse(site, a, credential, *ao))
				_, err = rp.VerifyRegistration(authn.Registration{Challenge: take(t, c), Handle: handle, Response: answer, Now: now})
				return err
			}
			if err := enrol(func(answer string) []byte { return []byte(answer) }); err == nil {
				t.Error("the short form is accepted")
			}
			if err := enrol(func(answer string) []byte { return padded(t, answer, credential.Key) }); err != nil {
				t.Errorf("in full: %v", err)
			}
		})
	}
}

// TestVirtualAuthenticator is the same story with somebody else's authenticator, with
// both kinds of keys that it has.
func TestVirtualAuthenticator(t *testing.T) {
	for name, kind := range map[string]virtualwebauthn.KeyType{"EC2": virtualwebauthn.KeyTypeEC2, "RSA": virtualwebauthn.KeyTypeRSA} {
		t.Run(name, func(t *testing.T) {
			rp := relyingParty(t, func(c *authn.RelyingPartyConfig) { c.Simulated = false })
			site := virtualwebauthn.RelyingParty{Name: "Countersign", ID: "approvals.example.com", Origin: origin}
			d := &device{person: newPerson(), handle: authn.NewUserHandle()}
			authenticator := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: d.handle})
			credential := virtualwebauthn.NewCredential(kind)

			c := enrolChallenge(t, d.person)
			creation, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara", DisplayName: "Mara"}, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			ao, err := virtualwebauthn.ParseAttestationOptions(`{"publicKey":` + string(creation) + `}`)
			if err != nil {
				t.Fatal(err)
			}
			answer := padded(t, virtualwebauthn.CreateAttestationResponse(site, authenticator, credential, *ao), credential.Key)
			if d.record, err = rp.VerifyRegistration(authn.Registration{Challenge: take(t, c), Handle: d.handle, Response: answer, Now: now}); err != nil {
				t.Fatal(err)
			}
			authenticator.AddCredential(credential)
			assert := func(site virtualwebauthn.RelyingParty, a virtualwebauthn.Authenticator, key virtualwebauthn.Credential) error {
				dc := decisionChallenge(t, statement(d.person), d.record)
				request, err := rp.RequestOptions(dc, []authn.Passkey{d.record})
				if err != nil {
					t.Fatal(err)
				}
				o, err := virtualwebauthn.ParseAssertionOptions(`{"publicKey":` + string(request) + `}`)
				if err != nil {
					t.Fatal(err)
				}
				answer := virtualwebauthn.CreateAssertionResponse(site, a, key, *o)
				_, err = rp.VerifyAssertion(authn.Assertion{Challenge: take(t, dc), Passkey: d.record, Handle: d.handle, Response: []byte(answer), Now: now})
				return err
			}
			if err := assert(site, authenticator, credential); err != nil {
				t.Fatal(err)
			}
			unverified := authenticator
			unverified.Options.UserNotVerified = true
			checkRefused(t, assert(site, unverified, credential), authn.ErrUserVerification)
			elsewhere := site
			elsewhere.Origin = "https://evil.example"
			checkRefused(t, assert(elsewhere, authenticator, credential), authn.ErrOrigin)
			elsewhere = site
			elsewhere.ID = "evil.example"
			checkRefused(t, assert(elsewhere, authenticator, credential), authn.ErrRelyingParty)
			other := virtualwebauthn.NewCredential(kind)
			other.ID = credential.ID
			checkRefused(t, assert(site, authenticator, other), authn.ErrSignature)
		})
	}
}
