package demo

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// trade is a category of purchases. Amounts of a trade are lognormal around its
// vendors' medians, beside the prices of their catalogues.
type trade struct {
	category   string
	department string
	nouns      []string
	vendors    int     // how many of about 100 vendors
	busy       float64 // tendency to be bought from often
	median     float64 // euros
	sigma      float64 // of the logarithm
	catalogue  float64 // share at a price from the catalogue
	ordered    float64 // share with a purchase order
	terms      int     // days to pay
	contract   bool    // monthly amounts that do not change
}

var trades = []trade{
	{"Raw Materials", making, []string{"Polymers", "Pulp", "Resins", "Board Mills"}, 11, 5, 1900, 1.15, 0.2, 0.9, 30, false},
	{"Packaging Components", making, []string{"Closures", "Labels", "Cartons", "Packaging"}, 13, 5, 950, 0.95, 0.32, 0.85, 30, false},
	{"Spare Parts", making, []string{"Bearings", "Drives", "Pneumatics", "Spares"}, 12, 4, 520, 1.1, 0.38, 0.8, 30, false},
	{"Freight", making, []string{"Logistics", "Freight", "Forwarding"}, 10, 6, 640, 0.85, 0.25, 0.3, 14, false},
	{"Maintenance", making, []string{"Industrial Service", "Maintenance", "Calibration"}, 9, 3, 1100, 1.1, 0.2, 0.6, 30, false},
	{"Temporary Staff", making, []string{"Personnel", "Staffing"}, 4, 6, 1450, 0.55, 0.35, 0.3, 14, false},
	{"Office Supplies", systems, []string{"Office Supply", "Paper", "Stationery"}, 7, 4, 420, 0.85, 0.45, 0.5, 14, false},
	{"IT Equipment", systems, []string{"Computer Supply", "Networks", "Devices"}, 7, 3, 980, 1.15, 0.35, 0.85, 30, false},
	{"Software", systems, []string{"Software", "Data Services"}, 6, 2, 1250, 1.0, 0.3, 0.5, 30, true},
	{"Facilities", systems, []string{"Facility Care", "Waste Services", "Cleaning"}, 7, 3, 820, 0.8, 0.25, 0.4, 30, true},
	{"Energy and Telecoms", finance, []string{"Energy", "Telecom", "Utilities"}, 5, 2, 1700, 0.7, 0.15, 0, 14, true},
	{"Rent and Leasing", finance, []string{"Property", "Leasing", "Estates"}, 5, 1, 4200, 0.5, 0.4, 0, 10, true},
	{"Professional Services", finance, []string{"Advisory", "Engineering Consult", "Translation", "Legal"}, 9, 2, 2300, 1.1, 0.15, 0.4, 30, false},
	{"Marketing", sales, []string{"Design", "Media", "Events", "Print"}, 10, 3, 1050, 1.05, 0.22, 0.45, 30, false},
	{"Travel", sales, []string{"Travel", "Hotels"}, 4, 4, 470, 0.8, 0.2, 0, 14, false},
	{"Capital Equipment", making, []string{"Machinery", "Automation"}, 5, 0.5, 9000, 1.0, 0, 1, 45, false},
}

func (g *generator) pickTrade() *trade {
	total := 0
	for _, t := range trades {
		total += t.vendors
	}
	n := g.IntN(total)
	for i := range trades {
		if n -= trades[i].vendors; n < 0 {
			return &trades[i]
		}
	}
	return &trades[0]
}

// spend makes the year: contracts month by month, everything else on days drawn
// by their weight, and the hand-written history of the vendors of the cases.
func (g *generator) spend() {
	for _, v := range g.vendors {
		if v.contract > 0 {
			g.contractYear(v)
		}
	}
	days, weights := g.calendar()
	cumulated := make([]float64, len(g.vendors))
	total := 0.0
	for i, v := range g.vendors {
		total += v.weight
		cumulated[i] = total
	}
	drawn := make([]time.Time, irregular)
	for i := range drawn {
		drawn[i] = days[g.draw(weights)]
	}
	slices.SortFunc(drawn, time.Time.Compare)
	for i, day := range drawn {
		v := g.vendors[g.draw(cumulated)]
		for v.CreatedAt.After(day.AddDate(0, 0, -3)) { // not a vendor yet
			v = g.vendors[g.draw(cumulated)]
		}
		g.buy(v, day, i%350 == 175)
	}
	g.caseHistory()
}

// draw returns an index by cumulated weights; never one whose weight is nothing.
func (g *generator) draw(cumulated []float64) int {
	at := g.Float64() * cumulated[len(cumulated)-1]
	return sort.Search(len(cumulated)-1, func(i int) bool { return cumulated[i] > at })
}

// calendar lists the days of the year with cumulated weights: few invoices on
// Fridays, hardly any at the weekend, many at the end of a month, fewer in August
// and at the end of December.
func (g *generator) calendar() ([]time.Time, []float64) {
	byWeekday := [7]float64{0, 1.05, 1.1, 1.05, 1.0, 0.75, 0.015}
	var days []time.Time
	var weights []float64
	total := 0.0
	for day := g.from; day.Before(g.until); day = day.AddDate(0, 0, 1) {
		w := byWeekday[day.Weekday()]
		if day.AddDate(0, 0, 4).Month() != day.Month() {
			w *= 2.1
		}
		switch {
		case day.Month() == time.August:
			w *= 0.75
		case day.Month() == time.December && day.Day() > 22:
			w *= 0.25
		}
		total += w
		days, weights = append(days, day), append(weights, total)
	}
	return days, weights
}

// contractYear bills a contract on the same day of every month.
func (g *generator) contractYear(v *vendor) {
	billing := 1 + g.IntN(10)
	for month := 0; month <= 12; month++ {
		first := time.Date(g.from.Year(), g.from.Month()+time.Month(month), billing, 0, 0, 0, 0, time.UTC)
		day := workday(first)
		if day.Before(g.from) || !day.Before(g.until) {
			continue
		}
		g.chain(deal{vendor: v, day: day, euros: v.contract, requester: payables, native: true})
	}
}

// buy makes one purchase of a vendor on a day, or sends something back.
func (g *generator) buy(v *vendor, day time.Time, back bool) {
	t := v.trade
	euros, native := 0.0, false
	switch {
	case g.Float64() < t.catalogue:
		euros, native = v.prices[min(g.IntN(len(v.prices)), g.IntN(len(v.prices)))], true
	default:
		euros = v.median * math.Exp(t.sigma*g.NormFloat64())
		if g.IntN(9) == 0 { // quoted in round numbers
			euros, native = roundTo(euros, 50), true
		}
	}
	euros = math.Max(euros, 4)
	d := deal{vendor: v, day: day, euros: euros, native: native, ordered: g.Float64() < t.ordered,
		requester: pick(g, deskOf[t.department].requesters)}
	if back {
		d.euros, d.ordered = -euros*0.4, false
	}
	g.chain(d)
}

// deal is one purchase: an invoice, and perhaps its order and its payment.
type deal struct {
	vendor    *vendor
	day       time.Time // of the invoice
	euros     float64
	native    bool // the amount is agreed in the vendor's own currency
	ordered   bool
	requester string
	approver  string // "" is whoever should
	unpaid    bool
}

// chain writes the records of a deal and returns them, the invoice first. What
// would be dated outside the year is not in the year's records.
func (g *generator) chain(d deal) []Ref {
	amount := g.amount(d)
	approver := d.approver
	if approver == "" {
		approver = g.approverOf(g.departmentOf(d.vendor), d.requester, d.euros)
	}
	refs := []Ref{g.record(d, countersign.KindInvoice, d.day, amount, approver)}
	if d.ordered {
		ordered := workday(d.day.AddDate(0, 0, -3-g.IntN(25)))
		if !ordered.Before(g.from) && !ordered.Before(d.vendor.CreatedAt) {
			refs = append(refs, g.record(d, countersign.KindPurchaseOrder, ordered, amount, approver))
		}
	}
	if d.euros > 0 && !d.unpaid {
		if paid := g.paymentDay(d); paid.Before(g.until) {
			d.requester = payables
			if g.IntN(2) == 0 {
				d.requester = payables2
			}
			refs = append(refs, g.record(d, countersign.KindPayment, paid, amount, treasurer))
		}
	}
	return refs
}

// paymentDay: nearly everything is paid in the weekly run, a little by hand.
func (g *generator) paymentDay(d deal) time.Time {
	terms := 30
	if d.vendor.trade != nil {
		terms = d.vendor.trade.terms
	}
	day := d.day.AddDate(0, 0, terms)
	if g.Float64() < 0.105 {
		switch n := g.IntN(100); {
		case n < 72:
			return next(day, time.Wednesday)
		case n < 77:
			return next(day, time.Thursday)
		default:
			return next(day, time.Friday)
		}
	}
	return next(day, weeklyPayment)
}

func next(day time.Time, weekday time.Weekday) time.Time {
	return day.AddDate(0, 0, (int(weekday)-int(day.Weekday())+7)%7)
}

// workday moves a day at the weekend to the Friday before.
func workday(day time.Time) time.Time {
	switch day.Weekday() {
	case time.Saturday:
		return day.AddDate(0, 0, -1)
	case time.Sunday:
		return day.AddDate(0, 0, -2)
	}
	return day
}

func (g *generator) departmentOf(v *vendor) string {
	if v.trade != nil {
		return v.trade.department
	}
	return caseDepartments[v.ID]
}

var prefixes = map[string]string{countersign.KindInvoice: "INV", countersign.KindPurchaseOrder: "PO", countersign.KindPayment: "PAY"}

// record writes one purchase and returns its provisional name. It is approved
// within some working hours, unless that would be after the year.
func (g *generator) record(d deal, kind string, day time.Time, amount countersign.Amount, approver string) Ref {
	v := d.vendor
	p := connect.Purchase{
		Kind: kind, ID: fmt.Sprint(len(g.purchases)), Entity: entity,
		VendorID: v.ID, VendorName: v.Name, Department: g.departmentOf(v), Category: v.Category,
		Amount: amount, Date: day, Requester: d.requester, Approver: approver,
	}
	decided := day.AddDate(0, 0, g.IntN(3))
	if w := decided.Weekday(); w == time.Saturday || w == time.Sunday {
		decided = next(decided, time.Monday)
	}
	if at := decided.Add(time.Duration(8*60+g.IntN(9*60)) * time.Minute); at.Before(g.until) {
		p.ApprovedAt = at
	}
	if kind == countersign.KindPayment || kind == countersign.KindInvoice {
		account := v.accountOn(day)
		p.Account = &account
	}
	g.purchases = append(g.purchases, p)
	return Ref{kind, p.ID}
}

// amount is the deal's amount in the vendor's currency.
func (g *generator) amount(d deal) countersign.Amount {
	currency := d.vendor.currency
	units := d.euros / g.rateOn(currency, d.day)
	if d.native { // agreed in that currency: as the rate was at first, to the five
		units = d.euros
		if currency != homeCurrency {
			units = roundTo(d.euros/g.rateOn(currency, g.from), 5)
		}
	}
	exp, _ := countersign.Exponent(currency)
	return countersign.Amount{Value: countersign.FormatMinor(int64(math.Round(units*math.Pow10(exp))), currency), Currency: currency}
}

// makeRates: a walk for each currency, one rate a month.
func (g *generator) makeRates() {
	for _, c := range []struct {
		currency string
		value    float64
	}{{"CHF", 1.055}, {"GBP", 1.17}, {"JPY", 0.0061}, {"SEK", 0.0885}, {"USD", 0.92}} {
		value := c.value
		month := time.Date(g.from.Year(), g.from.Month(), 1, 0, 0, 0, 0, time.UTC)
		for day := month; day.Before(g.until); day = day.AddDate(0, 1, 0) {
			text := strings.TrimRight(fmt.Sprintf("%.6f", value), "0")
			g.rates = append(g.rates, Rate{Currency: c.currency, Base: homeCurrency, Value: text, Day: day, Source: "sample rates"})
			g.worth = append(g.worth, value)
			value *= 1 + 0.012*g.NormFloat64()
		}
	}
}

// rateOn is what one unit of a currency is worth in euros on a day.
func (g *generator) rateOn(currency string, day time.Time) float64 {
	worth := 1.0
	for i := range g.rates {
		if r := &g.rates[i]; r.Currency == currency && !r.Day.After(day) {
			worth = g.worth[i]
		}
	}
	return worth
}
