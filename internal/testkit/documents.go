package testkit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
)

// Order is a purchase order of the elder sort; change edits it.
func Order(id, amount string, change ...func(*countersign.Document)) *countersign.Document {
	d := &countersign.Document{Kind: countersign.KindPurchaseOrder, ID: id, Revision: "1", Entity: "DE01", CostCentre: "4100", Category: "it",
		Amount: &countersign.Amount{Value: amount, Currency: "EUR"}, Payee: &countersign.Payee{ID: "V-1", Name: "Nordwind Technik GmbH"},
		Requester: &countersign.Party{Type: "person", ID: "elif", Name: "Elif Kaya"}}
	for _, c := range change {
		c(d)
	}
	return d
}

// Raw is a document as JSON.
func Raw(d *countersign.Document) json.RawMessage {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return b
}

// Body is the body of a submission.
func Body(d *countersign.Document, sub *countersign.Submission) countersign.RequestBody {
	return countersign.RequestBody{Document: Raw(d), Submission: sub}
}

// Submit submits a document with the server's key.
func (s *Server) Submit(d *countersign.Document) *countersign.Approval {
	s.T.Helper()
	var out countersign.Approval
	s.Call("POST", "/v1/requests", s.Key, Body(d, nil), &out)
	return &out
}

// Vendor puts a vendor with months of purchases on record.
func (s *Server) Vendor(id, name string, purchases int, account *countersign.Account) {
	s.T.Helper()
	f := countersign.FactsBody{Vendors: []countersign.VendorFact{{ID: id, Name: name, Country: "DE", CreatedAt: "2020-01-01"}}}
	for i := range purchases {
		f.Purchases = append(f.Purchases, countersign.PurchaseFact{Kind: countersign.KindInvoice, ID: fmt.Sprintf("%s-H%d", id, i), Vendor: id,
			Amount: countersign.Amount{Value: "21000.00", Currency: "EUR"}, Date: s.Clock.Now().AddDate(0, -i-1, 0).Format(time.DateOnly), Account: account})
	}
	s.Call("POST", "/v1/facts", s.Key, f, nil)
}

// Verify verifies a receipt offline, by the log's public keys.
func (s *Server) Verify(receipt []byte) *verify.Result {
	s.T.Helper()
	v, err := verify.Receipt(receipt, verify.Options{Keys: s.Authority.Verifiers()})
	if err != nil {
		if v != nil {
			s.T.Fatalf("receipt: %v: %+v", err, v.Steps)
		}
		s.T.Fatalf("receipt: %v", err)
	}
	return v
}
