package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/api"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit"

	_ "modernc.org/sqlite"
)

const speedVendors = 2000

// speedServer is a server on SQLite with vendors that have history and a buyer.
func speedServer(b *testing.B) (*testkit.Server, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "countersign.db")
	s := testkit.Start(b, store.Config{Driver: store.SQLite, Path: path}, testkit.Options{Unchecked: true,
		// The test server keeps what is logged; here it is written and forgotten.
		API: func(c *api.Config) { c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) }})
	debug.SetGCPercent(400) // as serve does
	f := countersign.FactsBody{}
	for v := range speedVendors {
		id := fmt.Sprintf("V-%d", v)
		f.Vendors = append(f.Vendors, countersign.VendorFact{ID: id, Name: "Vendor " + id, Country: "DE", CreatedAt: "2020-01-01"})
		for i := range 2 {
			f.Purchases = append(f.Purchases, countersign.PurchaseFact{Kind: countersign.KindInvoice, ID: fmt.Sprintf("%s-H%d", id, i), Vendor: id,
				Amount: countersign.Amount{Value: "800.00", Currency: "EUR"}, Date: time.Now().AddDate(0, -i-1, 0).Format(time.DateOnly)})
		}
	}
	for part := range slices.Chunk(f.Purchases, 2000) {
		if _, err := s.Authority.RecordOffline(b.Context(), "erp", true, countersign.FactsBody{Purchases: part}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Authority.RecordOffline(b.Context(), "erp", true, countersign.FactsBody{Vendors: f.Vendors}); err != nil {
		b.Fatal(err)
	}
	people := countersign.FactsBody{People: []countersign.PersonFact{{Subject: "buyer", Name: "Elif Kaya"}}}
	if _, err := s.Authority.RecordOffline(b.Context(), "erp", true, people); err != nil {
		b.Fatal(err)
	}
	return s, path
}

func speedBody(i int64) []byte {
	v := fmt.Sprintf("V-%d", i%speedVendors)
	raw, err := json.Marshal(map[string]any{"document": &countersign.Document{Kind: countersign.KindPurchaseOrder, ID: fmt.Sprintf("PO-S%d", i), Revision: "1", Entity: "DE01",
		CostCentre: "4100", Category: "it", Amount: &countersign.Amount{Value: "9.00", Currency: "EUR"}, Payee: &countersign.Payee{ID: v, Name: "Vendor " + v},
		Requester: &countersign.Party{Type: "person", ID: "buyer", Name: "Elif Kaya"}}})
	if err != nil {
		panic(err)
	}
	return raw
}

// poster posts submissions over HTTP as an integration would, and wants each to be
// approved with a receipt.
type poster struct {
	url, key string
	client   *http.Client
}

func newPoster(s *testkit.Server) *poster {
	t := &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	}}
	return &poster{url: s.URL, key: s.Key, client: &http.Client{Transport: t}}
}

func (p *poster) post(i int64) error {
	req, err := http.NewRequest(http.MethodPost, p.url+"/v1/requests", bytes.NewReader(speedBody(i)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if !bytes.Contains(body, []byte(`"status":"approved"`)) || !bytes.Contains(body, []byte(`"receipt":`)) {
		return fmt.Errorf("%s: %.300s", res.Status, body)
	}
	return nil
}

// run calls fn n times from so many goroutines and returns calls per second.
func run(b *testing.B, callers int, n int64, fn func(i int64) error) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := fn(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkSilentApprovalOverHTTP holds silent approvals from 64 clients, client and
// server on the same cores, against a bare group-commit writer that writes the same
// rows, the log's own included, and does nothing else. Both run in turn in the same
// run; the figure that counts is the ratio.
func BenchmarkSilentApprovalOverHTTP(b *testing.B) {
	const callers, rounds, each = 64, 5, 4000
	s, path := speedServer(b)
	p := newPoster(s)
	if err := p.post(1 << 40); err != nil { // the sample whose rows the bare writer writes again
		b.Fatal(err)
	}
	w := newBareWriter(b, path)
	var ours, bare []float64
	for b.Loop() {
		for r := range int64(rounds) {
			bare = append(bare, run(b, callers, each, func(int64) error { return w.write() }))
			ours = append(ours, run(b, callers, each, func(i int64) error { return p.post(r*each + i + int64(b.N)<<32) }))
		}
	}
	best := func(v []float64) float64 { return quantile(v, 0.5) }
	b.ReportMetric(best(ours), "approvals/s")
	b.ReportMetric(best(bare), "bare/s")
	b.ReportMetric(best(ours)/best(bare), "ratio")
	b.Logf("bare writer: %s; rows of one approval: %s", w.batches(), w.rows)
	b.Logf("rounds, approvals a second: ours %.0f, bare %.0f", ours, bare)
}

// BenchmarkLoneCaller shows how long one caller waits, beyond the syncs that it needs:
// one of the database and one of the guard.
func BenchmarkLoneCaller(b *testing.B) {
	s, path := speedServer(b)
	p := newPoster(s)
	if err := p.post(1 << 40); err != nil {
		b.Fatal(err)
	}
	w := newBareWriter(b, path)
	guard, err := store.OpenFileGuard(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer guard.Close()
	var ours, syncs []float64
	var held []byte
	i := int64(0)
	once := func() {
		start := time.Now()
		if err := p.post(i); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, float64(time.Since(start).Microseconds()))
		start = time.Now()
		if err := w.write(); err != nil {
			b.Fatal(err)
		}
		next := []byte(fmt.Sprintf("speed.example/log\n%d\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— speed.example/log AAAAAA==\n", i+1))
		if err := guard.Advance(b.Context(), "speed.example/log", held, next); err != nil {
			b.Fatal(err)
		}
		held = next
		syncs = append(syncs, float64(time.Since(start).Microseconds()))
		i++
	}
	for b.Loop() {
		for range 400 { // the first of them are slower, and the middle one is what counts
			once()
		}
	}
	b.ReportMetric(quantile(ours, 0.5), "us/answer")
	b.ReportMetric(quantile(syncs, 0.5), "us/syncs")
	b.ReportMetric(quantile(ours, 0.5)-quantile(syncs, 0.5), "us/beyond")
}

func quantile(v []float64, q float64) float64 {
	s := append([]float64(nil), v...)
	for i := range s { // few values: sorting by insertion is enough
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s[int(q*float64(len(s)-1))]
}

// bareWriter is one goroutine that writes rows for whoever waits, with one commit for
// all of them: what any durable store on this machine can do at best.
type bareWriter struct {
	db    *sql.DB
	jobs  chan chan error
	seq   int64
	tile  []byte
	stmts map[string]*sql.Stmt
	cols  map[string][]any // a sample row of each table
	open  [][]any          // the sample's openings
	rows  string
	count atomic.Int64
	total atomic.Int64
	most  atomic.Int64
}

// newBareWriter copies the schema and the last approval's rows out of a database.
func newBareWriter(b *testing.B, from string) *bareWriter {
	b.Helper()
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "bare.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate")
	ok(err)
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`ATTACH DATABASE ? AS src`, from)
	ok(err)
	rows, err := db.Query(`SELECT sql FROM src.sqlite_schema WHERE sql IS NOT NULL AND tbl_name IN ('approval','audit_entry','audit_opening','tile','log_head') AND type IN ('table','index')`)
	ok(err)
	var ddl []string
	for rows.Next() {
		var text string
		ok(rows.Scan(&text))
		ddl = append(ddl, text)
	}
	ok(rows.Err())
	for _, text := range ddl {
		_, err := db.Exec(text)
		ok(err)
	}
	w := &bareWriter{db: db, jobs: make(chan chan error, 256), stmts: map[string]*sql.Stmt{}, cols: map[string][]any{}}
	var id string
	ok(db.QueryRow(`SELECT id FROM src.approval ORDER BY id DESC LIMIT 1`).Scan(&id))
	size := 0
	sample := func(table, where string, args ...any) [][]any {
		var stored string // columns that are generated are made anew
		ok(db.QueryRow(`SELECT group_concat(name) FROM pragma_table_xinfo(?, 'src') WHERE hidden = 0`, table).Scan(&stored))
		rows, err := db.Query(`SELECT `+stored+` FROM src.`+table+` WHERE `+where, args...)
		ok(err)
		defer rows.Close()
		names, err := rows.Columns()
		ok(err)
		var all [][]any
		for rows.Next() {
			vals, ptrs := make([]any, len(names)), make([]any, len(names))
			for i := range vals {
				ptrs[i] = &vals[i]
			}
			ok(rows.Scan(ptrs...))
			for _, v := range vals {
				size += len(fmt.Sprint(v))
			}
			all = append(all, vals)
		}
		ok(rows.Err())
		w.stmts[table], err = db.Prepare(`INSERT INTO ` + table + ` (` + strings.Join(names, ",") + `) VALUES (` + strings.TrimSuffix(strings.Repeat("?,", len(names)), ",") + `)`)
		ok(err)
		return all
	}
	w.cols["approval"] = sample("approval", "id = ?", id)[0]
	w.cols["audit_entry"] = sample("audit_entry", "subject = ?", id)[0]
	w.open = sample("audit_opening", "entry_id = ?", w.cols["audit_entry"][1])
	w.rows = fmt.Sprintf("approval 1, entry 1, openings %d; tile and head once a commit", len(w.open))
	w.stmts["tile_up"], err = db.Prepare(`INSERT INTO tile (org_id, lvl, idx, data) VALUES ('o', 0, ?, ?) ON CONFLICT (org_id, lvl, idx) DO UPDATE SET data = excluded.data`)
	ok(err)
	_, err = db.Exec(`INSERT INTO log_head (org_id, origin, size, root, signed_size, checkpoint) VALUES ('o', 'x', 0, x'00', 0, x'')`)
	ok(err)
	w.stmts["head"], err = db.Prepare(`UPDATE log_head SET size = ?, root = ? WHERE org_id = 'o'`)
	ok(err)
	_, err = db.Exec(`DETACH DATABASE src`)
	ok(err)
	go w.loop()
	return w
}

func (w *bareWriter) write() error {
	done := make(chan error, 1)
	w.jobs <- done
	return <-done
}

func (w *bareWriter) batches() string {
	n := w.count.Load()
	return fmt.Sprintf("%d commits, %.1f rows' worth of approvals each, at most %d", n, float64(w.total.Load())/float64(max(n, 1)), w.most.Load())
}

func (w *bareWriter) loop() {
	for first := range w.jobs {
		group := []chan error{first}
	fill:
		for len(group) < 256 {
			select {
			case j := <-w.jobs:
				group = append(group, j)
			default:
				break fill
			}
		}
		err := w.commit(len(group))
		w.count.Add(1)
		w.total.Add(int64(len(group)))
		if n := int64(len(group)); n > w.most.Load() {
			w.most.Store(n)
		}
		for _, j := range group {
			j <- err
		}
	}
}

func (w *bareWriter) commit(n int) error {
	tx, err := w.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for range n {
		if err := w.one(tx); err != nil {
			return err
		}
	}
	if _, err := tx.Stmt(w.stmts["tile_up"]).Exec(w.seq/256, w.tile); err != nil {
		return err
	}
	if _, err := tx.Stmt(w.stmts["head"]).Exec(w.seq, make([]byte, 32)); err != nil {
		return err
	}
	return tx.Commit()
}

// one writes the rows of one approval. The ids are as long as real ones, so that the
// rows are as large.
func (w *bareWriter) one(tx *sql.Tx) error {
	w.seq++
	if len(w.tile) >= 8192 {
		w.tile = nil
	}
	w.tile = append(w.tile, make([]byte, 32)...)
	id, entry := fmt.Sprintf("req_%026d", w.seq), fmt.Sprintf("ent_%026d", w.seq)
	a := append([]any(nil), w.cols["approval"]...)
	for i, v := range a {
		if s, ok := v.(string); ok && strings.HasPrefix(s, "PO-S") {
			a[i] = fmt.Sprintf("PO-S%d", w.seq)
		}
	}
	a[1] = id
	if _, err := tx.Stmt(w.stmts["approval"]).Exec(a...); err != nil {
		return err
	}
	e := append([]any(nil), w.cols["audit_entry"]...)
	e[1], e[2], e[5] = entry, w.seq, id
	if _, err := tx.Stmt(w.stmts["audit_entry"]).Exec(e...); err != nil {
		return err
	}
	for _, o := range w.open {
		o = append([]any(nil), o...)
		o[1] = entry
		if _, err := tx.Stmt(w.stmts["audit_opening"]).Exec(o...); err != nil {
			return err
		}
	}
	return nil
}
