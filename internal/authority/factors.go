package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// AuthenticatorView is something that a person proves themself with. It shows nothing
// that proves anything.
type AuthenticatorView struct {
	ID         string `json:"id"`
	Person     string `json:"person,omitempty"` // where it is listed for others
	PersonName string `json:"person_name,omitempty"`
	Type       string `json:"type"` // "passkey", "totp", "password", "recovery"
	Name       string `json:"name"`
	EnrolledAt string `json:"enrolled_at"`
	EnrolledBy string `json:"enrolled_by,omitempty"` // "setup", "invitation:inv_…", "factor:fac_…", …
	InvitedBy  string `json:"invited_by,omitempty"`
	Inviter    string `json:"inviter_name,omitempty"` // where it waits: what whoever confirms it is told of who invited
	CountsFrom string `json:"counts_from,omitempty"`  // end of the cool-off
	ReportedAt string `json:"reported_at,omitempty"`  // lost or stolen
	Waits      bool   `json:"needs_confirmation,omitempty"`
	Compare    string `json:"compare,omitempty"`    // where it waits, to its owner alone: the digits to read to whoever confirms it
	CodesLeft  int    `json:"codes_left,omitempty"` // of recovery codes

	// Of one's own: when it was used last, and for what ("sign_in", "decision", "act").
	// Where that lies further back than is looked, since when it was not used.
	LastUsedAt  string `json:"last_used_at,omitempty"`
	LastUsedFor string `json:"last_used_for,omitempty"`
	UnusedSince string `json:"unused_since,omitempty"`
}

// MyAuthenticators lists what a person has.
type MyAuthenticators struct {
	Items []AuthenticatorView `json:"items"`
}

// Unconfirmed lists enrolments that wait for a second person.
type Unconfirmed struct {
	Items []AuthenticatorView `json:"items"`
}

func viewAuthenticator(row store.Authenticator) (AuthenticatorView, error) {
	v := AuthenticatorView{ID: row.ID, Type: row.Type, Name: row.Name, EnrolledAt: stamp(row.Created), ReportedAt: stamp(row.Reported)}
	var s authn.Standing
	if err := json.Unmarshal([]byte(row.Standing), &s); err != nil {
		return v, err
	}
	v.EnrolledBy, v.InvitedBy, v.CountsFrom = s.EnrolledBy, s.InvitedBy, stamp(s.CoolOffUntil)
	v.Waits = s.NeedsConfirmation && s.ConfirmedBy == ""
	if row.Type == store.FactorRecovery {
		var set authn.RecoverySet
		if err := json.Unmarshal([]byte(row.State), &set); err != nil {
			return v, err
		}
		v.CodesLeft = set.Left()
	}
	return v, nil
}

// Authenticators lists what the person has, oldest first.
func (a *Authority) Authenticators(ctx context.Context, s Session) (*MyAuthenticators, error) {
	return look(ctx, a, s, (*reading).authenticators)
}

// AuthenticatorsUsed is Authenticators with the last use of each, which costs more.
func (a *Authority) AuthenticatorsUsed(ctx context.Context, s Session) (*MyAuthenticators, error) {
	return look(ctx, a, s, (*reading).authenticatorsUsed)
}

func (r *reading) authenticators() (*MyAuthenticators, error) {
	_, out, err := r.myAuthenticators()
	return out, err
}

func (r *reading) authenticatorsUsed() (*MyAuthenticators, error) {
	rows, out, err := r.myAuthenticators()
	if err != nil {
		return nil, err
	}
	uses, err := lastUses(r.tx, r.s.Person.ID, rows)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		u, v := uses[row.ID], &out.Items[i]
		v.LastUsedAt, v.LastUsedFor, v.UnusedSince = stamp(u.at), u.purpose, stamp(u.unused)
	}
	return out, nil
}

func (r *reading) myAuthenticators() ([]store.Authenticator, *MyAuthenticators, error) {
	if err := r.s.browse(); err != nil {
		return nil, nil, err
	}
	out := &MyAuthenticators{Items: []AuthenticatorView{}}
	rows, err := r.tx.Authenticators(r.s.Person.ID)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		v, err := viewAuthenticator(row)
		if err != nil {
			return nil, nil, err
		}
		if v.Waits && (row.Type == store.FactorPasskey || row.Type == store.FactorTOTP) {
			if v.Compare, err = r.a.compareDigits(row); err != nil {
				return nil, nil, err
			}
		}
		out.Items = append(out.Items, v)
	}
	return rows, out, nil
}

// mostUnconfirmed bounds the list of enrolments that wait.
const mostUnconfirmed = 200

// Unconfirmed lists the enrolments that wait for a second person, for administrators.
func (a *Authority) Unconfirmed(ctx context.Context, s Session) (*Unconfirmed, error) {
	return look(ctx, a, s, (*reading).unconfirmed)
}

func (r *reading) unconfirmed() (*Unconfirmed, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	rows, err := r.tx.UnconfirmedAuthenticators(mostUnconfirmed)
	if err != nil {
		return nil, err
	}
	var ids []string
	views := make([]AuthenticatorView, len(rows))
	for i, row := range rows {
		if views[i], err = viewAuthenticator(row); err != nil {
			return nil, err
		}
		ids = append(ids, row.Person, views[i].InvitedBy)
	}
	names, err := r.names(ids...)
	if err != nil {
		return nil, err
	}
	out := &Unconfirmed{Items: []AuthenticatorView{}}
	for i, v := range views {
		if v.Waits {
			v.Person, v.PersonName, v.Inviter = rows[i].Person, names[rows[i].Person], names[v.InvitedBy]
			out.Items = append(out.Items, v)
		}
	}
	return out, nil
}

// own reads one of the person's authenticators, and all they have.
func own(tx *store.Tx, s Session, id string) (store.Authenticator, []store.Authenticator, error) {
	all, err := tx.Authenticators(s.Person.ID)
	if err != nil {
		return store.Authenticator{}, nil, err
	}
	i := slices.IndexFunc(all, func(f store.Authenticator) bool { return f.ID == id })
	if i < 0 {
		return store.Authenticator{}, nil, notFound()
	}
	return all[i], all, nil
}

// RemoveAuthenticator removes one of the person's authenticators, after a step-up.
// The last one by which they can sign in stays, and so does their last passkey: what
// is left must be as strong as what goes.
func (a *Authority) RemoveAuthenticator(ctx context.Context, s Session, id string, body StepUpBody) error {
	if err := s.browse(); err != nil {
		return err
	}
	j, err := a.stepUp(ctx, s, "remove:"+id, body)
	if err != nil {
		return fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		row, all, err := own(tx, s, id)
		if err != nil {
			return err
		}
		if err := mayRemove(row, all); err != nil {
			return err
		}
		if err := a.removeFactor(tx, row, s.Person.ID); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return fault(err)
}

// mayRemove refuses to remove the last of the strongest that a person has.
func mayRemove(row store.Authenticator, all []store.Authenticator) error {
	passkeys, codes, passwords := 0, 0, 0
	for _, f := range all {
		if f.ID == row.ID || !f.Reported.IsZero() || waits(f) != nil {
			continue
		}
		switch f.Type {
		case store.FactorPasskey:
			passkeys++
		case store.FactorTOTP:
			codes++
		case store.FactorPassword:
			passwords++
		}
	}
	last := countersign.NewProblem(countersign.CodeState, "%q is the last strong authenticator that you have", row.Name).WithHint("enrol another one first")
	switch {
	case row.Type == store.FactorRecovery, waits(row) != nil, !row.Reported.IsZero() && passkeys+codes > 0:
		return nil
	case passkeys > 0:
		return nil
	case row.Type == store.FactorPasskey:
		return last
	case codes > 0 && passwords > 0:
		return nil
	}
	return last
}

// ReportAuthenticator records that the person has lost one of their authenticators, or
// that it was stolen. It counts no more, at once and for good; every session of the
// person ends, since the one who has it may have opened it.
func (a *Authority) ReportAuthenticator(ctx context.Context, s Session, id string) error {
	if err := s.browse(); err != nil {
		return err
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, _, err := own(tx, s, id)
		if err != nil {
			return err
		}
		if !row.Reported.IsZero() {
			return nil
		}
		var standing authn.Standing
		if err := json.Unmarshal([]byte(row.Standing), &standing); err != nil {
			return err
		}
		row.Reported, standing.ReportedAt = tx.Now(), tx.Now()
		text, err := json.Marshal(standing)
		if err != nil {
			return err
		}
		row.Standing = string(text)
		if err := tx.UpdateAuthenticator(row); err != nil {
			return err
		}
		w, err := appendEntry(tx, entry{typ: countersign.EntryAuthenticatorReported, subject: s.Person.ID, actor: s.Person.ID,
			facts: map[string]string{"authenticator": row.ID, "type": row.Type}})
		if err != nil {
			return err
		}
		if err := tx.EndSessionsOf(s.Person.ID); err != nil {
			return err
		}
		if err := a.tell(tx, w.entry, s.Person.ID); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	return fault(err)
}

// RecoveryCodes are a fresh set of recovery codes, shown once.
type RecoveryCodes struct {
	Codes []string `json:"codes"`
}

// MakeRecoveryCodes makes a fresh set of recovery codes after a step-up. It replaces
// the old one.
func (a *Authority) MakeRecoveryCodes(ctx context.Context, s Session, body StepUpBody) (*RecoveryCodes, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	j, err := a.stepUp(ctx, s, "recovery-codes", body)
	if err != nil {
		return nil, fault(err)
	}
	codes, set := authn.NewRecoverySet(s.Person.ID, a.db.Now())
	state, err := json.Marshal(set)
	if err != nil {
		return nil, fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		all, err := tx.Authenticators(s.Person.ID)
		if err != nil {
			return err
		}
		for _, f := range all {
			if f.Type == store.FactorRecovery {
				if err := a.removeFactor(tx, f, s.Person.ID); err != nil {
					return err
				}
			}
		}
		id := countersign.NewID(countersign.PrefixAuthenticator, tx.Now())
		w, err := appendEntry(tx, entry{typ: countersign.EntryAuthenticatorEnrolled, subject: s.Person.ID, actor: s.Person.ID,
			facts: map[string]string{"authenticator": id, "type": store.FactorRecovery}})
		if err != nil {
			return err
		}
		if err := tx.InsertAuthenticator(store.Authenticator{ID: id, Person: s.Person.ID, Type: store.FactorRecovery, Name: "recovery codes", Record: "{}",
			State: string(state), Standing: "{}", EntryID: w.id, Created: tx.Now()}); err != nil {
			return err
		}
		if err := a.tell(tx, w.entry, s.Person.ID); err != nil {
			return err
		}
		return tx.FactsChanged()
	})
	if err != nil {
		return nil, fault(err)
	}
	return &RecoveryCodes{codes}, nil
}

// RecoverBody names a person and gives one of their recovery codes.
type RecoverBody struct {
	Login string `json:"login"` // the person's name in the directory
	Code  string `json:"code"`
}

// Recover uses a recovery code up. It opens a session that can enrol one
// authenticator, and nothing else: a recovery code never counts towards an approval
// (ruling 18). A name that is not known costs and says the same as a wrong code.
func (a *Authority) Recover(ctx context.Context, body RecoverBody) (*SignedIn, error) {
	const races = 20
	for range races {
		out, err := a.tryRecover(ctx, body)
		if !errors.Is(err, store.ErrConflict) {
			a.metrics.attempt("recovery", err)
			return out, fault(err)
		}
	}
	return nil, countersign.NewProblem(countersign.CodeConflict, "too many attempts at the same moment")
}

func (a *Authority) tryRecover(ctx context.Context, body RecoverBody) (*SignedIn, error) {
	wrong := func(cause error) error {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "name or recovery code is wrong, or the code was used already").WithCause(cause)
	}
	login, err := typedLogin(body.Login)
	if err != nil {
		return nil, err
	}
	var row store.Authenticator
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		person, err := identify(tx, directory, login)
		if err != nil {
			return err
		}
		all, err := tx.Authenticators(person.ID)
		for _, f := range all {
			if f.Type == store.FactorRecovery && person.Active {
				row = f
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	set := authn.RecoverySet{Salt: make([]byte, 32)}
	if row.ID != "" {
		if err := json.Unmarshal([]byte(row.State), &set); err != nil {
			return nil, err
		}
	}
	left, recovery, refused, err := a.judgeRecovery(ctx, set, body.Code)
	if err != nil {
		return nil, err
	}
	if row.ID == "" {
		return nil, wrong(refused)
	}
	text, err := json.Marshal(left)
	if err != nil {
		return nil, err
	}
	before := row
	row.State = string(text)
	var out *SignedIn
	_, err = a.db.Write(ctx, func(tx *store.Tx) (err error) {
		out = nil
		if row.State != before.State {
			if err := tx.UpdateAuthenticator(row); err != nil {
				return err
			}
			if err := a.lockedEntry(tx, before, left.Throttle, set.Throttle); err != nil {
				return err
			}
		}
		if refused == nil {
			standing, err := standingOf(row)
			if err != nil {
				return err
			}
			if refused = standing.SignsIn(); refused != nil { // the code is used up all the same
				return nil
			}
			out, err = a.openEnrolment(tx, recovery.Grant(tx.Now()))
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if refused != nil && !stays(refused) {
		return nil, wrong(refused)
	}
	return out, refused
}

// judgeRecovery bounds how many hashes run at once, as for passwords.
func (a *Authority) judgeRecovery(ctx context.Context, set authn.RecoverySet, code string) (left authn.RecoverySet, r authn.Recovery, refused, err error) {
	select {
	case a.hashes <- struct{}{}:
		defer func() { <-a.hashes }()
	case <-ctx.Done():
		return set, r, nil, ctx.Err()
	}
	left, r, refused = authn.UseRecoveryCode(set, code, a.db.Now())
	return left, r, refused, nil
}
