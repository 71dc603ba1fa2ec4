package authority

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Ceremony is the beginning of a passkey ceremony that is no decision: a sign-in, an
// enrolment, a step-up.
type Ceremony struct {
	Challenge string          `json:"challenge"`
	Binding   string          `json:"binding,omitempty"` // to be given back: the browser that began is the one that ends
	Options   json.RawMessage `json:"options,omitempty"` // for navigator.credentials
	Factors   []string        `json:"factors,omitempty"` // that would do
	Secret    string          `json:"secret,omitempty"`  // of a code generator that is being enrolled, for typing
	URI       string          `json:"uri,omitempty"`     // the same as otpauth URI, for a QR code
	ExpiresAt string          `json:"expires_at"`
}

// SignedIn is an opened session. The token is shown once and stored nowhere.
type SignedIn struct {
	Token     string                `json:"token"`
	Person    countersign.Principal `json:"person"`
	Kind      string                `json:"kind"` // "normal", "enrolment", "hand_over"
	Request   string                `json:"request,omitempty"`
	ExpiresAt string                `json:"expires_at"`
}

// kept is what is stored with a ceremony's challenge.
type kept struct {
	Allow   [][]byte          `json:"allow,omitempty"` // credential ids that were offered
	Pending *pendingEnrolment `json:"pending,omitempty"`
}

// beginning is what a ceremony is begun from.
type beginning struct {
	authn.Ceremony
	session  string          // whose ceremony it is; "" for a sign-in
	passkeys []authn.Passkey // that are offered
	pending  *pendingEnrolment
}

// ceremony stores a fresh ceremony's challenge and returns its beginning.
func (a *Authority) ceremony(tx *store.Tx, b beginning) (authn.Challenge, Ceremony, error) {
	c, session := b.Ceremony, b.session
	at, err := a.current(tx)
	if err != nil {
		return authn.Challenge{}, Ceremony{}, err
	}
	expires := tx.Now().Add(at.settings.challengeExpires())
	secret := authn.NewNonce()
	if session != "" {
		secret = session
	}
	c.Version, c.Org, c.Binding = authn.CeremonyVersion, tx.Org(), authn.Binding(secret)
	c.Expires, c.Nonce = stamp(expires), authn.NewNonce()
	ch, err := authn.CeremonyChallenge(c, tx.Now())
	if err != nil {
		return ch, Ceremony{}, err
	}
	if len(b.passkeys) > 0 {
		ch = ch.Offer(b.passkeys)
	}
	detail, err := json.Marshal(kept{Allow: ch.Allow, Pending: b.pending})
	if err != nil {
		return ch, Ceremony{}, err
	}
	out := Ceremony{Challenge: ch.ID, ExpiresAt: stamp(expires)}
	if session == "" {
		out.Binding = secret
	}
	return ch, out, tx.InsertChallenge(store.Challenge{ID: ch.ID, Purpose: string(ch.Purpose), Person: ch.Person, Session: session,
		Statement: ch.Statement, Detail: string(detail), Created: tx.Now(), Expires: ch.Expires})
}

// takeCeremony deletes a ceremony's challenge, commits that, and judges it for the
// purpose. An enrolment that may be tried again is stored anew in the same transaction,
// with this try counted.
func (a *Authority) takeCeremony(ctx context.Context, id string, p authn.Purpose, session, binding string) (kept, authn.TakenChallenge, error) {
	var row store.Challenge
	var k kept
	_, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		k = kept{}
		if row, err = tx.TakeChallenge(id); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(row.Detail), &k); err != nil {
			return err
		}
		if k.Pending == nil || !k.Pending.again() {
			return nil
		}
		detail, err := json.Marshal(k)
		if err != nil {
			return err
		}
		next := row
		next.Detail = string(detail)
		return tx.InsertChallenge(next)
	})
	if errors.Is(err, store.ErrNotFound) {
		return k, authn.TakenChallenge{}, countersign.NewProblem(countersign.CodeGone, "this challenge was used already, or has expired").WithHint("start again")
	} else if err != nil {
		return k, authn.TakenChallenge{}, err
	}
	secret := binding
	if session != "" {
		secret = session
	}
	ch := authn.Challenge{ID: row.ID, Purpose: authn.Purpose(row.Purpose), Person: row.Person, Statement: row.Statement, Expires: row.Expires, Allow: k.Allow}
	taken, err := ch.Take(p, authn.Binding(secret), a.db.Now())
	return k, taken, err
}

// BeginSignIn starts a sign-in with a passkey. Who it will be is not asked.
func (a *Authority) BeginSignIn(ctx context.Context) (*Ceremony, error) {
	var out Ceremony
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		ch, begun, err := a.ceremony(tx, beginning{Ceremony: authn.Ceremony{Purpose: authn.PurposeSignIn}})
		if err != nil {
			return err
		}
		out = begun
		out.Options, err = a.rp.RequestOptions(ch, nil)
		return err
	})
	return &out, fault(err)
}

// SignInBody ends a sign-in: with a passkey that answers a begun ceremony, or with
// name, password and code together.
type SignInBody struct {
	Challenge string          `json:"challenge,omitempty"`
	Binding   string          `json:"binding,omitempty"`
	Passkey   json.RawMessage `json:"passkey,omitempty"`

	Login    string `json:"login,omitempty"` // the person's name in the directory
	Password string `json:"password,omitempty"`
	TOTP     string `json:"totp,omitempty"`
}

// SignIn opens a session for whoever proves themself.
func (a *Authority) SignIn(ctx context.Context, body SignInBody) (*SignedIn, error) {
	if len(body.Passkey) > 0 {
		out, err := a.signInPasskey(ctx, body)
		return out, fault(err)
	}
	if body.Login == "" || body.Password == "" || body.TOTP == "" {
		return nil, countersign.Invalid(lacking(body)...)
	}
	out, err := a.signInPassword(ctx, body)
	return out, fault(err)
}

// LoginName is the name that the person of a session signs in with beside a password;
// "" for whom no directory knows.
func (a *Authority) LoginName(ctx context.Context, s Session) (string, error) {
	return look(ctx, a, s, func(r *reading) (string, error) { return loginName(r.tx, s.Person.ID) })
}

func loginName(tx *store.Tx, person string) (login string, err error) {
	all, err := tx.Identities(person)
	for _, i := range all {
		if i.Source == directory {
			login = i.Subject
		}
	}
	return login, err
}

// lacking names what a sign-in without a passkey lacks.
func lacking(body SignInBody) []countersign.FieldError {
	var errs []countersign.FieldError
	for _, m := range []struct{ pointer, value string }{{"/login", body.Login}, {"/password", body.Password}, {"/totp", body.TOTP}} {
		if m.value == "" {
			errs = append(errs, countersign.FieldError{Pointer: m.pointer, Detail: "required with the others, or send a passkey with its challenge"})
		}
	}
	return errs
}

func (a *Authority) signInPasskey(ctx context.Context, body SignInBody) (*SignedIn, error) {
	_, taken, err := a.takeCeremony(ctx, body.Challenge, authn.PurposeSignIn, "", body.Binding)
	if err != nil {
		return nil, err
	}
	now := a.db.Now()
	u, proof, err := a.provePasskey(ctx, taken, "", body.Passkey, now)
	a.metrics.attempt("passkey", err)
	if err != nil {
		return nil, err
	}
	if err := u.standing.SignsIn(); err != nil {
		return nil, err
	}
	if !proof.Facts().UserVerified {
		return nil, countersign.NewProblem(countersign.CodeUnauthenticated, "the passkey did not verify its user")
	}
	return a.openSession(ctx, u.row.Person, []authn.Factor{{Method: authn.MethodPasskey, At: now, Authenticator: u.row.ID}})
}

// signInPassword wants both factors right. Which of them was wrong is not said, and
// an unknown name costs the same as a known one.
func (a *Authority) signInPassword(ctx context.Context, body SignInBody) (*SignedIn, error) {
	wrong := func(cause error) error {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "name, password or code is wrong").WithCause(cause)
	}
	var person store.Person
	login, err := typedLogin(body.Login)
	if err != nil {
		return nil, err
	}
	err = a.db.Read(ctx, func(tx *store.Tx) (err error) {
		person, err = identify(tx, directory, login)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	factor, err := a.judgePassword(ctx, login, person.ID, body.Password)
	a.metrics.attempt("password", err)
	if err != nil {
		if stays(err) {
			return nil, err
		}
		return nil, wrong(err)
	}
	u, proof, err := a.proveCode(ctx, person.ID, body.TOTP)
	a.metrics.attempt("totp", err)
	if err != nil {
		if stays(err) {
			return nil, err
		}
		return nil, wrong(err)
	}
	_ = proof // a sign-in is no act: the code was counted, and proves nothing later
	if err := u.standing.SignsIn(); err != nil {
		return nil, err
	}
	return a.openSession(ctx, person.ID, []authn.Factor{factor, {Method: authn.MethodTOTP, At: factor.At, Authenticator: u.row.ID}})
}

func locked(err error) bool {
	var p *countersign.Problem
	return errors.As(err, &p) && p.Code == countersign.CodeLocked
}

// stays reports that a refusal is told as it is: what was given is locked, or was right
// and may not be used.
func stays(err error) bool {
	var p *countersign.Problem
	return locked(err) || errors.As(err, &p) && p.Code == countersign.CodeForbidden
}

// provePassword judges the password of a person who is known.
func (a *Authority) provePassword(ctx context.Context, person, password string) (authn.Factor, error) {
	return a.judgePassword(ctx, person, person, password)
}

// judgePassword judges a password for a name that was typed, known or not. The
// failures are counted under that name, and are stored before the result is used.
func (a *Authority) judgePassword(ctx context.Context, name, person, password string) (authn.Factor, error) {
	const races = 20
	for range races {
		f, err := a.tryPassword(ctx, name, person, password)
		if !errors.Is(err, store.ErrConflict) {
			return f, err
		}
	}
	return authn.Factor{}, countersign.NewProblem(countersign.CodeConflict, "too many attempts at the same moment")
}

func (a *Authority) tryPassword(ctx context.Context, name, person, password string) (authn.Factor, error) {
	if person != "" {
		name = person // one count, under whatever name the person is known
	}
	var row store.Throttle
	var stored string
	var factor store.Authenticator
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		if row, err = tx.Throttle(throttled(name)); err != nil || person == "" {
			return err
		}
		all, err := tx.Authenticators(person)
		if err != nil {
			return err
		}
		factor, err = passwordOf(all)
		return err
	})
	if err != nil {
		return authn.Factor{}, err
	}
	if factor.ID != "" {
		phc, err := a.keys.Ring.Open(a.place(factor.ID), factor.Secret)
		if err != nil {
			return authn.Factor{}, err
		}
		stored = string(phc)
	}
	var state authn.Throttle
	if row.State != "" {
		if err := json.Unmarshal([]byte(row.State), &state); err != nil {
			return authn.Factor{}, err
		}
	}
	next, result, err := a.hashPassword(ctx, stored, state, password)
	if err != nil {
		return authn.Factor{}, err
	}
	if next != state {
		text, err := json.Marshal(next)
		if err != nil {
			return authn.Factor{}, err
		}
		row.State = string(text)
		_, err = a.db.Write(ctx, func(tx *store.Tx) error {
			if err := tx.SetThrottle(row); err != nil || factor.ID == "" {
				return err
			}
			return a.lockedEntry(tx, factor, next, state)
		})
		if err != nil {
			return authn.Factor{}, err
		}
	}
	if !result.Accepted {
		return authn.Factor{}, result.Err
	}
	standing, err := standingOf(factor)
	if err != nil {
		return authn.Factor{}, err
	}
	if err := standing.SignsIn(); err != nil {
		return authn.Factor{}, err
	}
	return authn.Factor{Method: authn.MethodPassword, At: a.db.Now(), Authenticator: factor.ID}, nil
}

// hashPassword bounds how many hashes run at once: each takes much memory on purpose.
func (a *Authority) hashPassword(ctx context.Context, stored string, t authn.Throttle, password string) (authn.Throttle, authn.PasswordResult, error) {
	select {
	case a.hashes <- struct{}{}:
		defer func() { <-a.hashes }()
	case <-ctx.Done():
		return t, authn.PasswordResult{}, ctx.Err()
	}
	next, result := a.hashing.VerifyPassword(stored, t, password, a.db.Now())
	return next, result, nil
}

// openSession opens a normal session and logs that it did.
func (a *Authority) openSession(ctx context.Context, person string, factors []authn.Factor) (*SignedIn, error) {
	var out *SignedIn
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		p, err := tx.Person(person)
		if err != nil {
			return err
		}
		if !p.Active {
			return countersign.NewProblem(countersign.CodeUnauthenticated, "name, password or code is wrong")
		}
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		s, token, err := authn.NewSession(tx.Org(), person, factors, tx.Now())
		if err != nil {
			return err
		}
		limits := at.settings.sessionLimits()
		out = &SignedIn{Token: token, Person: countersign.Principal{ID: p.ID, Name: p.Name}, Kind: string(s.Kind), ExpiresAt: stamp(tx.Now().Add(limits.Absolute))}
		methods := make([]string, len(factors))
		for i, f := range factors {
			methods[i] = string(f.Method)
			if err := tx.RecordUse(f.Authenticator, store.UseSignIn); err != nil {
				return err
			}
		}
		if _, err := appendEntry(tx, entry{typ: countersign.EntrySignedIn, subject: person, actor: person,
			facts: map[string]string{"session": s.ID, "methods": strings.Join(methods, " ")}}); err != nil {
			return err
		}
		return saveSession(tx, s, limits)
	})
	return out, err
}

// StepUpBody proves a person again for one act that is no decision.
type StepUpBody struct {
	Challenge string          `json:"challenge"`
	Passkey   json.RawMessage `json:"passkey,omitempty"`
	Password  string          `json:"password,omitempty"`
	TOTP      string          `json:"totp,omitempty"`
}

// BeginStepUp starts a step-up for one act, named by its subject: "freeze:vendor:4711",
// "enrol", "confirm:fac_…". It offers what would do: for an act that gives power, no
// code to whoever has a passkey.
func (a *Authority) BeginStepUp(ctx context.Context, s Session, subject string) (*Ceremony, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	if subject == "" || len(subject) > 300 {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/subject", Detail: "required: what is stepped up for"})
	}
	var out Ceremony
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		factors, err := tx.Authenticators(s.Person.ID)
		if err != nil {
			return err
		}
		passkeys, codes, err := usable(factors, tx.Now())
		if err != nil {
			return err
		}
		if givesPower(subject) && len(passkeys) > 0 {
			passkeys, codes = strongestKeys(passkeys), 0
		}
		ch, begun, err := a.ceremony(tx, beginning{Ceremony: authn.Ceremony{Purpose: authn.PurposeStepUp, Person: s.Person.ID, Subject: subject},
			session: s.ID(), passkeys: passkeys})
		if err != nil {
			return err
		}
		out = begun
		if len(passkeys) > 0 {
			out.Factors = append(out.Factors, "passkey")
			if out.Options, err = a.rp.RequestOptions(ch, passkeys); err != nil {
				return err
			}
		}
		if codes > 0 {
			out.Factors = append(out.Factors, "totp")
		}
		return nil
	})
	return &out, fault(err)
}

// stepUp judges a step-up for the subject: at least two factors.
func (a *Authority) stepUp(ctx context.Context, s Session, subject string, body StepUpBody) (authn.Judgement, error) {
	var none authn.Judgement
	_, taken, err := a.takeCeremony(ctx, body.Challenge, authn.PurposeStepUp, s.ID(), "")
	if err != nil {
		return none, err
	}
	c, err := authn.ParseCeremony(taken.Statement())
	if err != nil {
		return none, err
	}
	if c.Subject != subject || c.Person != s.Person.ID {
		return none, countersign.NewProblem(countersign.CodeConflict, "this step-up was made for something else").WithHint("start again")
	}
	now := a.db.Now()
	f := authn.Facts{Act: taken, Person: s.Person.ID, Session: &s.live}
	if _, err := a.prove(ctx, &f, countersign.DecisionBody{Passkey: body.Passkey, Password: body.Password, TOTP: body.TOTP}, now); err != nil {
		return none, err
	}
	j := authn.Derive(f, authn.Demand{}, a.db.Now())
	if !j.Assurance.AtLeast(countersign.AssuranceMFA) {
		return none, countersign.NewProblem(countersign.CodeForbidden, "this needs two factors for this act").WithHint("use a passkey, or your password and a code")
	}
	return j, nil
}
