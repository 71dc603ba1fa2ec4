package demo

import (
	"fmt"
	"time"

	"github.com/countersign/countersign"
)

// Case is a document that waits to be submitted, and what should come of it.
type Case struct {
	Name      string // one word with hyphens, unique
	Story     string // cases of one story are submitted in their order
	Title     string
	Expect    string // what should happen, in a sentence
	Outcome   countersign.Outcome
	Document  countersign.Document
	Requester string // subject of the person who asks, or who answers for the agent that asks
	Approver  string // subject of the nominated approver; "" leaves it to whoever is eligible
	Channel   string // how it came, as in a Submission
}

// The agent that buys by itself; its owner is a person.
const agent = "agent-sourcing"

// LiveCases returns the cases that are played, dated now. Their documents are
// valid, and the same for the same company and day.
func LiveCases(c Company, now time.Time) []Case {
	m := caseMaker{company: c, now: now.UTC()}
	cases := []Case{m.small(), m.large(), m.newVendor()}
	cases = append(cases, m.bankChange()...)
	cases = append(cases, m.split()...)
	return append(cases, m.agent())
}

type caseMaker struct {
	company Company
	now     time.Time
	last    int // of the numbers given to documents
}

func (m *caseMaker) small() Case {
	d := m.document(countersign.KindPurchaseOrder, VendorTools, buyer, "900.00")
	d.Subject = "Torque wrenches and hex sets for line 2"
	d.Lines = []countersign.Line{
		m.line(1, "Torque wrench 20–100 Nm", "4", "165.00", "660.00"),
		m.line(2, "Hex key set, 9 pieces", "12", "20.00", "240.00"),
	}
	return Case{Name: "small-order", Story: "orders", Title: "A 900 order from a known vendor", Outcome: countersign.OutcomeAllow,
		Expect:   "Passes at once: the vendor is known, the amount is usual, nobody is asked, and a silent receipt says so.",
		Document: d, Requester: buyer, Approver: headMaking, Channel: "api"}
}

func (m *caseMaker) large() Case {
	d := m.document(countersign.KindPurchaseOrder, VendorConveyor, buyer, "30000.00")
	d.Subject = "Infeed conveyor for the new folding line"
	d.Lines = []countersign.Line{
		m.line(1, "Infeed conveyor 6 m", "1", "26400.00", "26400.00"),
		m.line(2, "Installation on site", "1", "3600.00", "3600.00"),
	}
	return Case{Name: "large-order", Story: "orders", Title: "A 30,000 order by the same people", Outcome: countersign.OutcomeStepUp,
		Expect:   fmt.Sprintf("Waits until %s has proved with a second factor who is approving: the amount is large.", m.name(headMaking)),
		Document: d, Requester: buyer, Approver: headMaking, Channel: "api"}
}

func (m *caseMaker) newVendor() Case {
	d := m.document(countersign.KindInvoice, VendorNew, payables, "12000.00")
	d.Subject = "Brand relaunch, concept phase"
	return Case{Name: "new-vendor-invoice", Story: "new-vendor", Title: "A new vendor's first invoice of 12,000", Outcome: countersign.OutcomeStepUp,
		Expect:   fmt.Sprintf("Two people of finance must sign with a passkey: there is no purchase history, and a code is not enough. %s, who asked, cannot be one of them.", m.name(payables)),
		Document: d, Requester: payables, Channel: "ui"}
}

// bankChange is a fraud in progress, and two payments that come while it waits.
func (m *caseMaker) bankChange() []Case {
	old := *m.company.Vendor(VendorFilm).Account
	forged := countersign.Account{Scheme: "iban", Value: forgedIBAN(), Holder: "Lipovka Folie Trading"}
	change := m.document(countersign.KindVendorBankChange, VendorFilm, payables2, "")
	change.Subject = "New bank details, as asked for by mail this morning"
	change.Dates = nil
	change.Payee.Account = &forged
	change.Changes = []countersign.Change{
		{Field: "account", From: old.Value, To: forged.Value},
		{Field: "email", From: m.company.Vendor(VendorFilm).Email, To: "accounts@lipovkafliesro-cz.example"},
	}
	toNew := m.document(countersign.KindPayment, VendorFilm, payables, "14280.00")
	toNew.Subject = "Film delivery, last month: to the new account, today"
	toNew.Payee.Account = &forged
	toNew.Flags = []string{"urgent"}
	toOld := m.document(countersign.KindPayment, VendorFilm, payables, "11460.00")
	toOld.Subject = "Film delivery, the month before"
	const story = "bank-change"
	return []Case{
		{Name: "bank-change", Story: story, Title: "A vendor's new bank account: a fraud in progress", Outcome: countersign.OutcomeStepUp,
			Expect:   "Two treasurers must sign with a passkey after calling the vendor on a number that was known before, and then it is held for a day. A call to that number ends it, or the day does: the vendor knows nothing of a new account.",
			Document: change, Requester: payables2, Channel: "email"},
		{Name: "payment-to-new-account", Story: story, Title: "A payment to the new account while the change waits", Outcome: countersign.OutcomeDeny,
			Expect:   "Refused: nothing is paid to an account that is not confirmed yet.",
			Document: toNew, Requester: payables, Approver: chiefFinance, Channel: "ui"},
		{Name: "payment-to-old-account", Story: story, Title: "A payment to the old account while the change waits", Outcome: countersign.OutcomeStepUp,
			Expect:   fmt.Sprintf("%s must step up, and is shown the change that waits: if it is genuine, the old account may be closed.", m.name(chiefFinance)),
			Document: toOld, Requester: payables, Approver: chiefFinance, Channel: "ui"},
	}
}

func (m *caseMaker) split() []Case {
	const parts = 4
	var cases []Case
	for i := 1; i <= parts; i++ {
		d := m.document(countersign.KindPurchaseOrder, VendorFitout, buyer2, "9600.00")
		d.Subject = fmt.Sprintf("Meeting rooms, second floor, part %d", i)
		c := Case{Name: fmt.Sprintf("split-%d", i), Story: "split", Title: fmt.Sprintf("Part %d of a purchase in %d equal parts of 9,600", i, parts), Outcome: countersign.OutcomeAllow,
			Expect: "Passes: with what came before it stays below what is asked about.", Document: d, Requester: buyer2, Approver: headSystems, Channel: "api"}
		if i == parts {
			c.Outcome = countersign.OutcomeStepUp
			c.Expect = fmt.Sprintf("Waits for %s: together the parts are 38,400, and they are weighed as one.", m.name(headSystems))
		}
		cases = append(cases, c)
	}
	return cases
}

func (m *caseMaker) agent() Case {
	d := m.document(countersign.KindPurchaseOrder, VendorHosting, buyer, "2860.00")
	d.Requester = &countersign.Party{Type: "service", ID: agent, Name: "Sourcing agent", Owner: buyer}
	d.Subject = "Hosting capacity for the order portal, next month"
	return Case{Name: "agent-order", Story: "agent", Title: "An agent buys by itself", Outcome: countersign.OutcomeStepUp,
		Expect:   fmt.Sprintf("A person's order of this size would pass, an agent's does not: a person must decide, and %s, who answers for the agent, cannot be that person.", m.name(buyer)),
		Document: d, Requester: buyer, Approver: headMaking, Channel: "agent"}
}

// document fills what all cases have; without a value it has no amount.
func (m *caseMaker) document(kind, vendorID, requester, value string) countersign.Document {
	v := m.company.Vendor(vendorID)
	p := m.company.Person(requester)
	m.last++
	account := *v.Account
	d := countersign.Document{
		Kind: kind, ID: fmt.Sprintf("%s-%d-9%04d", caseprefix(kind), m.now.Year(), m.last), Revision: "1",
		Entity: m.company.Entity, CostCentre: caseDepartments[vendorID], Category: v.Category,
		Payee:     &countersign.Payee{ID: v.ID, Name: v.Name, TaxID: v.TaxID, Country: v.Country, Account: &account},
		Dates:     &countersign.Dates{Issued: m.now.Format(time.DateOnly)},
		Requester: &countersign.Party{Type: "person", ID: p.Subject, Name: p.Name},
	}
	if value != "" {
		d.Amount = &countersign.Amount{Value: value, Currency: homeCurrency}
	}
	switch kind {
	case countersign.KindPurchaseOrder:
		d.Dates.Delivery = m.now.AddDate(0, 0, 21).Format(time.DateOnly)
		d.Terms = &countersign.Terms{PaymentDays: 30}
	case countersign.KindInvoice:
		d.Dates.Due = m.now.AddDate(0, 0, 30).Format(time.DateOnly)
	case countersign.KindPayment:
		d.Dates.Execution = m.now.Format(time.DateOnly)
	}
	return d
}

func caseprefix(kind string) string {
	if prefix, ok := prefixes[kind]; ok {
		return prefix
	}
	return "CHG"
}

func (m *caseMaker) line(number int, description, quantity, price, total string) countersign.Line {
	return countersign.Line{Number: fmt.Sprint(number), Description: description, Quantity: quantity, Unit: "C62", UnitPrice: price,
		Amount: &countersign.Amount{Value: total, Currency: homeCurrency}}
}

func (m *caseMaker) name(subject string) string { return m.company.Person(subject).Name }

// forgedIBAN is the account that the fraudster asks for.
func forgedIBAN() string {
	const number = "1000011101001000"
	return "LT" + ibanCheck("LT", number) + number
}
