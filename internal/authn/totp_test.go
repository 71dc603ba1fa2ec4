package authn_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/pquerna/otp/hotp"
)

var rfcSecret = []byte("12345678901234567890")

// code is the code of a secret at a time, by way of the library.
func code(t testing.TB, secret []byte, at time.Time) string {
	t.Helper()
	c, err := hotp.GenerateCode(strings.ReplaceAll(authn.TOTPSecretText(secret), " ", ""), uint64(at.Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wrong(code string) string {
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+5)%10
	return string(b)
}

func TestTOTPVectors(t *testing.T) {
	var v struct {
		HOTP struct {
			Counters []string `json:"counters_0_to_9"`
		} `json:"hotp_rfc4226"`
		TOTP struct {
			Vectors [][]any
		} `json:"totp_rfc6238"`
	}
	if err := json.Unmarshal(vector(t, "totp.json"), &v); err != nil {
		t.Fatal(err)
	}
	for counter, want := range v.HOTP.Counters[2:] { // RFC 4226 appendix D; steps of 0 and below do not exist here
		at := time.Unix(int64(counter+2)*30, 0)
		if _, r := authn.VerifyTOTP(rfcSecret, authn.TOTPState{}, want, at); !r.Accepted || r.Step != int64(counter+2) {
			t.Errorf("counter %d: %+v", counter+2, r)
		}
	}
	for _, row := range v.TOTP.Vectors { // RFC 6238 appendix B has 8 digits; ours are the last 6
		at, want := time.Unix(int64(row[0].(float64)), 0), row[1].(string)[2:]
		if _, r := authn.VerifyTOTP(rfcSecret, authn.TOTPState{}, want, at); !r.Accepted || r.Step != at.Unix()/30 {
			t.Errorf("at %d: %+v", at.Unix(), r)
		}
	}
	if len(v.HOTP.Counters) != 10 || len(v.TOTP.Vectors) != 6 {
		t.Error("vectors are missing")
	}
}

// oathtool is an independent implementation.
func TestTOTPCounterpart(t *testing.T) {
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	for i := range 20 {
		secret := authn.NewTOTPSecret()
		at := now.Add(time.Duration(i) * 17 * time.Hour)
		out, err := exec.Command(tool, "--totp", "--base32", "--now", at.Format("2006-01-02 15:04:05 UTC"), authn.TOTPSecretText(secret)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if _, r := authn.VerifyTOTP(secret, authn.TOTPState{}, string(out), at); !r.Accepted {
			t.Fatalf("oathtool says %s, we say %v", out, r.Err)
		}
	}
}

func TestTOTPWindow(t *testing.T) {
	secret := authn.NewTOTPSecret()
	at := now.Add(15 * time.Second)
	for step := -3; step <= 3; step++ {
		_, r := authn.VerifyTOTP(secret, authn.TOTPState{}, code(t, secret, at.Add(time.Duration(step)*30*time.Second)), at)
		if want := step >= -1 && step <= 1; r.Accepted != want {
			t.Errorf("step %+d: accepted %v", step, r.Accepted)
		}
	}
}

// Ruling 18: a code used anywhere is used up everywhere; and so are older ones.
func TestRuling18CodeIsUsedUp(t *testing.T) {
	secret := authn.NewTOTPSecret()
	c := code(t, secret, now)
	state, r := authn.VerifyTOTP(secret, authn.TOTPState{}, c, now)
	if !r.Accepted || !state.Proven || state.LastStep != now.Unix()/30 {
		t.Fatalf("%+v %+v", state, r)
	}
	for _, old := range []string{c, code(t, secret, now.Add(-30*time.Second))} {
		again, r := authn.VerifyTOTP(secret, state, old, now.Add(5*time.Second))
		if r.Accepted || !errors.Is(r.Err, authn.ErrUsed) || again != state {
			t.Errorf("a used code: %+v", r)
		}
	}
	next := now.Add(30 * time.Second)
	if _, r := authn.VerifyTOTP(secret, state, code(t, secret, next), next); !r.Accepted {
		t.Errorf("the next code: %v", r.Err)
	}
}

// Ruling 18: five wrong codes lock for 15 minutes, doubling, ended at 100; and the
// state carries it over a restart.
func TestRuling18FiveWrongCodesLock(t *testing.T) {
	secret := authn.NewTOTPSecret()
	at, lock := now, 15*time.Minute
	var state authn.TOTPState
	tries := 0
	for !state.Throttle.Ended {
		before := state
		good := code(t, secret, at)
		var r authn.TOTPResult
		if state, r = authn.VerifyTOTP(secret, state, wrong(good), at); r.Accepted {
			t.Fatal("a wrong code was accepted")
		}
		tries++
		if state.Throttle.Failures != tries {
			t.Fatalf("%d tries, %d failures", tries, state.Throttle.Failures)
		}
		if tries%5 != 0 {
			if !errors.Is(r.Err, authn.ErrWrong) || state.Throttle.JustLocked(before.Throttle) {
				t.Fatalf("try %d: %v", tries, r.Err)
			}
			continue
		}
		if !state.Throttle.JustLocked(before.Throttle) {
			t.Fatalf("try %d did not lock", tries)
		}
		if tries == 100 {
			break
		}
		stored, _ := json.Marshal(state)
		restarted := authn.TOTPState{}
		if err := json.Unmarshal(stored, &restarted); err != nil {
			t.Fatal(err)
		}
		justBefore := at.Add(lock - time.Millisecond)
		if got, r := authn.VerifyTOTP(secret, restarted, code(t, secret, justBefore), justBefore); !errors.Is(r.Err, authn.ErrLocked) || got != restarted {
			t.Fatalf("try %d: the right code within %v: %v", tries, lock, r.Err)
		}
		var p *countersign.Problem
		if !errors.As(r.Err, &p) || p.Code != countersign.CodeLocked || p.RetryAfterSeconds != int(lock/time.Second) {
			t.Fatalf("try %d: %+v", tries, p)
		}
		at = at.Add(lock)
		lock *= 2
		if _, r := authn.VerifyTOTP(secret, restarted, code(t, secret, at), at); !r.Accepted {
			t.Fatalf("try %d: the right code after the lock: %v", tries, r.Err)
		}
	}
	if tries != 100 {
		t.Fatalf("ended after %d", tries)
	}
	later := at.AddDate(50, 0, 0)
	if _, r := authn.VerifyTOTP(secret, state, code(t, secret, later), later); !errors.Is(r.Err, authn.ErrEnded) {
		t.Errorf("after the end: %v", r.Err)
	}
}

func TestTOTPForm(t *testing.T) {
	secret := authn.NewTOTPSecret()
	c := code(t, secret, now)
	for _, good := range []string{c, " " + c, c + "\n", c[:3] + " " + c[3:], c[:3] + "\u00a0" + c[3:]} {
		if _, r := authn.VerifyTOTP(secret, authn.TOTPState{}, good, now); !r.Accepted {
			t.Errorf("%q: %v", good, r.Err)
		}
	}
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, c)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, c)
	for _, bad := range []string{"", "12345", c + "0", "12345a", arabic, wide, "-12345", "+" + c[1:], c[:3] + "-" + c[3:], strings.Repeat(" ", 40) + c} {
		state, r := authn.VerifyTOTP(secret, authn.TOTPState{}, bad, now)
		if r.Accepted || !errors.Is(r.Err, authn.ErrMalformed) || state != (authn.TOTPState{}) {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	if _, r := authn.VerifyTOTP(nil, authn.TOTPState{}, code(t, nil, now), now); r.Accepted {
		t.Error("an empty secret accepts codes")
	}
	if _, r := authn.VerifyTOTP(secret, authn.TOTPState{}, code(t, secret, time.Unix(-60, 0)), time.Unix(-60, 0)); r.Accepted {
		t.Error("a time before 1970 accepts codes")
	}
}

func TestTOTPURI(t *testing.T) {
	secret := []byte("12345678901234567890")
	got := authn.TOTPURI("Acme: Einkauf & Co", "mara+ap@example.com", secret)
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Acme  Einkauf & Co:mara+ap@example.com" || strings.Contains(got, "+") {
		t.Errorf("%s: path %q", got, u.Path)
	}
	q := u.Query()
	if q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || q.Get("issuer") != "Acme  Einkauf & Co" || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Error(got)
	}
	if text := authn.TOTPSecretText(secret); text != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Error(text)
	}
	if a, b := authn.NewTOTPSecret(), authn.NewTOTPSecret(); len(a) != 20 || string(a) == string(b) {
		t.Error("secrets are not random")
	}
}

// FuzzTOTP: whatever is typed, it never panics, and it is accepted only when its
// digits are one of the three codes of the window.
func FuzzTOTP(f *testing.F) {
	for _, s := range []string{"", "287082", " 287 082", "٢٨٧٠٨٢", "000000", "1e5", "287082\x00", "-87082", "２８７０８２"} {
		f.Add(s, int64(59))
		f.Add(s, int64(-1))
	}
	f.Fuzz(func(t *testing.T, typed string, unix int64) {
		at := time.Unix(unix, 0)
		state, r := authn.VerifyTOTP(rfcSecret, authn.TOTPState{}, typed, at)
		digits := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "", "\u00a0", "").Replace(typed)
		valid := false
		for step := unix/30 - 1; step <= unix/30+1; step++ {
			valid = valid || (step >= 1 && digits == code(t, rfcSecret, time.Unix(step*30, 0)))
		}
		if r.Accepted && !valid {
			t.Fatalf("accepted %q at %d", typed, unix)
		}
		if r.Accepted == (r.Err != nil) || r.Accepted != (state.LastStep > 0) {
			t.Fatalf("%q: %+v %+v", typed, state, r)
		}
		if _, err := strconv.Atoi(digits); err == nil && len(digits) == 6 && digits[0] != '+' && digits[0] != '-' && valid && !r.Accepted && len(typed) <= 32 {
			t.Fatalf("refused %q at %d: %v", typed, unix, r.Err)
		}
	})
}
