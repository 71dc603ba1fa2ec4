package authn

import (
	"time"

	"github.com/countersign/countersign"
)

// Kind is the kind of an authenticator.
type Kind string

// The kinds of authenticators that can be enrolled. A password is not among them: it
// proves less than any of these and can never be enrolled through one.
const (
	KindPasskey Kind = "passkey"
	KindTOTP    Kind = "totp"
)

// strength is the assurance that an authenticator of the kind can support, and so
// what it takes to add another of it.
func (k Kind) strength() countersign.Assurance {
	if k == KindTOTP {
		return countersign.AssuranceMFA
	}
	return countersign.AssurancePhishingResistant
}

// Standing says whether an authenticator counts yet, and whether it still does. It is
// stored with the authenticator.
type Standing struct {
	Person            string    `json:"person"`
	EnrolledAt        time.Time `json:"enrolled_at"`
	EnrolledBy        string    `json:"enrolled_by"`        // see Grant.By
	InvitedBy         string    `json:"invited_by"`         // per_…, or ""
	NeedsConfirmation bool      `json:"needs_confirmation"` // by a second person
	ConfirmedBy       string    `json:"confirmed_by"`       // per_…, or ""
	ConfirmedAt       time.Time `json:"confirmed_at"`
	CoolOffUntil      time.Time `json:"cool_off_until"` // zero where there is none
	RemovedAt         time.Time `json:"removed_at"`     // zero while it stands
	ReportedAt        time.Time `json:"reported_at"`    // lost or stolen; zero while it is not
}

// Counts reports why the authenticator may not be used for an act at now, or nil. A
// sign-in may use one that is still cooling off, see [Standing.SignsIn].
func (s Standing) Counts(now time.Time) error {
	if err := s.SignsIn(); err != nil {
		return err
	}
	if now.Before(s.CoolOffUntil) {
		return forbidden(ErrNotPermitted, "this authenticator is new and counts from %s", s.CoolOffUntil.UTC().Format(time.RFC3339))
	}
	return nil
}

// SignsIn reports why the authenticator may not even open a session, or nil. One that
// nobody has confirmed opens none: it may be somebody else's, and a session alone can
// already stop, deny and propose in the person's name.
func (s Standing) SignsIn() error {
	if err := s.inUse(); err != nil {
		return err
	}
	return s.Confirmed()
}

// Confirmed reports that the authenticator waits for its confirmation, or nil.
func (s Standing) Confirmed() error {
	if !s.NeedsConfirmation || s.ConfirmedBy != "" {
		return nil
	}
	return forbidden(ErrNotPermitted, "this authenticator waits for a second person to confirm it").
		WithHint("ask a second person, who did not invite you, to confirm it with you")
}

// inUse refuses what was removed or reported.
func (s Standing) inUse() error {
	switch {
	case !s.RemovedAt.IsZero():
		return forbidden(ErrNotPermitted, "this authenticator was removed")
	case !s.ReportedAt.IsZero():
		return forbidden(ErrNotPermitted, "this authenticator was reported lost")
	}
	return nil
}

// Confirm records that a second person has confirmed the enrolment with the enrolee:
// never the enrolee, never the inviter (ruling 14).
func (s Standing) Confirm(by string, now time.Time) (Standing, error) {
	switch {
	case !s.NeedsConfirmation:
		return s, countersign.NewProblem(countersign.CodeState, "this authenticator needs no confirmation")
	case s.ConfirmedBy != "":
		return s, countersign.NewProblem(countersign.CodeState, "this authenticator is confirmed already")
	case s.inUse() != nil:
		return s, s.inUse()
	case !countersign.IsID(countersign.PrefixPerson, by):
		return s, forbidden(ErrNotPermitted, "only a person can confirm an enrolment")
	case by == s.Person:
		return s, forbidden(ErrNotPermitted, "nobody confirms their own enrolment")
	case by == s.InvitedBy:
		return s, forbidden(ErrNotPermitted, "who invited cannot confirm as well")
	}
	s.ConfirmedBy, s.ConfirmedAt = by, now
	return s, nil
}
