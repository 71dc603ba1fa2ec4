package store

// Delegation reads one delegation.
func (tx *Tx) Delegation(id string) (Delegation, error) {
	return One(tx, scanDelegation, `SELECT `+delegationColumns+` FROM delegation WHERE org_id = $1 AND id = $2`, id)
}

// Delegations lists delegations, newest first, a page at a time: those before the
// given id; with a person only those from them or to them.
func (tx *Tx) Delegations(person, before string, limit int) ([]Delegation, error) {
	return List(tx, scanDelegation, `SELECT `+delegationColumns+` FROM delegation
		WHERE org_id = $1 AND ($2 = '' OR from_id = $2 OR to_id = $2) AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4`, person, before, limit)
}

// CountDelegationsFrom counts a person's delegations that are not over at the time of
// the transaction.
func (tx *Tx) CountDelegationsFrom(person string) (n int, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM delegation WHERE org_id = $1 AND from_id = $2 AND ends_us > $3 AND revoked_us = 0`, person, tx.Now()).Scan(&n)
	return n, err
}
