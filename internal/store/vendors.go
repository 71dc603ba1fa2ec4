package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/signal"
)

// Vendor is what the vendor master says of one vendor.
type Vendor struct {
	ID        string // the vendor's number in the vendor master
	Name      string
	Folded    string // name folded for comparison
	Country   string
	TaxID     string
	Status    string
	Since     time.Time // when the vendor master says it was created
	CreatedBy string
	Source    string
	Recorded  time.Time
}

const vendorColumns = `id, name, folded, country, tax_id, status, since_us, created_by, source, recorded_us`

func scanVendor(s Scanner) (v Vendor, err error) {
	err = s.Scan(&v.ID, &v.Name, &v.Folded, &v.Country, &v.TaxID, &v.Status, &v.Since, &v.CreatedBy, &v.Source, &v.Recorded)
	return v, err
}

// Vendor reads a vendor by its number.
func (tx *Tx) Vendor(id string) (Vendor, error) {
	return One(tx, scanVendor, `SELECT `+vendorColumns+` FROM vendor WHERE org_id = $1 AND id = $2`, id)
}

// PutVendor records what the vendor master says.
func (tx *Tx) PutVendor(v Vendor) error {
	_, err := tx.Exec(`INSERT INTO vendor (org_id, `+vendorColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)
		ON CONFLICT (org_id, id) DO UPDATE SET name = excluded.name, folded = excluded.folded, country = excluded.country, tax_id = excluded.tax_id,
		status = excluded.status, since_us = excluded.since_us, created_by = excluded.created_by, source = excluded.source, recorded_us = excluded.recorded_us`,
		v.ID, v.Name, v.Folded, v.Country, v.TaxID, v.Status, v.Since, v.CreatedBy, v.Source, tx.Now())
	return err
}

// VendorAccount is one bank account of a vendor, by its fingerprint.
type VendorAccount struct {
	Vendor, Fingerprint string
	First, Changed      time.Time // first seen; when the vendor master got it
	Paid                time.Time // last paid
	Source              string
}

const accountColumns = `vendor_id, fingerprint, first_us, changed_us, paid_us, source`

func scanAccount(s Scanner) (a VendorAccount, err error) {
	err = s.Scan(&a.Vendor, &a.Fingerprint, &a.First, &a.Changed, &a.Paid, &a.Source)
	return a, err
}

// VendorAccounts lists the accounts of a vendor, the one paid last first.
func (tx *Tx) VendorAccounts(vendor string) ([]VendorAccount, error) {
	return List(tx, scanAccount, `SELECT `+accountColumns+` FROM vendor_account WHERE org_id = $1 AND vendor_id = $2
		ORDER BY paid_us DESC, first_us, fingerprint LIMIT 50`, vendor)
}

// PutVendorAccount records an account; times that are known already stay the
// earliest for first and the latest for changed and paid. It reports whether
// anything changed.
func (tx *Tx) PutVendorAccount(a VendorAccount) (bool, error) {
	n, err := tx.Exec(`INSERT INTO vendor_account (org_id, `+accountColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7)
		ON CONFLICT (org_id, vendor_id, fingerprint) DO UPDATE SET
		first_us = CASE WHEN excluded.first_us < vendor_account.first_us THEN excluded.first_us ELSE vendor_account.first_us END,
		changed_us = CASE WHEN excluded.changed_us > vendor_account.changed_us THEN excluded.changed_us ELSE vendor_account.changed_us END,
		paid_us = CASE WHEN excluded.paid_us > vendor_account.paid_us THEN excluded.paid_us ELSE vendor_account.paid_us END
		WHERE excluded.first_us < vendor_account.first_us OR excluded.changed_us > vendor_account.changed_us OR excluded.paid_us > vendor_account.paid_us`,
		a.Vendor, a.Fingerprint, a.First, a.Changed, a.Paid, a.Source)
	return n == 1, err
}

// Purchase is one line of what was bought before.
type Purchase struct {
	Kind, ID, Line       string
	Vendor               string
	Currency             string
	Minor                int64
	Dated                time.Time
	Fingerprint          string // of the account paid, "" not known
	Requester, Approver  string
	Department, Category string
	Source               string
	Settles              time.Time // counts as history from then on
}

// InsertPurchase adds a line of history, and to the vendor's figures when it counts
// already. It reports false when the line was there before, and changes nothing then.
func (tx *Tx) InsertPurchase(p Purchase) (bool, error) {
	settled := !p.Settles.After(tx.Now())
	n, err := tx.Exec(`INSERT INTO purchase (org_id, kind, id, line, vendor_id, currency, minor, dated_us, fingerprint, requester, approver, department, category, source, settles_us, folded)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16) ON CONFLICT DO NOTHING`,
		p.Kind, p.ID, p.Line, p.Vendor, p.Currency, p.Minor, p.Dated, p.Fingerprint, p.Requester, p.Approver, p.Department, p.Category, p.Source, p.Settles, settled)
	if err != nil || n == 0 || !settled {
		return n == 1, err
	}
	return true, tx.fold(p.Vendor, p.Currency, []signal.Spent{{At: Micros(p.Dated), Minor: p.Minor}})
}

func scanStat(s Scanner) (v signal.Purchases, err error) {
	var recent string
	if err = s.Scan(&v.Currency, &v.Count, &v.Sum, &v.First, &v.Last, &recent); err != nil {
		return v, err
	}
	v.Recent, err = parseRecent(recent)
	return v, err
}

// VendorStats reads the figures of a vendor, one row for each currency.
func (tx *Tx) VendorStats(vendor string) ([]signal.Purchases, error) {
	return List(tx, scanStat, `SELECT currency, n, sum_minor, first_us, last_us, recent FROM vendor_stat WHERE org_id = $1 AND vendor_id = $2 ORDER BY currency`, vendor)
}

// Unsettled counts the purchases of a vendor that do not count yet.
func (tx *Tx) Unsettled(vendor string) (n int64, err error) {
	err = tx.Row(`SELECT COUNT(*) FROM purchase WHERE org_id = $1 AND vendor_id = $2 AND folded = 0`, vendor).Scan(&n)
	return n, err
}

// FoldSettled adds up to limit purchases whose settling time has come to their
// vendors' figures, and returns how many it added.
func (tx *Tx) FoldSettled(limit int) (int, error) {
	return tx.foldWhere(`settles_us <= $2`, tx.Now(), limit)
}

// FoldVendor lets a vendor's pushed history count now: a second person has confirmed
// it.
func (tx *Tx) FoldVendor(vendor string, limit int) (int, error) {
	return tx.foldWhere(`vendor_id = $2`, vendor, limit)
}

func (tx *Tx) foldWhere(where string, arg any, limit int) (int, error) {
	type row struct {
		kind, id, line, vendor, currency string
		spent                            signal.Spent
	}
	rows, err := List(tx, func(s Scanner) (r row, err error) {
		err = s.Scan(&r.kind, &r.id, &r.line, &r.vendor, &r.currency, &r.spent.At, &r.spent.Minor)
		return r, err
	}, `SELECT kind, id, line, vendor_id, currency, dated_us, minor FROM purchase WHERE org_id = $1 AND folded = 0 AND `+where+` ORDER BY vendor_id, currency, dated_us LIMIT $3`, arg, limit)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(rows); {
		var spent []signal.Spent
		j := i
		for ; j < len(rows) && rows[j].vendor == rows[i].vendor && rows[j].currency == rows[i].currency; j++ {
			r := rows[j]
			if err := tx.ExecOne(`UPDATE purchase SET folded = 1 WHERE org_id = $1 AND kind = $2 AND id = $3 AND line = $4 AND folded = 0`, r.kind, r.id, r.line); err != nil {
				return 0, err
			}
			spent = append(spent, r.spent)
		}
		if err := tx.fold(rows[i].vendor, rows[i].currency, spent); err != nil {
			return 0, err
		}
		i = j
	}
	return len(rows), nil
}

// fold adds purchases to a vendor's figures in one currency.
func (tx *Tx) fold(vendor, currency string, spent []signal.Spent) error {
	stat, err := One(tx, scanStat, `SELECT currency, n, sum_minor, first_us, last_us, recent FROM vendor_stat WHERE org_id = $1 AND vendor_id = $2 AND currency = $3`, vendor, currency)
	if err != nil && err != ErrNotFound {
		return err
	}
	for _, s := range spent {
		stat.Add(Time(s.At), s.Minor)
	}
	if stat.TooLarge {
		return fmt.Errorf("the sum of vendor %s in %s is too large to be kept", vendor, currency)
	}
	_, err = tx.Exec(`INSERT INTO vendor_stat (org_id, vendor_id, currency, n, sum_minor, first_us, last_us, recent) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
		ON CONFLICT (org_id, vendor_id, currency) DO UPDATE SET n = excluded.n, sum_minor = excluded.sum_minor, first_us = excluded.first_us, last_us = excluded.last_us, recent = excluded.recent`,
		vendor, currency, stat.Count, stat.Sum, stat.First, stat.Last, formatRecent(stat.Recent))
	return err
}

func formatRecent(spent []signal.Spent) string {
	b := make([]byte, 0, 24*len(spent))
	for i, s := range spent {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, s.At, 10)
		b = append(b, ':')
		b = strconv.AppendInt(b, s.Minor, 10)
	}
	return string(b)
}

func parseRecent(text string) ([]signal.Spent, error) {
	if text == "" {
		return nil, nil
	}
	out := make([]signal.Spent, 0, signal.RecentPurchases)
	for part := range strings.SplitSeq(text, " ") {
		at, minor, ok := strings.Cut(part, ":")
		us, err := strconv.ParseInt(at, 10, 64)
		m, err2 := strconv.ParseInt(minor, 10, 64)
		if !ok || err != nil || err2 != nil {
			return nil, fmt.Errorf("the figures of a vendor are damaged: %q", part)
		}
		out = append(out, signal.Spent{At: us, Minor: m})
	}
	return out, nil
}

// Rate is what one unit of a currency was worth in the base currency on a day.
type Rate struct{ Base, Currency, Day, Value, Source string }

func scanRate(s Scanner) (r Rate, err error) {
	err = s.Scan(&r.Base, &r.Currency, &r.Day, &r.Value, &r.Source)
	return r, err
}

// PutRate records a rate. It reports whether anything changed.
func (tx *Tx) PutRate(r Rate) (bool, error) {
	n, err := tx.Exec(`INSERT INTO rate (org_id, base, currency, day, value, source) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (org_id, base, currency, day) DO UPDATE SET value = excluded.value, source = excluded.source WHERE rate.value <> excluded.value`,
		r.Base, r.Currency, r.Day, r.Value, r.Source)
	return n == 1, err
}

// RateOn reads the latest rate of a currency on or before a day.
func (tx *Tx) RateOn(base, currency, day string) (Rate, error) {
	return One(tx, scanRate, `SELECT base, currency, day, value, source FROM rate WHERE org_id = $1 AND base = $2 AND currency = $3 AND day <= $4 ORDER BY day DESC LIMIT 1`,
		base, currency, day)
}

// SettledWaiting reports whether purchases wait to be added to their vendors'
// figures.
func (tx *Tx) SettledWaiting() (bool, error) {
	var n int64
	err := tx.Row(`SELECT COUNT(*) FROM (SELECT 1 FROM purchase WHERE org_id = $1 AND folded = 0 AND settles_us <= $2 LIMIT 1) w`, tx.Now()).Scan(&n)
	return n > 0, err
}
