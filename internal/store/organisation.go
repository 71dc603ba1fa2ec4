package store

import (
	"math/rand/v2"
	"time"
)

// Organisation is one row of the table of organisations.
type Organisation struct {
	ID        string
	Name      string
	Host      string // the host name that selects it
	PublicURL string // where its people find it
	RPID      string // WebAuthn relying party id
	Origin    string // of its log
	Settings  string // canonical JSON
	Founding  bool   // true until two administrators have been confirmed
	Demo      bool
	FactsGen  int64 // another number after every change of a fact that is weighed
	Created   time.Time
}

const organisationColumns = `org_id, name, host, public_url, rp_id, origin, settings, founding, demo, facts_gen, created_us`

func scanOrganisation(s Scanner) (o Organisation, err error) {
	err = s.Scan(&o.ID, &o.Name, &o.Host, &o.PublicURL, &o.RPID, &o.Origin, &o.Settings, &o.Founding, &o.Demo, &o.FactsGen, &o.Created)
	return o, err
}

// InsertOrganisation writes the organisation that the transaction is bound to.
func (tx *Tx) InsertOrganisation(o Organisation) error {
	_, err := tx.Exec(`INSERT INTO organisation (`+organisationColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,0,$10)`,
		o.Name, o.Host, o.PublicURL, o.RPID, o.Origin, o.Settings, o.Founding, o.Demo, tx.Now())
	return err
}

// Organisation reads the organisation that the transaction is bound to.
func (tx *Tx) Organisation() (Organisation, error) {
	return One(tx, scanOrganisation, `SELECT `+organisationColumns+` FROM organisation WHERE org_id = $1`)
}

// Organisations lists all organisations of the deployment, in the order they came.
func (tx *Tx) Organisations() ([]Organisation, error) {
	return List(tx.Across(), scanOrganisation, `SELECT `+organisationColumns+` FROM organisation ORDER BY created_us, org_id`)
}

// FactsGen reads the generation of the facts that are weighed. What was read under a
// generation, inside this transaction or outside, is still good under the same one.
func (tx *Tx) FactsGen() (gen int64, err error) {
	err = tx.Row(`SELECT facts_gen FROM organisation WHERE org_id = $1`).Scan(&gen)
	return gen, err
}

// FactsChanged begins another generation of the facts that are weighed. Whoever
// changes a person, vendor, rate, alert, freeze or policy calls it in the same
// transaction. A generation is a random number and not a count: after a transaction
// was rolled back, a count would come again with other facts under it, and what was
// read in the meantime would be taken for those.
func (tx *Tx) FactsChanged() error {
	return tx.ExecOne(`UPDATE organisation SET facts_gen = $2 WHERE org_id = $1`, rand.Int64())
}

// SetSettings replaces the settings.
func (tx *Tx) SetSettings(settings string) error {
	return tx.ExecOne(`UPDATE organisation SET settings = $2, facts_gen = $3 WHERE org_id = $1`, settings, rand.Int64())
}

// MoveOrganisation gives the organisation another address, host name and relying party,
// if it is still at the one it had; [ErrConflict] when it is not.
func (tx *Tx) MoveOrganisation(from string, o Organisation) error {
	return tx.ExecOne(`UPDATE organisation SET host = $3, public_url = $4, rp_id = $5, facts_gen = $6 WHERE org_id = $1 AND public_url = $2`,
		from, o.Host, o.PublicURL, o.RPID, rand.Int64())
}

// EndFounding leaves the founding state, for good. It reports whether this call did.
func (tx *Tx) EndFounding() (bool, error) {
	n, err := tx.Exec(`UPDATE organisation SET founding = 0 WHERE org_id = $1 AND founding = 1`)
	return n == 1, err
}

// Policy is one published version of the policy. It never changes.
type Policy struct {
	Version     int64
	Digest      string
	Body        []byte // canonical {"lists":{…},"text":…}
	Published   time.Time
	PublishedBy string
	EntryID     string
}

const policyColumns = `version, digest, body, published_us, published_by, entry_id`

func scanPolicy(s Scanner) (p Policy, err error) {
	err = s.Scan(&p.Version, &p.Digest, &p.Body, &p.Published, &p.PublishedBy, &p.EntryID)
	return p, err
}

// InsertPolicy writes a version; its number must be the next. [ErrConflict] when
// another version came first.
func (tx *Tx) InsertPolicy(p Policy) error {
	return tx.ExecOne(`INSERT INTO policy (org_id, `+policyColumns+`)
		SELECT $1, CAST($2 AS BIGINT), $3, $4, $5, $6, $7
		WHERE (SELECT COALESCE(MAX(version), 0) FROM policy WHERE org_id = $1) = CAST($2 AS BIGINT) - 1
		ON CONFLICT DO NOTHING`,
		p.Version, p.Digest, p.Body, p.Published, p.PublishedBy, p.EntryID)
}

// CurrentPolicy reads the version in force, the newest. [ErrNotFound] before the
// first.
func (tx *Tx) CurrentPolicy() (Policy, error) {
	return One(tx, scanPolicy, `SELECT `+policyColumns+` FROM policy WHERE org_id = $1 ORDER BY version DESC LIMIT 1`)
}

// PolicyByDigest reads a version by its digest: the newest with that content.
func (tx *Tx) PolicyByDigest(digest string) (Policy, error) {
	return One(tx, scanPolicy, `SELECT `+policyColumns+` FROM policy WHERE org_id = $1 AND digest = $2 ORDER BY version DESC LIMIT 1`, digest)
}

// PolicyVersion reads a version by its number.
func (tx *Tx) PolicyVersion(version int64) (Policy, error) {
	return One(tx, scanPolicy, `SELECT `+policyColumns+` FROM policy WHERE org_id = $1 AND version = $2`, version)
}

// Policies lists the versions, newest first.
func (tx *Tx) Policies(limit int) ([]Policy, error) {
	return List(tx, scanPolicy, `SELECT `+policyColumns+` FROM policy WHERE org_id = $1 ORDER BY version DESC LIMIT $2`, limit)
}

// LastEntryTime is the time of the log's newest entry; zero for an empty log.
func (tx *Tx) LastEntryTime() (at time.Time, err error) {
	err = tx.Row(`SELECT CAST(COALESCE(MAX(created_us), 0) AS BIGINT) FROM audit_entry WHERE org_id = $1 AND seq = (SELECT MAX(seq) FROM audit_entry WHERE org_id = $1)`).Scan(&at)
	return at, err
}

// AnythingOpen reports whether the organisation has any open alert, any freeze that
// was not lifted, any change of bank details that is not ended, and any history that
// does not count yet. What has only expired still counts as there.
func (tx *Tx) AnythingOpen() (alerts, freezes, bankChanges, unsettled bool, err error) {
	err = tx.Row(`SELECT
		(SELECT COUNT(*) FROM (SELECT 1 FROM alert WHERE org_id = $1 AND closed_us = 0 LIMIT 1) a),
		(SELECT COUNT(*) FROM (SELECT 1 FROM frozen WHERE org_id = $1 AND lifted_us = 0 LIMIT 1) f),
		(SELECT COUNT(*) FROM (SELECT 1 FROM approval WHERE org_id = $1 AND bank = 1 LIMIT 1) b),
		(SELECT COUNT(*) FROM (SELECT 1 FROM purchase WHERE org_id = $1 AND folded = 0 LIMIT 1) p)`).Scan(&alerts, &freezes, &bankChanges, &unsettled)
	return alerts, freezes, bankChanges, unsettled, err
}
