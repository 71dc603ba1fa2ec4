package authn

import (
	"encoding/json"
	"time"

	"github.com/countersign/countersign"
)

// InvitationLife is how long an invitation can be used.
const InvitationLife = 72 * time.Hour

// Invitation lets a person enrol their first authenticator, or a new one after a
// reset.
type Invitation struct {
	ID        string    `json:"id"` // inv_…
	Org       string    `json:"org"`
	Person    string    `json:"person"`
	InvitedBy string    `json:"invited_by"` // per_…, key_… or "operator"
	Setup     bool      `json:"setup"`      // the link that the first start prints
	TokenHash string    `json:"token_hash"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"`    // zero while it is not
	RevokedAt time.Time `json:"revoked_at"` // zero while it is not
}

// NewInvitation makes an invitation of a person by another, and the token for its
// link. Nobody invites themselves.
func NewInvitation(in Invitation, now time.Time) (inv Invitation, token string, err error) {
	if in.Person == "" || in.InvitedBy == "" || in.Person == in.InvitedBy {
		return Invitation{}, "", forbidden(ErrNotPermitted, "an invitation needs a person and somebody else who invites")
	}
	inv = Invitation{
		ID: countersign.NewID(countersign.PrefixInvitation, now), Org: in.Org, Person: in.Person, InvitedBy: in.InvitedBy,
		Setup: in.Setup, CreatedAt: now, ExpiresAt: now.Add(InvitationLife),
	}
	token, inv.TokenHash = NewToken(TokenInvitation)
	return inv, token, nil
}

// Check reports whether the invitation can be used at now, and changes nothing: it is
// for the page that a link opens, which must be safe for mail scanners to fetch.
func (i Invitation) Check(token string, now time.Time) error {
	hash, ok := ParseToken(TokenInvitation, token)
	gone := func(cause error, why string) error {
		return countersign.NewProblem(countersign.CodeGone, "this invitation %s", why).WithHint("ask for a new one").WithCause(cause)
	}
	switch {
	case !ok || !sameHash(i.TokenHash, hash):
		return refused(ErrWrong, "this invitation is not valid")
	case !i.RevokedAt.IsZero():
		return gone(ErrNotPermitted, "was withdrawn")
	case !i.UsedAt.IsZero():
		return gone(ErrUsed, "was used already")
	case !now.Before(i.ExpiresAt):
		return gone(ErrExpired, "has expired")
	}
	return nil
}

// Redeem uses the invitation up and gives the right to enrol. The returned record is
// stored by compare-and-swap before the grant is acted on.
func (i Invitation) Redeem(token string, now time.Time) (Invitation, Grant, error) {
	if err := i.Check(token, now); err != nil {
		return i, Grant{}, err
	}
	i.UsedAt = now
	by := "invitation:" + i.ID
	if i.Setup {
		by = "setup"
	}
	return i, Grant{person: i.Person, by: by, inviter: i.InvitedBy, expires: now.Add(EnrolmentLife)}, nil
}

// Grant is the right of one person to enrol one authenticator. It comes from redeeming
// an invitation, from a recovery code, or from an authenticator of equal strength, and
// from nowhere else.
type Grant struct {
	person, by, inviter string
	strongest           countersign.Assurance // "" where not bounded
	expires             time.Time
}

// grantRecord is a grant as stored with an enrolment session.
type grantRecord struct {
	Person    string                `json:"person"`
	By        string                `json:"by"`
	Inviter   string                `json:"inviter"`
	Strongest countersign.Assurance `json:"strongest"`
	Expires   time.Time             `json:"expires"`
}

// MarshalJSON writes the grant for the store.
func (g Grant) MarshalJSON() ([]byte, error) {
	return json.Marshal(grantRecord{g.person, g.by, g.inviter, g.strongest, g.expires})
}

// UnmarshalJSON reads a grant back from the store.
func (g *Grant) UnmarshalJSON(b []byte) error {
	var r grantRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	*g = Grant{r.Person, r.By, r.Inviter, r.Strongest, r.Expires}
	return nil
}

// Person returns who may enrol.
func (g Grant) Person() string { return g.person }

// By says how the right came about, as enrolments record it: "setup",
// "invitation:inv_…", "recovery", "factor:fac_…".
func (g Grant) By() string { return g.by }

func (g Grant) check(now time.Time) error {
	if g.person == "" {
		return forbidden(ErrNotPermitted, "nobody may enrol here")
	}
	if !now.Before(g.expires) {
		return countersign.NewProblem(countersign.CodeGone, "the time for enrolling has passed").WithHint("start again").WithCause(ErrExpired)
	}
	return nil
}

// GrantByFactor gives the right to enrol another authenticator to a person who has
// just stepped up with one they have. used is that authenticator's standing: one that
// does not count yet cannot vouch for another. The new one can be no stronger than
// what was proven, so that a phished code never turns into a passkey.
func GrantByFactor(j Judgement, used Standing, now time.Time) (Grant, error) {
	if j.act.Purpose() != PurposeStepUp || j.person == "" || j.authenticator == "" || used.Person != j.person {
		return Grant{}, forbidden(ErrNotPermitted, "enrolling another authenticator needs a step-up for it")
	}
	if err := used.Counts(now); err != nil {
		return Grant{}, err
	}
	return Grant{person: j.person, by: "factor:" + j.authenticator, strongest: j.Assurance, expires: now.Add(EnrolmentLife)}, nil
}

// EnrolmentRules are the organisation's state and settings.
type EnrolmentRules struct {
	Founding bool          // fewer than two administrators exist yet
	CoolOff  time.Duration // before a new authenticator counts; the very first one does at once
}

// Enrol turns the grant into the standing of a new authenticator of the given kind.
// Once the organisation is founded, an enrolment that rests on an invitation or a
// recovery code counts only when a second person has confirmed it (ruling 14). That
// holds for everybody: a clerk of today can be made an approver tomorrow. One that rests on an authenticator of equal strength rests
// on that one's confirmation; cooling off applies to it all the same.
func (g Grant) Enrol(kind Kind, rules EnrolmentRules, now time.Time) (Standing, error) {
	if err := g.check(now); err != nil {
		return Standing{}, err
	}
	if kind != KindPasskey && kind != KindTOTP {
		return Standing{}, forbidden(ErrNotPermitted, "an authenticator of kind %q cannot be enrolled", kind)
	}
	byFactor := g.strongest != countersign.AssuranceNone
	if byFactor && !g.strongest.AtLeast(kind.strength()) {
		return Standing{}, forbidden(ErrNotPermitted, "a %s cannot be added with something weaker", kind).
			WithHint("step up with a passkey, or ask for an invitation")
	}
	s := Standing{Person: g.person, EnrolledAt: now, EnrolledBy: g.by, InvitedBy: g.inviter}
	s.NeedsConfirmation = !rules.Founding && !byFactor
	if rules.CoolOff > 0 && !(rules.Founding && g.by == "setup") {
		s.CoolOffUntil = now.Add(rules.CoolOff)
	}
	return s, nil
}
