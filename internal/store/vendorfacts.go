package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/signal"
)

// VendorFacts is everything that is kept about one vendor.
type VendorFacts struct {
	OnRecord  bool
	Vendor    Vendor             // its zero value where the vendor is not on record
	Accounts  []VendorAccount    // the one paid last first, at most 50
	Stats     []signal.Purchases // one for each currency, by name
	Unsettled int64              // purchases that do not count yet, where they were asked for
}

// vendorsTogether is how many vendors are read with one statement.
const vendorsTogether = 64

// FactsOfVendors reads what is kept about vendors, by their numbers: one statement for up
// to [vendorsTogether] of them. Purchases that do not count yet are counted where
// unsettled says that there may be any.
func (tx *Tx) FactsOfVendors(ids []string, unsettled bool) (map[string]*VendorFacts, error) {
	all := make(map[string]*VendorFacts, len(ids))
	for _, id := range ids {
		all[id] = &VendorFacts{}
	}
	for some := range slices.Chunk(ids, vendorsTogether) {
		if err := tx.someVendors(all, some, unsettled); err != nil {
			return nil, err
		}
	}
	for _, f := range all {
		f.sort()
	}
	return all, nil
}

// vendorParts are the tables that are read, in one form: which table, the vendor's
// number, seven texts and four numbers. Each is read by the vendor's number alone, so that every part uses the
// index of its own table.
var vendorParts = []string{
	`SELECT 'v', id, name, folded, country, tax_id, status, created_by, source, since_us, recorded_us, 0, 0 FROM vendor WHERE org_id = $1 AND id IN (%[1]s)`,
	`SELECT 'a', vendor_id, fingerprint, source, '', '', '', '', '', first_us, changed_us, paid_us, 0 FROM (SELECT a.*,
		ROW_NUMBER() OVER (PARTITION BY vendor_id ORDER BY paid_us DESC, first_us, fingerprint) AS place
		FROM vendor_account a WHERE org_id = $1 AND vendor_id IN (%[1]s)) a WHERE place <= 50`,
	`SELECT 's', vendor_id, currency, recent, '', '', '', '', '', n, sum_minor, first_us, last_us FROM vendor_stat WHERE org_id = $1 AND vendor_id IN (%[1]s)`,
	`SELECT 'u', vendor_id, '', '', '', '', '', '', '', COUNT(*), 0, 0, 0 FROM purchase WHERE org_id = $1 AND vendor_id IN (%[1]s) AND folded = 0 GROUP BY vendor_id`,
}

// oneVendorsAccounts is the part for the accounts where only one vendor is read: no places
// have to be given among several.
const oneVendorsAccounts = `SELECT 'a', vendor_id, fingerprint, source, '', '', '', '', '', first_us, changed_us, paid_us, 0 FROM (SELECT *
	FROM vendor_account WHERE org_id = $1 AND vendor_id = %[1]s ORDER BY paid_us DESC, first_us, fingerprint LIMIT 50) a`

// vendorTexts are the statements by how many vendors they are for: 1, 2, 4, … and, in the
// second list, with what does not count yet.
var vendorTexts = func() (texts [2][]string) {
	for n := 1; n <= vendorsTogether; n *= 2 {
		in, _ := inList(make([]string, n), 2)
		parts := slices.Clone(vendorParts)
		if n == 1 {
			parts[1] = oneVendorsAccounts
		}
		for i, parts := range [2][]string{parts[:3], parts} {
			texts[i] = append(texts[i], fmt.Sprintf(strings.Join(parts, " UNION ALL "), in))
		}
	}
	return texts
}()

func (tx *Tx) someVendors(all map[string]*VendorFacts, ids []string, unsettled bool) error {
	at, n := 0, 1
	for n < len(ids) {
		at, n = at+1, n*2
	}
	args := make([]any, n)
	for i := range args { // the last one again and again: few statements for every number of vendors
		args[i] = ids[min(i, len(ids)-1)]
	}
	texts := vendorTexts[0]
	if unsettled {
		texts = vendorTexts[1]
	}

	rows := tx.Query(texts[at], args...)
	defer rows.Close()
	var r vendorRow
	for rows.Next() {
		t, m := &r.texts, &r.numbers
		if err := rows.Scan(&r.part, &r.vendor, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &m[0], &m[1], &m[2], &m[3]); err != nil {
			return err
		}
		if err := r.into(all[r.vendor]); err != nil {
			return err
		}
	}
	return rows.Err()
}

// vendorRow is one row of [vendorParts].
type vendorRow struct {
	part, vendor string
	texts        [7]string
	numbers      [4]int64
}

func (r *vendorRow) into(f *VendorFacts) error {
	t, n := &r.texts, &r.numbers
	switch r.part {
	case "v":
		f.OnRecord = true
		f.Vendor = Vendor{ID: r.vendor, Name: t[0], Folded: t[1], Country: t[2], TaxID: t[3], Status: t[4], CreatedBy: t[5], Source: t[6],
			Since: Time(n[0]), Recorded: Time(n[1])}
	case "a":
		f.Accounts = append(f.Accounts, VendorAccount{Vendor: r.vendor, Fingerprint: t[0], Source: t[1],
			First: Time(n[0]), Changed: Time(n[1]), Paid: Time(n[2])})
	case "s":
		s := signal.Purchases{Currency: t[0], Count: n[0], Sum: n[1], First: Time(n[2]), Last: Time(n[3])}
		var err error
		if s.Recent, err = parseRecent(t[1]); err != nil {
			return err
		}
		f.Stats = append(f.Stats, s)
	case "u":
		f.Unsettled = n[0]
	}
	return nil
}

// sort puts accounts and figures into the order of [Tx.VendorAccounts] and [Tx.VendorStats].
func (f *VendorFacts) sort() {
	slices.SortFunc(f.Accounts, func(a, b VendorAccount) int {
		for _, c := range [...]int{b.Paid.Compare(a.Paid), a.First.Compare(b.First)} {
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
	slices.SortFunc(f.Stats, func(a, b signal.Purchases) int { return strings.Compare(a.Currency, b.Currency) })
}

// Earlier is what a request for an object is held against: the generation of the facts,
// and the latest requests for the object.
type Earlier struct {
	FactsGen int64
	Requests []ObjectRequest // of every revision, newest first
}

// EarlierOn reads both in one statement: [Tx.FactsGen] and [Tx.ApprovalsOfObject].
func (tx *Tx) EarlierOn(source, kind, object string, limit int) (e Earlier, err error) {
	rows := tx.Query(`SELECT o.facts_gen, COALESCE(a.id, ''), COALESCE(a.revision, ''), COALESCE(a.status, ''), COALESCE(a.created_us, 0), COALESCE(a.ended_us, 0)
		FROM organisation o LEFT JOIN (SELECT id, revision, status, created_us, ended_us FROM approval
			WHERE org_id = $1 AND source = $2 AND kind = $3 AND object_id = $4 ORDER BY created_us DESC, id DESC LIMIT $5) a ON 1 = 1
		WHERE o.org_id = $1 ORDER BY a.created_us DESC, a.id DESC`, source, kind, object, limit)
	defer rows.Close()
	var r ObjectRequest
	for rows.Next() {
		if err := rows.Scan(&e.FactsGen, &r.ID, &r.Revision, &r.Status, &r.Created, &r.Ended); err != nil {
			return e, err
		}
		if r.ID != "" {
			e.Requests = append(e.Requests, r)
		}
	}
	return e, rows.Err()
}

// PersonBy reads the person whom a source, or else another source, knows by a subject.
func (tx *Tx) PersonBy(source, subject, other, subjectThere string) (Person, error) {
	return One(tx, scanPerson, `SELECT `+personColumns+` FROM person WHERE org_id = $1 AND id = COALESCE(
		(SELECT person_id FROM identity WHERE org_id = $1 AND source = $2 AND subject = $3),
		(SELECT person_id FROM identity WHERE org_id = $1 AND source = $4 AND subject = $5))`, source, subject, other, subjectThere)
}
