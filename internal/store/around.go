package store

import (
	"encoding/base64"

	"github.com/countersign/countersign"
)

// What stands around one request is read here: of many people and entries at once, so that
// judging a request costs as many questions with two hundred people as with five.

// PeopleAndAbove reads people with everybody above them in the reporting lines.
func (tx *Tx) PeopleAndAbove(ids []string) (map[string]Person, error) {
	out := make(map[string]Person, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	list, args := inList(ids, 2)
	rows, err := List(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id IN (
		WITH RECURSIVE line (id) AS (
			SELECT id FROM person WHERE org_id = $1 AND id IN (`+list+`)
			UNION SELECT p.manager_id FROM line JOIN person p ON p.org_id = $1 AND p.id = line.id WHERE p.manager_id <> '')
		SELECT id FROM line)`, args...)
	for _, p := range rows {
		out[p.ID] = p
	}
	return out, err
}

// MembersOfAny lists the memberships of active people in groups, by group and person.
func (tx *Tx) MembersOfAny(groups []string) ([]Membership, error) {
	return byIDs(tx, scanMembership, `SELECT m.group_name, m.person_id, m.since_us FROM membership m JOIN person p ON p.org_id = m.org_id AND p.id = m.person_id
		WHERE m.org_id = $1 AND p.active = 1 AND m.group_name`, groups, ` ORDER BY m.group_name, m.person_id`)
}

// FactorsOfEach lists what several people have and had, of each oldest first, also what
// was removed.
func (tx *Tx) FactorsOfEach(people []string) (map[string][]Authenticator, error) {
	rows, err := byIDs(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND person_id`, people, ` ORDER BY created_us, id`)
	out := map[string][]Authenticator{}
	for _, f := range rows {
		out[f.Person] = append(out[f.Person], f)
	}
	return out, err
}

// AuthenticatorsByID reads authenticators, removed or not. Those that are not there are
// left out.
func (tx *Tx) AuthenticatorsByID(ids []string) (map[string]Authenticator, error) {
	rows, err := byIDs(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND id`, ids, "")
	out := make(map[string]Authenticator, len(rows))
	for _, f := range rows {
		out[f.ID] = f
	}
	return out, err
}

// OpenAlertsOfEach lists the alerts that are open now about each of the subjects: of each
// what [Tx.OpenAlerts] lists, all of them newest first.
func (tx *Tx) OpenAlertsOfEach(about []string) ([]Alert, error) {
	if len(about) == 0 {
		return nil, nil
	}
	in, args := inList(about, 3)
	return List(tx, scanAlert, `SELECT `+alertColumns+` FROM (
		SELECT `+alertColumns+`, ROW_NUMBER() OVER (PARTITION BY about ORDER BY raised_us DESC, id) AS nth FROM alert
		WHERE org_id = $1 AND closed_us = 0 AND expires_us > $2 AND about IN (`+in+`)) a WHERE nth <= 100 ORDER BY raised_us DESC, id`,
		append([]any{tx.Now()}, args...)...)
}

// FreezesOfEach lists the freezes in force of each of the subjects: of each what
// [Tx.Freezes] lists.
func (tx *Tx) FreezesOfEach(about []string) ([]Freeze, error) {
	if len(about) == 0 {
		return nil, nil
	}
	in, args := inList(about, 3)
	return List(tx, scanFreeze, `SELECT `+freezeColumns+` FROM (
		SELECT `+freezeColumns+`, ROW_NUMBER() OVER (PARTITION BY about ORDER BY placed_us, id) AS nth FROM frozen
		WHERE org_id = $1 AND lifted_us = 0 AND expires_us > $2 AND about IN (`+in+`)) f WHERE nth <= 20 ORDER BY placed_us, id`,
		append([]any{tx.Now()}, args...)...)
}

// OpeningsOfEach returns the openings of several entries that have not been erased, by
// entry and name.
func (tx *Tx) OpeningsOfEach(entries []string) (map[string]map[string]countersign.Opening, error) {
	type row struct {
		entry, name string
		salt, value []byte
	}
	rows, err := byIDs(tx, func(s Scanner) (r row, err error) {
		err = s.Scan(&r.entry, &r.name, &r.salt, &r.value)
		return r, err
	}, `SELECT entry_id, name, salt, value FROM audit_opening WHERE org_id = $1 AND entry_id`, entries, "")
	out := make(map[string]map[string]countersign.Opening, len(entries))
	for _, r := range rows {
		if out[r.entry] == nil {
			out[r.entry] = map[string]countersign.Opening{}
		}
		out[r.entry][r.name] = countersign.Opening{Salt: base64.StdEncoding.EncodeToString(r.salt), Value: string(r.value)}
	}
	return out, err
}
