package store

import "time"

// What an authenticator was used for.
const (
	UseSignIn   = "sign_in"
	UseAct      = "act"      // a step-up for something that is no decision
	UseDecision = "decision" // passwords only: of everything else the decision says so
)

// Use says when an authenticator was used last for a purpose.
type Use struct {
	Authenticator, Purpose string
	At                     time.Time
}

// RecordUse writes that an authenticator is used now for a purpose. The transaction of
// a decision writes nothing here: no two decisions of a person wait for one row.
func (tx *Tx) RecordUse(authenticator, purpose string) error {
	_, err := tx.Exec(`INSERT INTO authenticator_use (org_id, authenticator_id, purpose, at_us) VALUES ($1,$2,$3,$4)
		ON CONFLICT (org_id, authenticator_id, purpose) DO UPDATE SET at_us = excluded.at_us WHERE authenticator_use.at_us < excluded.at_us`,
		authenticator, purpose, tx.Now())
	return err
}

// Uses lists when each authenticator that a person has was used last, for each purpose.
func (tx *Tx) Uses(person string) ([]Use, error) {
	return List(tx, func(s Scanner) (u Use, err error) {
		err = s.Scan(&u.Authenticator, &u.Purpose, &u.At)
		return u, err
	}, `SELECT u.authenticator_id, u.purpose, u.at_us FROM authenticator f JOIN authenticator_use u ON u.org_id = f.org_id AND u.authenticator_id = f.id
		WHERE f.org_id = $1 AND f.person_id = $2 AND f.removed_us = 0`, person)
}

// LastDecisions lists the decisions that a person made last, the newest first.
func (tx *Tx) LastDecisions(person string, limit int) ([]Decision, error) {
	return List(tx, scanDecision, `SELECT `+decisionColumns+` FROM decision WHERE org_id = $1 AND person_id = $2 ORDER BY at_us DESC LIMIT $3`, person, limit)
}
