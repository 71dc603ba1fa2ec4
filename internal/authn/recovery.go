package authn

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Recovery codes: ten of 80 bits each (NIST SP 800-63B-4 §3.1.2 asks for at least 20
// bits and salted hashing below 112; §4.2.1.1 for 64 bits where they recover).
const (
	RecoveryCodes     = 10
	recoveryCodeBytes = 10
	crockford         = "0123456789abcdefghjkmnpqrstvwxyz"
)

// recoveryHashing is one hash per attempt over codes that cannot be guessed anyway:
// cheaper than a password's.
func recoveryHashing() Argon2 { return Argon2{Memory: 19 << 10, Passes: 2, Threads: 1} }

// RecoverySet is a person's set of recovery codes as stored. A new set replaces the
// old one whole.
type RecoverySet struct {
	Person   string    `json:"person"`
	Salt     []byte    `json:"salt"`   // one for the set, so that an attempt costs one hash
	Hashes   [][]byte  `json:"hashes"` // of the codes that are left
	Throttle Throttle  `json:"throttle"`
	MadeAt   time.Time `json:"made_at"`
}

// NewRecoverySet makes ten codes for a person and the set to store. The codes are
// shown once: "k3m7-9qxz-2wrt-h8ya".
func NewRecoverySet(person string, now time.Time) (codes []string, set RecoverySet) {
	set = RecoverySet{Person: person, Salt: make([]byte, 32), MadeAt: now}
	rand.Read(set.Salt)
	for range RecoveryCodes {
		var b [recoveryCodeBytes]byte
		rand.Read(b[:])
		code := encodeCrockford(b[:])
		codes = append(codes, strings.Join(groups(code, 4), "-"))
		set.Hashes = append(set.Hashes, recoveryHashing().key([]byte(code), set.Salt))
	}
	return codes, set
}

// Left returns how many codes have not been used.
func (s RecoverySet) Left() int { return len(s.Hashes) }

// Recovery is what a used recovery code gives: the right to enrol, and nothing else.
// [Facts] has no place for it, so that it can never count towards an approval.
type Recovery struct{ person string }

// Grant is the right to enrol one authenticator anew.
func (r Recovery) Grant(now time.Time) Grant {
	return Grant{person: r.person, by: "recovery", expires: now.Add(EnrolmentLife)}
}

// UseRecoveryCode judges a code at now. The returned set is stored by
// compare-and-swap before the result is acted on: a code works once. Capitals, spaces
// and hyphens do not matter, and the letters o, i, l are read as the digits they look
// like.
func UseRecoveryCode(s RecoverySet, code string, now time.Time) (RecoverySet, Recovery, error) {
	if err := s.Throttle.Check(now); err != nil {
		return s, Recovery{}, err
	}
	code, ok := cleanRecoveryCode(code)
	if !ok {
		return s, Recovery{}, countersign.Invalid(countersign.FieldError{Pointer: "/code", Detail: "want a recovery code, as k3m7-9qxz-2wrt-h8ya"}).WithCause(ErrMalformed)
	}
	got := recoveryHashing().key([]byte(code), s.Salt)
	left := make([][]byte, 0, len(s.Hashes))
	for _, h := range s.Hashes { // all of them, whatever matches
		if subtle.ConstantTimeCompare(h, got) != 1 {
			left = append(left, h)
		}
	}
	if len(left) == len(s.Hashes) {
		s.Throttle = s.Throttle.Fail(now)
		if err := s.Throttle.Check(now); err != nil {
			return s, Recovery{}, err
		}
		return s, Recovery{}, refused(ErrWrong, "this recovery code is wrong or was used already")
	}
	s.Hashes, s.Throttle = left, s.Throttle.Succeed()
	return s, Recovery{person: s.Person}, nil
}

func cleanRecoveryCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	s = strings.NewReplacer("-", "", " ", "", "\t", "", "\n", "", "\r", "", "o", "0", "i", "1", "l", "1").Replace(strings.ToLower(s))
	if len(s) != recoveryCodeBytes*8/5 {
		return "", false
	}
	for i := range len(s) {
		if strings.IndexByte(crockford, s[i]) < 0 {
			return "", false
		}
	}
	return s, true
}

// encodeCrockford writes bytes in lower-case Crockford base32, five bits a digit, the
// last digit filled up with zeros.
func encodeCrockford(b []byte) string {
	var out strings.Builder
	var acc uint32
	bits := 0
	for _, c := range b {
		acc, bits = acc<<8|uint32(c), bits+8
		for bits >= 5 {
			bits -= 5
			out.WriteByte(crockford[acc>>bits&31])
		}
	}
	if bits > 0 {
		out.WriteByte(crockford[acc<<(5-bits)&31])
	}
	return out.String()
}
