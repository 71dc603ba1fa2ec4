package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/countersign/countersign"
)

// Purpose says what a ceremony is for. A challenge that was made for one purpose
// never serves another.
type Purpose string

// The purposes.
const (
	PurposeDecide Purpose = "decide"  // an act on a request; the statement is a countersign.Statement
	PurposeSignIn Purpose = "sign_in" // opens a session
	PurposeEnrol  Purpose = "enrol"   // binds a new authenticator to a person
	PurposeStepUp Purpose = "step_up" // an act that is no request: placing a freeze, removing an own factor
)

// ChallengeLife is how long a ceremony's challenge lives. There is one clock only:
// the statement's expiry, which is inside what is signed. The statement of a decision
// may give its reader longer, up to MaxChallengeLife.
const (
	ChallengeLife    = 5 * time.Minute
	MaxChallengeLife = 15 * time.Minute
)

// Ceremony is the statement behind a challenge that is not about a request. Its
// members differ from those of [countersign.Statement], and every member is present
// in every ceremony, so that no two statements of any kind share bytes.
type Ceremony struct {
	Version int     `json:"v"` // 1
	Purpose Purpose `json:"purpose"`
	Org     string  `json:"org"`
	Person  string  `json:"person"`  // per_…, or "" while nobody is named yet
	Subject string  `json:"subject"` // what it is about: an id or a digest, or ""
	Binding string  `json:"binding"` // see Binding: the browser that began is the one that ends
	Expires string  `json:"expires"` // RFC 3339, UTC
	Nonce   string  `json:"nonce"`   // 32 random bytes, base64url without padding
}

// CeremonyVersion is the only version of [Ceremony] there is.
const CeremonyVersion = 1

// NewCeremony fills in the version, the expiry and a fresh nonce of a ceremony that
// begins at now.
func NewCeremony(c Ceremony, now time.Time) Ceremony {
	c.Version = CeremonyVersion
	c.Expires = now.Add(ChallengeLife).UTC().Format(time.RFC3339)
	c.Nonce = NewNonce()
	return c
}

// NewNonce returns 32 random bytes in base64url without padding, as statements carry
// them.
func NewNonce() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Binding names the browser that began a ceremony, by the secret in its cookie or
// its session token, without giving the secret away: SHA-256 in base64url.
func Binding(secret string) string {
	sum := sha256.Sum256([]byte("countersign/binding/v1\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Bytes returns the ceremony's canonical bytes.
func (c Ceremony) Bytes() []byte {
	b, err := countersign.Canonical(c)
	if err != nil { // strings and ints always marshal
		panic(err)
	}
	return b
}

// ParseCeremony reads canonical ceremony bytes and refuses any other form.
func ParseCeremony(b []byte) (Ceremony, error) {
	var c Ceremony
	if err := countersign.DecodeStrict(b, &c); err != nil {
		return c, fmt.Errorf("ceremony: %w", err)
	}
	if c.Version != CeremonyVersion {
		return c, fmt.Errorf("ceremony: version %d is not known", c.Version)
	}
	if string(c.Bytes()) != string(b) {
		return c, fmt.Errorf("ceremony: not in canonical form")
	}
	return c, nil
}

// Challenge is a challenge as it is stored: the statement's bytes and what is needed
// to find it again. Its identifier is chl_….
type Challenge struct {
	ID        string    `json:"id"`
	Purpose   Purpose   `json:"purpose"`
	Person    string    `json:"person"`    // whom it was made for, or "" for a usernameless sign-in
	Statement []byte    `json:"statement"` // canonical bytes of a Statement or a Ceremony
	Expires   time.Time `json:"expires"`   // copied out of the statement
	Allow     [][]byte  `json:"allow"`     // credential ids that were offered; none for a usernameless sign-in
}

// DecisionChallenge makes the challenge of an act on a request: the statement that
// the person is about to sign. Requirement, document and answers stand inside it.
func DecisionChallenge(s countersign.Statement, now time.Time) (Challenge, error) {
	if s.Person == "" || !validNonce(s.Nonce) || s.Version != countersign.StatementVersion {
		return Challenge{}, fmt.Errorf("statement: want version %d, a person and a nonce of 32 bytes", countersign.StatementVersion)
	}
	return newChallenge(PurposeDecide, s.Person, s.Expires, s.Bytes(), now)
}

// CeremonyChallenge makes the challenge of a ceremony. Only a sign-in may name
// nobody.
func CeremonyChallenge(c Ceremony, now time.Time) (Challenge, error) {
	switch c.Purpose {
	case PurposeSignIn:
	case PurposeEnrol, PurposeStepUp:
		if c.Person == "" {
			return Challenge{}, fmt.Errorf("ceremony %s: want a person", c.Purpose)
		}
	default:
		return Challenge{}, fmt.Errorf("ceremony: purpose %q is not known", c.Purpose)
	}
	if c.Version != CeremonyVersion || c.Org == "" || c.Binding == "" || !validNonce(c.Nonce) {
		return Challenge{}, fmt.Errorf("ceremony %s: want version %d, an organisation, a binding and a nonce of 32 bytes", c.Purpose, CeremonyVersion)
	}
	if c.Purpose == PurposeStepUp && c.Subject == "" {
		return Challenge{}, fmt.Errorf("ceremony %s: want a subject: what is stepped up for", c.Purpose)
	}
	return newChallenge(c.Purpose, c.Person, c.Expires, c.Bytes(), now)
}

func validNonce(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

func newChallenge(p Purpose, person, expires string, statement []byte, now time.Time) (Challenge, error) {
	at, err := time.Parse(time.RFC3339, expires)
	if err != nil {
		return Challenge{}, fmt.Errorf("statement: expires: want a time as 2026-11-24T06:00:00Z (RFC 3339)")
	}
	if !at.After(now) || at.Sub(now) > MaxChallengeLife {
		return Challenge{}, fmt.Errorf("statement: expires: want a time within the next %v", MaxChallengeLife)
	}
	return Challenge{ID: countersign.NewID(countersign.PrefixChallenge, now), Purpose: p, Person: person, Statement: statement, Expires: at.UTC()}, nil
}

// Sum is what the authenticator signs: SHA-256 of the statement's bytes.
func (c Challenge) Sum() [32]byte { return sha256.Sum256(c.Statement) }

// TakenChallenge is a challenge that the caller has deleted from the store, in a
// transaction that is committed. Verifying an answer takes one of these, so that a
// challenge which was not taken first cannot be verified against.
type TakenChallenge struct{ challenge Challenge }

// Take judges a challenge that was just deleted, for the purpose and by the browser
// it is now used for. Whatever it answers, the challenge is used up. binding is what
// [Binding] gives for the browser's secret; it is compared for ceremonies only, as a
// decision's statement names the person instead.
func (c Challenge) Take(p Purpose, binding string, now time.Time) (TakenChallenge, error) {
	if c.Purpose != p {
		return TakenChallenge{}, refused(ErrChallenge, "this challenge was made for another purpose")
	}
	if !now.Before(c.Expires) {
		return TakenChallenge{}, countersign.NewProblem(countersign.CodeGone, "this challenge has expired").
			WithHint("start again").WithCause(ErrChallenge)
	}
	if err := c.agrees(binding); err != nil {
		return TakenChallenge{}, err
	}
	return TakenChallenge{challenge: c}, nil
}

// agrees holds the record's columns against the statement, which alone says what the
// challenge means.
func (c Challenge) agrees(binding string) error {
	var person, expires string
	if c.Purpose == PurposeDecide {
		s, err := countersign.ParseStatement(c.Statement)
		if err != nil {
			return refused(ErrChallenge, "the stored statement cannot be read").WithCause(err)
		}
		person, expires = s.Person, s.Expires
	} else {
		s, err := ParseCeremony(c.Statement)
		if err != nil {
			return refused(ErrChallenge, "the stored statement cannot be read").WithCause(err)
		}
		if s.Purpose != c.Purpose {
			return refused(ErrChallenge, "the stored statement has another purpose")
		}
		if subtle.ConstantTimeCompare([]byte(s.Binding), []byte(binding)) != 1 {
			return refused(ErrChallenge, "this was begun in another browser")
		}
		person, expires = s.Person, s.Expires
	}
	at, err := time.Parse(time.RFC3339, expires)
	if err != nil || !at.Equal(c.Expires) || person != c.Person {
		return refused(ErrChallenge, "the stored statement does not agree with its record")
	}
	return nil
}

// Statement returns the canonical bytes behind the challenge, to be kept as evidence.
func (t TakenChallenge) Statement() []byte { return t.challenge.Statement }

// Person returns whom the challenge was made for, or "".
func (t TakenChallenge) Person() string { return t.challenge.Person }

// Purpose returns what the challenge was made for.
func (t TakenChallenge) Purpose() Purpose { return t.challenge.Purpose }
