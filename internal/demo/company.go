// Package demo is the sample company that Countersign is shown with: its people,
// vendors and a year of purchases, the frauds among them, and the cases that wait
// to be played. Everything is invented and made from a seed; nothing is read from
// anywhere.
package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// Company is a sample company with a year behind it.
type Company struct {
	Name     string
	Entity   string    // its one legal entity
	Currency string    // its own: amounts in others are converted at Rates
	Source   string    // the system that its documents and identifiers come from
	Until    time.Time // the day on which the year ends, at 00:00 UTC: nothing in it is that late

	People      []Person
	Vendors     []connect.Vendor   // with the account as of Until; by id
	Purchases   []connect.Purchase // by day, then kind and number
	Rates       []Rate             // by currency, then day
	BankChanges []BankChange       // by day
	Frauds      []Fraud
}

// Person is one of the company's people. Subject is the login name.
type Person struct {
	connect.Person
	Title   string
	Country string // ISO 3166-1 alpha-2
}

// Rate says what one unit of a currency was worth from a day on.
type Rate struct {
	Currency string
	Base     string
	Value    string // decimal: units of Base for one unit of Currency
	Day      time.Time
	Source   string
}

// BankChange is a change of a vendor's account in the year behind.
type BankChange struct {
	VendorID  string
	Day       time.Time
	From, To  countersign.Account
	Requester string // subject
	Approver  string // subject
}

// Ref names a purchase.
type Ref struct{ Kind, ID string }

// Fraud is something in the year that should have been caught.
type Fraud struct {
	Label       string // one of the Fraud constants
	Purchases   []Ref  // by kind, then number
	Explanation string // what happened, in sentences
}

// The labels of frauds.
const (
	FraudBankChange     = "bank_change"
	FraudSplit          = "split_purchase"
	FraudNewVendor      = "new_vendor_invoice"
	FraudDuplicate      = "duplicate_invoice"
	FraudBelowThreshold = "below_threshold"
	FraudOwnRequest     = "own_request"
	FraudUrgentPayment  = "urgent_payment"
)

const (
	companyName   = "Lindqvale Packaging SE"
	entity        = "LQV-DE"
	homeCurrency  = "EUR"
	source        = "erp"
	yearDays      = 365
	vendorCount   = 150
	irregular     = 1370 // purchases beside the contracts
	weeklyPayment = time.Tuesday
)

// Generate makes the sample company as of the day of until. The same seed and day
// give the same company.
func Generate(seed uint64, until time.Time) Company {
	until = time.Date(until.Year(), until.Month(), until.Day(), 0, 0, 0, 0, time.UTC)
	g := &generator{
		Rand:  rand.New(rand.NewPCG(seed, 0x636f756e746572)),
		until: until,
		from:  until.AddDate(0, 0, -yearDays),
	}
	g.people = people()
	g.makeRates()
	g.makeVendors()
	g.planBankChanges()
	g.spend()
	g.plantFrauds()
	return g.company()
}

// generator holds the company while it is made.
type generator struct {
	*rand.Rand
	from, until time.Time

	people    []Person
	rates     []Rate
	worth     []float64 // of the rates, as numbers
	vendors   []*vendor
	changes   []BankChange
	purchases []connect.Purchase
	frauds    []Fraud
}

// numberPurchases orders the year and gives documents their numbers, which rise
// with the days as those of a real system do. Until now they had provisional ones.
func (g *generator) numberPurchases() {
	slices.SortStableFunc(g.purchases, func(a, b connect.Purchase) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Kind, b.Kind))
	})
	last, final := map[string]int{}, map[Ref]string{}
	for i := range g.purchases {
		p := &g.purchases[i]
		prefix := fmt.Sprintf("%s-%d", prefixes[p.Kind], p.Date.Year())
		last[prefix]++
		id := fmt.Sprintf("%s-%05d", prefix, last[prefix])
		final[Ref{p.Kind, p.ID}] = id
		p.ID = id
	}
	for _, f := range g.frauds {
		for i, r := range f.Purchases {
			f.Purchases[i].ID = final[r]
		}
		slices.SortFunc(f.Purchases, func(a, b Ref) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
		})
	}
}

func (g *generator) company() Company {
	g.numberPurchases()
	slices.SortStableFunc(g.changes, func(a, b BankChange) int { return a.Day.Compare(b.Day) })
	c := Company{
		Name: companyName, Entity: entity, Currency: homeCurrency, Source: source, Until: g.until,
		People: g.people, Purchases: g.purchases, Rates: g.rates, BankChanges: g.changes, Frauds: g.frauds,
	}
	for _, v := range g.vendors {
		account := v.accountOn(g.until)
		master := v.Vendor
		master.Account = &account
		master.AccountSince = v.accountSince(g.until)
		c.Vendors = append(c.Vendors, master)
	}
	return c
}

// Vendor returns the vendor of an id, or nil.
func (c *Company) Vendor(id string) *connect.Vendor {
	for i := range c.Vendors {
		if c.Vendors[i].ID == id {
			return &c.Vendors[i]
		}
	}
	return nil
}

// Person returns the person of a login name, or nil.
func (c *Company) Person(subject string) *Person {
	for i := range c.People {
		if c.People[i].Subject == subject {
			return &c.People[i]
		}
	}
	return nil
}
