package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// What can go wrong, in words that are the same for both engines. Errors of this
// package wrap one of these where a caller can do something about it.
var (
	// ErrNotFound: the row is not there, or not in this organisation.
	ErrNotFound = errors.New("not found")
	// ErrConflict: a compare-and-swap found another value; somebody was first.
	ErrConflict = errors.New("somebody else was first")
	// ErrDuplicate: a row with that key exists. Insert with ON CONFLICT DO NOTHING
	// where that can happen: an error ends the transaction.
	ErrDuplicate = errors.New("a row with that key exists")
	// ErrReference: a row that this one refers to is not there, or a row is still
	// referred to.
	ErrReference = errors.New("a reference does not hold")
	// ErrRefused: the database refuses the change by a rule of the schema, such as
	// any change of an entry of the log.
	ErrRefused = errors.New("the database refuses this change")
	// ErrText: a text holds a NUL or is not UTF-8, which not every engine can store.
	ErrText = errors.New("text cannot be stored")
	// ErrFull: there is no space left, or the disk fails. Nothing was written.
	ErrFull = errors.New("the database cannot write: no space left, or the disk fails")
	// ErrBusy: too many transactions change the same rows; try again.
	ErrBusy = errors.New("too many concurrent changes of the same rows")
	// ErrUnavailable: the database cannot be reached. Nothing was written.
	ErrUnavailable = errors.New("the database cannot be reached")
	// ErrUnknownOutcome: the connection was lost while committing, so that nobody
	// here knows whether the change was made. Repeat with the same idempotency key.
	ErrUnknownOutcome = errors.New("the connection was lost while committing: the change may or may not have been made")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrInUse: another process has the data folder open.
	ErrInUse = errors.New("the data folder is in use by another process")
	// ErrLog: the log's stored state contradicts itself. Nothing may be signed.
	ErrLog = errors.New("the log does not agree with itself")
)

// SQLite's primary and extended result codes that mean something to a caller
// (sqlite.org/rescode.html).
const (
	sqliteBusy       = 5
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19
	sqliteReadOnly   = 8

	sqliteForeignKey = sqliteConstraint | 3<<8
	sqlitePrimaryKey = sqliteConstraint | 6<<8
	sqliteTrigger    = sqliteConstraint | 7<<8
	sqliteUnique     = sqliteConstraint | 8<<8
)

// classify wraps an engine's error with the sentinel that says what it means.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if class := classOf(err); class != nil && !errors.Is(err, class) {
		return fmt.Errorf("%w: %w", class, err)
	}
	return err
}

func classOf(err error) error {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return classOfSQLite(lite.Code())
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return classOfPostgres(pg.Code)
	}
	var connect *pgconn.ConnectError
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		pgconn.SafeToRetry(err):
		return ErrUnavailable
	}
	return nil
}

func classOfSQLite(code int) error {
	switch code {
	case sqlitePrimaryKey, sqliteUnique:
		return ErrDuplicate
	case sqliteForeignKey:
		return ErrReference
	case sqliteTrigger:
		return ErrRefused
	}
	switch code & 0xff {
	case sqliteFull, sqliteIOErr, sqliteCantOpen, sqliteReadOnly:
		return ErrFull
	case sqliteBusy:
		return ErrBusy
	case sqliteConstraint:
		return ErrRefused
	}
	return nil
}

func classOfPostgres(code string) error {
	switch code {
	case "23505":
		return ErrDuplicate
	case "23503":
		return ErrReference
	case "40001", "40P01":
		return ErrBusy
	case "25006": // read-only transaction
		return ErrRefused
	case "53100": // disk full
		return ErrFull
	}
	switch code[:2] {
	case "08", "53", "57": // connection, resources (memory, connections), operator intervention
		return ErrUnavailable
	case "23", "P0": // integrity, raised by a trigger
		return ErrRefused
	}
	return nil
}
