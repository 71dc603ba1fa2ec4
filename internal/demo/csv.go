package demo

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// WriteCSV writes the company as the files that an ERP would export: vendors.csv,
// people.csv, purchases.csv and rates.csv, with headers that an import understands
// without a mapping.
func (c *Company) WriteCSV(create func(name string) (io.WriteCloser, error)) error {
	for _, f := range []struct {
		name string
		rows func() [][]string
	}{{"vendors.csv", c.vendorRows}, {"people.csv", c.peopleRows}, {"purchases.csv", c.purchaseRows}, {"rates.csv", c.rateRows}} {
		out, err := create(f.name)
		if err != nil {
			return err
		}
		w := csv.NewWriter(out)
		if err := errors.Join(w.WriteAll(f.rows()), w.Error(), out.Close()); err != nil {
			return err
		}
	}
	return nil
}

func account(a *countersign.Account) (scheme, value string) {
	if a == nil {
		return "", ""
	}
	return a.Scheme, a.Value
}

func (c *Company) vendorRows() [][]string {
	changed := map[string]bool{}
	for _, b := range c.BankChanges {
		changed[b.VendorID] = true
	}
	rows := [][]string{{"id", "name", "tax_id", "country", "category", "status", "account_scheme", "account", "account_since", "created_at", "created_by"}}
	for _, v := range c.Vendors {
		scheme, value := account(v.Account)
		since := "" // the account that the vendor came with
		if changed[v.ID] {
			since = v.AccountSince.Format(time.DateOnly)
		}
		rows = append(rows, []string{v.ID, v.Name, v.TaxID, v.Country, v.Category, v.Status, scheme, value, since, v.CreatedAt.Format(time.DateOnly), v.CreatedBy})
	}
	return rows
}

func (c *Company) peopleRows() [][]string {
	rows := [][]string{{"subject", "name", "email", "manager", "department", "groups", "limit", "limit_currency", "privileged"}}
	for _, p := range c.People {
		limit, currency, privileged := "", "", "no"
		if p.Limit != nil {
			limit, currency = p.Limit.Value, p.Limit.Currency
		}
		if p.Privileged {
			privileged = "yes"
		}
		rows = append(rows, []string{p.Subject, p.Name, p.Email, p.Manager, p.Department, strings.Join(p.Groups, ";"), limit, currency, privileged})
	}
	return rows
}

func (c *Company) purchaseRows() [][]string {
	rows := [][]string{{"kind", "id", "line", "vendor_id", "vendor", "department", "category", "amount", "currency", "date", "requester", "approver", "account_scheme", "account"}}
	for _, p := range c.Purchases {
		scheme, value := account(p.Account)
		rows = append(rows, []string{p.Kind, p.ID, p.Line, p.VendorID, p.VendorName, p.Department, p.Category, p.Amount.Value, p.Amount.Currency,
			p.Date.Format(time.DateOnly), p.Requester, p.Approver, scheme, value})
	}
	return rows
}

func (c *Company) rateRows() [][]string {
	rows := [][]string{{"date", "currency", "rate", "base"}}
	for _, r := range c.Rates {
		rows = append(rows, []string{r.Day.Format(time.DateOnly), r.Currency, r.Value, r.Base})
	}
	return rows
}

// Example is the body that submits one of the live cases, as one line of JSON. It is a
// document of its own, so that the case itself can still be played.
func (h *House) Example(name string) string {
	for _, c := range LiveCases(h.Company, time.Now()) {
		if c.Name != name {
			continue
		}
		c.Document.ID = strings.Replace(c.Document.ID, "-9", "-8", 1)
		c.Document.Lines, c.Document.Subject = nil, ""
		raw, err := json.Marshal(c.Document)
		if err != nil {
			return ""
		}
		sub, err := json.Marshal(countersign.Submission{Approver: c.Approver, Channel: c.Channel})
		if err != nil {
			return ""
		}
		return `{"document":` + string(raw) + `,"submission":` + string(sub) + `}`
	}
	return ""
}
