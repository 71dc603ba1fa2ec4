package store

import "slices"

// EntriesAbout returns the newest entries about one subject, oldest first, with those
// that have no place yet.
func (tx *Tx) EntriesAbout(subject string, limit int) ([]Entry, error) {
	list, err := List(tx, scanEntry, `SELECT id, seq, leaf FROM audit_entry WHERE org_id = $1 AND subject = $2
		ORDER BY created_us DESC, turn DESC, place DESC, id DESC LIMIT $3`, subject, limit)
	slices.Reverse(list)
	return list, err
}

// LastAccountDocument reads the newest released request, other than the given one and
// before it, that brought an account to a vendor.
func (tx *Tx) LastAccountDocument(vendor, before string) (Approval, error) {
	return One(tx, scanApproval, `SELECT `+approvalColumns+` FROM approval WHERE org_id = $1 AND vendor_id = $2 AND id < $3
		AND kind IN ('vendor_bank_change', 'vendor_create') AND status = 'released' ORDER BY id DESC LIMIT 1`, vendor, before)
}
