package demo

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/connect"
)

// The people, by login name.
const (
	chiefFinance = "ingrid"
	controller   = "katarzyna"
	treasurer    = "tomas"
	treasurer2   = "amara"
	payables     = "jonas"
	payables2    = "priya"
	headMaking   = "marta"
	headSystems  = "daniel"
	headSales    = "yuki"
	buyer        = "elif"
	buyer2       = "lucas"
	admin        = "samuel"
	admin2       = "claire"
)

// Departments, as they stand on purchases.
const (
	making  = "Production"
	systems = "IT and Facilities"
	sales   = "Sales and Marketing"
	finance = "Finance and Administration"
)

// people returns the thirteen who matter for purchases: small enough to know by
// name, with every role that a policy may ask for held by two.
func people() []Person {
	return []Person{
		person(chiefFinance, "Ingrid Solheim", "NO").as("Chief Financial Officer", finance, "").in(500000, "approvers", "finance", "treasury", "controllers").raised(),
		person(controller, "Katarzyna Nowak", "PL").as("Financial Controller", finance, chiefFinance).in(75000, "approvers", "finance", "controllers"),
		person(treasurer, "Tomás Herrera", "ES").as("Treasurer", finance, chiefFinance).in(250000, "finance", "treasury").raised(),
		person(treasurer2, "Amara Okafor", "NG").as("Deputy Treasurer", finance, treasurer).in(100000, "treasury"),
		person(payables, "Jonas Weber", "DE").as("Accounts Payable Clerk", finance, controller),
		person(payables2, "Priya Raman", "IN").as("Accounts Payable Clerk", finance, controller),
		person(headMaking, "Marta Silva", "PT").as("Head of Production", making, chiefFinance).in(50000, "approvers"),
		person(headSystems, "Daniel O’Brien", "IE").as("Head of IT and Facilities", systems, chiefFinance).in(40000, "approvers"),
		person(headSales, "Yuki Tanaka", "JP").as("Head of Sales and Marketing", sales, chiefFinance).in(40000, "approvers"),
		person(buyer, "Elif Demir", "TR").as("Buyer", making, headMaking).in(0, "buyers"),
		person(buyer2, "Lucas Martin", "FR").as("Buyer", systems, headSystems).in(0, "buyers"),
		person(admin, "Samuel Mensah", "GH").as("Systems Administrator", systems, headSystems).in(0, "administrators").raised(),
		person(admin2, "Claire Dubois", "CA").as("Systems Administrator", systems, headSystems).in(0, "administrators").raised(),
	}
}

func person(login, name, country string) Person {
	return Person{Person: connect.Person{Subject: login, Name: name, Email: login + "@example.com"}, Country: country}
}

func (p Person) as(title, department, manager string) Person {
	p.Title, p.Department, p.Manager = title, department, manager
	return p
}

// in sets groups, and the limit in whole euros; 0 is no limit of their own.
func (p Person) in(limit int64, groups ...string) Person {
	p.Groups = slices.Sorted(slices.Values(groups))
	if limit > 0 {
		p.Limit = &countersign.Amount{Value: countersign.FormatMinor(limit*100, homeCurrency), Currency: homeCurrency}
	}
	return p
}

func (p Person) raised() Person {
	p.Privileged = true
	return p
}

// deskOf says who asks and who approves in a department.
var deskOf = map[string]struct {
	requesters []string
	head       string
}{
	making:  {[]string{buyer, buyer, buyer, headMaking}, headMaking},
	systems: {[]string{buyer2, buyer2, buyer2, admin, admin2}, headSystems},
	sales:   {[]string{headSales, buyer2, buyer2}, headSales},
	finance: {[]string{payables, payables2, payables}, controller},
}

// approverOf returns who approves: the head of the department, or the chief
// financial officer where the head asked or the amount is above the head's limit.
func (g *generator) approverOf(department, requester string, euros float64) string {
	head := deskOf[department].head
	for _, p := range g.people {
		if p.Subject == head && head != requester {
			if limit, err := p.Limit.Minor(); err == nil && euros*100 <= float64(limit) {
				return head
			}
		}
	}
	return chiefFinance
}
