package store

import (
	"context"
	"errors"
)

// Cosigned is the last checkpoint that witnesses have cosigned.
type Cosigned struct {
	Size       int64 // entries that it covers
	Checkpoint []byte
}

func scanCosigned(s Scanner) (c Cosigned, err error) {
	err = s.Scan(&c.Size, &c.Checkpoint)
	return c, err
}

// Cosigned reads the last checkpoint that witnesses have cosigned, or [ErrNotFound].
func (db *DB) Cosigned(ctx context.Context) (c Cosigned, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		c, err = One(tx, scanCosigned, `SELECT size, checkpoint FROM cosigned WHERE org_id = $1`)
		return err
	})
	return c, err
}

// SetCosigned records a cosigned checkpoint in the place of the one that was read; the
// zero value is none. It returns [ErrConflict] when another one is recorded by now, when
// that covers more, or when the log has fewer entries. What was published of the same
// size gets the cosignatures too.
func (db *DB) SetCosigned(ctx context.Context, old, next Cosigned) error {
	if len(next.Checkpoint) == 0 || next.Size < old.Size {
		return errors.New("a cosigned checkpoint cannot be followed by a smaller one, or by none")
	}
	_, err := db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(`UPDATE log_head SET checkpoint = $3 WHERE org_id = $1 AND signed_size = $2`, next.Size, next.Checkpoint); err != nil {
			return err
		}
		if len(old.Checkpoint) == 0 {
			return tx.ExecOne(`INSERT INTO cosigned (org_id, size, checkpoint)
				SELECT org_id, CAST($2 AS BIGINT), $3 FROM log_head WHERE org_id = $1 AND size >= $2 ON CONFLICT (org_id) DO NOTHING`, next.Size, next.Checkpoint)
		}
		return tx.ExecOne(`UPDATE cosigned SET size = $2, checkpoint = $3 WHERE org_id = $1 AND size = $4 AND checkpoint = $5
			AND EXISTS (SELECT 1 FROM log_head h WHERE h.org_id = $1 AND h.size >= $2)`, next.Size, next.Checkpoint, old.Size, old.Checkpoint)
	})
	return err
}
