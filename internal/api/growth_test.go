package api_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/policies"
)

// BenchmarkStartWithHistory shows how long a start takes with a million rows of
// history: until the first question can be answered, log and guard compared.
func BenchmarkStartWithHistory(b *testing.B) {
	const rows = 1_000_000
	dir := b.TempDir()
	path := filepath.Join(dir, "countersign.db")
	org := createForStart(b, path)
	fillHistory(b, path, org, rows)
	var took []float64
	for b.Loop() {
		start := time.Now()
		closeAll := openForStart(b, dir, path, org)
		took = append(took, float64(time.Since(start).Milliseconds()))
		closeAll()
	}
	b.ReportMetric(quantile(took, 0.5), "ms/start")
	b.ReportMetric(rows, "history-rows")
}

func createForStart(b *testing.B, path string) string {
	b.Helper()
	ctx := b.Context()
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: path})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		b.Fatal(err)
	}
	org, err := authority.Create(ctx, db, authority.NewOrganisation{Name: "Example", Host: "localhost:8080", PublicURL: "http://localhost:8080", RPID: "localhost",
		Policy: policy.Source{File: policies.Procurement, Text: text}})
	if err != nil {
		b.Fatal(err)
	}
	return org
}

func openForStart(b *testing.B, dir, path, org string) (closeAll func()) {
	b.Helper()
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: path})
	fail(err)
	guard, err := store.OpenFileGuard(filepath.Join(dir, "guard"))
	fail(err)
	keys, err := checkpoint.OpenKeys(filepath.Join(dir, "keys"), authority.LogOrigin("localhost:8080", org))
	fail(err)
	a, err := authority.Open(ctx, authority.Config{DB: db.For(org), Keys: keys, Guard: guard, Log: slog.New(slog.DiscardHandler)})
	fail(err)
	fail(a.Publish(ctx))
	return func() { guard.Close(); db.Close() }
}

// fillHistory writes history straight into the tables: only reading it is measured.
func fillHistory(b *testing.B, path, org string, rows int) {
	b.Helper()
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_txlock=immediate")
	fail(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	fail(err)
	insert, err := tx.Prepare(`INSERT INTO purchase (org_id, kind, id, line, vendor_id, currency, minor, dated_us, fingerprint, requester, approver, department, category, source, settles_us, folded)
		VALUES (?, 'invoice', ?, '', ?, 'EUR', ?, ?, '', 'elif', '', 'it', 'it', 'erp', 0, 1)`)
	fail(err)
	for i := range rows {
		_, err := insert.Exec(org, fmt.Sprintf("H-%07d", i), fmt.Sprintf("V-%d", i%3000), 10000+i%500000, int64(1700000000_000000)+int64(i)*30_000_000)
		fail(err)
	}
	fail(tx.Commit())
}

// BenchmarkMemoryOverManyRequests shows that memory does not grow with the number of
// requests: the heap after a collection, early and after a hundred thousand requests.
func BenchmarkMemoryOverManyRequests(b *testing.B) {
	const requests, parts = 100_000, 5
	for b.Loop() {
		s, _ := speedServer(b)
		p := newPoster(s)
		var heap []float64
		for part := range int64(parts) {
			run(b, 64, requests/parts, func(i int64) error { return p.post(part*requests/parts + i) })
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap = append(heap, float64(m.HeapAlloc)/(1<<20))
		}
		b.Logf("heap after each %d requests: %.1f MiB", requests/parts, heap)
		b.ReportMetric(heap[0], "MiB/first")
		b.ReportMetric(heap[parts-1], "MiB/last")
		b.ReportMetric((heap[parts-1]-heap[0])*(1<<20)/(requests*(parts-1)/parts), "bytes/request")
	}
}
