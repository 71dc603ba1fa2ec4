package authority

import (
	"testing"

	"github.com/countersign/countersign"
)

// FuzzRequest sends anything as a document: nothing panics, and what is accepted has
// one form, whose digest is that of what was sent.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"purchase_order","id":"PO-1","revision":"1","amount":{"value":"900.00","currency":"EUR"},"requester":{"type":"person","id":"elif"}}`,
		`{"kind":"payment","id":"P-1","revision":"1","amount":{"value":"1","currency":"JPY"},"payee":{"id":"V-1","account":{"scheme":"iban","value":"DE89370400440532013000"}},"requester":{"type":"service","id":"bot","owner":"elif"}}`,
		`{"kind":"vendor_contact_change","id":"C","revision":"2","payee":{"name":"Ünïcode"},"changes":[{"field":"email","from":"a@b","to":"c@d"}],"requester":{"type":"person","id":"x"}}`,
		`{"kind":"vendor_bank_change","id":"C","revision":"2","payee":{"name":"x","account":{"scheme":"bban","value":"1"}},"requester":{"type":"person","id":"x"},"custom":{"a":"b"}}`,
		`{"kind":"invoice","id":"\u202e","revision":"1","requester":{"type":"person","id":"x"}}`,
		`{"kind":"payment","id":"0","revision":"0","amount":{"value":"0","currency":"JPY"},"payee":{"id":"0","account":{"scheme":"0","value":"0"}},"requester":{"type":"service","id":"0","owner":""}}`,
		`{"Kind":"invoice"}`, `{"kind":"invoice","kind":"payment"}`, `{"kind":null}`, `[]`, `"`, ``, `{"amount":{"value":1e400}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := readDocument(raw, "/document", []string{"custom_kind"})
		if err != nil {
			if _, ok := err.(*countersign.Problem); !ok {
				t.Errorf("refused with %T, which no caller can read: %v", err, err)
			}
			return
		}
		canonical, err := countersign.Canonicalize(raw)
		if err != nil || string(canonical) != string(in.canonical) || !countersign.SumBytes(canonical).Equal(in.digest) {
			t.Errorf("accepted under another digest than what was sent has: %q", raw)
		}
		again, err := countersign.Canonical(in.doc)
		if err != nil || string(again) != string(in.canonical) {
			t.Errorf("the document that was read is not the one that was sent:\n%s\n%s", in.canonical, again)
		}
		if d := in.doc; d.Amount != nil {
			if _, err := d.Amount.Minor(); err != nil {
				t.Errorf("accepted with the amount %v: %v", d.Amount, err)
			}
		}
		if in.doc.Requester == nil || in.doc.Requester.ID == "" || in.doc.ID == "" || in.doc.Revision == "" {
			t.Errorf("accepted without what every document needs: %s", in.canonical)
		}
	})
}

// TestWhatSaysNothingIsLeftOut: a document has one form, so that a card shows all of it.
func TestWhatSaysNothingIsLeftOut(t *testing.T) {
	for member, at := range map[string]string{`"entity":""`: "/document/entity", `"lines":[]`: "/document/lines", `"custom":{}`: "/document/custom",
		`"terms":{"payment_days":0}`: "/document/terms/payment_days", `"payee":{"id":"V-1","name":""}`: "/document/payee/name"} {
		_, err := readDocument([]byte(`{"kind":"invoice","id":"1","revision":"1","amount":{"value":"1.00","currency":"EUR"},"requester":{"type":"person","id":"x"},`+member+`}`), "/document", nil)
		p, ok := err.(*countersign.Problem)
		if !ok || len(p.Errors) != 1 || p.Errors[0].Pointer != at || p.Status != 400 {
			t.Errorf("%s: %v", member, err)
		}
	}
}
