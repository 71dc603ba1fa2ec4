package authn_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

func TestOptions(t *testing.T) {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	c := enrolChallenge(t, d.person)
	raw, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara", DisplayName: "Mara"}, c, []authn.Passkey{d.record})
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Challenge              string
		Attestation            string
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
		ExcludeCredentials     []struct{ ID string }
		PubKeyCredParams       []struct{ Alg int }
		User                   struct{ ID string }
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	sum := c.Sum()
	if o.Challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || o.Attestation != "none" || o.AuthenticatorSelection.ResidentKey != "preferred" ||
		o.AuthenticatorSelection.UserVerification != "required" || len(o.ExcludeCredentials) != 1 || o.PubKeyCredParams[0].Alg != -7 {
		t.Errorf("%s", raw)
	}
	if again := softkey.New(); again != nil {
		saved, err := d.key.Save()
		if err != nil {
			t.Fatal(err)
		}
		if again, err = softkey.Load(saved); err != nil || !slices.Equal(again.CredentialID(), d.key.CredentialID()) {
			t.Fatalf("saved key does not load: %v", err)
		}
		if _, err := again.Register(raw, origin); err == nil {
			t.Error("the device enrolled twice")
		}
	}
	if _, err := rp.CreationOptions(authn.User{Handle: []byte("mara@example.com")[:8]}, c, nil); err == nil {
		t.Error("a short user handle was accepted")
	}
}

func TestRelyingPartyConfig(t *testing.T) {
	for name, change := range map[string]func(*authn.RelyingPartyConfig){
		"no organisation":     func(c *authn.RelyingPartyConfig) { c.Org = "" },
		"no name":             func(c *authn.RelyingPartyConfig) { c.Name = "" },
		"no origin":           func(c *authn.RelyingPartyConfig) { c.Origins = nil },
		"an address":          func(c *authn.RelyingPartyConfig) { c.ID, c.Origins = "192.0.2.1", []string{"https://192.0.2.1"} },
		"plain http":          func(c *authn.RelyingPartyConfig) { c.Origins = []string{"http://approvals.example.com"} },
		"another domain":      func(c *authn.RelyingPartyConfig) { c.Origins = []string{"https://evil.example"} },
		"looks like below":    func(c *authn.RelyingPartyConfig) { c.Origins = []string{"https://evilapprovals.example.com"} },
		"a path":              func(c *authn.RelyingPartyConfig) { c.Origins = []string{origin + "/"} },
		"a user":              func(c *authn.RelyingPartyConfig) { c.Origins = []string{"https://a@approvals.example.com"} },
		"the usual port":      func(c *authn.RelyingPartyConfig) { c.Origins = []string{origin + ":443"} },
		"capitals in domain":  func(c *authn.RelyingPartyConfig) { c.ID = "Approvals.example.com" },
		"capitals in origins": func(c *authn.RelyingPartyConfig) { c.Origins = []string{"https://Approvals.example.com"} },
	} {
		c := authn.RelyingPartyConfig{Org: org, ID: "approvals.example.com", Name: "Countersign", Origins: []string{origin}}
		change(&c)
		if _, err := authn.NewRelyingParty(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	local := authn.RelyingPartyConfig{Org: org, ID: "localhost", Name: "Countersign", Origins: []string{"http://localhost:8080"}}
	if _, err := authn.NewRelyingParty(local); err != nil {
		t.Error(err)
	}
}
