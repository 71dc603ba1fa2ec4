package authority_test

import (
	"bytes"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// raw changes rows over a connection of its own, as whoever gets hold of the database
// could.
func (h *house) raw(text string, args ...any) {
	h.t.Helper()
	driver, dsn := "sqlite", "file:"+h.store.Path+"?_pragma=busy_timeout(5000)"
	if h.store.Driver == store.Postgres {
		driver, dsn = "pgx", h.store.DSN
	}
	db, err := sql.Open(driver, dsn)
	h.must(err)
	defer db.Close()
	result, err := db.Exec(text, args...)
	h.must(err)
	if strings.HasPrefix(text, "DROP") || strings.HasPrefix(text, "ALTER") {
		return
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		h.t.Fatalf("%s: %d rows, %v", text, n, err)
	}
}

// unlock takes away what the database itself has against a change of the log.
func (h *house) unlock() {
	if h.store.Driver == store.Postgres {
		h.raw(`ALTER TABLE audit_entry DISABLE TRIGGER ALL`)
		return
	}
	h.raw(`DROP TRIGGER audit_entry_update`)
}

// differs wants the problem that a document changed, naming the field.
func (h *house) differs(err error, pointer string) {
	h.t.Helper()
	p := h.refused(err, countersign.CodeChanged)
	if len(p.Differences) != 1 || p.Differences[0].Pointer != pointer {
		h.t.Fatalf("want the difference at %s, have %+v", pointer, p.Differences)
	}
}

// change replaces text in the stored document of a request, and nothing else.
func (h *house) changeDocument(request, from, to string) {
	h.t.Helper()
	var row store.Approval
	h.read(func(tx *store.Tx) (err error) {
		row, err = tx.Approval(request)
		return err
	})
	h.raw(`UPDATE approval SET document = $1 WHERE id = $2`, []byte(strings.Replace(string(row.Document), from, to, 1)), request)
}

// A document that is changed in the database is refused at the challenge, at the
// decision and at the release, naming what differs; when it is put back, it goes on.
func TestTrapDigestComparedWithNothing(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		marta, d := h.who["marta"], order("PO-1", "30000.00")
		id := h.submit(d).ID

		h.changeDocument(id, "30000.00", "90000.00")
		_, err := h.a.Challenge(h.ctx, marta.session, id, countersign.ChallengeBody{Digest: digestOf(d), Act: countersign.ActApprove})
		h.differs(err, "/amount/value")
		h.read(func(tx *store.Tx) error { // found out at an act: the alert stays though the act did not
			_, err := tx.AlertByExternal(store.InternalSource, "tampered:"+id)
			return err
		})
		_, err = h.a.Get(h.ctx, authority.Caller{Key: &h.key}, id)
		h.differs(err, "/amount/value")
		h.changeDocument(id, "90000.00", "30000.00")

		c, err := marta.challenge(id, countersign.ActApprove)
		h.must(err)
		h.changeDocument(id, "Nordwind", "Suedwind")
		_, err = marta.answer(id, c)
		h.differs(err, "/payee/name")
		h.changeDocument(id, "Suedwind", "Nordwind")
		marta.approve(id)

		h.changeDocument(id, "30000.00", "30000.01")
		_, err = h.release(id, d, "run-1")
		h.differs(err, "/amount/value")
		_, err = h.release(id, order("PO-1", "30000.01"), "run-1")
		h.differs(err, "/amount/value")
		h.changeDocument(id, "30000.01", "30000.00")
		_, err = h.release(id, d, "run-1")
		h.must(err)
	})
}

func digestOf(d *countersign.Document) countersign.Digest {
	text, err := countersign.Canonical(d)
	if err != nil {
		panic(err)
	}
	return countersign.SumBytes(text)
}

// Whoever changes the document, its digest and the state together still contradicts
// what was logged.
func TestTamperedConsistently(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.who["marta"].approve(id)
		other := order("PO-1", "90000.00")
		h.raw(`UPDATE approval SET document = $1, digest = $2, state = REPLACE(state, $3, $2) WHERE id = $4`,
			[]byte(body(other, nil).Document), string(digestOf(other)), string(digestOf(d)), id)
		text, err := countersign.Canonical(other)
		h.must(err)
		h.raw(`UPDATE approval SET document = $1 WHERE id = $2`, text, id)
		_, err = h.release(id, other, "run-1")
		h.differs(err, "/amount/value")
		h.read(func(tx *store.Tx) error {
			_, err := tx.AlertByExternal(store.InternalSource, "tampered:"+id)
			return err
		})
	})
}

// A requirement that is weakened in the database, an approval that is forged there,
// and a decision that is taken away: nothing is released on them.
func TestTrapApprovedIsNoFlag(t *testing.T) {
	for name, forge := range map[string]func(h *house, id string){
		"requirement": func(h *house, id string) {
			h.raw(`UPDATE approval SET state = REPLACE(state, '"count":2', '"count":1') WHERE id = $1`, id)
		},
		"status": func(h *house, id string) {
			h.raw(`UPDATE approval SET status = 'approved', state = REPLACE(state, '"status":"pending"', '"status":"approved"') WHERE id = $1`, id)
		},
		"outcome": func(h *house, id string) {
			h.raw(`UPDATE approval SET status = 'approved', state = REPLACE(REPLACE(state, '"status":"pending"', '"status":"approved"'), '"outcome":"step_up"', '"outcome":"allow"') WHERE id = $1`, id)
		},
		"decision": func(h *house, id string) {
			// Daniel's decision stands there twice, once in Ingrid's name.
			h.who["daniel"].approve(id)
			h.read(func(tx *store.Tx) error {
				row, err := tx.Approval(id)
				if err != nil {
					return err
				}
				i := strings.Index(row.State, `"decisions":[`) + len(`"decisions":[`)
				depth, end := 0, i
				for ; end < len(row.State); end++ {
					switch row.State[end] {
					case '{':
						depth++
					case '}':
						depth--
					}
					if depth == 0 {
						break
					}
				}
				one := row.State[i : end+1]
				two := strings.ReplaceAll(strings.Replace(one, `"id":"dec_0`, `"id":"dec_1`, 1), h.who["daniel"].id, h.who["ingrid"].id)
				state := strings.Replace(row.State, one, one+","+two, 1)
				state = strings.Replace(state, `"status":"pending"`, `"status":"approved"`, 1)
				state = strings.Replace(state, `"created_at"`, `"release_by":"2027-11-24T09:00:00Z","approved_at":"2026-11-24T09:00:00Z","created_at"`, 1)
				h.raw(`UPDATE approval SET status = 'approved', state = $1 WHERE id = $2`, state, id)
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(h *house) {
				d := order("INV-1", "12000.00", func(d *countersign.Document) {
					d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
				})
				id := h.submit(d).ID
				forge(h, id)
				_, err := h.release(id, d, "run-1")
				var p *countersign.Problem
				if !errors.As(err, &p) || p.Status != 409 {
					h.t.Fatalf("have %s", describe(err))
				}
				h.t.Log(p.Detail)
				var row store.Approval
				h.read(func(tx *store.Tx) (err error) {
					row, err = tx.Approval(id)
					return err
				})
				if row.Status == countersign.StatusReleased {
					h.t.Error("it was released")
				}
			})
		})
	}
}

// An entry that is altered or taken away below the last checkpoint is found and named
// in the database and in the export; nothing more is signed on a log that was changed.
func TestAlteredEntryIsFoundAndNamed(t *testing.T) {
	each(t, func(h *house) {
		h.broken = true
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "900.00")).ID
		h.submit(order("PO-2", "900.00"))
		h.must(h.a.Publish(h.ctx))
		var at int64
		var leaf []byte
		h.read(func(tx *store.Tx) error {
			row, err := tx.Approval(id)
			if err != nil {
				return err
			}
			e, err := tx.EntryByID(row.EntryID)
			at, leaf = e.Index, e.Leaf
			return err
		})
		h.unlock()
		h.raw(`UPDATE audit_entry SET leaf = $1 WHERE seq = $2`, bytes.Replace(leaf, []byte("allow"), []byte("doubt"), 1), at)
		_, err := h.db.CheckLog(h.ctx, nil)
		var fault *store.LogFault
		if !errors.As(err, &fault) || fault.Index != at {
			h.t.Errorf("the database: %v, want entry %d named", err, at)
		}
		_, err = audit.VerifyExport(h.export(), audit.ExportOptions{Keys: h.a.Verifiers()})
		var failed *audit.ExportError
		if !errors.As(err, &failed) || failed.Entry != at {
			h.t.Errorf("the export: %v, want entry %d named", err, at)
		}
	})
}

// A database that is older than what was published is refused at the start, and
// nothing is signed on it (ruling 29).
func TestRuling29OlderDatabaseIsRefused(t *testing.T) {
	each(t, func(h *house) {
		h.submit(order("PO-1", "900.00"))
		h.must(h.a.Publish(h.ctx))
		old := moveIn(h.t, h.original) // the database as it was before, with its own guard
		old.cfg.Guard = h.guard
		old.broken = true
		if old.stop != nil {
			old.stop()
		}
		_, err := authority.Open(h.ctx, old.cfg)
		if !errors.Is(err, checkpoint.ErrGuard) {
			h.t.Fatalf("have %v", err)
		}
		h.t.Log(err)
		// Nor is a log taken that went another way from the same beginning.
		h.clock.forward(time.Second)
		fork := moveIn(h.t, h.original)
		fork.broken = true
		for i := range 5 {
			fork.submit(order("PO-F"+string(rune('0'+i)), "90.00"))
		}
		fork.must(fork.a.Publish(h.ctx))
		if fork.stop != nil {
			fork.stop()
		}
		fork.cfg.Guard = h.guard
		if _, err := authority.Open(h.ctx, fork.cfg); !errors.Is(err, checkpoint.ErrGuard) {
			h.t.Fatalf("a fork: %v", err)
		}
	})
}
