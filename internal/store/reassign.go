package store

// Nominate sets who is nominated to approve a request, beside what [Tx.UpdateApproval]
// writes in the same transaction.
func (tx *Tx) Nominate(approval, person string) error {
	return tx.ExecOne(`UPDATE approval SET nominated = $3 WHERE org_id = $1 AND id = $2`, approval, person)
}
