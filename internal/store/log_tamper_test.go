package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

// TestEntriesAreNeverChanged tries it with plain SQL.
func TestEntriesAreNeverChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db, 3)
		for _, text := range []string{
			`UPDATE audit_entry SET leaf = subject`,
			`UPDATE audit_entry SET seq = seq + 10`,
			`UPDATE audit_entry SET seq = NULL`,
			`UPDATE audit_entry SET subject = 'req_z' WHERE seq = 1`,
			`DELETE FROM audit_entry WHERE seq = 1`,
			`DELETE FROM audit_entry`,
		} {
			if db.Driver() == store.Postgres {
				text = strings.Replace(text, "leaf = subject", "leaf = '\\x00'", 1)
			}
			if err := db.Raw(t.Context(), text); !errors.Is(err, store.ErrRefused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if db.Driver() == store.Postgres {
			if err := db.Raw(t.Context(), `TRUNCATE audit_entry`); !errors.Is(err, store.ErrRefused) {
				t.Errorf("truncate: %v", err)
			}
		}
		checkTree(t, db, 3)
	})
}

// TestEraseKeepsTheTree erases an entry's openings; the log stays whole.
func TestEraseKeepsTheTree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db, 10)
		write(t, db, func(tx *store.Tx) error {
			entries, err := tx.Entries(4, 1)
			if err != nil {
				return err
			}
			if n, err := tx.EraseOpenings(entries[0].ID); err != nil || n != 1 {
				return fmt.Errorf("%d erased, %v", n, err)
			}
			left, err := tx.Openings(entries[0].ID)
			if err == nil && len(left) > 0 {
				err = errors.New("an opening is left")
			}
			return err
		})
		checkTree(t, db, 10)
	})
}

// TestTamperingIsFound takes the triggers away first, as somebody who owns the
// database can.
func TestTamperingIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			name, lite, pg string
			index          int64 // that the full check must name
			edge           bool  // found at start already
		}{
			{"entry altered", `UPDATE audit_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'system', 'sysfem') AS BLOB) WHERE seq = 40`,
				`UPDATE audit_entry SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'system', 'sysfem'), 'UTF8') WHERE seq = 40`, 40, false},
			{"last entry altered", `UPDATE audit_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'system', 'sysfem') AS BLOB) WHERE seq = 599`,
				`UPDATE audit_entry SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'system', 'sysfem'), 'UTF8') WHERE seq = 599`, 599, true},
			{"entry removed", `DELETE FROM audit_entry WHERE seq = 300`, ``, 300, false},
			{"last entry removed", `DELETE FROM audit_entry WHERE seq = 599`, ``, 599, true},
			{"entry behind the end", `UPDATE audit_entry SET seq = 600 WHERE seq = 10`, ``, 10, true},
			{"places exchanged", `UPDATE audit_entry SET seq = -1 WHERE seq = 20; UPDATE audit_entry SET seq = 20 WHERE seq = 21;
				UPDATE audit_entry SET seq = 21 WHERE seq = -1`, ``, 20, false},
			{"opening altered", `UPDATE audit_opening SET value = salt WHERE entry_id = (SELECT id FROM audit_entry WHERE seq = 77)`, ``, 77, false},
			{"row moved to another subject", `UPDATE audit_entry SET subject = 'req_9x' WHERE seq = 5`, ``, 5, false},
			{"tile altered", `UPDATE tile SET data = CAST((SELECT root FROM log_head) || substr(data, 33) AS BLOB) WHERE lvl = 0 AND idx = 1`,
				`UPDATE tile SET data = (SELECT root FROM log_head) || substr(data, 33) WHERE lvl = 0 AND idx = 1`, 256, false},
			{"tile above altered", `UPDATE tile SET data = CAST((SELECT root FROM log_head) || substr(data, 33) AS BLOB) WHERE lvl = 1`,
				`UPDATE tile SET data = (SELECT root FROM log_head) || substr(data, 33) WHERE lvl = 1`, -1, true},
			{"root altered", `UPDATE log_head SET root = (SELECT substr(data, 1, 32) FROM tile WHERE lvl = 0 AND idx = 0)`, ``, -1, true},
			{"size altered", `UPDATE log_head SET size = size - 1`, ``, -1, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				testTampering(t, db.Driver(), c.lite, c.pg, c.index, c.edge)
			})
		}
	})
}

func testTampering(t *testing.T, driver, lite, pg string, index int64, edge bool) {
	cfg := storetest.SQLite
	text := lite
	drop := []string{`DROP TRIGGER audit_entry_update`, `DROP TRIGGER audit_entry_delete`}
	if driver == store.Postgres {
		cfg = storetest.Postgres
		drop = []string{`DROP TRIGGER audit_entry_keep ON audit_entry`}
		if pg != "" {
			text = pg
		}
	}
	db := storetest.Open(t, cfg(t))
	fill(t, db, 600)
	if _, err := db.CheckLog(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, statement := range append(drop, text) {
		if err := db.Raw(t.Context(), statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if _, err := db.CheckEdge(t.Context()); edge != (err != nil) || err != nil && !errors.Is(err, store.ErrLog) {
		t.Errorf("the check at start says: %v", err)
	}
	_, err := db.CheckLog(t.Context(), nil)
	var fault *store.LogFault
	if !errors.As(err, &fault) || fault.Index != index {
		t.Errorf("the full check says: %v, want entry %d", err, index)
	}
}

// TestTamperedHeadStopsTheLog: the writer notices that somebody else moved the head.
func TestTamperedHeadStopsTheLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db, 3)
		if err := db.Raw(t.Context(), `UPDATE log_head SET size = 2`); err != nil {
			t.Fatal(err)
		}
		_, err := db.Write(t.Context(), func(tx *store.Tx) error { return appendEntry(tx, "req_a") })
		if err == nil {
			_, err = db.Sequence(t.Context(), "test")
		}
		if !errors.Is(err, store.ErrLog) {
			t.Errorf("appended to a log whose head does not fit: %v", err)
		}
		write(t, db, func(tx *store.Tx) error { return put(tx, "a", 1) }) // what needs no log goes on
	})
}
