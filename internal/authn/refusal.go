package authn

import (
	"errors"

	"github.com/countersign/countersign"
)

// Why an authentication was refused. Every [countersign.Problem] of this package
// carries one of them as its cause, for the log and for alerts; callers see the
// problem's sentence only.
var (
	ErrChallenge        = errors.New("challenge does not match")
	ErrResponse         = errors.New("response cannot be read")
	ErrOrigin           = errors.New("origin is not ours")
	ErrRelyingParty     = errors.New("made for another relying party")
	ErrUserPresence     = errors.New("user was not present")
	ErrUserVerification = errors.New("user was not verified")
	ErrCredential       = errors.New("credential is not the person's")
	ErrBackup           = errors.New("backup flags changed or contradict each other")
	ErrSignature        = errors.New("signature does not verify")
	ErrAlgorithm        = errors.New("algorithm is not accepted")
	ErrAttestation      = errors.New("attestation does not verify")
	ErrSimulated        = errors.New("software authenticator is not accepted here")
	ErrWrong            = errors.New("wrong code or password")
	ErrUsed             = errors.New("already used")
	ErrLocked           = errors.New("locked after too many failures")
	ErrEnded            = errors.New("ended after too many failures")
	ErrMalformed        = errors.New("not in the form of a code")
	ErrExpired          = errors.New("expired")
	ErrNotPermitted     = errors.New("not permitted with this proof")
)

// refused is the problem of a proof that does not hold.
func refused(cause error, format string, args ...any) *countersign.Problem {
	return countersign.NewProblem(countersign.CodeUnauthenticated, format, args...).WithCause(cause)
}

// forbidden is the problem of a proof that holds and does not suffice.
func forbidden(cause error, format string, args ...any) *countersign.Problem {
	return countersign.NewProblem(countersign.CodeForbidden, format, args...).WithCause(cause)
}
