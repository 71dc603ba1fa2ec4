package connect

import (
	"io"
	"slices"
	"strings"
)

// ReadVendors reads a vendor master file and calls fn once for every row that is
// kept. The fields are id, name, tax_id, country, category, status, email, phone,
// account, account_scheme, account_since, created_at and created_by; name is
// required. A vendor may have several rows that differ in the account only; one id
// with anything else that differs is a conflict, and the later row is not kept.
//
// Errors are those of [ReadPurchases].
func ReadVendors(r io.Reader, m Mapping, o Options, fn func(Vendor) error) (Report, error) {
	tl := newTally()
	f := &reading{fields: vendorFields, required: [][]string{{"name"}}, mapping: m, options: o, tally: tl}
	seen := map[string]uint64{}
	return f.each(r, func(w *row) error {
		v := vendorOf(w)
		if w.bad != nil {
			return nil
		}
		sum := sum64(v.Name, v.TaxID, v.Country, v.Category, v.Status, v.Email, v.Phone, v.CreatedAt.String(), v.CreatedBy)
		if w.repeated(tl, seen, v.ID, sum) {
			return nil
		}
		tl.vendors[v.ID] = struct{}{}
		if v.IDDerived {
			tl.report.MissingVendorIDs++
			tl.report.DerivedVendorIDs++
		}
		if redacted(v.Name) {
			tl.report.Redacted++
		}
		return fn(v)
	})
}

func vendorOf(w *row) Vendor {
	v := Vendor{
		ID:           w.text("id", maxID),
		Name:         w.need("name", maxName),
		TaxID:        w.text("tax_id", maxID),
		Country:      strings.ToUpper(w.text("country", maxID)),
		Category:     w.text("category", maxID),
		Status:       w.text("status", maxID),
		Email:        w.email("email"),
		Phone:        w.text("phone", maxID),
		Account:      w.account("account", "account_scheme"),
		AccountSince: w.instant("account_since"),
		CreatedAt:    w.instant("created_at"),
		CreatedBy:    w.text("created_by", maxID),
		Row:          w.first,
		RowLines:     w.lines,
	}
	if v.Country != "" && (len(v.Country) != 2 || !isUpper(v.Country[0]) || !isUpper(v.Country[1])) {
		w.fail("country", faultf(ReasonCountry, "want two letters (ISO 3166-1), as DE"))
	}
	if v.ID == "" && w.bad == nil {
		if v.ID = VendorIDFromName(v.Name); v.ID == "" {
			w.fail("id", faultf(ReasonMissing, "no vendor id, and none can be derived from the name"))
		}
		v.IDDerived = true
	}
	return v
}

// ReadPeople reads a list of people and calls fn once for every row that is kept.
// The fields are subject, name, email, manager, department, groups, limit,
// limit_currency and privileged; subject and name are required. Groups are
// separated by semicolons, vertical bars or commas. One subject with other content
// is a conflict, and the later row is not kept: groups and limits are permissions,
// and which of two rows is right cannot be guessed.
//
// Errors are those of [ReadPurchases].
func ReadPeople(r io.Reader, m Mapping, o Options, fn func(Person) error) (Report, error) {
	tl := newTally()
	f := &reading{fields: peopleFields, required: [][]string{{"subject"}, {"name"}}, mapping: m, options: o, tally: tl}
	seen := map[string]uint64{}
	return f.each(r, func(w *row) error {
		p := personOf(w)
		if w.bad != nil {
			return nil
		}
		limit := ""
		if p.Limit != nil {
			limit = p.Limit.Value + " " + p.Limit.Currency
		}
		privileged := "no"
		if p.Privileged {
			privileged = "yes"
		}
		sum := sum64(p.Name, p.Email, p.Manager, p.Department, strings.Join(p.Groups, "\x00"), limit, privileged)
		if w.repeated(tl, seen, p.Subject, sum) {
			return nil
		}
		return fn(p)
	})
}

func personOf(w *row) Person {
	p := Person{
		Subject:    w.need("subject", maxID),
		Name:       w.need("name", maxName),
		Email:      w.email("email"),
		Manager:    w.text("manager", maxID),
		Department: w.text("department", maxID),
		Privileged: w.boolean("privileged"),
		Row:        w.first,
		RowLines:   w.lines,
	}
	if p.Subject != "" && p.Manager == p.Subject {
		w.fail("manager", faultf(ReasonSelfManage, "a person cannot be their own manager"))
	}
	p.Groups = w.groups("groups")
	if w.raw("limit") != "" {
		limit := w.amount("limit", w.currency("limit_currency"))
		if strings.HasPrefix(limit.Value, "-") {
			w.fail("limit", faultf(ReasonAmount, "a limit cannot be negative"))
		}
		p.Limit = &limit
	}
	return p
}

// repeated reports whether the row is a conflict; an exact repetition is counted
// and kept.
func (r *row) repeated(tl *tally, seen map[string]uint64, id string, sum uint64) (conflict bool) {
	before, twice := seen[id]
	if !twice {
		seen[id] = sum
		return false
	}
	if before != sum {
		r.bad = &BadLine{Line: r.first, Lines: r.lines, Value: clip(id), Reason: ReasonConflict, Detail: "the same identifier came before with other content"}
		return true
	}
	tl.report.RepeatedIDs++
	return false
}

// email accepts one address without a display name: one @ between two parts
// without spaces.
func (r *row) email(name string) string {
	s := r.text(name, maxName)
	if s == "" {
		return s
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(s, " <>,;") || strings.Contains(domain, "@") || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") {
		r.fail(name, faultf(ReasonEmail, "not an address: want name@example.com"))
	}
	return s
}

func (r *row) boolean(name string) bool {
	switch strings.ToLower(r.raw(name)) {
	case "", "no", "n", "false", "0":
		return false
	case "yes", "y", "true", "1", "x":
		return true
	}
	r.fail(name, faultf(ReasonBoolean, "neither yes nor no: want yes, true, 1, x or no, false, 0"))
	return false
}

func (r *row) groups(name string) []string {
	var groups []string
	for g := range strings.FieldsFuncSeq(r.raw(name), func(c rune) bool { return strings.ContainsRune(";|,", c) }) {
		g, f := cleanText(g, maxID)
		switch {
		case f != nil:
			r.fail(name, f)
			return nil
		case g != "":
			groups = append(groups, g)
		}
	}
	if len(groups) > maxGroups {
		r.fail(name, faultf(ReasonTooLong, "%d groups, at most %d", len(groups), maxGroups))
		return nil
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}
