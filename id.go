package countersign

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"time"
)

// Prefixes of the identifiers that Countersign makes. An identifier is the prefix,
// an underscore, and 26 characters of lower-case Crockford base32 over 16 bytes:
// 48 bits of Unix milliseconds, then 80 random bits, so that identifiers sort by
// the time they were made and cannot be guessed.
const (
	PrefixOrganisation  = "org"
	PrefixRequest       = "req"
	PrefixDecision      = "dec"
	PrefixPerson        = "per"
	PrefixGroup         = "grp"
	PrefixVendor        = "ven"
	PrefixAuthenticator = "fac"
	PrefixChallenge     = "chl"
	PrefixSession       = "ses"
	PrefixInvitation    = "inv"
	PrefixKey           = "key"
	PrefixAlert         = "alr"
	PrefixFreeze        = "frz"
	PrefixEntry         = "ent"
	PrefixEvent         = "evt"
	PrefixLease         = "lea"
	PrefixDelegation    = "del"
	PrefixQuestion      = "qst"
)

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID returns a fresh identifier with the given prefix, made at now. It is the
// only place where identifiers are made; an engine on which ascending keys are a
// hot spot needs another layout here and nowhere else.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	rand.Read(b[6:]) // never fails: crypto/rand aborts the program instead
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	return prefix + "_" + encodeCrockford(b)
}

func encodeCrockford(b [16]byte) string {
	// 128 bits in 26 digits of 5 bits: the first digit holds the top 3 bits.
	hi := binary.BigEndian.Uint64(b[:8])
	lo := binary.BigEndian.Uint64(b[8:])
	var out [26]byte
	for i := 25; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// IsID reports whether s is an identifier of the given prefix in the one form
// that [NewID] makes.
func IsID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(rest) != 26 || rest[0] > '7' {
		return false
	}
	for i := range len(rest) {
		if strings.IndexByte(crockford, rest[i]) < 0 {
			return false
		}
	}
	return true
}
