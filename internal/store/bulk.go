package store

// What a list shows of many rows is read here at once, so that a page costs as many
// questions to the database with two hundred people as with five.

// byIDs reads the rows whose column, which the query ends with, has one of the values, in
// an order. Without values it asks nothing.
func byIDs[T any](tx *Tx, scan func(Scanner) (T, error), query string, ids []string, order string) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, args := inList(ids, 2)
	return List(tx, scan, query+` IN (`+list+`)`+order, args...)
}

// PeopleByID reads people by their ids. Those that are not there are left out.
func (tx *Tx) PeopleByID(ids []string) (map[string]Person, error) {
	rows, err := byIDs(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id`, ids, "")
	out := make(map[string]Person, len(rows))
	for _, p := range rows {
		out[p.ID] = p
	}
	return out, err
}

// VendorsByID reads vendors by their numbers. Those that are not there are left out.
func (tx *Tx) VendorsByID(ids []string) (map[string]Vendor, error) {
	rows, err := byIDs(tx, scanVendor, `SELECT `+vendorColumns+` FROM vendor WHERE org_id = $1 AND id`, ids, "")
	out := make(map[string]Vendor, len(rows))
	for _, v := range rows {
		out[v.ID] = v
	}
	return out, err
}

// KeysByID reads API keys by their ids. Those that are not there are left out.
func (tx *Tx) KeysByID(ids []string) (map[string]APIKey, error) {
	rows, err := byIDs(tx, scanKey, `SELECT `+keyColumns+` FROM api_key WHERE org_id = $1 AND id`, ids, "")
	out := make(map[string]APIKey, len(rows))
	for _, k := range rows {
		out[k.ID] = k
	}
	return out, err
}

// GroupsOfEach lists the groups of several people, of each by name.
func (tx *Tx) GroupsOfEach(people []string) (map[string][]Membership, error) {
	rows, err := byIDs(tx, scanMembership, `SELECT group_name, person_id, since_us FROM membership WHERE org_id = $1 AND person_id`, people, ` ORDER BY group_name`)
	out := map[string][]Membership{}
	for _, m := range rows {
		out[m.Person] = append(out[m.Person], m)
	}
	return out, err
}

// LimitsOfEach lists the limits of several people, of each by kind.
func (tx *Tx) LimitsOfEach(people []string) (map[string][]PersonLimit, error) {
	rows, err := byIDs(tx, scanLimit, `SELECT person_id, kind, currency, minor, since_us FROM person_limit WHERE org_id = $1 AND person_id`, people, ` ORDER BY kind`)
	out := map[string][]PersonLimit{}
	for _, l := range rows {
		out[l.Person] = append(out[l.Person], l)
	}
	return out, err
}

// IdentitiesOfEach lists the ids of several people, of each by source.
func (tx *Tx) IdentitiesOfEach(people []string) (map[string][]Identity, error) {
	rows, err := byIDs(tx, scanIdentity, `SELECT source, subject, person_id FROM identity WHERE org_id = $1 AND person_id`, people, ` ORDER BY source, subject`)
	out := map[string][]Identity{}
	for _, i := range rows {
		out[i.Person] = append(out[i.Person], i)
	}
	return out, err
}

// AuthenticatorsOfEach lists what several people have, of each oldest first, without what
// was removed.
func (tx *Tx) AuthenticatorsOfEach(people []string) (map[string][]Authenticator, error) {
	rows, err := byIDs(tx, scanAuthenticator, `SELECT `+authenticatorColumns+` FROM authenticator WHERE org_id = $1 AND removed_us = 0 AND person_id`, people, ` ORDER BY created_us, id`)
	out := map[string][]Authenticator{}
	for _, f := range rows {
		out[f.Person] = append(out[f.Person], f)
	}
	return out, err
}

// EntriesByID reads log entries by their ids. Those that are not there are left out.
func (tx *Tx) EntriesByID(ids []string) (map[string]Entry, error) {
	rows, err := byIDs(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry WHERE org_id = $1 AND id`, ids, "")
	out := make(map[string]Entry, len(rows))
	for _, e := range rows {
		out[e.ID] = e
	}
	return out, err
}
