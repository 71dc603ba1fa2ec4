package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

const demoURL = "http://localhost:8080"

func buildIn(t *testing.T, dir, url string) (*House, error) {
	t.Helper()
	return Build(t.Context(), Config{Dir: dir, URL: url})
}

// The house is whole: everybody can prove
// themselves, with two factors that count at once, and the organisation is founded.
func TestHouseIsWhole(t *testing.T) {
	h := house(t)
	for _, p := range h.Info.People {
		if p.ID == "" || p.TOTPSecret == "" || len(p.Passkey) == 0 || !strings.HasPrefix(p.EnrolLink, demoURL+"/enrol#") {
			t.Errorf("incomplete: %s %q", p.Login, p.ID)
		}
	}
	err := h.DB().For(h.Info.Org).Read(t.Context(), func(tx *store.Tx) error {
		o, err := tx.Organisation()
		if err != nil {
			return err
		}
		if !o.Demo || o.Founding {
			t.Errorf("demo %v, founding %v", o.Demo, o.Founding)
		}
		for _, p := range h.Info.People {
			all, err := tx.Authenticators(p.ID)
			if err != nil {
				return err
			}
			have := map[string]int{}
			for _, a := range all {
				have[a.Type]++
				if strings.Contains(a.Standing, `"needs_confirmation":true`) {
					t.Errorf("%s: the %s waits for a confirmation", p.Login, a.Type)
				}
			}
			if have["passkey"] != 1 || have["totp"] != 1 || have["password"] != 1 {
				t.Errorf("%s has %v", p.Login, have)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Authority.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB().For(h.Authority.Org()).CheckLog(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// A demo's folder opens again as it was left, at the same address only; a folder with
// something else in it is left alone.
func TestHouseOpensAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	first, err := buildIn(t, dir, demoURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := buildIn(t, dir, demoURL)
	if err != nil {
		t.Fatal(err)
	}
	if again.Info.Key != first.Info.Key || len(again.Company.Purchases) != len(first.Company.Purchases) {
		t.Error("another company came back")
	}
	if _, err := again.Authority.AuthenticateKey(t.Context(), first.Info.Key); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := buildIn(t, dir, "http://localhost:8081"); err == nil || !strings.Contains(err.Error(), "was made for "+demoURL) {
		t.Errorf("another address: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := buildIn(t, other, demoURL); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with something else in it: %v", err)
	}
	for _, url := range []string{"http://127.0.0.1:8080", "https://localhost:8080", "http://example.com", "http://localhost:8080/x"} {
		if _, err := buildIn(t, filepath.Join(t.TempDir(), "demo"), url); err == nil {
			t.Errorf("%s is accepted", url)
		}
	}
}

// Cheap hashing is for demos alone, and a demo's passkeys are for demos alone: where
// the software authenticator is not accepted, the folder's people cannot sign in.
func TestHouseIsNothingWithoutItsStamp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	h, err := buildIn(t, dir, demoURL)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	keys, err := checkpoint.OpenKeys(filepath.Join(dir, keysFolder), authority.LogOrigin(hostOf(demoURL), h.Info.Org))
	if err != nil {
		t.Fatal(err)
	}
	h.Authority.Publish(t.Context())
	strict, err := authority.Open(t.Context(), authority.Config{DB: h.DB().For(h.Info.Org), Keys: keys, Guard: h.guard, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	begun, err := strict.BeginSignIn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Info.Person(headMaking).SoftwareKey()
	if err != nil {
		t.Fatal(err)
	}
	response, err := key.Assert(begun.Options, demoURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.SignIn(t.Context(), authority.SignInBody{Challenge: begun.Challenge, Binding: begun.Binding, Passkey: response}); err == nil {
		t.Error("a simulated passkey opens a session where it is not accepted")
	}
}

func TestCheckListen(t *testing.T) {
	for address, good := range map[string]bool{"localhost:8080": true, "localhost:0": true, "0.0.0.0:8080": false, ":8080": false, "127.0.0.1:8080": false, "localhost": false, "example.com:80": false} {
		if err := CheckListen(address); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// The visitor's phone shows what RFC 6238 appendix B says.
func TestCode(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"
	for unix, want := range map[int64]string{59: "287082", 1111111109: "081804", 20000000000: "353130"} {
		if code, err := Code(secret, time.Unix(unix, 0)); err != nil || code != want {
			t.Errorf("%d: %s, %v; want %s", unix, code, err, want)
		}
	}
	if _, err := Code("not base32!", time.Now()); err == nil {
		t.Error("accepted")
	}
}

// The facts that the house is made from are valid as any caller's would have to be.
func TestFactsAreValid(t *testing.T) {
	c := Sample(today)
	for _, b := range c.Facts() {
		if err := countersign.ValidateFacts(&b); err != nil {
			t.Error(err)
		}
	}
}

// TestStepEndsWhileEnrolling: the half minute may end between a first code and its
// verification; the demo starts all the same.
func TestStepEndsWhileEnrolling(t *testing.T) {
	h := house(t)
	p, tries := h.Info.People[0], 0
	err := h.redeem(t.Context(), &p, h.byPasskey, authn.KindTOTP, func(c *authority.Ceremony) (authority.EnrolBody, error) {
		at := time.Now()
		if tries++; tries == 1 {
			at = at.Add(-3 * authn.TOTPPeriod)
		}
		code, err := Code(c.Secret, at)
		return authority.EnrolBody{Name: "another app", Code: code}, err
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries: %v", tries, err)
	}
}
