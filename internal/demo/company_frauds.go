package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// caseDepartments are the departments that buy from the vendors of the cases.
var caseDepartments = map[string]string{
	VendorTools: making, VendorConveyor: making, VendorFilm: making, VendorFitout: systems, VendorHosting: systems, VendorNew: sales,
}

// caseHistory writes the year of the vendors of the cases. What the cases are to
// show depends on it: that 900 is usual for one vendor and 30,000 for another, and
// that nothing large was bought lately from the one whose work comes in parts.
func (g *generator) caseHistory() {
	by := map[string]*vendor{}
	for _, v := range g.vendors[:6] {
		by[v.ID] = v
	}
	for back := 361; back > 1; back -= 5 + g.IntN(3) {
		g.caseDeal(by[VendorTools], back, roundTo(350+900*g.Float64(), 0.05), buyer)
	}
	for i, euros := range []float64{18400, 26750, 12900, 37800, 22300, 31200} {
		g.caseDeal(by[VendorConveyor], 338-57*i, euros, buyer)
	}
	for back := 358; back > 9; back -= 28 {
		g.caseDeal(by[VendorFilm], back, roundTo(9200+6500*g.Float64(), 0.5), buyer)
	}
	for i, euros := range []float64{2400, 8900, 5650, 10800, 1550, 7200, 9900, 3300, 6400} {
		g.caseDeal(by[VendorFitout], 360-35*i, euros, buyer2)
	}
	for back := 360; back > 5; back -= 30 {
		g.caseDeal(by[VendorHosting], back, 2380, admin)
	}
}

func (g *generator) caseDeal(v *vendor, back int, euros float64, requester string) {
	g.chain(deal{vendor: v, day: workday(g.until.AddDate(0, 0, -back)), euros: euros, native: true, ordered: true, requester: requester})
}

// planBankChanges changes the accounts of some vendors during the year, before
// anything is paid. One change is a fraud: a large vendor's account is exchanged
// after a forged mail, and put right three weeks later.
func (g *generator) planBankChanges() {
	candidates := slices.DeleteFunc(slices.Clone(g.vendors[6:]), func(v *vendor) bool { return !v.CreatedAt.Before(g.from) })
	victim := candidates[0]
	for _, v := range candidates {
		if v.contract == 0 && v.currency == homeCurrency && v.weight*min(v.median, 2000) > victim.weight*min(victim.median, 2000) {
			victim = v
		}
	}
	for range 9 {
		v := pick(g, candidates)
		if v == victim || len(v.accounts) > 1 {
			continue
		}
		g.changeAccount(v, workday(g.from.AddDate(0, 0, 20+g.IntN(yearDays-40))), g.account(placeOf(v.Country)), treasurer2)
	}
	day := next(g.from.AddDate(0, 0, 130+g.IntN(60)), time.Thursday)
	genuine := victim.accounts[0].account
	g.changeAccount(victim, day, g.account(placeOf("LT")), treasurer)
	g.changeAccount(victim, day.AddDate(0, 0, 27), genuine, treasurer2)
	g.frauds = append(g.frauds, Fraud{Label: FraudBankChange, Explanation: fmt.Sprintf(
		"A mail in the name of %s asked for payments to a new account in Lithuania. It was changed on %s without a call; what was due in the next weeks went there, until the vendor asked where its money was.",
		victim.Name, day.Format(time.DateOnly))})
}

func (g *generator) changeAccount(v *vendor, day time.Time, to countersign.Account, approver string) {
	requester := payables
	if g.IntN(2) == 0 {
		requester = payables2
	}
	g.changes = append(g.changes, BankChange{VendorID: v.ID, Day: day, From: v.accountOn(day), To: to, Requester: requester, Approver: approver})
	v.accounts = append(v.accounts, dated{day, to})
}

// plantFrauds finishes the fraud with the account and adds the others.
func (g *generator) plantFrauds() {
	g.bankFraud()
	g.splitFraud()
	g.newVendorFraud()
	g.duplicateFraud()
	g.belowThresholdFraud()
	g.ownRequestFraud()
	g.urgentFraud()
}

// bankFraud names the payments that went to the stolen account: at least two.
func (g *generator) bankFraud() {
	forged := g.changes[len(g.changes)-2]
	victim := g.vendors[slices.IndexFunc(g.vendors, func(v *vendor) bool { return v.ID == forged.VendorID })]
	var stolen []Ref
	paid := func(from int) {
		for _, p := range g.purchases[from:] {
			if p.Kind == countersign.KindPayment && p.Account.Value == forged.To.Value {
				stolen = append(stolen, Ref{p.Kind, p.ID})
			}
		}
	}
	for paid(0); len(stolen) < 2; { // a quiet month: what is due then is larger
		from := len(g.purchases)
		due := workday(forged.Day.AddDate(0, 0, 6))
		g.chain(deal{vendor: victim, day: due.AddDate(0, 0, -victim.trade.terms), euros: 5 * victim.median, requester: payables})
		paid(from)
	}
	g.frauds[0].Purchases = stolen
}

func (g *generator) label(label string, refs []Ref, format string, args ...any) {
	g.frauds = append(g.frauds, Fraud{Label: label, Purchases: refs, Explanation: fmt.Sprintf(format, args...)})
}

// known picks an old vendor of a trade that bills in euros without a contract.
func (g *generator) known(categories ...string) *vendor {
	fits := func(v *vendor) bool {
		return v.trade != nil && slices.Contains(categories, v.trade.category) && v.currency == homeCurrency && v.contract == 0 && v.CreatedAt.Before(g.from)
	}
	var found []*vendor
	for _, v := range g.vendors {
		if fits(v) {
			found = append(found, v)
		}
	}
	if len(found) == 0 { // a seed without one: any trade does
		return g.known(tradeNames()...)
	}
	return pick(g, found)
}

func tradeNames() []string {
	var names []string
	for _, t := range trades {
		names = append(names, t.category)
	}
	return names
}

// dayBack is a working day that many days before the end of the year, or a few
// days earlier, drawn from a range.
func (g *generator) dayBack(least, most int) time.Time {
	return workday(g.until.AddDate(0, 0, -least-g.IntN(most-least)))
}

func (g *generator) splitFraud() {
	v := g.known("IT Equipment", "Facilities")
	const part = 9450
	monday := next(g.dayBack(90, 200), time.Monday)
	var refs []Ref
	for i := range 4 {
		d := deal{vendor: v, day: monday.AddDate(0, 0, 14), euros: part, native: true, requester: buyer2}
		refs = append(refs, g.record(d, countersign.KindPurchaseOrder, monday.AddDate(0, 0, i), g.amount(d), headSystems))
		refs = append(refs, g.chain(d)...)
	}
	g.label(FraudSplit, refs, "One purchase of 37,800.00 EUR from %s was ordered in four equal parts within four days, each below what would have been asked about.", v.Name)
}

func (g *generator) newVendorFraud() {
	day := next(g.dayBack(60, 120), time.Wednesday)
	v := g.addVendor(fmt.Sprintf("V-%d", 1095+len(g.vendors)), "Ąžuolas Trade Consult UAB", "LT", "Professional Services", day.AddDate(0, 0, -5))
	v.trade = &trades[slices.IndexFunc(trades, func(t trade) bool { return t.category == "Professional Services" })]
	d := deal{vendor: v, day: day, euros: 24750, native: true, requester: payables2, unpaid: true}
	refs := g.chain(d)
	refs = append(refs, g.record(d, countersign.KindPayment, next(day, weeklyPayment), g.amount(d), treasurer))
	g.label(FraudNewVendor, refs, "%s was created five days before its first invoice of 24,750.00 EUR, which has no order. Nobody could say what was delivered.", v.Name)
}

func (g *generator) duplicateFraud() {
	var found []connect.Purchase
	for _, p := range g.purchases {
		age := int(g.until.Sub(p.Date).Hours() / 24)
		if minor, err := p.Amount.Minor(); err == nil && p.Kind == countersign.KindInvoice && p.Amount.Currency == homeCurrency &&
			minor >= 250000 && minor < 900000 && minor%5000 != 0 && age > 90 && age < 320 {
			found = append(found, p)
		}
	}
	first := pick(g, found)
	i := slices.IndexFunc(g.vendors, func(v *vendor) bool { return v.ID == first.VendorID })
	minor, _ := first.Amount.Minor() // was read above
	d := deal{vendor: g.vendors[i], day: workday(first.Date.AddDate(0, 0, 13)), euros: float64(minor) / 100, native: true, requester: payables}
	refs := append([]Ref{{first.Kind, first.ID}}, g.chain(d)...)
	g.label(FraudDuplicate, refs, "%s sent the same invoice of %s EUR once more under another number, and it was paid twice.", first.VendorName, first.Amount.Value)
}

func (g *generator) belowThresholdFraud() {
	v := g.known("Capital Equipment", "Maintenance", "Raw Materials")
	var refs []Ref
	start := g.dayBack(190, 230)
	for i, euros := range []float64{29700, 29450, 29900, 29640} {
		d := deal{vendor: v, day: workday(start.AddDate(0, 0, 26*i)), euros: euros, native: true, ordered: true, requester: buyer, approver: headMaking}
		refs = append(refs, g.chain(d)...)
	}
	g.label(FraudBelowThreshold, refs, "Four orders from %s in three months, each a little below 30,000 EUR, from which on a second look is asked for.", v.Name)
}

func (g *generator) ownRequestFraud() {
	v := g.known("Maintenance", "Spare Parts")
	d := deal{vendor: v, day: g.dayBack(40, 300), euros: 8900, native: true, ordered: true, requester: headMaking, approver: headMaking}
	g.label(FraudOwnRequest, g.chain(d), "The head of production asked for work of 8,900.00 EUR from %s, and approved it herself.", v.Name)
}

func (g *generator) urgentFraud() {
	day := next(g.dayBack(30, 80), time.Friday)
	v := g.addVendor(fmt.Sprintf("V-%d", 1095+len(g.vendors)), "Wexcroft Settlement Services Ltd", "GB", "Professional Services", day)
	v.trade = &trades[slices.IndexFunc(trades, func(t trade) bool { return t.category == "Professional Services" })]
	d := deal{vendor: v, day: day, euros: 48200, requester: payables}
	ref := g.record(d, countersign.KindPayment, day, g.amount(d), treasurer2)
	g.label(FraudUrgentPayment, []Ref{ref}, "On a Friday a mail in the name of the chief financial officer asked for an urgent and confidential payment to %s, created that day. There is no order and no invoice.", v.Name)
}
