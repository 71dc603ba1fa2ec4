package authn

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// SessionKind says what a session is good for.
type SessionKind string

// The kinds of sessions.
const (
	SessionNormal    SessionKind = "normal"    // opened by signing in
	SessionHandOver  SessionKind = "hand_over" // opened by a hand-over link: one request, and only its step-up
	SessionEnrolment SessionKind = "enrolment" // opened by an invitation or a recovery code: enrolling, and nothing else
)

// SessionLimits end sessions (NIST SP 800-63B-4 §5.2).
type SessionLimits struct {
	Absolute time.Duration // since it was created
	Idle     time.Duration // since it was last used
}

// DefaultSessionLimits are 12 hours and 60 minutes; an organisation that needs AAL3's
// limits sets idle to 15 minutes.
func DefaultSessionLimits() SessionLimits {
	return SessionLimits{Absolute: 12 * time.Hour, Idle: 60 * time.Minute}
}

// Lives of restricted sessions and of what opens them.
const (
	HandOverLinkLife = 10 * time.Minute // from submission to the click
	HandOverLife     = 30 * time.Minute // of the session it opens
	EnrolmentLife    = 30 * time.Minute
)

// touchEvery is how often a session's use is worth a write.
const touchEvery = time.Minute

// Session is a signed-in browser or API client as stored. It holds facts, and no
// level: what they are worth is derived for each act by [Derive].
type Session struct {
	ID        string      `json:"id"` // ses_…
	Org       string      `json:"org"`
	Person    string      `json:"person"` // per_…
	Kind      SessionKind `json:"kind"`
	Request   string      `json:"request"` // hand_over: the only request that it may see
	Factors   []Factor    `json:"factors"` // what was proven, or stated, when it was opened
	TokenHash string      `json:"token_hash"`
	CreatedAt time.Time   `json:"created_at"`
	LastSeen  time.Time   `json:"last_seen"`
	EndedAt   time.Time   `json:"ended_at"` // zero while it lives
	Grant     *Grant      `json:"grant"`    // enrolment: what it may enrol
}

// NewSession opens a normal session for a person who has just proven factors. The
// token goes to the browser and is stored nowhere.
func NewSession(org, person string, factors []Factor, now time.Time) (s Session, token string, err error) {
	vouched := func(f Factor) bool { return f.Method == MethodVouched }
	if !slices.ContainsFunc(factors, Factor.own) || slices.ContainsFunc(factors, vouched) {
		return Session{}, "", forbidden(ErrNotPermitted, "a session needs a factor that was verified here or by an identity provider")
	}
	s = Session{Org: org, Person: person, Kind: SessionNormal, Factors: slices.Clone(factors)}
	token = s.open(now)
	return s, token, nil
}

// NewEnrolmentSession opens a session that can enrol what the grant says, and nothing
// else.
func NewEnrolmentSession(org string, g Grant, now time.Time) (s Session, token string) {
	s = Session{Org: org, Person: g.Person(), Kind: SessionEnrolment, Grant: &g}
	token = s.open(now)
	return s, token
}

func (s *Session) open(now time.Time) (token string) {
	s.ID, s.CreatedAt, s.LastSeen = countersign.NewID(countersign.PrefixSession, now), now, now
	token, s.TokenHash = NewToken(TokenSession)
	return token
}

// LiveSession is a session that was found to be alive at a moment. What a session may
// do is asked of this type, so that nothing is asked of a dead one.
type LiveSession struct{ session Session }

// Live reports whether the session is alive at now; the error is a
// [countersign.Problem]. A dead one is dead for good: the caller stores [Session.End].
func (s Session) Live(limits SessionLimits, now time.Time) (LiveSession, error) {
	dead := func(why string) (LiveSession, error) {
		return LiveSession{}, refused(ErrExpired, "%s", why).WithHint("sign in again")
	}
	switch s.Kind {
	case SessionNormal:
	case SessionHandOver:
		limits.Absolute = min(limits.Absolute, HandOverLife)
	case SessionEnrolment:
		limits.Absolute = min(limits.Absolute, EnrolmentLife)
	default:
		return dead("this session is of a kind that is not known")
	}
	switch {
	case !s.EndedAt.IsZero():
		return dead("this session was ended")
	case now.Sub(s.CreatedAt) >= limits.Absolute:
		return dead("this session has lasted its time")
	case now.Sub(s.LastSeen) >= limits.Idle:
		return dead("this session was not used for a while")
	}
	return LiveSession{session: s}, nil
}

// Touch records that the session is used at now, and reports whether that is worth
// storing: once a minute is enough.
func (s Session) Touch(now time.Time) (Session, bool) {
	if now.Sub(s.LastSeen) < touchEvery {
		return s, false
	}
	s.LastSeen = now
	return s, true
}

// End ends the session.
func (s Session) End(now time.Time) Session {
	if s.EndedAt.IsZero() {
		s.EndedAt = now
	}
	return s
}

// Person returns whose session it is.
func (l LiveSession) Person() string { return l.session.Person }

// Kind returns what kind of session it is; "" for the zero value, which may nothing.
func (l LiveSession) Kind() SessionKind { return l.session.Kind }

// Session returns the record.
func (l LiveSession) Session() Session { return l.session }

// MayBrowse reports whether the session may see more than one request: inbox,
// explorer, policies, settings.
func (l LiveSession) MayBrowse() error {
	if l.session.Kind != SessionNormal {
		return forbidden(ErrNotPermitted, "this session was opened for one thing only").WithHint("sign in to see more")
	}
	return nil
}

// MaySee reports whether the session may see a request and start its step-up. Who may
// see which request is decided elsewhere; this only restricts.
func (l LiveSession) MaySee(request string) error {
	if l.session.Kind == SessionNormal || (l.session.Kind == SessionHandOver && request != "" && l.session.Request == request) {
		return nil
	}
	return countersign.NewProblem(countersign.CodeNotFound, "no such request").WithCause(ErrNotPermitted)
}

// FirstFactorAt is when the session's latest factor was proven on top of which a code
// counts (ruling 18); zero where there is none. Whether it is fresh enough for an act is
// judged with the act.
func (l LiveSession) FirstFactorAt(noVouching bool) (latest time.Time) {
	for _, f := range l.session.Factors {
		if f.first(noVouching) && f.At.After(latest) {
			latest = f.At
		}
	}
	return latest
}

// EnrolmentGrant returns what an enrolment session may enrol.
func (l LiveSession) EnrolmentGrant(now time.Time) (Grant, error) {
	if l.session.Kind != SessionEnrolment || l.session.Grant == nil {
		return Grant{}, forbidden(ErrNotPermitted, "this session may not enrol an authenticator by itself").
			WithHint("step up with an authenticator that you have, or ask for an invitation")
	}
	return *l.session.Grant, l.session.Grant.check(now)
}

// HandOver is a link by which a calling system hands its signed-in user over to the
// step-up of one request (ruling 13). Opening the link shows a page and changes
// nothing; the page's button redeems it.
type HandOver struct {
	Org       string    `json:"org"`
	Person    string    `json:"person"`
	Request   string    `json:"request"` // req_…
	Vouched   Factor    `json:"vouched"` // what the system states
	TokenHash string    `json:"token_hash"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"` // zero while it is not
}

// Vouching is what a calling system states about its user.
type Vouching struct {
	Org, Person, Request string
	Key                  string    // key_… that states it
	Method               string    // RFC 8176, as stated: "pwd"
	At                   time.Time // when the user signed in there, as stated
}

// NewHandOver makes the link's record and its token. An answer that is replayed must
// not repeat the token: it is stored nowhere.
func NewHandOver(v Vouching, now time.Time) (h HandOver, token string, err error) {
	if !countersign.IsID(countersign.PrefixKey, v.Key) || v.Person == "" || v.Request == "" || v.At.IsZero() || v.At.After(now) {
		return HandOver{}, "", forbidden(ErrNotPermitted, "a key can vouch for a person, a request and a time that has passed")
	}
	h = HandOver{
		Org: v.Org, Person: v.Person, Request: v.Request, CreatedAt: now, ExpiresAt: now.Add(HandOverLinkLife),
		Vouched: Factor{Method: MethodVouched, At: v.At, StatedBy: v.Key, Methods: []string{v.Method}},
	}
	token, h.TokenHash = NewToken(TokenHandOver)
	return h, token, nil
}

// Redeem uses the link up and opens the session, for the browser that asks now. The
// returned record is stored by compare-and-swap before the session is handed out.
func (h HandOver) Redeem(token string, now time.Time) (used HandOver, s Session, sessionToken string, err error) {
	hash, ok := ParseToken(TokenHandOver, token)
	switch {
	case !ok || !sameHash(h.TokenHash, hash):
		return h, Session{}, "", refused(ErrWrong, "this link is not valid")
	case !h.UsedAt.IsZero():
		return h, Session{}, "", countersign.NewProblem(countersign.CodeGone, "this link was used already").WithCause(ErrUsed)
	case !now.Before(h.ExpiresAt):
		return h, Session{}, "", countersign.NewProblem(countersign.CodeGone, "this link has expired").
			WithHint("start again in the system that you came from").WithCause(ErrExpired)
	}
	h.UsedAt = now
	s = Session{Org: h.Org, Person: h.Person, Kind: SessionHandOver, Request: h.Request, Factors: []Factor{h.Vouched}}
	sessionToken = s.open(now)
	return h, s, sessionToken, nil
}
