package authority_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/policies"
)

// bench is an organisation with vendors that have history, and a buyer.
type bench struct {
	a   *authority.Authority
	key authority.Key
	db  *store.DB
}

const benchVendors = 200

func newBench(b *testing.B) *bench {
	b.Helper()
	ctx := b.Context()
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	db, err := store.Open(ctx, store.Config{Driver: store.SQLite, Path: filepath.Join(b.TempDir(), "db.sqlite")})
	ok(err)
	b.Cleanup(func() { db.Close() })
	text, err := policies.Files.ReadFile(policies.Procurement)
	ok(err)
	zero := 0
	org, err := authority.Create(ctx, db, authority.NewOrganisation{Name: "Example", Host: "localhost:8080", PublicURL: "http://localhost:8080", RPID: "localhost",
		Settings: authority.Settings{CoolOff: &zero, HistorySettling: &zero}, Policy: policy.Source{File: policies.Procurement, Text: text}})
	ok(err)
	dir := b.TempDir()
	keys, err := checkpoint.OpenKeys(filepath.Join(dir, "keys"), authority.LogOrigin("localhost:8080", org))
	ok(err)
	guard, err := store.OpenFileGuard(filepath.Join(dir, "guard"))
	ok(err)
	b.Cleanup(func() { guard.Close() })
	a, err := authority.Open(ctx, authority.Config{DB: db.For(org), Keys: keys, Guard: guard, Log: slog.New(slog.DiscardHandler)})
	ok(err)
	_, err = a.AddPersonOffline(ctx, authority.NewPerson{Login: "elif", Name: "Elif Kaya"})
	ok(err)
	f := countersign.FactsBody{}
	for v := range benchVendors {
		id := fmt.Sprintf("V-%d", v)
		f.Vendors = append(f.Vendors, countersign.VendorFact{ID: id, Name: "Vendor " + id, Country: "DE", CreatedAt: "2020-01-01"})
		for i := range 10 {
			f.Purchases = append(f.Purchases, countersign.PurchaseFact{Kind: countersign.KindInvoice, ID: fmt.Sprintf("%s-H%d", id, i), Vendor: id,
				Amount: countersign.Amount{Value: "800.00", Currency: "EUR"}, Date: time.Now().AddDate(0, -i-1, 0).Format(time.DateOnly)})
		}
	}
	_, err = a.RecordOffline(ctx, "erp", true, f)
	ok(err)
	made, err := a.CreateKeyOffline(ctx, authority.NewKey{Name: "erp", Source: "erp", Scopes: []string{"submit"}})
	ok(err)
	key, err := a.AuthenticateKey(ctx, made.Key)
	ok(err)
	return &bench{a, key, db.For(org)}
}

func benchOrder(i int64) countersign.RequestBody {
	v := fmt.Sprintf("V-%d", i%benchVendors)
	raw, err := json.Marshal(&countersign.Document{Kind: countersign.KindPurchaseOrder, ID: fmt.Sprintf("PO-B%d", i), Revision: "1", Entity: "DE01",
		CostCentre: "4100", Category: "it", Amount: &countersign.Amount{Value: "9.00", Currency: "EUR"}, Payee: &countersign.Payee{ID: v, Name: "Vendor " + v},
		Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"}})
	if err != nil {
		panic(err)
	}
	return countersign.RequestBody{Document: raw}
}

// spread runs fn b.N times from so many goroutines.
func spread(b *testing.B, callers int, fn func(i int64)) {
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				fn(i)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
}

// BenchmarkSilentApproval submits small orders: weighed, stored, logged, signed,
// guarded, answered with a receipt.
func BenchmarkSilentApproval(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			h := newBench(b)
			spread(b, callers, func(i int64) {
				out, err := h.a.Submit(b.Context(), h.key, benchOrder(i))
				if err != nil {
					b.Error(err)
				} else if out.Approval.Status != countersign.StatusApproved {
					b.Errorf("%s: %+v", out.Approval.Status, out.Approval.Reasons)
				}
			})
		})
	}
}
