package store

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Guard keeps the last published checkpoint of a log, outside its database and its
// data folder, where no backup of them reaches: a database that was rolled back or
// restored is found, because the guard knows more than it does.
//
// It is a compare-and-swap, durable before it returns: of two who would publish
// different checkpoints after the same one, only one can.
type Guard interface {
	// Load returns the last checkpoint that was published under the origin, or nil
	// before the first.
	Load(ctx context.Context, origin string) ([]byte, error)
	// Advance replaces old (nil for the first) by next. When the guard has another
	// one it returns a [GuardConflict]. A checkpoint of another origin, or of fewer
	// entries than old, is refused.
	Advance(ctx context.Context, origin string, old, next []byte) error
	// Close ends the use of the guard.
	Close() error
}

// GuardConflict says that the guard has another checkpoint than was expected:
// somebody else published, or the database is not the one that published last.
type GuardConflict struct {
	Origin  string
	Current []byte // what the guard has; nil for none
}

func (e *GuardConflict) Error() string {
	if e.Current == nil {
		return fmt.Sprintf("the guard has no checkpoint of %s yet", e.Origin)
	}
	return fmt.Sprintf("the guard has another checkpoint of %s than was expected", e.Origin)
}

// Is makes a conflict of the guard an [ErrConflict].
func (e *GuardConflict) Is(target error) bool { return target == ErrConflict }

// maxCheckpoint bounds a checkpoint with its cosignatures, in bytes: a dozen
// post-quantum ones fit.
const maxCheckpoint = 60 << 10

// checkAdvance refuses what no log may publish after old.
func checkAdvance(origin string, old, next []byte) error {
	if len(next) > maxCheckpoint {
		return fmt.Errorf("the checkpoint has %d bytes, the guard takes %d at most", len(next), maxCheckpoint)
	}
	size, err := checkpointSize(origin, next)
	if err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	before, err := checkpointSize(origin, old)
	if err != nil {
		return fmt.Errorf("the checkpoint to advance from: %w", err)
	}
	if size < before {
		return fmt.Errorf("a checkpoint of %d entries cannot follow one of %d", size, before)
	}
	return nil
}

// checkpointSize reads the size out of a checkpoint's second line (C2SP
// tlog-checkpoint). Signatures are not the guard's matter.
func checkpointSize(origin string, checkpoint []byte) (int64, error) {
	lines := strings.SplitN(string(checkpoint), "\n", 3)
	if len(lines) < 3 || lines[0] != origin {
		return 0, fmt.Errorf("it is not a checkpoint of %s", origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return 0, fmt.Errorf("the checkpoint's size is not a decimal number")
	}
	return size, nil
}

//go:embed migrations_guard/*.sql
var guardMigrationFiles embed.FS

var guardSchema = schema{guardMigrationFiles, "migrations_guard"}

// databaseGuard is a guard in a second database, for several replicas.
type databaseGuard struct{ db *DB }

// OpenDatabaseGuard opens a guard in a database of its own. It must not be the log's
// database, nor be in its backups, nor be restored with it.
func OpenDatabaseGuard(ctx context.Context, cfg Config) (Guard, error) {
	db, err := open(ctx, cfg, guardSchema)
	if err != nil {
		return nil, fmt.Errorf("the guard's database: %w", err)
	}
	return &databaseGuard{db}, nil
}

func (g *databaseGuard) Close() error { return g.db.Close() }

func (g *databaseGuard) Load(ctx context.Context, origin string) (current []byte, err error) {
	err = g.db.For(origin).Read(ctx, func(tx *Tx) error {
		current, err = guarded(tx)
		return err
	})
	return current, err
}

func guarded(tx *Tx) (current []byte, err error) {
	err = tx.Row(`SELECT checkpoint FROM guard WHERE org_id = $1`).Scan(&current)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return current, err
}

func (g *databaseGuard) Advance(ctx context.Context, origin string, old, next []byte) error {
	if err := checkAdvance(origin, old, next); err != nil {
		return err
	}
	_, err := g.db.For(origin).Write(ctx, func(tx *Tx) error {
		current, err := guarded(tx)
		if err != nil {
			return err
		}
		if !sameCheckpoint(current, old) {
			return &GuardConflict{origin, current}
		}
		if current == nil {
			return tx.ExecOne(`INSERT INTO guard (org_id, checkpoint) VALUES ($1, $2) ON CONFLICT (org_id) DO NOTHING`, next)
		}
		return tx.ExecOne(`UPDATE guard SET checkpoint = $2 WHERE org_id = $1 AND checkpoint = $3`, next, old)
	})
	return err
}

// sameCheckpoint keeps none apart from an empty one, which does not exist.
func sameCheckpoint(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
