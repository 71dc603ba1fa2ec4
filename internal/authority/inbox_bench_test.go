package authority_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store/storetest"
)

// BenchmarkInbox reads the first page of an inbox with 10,000 open requests that all
// wait for the person, of which few do, and of an empty one.
func BenchmarkInbox(b *testing.B) {
	h := moveIn(b, storetest.SQLite(b))
	h.broken = true // the log of 10,000 requests is not verified again
	fill(h, 10_000)
	for _, who := range []struct{ name, login, tab string }{
		{"all wait", "marta", authority.TabYou}, {"few wait", "tomas", authority.TabYou}, {"none", "amara", authority.TabYou},
		{"others, sees all", "rosa", authority.TabOthers}, {"others, all wait", "marta", authority.TabOthers}, {"others, asked for all", "elif", authority.TabOthers},
		{"empty", "priya", authority.TabYou},
	} {
		b.Run(who.name, func(b *testing.B) {
			d := h.who[who.login]
			if d.key == nil {
				d.enrolPasskey()
			}
			d.signIn()
			n := 0
			for b.Loop() {
				page, err := h.a.Inbox(h.ctx, d.session, authority.InboxQuery{Tab: who.tab})
				h.must(err)
				n = len(page.Items)
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}

// fill submits so many orders that wait for the approvers, and a few for the treasury.
func fill(h *house, n int) {
	var vendors countersign.FactsBody
	for v := range 200 {
		vendors.Vendors = append(vendors.Vendors, countersign.VendorFact{ID: fmt.Sprint("V-", v), Name: fmt.Sprint("Vendor ", v), CreatedAt: "2020-01-01"})
	}
	_, err := h.a.RecordFacts(h.ctx, h.key, vendors)
	h.must(err)
	for i := range n {
		d := order(fmt.Sprint("PO-F", i), "30000.00", func(d *countersign.Document) {
			d.Payee = &countersign.Payee{ID: fmt.Sprint("V-", i%200), Name: fmt.Sprint("Vendor ", i%200)}
			d.Category = fmt.Sprint("c", i%500)
		})
		var sub *countersign.Submission
		if i%1000 == 0 {
			sub = &countersign.Submission{Approver: "tomas"}
		}
		_, err := h.a.Submit(h.ctx, h.key, body(d, sub))
		h.must(err)
		h.clock.forward(10 * time.Second)
	}
}
