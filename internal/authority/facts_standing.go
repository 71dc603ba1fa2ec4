package authority

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// standing reads what is open about the vendor and the people of the matter, where
// anything is open at all.
func (l *loader) standing() {
	if l.err != nil {
		return
	}
	l.m.facts.Alerts, l.m.facts.Freezes, l.m.facts.BankChanges = []signal.Alert{}, []signal.Freeze{}, []signal.BankChange{}
	about := l.about()
	if l.at.alerts {
		for some := range slices.Chunk(about, aboutTogether) {
			alerts, err := l.tx.OpenAlerts(some)
			if l.fail(err) {
				return
			}
			for _, a := range alerts {
				l.m.facts.Alerts = append(l.m.facts.Alerts, signal.Alert{ID: a.ID, Severity: signal.Severity(a.Severity), About: l.aboutID(a.About), Kind: a.Title, Raised: a.Raised})
			}
		}
	}
	if l.at.freezes {
		freezes, err := l.tx.Freezes(about)
		if l.fail(err) {
			return
		}
		for _, z := range freezes {
			l.m.facts.Freezes = append(l.m.facts.Freezes, signal.Freeze{ID: z.ID, About: l.aboutID(z.About), Until: z.Expires})
		}
	}
	if l.at.bankChanges && l.m.vendor != "" {
		l.m.facts.BankChanges = l.bankChanges(l.m.vendor)
	}
}

// aboutTogether is how many subjects alerts are read for at a time: one reading is
// bounded, and the alerts about the vendors of a long payment run must not crowd one
// another out.
const aboutTogether = 50

// further lists what is still to be asked about the vendors, the people and the amounts of
// the matter, of what was not met in this generation.
func (l *loader) further(vendors []string) (asks []func()) {
	if l.at.alerts {
		for some := range slices.Chunk(l.about(), aboutTogether) {
			asks = append(asks, func() { l.tx.OpenAlerts(some) })
		}
	}
	if l.at.freezes {
		about := l.about()
		asks = append(asks, func() { l.tx.Freezes(about) })
	}
	currencies := map[string]bool{}
	for _, id := range vendors {
		if l.at.bankChanges {
			asks = append(asks, func() { l.tx.PendingBankChanges(id) })
		}
		of := l.kept[id]
		c := creator{of.Vendor.Source, of.Vendor.CreatedBy}
		if _, known := l.at.createdBy(c); c.subject != "" && !known {
			asks = append(asks, func() { identify(l.tx, c.source, c.subject) })
		}
		for _, s := range of.Stats {
			currencies[s.Currency] = true
		}
	}
	l.currencies(func(c string) { currencies[c] = true })
	for c := range currencies {
		if _, known := l.at.rates.Load(l.rateKey(c)); !known && c != l.m.base {
			asks = append(asks, func() { rateNow(l.tx, l.m.base, c) })
		}
	}
	return asks
}

// about lists the subjects of alerts and freezes that touch the matter.
func (l *loader) about() []string {
	about := []string{store.AboutOrganisation}
	if l.m.id != "" {
		about = append(about, l.m.id)
	}
	if l.m.vendor != "" {
		about = append(about, store.AboutVendor(l.m.vendor))
	}
	for _, p := range []*signal.Person{l.m.facts.Requester, l.m.facts.Owner, l.m.facts.Approver, l.m.facts.ActingFor} {
		if p.Known() && !slices.Contains(about, p.ID) {
			about = append(about, p.ID)
		}
	}
	for _, id := range l.m.paid {
		if id != l.m.vendor {
			about = append(about, store.AboutVendor(id))
		}
	}
	return about
}

// aboutID gives a subject as conditions know it: a vendor by its number.
func (l *loader) aboutID(about string) string {
	if rest, ok := strings.CutPrefix(about, store.AboutVendor("")); ok {
		return rest
	}
	return about
}

// maxVerdicts bounds the earlier requests for an object that are looked at.
const maxVerdicts = 20

// denials reads the earlier denials of the same object. Before the transaction that
// writes the request there is no need to: whoever is in it knows the earlier requests
// and weighs again where there are any.
func (l *loader) denials() {
	l.m.facts.Denials = []signal.Denial{}
	if l.err != nil || l.m.ahead {
		return
	}
	earlier, err := l.tx.VerdictsOnObject(l.m.source, l.m.doc.Kind, l.m.doc.ID, maxVerdicts)
	if l.fail(err) {
		return
	}
	for _, e := range earlier {
		if e.Status == countersign.StatusReleased {
			break // what came before the last release is settled
		}
		if e.Status == countersign.StatusDenied {
			l.denial(e)
		}
	}
}

func (l *loader) denial(e store.ObjectRequest) {
	d := signal.Denial{Request: e.ID, At: e.Ended, By: "policy"}
	decisions, err := l.tx.Decisions(e.ID)
	if l.fail(err) {
		return
	}
	for _, row := range decisions {
		var dec countersign.Decision
		if row.Act == countersign.ActDeny && countersign.DecodeStrict([]byte(row.Body), &dec) == nil {
			d.By, d.Reason = dec.Person.Name, dec.Reason
		}
	}
	l.m.facts.Denials = append(l.m.facts.Denials, d)
}

// amounts reads the rates of every currency that was met.
func (l *loader) amounts() {
	l.currencies(l.rate)
	if l.m.facts.Rates == nil {
		l.m.facts.Rates = []signal.Rate{}
	}
}

// currencies calls fn for the currency of every amount of the document, and of the limits
// of whoever it names.
func (l *loader) currencies(fn func(string)) {
	if l.m.doc.Amount != nil {
		fn(l.m.doc.Amount.Currency)
	}
	for _, line := range l.m.doc.Lines {
		if line.Amount != nil {
			fn(line.Amount.Currency)
		}
	}
	for _, p := range []*signal.Person{l.m.facts.Requester, l.m.facts.Approver, l.m.facts.ActingFor} {
		if p != nil && p.Limit.State == signal.LimitSet {
			fn(p.Limit.Amount.Currency)
		}
	}
}

func (l *loader) rate(currency string) {
	if l.err != nil || currency == l.m.base || l.m.rates[currency] {
		return
	}
	l.m.rates[currency] = true
	key := l.rateKey(currency)
	if r, ok := l.at.rates.Load(key); ok {
		l.m.facts.Rates = append(l.m.facts.Rates, r.(signal.Rate))
		return
	}
	r, err := rateNow(l.tx, l.m.base, currency)
	if l.fail(err) || r == nil {
		return
	}
	l.at.rates.Store(key, *r)
	l.m.facts.Rates = append(l.m.facts.Rates, *r)
}

func (l *loader) rateKey(currency string) rateKey {
	return rateKey{l.m.base, currency, l.tx.Now().Format(time.DateOnly)}
}

// sums reads the sums that the policy's windows ask for. Inside the transaction that
// writes the request, what was written before is all there.
func (m *matter) sums(tx *store.Tx, v *policy.Version) error {
	windows := m.windows(tx, v)
	if len(windows) > 1 { // a single one is asked when it is needed
		if err := tx.Ahead(func() {
			for _, w := range windows {
				tx.SumOf(w.query)
			}
		}); err != nil {
			return err
		}
	}
	m.facts.Sums = []signal.Sum{}
	for _, w := range windows {
		s, err := tx.SumOf(w.query)
		if err != nil {
			return err
		}
		m.facts.Sums = append(m.facts.Sums, signal.Sum{Window: w.name, Count: int(s.Count), Total: signal.Money{Minor: s.Total, Currency: w.query.Base}, Unknown: int(s.Unknown)})
	}
	return nil
}

// windowSum is what a window of the policy asks for.
type windowSum struct {
	name  string
	query store.SumQuery
}

func (m *matter) windows(tx *store.Tx, v *policy.Version) []windowSum {
	var out []windowSum
	for _, w := range v.Windows() {
		g, missing := signal.GroupOf(w.By, m.vendor, m.requester, m.doc.Category)
		if missing != "" {
			continue // the signal says which field is missing
		}
		out = append(out, windowSum{w.Name, store.SumQuery{Kind: m.doc.Kind, Object: m.doc.ID, Source: m.source,
			Vendor: g.Vendor, Requester: g.Requester, Category: g.Category,
			Since: tx.Now().Add(-w.Within), Base: w.Below.Currency, Below: w.Below.Minor}})
	}
	return out
}
