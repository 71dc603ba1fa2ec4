package countersign

import "strconv"

// ValidateFacts checks the form of facts before any is recorded. The error is a
// [Problem] that names every wrong place.
func ValidateFacts(b *FactsBody) error {
	v := &validator{}
	for i := range b.Vendors {
		v.vendorFact("/vendors/"+strconv.Itoa(i), &b.Vendors[i])
	}
	for i := range b.People {
		v.personFact("/people/"+strconv.Itoa(i), &b.People[i])
	}
	for i := range b.Purchases {
		v.purchaseFact("/purchases/"+strconv.Itoa(i), &b.Purchases[i])
	}
	for i := range b.Rates {
		v.rateFact("/rates/"+strconv.Itoa(i), &b.Rates[i])
	}
	return v.err()
}

func (v *validator) vendorFact(at string, f *VendorFact) {
	v.need(at+"/id", f.ID, maxID)
	v.need(at+"/name", f.Name, maxName)
	v.text(at+"/tax_id", f.TaxID, maxID)
	v.text(at+"/status", f.Status, 40)
	v.text(at+"/created_by", f.CreatedBy, maxID)
	v.moment(at+"/created_at", f.CreatedAt)
	if f.Country != "" && !upperLetters(f.Country, 2) {
		v.fail(at+"/country", "want two upper-case letters (ISO 3166-1), as \"DE\"")
	}
	v.count(at+"/accounts", len(f.Accounts), 50)
	for i := range f.Accounts {
		a := at + "/accounts/" + strconv.Itoa(i)
		v.account(a, &f.Accounts[i].Account)
		v.moment(a+"/changed_at", f.Accounts[i].ChangedAt)
	}
}

func (v *validator) personFact(at string, f *PersonFact) {
	v.need(at+"/subject", f.Subject, maxID)
	v.need(at+"/name", f.Name, maxName)
	v.text(at+"/email", f.Email, maxName)
	v.text(at+"/manager", f.Manager, maxID)
	v.count(at+"/aliases", len(f.Aliases), 20)
	for i, a := range f.Aliases {
		v.need(at+"/aliases/"+strconv.Itoa(i)+"/source", a.Source, maxID)
		v.need(at+"/aliases/"+strconv.Itoa(i)+"/subject", a.Subject, maxID)
	}
	v.count(at+"/groups", len(f.Groups), 200)
	for i, g := range f.Groups {
		v.need(at+"/groups/"+strconv.Itoa(i), g, maxID)
	}
	v.count(at+"/limits", len(f.Limits), 50)
	for i, l := range f.Limits {
		a := at + "/limits/" + strconv.Itoa(i)
		v.text(a+"/kind", l.Kind, 40)
		v.amount(a+"/amount", l.Amount)
		if n, err := l.Amount.Minor(); err == nil && n < 0 {
			v.fail(a+"/amount", "a limit cannot be negative")
		}
	}
}

func (v *validator) purchaseFact(at string, f *PurchaseFact) {
	v.need(at+"/kind", f.Kind, 40)
	v.need(at+"/id", f.ID, maxID)
	v.text(at+"/line", f.Line, maxID)
	v.need(at+"/vendor", f.Vendor, maxID)
	v.amount(at+"/amount", f.Amount)
	if f.Date == "" {
		v.fail(at+"/date", "required")
	}
	v.day(at+"/date", f.Date)
	if f.Account != nil {
		v.account(at+"/account", f.Account)
	}
	v.text(at+"/requester", f.Requester, maxID)
	v.text(at+"/approver", f.Approver, maxID)
	v.text(at+"/department", f.Department, maxID)
	v.text(at+"/category", f.Category, maxID)
}

func (v *validator) rateFact(at string, f *RateFact) {
	for _, c := range [...]struct{ name, code string }{{"base", f.Base}, {"currency", f.Currency}} {
		if _, ok := Exponent(c.code); !ok {
			v.fail(at+"/"+c.name, "want an ISO 4217 currency, as \"EUR\"")
		}
	}
	if f.Base == f.Currency && f.Base != "" {
		v.fail(at+"/currency", "is the base currency itself")
	}
	if f.Day == "" {
		v.fail(at+"/day", "required")
	}
	v.day(at+"/day", f.Day)
	positive := false
	for i := range len(f.Rate) {
		positive = positive || (f.Rate[i] >= '1' && f.Rate[i] <= '9')
	}
	if len(f.Rate) > 20 || !IsDecimal(f.Rate) || f.Rate[0] == '-' || !positive {
		v.fail(at+"/rate", "want a positive decimal number: what one unit of the currency is worth in the base currency")
	}
}

// moment accepts a time or a day.
func (v *validator) moment(at, s string) {
	if len(s) == len("2026-11-24") {
		v.day(at, s)
		return
	}
	v.instant(at, s)
}
