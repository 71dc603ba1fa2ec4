package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// sequenceBatch bounds the entries that get their places in one transaction.
	sequenceBatch = 512
	// leaseTime is how long a sequencer that died keeps the others waiting at most. It
	// is well below the second that an allowing answer waits for its entry, so that a
	// replica's death is no caller's "pending". Nothing depends on it but work done
	// twice: a sequencer that is slower than its lease, or whose clock is off, loses the
	// head to another one by compare-and-swap.
	leaseTime = 500 * time.Millisecond
)

// Sequence gives the entries that wait their places in the log, and returns its head.
// On SQLite they have them already. On PostgreSQL a loop in every replica calls it:
// one of them, who names himself by holder, has a lease and does the work, the others
// only read the head. It is safe, though wasteful, without the lease, since the head
// moves by compare-and-swap.
func (db *DB) Sequence(ctx context.Context, holder string) (Head, error) {
	if db.driver == Postgres {
		waiting, mine, err := db.sequencerLease(ctx, holder)
		if err != nil {
			return Head{}, err
		}
		if waiting && mine {
			if err := db.sequenceAll(ctx); err != nil {
				return Head{}, err
			}
		}
	}
	return db.Head(ctx)
}

// sequencerLease reports whether entries wait, and whether holder may place them. The
// lease is taken when it is free and renewed when half of it has passed.
func (db *DB) sequencerLease(ctx context.Context, holder string) (waiting, mine bool, err error) {
	renew := false
	err = db.Read(ctx, func(tx *Tx) error {
		var who *string
		var until *time.Time
		var first *string
		err := tx.Row(`SELECT l.holder, l.until_us,
			(SELECT e.id FROM audit_entry e WHERE e.org_id = $1 AND e.seq IS NULL LIMIT 1)
			FROM log_head h LEFT JOIN seq_lease l ON l.org_id = h.org_id WHERE h.org_id = $1`).Scan(&who, &until, &first)
		if err != nil {
			return err
		}
		waiting = first != nil
		mine = who != nil && *who == holder && tx.now.Before(*until)
		free := until == nil || !tx.now.Before(*until)
		renew = free || mine && until.Sub(tx.now) < leaseTime/2
		return nil
	})
	if err != nil || !waiting || !renew {
		return waiting, mine, err
	}
	err = db.writeLoose(ctx, func(tx *Tx) error {
		n, err := tx.Exec(`INSERT INTO seq_lease (org_id, holder, until_us, epoch) VALUES ($1, $2, $3, 1)
			ON CONFLICT (org_id) DO UPDATE SET holder = excluded.holder, until_us = excluded.until_us,
			epoch = seq_lease.epoch + 1 WHERE seq_lease.holder = excluded.holder OR seq_lease.until_us <= $4`,
			holder, tx.now.Add(leaseTime), tx.now)
		mine = n == 1
		return err
	})
	return waiting, mine, err
}

// sequenceAll places batches until nothing waits. Losing a race means that somebody
// else did the work, and is not an error.
func (db *DB) sequenceAll(ctx context.Context) error {
	for {
		n, err := db.sequenceOnce(ctx)
		if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrBusy) {
			return err
		}
		if err == nil && n < sequenceBatch {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// pendingEntry is an entry that waits for its place.
type pendingEntry struct {
	id   string
	leaf []byte
}

// sequenceOnce places one batch: contiguous indices in the order of cause and effect,
// the tiles, and the head by compare-and-swap, in one transaction. It runs at READ
// COMMITTED: the swap comes first and holds the head's row, so that a second sequencer
// waits, finds another head, and gives up.
func (db *DB) sequenceOnce(ctx context.Context) (placed int, err error) {
	var tree audit.Appended
	err = db.writeLoose(ctx, func(tx *Tx) error {
		placed = 0
		head, err := tx.Head()
		if err != nil {
			return err
		}
		waiting, err := List(tx, func(row Scanner) (p pendingEntry, err error) {
			err = row.Scan(&p.id, &p.leaf)
			return p, err
		}, `SELECT id, leaf FROM audit_entry WHERE org_id = $1 AND seq IS NULL ORDER BY turn, place, id LIMIT $2`, sequenceBatch)
		if err != nil || len(waiting) == 0 {
			return err
		}
		leaves := make([]tlog.Hash, len(waiting))
		for i, p := range waiting {
			leaves[i] = audit.LeafHash(p.leaf)
		}
		a, err := audit.Append(head.Size, tx.edgeReader(head.Size), leaves)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrLog, err)
		}
		root, err := audit.Root(head.Size, tx.edgeReader(head.Size))
		if err != nil || root != head.Root {
			return fmt.Errorf("%w: the tiles of %d entries do not give the stored root", ErrLog, head.Size)
		}
		if err := saveTree(tx, head.Size, head.Root, a); err != nil {
			return err
		}
		if err := tx.place(waiting, head.Size); err != nil {
			return err
		}
		placed, tree = len(waiting), a
		return nil
	})
	if err == nil && placed > 0 {
		for k, data := range tree.Tiles {
			db.tiles.put(db.org, k, data)
		}
		db.done(true, false)
	}
	return placed, err
}

// edgeReader reads tiles out of memory where they are long enough for the tree, else
// inside the transaction.
func (tx *Tx) edgeReader(size int64) audit.TileReader {
	return func(k audit.TileKey) ([]byte, error) {
		if data := tx.engine.tiles.get(tx.org, k); len(data) > 0 && len(data) == tileWidth(size, k)*tlog.HashSize {
			return data, nil
		}
		return tx.tile(k)
	}
}

// place sets the indices. Every row must still be without one.
func (tx *Tx) place(waiting []pendingEntry, first int64) error {
	var b strings.Builder
	b.WriteString("WITH v(id, seq) AS (VALUES ")
	args := make([]any, 0, 2*len(waiting))
	for i, p := range waiting {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(CAST($" + strconv.Itoa(2+2*i) + " AS TEXT), CAST($" + strconv.Itoa(3+2*i) + " AS BIGINT))")
		args = append(args, p.id, first+int64(i))
	}
	b.WriteString(") UPDATE audit_entry SET seq = v.seq FROM v WHERE audit_entry.org_id = $1 AND audit_entry.id = v.id AND audit_entry.seq IS NULL")
	n, err := tx.Exec(b.String(), args...)
	if err == nil && n != int64(len(waiting)) {
		return ErrConflict
	}
	return err
}
