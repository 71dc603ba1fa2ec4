package authn_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
)

func secretKey(id string, fill byte) authn.SecretKey {
	k := authn.SecretKey{ID: id}
	for i := range k.Key {
		k.Key[i] = fill
	}
	return k
}

func TestSealIsBoundToItsPlace(t *testing.T) {
	ring, err := authn.NewKeyRing(secretKey("k1", 1))
	if err != nil {
		t.Fatal(err)
	}
	place := authn.Place{Org: org, Table: "authenticator", Column: "secret", Row: fac}
	sealed := ring.Seal(place, []byte("value"))
	if got, err := ring.Open(place, sealed); err != nil || string(got) != "value" {
		t.Fatalf("%q %v", got, err)
	}
	if ring.Seal(place, []byte("value")) == sealed {
		t.Error("two seals are the same")
	}
	for name, change := range map[string]func(*authn.Place){
		"other organisation": func(p *authn.Place) { p.Org = "org_x" },
		"other table":        func(p *authn.Place) { p.Table = "webhook" },
		"other column":       func(p *authn.Place) { p.Column = "other" },
		"other row":          func(p *authn.Place) { p.Row = "fac_x" },
		// No bare concatenation: moving a letter over the border is another place.
		"moved border": func(p *authn.Place) { p.Table, p.Column = "authenticators", "ecret" },
	} {
		p := place
		change(&p)
		if _, err := ring.Open(p, sealed); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for i := range sealed {
		b := []byte(sealed)
		b[i] ^= 1
		if got, err := ring.Open(place, string(b)); err == nil {
			t.Fatalf("changed at %d: opened as %q", i, got)
		}
	}
	for _, bad := range []string{"", "sealed.v1.", "sealed.v1.k1", "sealed.v1.k1.", "sealed.v1.k1.AAAA", sealed[:len(sealed)-4]} {
		if _, err := ring.Open(place, bad); err == nil {
			t.Errorf("%q: opened", bad)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	place := authn.Place{Org: org, Table: "t", Column: "c", Row: "r"}
	first, _ := authn.NewKeyRing(secretKey("k1", 1))
	both, err := authn.NewKeyRing(secretKey("k1", 1), secretKey("k2", 2))
	if err != nil {
		t.Fatal(err)
	}
	old := first.Seal(place, []byte("v"))
	if got, err := both.Open(place, old); err != nil || string(got) != "v" || !both.Stale(old) {
		t.Errorf("%q %v", got, err)
	}
	renewed := both.Seal(place, []byte("v"))
	if !strings.HasPrefix(renewed, "sealed.v1.k2.") || both.Stale(renewed) {
		t.Error(renewed)
	}
	if _, err := first.Open(place, renewed); err == nil || !strings.Contains(err.Error(), "k2") {
		t.Errorf("a key that is not there: %v", err)
	}
	for name, keys := range map[string][]authn.SecretKey{
		"none": nil, "zeros": {{ID: "k"}}, "twice": {secretKey("k", 1), secretKey("k", 2)}, "same": {secretKey("a", 1), secretKey("b", 1)},
		"bad id": {secretKey("k.1", 1)}, "no id": {secretKey("", 1)},
	} {
		if _, err := authn.NewKeyRing(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := authn.NewFingerprints(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Ruling 2: fingerprints compare accounts in history; two ways to write one account
// are one, two accounts are two, and without the key nothing can be guessed.
func TestRuling2Fingerprints(t *testing.T) {
	f, err := authn.NewFingerprints(secretKey("h1", 7))
	if err != nil {
		t.Fatal(err)
	}
	iban := func(v string) countersign.Account { return countersign.Account{Scheme: "iban", Value: v} }
	a := f.Account(org, iban("DE89370400440532013000"))
	if !strings.HasPrefix(a, "fp1.h1.") || strings.Contains(a, "0532") {
		t.Error(a)
	}
	same := []countersign.Account{iban("de89 3704 0044 0532 0130 00"), iban("DE89\u00a03704 0044053201 3000"), {Scheme: "IBAN", Value: "DE89370400440532013000", BIC: "COBADEFF", Holder: "ACME"}}
	for _, s := range same {
		if f.Account(org, s) != a {
			t.Errorf("%+v is another account", s)
		}
	}
	for _, o := range []countersign.Account{iban("DE89370400440532013001"), {Scheme: "bban", Value: "DE89370400440532013000"}, {Scheme: "ibanD", Value: "E89370400440532013000"}} {
		if f.Account(org, o) == a {
			t.Errorf("%+v is the same account", o)
		}
	}
	if f.Account(org, countersign.Account{Scheme: "bban", Value: "12-3"}) == f.Account(org, countersign.Account{Scheme: "bban", Value: "1-23"}) {
		t.Error("two accounts look the same")
	}
	if f.Account("org_other", iban("DE89370400440532013000")) == a {
		t.Error("two organisations share fingerprints")
	}
	rotated, err := authn.NewFingerprints(secretKey("h1", 7), secretKey("h2", 8))
	if err != nil {
		t.Fatal(err)
	}
	every := rotated.Every(org, iban("DE89370400440532013000"))
	if len(every) != 2 || every[0] != rotated.Account(org, iban("DE89370400440532013000")) || every[1] != a {
		t.Error(every)
	}
}

// Ruling 11: the scopes of keys, and none that decides.
func TestRuling11APIKeys(t *testing.T) {
	key, hash := authn.NewAPIKey(keyID)
	if !strings.HasPrefix(key, "cs_01k0000000000000000000000a_") || strings.Contains(hash, key) {
		t.Error(key)
	}
	if id, ok := authn.ParseAPIKey(key); !ok || id != keyID {
		t.Errorf("%q %v", id, ok)
	}
	other, _ := authn.NewAPIKey(keyID)
	if !authn.VerifyAPIKey(key, hash) || authn.VerifyAPIKey(other, hash) || authn.VerifyAPIKey(key, "") || authn.VerifyAPIKey("", "") {
		t.Error("comparison")
	}
	for _, bad := range []string{"", "cs_", key[:len(key)-1], key + "0", strings.ToUpper(key), "cs_x_" + key[30:], key[3:], "cs_" + strings.Repeat("0", 79), key[:29] + key[30:]} {
		if _, ok := authn.ParseAPIKey(bad); ok {
			t.Errorf("%q has the form of a key", bad)
		}
	}
	if len(authn.Scopes()) != 9 || !authn.ScopeProvisioning.Valid() {
		t.Error("scopes")
	}
	for _, s := range []authn.Scope{"", "decide", "enrol", "publish", "Submit", "*"} {
		if s.Valid() {
			t.Errorf("scope %q exists", s)
		}
	}
	for _, kind := range []authn.TokenKind{authn.TokenSession, authn.TokenHandOver, authn.TokenInvitation} {
		token, hash := authn.NewToken(kind)
		if got, ok := authn.ParseToken(kind, token); !ok || got != hash || len(token) != 56 {
			t.Errorf("%s: %v", kind, ok)
		}
		if _, ok := authn.ParseToken("csx", token); ok {
			t.Errorf("%s passes for another kind", kind)
		}
	}
}
