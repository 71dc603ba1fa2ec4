package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
	"golang.org/x/mod/sumdb/tlog"
)

// BenchmarkGroupCommit compares, in one run and round by round, 64 submitters who write
// the rows of a small approval: a row of 400 bytes, a change of it, a job for the
// outbox, and with the log an entry with two openings, the tree and the head.
//
//	bare     a loop over database/sql that only inserts the same rows, the log's included
//	plain    the store, without the log
//	log      the store, with the log
//
// Ratios are of medians. Rates are transactions in a second.
func BenchmarkGroupCommit(b *testing.B) {
	const submitters, rounds = 64, 5
	each := max(1, b.N/rounds/submitters)
	bare, plain, log := newBareWriter(b), storetest.Open(b, storetest.SQLite(b)), storetest.Open(b, storetest.SQLite(b))
	rates := map[string][]float64{}
	run := func(name string, write func(id string) error) {
		rates[name] = append(rates[name], rate(b, submitters, each, write))
	}
	b.ResetTimer()
	for range rounds {
		run("bare", bare.submit)
		run("plain", func(id string) error { _, err := plain.Write(b.Context(), approvalRows(id, false)); return err })
		run("log", func(id string) error { _, err := log.Write(b.Context(), approvalRows(id, true)); return err })
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates["bare"]), "bare/s")
	b.ReportMetric(median(rates["plain"]), "plain/s")
	b.ReportMetric(median(rates["log"]), "log/s")
	b.ReportMetric(median(rates["log"])/median(rates["plain"]), "log/plain")
	b.ReportMetric(median(rates["log"])/median(rates["bare"]), "log/bare")
	s := log.Stats()
	b.ReportMetric(float64(s.Jobs)/float64(s.Commits), "batch")
	b.ReportMetric(bare.batch(), "bare-batch")
}

// BenchmarkLoneWriter is one caller after the other: the syncs, and what comes on top.
func BenchmarkLoneWriter(b *testing.B) {
	storeBench := func(withLog bool) func(*testing.B) {
		return func(b *testing.B) {
			db := storetest.Open(b, storetest.SQLite(b))
			for i := 0; b.Loop(); i++ {
				if _, err := db.Write(b.Context(), approvalRows(fmt.Sprint(i), withLog)); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("plain", storeBench(false))
	b.Run("log", storeBench(true))
}

func BenchmarkPointRead(b *testing.B) {
	db := storetest.Open(b, storetest.SQLite(b))
	if _, err := db.Write(b.Context(), func(tx *store.Tx) error { return put(tx, "a", 1) }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := db.Read(b.Context(), func(tx *store.Tx) error { _, err := get(tx, "a"); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInclusionProof is a proof of the newest entry, as a silent approval needs.
func BenchmarkInclusionProof(b *testing.B) {
	db := storetest.Open(b, storetest.SQLite(b))
	for range 200 {
		if _, err := db.Write(b.Context(), func(tx *store.Tx) error {
			for range 100 {
				if err := appendEntry(tx, "req_a"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	const size = 20000
	for b.Loop() {
		if _, err := audit.InclusionProof(size, size-1, db.Tiles(b.Context(), size)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckLog(b *testing.B) {
	db := storetest.Open(b, storetest.SQLite(b))
	for range 100 {
		if _, err := db.Write(b.Context(), func(tx *store.Tx) error {
			for range 100 {
				if err := appendEntry(tx, "req_a"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := db.CheckLog(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "entries/s")
}

var payload = []byte(strings.Repeat("p", 400))

// approvalRows writes the rows of one approval.
func approvalRows(id string, withLog bool) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if err := tx.ExecOne(insertRow, id, payload[:32], payload); err != nil {
			return err
		}
		if err := tx.ExecOne(updateRow, id); err != nil {
			return err
		}
		job := store.Job{ID: "evt_" + id, Topic: "request.submitted", Subject: id, Payload: payload[:200]}
		if withLog {
			leaf, openings := approvalEntry(tx.Org(), tx.Now())
			if err := tx.AppendEntry(leaf, openings); err != nil {
				return err
			}
			job.Entry = leaf.ID
		}
		return tx.Enqueue(job)
	}
}

const (
	insertRow = `INSERT INTO idempotency (org_id, caller, method, path, key, fingerprint, status, body, subject, expires_us)
		VALUES ($1, 'key_1', 'POST', '/v1/requests', $2, $3, 0, $4, '', 0)`
	updateRow = `UPDATE idempotency SET status = 201 WHERE org_id = $1 AND caller = 'key_1' AND method = 'POST'
		AND path = '/v1/requests' AND key = $2 AND status = 0`
)

// approvalEntry has the shape of an entry, with commitments that nobody opens: making
// them is the caller's work, not the store's.
func approvalEntry(org string, now time.Time) (countersign.Leaf, map[string]countersign.Opening) {
	o := countersign.Opening{Salt: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Value: string(payload)}
	return countersign.Leaf{
			Version: countersign.LeafVersion, ID: countersign.NewID(countersign.PrefixEntry, now), Org: org,
			Type: countersign.EntryRequestSubmitted, Time: now.Format("2006-01-02T15:04:05.000000Z"),
			Subject: "req_0", Actor: "key_1", Facts: map[string]string{"outcome": "allow", "status": "approved"},
			Commitments: map[string]string{"document": o.Salt, "submission": o.Salt},
		}, map[string]countersign.Opening{
			"document": o, "submission": o,
		}
}

// rate lets submitters write, and returns writes in a second.
func rate(b *testing.B, submitters, each int, write func(id string) error) float64 {
	var all sync.WaitGroup
	start := time.Now()
	for range submitters {
		all.Go(func() {
			for range each {
				if err := write(countersign.NewID(countersign.PrefixRequest, time.Now())); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return float64(submitters*each) / time.Since(start).Seconds()
}

func median(v []float64) float64 {
	sorted := append([]float64(nil), v...)
	for i := range sorted { // few values
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// bareWriter is the yardstick: a group-commit loop that does nothing but insert.
type bareWriter struct {
	db            *sql.DB
	queue         chan bareJob
	commits, jobs atomic.Int64
	texts         []string
	statements    []*sql.Stmt
	seq           int64
}

type bareJob struct {
	id   string
	leaf []byte
	done chan error
}

func newBareWriter(b *testing.B) *bareWriter {
	cfg := storetest.SQLite(b)
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(cfg.Path)+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-32768)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w := &bareWriter{db: db, queue: make(chan bareJob, 1024), texts: []string{
		strings.NewReplacer("$1", "?1", "$2", "?2", "$3", "?3", "$4", "?4").Replace(insertRow),
		strings.NewReplacer("$1", "?1", "$2", "?2").Replace(updateRow),
		`INSERT INTO outbox (org_id, id, topic, subject, payload, entry_id, dead, attempts, run_us, last_error, created_us)
			VALUES (?1, ?2, 'request.submitted', ?2, ?3, '', 0, 0, 1, '', 1)`,
		`INSERT INTO audit_entry (org_id, id, seq, turn, place, subject, leaf, created_us) VALUES (?1, ?2, ?3, 0, 0, 'req_0', ?4, 1)`,
		`INSERT INTO audit_opening (org_id, entry_id, name, salt, value) VALUES (?1, ?2, 'document', ?3, ?4), (?1, ?2, 'submission', ?3, ?4)`,
		`INSERT INTO tile (org_id, lvl, idx, data) VALUES (?1, 0, ?2, ?3) ON CONFLICT (org_id, lvl, idx) DO UPDATE SET data = excluded.data`,
	}}
	go w.loop(b)
	b.Cleanup(func() { close(w.queue); db.Close() })
	return w
}

func (w *bareWriter) submit(id string) error {
	leaf, _ := approvalEntry(storetest.Org, time.Now())
	j := bareJob{id, leaf.Bytes(), make(chan error, 1)}
	w.queue <- j
	return <-j.done
}

func (w *bareWriter) batch() float64 { return float64(w.jobs.Load()) / float64(w.commits.Load()) }

func (w *bareWriter) loop(b *testing.B) {
	ctx := context.Background()
	for _, text := range w.texts {
		st, err := w.db.Prepare(text)
		if err != nil {
			b.Error(err)
			return
		}
		w.statements = append(w.statements, st)
	}
	for first := range w.queue {
		batch := []bareJob{first}
		for more := true; more && len(batch) < 256; {
			select {
			case j, ok := <-w.queue:
				if more = ok; ok {
					batch = append(batch, j)
				}
			default:
				more = false
			}
		}
		err := w.commit(ctx, batch)
		for _, j := range batch {
			j.done <- err
		}
	}
}

func (w *bareWriter) commit(ctx context.Context, batch []bareJob) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var errs []error
	exec := func(i int, args ...any) {
		_, err := tx.StmtContext(ctx, w.statements[i]).ExecContext(ctx, args...)
		errs = append(errs, err)
	}
	for _, j := range batch {
		exec(0, storetest.Org, j.id, payload[:32], payload)
		exec(1, storetest.Org, j.id)
		exec(2, storetest.Org, "evt_"+j.id, payload[:200])
		exec(3, storetest.Org, "ent_"+j.id, w.seq, j.leaf)
		exec(4, storetest.Org, "ent_"+j.id, payload[:32], payload)
		w.seq++
	}
	exec(5, storetest.Org, w.seq/256, make([]byte, 1+w.seq%256*tlog.HashSize))
	errs = append(errs, tx.Commit())
	w.commits.Add(1)
	w.jobs.Add(int64(len(batch)))
	return errors.Join(errs...)
}
