package countersign

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

var returned = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

func returnKey(t testing.TB) (note.Signer, string) {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, "localhost:8080/log/org_01m8676r36e66nws74yf3wfdwe")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func aReturn(to string) Return {
	return Return{Org: "org_01m8676r36e66nws74yf3wfdwe", Request: "req_01m8677m3se2jscfznjmzgpnb6", Digest: SumBytes([]byte("document")), Status: StatusApproved,
		At: returned.Format(TimeFormat), Expires: returned.Add(ReturnLifetime).Format(TimeFormat), URL: to}
}

func TestReturnIsVerifiedOffline(t *testing.T) {
	signer, public := returnKey(t)
	_, stranger := returnKey(t)
	for _, to := range []string{"https://erp.example.com/done", "https://erp.example.com/done?case=7&x=a+b%20c", "https://erp.example.com/done?", "https://erp.example.com/countersign_back", "http://localhost:9000/"} {
		signed, err := aReturn(to).Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(signed, to) {
			t.Fatalf("%s does not begin with %s", signed, to)
		}
		if _, err := url.Parse(signed); err != nil {
			t.Fatal(err)
		}
		r, err := VerifyReturn(signed, []string{stranger, public}, returned.Add(time.Minute))
		if err != nil {
			t.Fatalf("%s: %v", signed, err)
		}
		want := aReturn(to)
		want.Version, want.Origin = 1, signer.Name()
		if *r != want {
			t.Errorf("have %+v, want %+v", *r, want)
		}
		for name, at := range map[string]time.Time{"expired": returned.Add(ReturnLifetime), "from the future": returned.Add(-returnSkew - time.Second)} {
			if _, err := VerifyReturn(signed, []string{public}, at); err == nil {
				t.Errorf("a result that is %s is taken", name)
			}
		}
		if _, err := VerifyReturn(signed, []string{stranger}, returned); err == nil {
			t.Error("a stranger's key verifies it")
		}
		if _, err := VerifyReturn(signed, nil, returned); err == nil {
			t.Error("it verifies without a key")
		}
		if _, err := VerifyReturn(signed, []string{"no key"}, returned); err == nil {
			t.Error("a key that cannot be read is passed over in silence")
		}
	}
}

// TestReturnEveryCharacterCounts changes, drops and doubles each character of a signed
// URL: none of the results verifies.
func TestReturnEveryCharacterCounts(t *testing.T) {
	signer, public := returnKey(t)
	signed, err := aReturn("https://erp.example.com/done?case=7").Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(signed) {
		for _, changed := range []string{signed[:i] + "x" + signed[i+1:], signed[:i] + signed[i+1:], signed[:i] + signed[i:i+1] + signed[i:]} {
			if changed == signed {
				continue
			}
			if _, err := VerifyReturn(changed, []string{public}, returned); err == nil {
				t.Fatalf("taken with a change at %d: %s", i, changed)
			}
		}
	}
	for name, changed := range map[string]string{
		"more behind it":  signed + "&admin=1",
		"a fragment":      signed + "#x",
		"another status":  strings.Replace(signed, "countersign_status=approved", "countersign_status=released", 1),
		"another page":    strings.Replace(signed, "erp.example.com", "evil.example.com", 1),
		"a user":          strings.Replace(signed, "https://", "https://a@", 1),
		"twice":           signed + signed[strings.Index(signed, "&countersign_"):],
		"another scheme":  strings.Replace(signed, "https:", "http:", 1),
		"path, not query": strings.Replace(signed, "?case=7&", "&", 1),
	} {
		if _, err := VerifyReturn(changed, []string{public}, returned); err == nil {
			t.Errorf("%s is taken: %s", name, changed)
		}
	}
}

// TestReturnIsNoCheckpoint: a signature under a result is under bytes that no log signs.
func TestReturnIsNoCheckpoint(t *testing.T) {
	signer, _ := returnKey(t)
	r := aReturn("https://erp.example.com/done")
	r.Origin = signer.Name()
	msg, err := r.message()
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(msg), "\n"); first != "countersign.return/v1" || first == signer.Name() {
		t.Errorf("what is signed begins with %q", first)
	}
}

func TestReturnRefusesWhatCannotBeToldApart(t *testing.T) {
	signer, public := returnKey(t)
	for _, to := range []string{"https://erp.example.com/?countersign_status=approved", "javascript:alert(1)", "//erp.example.com/", "/done", "https://a:b@erp.example.com/", "https://erp.example.com/#x", ""} {
		if signed, err := aReturn(to).Sign(signer); err == nil {
			t.Errorf("signed: %s", signed)
		}
	}
	s := Submission{ReturnURL: "https://erp.example.com/?countersign_status=approved"}
	if err := s.Validate("/submission"); err == nil || !strings.Contains(err.Error(), "countersign_") {
		t.Errorf("submitted: %v", err)
	}
	long := aReturn("https://erp.example.com/done")
	long.Expires = returned.Add(ReturnLifetime + time.Second).Format(TimeFormat)
	signed, err := long.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReturn(signed, []string{public}, returned); err == nil {
		t.Error("a result that claims to be good for long is taken")
	}
}

func FuzzVerifyReturn(f *testing.F) {
	signer, public := returnKey(f)
	signed, err := aReturn("https://erp.example.com/done?case=7").Sign(signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add("https://erp.example.com/done")
	f.Add("https://erp.example.com/?countersign_request=&countersign_signature=")
	f.Add("?countersign_request=%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		if r, err := VerifyReturn(raw, []string{public}, returned); err == nil && raw != signed {
			t.Errorf("%q verifies as %+v", raw, r)
		}
	})
}
