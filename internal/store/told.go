package store

import "context"

// AudienceOf lists whom a request concerns, in no order.
func (tx *Tx) AudienceOf(approval string) ([]Audience, error) {
	return List(tx, func(s Scanner) (a Audience, err error) {
		err = s.Scan(&a.Who, &a.Part, &a.Live)
		return a, err
	}, `SELECT who, part, live FROM audience WHERE org_id = $1 AND approval_id = $2`, approval)
}

// MembersOf lists the active people of a group, by id, up to limit.
func (tx *Tx) MembersOf(group string, limit int) ([]Person, error) {
	return List(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND active = 1 AND id IN
		(SELECT person_id FROM membership WHERE org_id = $1 AND group_name = $2) ORDER BY id LIMIT $3`, group, limit)
}

// DelegationsFrom lists the delegations of a person that are in force at the time of
// the transaction.
func (tx *Tx) DelegationsFrom(person string) ([]Delegation, error) {
	return List(tx, scanDelegation, `SELECT `+delegationColumns+` FROM delegation
		WHERE org_id = $1 AND from_id = $2 AND starts_us <= $3 AND ends_us > $3 AND revoked_us = 0 ORDER BY id`, person, tx.Now())
}

// Replace removes a job that has been delivered, and enqueues in the same transaction
// what came of it: none is lost, and none comes twice. A job whose id is waiting
// already is not enqueued again. It returns [ErrConflict], and enqueues nothing, when
// the claim had ended and somebody else has the job.
func (db *DB) Replace(ctx context.Context, c Claim, jobs []Job) error {
	_, err := db.Write(ctx, func(tx *Tx) error {
		if err := tx.ExecOne(`DELETE FROM outbox WHERE `+held, c.ID, c.Attempts); err != nil {
			return err
		}
		for _, j := range jobs {
			var there int64
			if err := tx.Row(`SELECT COUNT(*) FROM outbox WHERE org_id = $1 AND id = $2`, j.ID).Scan(&there); err != nil {
				return err
			}
			if there > 0 {
				continue
			}
			if err := tx.Enqueue(j); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
