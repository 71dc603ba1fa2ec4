package softkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/go-webauthn/webauthn/protocol"
)

const (
	origin   = "http://localhost:8080"
	creation = `{"rp":{"id":"localhost","name":"Demo"},"user":{"id":"bWFyYQ","name":"mara","displayName":"Mara"},"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","pubKeyCredParams":[]}`
	request  = `{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","rpId":"localhost"}`
)

// A demo keeps a visitor's key over a restart: what the loaded key signs verifies with
// the public key that the first one registered, and its counter goes on.
func TestSavedKeyGoesOn(t *testing.T) {
	key := softkey.New()
	if _, err := key.Save(); err == nil {
		t.Error("an empty device was saved")
	}
	if _, err := key.Assert([]byte(request), origin); err == nil {
		t.Error("an empty device signs")
	}
	registered, err := key.Register([]byte(creation), origin)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(registered)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.RawID, key.CredentialID()) {
		t.Error("another credential id")
	}
	saved, err := key.Save()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := softkey.Load(saved)
	if err != nil {
		t.Fatal(err)
	}
	var last uint32
	for range 3 {
		answer, err := loaded.Assert([]byte(request), origin)
		if err != nil {
			t.Fatal(err)
		}
		a, err := protocol.ParseCredentialRequestResponseBytes(answer)
		if err != nil {
			t.Fatal(err)
		}
		client := sha256.Sum256(a.Raw.AssertionResponse.ClientDataJSON)
		sum := sha256.Sum256(slices.Concat(a.Raw.AssertionResponse.AuthenticatorData, client[:]))
		if !ecdsa.VerifyASN1(publicKey(t, saved), sum[:], a.Response.Signature) {
			t.Fatal("the signature does not verify")
		}
		if c := a.Response.AuthenticatorData.Counter; c != last+1 {
			t.Errorf("counter %d after %d", c, last)
		} else {
			last = c
		}
		if string(a.Response.UserHandle) != "mara" || a.Response.CollectedClientData.Origin != origin {
			t.Errorf("%+v", a.Response)
		}
	}
	for _, bad := range []string{"", "{}", `{"private":"AAAA"}`} {
		if _, err := softkey.Load([]byte(bad)); err == nil {
			t.Errorf("%q loads", bad)
		}
	}
}

func publicKey(t *testing.T, saved []byte) *ecdsa.PublicKey {
	t.Helper()
	var s struct{ Private []byte }
	if err := json.Unmarshal(saved, &s); err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParseECPrivateKey(s.Private)
	if err != nil {
		t.Fatal(err)
	}
	return &private.PublicKey
}

// It refuses what a browser would, unless a knob says otherwise.
func TestBrowserRules(t *testing.T) {
	key := softkey.New()
	for _, elsewhere := range []string{"https://evil.example", "https://localhost.evil.example", "https://evillocalhost", "", "::"} {
		if _, err := key.Register([]byte(creation), elsewhere); err == nil {
			t.Errorf("registered for a page at %q", elsewhere)
		}
	}
	if _, err := key.Register([]byte(creation), origin); err != nil {
		t.Fatal(err)
	}
	id := base64.RawURLEncoding.EncodeToString(key.CredentialID())
	exclude := strings.Replace(creation, `"pubKeyCredParams":[]`, `"excludeCredentials":[{"id":"`+id+`"}]`, 1)
	if _, err := key.Register([]byte(exclude), origin); err == nil {
		t.Error("registered though excluded")
	}
	other := strings.TrimSuffix(request, "}") + `,"allowCredentials":[{"id":"AAAA"}]}`
	if _, err := key.Assert([]byte(other), origin); err == nil {
		t.Error("answered for another passkey")
	}
	key.Behaviour.IgnoreLists = true
	if _, err := key.Assert([]byte(other), origin); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "[]", `{"challenge":"*"}`} {
		if _, err := key.Assert([]byte(bad), origin); err == nil {
			t.Errorf("answered %q", bad)
		}
		if _, err := key.Register([]byte(bad), origin); err == nil {
			t.Errorf("registered for %q", bad)
		}
	}
}
