package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// bankChanges reads the changes of a vendor's bank details that are under way.
func (l *loader) bankChanges(vendor string) []signal.BankChange {
	out := []signal.BankChange{}
	changes, err := l.tx.PendingBankChanges(vendor)
	if l.fail(err) {
		return nil
	}
	for _, c := range changes {
		if c.Object == l.m.doc.ID && c.Kind == l.m.doc.Kind && c.Source == l.m.source {
			continue // the change itself, or its own earlier revision
		}
		b, err := l.bankChange(c)
		if l.fail(err) {
			return nil
		}
		out = append(out, b)
	}
	return out
}

func (l *loader) bankChange(c store.Approval) (signal.BankChange, error) {
	b := signal.BankChange{Request: c.ID, At: c.Created}
	var d countersign.Document
	if err := countersign.DecodeStrict(c.Document, &d); err != nil {
		return b, err
	}
	if d.Payee == nil || d.Payee.Account == nil {
		return b, nil
	}
	var err error
	if b.To, err = l.a.fingerprint(l.tx, c.Vendor, *d.Payee.Account); err != nil {
		return b, err
	}
	for _, ch := range d.Changes {
		if ch.Field == "account" && ch.From != "" {
			if b.From, err = l.a.fingerprint(l.tx, c.Vendor, countersign.Account{Scheme: d.Payee.Account.Scheme, Value: ch.From}); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}
