package authority

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Invited is a fresh invitation. The token is for the link, shown once.
type Invited struct {
	ID        string `json:"id"`
	Token     string `json:"token,omitempty"` // left out when the answer is repeated, as is the URL
	URL       string `json:"url,omitempty"`
	ExpiresAt string `json:"expires_at"`
}

// purposeEnrol is what an invitation is kept for.
const purposeEnrol = "enrol"

// Invite lets a person enrol. An administrator invites others; offline, the operator
// does. It withdraws the invitations of the person that were not used. Once the
// organisation is founded it takes a step-up for "invite:" and the person; before that
// an administrator who has just signed in is there alone, and goes on without.
func (a *Authority) Invite(ctx context.Context, s Session, person string, body StepUpBody) (*Invited, error) {
	if err := a.administrator(ctx, s); err != nil {
		return nil, err
	}
	var j *authn.Judgement
	if body.Challenge != "" {
		given, err := a.stepUp(ctx, s, "invite:"+person, body)
		if err != nil {
			return nil, fault(err)
		}
		j = &given
	}
	var out *Invited
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		var evidence *countersign.Evidence
		if j != nil {
			if err := a.judged(tx, *j); err != nil {
				return err
			}
			e := j.Evidence()
			evidence = &e
		} else if !at.founding {
			return countersign.Invalid(countersign.FieldError{Pointer: "/step_up", Detail: "required: inviting is proven by a step-up for \"invite:\" and the person"})
		}
		if _, err := tx.Person(person); err != nil {
			return err
		}
		out, err = a.invite(tx, authn.Invitation{Org: tx.Org(), Person: person, InvitedBy: s.Person.ID}, evidence)
		return err
	})
	return out, fault(err)
}

// invite makes the invitation; evidence is of whoever proved themself for it, if any.
func (a *Authority) invite(tx *store.Tx, in authn.Invitation, evidence *countersign.Evidence) (*Invited, error) {
	inv, token, err := authn.NewInvitation(in, tx.Now())
	if err != nil {
		return nil, err
	}
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	inv.ExpiresAt = tx.Now().Add(at.settings.invitationExpires())
	text, err := json.Marshal(inv)
	if err != nil {
		return nil, err
	}
	if err := tx.DropInvitations(in.Person, purposeEnrol); err != nil { // the newest is the only one
		return nil, err
	}
	e := entry{typ: countersign.EntryInvitationMade, subject: in.Person, actor: in.InvitedBy, facts: map[string]string{"invitation": inv.ID}}
	if evidence != nil {
		detail, err := countersign.Canonical(map[string]any{"evidence": evidence})
		if err != nil {
			return nil, err
		}
		e.openings = map[string][]byte{countersign.OpeningDetail: detail}
	}
	if _, err := appendEntry(tx, e); err != nil {
		return nil, err
	}
	return &Invited{ID: inv.ID, Token: token, URL: a.org.PublicURL + "/enrol#" + token, ExpiresAt: stamp(inv.ExpiresAt)},
		tx.InsertInvitation(store.Invitation{TokenHash: inv.TokenHash, ID: inv.ID, Purpose: purposeEnrol, Person: in.Person, Inviter: in.InvitedBy,
			Detail: string(text), Created: tx.Now(), Expires: inv.ExpiresAt})
}

// RedeemInvitation uses an invitation up and opens a session that can enrol one
// authenticator, and nothing else.
func (a *Authority) RedeemInvitation(ctx context.Context, token string) (*SignedIn, error) {
	bad := countersign.NewProblem(countersign.CodeGone, "this invitation is not valid").WithHint("ask for a new one")
	hash, ok := authn.ParseToken(authn.TokenInvitation, token)
	if !ok {
		return nil, bad
	}
	var out *SignedIn
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		var inv authn.Invitation
		used, err := linkOf(tx, hash, &inv, bad)
		if err != nil {
			return err
		}
		inv.UsedAt = used
		_, grant, err := inv.Redeem(token, tx.Now())
		if err != nil {
			return err
		}
		if late, err := overtaken(tx, inv); err != nil {
			return err
		} else if late {
			return bad
		}
		if err := tx.UseInvitation(hash); err != nil {
			return bad
		}
		out, err = a.openEnrolment(tx, grant)
		return err
	})
	return out, fault(err)
}

func (a *Authority) openEnrolment(tx *store.Tx, g authn.Grant) (*SignedIn, error) {
	p, err := tx.Person(g.Person())
	if err != nil {
		return nil, err
	}
	if !p.Active {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "%s is not active", p.Name)
	}
	s, token := authn.NewEnrolmentSession(tx.Org(), g, tx.Now())
	limits := authn.SessionLimits{Absolute: authn.EnrolmentLife, Idle: authn.EnrolmentLife}
	return &SignedIn{Token: token, Person: countersign.Principal{ID: p.ID, Name: p.Name}, Kind: string(s.Kind), ExpiresAt: stamp(tx.Now().Add(limits.Absolute))},
		saveSession(tx, s, limits)
}

// GrantEnrolment opens an enrolment session for a person who has stepped up with an
// authenticator they have: the new one can be no stronger.
func (a *Authority) GrantEnrolment(ctx context.Context, s Session, body StepUpBody) (*SignedIn, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	j, err := a.stepUp(ctx, s, "enrol", body)
	if err != nil {
		return nil, fault(err)
	}
	var out *SignedIn
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Authenticator(j.Authenticator())
		if err != nil {
			return err
		}
		var standing authn.Standing
		if err := json.Unmarshal([]byte(row.Standing), &standing); err != nil {
			return err
		}
		if err := tx.RecordUse(row.ID, store.UseAct); err != nil {
			return err
		}
		g, err := authn.GrantByFactor(j, standing, tx.Now())
		if err != nil {
			return err
		}
		out, err = a.openEnrolment(tx, g)
		return err
	})
	return out, fault(err)
}

// pendingEnrolment is what is kept of an enrolment between its beginning and its end.
type pendingEnrolment struct {
	Kind   authn.Kind `json:"kind"`
	ID     string     `json:"id"`               // fac_…
	Secret string     `json:"secret,omitempty"` // of a code generator, sealed
	Tries  int        `json:"tries,omitempty"`  // first codes that were sent: each is counted before it is looked at
}

// enrolTries is how many first codes may be sent for one secret: a slip of the finger
// must not make anybody scan again, and a guess must not be worth anything.
const enrolTries = 5

// again counts one more first code, and says whether another may follow.
func (p *pendingEnrolment) again() bool {
	p.Tries++
	return p.Kind == authn.KindTOTP && p.Tries < enrolTries
}

// BeginEnrolment starts the enrolment of a passkey or a code generator.
func (a *Authority) BeginEnrolment(ctx context.Context, s Session, kind authn.Kind) (*Ceremony, error) {
	if kind != authn.KindPasskey && kind != authn.KindTOTP {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/type", Detail: `want "passkey" or "totp"`})
	}
	var out Ceremony
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := s.live.EnrolmentGrant(tx.Now()); err != nil {
			return err
		}
		pending := pendingEnrolment{Kind: kind, ID: countersign.NewID(countersign.PrefixAuthenticator, tx.Now())}
		var secret []byte
		if kind == authn.KindTOTP {
			secret = authn.NewTOTPSecret()
			pending.Secret = a.keys.Ring.Seal(a.place(pending.ID), secret)
		}
		ch, begun, err := a.ceremony(tx, beginning{Ceremony: authn.Ceremony{Purpose: authn.PurposeEnrol, Person: s.Person.ID, Subject: pending.ID},
			session: s.ID(), pending: &pending})
		if err != nil {
			return err
		}
		out = begun
		if kind == authn.KindTOTP {
			out.Secret, out.URI = authn.TOTPSecretText(secret), authn.TOTPURI(a.org.Name, loginOf(s.Person), secret)
			return nil
		}
		have, err := passkeysOf(tx, s.Person.ID)
		if err != nil {
			return err
		}
		out.Options, err = a.rp.CreationOptions(authn.User{Handle: s.Person.Handle, Name: loginOf(s.Person), DisplayName: s.Person.Name}, ch, have)
		return err
	})
	return &out, fault(err)
}

func loginOf(p store.Person) string {
	if p.Email != "" {
		return p.Email
	}
	return p.Name
}

func passkeysOf(tx *store.Tx, person string) ([]authn.Passkey, error) {
	rows, err := tx.Authenticators(person)
	if err != nil {
		return nil, err
	}
	var out []authn.Passkey
	for _, r := range rows {
		if r.Type != store.FactorPasskey {
			continue
		}
		var p authn.Passkey
		if err := json.Unmarshal([]byte(r.Record), &p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// EnrolmentBegun reads the enrolment of a code generator that was begun in the session
// and not ended yet, to show its secret once more. It changes nothing.
func (a *Authority) EnrolmentBegun(ctx context.Context, s Session, challenge string) (*Ceremony, error) {
	gone := countersign.NewProblem(countersign.CodeGone, "this enrolment was ended already, or has expired").WithHint("start again")
	var out *Ceremony
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		row, err := tx.Challenge(challenge)
		if errors.Is(err, store.ErrNotFound) {
			return gone
		} else if err != nil {
			return err
		}
		var k kept
		if err := json.Unmarshal([]byte(row.Detail), &k); err != nil {
			return err
		}
		if row.Session != s.ID() || row.Purpose != string(authn.PurposeEnrol) || k.Pending == nil || k.Pending.Kind != authn.KindTOTP || !tx.Now().Before(row.Expires) {
			return gone
		}
		secret, err := a.keys.Ring.Open(a.place(k.Pending.ID), k.Pending.Secret)
		if err != nil {
			return err
		}
		out = &Ceremony{Challenge: row.ID, ExpiresAt: stamp(row.Expires), Secret: authn.TOTPSecretText(secret), URI: authn.TOTPURI(a.org.Name, loginOf(s.Person), secret)}
		return nil
	})
	return out, fault(err)
}

// EnrolBody ends an enrolment: with the passkey's registration, or the first code of
// the generator.
type EnrolBody struct {
	Challenge string          `json:"challenge"`
	Name      string          `json:"name"` // what the person calls it
	Passkey   json.RawMessage `json:"passkey,omitempty"`
	Code      string          `json:"code,omitempty"`
	Password  string          `json:"password,omitempty"` // with a code generator: the password beside it
}

// Enrolled says what was enrolled and from when it counts.
type Enrolled struct {
	ID                string `json:"id"`
	Type              string `json:"type"`
	Name              string `json:"name"`
	CountsFrom        string `json:"counts_from,omitempty"` // end of the cool-off
	NeedsConfirmation bool   `json:"needs_confirmation,omitempty"`
	Compare           string `json:"compare,omitempty"` // where it needs a confirmation: the digits to read to whoever confirms it
	Founding          bool   `json:"founding,omitempty"`
}

// FinishEnrolment verifies what was begun and stores the authenticator, with its
// entry: the public key stands in the log before anything signed with it can. After a
// wrong first code of a generator the next one may be sent with the same challenge, five
// in all; each is counted, and that is committed, before it is looked at.
func (a *Authority) FinishEnrolment(ctx context.Context, s Session, body EnrolBody) (*Enrolled, error) {
	if body.Name == "" || len(body.Name) > 100 {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/name", Detail: "required, at most 100 bytes: what you call it"})
	}
	if body.Password != "" { // before anything is used up
		if err := authn.CheckNewPassword(a.blocklist, body.Password, a.org.Name, s.Person.Name, s.Person.Email, "countersign"); err != nil {
			return nil, fault(err)
		}
	}
	k, taken, err := a.takeCeremony(ctx, body.Challenge, authn.PurposeEnrol, s.ID(), "")
	if err != nil {
		return nil, fault(err)
	}
	if k.Pending == nil {
		return nil, fault(errors.New("an enrolment's challenge without its enrolment"))
	}
	e := &enrolling{a: a, s: s, body: body, pending: *k.Pending}
	if e.grant, err = s.live.EnrolmentGrant(a.db.Now()); err != nil {
		return nil, fault(err)
	}
	if err := e.verify(taken); err != nil {
		return nil, fault(err)
	}
	committed, err := a.db.Write(ctx, e.write)
	if errors.Is(err, store.ErrConflict) {
		return nil, countersign.NewProblem(countersign.CodeConflict, "this passkey is enrolled already")
	}
	if err != nil {
		return nil, fault(err)
	}
	if _, err := a.publisher.Settle(ctx, committed); err != nil {
		a.log.Warn("an enrolment is not covered by a checkpoint yet", "error", err)
	}
	return e.out, nil
}

// enrolling is one enrolment on its way into the store.
type enrolling struct {
	a       *Authority
	s       Session
	body    EnrolBody
	pending pendingEnrolment
	grant   authn.Grant
	row     store.Authenticator
	logged  countersign.Enrolment
	out     *Enrolled
}

func (e *enrolling) verify(taken authn.TakenChallenge) error {
	now := e.a.db.Now()
	e.row = store.Authenticator{ID: e.pending.ID, Person: e.s.Person.ID, Type: string(e.pending.Kind), Name: e.body.Name, State: "{}", Record: "{}"}
	if e.pending.Kind == authn.KindPasskey {
		p, err := e.a.rp.VerifyRegistration(authn.Registration{Challenge: taken, Handle: e.s.Person.Handle, Response: e.body.Passkey, Now: now})
		if err != nil {
			return err
		}
		p.Authenticator = e.pending.ID
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		e.row.Record = string(text)
		e.logged = p.Enrolment(e.s.Person.Name, e.grant.By())
		e.row.CredentialID = e.logged.CredentialID
		return nil
	}
	secret, err := e.a.keys.Ring.Open(e.a.place(e.pending.ID), e.pending.Secret)
	if err != nil {
		return err
	}
	state, result := authn.VerifyTOTP(secret, authn.TOTPState{}, e.body.Code, now)
	if !result.Accepted {
		return result.Err
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	e.row.State, e.row.Secret = string(text), e.pending.Secret
	e.logged = authn.TOTPEnrolment(e.pending.ID, e.s.Person.ID, e.s.Person.Name, e.grant.By())
	return nil
}

func (e *enrolling) write(tx *store.Tx) error {
	if err := stillOpen(tx, e.s); err != nil { // a grant is for one authenticator
		return err
	}
	if _, err := tx.TakeChallenge(e.body.Challenge); err != nil && !errors.Is(err, store.ErrNotFound) { // its tries end with it
		return err
	}
	at, err := e.a.current(tx)
	if err != nil {
		return err
	}
	standing, err := e.grant.Enrol(e.pending.Kind, authn.EnrolmentRules{Founding: at.founding, CoolOff: at.settings.coolOff()}, tx.Now())
	if err != nil {
		return err
	}
	text, err := json.Marshal(standing)
	if err != nil {
		return err
	}
	opening, err := countersign.Canonical(e.logged)
	if err != nil {
		return err
	}
	facts := map[string]string{"authenticator": e.row.ID, "type": e.row.Type}
	if at.founding {
		facts["founding"] = "true"
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryAuthenticatorEnrolled, subject: e.s.Person.ID, actor: e.s.Person.ID, facts: facts,
		openings: map[string][]byte{countersign.OpeningEnrolment: opening}})
	if err != nil {
		return err
	}
	e.row.Standing, e.row.EntryID, e.row.Created = string(text), w.id, tx.Now()
	if err := tx.InsertAuthenticator(e.row); err != nil {
		return err
	}
	if e.body.Password != "" {
		if err := e.password(tx, standing); err != nil {
			return err
		}
	}
	if err := tx.EndSession(e.s.hash); err != nil {
		return err
	}
	if err := e.a.tell(tx, w.entry, e.s.Person.ID); err != nil { // NIST SP 800-63B-4 §4.1.2.1: tell the person
		return err
	}
	e.out = &Enrolled{ID: e.row.ID, Type: e.row.Type, Name: e.row.Name, CountsFrom: stamp(standing.CoolOffUntil), NeedsConfirmation: standing.NeedsConfirmation, Founding: at.founding}
	if standing.NeedsConfirmation {
		if e.out.Compare, err = e.a.compareDigits(e.row); err != nil {
			return err
		}
	}
	if err := tx.FactsChanged(); err != nil {
		return err
	}
	return e.a.endFounding(tx, at)
}

// administrator refuses whoever is not one.
func (a *Authority) administrator(ctx context.Context, s Session) error {
	return a.member(ctx, s, GroupAdministrators)
}

// member refuses whoever is in none of the groups.
func (a *Authority) member(ctx context.Context, s Session, groups ...string) error {
	if err := s.browse(); err != nil {
		return err
	}
	_, err := look(ctx, a, s, func(r *reading) (struct{}, error) { return struct{}{}, r.member(groups...) })
	return err
}
