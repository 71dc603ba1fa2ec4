package authn

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// DefaultMaxAge is how old a factor may be that counts towards more than a session
// (ruling 18).
const DefaultMaxAge = 15 * time.Minute

// Method is how a factor was proven.
type Method string

// The methods. A recovery code is none of them: it only lets a person enrol anew.
const (
	MethodPassword Method = "pwd"
	MethodPasskey  Method = "passkey"
	MethodTOTP     Method = "totp"
	MethodIdP      Method = "idp"     // stated by the organisation's identity provider
	MethodVouched  Method = "vouched" // stated by a calling system
)

// Factor is the fact that something was proven, or stated by another system, at a
// time. It is kept in sessions and can stand for a first factor while it is fresh.
type Factor struct {
	Method        Method    `json:"method"`
	At            time.Time `json:"at"`            // idp, vouched: when the person signed in there, as stated
	Authenticator string    `json:"authenticator"` // fac_… of a passkey or code generator
	StatedBy      string    `json:"stated_by"`     // idp: the provider; vouched: key_…
	Methods       []string  `json:"methods"`       // idp, vouched: how, as stated (RFC 8176)
	// Multi says that the identity provider's profile counts this sign-in as two
	// factors. It is read for a re-authentication made for the act only.
	Multi bool `json:"multi"`
}

// own reports whether the factor can open a session: a vouched one cannot.
func (f Factor) own() bool {
	switch f.Method {
	case MethodPassword, MethodPasskey, MethodIdP:
		return true
	}
	return false
}

// first reports whether the factor is of another kind than a code generator, which is
// something one has: a password, a passkey (which verified its user), or a sign-in
// elsewhere that states something known or something one is. A sign-in elsewhere of
// which only a code is known, or nothing, is not.
func (f Factor) first(noVouching bool) bool {
	switch f.Method {
	case MethodPassword, MethodPasskey:
		return true
	case MethodVouched:
		return !noVouching && f.StatedBy != "" && slices.ContainsFunc(f.Methods, knownOrInherent)
	case MethodIdP:
		return f.StatedBy != "" && slices.ContainsFunc(f.Methods, knownOrInherent)
	}
	return false
}

// knownOrInherent lists the methods of RFC 8176 that are something known or something
// one is, and mfa, which holds one of them.
func knownOrInherent(amr string) bool {
	switch amr {
	case "pwd", "pin", "face", "fpt", "iris", "retina", "vbm", "mfa":
		return true
	}
	return false
}

// CodeProof is the fact that a code was accepted for an act. It can only come from
// [TOTPResult.Proof].
type CodeProof struct {
	authenticator, person string
	step                  int64
	at                    time.Time
}

// Proof turns an accepted code into the proof that [Derive] reads. The caller has
// stored the new state before.
func (r TOTPResult) Proof(authenticator, person string, at time.Time) (CodeProof, bool) {
	return CodeProof{authenticator, person, r.Step, at}, r.Accepted
}

// Facts is what is known about one act of one person.
type Facts struct {
	Act     TakenChallenge // the challenge that the act answers
	Person  string         // per_…, who acts
	Session *LiveSession   // the session it is done in, if any
	Passkey *PasskeyProof  // an assertion over the act's own statement
	Code    *CodeProof     // a code given in this act
	Factors []Factor       // given in this act beside it: a password, a re-authentication at the identity provider
}

// Demand is what the requirement says about factors.
type Demand struct {
	MaxAge     time.Duration // oldest factor that counts; 0: [DefaultMaxAge], and a session as long as it lives
	NoVouching bool          // what a calling system states does not count
}

// Judgement is what the facts of an act are worth. It is derived, and derived again
// by whoever doubts it.
type Judgement struct {
	Assurance   countersign.Assurance
	AMR         []string  // authentication methods (RFC 8176), sorted
	AuthTime    time.Time // of the oldest factor that was counted
	Weaker      string    // in words: what this cannot prove
	Passkey     *countersign.PasskeyEvidence
	TOTP        *countersign.TOTPEvidence
	FirstFactor *countersign.FirstFactor

	act                   TakenChallenge
	person, authenticator string
}

// Authenticator returns the authenticator whose proof was counted, or "". The caller
// has checked its standing.
func (j Judgement) Authenticator() string { return j.authenticator }

// Evidence is the judgement with its facts and the statement, as a decision keeps it.
func (j Judgement) Evidence() countersign.Evidence {
	return countersign.Evidence{
		Assurance: j.Assurance, AMR: j.AMR, Statement: json.RawMessage(j.act.Statement()),
		AuthTime: j.AuthTime.UTC().Format(timeFormat), Passkey: j.Passkey, TOTP: j.TOTP, FirstFactor: j.FirstFactor, Weaker: j.Weaker,
	}
}

const timeFormat = "2006-01-02T15:04:05.000000Z"

// What each kind of evidence cannot prove.
const (
	weakerSession   = "nothing was proven for this act: an earlier sign-in was still alive"
	weakerPassword  = "one factor only: a password can be guessed, reused and typed into a false page"
	weakerTOTP      = "the server knows the code's secret too, so that the code proves nothing to others; and it can be typed into a false page"
	weakerIdP       = "the sign-in is stated by the identity provider %s and not bound to this document by a key of the person"
	weakerVouched   = "the first factor is stated by the calling system's key %s and was not seen here"
	weakerSynced    = "the key may be copied between the person's devices"
	weakerUnknown   = "no maker vouches for the device that holds the key"
	weakerSimulated = "made by the demo's software authenticator: it proves nothing"
)

// Derive says what the facts are worth at now: the strongest assurance that a subset
// of them supports. Whatever belongs to another person, lies in the future or is too
// old does not count. Taking a fact away, or letting it age, never makes the result
// stronger.
func Derive(f Facts, d Demand, now time.Time) Judgement {
	w := window{d: d, now: now}
	if p := f.Act.Purpose(); f.Person == "" || f.Act.Person() != f.Person || (p != PurposeDecide && p != PurposeStepUp) {
		return Judgement{} // a sign-in proves who came in, not who acts
	}
	if f.Session != nil && f.Session.Person() != f.Person {
		f.Session = nil
	}
	for _, try := range [...]func(Facts) (Judgement, bool){w.byPasskey, w.byCode, w.byProvider, w.bySession} {
		if j, ok := try(f); ok {
			j.act, j.person = f.Act, f.Person
			slices.Sort(j.AMR)
			j.AMR = slices.Compact(j.AMR)
			return j
		}
	}
	return Judgement{}
}

type window struct {
	d   Demand
	now time.Time
}

// fresh reports whether a factor of that time counts towards more than a session.
func (w window) fresh(at time.Time) bool {
	age := w.d.MaxAge
	if age <= 0 {
		age = DefaultMaxAge
	}
	return !at.IsZero() && !at.After(w.now) && w.now.Sub(at) <= age
}

func (w window) byPasskey(f Facts) (Judgement, bool) {
	if f.Passkey == nil {
		return Judgement{}, false
	}
	p := f.Passkey.facts
	sum := f.Act.challenge.Sum()
	switch {
	case p.Person != f.Person, !p.UserPresent, !p.UserVerified, !w.fresh(p.At):
		return Judgement{}, false
	case p.Purpose != f.Act.Purpose(), subtle.ConstantTimeCompare(sum[:], p.sum[:]) != 1:
		return Judgement{}, false
	}
	j := Judgement{Assurance: countersign.AssurancePhishingResistant, AMR: []string{"mfa", "pop", "user"}, AuthTime: p.At, authenticator: p.Evidence.Authenticator}
	evidence := p.Evidence
	j.Passkey = &evidence
	switch {
	case p.Evidence.Simulated:
		j.Weaker = weakerSimulated
	case p.Hardware && !p.BackupEligible:
		j.Assurance, j.AMR = countersign.AssuranceHardware, []string{"hwk", "mfa", "user"}
	case p.BackupEligible:
		j.Weaker = weakerSynced
	default:
		j.Weaker = weakerUnknown
	}
	return j, true
}

// byCode counts a code only on top of a different, fresh factor (ruling 18); both may
// come in one act (ruling 38).
func (w window) byCode(f Facts) (Judgement, bool) {
	if f.Code == nil || f.Code.person != f.Person || f.Code.step <= 0 || !w.fresh(f.Code.at) {
		return Judgement{}, false
	}
	first, ok := w.bestFirst(f)
	if !ok {
		return Judgement{}, false
	}
	weaker := []string{weakerTOTP}
	switch first.Method {
	case MethodVouched:
		weaker = append(weaker, fmt.Sprintf(weakerVouched, first.StatedBy))
	case MethodIdP:
		weaker = append(weaker, fmt.Sprintf(weakerIdP, first.StatedBy))
	}
	return Judgement{
		Assurance: countersign.AssuranceMFA, AMR: append(first.amr(), "mfa", "otp"), AuthTime: earlier(first.At, f.Code.at),
		Weaker: strings.Join(weaker, "; "), TOTP: &countersign.TOTPEvidence{Authenticator: f.Code.authenticator, Step: f.Code.step},
		FirstFactor: first.evidence(), authenticator: f.Code.authenticator,
	}, true
}

// bestFirst chooses the first factor that is verified here rather than stated, and of
// those the latest.
func (w window) bestFirst(f Facts) (best Factor, found bool) {
	rank := map[Method]int{MethodPasskey: 4, MethodPassword: 3, MethodIdP: 2, MethodVouched: 1}
	candidates := slices.Clone(f.Factors)
	if f.Session != nil && (f.Session.Kind() == SessionNormal || f.handedOver()) {
		candidates = append(candidates, f.Session.session.Factors...)
	}
	for _, c := range candidates {
		if !c.first(w.d.NoVouching) || !w.fresh(c.At) {
			continue
		}
		if !found || rank[c.Method] > rank[best.Method] || (rank[c.Method] == rank[best.Method] && c.At.After(best.At)) {
			best, found = c, true
		}
	}
	return best, found
}

// handedOver reports whether the act is about the one request that its hand-over
// session was opened for.
func (f Facts) handedOver() bool {
	s, err := countersign.ParseStatement(f.Act.Statement())
	return err == nil && f.Session.Kind() == SessionHandOver && s.Approval == f.Session.session.Request
}

// byProvider counts a re-authentication made for this act which the provider's profile
// takes for two factors.
func (w window) byProvider(f Facts) (Judgement, bool) {
	var best *Factor
	for i, c := range f.Factors {
		if c.Method == MethodIdP && c.Multi && c.StatedBy != "" && w.fresh(c.At) && (best == nil || c.At.After(best.At)) {
			best = &f.Factors[i]
		}
	}
	if best == nil {
		return Judgement{}, false
	}
	return Judgement{
		Assurance: countersign.AssuranceMFA, AMR: append(best.amr(), "mfa"), AuthTime: best.At,
		Weaker: fmt.Sprintf(weakerIdP, best.StatedBy), FirstFactor: best.evidence(),
	}, true
}

// bySession counts a live sign-in, or a single factor given in the act. The demand's
// own limit covers it too where one is set; otherwise the session's limits do.
func (w window) bySession(f Facts) (Judgement, bool) {
	var best Factor
	found, inAct := false, false
	take := func(c Factor, now bool) {
		if c.own() && !c.At.IsZero() && !c.At.After(w.now) && (!found || c.At.After(best.At)) {
			best, found, inAct = c, true, now
		}
	}
	if f.Session != nil && f.Session.Kind() == SessionNormal {
		for _, c := range f.Session.session.Factors {
			if w.d.MaxAge <= 0 || w.fresh(c.At) {
				take(c, false)
			}
		}
	}
	for _, c := range f.Factors {
		if w.fresh(c.At) {
			take(c, true)
		}
	}
	if !found {
		return Judgement{}, false
	}
	j := Judgement{Assurance: countersign.AssuranceSession, AMR: best.amr(), AuthTime: best.At, FirstFactor: best.evidence(), Weaker: weakerSession}
	switch {
	case inAct && best.Method == MethodIdP:
		j.Weaker = fmt.Sprintf(weakerIdP, best.StatedBy)
	case inAct:
		j.Weaker = weakerPassword
	}
	return j, true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// amr returns the factor's methods as RFC 8176 names them. Of what is stated, only
// names of the registry are passed on.
func (f Factor) amr() []string {
	switch f.Method {
	case MethodPassword:
		return []string{"pwd"}
	case MethodPasskey:
		return []string{"pop", "user"}
	}
	var list []string
	for _, m := range f.Methods {
		if slices.Contains(registered, m) {
			list = append(list, m)
		}
	}
	return list
}

// registered are the names of the registry that RFC 8176 §6.1 opened.
var registered = strings.Fields("face fpt geo hwk iris kba mca mfa otp pin pop pwd rba retina sc sms swk tel user vbm wia")

func (f Factor) evidence() *countersign.FirstFactor {
	return &countersign.FirstFactor{Method: string(f.Method), At: f.At.UTC().Format(timeFormat), StatedBy: f.StatedBy}
}
