package authn

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Bounds of passwords. One length for everybody: a password opens a session on its
// own here, and NIST SP 800-63B-4 §3.1.1.2 asks for 15 characters of a password that
// is a single factor. There is no shorter rule for people who also have a code
// generator, as the two are not always asked for together. No rule says what
// characters it is made of, and none makes it expire.
const (
	PasswordMinCharacters = 15  // Unicode code points after NFC
	PasswordMaxBytes      = 256 // UTF-8 after NFC; 64 characters of any script fit
)

// Argon2 are the parameters of Argon2id (RFC 9106). They stand in every hash, so that
// they can rise.
type Argon2 struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// PasswordHashing returns RFC 9106 §4's second recommended choice: 64 MiB, 3 passes, 4
// lanes. The caller bounds how many run at a time.
func PasswordHashing() Argon2 { return Argon2{Memory: 64 << 10, Passes: 3, Threads: 4} }

const (
	saltBytes = 16
	hashBytes = 32
)

// Hash makes the string that is stored for a password, in the PHC format:
// $argon2id$v=19$m=65536,t=3,p=4$salt$hash. The password must have passed
// [CheckNewPassword].
func (a Argon2) Hash(password string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return a.format(salt, a.key([]byte(norm.NFC.String(password)), salt))
}

func (a Argon2) key(secret, salt []byte) []byte {
	return argon2.IDKey(secret, salt, a.Passes, a.Memory, a.Threads, hashBytes)
}

func (a Argon2) format(salt, hash []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.Memory, a.Passes, a.Threads, b64(salt), b64(hash))
}

// parsePHC reads a stored hash. Parameters beyond reason are refused, so that a
// damaged row cannot take the machine's memory.
func parsePHC(s string) (a Argon2, salt, hash []byte, err error) {
	bad := fmt.Errorf("stored password: not in the form $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return a, nil, nil, bad
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &a.Memory, &a.Passes, &a.Threads); err != nil || n != 3 {
		return a, nil, nil, bad
	}
	if salt, err = base64.RawStdEncoding.Strict().DecodeString(part[4]); err != nil || len(salt) < 8 {
		return a, nil, nil, bad
	}
	if hash, err = base64.RawStdEncoding.Strict().DecodeString(part[5]); err != nil || len(hash) != hashBytes {
		return a, nil, nil, bad
	}
	if a.Memory < 8 || a.Memory > 1<<20 || a.Passes < 1 || a.Passes > 20 || a.Threads < 1 || a.Threads > 16 || a.format(salt, hash) != s {
		return a, nil, nil, bad
	}
	return a, salt, hash, nil
}

// PasswordResult is the outcome of one attempt.
type PasswordResult struct {
	Accepted bool
	Rehash   bool  // accepted, and the stored hash has other parameters: store a new one
	Err      error // a countersign.Problem where not accepted
}

// VerifyPassword judges a password at now. phc is the stored hash, or "" where there
// is no such person or no password: that costs the same and is answered the same. The
// caller keeps a throttle per name that was typed, known or not, so that locking does
// not say who exists either. It locks the password only, never the person's passkeys.
func (a Argon2) VerifyPassword(phc string, t Throttle, password string, now time.Time) (Throttle, PasswordResult) {
	if err := t.Check(now); err != nil {
		return t, PasswordResult{Err: err}
	}
	if ok, rehash := a.verify(phc, password); ok {
		return t.Succeed(), PasswordResult{Accepted: true, Rehash: rehash}
	}
	t = t.Fail(now)
	if err := t.Check(now); err != nil {
		return t, PasswordResult{Err: err}
	}
	return t, PasswordResult{Err: refused(ErrWrong, "name or password is wrong")}
}

// verify does the same work whether or not there is something to compare with.
func (a Argon2) verify(phc, password string) (ok, rehash bool) {
	stored, salt, hash, err := parsePHC(phc)
	if err != nil {
		stored, salt, hash = a, make([]byte, saltBytes), make([]byte, hashBytes)
	}
	secret := ""
	if len(password) <= 4*PasswordMaxBytes { // NFC makes a text at most three times shorter (Unicode Annex #15 §9)
		secret = norm.NFC.String(password)
	}
	same := subtle.ConstantTimeCompare(stored.key([]byte(secret), salt), hash) == 1
	return same && err == nil && secret != "" && len(secret) <= PasswordMaxBytes, stored != a
}

// CheckNewPassword reports why a password may not be set, as a [countersign.Problem],
// or nil. context are words that an attacker would try first: the names of the
// organisation and the person, the e-mail address.
func CheckNewPassword(list *Blocklist, password string, context ...string) error {
	fail := func(format string, args ...any) error {
		return countersign.Invalid(countersign.FieldError{Pointer: "/password", Detail: fmt.Sprintf(format, args...)}).WithCause(ErrNotPermitted)
	}
	if !utf8.ValidString(password) {
		return fail("not valid UTF-8")
	}
	p := norm.NFC.String(password)
	if n := utf8.RuneCountInString(p); n < PasswordMinCharacters {
		return fail("%d characters; want at least %d: a few words in a row do well", n, PasswordMinCharacters)
	}
	if len(p) > PasswordMaxBytes {
		return fail("%d bytes, at most %d", len(p), PasswordMaxBytes)
	}
	if why := list.weakness(p, context); why != "" {
		return fail("%s", why)
	}
	return nil
}
