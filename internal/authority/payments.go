package authority

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// paidTo tells apart what lines pay to: the payee without the account, and the
// account.
type paidTo struct {
	payee   countersign.Payee
	account countersign.Account
}

// payments reads what is weighed about everybody whom the lines pay. A vendor is
// read once, however many lines pay it.
func (l *loader) payments() {
	if l.err != nil {
		return
	}
	at := map[paidTo]int{}
	known := map[string]*signal.Payment{}
	for i := range l.m.doc.Lines {
		line := &l.m.doc.Lines[i]
		if line.Payee == nil {
			continue
		}
		to := paidTo{payee: *line.Payee}
		if to.payee.Account = nil; line.Payee.Account != nil {
			to.account = *line.Payee.Account
		}
		if j, ok := at[to]; ok {
			l.m.facts.Payments[j].Lines++
			continue
		}
		p := signal.Payment{Lines: 1, First: line.Number, Payee: line.Payee}
		if l.payment(&p, known); l.err != nil {
			return
		}
		at[to] = len(l.m.facts.Payments)
		l.m.facts.Payments = append(l.m.facts.Payments, p)
	}
}

// payment reads what is known of the payee of some lines. A payee without a number
// is nobody on record: nothing is known.
func (l *loader) payment(p *signal.Payment, known map[string]*signal.Payment) {
	id := p.Payee.ID
	if id == "" {
		return
	}
	of := known[id]
	if of == nil {
		v := l.vendorOf(id)
		if v == nil {
			return
		}
		of = &signal.Payment{Vendor: v, History: l.history(v), BankChanges: []signal.BankChange{}}
		if l.at.bankChanges {
			of.BankChanges = l.bankChanges(id)
		}
		known[id] = of
	}
	v := *of.Vendor
	if p.Payee.Account != nil {
		var err error
		if v.Fingerprint, err = l.a.fingerprint(l.tx, id, *p.Payee.Account); l.fail(err) {
			return
		}
	}
	p.Vendor, p.History, p.BankChanges = &v, of.History, of.BankChanges
	for _, d := range signal.Differences(&countersign.Document{Payee: p.Payee}, &v) {
		d.Field += " of line " + p.First
		l.m.facts.Differences = append(l.m.facts.Differences, d)
	}
}

// pays reports whether a document moves money to an account: payments and invoices
// do, and whatever else names an account, an organisation's own kinds too. What only
// changes the vendor master or Countersign itself does not.
func pays(d *countersign.Document) bool {
	if countersign.InternalKind(d.Kind) {
		return false
	}
	switch d.Kind {
	case countersign.KindVendorCreate, countersign.KindVendorBankChange, countersign.KindVendorContactChange:
		return false
	case countersign.KindPayment, countersign.KindPaymentBatch, countersign.KindInvoice:
		return true
	}
	return d.Payee != nil && d.Payee.Account != nil ||
		slices.ContainsFunc(d.Lines, func(l countersign.Line) bool { return l.Payee != nil && l.Payee.Account != nil })
}

// proves reports whether a kind of document, once released, shows that its account
// was paid. Only what surely pays does: an account that was paid counts as known.
func proves(kind string) bool {
	switch kind {
	case countersign.KindPayment, countersign.KindPaymentBatch, countersign.KindInvoice:
		return true
	}
	return false
}

// batchBecameHistory turns the lines of a released payment batch into history: whom
// they paid, how much, to which account.
func (a *Authority) batchBecameHistory(tx *store.Tx, row store.Approval, d *countersign.Document) error {
	for i := range d.Lines {
		line := &d.Lines[i]
		if line.Payee == nil || line.Payee.ID == "" || line.Amount == nil {
			continue // nobody on record
		}
		m, err := signal.ParseMoney(*line.Amount)
		if err != nil {
			return err
		}
		p := store.Purchase{Kind: row.Kind, ID: row.Object, Line: line.Number, Vendor: line.Payee.ID, Currency: m.Currency, Minor: m.Minor, Dated: tx.Now(),
			Requester: row.Requester, Category: line.Category, Source: row.Source, Settles: tx.Now()}
		if p.Category == "" {
			p.Category = row.Category
		}
		if err := a.purchased(tx, p, line.Payee.Account); err != nil {
			return err
		}
	}
	return nil
}

// purchased records one purchase, and that its account was paid.
func (a *Authority) purchased(tx *store.Tx, p store.Purchase, account *countersign.Account) error {
	if account != nil {
		var err error
		if p.Fingerprint, err = a.recordedFingerprint(tx, p.Vendor, *account); err != nil {
			return err
		}
	}
	if _, err := tx.InsertPurchase(p); err != nil {
		return err
	}
	if p.Fingerprint == "" || !proves(p.Kind) || p.Minor < 0 {
		return nil
	}
	_, err := tx.PutVendorAccount(store.VendorAccount{Vendor: p.Vendor, Fingerprint: p.Fingerprint, First: tx.Now(), Paid: tx.Now(), Source: p.Source})
	return err
}
