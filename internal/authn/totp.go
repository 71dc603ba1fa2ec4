package authn

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Parameters of code generators (RFC 6238): those that every authenticator app knows.
const (
	TOTPDigits      = 6
	TOTPPeriod      = 30 * time.Second
	TOTPSecretBytes = 20 // RFC 4226 §4 R6: 160 bits recommended
	totpWindow      = 1  // steps on either side (RFC 6238 §5.2)
)

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTPSecret returns a fresh secret of 160 bits. It is stored sealed, see
// [KeyRing].
func NewTOTPSecret() []byte {
	b := make([]byte, TOTPSecretBytes)
	rand.Read(b)
	return b
}

// TOTPSecretText writes a secret in base32 in groups of four, for typing.
func TOTPSecretText(secret []byte) string {
	return strings.Join(groups(base32Plain.EncodeToString(secret), 4), " ")
}

// TOTPURI writes a secret as the otpauth URI that apps read from a QR code. Many apps
// ignore algorithm, digits and period, so the values are the usual ones.
func TOTPURI(issuer, account string, secret []byte) string {
	clean := func(s string) string { return strings.ReplaceAll(s, ":", " ") } // ':' parts issuer and account
	q := "secret=" + base32Plain.EncodeToString(secret) + "&issuer=" + escapeURI(clean(issuer)) + "&algorithm=SHA1&digits=6&period=30"
	return "otpauth://totp/" + escapeURI(clean(issuer)) + ":" + escapeURI(clean(account)) + "?" + q
}

// escapeURI escapes for both a path and a query; apps do not read '+' as a space.
func escapeURI(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// TOTPState is what changes about a code generator. The caller stores it by
// compare-and-swap before it acts on a result: a code is then used up everywhere, and
// locks survive a restart.
type TOTPState struct {
	LastStep int64    `json:"last_step"` // RFC 6238 time step of the last accepted code; 0: none yet
	Proven   bool     `json:"proven"`    // one code has been accepted; before that it is no authenticator
	Throttle Throttle `json:"throttle"`
}

// TOTPResult is the outcome of one attempt.
type TOTPResult struct {
	Accepted bool
	Step     int64 // of the accepted code
	Err      error // a countersign.Problem where not accepted
}

// VerifyTOTP judges a code at now. It accepts the codes of the step before, of this
// step and of the next, each once: only steps after the last accepted one count, so
// that a code used anywhere is used up everywhere (RFC 6238 §5.2). Five wrong codes
// in a row lock the generator, see [Throttle]. A text that is no code at all, and a
// code that is used up, change nothing: neither can be a guess that helps.
func VerifyTOTP(secret []byte, state TOTPState, code string, now time.Time) (TOTPState, TOTPResult) {
	if err := state.Throttle.Check(now); err != nil {
		return state, TOTPResult{Err: err}
	}
	code, ok := cleanCode(code)
	if !ok {
		return state, TOTPResult{Err: countersign.Invalid(countersign.FieldError{Pointer: "/code", Detail: "want the six digits that the app shows"}).WithCause(ErrMalformed)}
	}
	step, known := matchStep(secret, code, now)
	switch {
	case !known:
		state.Throttle = state.Throttle.Fail(now)
		p := refused(ErrWrong, "this code is wrong").WithHint("check that the phone's clock is right")
		if err := state.Throttle.Check(now); err != nil {
			return state, TOTPResult{Err: err}
		}
		return state, TOTPResult{Err: p}
	case step <= state.LastStep:
		return state, TOTPResult{Err: refused(ErrUsed, "this code was used already").WithHint("wait for the next code, up to 30 seconds")}
	}
	state.LastStep, state.Proven, state.Throttle = step, true, state.Throttle.Succeed()
	return state, TOTPResult{Accepted: true, Step: step}
}

// matchStep returns the latest step of the window whose code it is. All three are
// computed and compared whatever matches, in constant time. The latest, because
// accepting it uses up the others too.
func matchStep(secret []byte, code string, now time.Time) (step int64, found bool) {
	current := now.Unix() / int64(TOTPPeriod/time.Second)
	key := base32Plain.EncodeToString(secret)
	for s := current - totpWindow; s <= current+totpWindow; s++ {
		if s < 1 || len(secret) < 16 { // RFC 4226 §4 R6: at least 128 bits
			continue
		}
		want, err := hotp.GenerateCodeCustom(key, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, found = s, true
		}
	}
	return step, found
}

// cleanCode takes out spaces, as apps show "123 456", and wants six ASCII digits:
// other scripts' digits look alike on some screens and are refused.
func cleanCode(s string) (string, bool) {
	if len(s) > 32 {
		return "", false
	}
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\u00a0' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
	if len(s) != TOTPDigits {
		return "", false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", false
		}
	}
	return s, true
}

// groups cuts s into pieces of n bytes.
func groups(s string, n int) []string {
	var out []string
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// TOTPEnrolment is what the log entry of a code generator's enrolment opens to. There
// is no public key: the secret is known to the server and stays there.
func TOTPEnrolment(authenticator, person, name, by string) countersign.Enrolment {
	return countersign.Enrolment{Authenticator: authenticator, Person: person, Name: name, Type: string(KindTOTP), EnrolledBy: by}
}
