package store

import "time"

// Types of authenticators.
const (
	FactorPasskey  = "passkey"
	FactorTOTP     = "totp"
	FactorPassword = "password"
	FactorRecovery = "recovery"
)

// Authenticator is something a person proves themself with. What changes in it
// changes by compare-and-swap of its version.
type Authenticator struct {
	ID, Person, Type, Name string
	CredentialID           string // base64url, passkeys only
	Record                 string // public facts of a passkey, JSON
	Secret                 string // sealed; "" for passkeys
	State                  string // counters and locks, JSON
	Standing               string // how it was enrolled, confirmed, reported, JSON
	Version                int64
	EntryID                string // of the enrolment
	Created                time.Time
	Reported               time.Time // lost or stolen, as its owner says
	Removed                time.Time
}

const authenticatorColumns = `id, person_id, type, name, credential_id, record, secret, state, standing, version, entry_id, created_us, reported_us, removed_us`

func scanAuthenticator(s Scanner) (a Authenticator, err error) {
	err = s.Scan(&a.ID, &a.Person, &a.Type, &a.Name, &a.CredentialID, &a.Record, &a.Secret, &a.State, &a.Standing, &a.Version, &a.EntryID,
		&a.Created, &a.Reported, &a.Removed)
	return a, err
}

// InsertAuthenticator writes a new authenticator at version 1. [ErrConflict] when the
// credential is enrolled already.
func (tx *Tx) InsertAuthenticator(a Authenticator) error {
	return tx.ExecOne(`INSERT INTO authenticator (org_id, `+authenticatorColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,1,$11,$12,0,0) ON CONFLICT DO NOTHING`,
		a.ID, a.Person, a.Type, a.Name, a.CredentialID, a.Record, a.Secret, a.State, a.Standing, a.EntryID, a.Created)
}

// UpdateAuthenticator replaces what can change of an authenticator if its version is
// still a's: an attempt that lost the race must be judged again on what the other one
// left. [ErrConflict] when it is not. A removed one loses its secret; its public key
// stays, so that old evidence can be verified.
func (tx *Tx) UpdateAuthenticator(a Authenticator) error {
	if !a.Removed.IsZero() {
		a.Secret = ""
	}
	return tx.ExecOne(`UPDATE authenticator SET name = $3, record = $4, secret = $5, state = $6, standing = $7, reported_us = $8, removed_us = $9,
		version = version + 1 WHERE org_id = $1 AND id = $2 AND version = $10 AND removed_us = 0`,
		a.ID, a.Name, a.Record, a.Secret, a.State, a.Standing, a.Reported, a.Removed, a.Version)
}

// Authenticator reads an authenticator, removed or not.
func (tx *Tx) Authenticator(id string) (Authenticator, error) {
	return One(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND id = $2`, id)
}

// AuthenticatorByCredential reads the passkey of a credential id (base64url).
func (tx *Tx) AuthenticatorByCredential(credentialID string) (Authenticator, error) {
	return One(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND credential_id = $2`, credentialID)
}

// Authenticators lists what a person has, oldest first, without what was removed.
func (tx *Tx) Authenticators(person string) ([]Authenticator, error) {
	return List(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND person_id = $2 AND removed_us = 0 ORDER BY created_us, id`, person)
}

// PasskeyReported reads when a person last reported a passkey lost or stolen, also one that
// was removed since; the zero time for never.
func (tx *Tx) PasskeyReported(person string) (at time.Time, err error) {
	err = tx.Row(`SELECT COALESCE(MAX(reported_us), 0) FROM authenticator WHERE org_id = $1 AND person_id = $2 AND type = 'passkey'`, person).Scan(&at)
	return at, err
}

// UnconfirmedAuthenticators lists passkeys and code generators of active people whose
// standing says that they wait for a second person, oldest first.
func (tx *Tx) UnconfirmedAuthenticators(limit int) ([]Authenticator, error) {
	return List(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND removed_us = 0 AND reported_us = 0
		AND type IN ('passkey', 'totp') AND standing LIKE '%"needs_confirmation":true%' AND standing LIKE '%"confirmed_by":""%' ORDER BY created_us, id LIMIT $2`, limit)
}

// FactorChanged reads when a person's authenticators changed last; the zero time for
// never.
func (tx *Tx) FactorChanged(person string) (at time.Time, err error) {
	err = tx.Row(`SELECT CAST(COALESCE(MAX(CASE WHEN removed_us > created_us THEN removed_us ELSE created_us END), 0) AS BIGINT) FROM authenticator
		WHERE org_id = $1 AND person_id = $2`, person).Scan(&at)
	return at, err
}

// Challenge is a single-use question to one person.
type Challenge struct {
	ID, Purpose, Person, Session, Approval string
	Statement                              []byte // canonical bytes
	Detail                                 string // canonical JSON
	Created, Expires                       time.Time
}

const challengeColumns = `id, purpose, person_id, session_id, approval_id, statement, detail, created_us, expires_us`

func scanChallenge(s Scanner) (c Challenge, err error) {
	err = s.Scan(&c.ID, &c.Purpose, &c.Person, &c.Session, &c.Approval, &c.Statement, &c.Detail, &c.Created, &c.Expires)
	return c, err
}

// InsertChallenge writes a challenge.
func (tx *Tx) InsertChallenge(c Challenge) error {
	_, err := tx.Exec(`INSERT INTO challenge (org_id, `+challengeColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)`,
		c.ID, c.Purpose, c.Person, c.Session, c.Approval, c.Statement, c.Detail, c.Created, c.Expires)
	return err
}

// Challenge reads a challenge and leaves it where it is.
func (tx *Tx) Challenge(id string) (Challenge, error) {
	return One(tx, scanChallenge, `SELECT `+challengeColumns+` FROM challenge WHERE org_id = $1 AND id = $2`, id)
}

// TakeChallenge deletes a challenge and returns it. Whoever takes it has it alone;
// the transaction must commit before anything is verified, so that a failed
// attempt never gives it back. [ErrNotFound] when it was taken.
func (tx *Tx) TakeChallenge(id string) (Challenge, error) {
	return One(tx, scanChallenge, `DELETE FROM challenge WHERE org_id = $1 AND id = $2 RETURNING `+challengeColumns, id)
}

// ChallengesSince counts the challenges that were made for a person and are still
// open.
func (tx *Tx) ChallengesSince(person string, since time.Time) (n int64, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM challenge WHERE org_id = $1 AND person_id = $2 AND created_us >= $3`, person, since).Scan(&n)
	return n, err
}

// Session is a person's signed-in session.
type Session struct {
	TokenHash, ID, Person  string
	Kind                   string // "normal", "hand_over"
	Approval               string // the one request of a hand-over session
	Facts                  string // canonical JSON
	Created, Seen, Expires time.Time
}

const sessionColumns = `token_hash, id, person_id, kind, approval_id, facts, created_us, seen_us, expires_us`

func scanSession(s Scanner) (v Session, err error) {
	err = s.Scan(&v.TokenHash, &v.ID, &v.Person, &v.Kind, &v.Approval, &v.Facts, &v.Created, &v.Seen, &v.Expires)
	return v, err
}

// InsertSession writes a session.
func (tx *Tx) InsertSession(s Session) error {
	_, err := tx.Exec(`INSERT INTO session (org_id, `+sessionColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)`,
		s.TokenHash, s.ID, s.Person, s.Kind, s.Approval, s.Facts, s.Created, s.Seen, s.Expires)
	return err
}

// SessionByToken reads a session by the hash of its token.
func (tx *Tx) SessionByToken(hash string) (Session, error) {
	return One(tx, scanSession, `SELECT `+sessionColumns+` FROM session WHERE org_id = $1 AND token_hash = $2`, hash)
}

// TouchSession records that a session was used, and its facts.
func (tx *Tx) TouchSession(hash, facts string, seen time.Time) error {
	_, err := tx.Exec(`UPDATE session SET seen_us = $3, facts = $4 WHERE org_id = $1 AND token_hash = $2 AND seen_us <= $3`, hash, seen, facts)
	return err
}

// EndSession deletes a session.
func (tx *Tx) EndSession(hash string) error {
	_, err := tx.Exec(`DELETE FROM session WHERE org_id = $1 AND token_hash = $2`, hash)
	return err
}

// CountSessionsOf counts the sessions of a person whose time is not over.
func (tx *Tx) CountSessionsOf(person string) (n int, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM session WHERE org_id = $1 AND person_id = $2 AND expires_us > $3`, person, tx.Now()).Scan(&n)
	return n, err
}

// EndSessionsOf deletes the sessions and open challenges of a person.
func (tx *Tx) EndSessionsOf(person string) error {
	if _, err := tx.Exec(`DELETE FROM session WHERE org_id = $1 AND person_id = $2`, person); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM challenge WHERE org_id = $1 AND person_id = $2`, person)
	return err
}

// EndAllSessions ends the sessions of everybody, and the challenges that are open.
func (tx *Tx) EndAllSessions() error {
	if _, err := tx.Exec(`DELETE FROM session WHERE org_id = $1`); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM challenge WHERE org_id = $1`)
	return err
}

// SweepExpired deletes sessions, challenges and links whose time is over.
func (tx *Tx) SweepExpired() error {
	for _, text := range []string{
		`DELETE FROM session WHERE org_id = $1 AND expires_us < $2`,
		`DELETE FROM challenge WHERE org_id = $1 AND expires_us < $2`,
		`DELETE FROM invitation WHERE org_id = $1 AND expires_us < $2`,
	} {
		if _, err := tx.Exec(text, tx.Now()); err != nil {
			return err
		}
	}
	return nil
}

// Invitation is a link that is used once.
type Invitation struct {
	TokenHash, ID, Purpose, Person, Approval, Inviter, Detail string
	Created, Expires, Used                                    time.Time
}

const invitationColumns = `token_hash, id, purpose, person_id, approval_id, inviter, detail, created_us, expires_us, used_us`

func scanInvitation(s Scanner) (i Invitation, err error) {
	err = s.Scan(&i.TokenHash, &i.ID, &i.Purpose, &i.Person, &i.Approval, &i.Inviter, &i.Detail, &i.Created, &i.Expires, &i.Used)
	return i, err
}

// InsertInvitation writes an invitation.
func (tx *Tx) InsertInvitation(i Invitation) error {
	_, err := tx.Exec(`INSERT INTO invitation (org_id, `+invitationColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,0)`,
		i.TokenHash, i.ID, i.Purpose, i.Person, i.Approval, i.Inviter, i.Detail, i.Created, i.Expires)
	return err
}

// InvitationByToken reads an invitation by the hash of its token, used or not.
func (tx *Tx) InvitationByToken(hash string) (Invitation, error) {
	return One(tx, scanInvitation, `SELECT `+invitationColumns+` FROM invitation WHERE org_id = $1 AND token_hash = $2`, hash)
}

// UseInvitation marks an invitation as used. [ErrConflict] when it was used or its
// time is over.
func (tx *Tx) UseInvitation(hash string) error {
	return tx.ExecOne(`UPDATE invitation SET used_us = $3 WHERE org_id = $1 AND token_hash = $2 AND used_us = 0 AND expires_us > $3`, hash, tx.Now())
}

// DropInvitations deletes the invitations of a person for a purpose that were not used.
func (tx *Tx) DropInvitations(person, purpose string) error {
	_, err := tx.Exec(`DELETE FROM invitation WHERE org_id = $1 AND person_id = $2 AND purpose = $3 AND used_us = 0`, person, purpose)
	return err
}

// APIKey is a calling system's key.
type APIKey struct {
	ID, Name, Source, Scopes string
	Hash                     string // of the presented key
	Returns                  string // allowed origins of return URLs, JSON list
	Created                  time.Time
	CreatedBy                string
	Expires, Revoked         time.Time
	Waits                    bool   // for a second person: it does not work yet
	ConfirmedBy              string // that person, or "operator"; "" where nobody had to
}

const keyColumns = `id, name, source, scopes, hash, returns, created_us, created_by, expires_us, revoked_us, waits, confirmed_by`

func scanKey(s Scanner) (k APIKey, err error) {
	err = s.Scan(&k.ID, &k.Name, &k.Source, &k.Scopes, &k.Hash, &k.Returns, &k.Created, &k.CreatedBy, &k.Expires, &k.Revoked, &k.Waits, &k.ConfirmedBy)
	return k, err
}

// InsertAPIKey writes a key.
func (tx *Tx) InsertAPIKey(k APIKey) error {
	_, err := tx.Exec(`INSERT INTO api_key (org_id, `+keyColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,0,$11,'')`,
		k.ID, k.Name, k.Source, k.Scopes, k.Hash, k.Returns, k.Created, k.CreatedBy, k.Expires, k.Waits)
	return err
}

// APIKey reads a key.
func (tx *Tx) APIKey(id string) (APIKey, error) {
	return One(tx, scanKey, `SELECT `+keyColumns+` FROM api_key WHERE org_id = $1 AND id = $2`, id)
}

// APIKeys lists all keys, oldest first.
func (tx *Tx) APIKeys() ([]APIKey, error) {
	return List(tx, scanKey, `SELECT `+keyColumns+` FROM api_key WHERE org_id = $1 ORDER BY created_us, id LIMIT 1000`)
}

// SourceInUse reports whether a key was ever made for a source, or anything was
// submitted under its name.
func (tx *Tx) SourceInUse(source string) (used bool, err error) {
	err = tx.Row(`SELECT EXISTS (SELECT 1 FROM api_key WHERE org_id = $1 AND source = $2) OR EXISTS (SELECT 1 FROM approval WHERE org_id = $1 AND source = $2)`, source).Scan(&used)
	return used, err
}

// ConfirmAPIKey lets a key work that waits. [ErrConflict] when it does not wait, or has
// ended.
func (tx *Tx) ConfirmAPIKey(id, by string) error {
	return tx.ExecOne(`UPDATE api_key SET waits = 0, confirmed_by = $3 WHERE org_id = $1 AND id = $2 AND waits = 1 AND revoked_us = 0`, id, by)
}

// RevokeAPIKey ends a key now. [ErrConflict] when it has ended already.
func (tx *Tx) RevokeAPIKey(id string) error {
	return tx.ExecOne(`UPDATE api_key SET revoked_us = $3 WHERE org_id = $1 AND id = $2 AND revoked_us = 0`, id, tx.Now())
}

// Throttle is a counter of failures or uses under a name.
type Throttle struct {
	Subject, State string
	Version        int64 // 0: not there yet
}

// Throttle reads a counter; without a row it is empty at version 0.
func (tx *Tx) Throttle(subject string) (Throttle, error) {
	t := Throttle{Subject: subject}
	err := tx.Row(`SELECT state, version FROM throttle WHERE org_id = $1 AND subject = $2`, subject).Scan(&t.State, &t.Version)
	if err == ErrNotFound {
		err = nil
	}
	return t, err
}

// SetThrottle replaces a counter if its version is still t's. [ErrConflict] when it
// is not.
func (tx *Tx) SetThrottle(t Throttle) error {
	return tx.ExecOne(`INSERT INTO throttle (org_id, subject, state, version, updated_us) VALUES ($1,$2,$3,1,$5)
		ON CONFLICT (org_id, subject) DO UPDATE SET state = excluded.state, version = throttle.version + 1, updated_us = excluded.updated_us WHERE throttle.version = $4`,
		t.Subject, t.State, t.Version, tx.Now())
}

// StaleThrottles lists counters that were not touched since a time, by their subject,
// from the one after the subject that is named on.
func (tx *Tx) StaleThrottles(since time.Time, after string, limit int) ([]Throttle, error) {
	return List(tx, func(s Scanner) (t Throttle, err error) {
		err = s.Scan(&t.Subject, &t.State, &t.Version)
		return t, err
	}, `SELECT subject, state, version FROM throttle WHERE org_id = $1 AND subject > $2 AND updated_us < $3 ORDER BY subject LIMIT $4`, after, since, limit)
}

// DropThrottle deletes a counter if its version is still t's.
func (tx *Tx) DropThrottle(t Throttle) error {
	_, err := tx.Exec(`DELETE FROM throttle WHERE org_id = $1 AND subject = $2 AND version = $3`, t.Subject, t.Version)
	return err
}

// CountAuthenticators counts the authenticators that are in use.
func (tx *Tx) CountAuthenticators() (n int64, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM authenticator WHERE org_id = $1 AND removed_us = 0`).Scan(&n)
	return n, err
}
