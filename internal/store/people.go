package store

import "time"

// Person is a natural person. Every id that a system knows them by is an
// [Identity]; a person counts once, whatever ids they act under.
type Person struct {
	ID              string
	Name            string
	Email           string
	Active          bool
	Privileged      bool
	Manager         string // id, "" when not known
	Handle          []byte // WebAuthn user handle: random
	Settings        string // canonical JSON
	ActiveSince     time.Time
	PrivilegedSince time.Time
	Created         time.Time
	Version         int64
}

const personColumns = `id, name, email, active, privileged, manager_id, handle, settings, active_us, privileged_us, created_us, version`

func scanPerson(s Scanner) (p Person, err error) {
	err = s.Scan(&p.ID, &p.Name, &p.Email, &p.Active, &p.Privileged, &p.Manager, &p.Handle, &p.Settings, &p.ActiveSince, &p.PrivilegedSince, &p.Created, &p.Version)
	return p, err
}

// InsertPerson writes a new person at version 1.
func (tx *Tx) InsertPerson(p Person) error {
	_, err := tx.Exec(`INSERT INTO person (org_id, `+personColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,1)`,
		p.ID, p.Name, p.Email, p.Active, p.Privileged, p.Manager, p.Handle, p.Settings, p.ActiveSince, p.PrivilegedSince, p.Created)
	return err
}

// UpdatePerson replaces what can change of a person, if the version is still p's.
// [ErrConflict] when it is not.
func (tx *Tx) UpdatePerson(p Person) error {
	return tx.ExecOne(`UPDATE person SET name = $3, email = $4, active = $5, privileged = $6, manager_id = $7, settings = $8,
		active_us = $9, privileged_us = $10, version = version + 1 WHERE org_id = $1 AND id = $2 AND version = $11`,
		p.ID, p.Name, p.Email, p.Active, p.Privileged, p.Manager, p.Settings, p.ActiveSince, p.PrivilegedSince, p.Version)
}

// Person reads a person by id.
func (tx *Tx) Person(id string) (Person, error) {
	return One(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id = $2`, id)
}

// PersonByIdentity reads the person whom a source knows by a subject.
func (tx *Tx) PersonByIdentity(source, subject string) (Person, error) {
	return One(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id =
		(SELECT person_id FROM identity WHERE org_id = $1 AND source = $2 AND subject = $3)`, source, subject)
}

// PersonByHandle reads the person of a WebAuthn user handle.
func (tx *Tx) PersonByHandle(handle []byte) (Person, error) {
	return One(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND handle = $2`, handle)
}

// People lists people by id, a page at a time: those after the given id.
func (tx *Tx) People(after string, limit int) ([]Person, error) {
	return List(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3`, after, limit)
}

// Identity is one id by which one system knows a person.
type Identity struct{ Source, Subject, Person string }

func scanIdentity(s Scanner) (i Identity, err error) {
	err = s.Scan(&i.Source, &i.Subject, &i.Person)
	return i, err
}

// PutIdentity binds a source's subject to a person, and reports whether that is new.
// Binding it again to the same person changes nothing; [ErrConflict] when it is
// another's.
func (tx *Tx) PutIdentity(i Identity) (bool, error) {
	n, err := tx.Exec(`INSERT INTO identity (org_id, source, subject, person_id) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING`, i.Source, i.Subject, i.Person)
	if err != nil || n == 1 {
		return n == 1, err
	}
	var have string
	if err := tx.Row(`SELECT person_id FROM identity WHERE org_id = $1 AND source = $2 AND subject = $3`, i.Source, i.Subject).Scan(&have); err != nil {
		return false, err
	}
	if have != i.Person {
		return false, ErrConflict
	}
	return false, nil
}

// Identities lists the ids of a person.
func (tx *Tx) Identities(person string) ([]Identity, error) {
	return List(tx, scanIdentity, `SELECT source, subject, person_id FROM identity WHERE org_id = $1 AND person_id = $2 ORDER BY source, subject`, person)
}

// Membership is a person's membership of a group.
type Membership struct {
	Group, Person string
	Since         time.Time
}

func scanMembership(s Scanner) (m Membership, err error) {
	err = s.Scan(&m.Group, &m.Person, &m.Since)
	return m, err
}

// GroupsOf lists the groups of a person, by name.
func (tx *Tx) GroupsOf(person string) ([]Membership, error) {
	return List(tx, scanMembership, `SELECT group_name, person_id, since_us FROM membership WHERE org_id = $1 AND person_id = $2 ORDER BY group_name`, person)
}

// Memberships lists every membership of the organisation's active people.
func (tx *Tx) Memberships() ([]Membership, error) {
	return List(tx, scanMembership, `SELECT m.group_name, m.person_id, m.since_us FROM membership m JOIN person p ON p.org_id = m.org_id AND p.id = m.person_id
		WHERE m.org_id = $1 AND p.active = 1 ORDER BY m.group_name, m.person_id`)
}

// AddMembership adds a person to a group. It reports whether it was new.
func (tx *Tx) AddMembership(group, person string) (bool, error) {
	n, err := tx.Exec(`INSERT INTO membership (org_id, group_name, person_id, since_us) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING`, group, person, tx.Now())
	return n == 1, err
}

// RemoveMembership takes a person out of a group. It reports whether they were in.
func (tx *Tx) RemoveMembership(group, person string) (bool, error) {
	n, err := tx.Exec(`DELETE FROM membership WHERE org_id = $1 AND group_name = $2 AND person_id = $3`, group, person)
	return n == 1, err
}

// PersonLimit is the most that a person may approve of one kind; kind "" is for
// every kind that has no row of its own.
type PersonLimit struct {
	Person, Kind, Currency string
	Minor                  int64
	Since                  time.Time
}

func scanLimit(s Scanner) (l PersonLimit, err error) {
	err = s.Scan(&l.Person, &l.Kind, &l.Currency, &l.Minor, &l.Since)
	return l, err
}

// LimitsOf lists the limits of a person.
func (tx *Tx) LimitsOf(person string) ([]PersonLimit, error) {
	return List(tx, scanLimit, `SELECT person_id, kind, currency, minor, since_us FROM person_limit WHERE org_id = $1 AND person_id = $2 ORDER BY kind`, person)
}

// PutLimit sets a person's limit for a kind. It reports whether anything changed.
func (tx *Tx) PutLimit(l PersonLimit) (bool, error) {
	n, err := tx.Exec(`INSERT INTO person_limit (org_id, person_id, kind, currency, minor, since_us) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (org_id, person_id, kind) DO UPDATE SET currency = excluded.currency, minor = excluded.minor, since_us = excluded.since_us
		WHERE person_limit.currency <> excluded.currency OR person_limit.minor <> excluded.minor`,
		l.Person, l.Kind, l.Currency, l.Minor, tx.Now())
	return n == 1, err
}

// RemoveLimit takes a person's limit for a kind away.
func (tx *Tx) RemoveLimit(person, kind string) (bool, error) {
	n, err := tx.Exec(`DELETE FROM person_limit WHERE org_id = $1 AND person_id = $2 AND kind = $3`, person, kind)
	return n == 1, err
}

// Delegation lets one person decide in another's place for a time.
type Delegation struct {
	ID, From, To string
	Kinds        string // JSON list; empty list: every kind
	Currency     string // of the limit, "" for none of its own
	Minor        int64
	Starts, Ends time.Time
	Created      time.Time
	CreatedBy    string
	Revoked      time.Time
}

const delegationColumns = `id, from_id, to_id, kinds, currency, minor, starts_us, ends_us, created_us, created_by, revoked_us`

func scanDelegation(s Scanner) (d Delegation, err error) {
	err = s.Scan(&d.ID, &d.From, &d.To, &d.Kinds, &d.Currency, &d.Minor, &d.Starts, &d.Ends, &d.Created, &d.CreatedBy, &d.Revoked)
	return d, err
}

// InsertDelegation writes a delegation.
func (tx *Tx) InsertDelegation(d Delegation) error {
	_, err := tx.Exec(`INSERT INTO delegation (org_id, `+delegationColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,0)`,
		d.ID, d.From, d.To, d.Kinds, d.Currency, d.Minor, d.Starts, d.Ends, d.Created, d.CreatedBy)
	return err
}

// DelegationsTo lists the delegations to a person that are in force at the time of
// the transaction.
func (tx *Tx) DelegationsTo(person string) ([]Delegation, error) {
	return List(tx, scanDelegation, `SELECT `+delegationColumns+` FROM delegation
		WHERE org_id = $1 AND to_id = $2 AND starts_us <= $3 AND ends_us > $3 AND revoked_us = 0 ORDER BY id`, person, tx.Now())
}

// RevokeDelegation ends a delegation now. [ErrConflict] when it has ended already.
func (tx *Tx) RevokeDelegation(id string) error {
	return tx.ExecOne(`UPDATE delegation SET revoked_us = $3 WHERE org_id = $1 AND id = $2 AND revoked_us = 0`, id, tx.Now())
}
