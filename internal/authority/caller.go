package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Key is a calling system that has proven itself with its API key.
type Key struct {
	ID      string
	Name    string
	Source  string // the system's name: what it submitted is what it sees
	Scopes  []authn.Scope
	Returns []string // origins that its return URLs may have
}

// need refuses a key without the scope.
func (k Key) need(s authn.Scope) error {
	if slices.Contains(k.Scopes, s) {
		return nil
	}
	return countersign.NewProblem(countersign.CodeForbidden, "this key has no scope %q", s).
		WithHint("make a key with that scope: a key's scopes never change")
}

func (k Key) viewer() viewer { return viewer{source: k.Source} }

// AuthenticateKey finds the key of a presented API key.
func (a *Authority) AuthenticateKey(ctx context.Context, presented string) (Key, error) {
	wrong := countersign.NewProblem(countersign.CodeUnauthenticated, "the API key is not valid here").
		WithHint("send Authorization: Bearer and a key that was made for this organisation and has not expired")
	id, ok := authn.ParseAPIKey(presented)
	if !ok {
		return Key{}, wrong
	}
	row, err := a.keyRow(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Key{}, wrong
	} else if err != nil {
		return Key{}, fault(err)
	}
	now := a.db.Now()
	if !authn.VerifyAPIKey(presented, row.Hash) || !row.Revoked.IsZero() || (!row.Expires.IsZero() && !now.Before(row.Expires)) {
		return Key{}, wrong
	}
	if row.Waits {
		return Key{}, countersign.NewProblem(countersign.CodeForbidden, "this key does not work yet: its system had one already, so that a second administrator must confirm it").
			WithHint("an administrator who did not make it confirms it, on the page of the keys or with countersign key confirm %s", row.ID)
	}
	return keyOf(row)
}

func keyOf(row store.APIKey) (Key, error) {
	k := Key{ID: row.ID, Name: row.Name, Source: row.Source}
	if err := json.Unmarshal([]byte(row.Scopes), &k.Scopes); err != nil {
		return k, fault(err)
	}
	if err := json.Unmarshal([]byte(row.Returns), &k.Returns); err != nil {
		return k, fault(err)
	}
	return k, nil
}

// keyKept is how long a key that was read is taken to be as it was. A key that is
// revoked by this process is forgotten at once, and by another replica within that
// time.
const keyKept = time.Second

type keptKey struct {
	row  store.APIKey
	read time.Time // by the steady clock
}

func (a *Authority) keyRow(ctx context.Context, id string) (row store.APIKey, err error) {
	now := a.clock.now()
	if k, ok := a.keyRows.Load(id); ok {
		if k := k.(keptKey); now.Sub(k.read) < keyKept {
			return k.row, nil
		}
	}
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		row, err = tx.APIKey(id)
		return err
	})
	if err == nil { // only keys that are there: strangers cannot fill the memory
		a.keyRows.Store(id, keptKey{row, now})
	}
	return row, err
}

// Session is a person who is signed in.
type Session struct {
	Person store.Person
	live   authn.LiveSession
	hash   string
}

// ID is the session's id.
func (s Session) ID() string { return s.live.Session().ID }

// Request is the one request that a hand-over session is for; "" for a normal one.
func (s Session) Request() string { return s.live.Session().Request }

// FirstFactorAt is when the session's latest factor was proven on top of which a code
// counts; zero where there is none. A page asks for the password where it is too old.
func (s Session) FirstFactorAt(noVouching bool) time.Time { return s.live.FirstFactorAt(noVouching) }

func (s Session) viewer() viewer { return viewer{person: s.Person.ID, only: s.Request()} }

// browse refuses a session that was opened for one thing only (ruling 13).
func (s Session) browse() error { return s.live.MayBrowse() }

// AuthenticateSession finds the session of a presented token, and notes that it was
// used.
func (a *Authority) AuthenticateSession(ctx context.Context, token string) (Session, error) {
	return a.admit(ctx, token, func(*store.Tx, string) {}, func(*reading) error { return nil })
}

// Visitor is AuthenticateSession with what the frame of every page shows of who is signed
// in. It is a snapshot of its own, before that of the page: it may note that the session
// was used, and a page is read only for whom it lets in.
func (a *Authority) Visitor(ctx context.Context, token string) (s Session, w *Who, err error) {
	s, err = a.admit(ctx, token, func(tx *store.Tx, person string) { tx.GroupsOf(person) }, func(r *reading) (err error) {
		w, err = r.who()
		return err
	})
	return s, w, err
}

// admit finds the session, and reads more beside it, which is asked ahead.
func (a *Authority) admit(ctx context.Context, token string, ahead func(tx *store.Tx, person string), more func(*reading) error) (Session, error) {
	over := countersign.NewProblem(countersign.CodeUnauthenticated, "you are not signed in, or your session has ended").WithHint("sign in again")
	hash, ok := authn.ParseToken(authn.TokenSession, token)
	if !ok {
		return Session{}, over
	}
	var s Session
	var touched *authn.Session
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		touched = nil
		if err := tx.Ahead(func() {
			tx.FactsGen()
			if row, err := tx.SessionByToken(hash); err == nil {
				tx.Person(row.Person)
				tx.Authenticators(row.Person)
				ahead(tx, row.Person)
			}
		}); err != nil {
			return err
		}
		row, err := tx.SessionByToken(hash)
		if errors.Is(err, store.ErrNotFound) {
			return over
		} else if err != nil {
			return err
		}
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		var f authn.Session
		if err := json.Unmarshal([]byte(row.Facts), &f); err != nil {
			return err
		}
		s.hash = row.TokenHash
		if s.live, err = f.Live(at.settings.sessionLimits(), tx.Now()); err != nil {
			return err
		}
		if s.Person, err = tx.Person(row.Person); err != nil {
			return err
		}
		if !s.Person.Active {
			return over
		}
		if stands, err := opened(tx, f); err != nil {
			return err
		} else if !stands {
			return over
		}
		if t, worth := f.Touch(tx.Now()); worth {
			touched = &t
		}
		return more(&reading{a: a, tx: tx, s: s, at: at})
	})
	if err != nil {
		return Session{}, fault(err)
	}
	if touched != nil {
		text, err := json.Marshal(touched)
		if err != nil {
			return Session{}, fault(err)
		}
		if _, err := a.db.Write(ctx, func(tx *store.Tx) error { return tx.TouchSession(hash, string(text), touched.LastSeen) }); err != nil {
			return Session{}, fault(err)
		}
	}
	return s, nil
}

// opened reports whether everything that opened a session may still open one: nothing
// of it was removed or reported since, and nothing waits for a confirmation.
func opened(tx *store.Tx, s authn.Session) (bool, error) {
	var by []string
	for _, f := range s.Factors {
		if f.Authenticator != "" {
			by = append(by, f.Authenticator)
		}
	}
	if s.Grant != nil {
		if id, ok := strings.CutPrefix(s.Grant.By(), "factor:"); ok {
			by = append(by, id)
		}
	}
	if len(by) == 0 {
		return true, nil
	}
	have, err := tx.Authenticators(s.Person)
	if err != nil {
		return false, err
	}
	for _, id := range by {
		i := slices.IndexFunc(have, func(f store.Authenticator) bool { return f.ID == id })
		if i < 0 || !have[i].Reported.IsZero() {
			return false, nil
		}
		standing, err := standingOf(have[i])
		if err != nil {
			return false, err
		}
		if standing.SignsIn() != nil {
			return false, nil
		}
	}
	return true, nil
}

// stillOpen refuses a session that was ended since it was looked at.
func stillOpen(tx *store.Tx, s Session) error {
	_, err := tx.SessionByToken(s.hash)
	if errors.Is(err, store.ErrNotFound) {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "your session has ended").WithHint("sign in again")
	}
	return err
}

// saveSession stores a session that was just opened.
func saveSession(tx *store.Tx, s authn.Session, limits authn.SessionLimits) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.InsertSession(store.Session{TokenHash: s.TokenHash, ID: s.ID, Person: s.Person, Kind: string(s.Kind), Approval: s.Request,
		Facts: string(text), Created: s.CreatedAt, Seen: s.LastSeen, Expires: s.CreatedAt.Add(limits.Absolute)})
}

// SignOut ends a session.
func (a *Authority) SignOut(ctx context.Context, s Session) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error { return tx.EndSession(s.hash) })
	return fault(err)
}
