package demo

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// Vendors that the live cases are about. Their history is written by hand, so that
// each case shows what it is meant to show.
const (
	VendorTools    = "V-1001" // a known vendor of small things
	VendorConveyor = "V-1002" // a known vendor of large things
	VendorFilm     = "V-1003" // a regular vendor, whose account somebody wants to change
	VendorFitout   = "V-1004" // whose work is bought in parts
	VendorHosting  = "V-1005" // from whom an agent buys
	VendorNew      = "V-1006" // without any history
)

// vendor is one vendor while the company is made.
type vendor struct {
	connect.Vendor
	trade    *trade
	currency string
	weight   float64   // of being bought from
	median   float64   // of one purchase, in euros
	prices   []float64 // catalogue, in euros
	contract float64   // euros a month under a contract; 0 is none
	accounts []dated   // by day
}

// dated is an account from a day on.
type dated struct {
	from    time.Time
	account countersign.Account
}

func (v *vendor) accountOn(day time.Time) countersign.Account { return v.at(day).account }

// accountSince is the day of the account's last change; the vendor's first day
// where there was none.
func (v *vendor) accountSince(day time.Time) time.Time { return v.at(day).from }

func (v *vendor) at(day time.Time) dated {
	last := v.accounts[0]
	for _, a := range v.accounts {
		if !a.from.After(day) {
			last = a
		}
	}
	return last
}

// place is what vendors of one country look like.
type place struct {
	country  string
	share    int // of 100 or so vendors
	currency string
	legal    string
	stems    string
	taxForm  string // '#' is a digit
	bank     string // an example bank code, as the IBAN registry documents it
	digits   int    // that follow it
	scheme   string // "" is iban
}

var places = []place{
	{"DE", 38, "EUR", "GmbH", "Hollenkamp Ostermoor Ruhwald Steinhege Vossberg Tannreuth Eichkamp Lohbrink Marwede Kaltenborn Wiesendorf Brauhagen", "DE#########", "37040044", 10, ""},
	{"NL", 11, "EUR", "B.V.", "Veenhorst Duinmeer Zandwijk Polderman Rietveer Waalkamp Lindehoek", "NL#########B01", "ABNA", 10, ""},
	{"FR", 12, "EUR", "SAS", "Clairmontel Valbrune Roquesac Boisverny Montfleur Larivaux Bellecombre", "FR###########", "2004101005", 13, ""},
	{"GB", 13, "GBP", "Ltd", "Ashcombe Thornwick Merrowdale Pennyfield Harrowgill Stanbeck Wexcroft Oakhanger", "GB#########", "NWBK601613", 8, ""},
	{"PL", 10, "EUR", "Sp. z o.o.", "Kowalewicz Brzezin Jaworek Wiklina Olszanka Dębniak", "PL##########", "10901014", 16, ""},
	{"AT", 7, "EUR", "GmbH", "Almreith Tauernhof Innkreith Donauwerd Seelach", "ATU########", "19043", 11, ""},
	{"CZ", 7, "EUR", "s.r.o.", "Lipovka Hradisko Vltavan Javorník Borovka", "CZ########", "0800", 16, ""},
	{"IT", 9, "EUR", "S.r.l.", "Valdoria Montelago Ferrabosco Pietralba Rivachiara Terranova", "IT###########", "X0542811101", 12, ""},
	{"ES", 8, "EUR", "S.L.", "Riofresco Altasierra Mirandola Campoverde Peñalta", "ESB########", "21000418", 12, ""},
	{"BE", 6, "EUR", "BV", "Scheldehof Kempenaer Ardenval Dijlemans", "BE0#########", "539", 9, ""},
	{"SE", 6, "SEK", "AB", "Björkhaga Tallmark Granlid Sjövik", "SE##########01", "500", 17, ""},
	{"DK", 4, "EUR", "ApS", "Klitholm Bøgelund Strandmark", "DK########", "0040", 10, ""},
	{"CH", 6, "CHF", "AG", "Bergmatt Rütihof Seewald Oberalm", "CHE#########", "00762", 12, ""},
	{"US", 6, "USD", "Inc.", "Cedarport Millbrae Stonehaven Ridgeway", "##-#######", "123456780-", 9, "aba"},
	{"JP", 2, "JPY", "K.K.", "Minamori Aozora", "T#############", "9999-123-", 7, "zengin"},
	{"PT", 3, "EUR", "Lda.", "Montesilva Ribeirinho", "PT#########", "00020123", 13, ""},
	{"IE", 3, "EUR", "Ltd", "Ballyrowan Glenmore", "IE#######WA", "AIBK931152", 8, ""},
	{"FI", 3, "EUR", "Oy", "Koivuranta Järvelä", "FI########", "123456", 8, ""},
	{"LT", 1, "EUR", "UAB", "Pamario Ąžuolas", "LT#########", "10000", 11, ""},
}

func placeOf(country string) *place {
	for i := range places {
		if places[i].country == country {
			return &places[i]
		}
	}
	panic("demo: no vendors in " + country) // a programmer's error, found by the first test
}

// makeVendors makes the vendors of the cases and then as many as are missing.
func (g *generator) makeVendors() {
	old := g.from.AddDate(-4, 0, 0)
	for _, c := range []struct {
		id, name, country, category string
		created                     time.Time
	}{
		{VendorTools, "Ruhwald Werkzeughandel GmbH", "DE", "Tools and Workshop Supplies", old},
		{VendorConveyor, "Glenmore Conveyor Systems Ltd", "IE", "Machinery", old.AddDate(0, 5, 11)},
		{VendorFilm, "Lipovka Fólie s.r.o.", "CZ", "Packaging Film", old.AddDate(-1, 2, 3)},
		{VendorFitout, "Rietveer Fitout B.V.", "NL", "Building Works", old.AddDate(2, 1, 19)},
		{VendorHosting, "Koivuranta Cloud Hosting Oy", "FI", "Hosting", old.AddDate(1, 7, 0)},
		{VendorNew, "Ribeirinho Brand Studio Lda.", "PT", "Marketing Services", workday(g.until.AddDate(0, 0, -6))},
	} {
		g.addVendor(c.id, c.name, c.country, c.category, c.created)
	}
	taken := map[string]bool{}
	for n := len(g.vendors); n < vendorCount-2; n++ { // two more come with the frauds
		t := g.pickTrade()
		p := g.pickPlace()
		name := ""
		for name == "" || taken[name] {
			name = pick(g, strings.Fields(p.stems)) + " " + pick(g, t.nouns) + " " + p.legal
		}
		taken[name] = true
		v := g.addVendor("", name, p.country, t.category, g.createdDay())
		v.trade = t
		v.median = t.median * math.Exp(0.3*g.NormFloat64())
		for range 4 {
			v.prices = append(v.prices, roundTo(v.median*math.Exp(t.sigma*g.NormFloat64()), 0.05))
		}
	}
	g.rankVendors()
	rest := g.vendors[6:]
	slices.SortStableFunc(rest, func(a, b *vendor) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for i, v := range rest {
		v.ID = fmt.Sprintf("V-%d", 1101+i)
	}
}

// rankVendors gives weights that fall with the rank as a power (Zipf), and makes
// the vendors of some trades contracts: the same amount every month.
func (g *generator) rankVendors() {
	order := slices.Clone(g.vendors[6:])
	g.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	// Who sells what everybody needs all the time is rarely one of the smallest.
	slices.SortStableFunc(order, func(a, b *vendor) int { return cmp.Compare(b.trade.busy, a.trade.busy) })
	for i := range order { // but not strictly so
		j := min(len(order)-1, i+g.IntN(70))
		order[i], order[j] = order[j], order[i]
	}
	contracts := 0
	for i, v := range order {
		v.weight = math.Pow(float64(i)+2, -0.95)
		if v.trade.contract && contracts < 15 && v.CreatedAt.Before(g.from) {
			contracts++
			v.contract = roundTo(v.median, 10)
			v.weight = 0
		}
	}
}

// addVendor adds one vendor. Tax ids and accounts are invented: the form is right,
// and so are an IBAN's check digits; numbers inside that only a country checks are
// not.
func (g *generator) addVendor(id, name, country, category string, created time.Time) *vendor {
	p := placeOf(country)
	v := &vendor{Vendor: connect.Vendor{
		ID: id, Name: name, Country: country, Category: category, Status: "active", TaxID: g.digitsInto(p.taxForm),
		Email: "accounts@" + mailLabel(name) + ".example", CreatedAt: created, CreatedBy: payables,
	}, currency: p.currency}
	if g.IntN(3) == 0 {
		v.CreatedBy = payables2
	}
	v.accounts = []dated{{created, g.account(p)}}
	g.vendors = append(g.vendors, v)
	return v
}

// createdDay: most vendors are old, some came during the year.
func (g *generator) createdDay() time.Time {
	back := 0
	switch n := g.IntN(100); {
	case n < 68:
		back = yearDays + 200 + g.IntN(3200)
	case n < 88:
		back = yearDays + 5 + g.IntN(200)
	default:
		back = 25 + g.IntN(yearDays-40)
	}
	return workday(g.until.AddDate(0, 0, -back))
}

func (g *generator) pickPlace() *place {
	total := 0
	for _, p := range places {
		total += p.share
	}
	n := g.IntN(total)
	for i := range places {
		if n -= places[i].share; n < 0 {
			return &places[i]
		}
	}
	return &places[0]
}

// account invents an account at the example bank of a country.
func (g *generator) account(p *place) countersign.Account {
	number := p.bank + g.digitsInto(strings.Repeat("#", p.digits))
	if p.scheme != "" {
		return countersign.Account{Scheme: p.scheme, Value: number}
	}
	return countersign.Account{Scheme: "iban", Value: p.country + ibanCheck(p.country, number) + number}
}

// ibanCheck returns the two check digits of an IBAN (ISO 13616: 98 minus the
// remainder by 97 of the account, the country and two zeros, letters as 10 to 35).
func ibanCheck(country, number string) string {
	rest := 0
	for _, c := range []byte(number + country + "00") {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return fmt.Sprintf("%02d", 98-rest)
}

func (g *generator) digitsInto(form string) string {
	b := []byte(form)
	for i := range b {
		if b[i] == '#' {
			b[i] = '0' + byte(g.IntN(10))
		}
	}
	return string(b)
}

// mailLabel makes a host label of a name: its ASCII letters.
func mailLabel(name string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, name)
	return label[:min(len(label), 30)]
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func roundTo(x, step float64) float64 { return math.Max(step, math.Round(x/step)*step) }
