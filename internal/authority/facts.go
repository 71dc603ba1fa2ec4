package authority

import (
	"errors"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// matter is one document on its way through a weighing, with what was found out
// about who and what it names.
type matter struct {
	doc    *countersign.Document
	sub    *countersign.Submission
	source string // of the key that submits
	id     string // of the request, "" before there is one

	vendor    string // number in the vendor master, "" where the document names none
	requester string // natural person's id, or source and subject
	owner     string // person id, of a service's owner
	nominated string // person id
	actingFor string // person id

	ahead bool // weighed before the transaction that writes it, which knows earlier requests
	facts signal.Facts
	base  string // the policy's currency
	rates map[string]bool
	paid  []string // numbers of the vendors that the lines pay
}

// directory is the source whose subjects every other source may use: the people
// that an import or a directory brought in.
const directory = "directory"

// loader reads the facts of a matter inside one transaction.
type loader struct {
	a    *Authority
	tx   *store.Tx
	v    *policy.Version
	m    *matter
	at   *standingAt
	seen map[string]*signal.Person     // people that were read, by id
	kept map[string]*store.VendorFacts // of the vendors that the document names, by number
	err  error
}

// load reads everything that a decision on the document may look at. The sums are
// not read here: they belong inside the transaction that writes the request.
func (a *Authority) load(tx *store.Tx, v *policy.Version, m *matter, gen int64) error {
	at, err := a.standing(tx, gen)
	if err != nil {
		return err
	}
	l := &loader{a: a, tx: tx, v: v, m: m, at: at, seen: map[string]*signal.Person{}}
	m.base = v.Currency()
	m.rates, m.paid = map[string]bool{}, nil
	m.facts = signal.Facts{Now: tx.Now(), Source: m.source, Document: m.doc, Submission: m.sub, Differences: []signal.Difference{}}
	l.people()
	l.vendors()
	l.vendor()
	l.payments()
	l.standing()
	l.denials()
	l.amounts()
	return l.err
}

func (l *loader) fail(err error) bool {
	if err != nil && l.err == nil {
		l.err = err
	}
	return l.err != nil
}

// identify finds the natural person behind an identifier: a person's own id, the
// submitting source's subject, or the directory's.
func identify(tx *store.Tx, source, id string) (store.Person, error) {
	if countersign.IsID(countersign.PrefixPerson, id) {
		return tx.Person(id)
	}
	if source == directory {
		return tx.PersonByIdentity(directory, foldLogin(id))
	}
	return tx.PersonBy(source, id, directory, foldLogin(id))
}

// named are the identifiers of everybody whom the matter names.
func (m *matter) named() []string {
	ids := make([]string, 0, 4)
	if r := m.doc.Requester; r != nil {
		ids = append(ids, r.ID, r.Owner)
	}
	if m.sub != nil {
		ids = append(ids, m.sub.Approver, m.sub.ActingFor)
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// meet asks ahead for everybody who is named and was not met yet in this generation.
func (l *loader) meet() {
	ids := slices.DeleteFunc(l.m.named(), func(id string) bool { return l.at.knows(personKey{l.m.source, id, l.m.doc.Kind}) })
	if len(ids) == 0 {
		return
	}
	l.fail(l.tx.Ahead(func() {
		for _, id := range ids {
			if row, err := identify(l.tx, l.m.source, id); err == nil {
				l.tx.GroupsOf(row.ID)
				l.tx.LimitsOf(row.ID)
				l.tx.FactorChanged(row.ID)
			}
		}
	}))
}

func (l *loader) people() {
	if l.meet(); l.err != nil {
		return
	}
	d := l.m.doc
	if d.Requester != nil {
		l.m.facts.Requester = l.person(d.Requester.ID, d.Requester.Name)
		if p := l.m.facts.Requester; p != nil {
			p.Type = d.Requester.Type
			l.m.requester = p.ID
			if p.ID == "" {
				l.m.requester = l.m.source + ":" + d.Requester.ID
			}
			if p.Known() && d.Requester.Name != "" && foldName(d.Requester.Name) != foldName(p.Name) {
				l.m.facts.Differences = append(l.m.facts.Differences, signal.Difference{Field: "requester.name", Claimed: d.Requester.Name, Stored: p.Name})
			}
		}
		if d.Requester.Owner != "" {
			l.m.facts.Owner = l.person(d.Requester.Owner, "")
			if p := l.m.facts.Owner; p != nil {
				l.m.owner = p.ID
			}
		}
	}
	if s := l.m.sub; s != nil {
		if s.Approver != "" {
			l.m.facts.Approver = l.person(s.Approver, "")
			if p := l.m.facts.Approver; p != nil {
				l.m.nominated = p.ID
			}
		}
		if s.ActingFor != "" {
			l.m.facts.ActingFor = l.person(s.ActingFor, "")
			if p := l.m.facts.ActingFor; p != nil {
				l.m.actingFor = p.ID
			}
		}
	}
}

// person reads what is on record about whoever an identifier names. A person who is
// named and not on record comes back with only the claim.
func (l *loader) person(id, name string) *signal.Person {
	if l.err != nil {
		return nil
	}
	key := personKey{l.m.source, id, l.m.doc.Kind}
	if p := l.at.known(key); p != nil {
		return p
	}
	row, err := identify(l.tx, l.m.source, id)
	if errors.Is(err, store.ErrNotFound) {
		return &signal.Person{Claimed: id, Name: name}
	}
	if l.fail(err) {
		return nil
	}
	p := l.record(row)
	if p == nil {
		return nil
	}
	c := *p // the same natural person may be named in two places under two ids
	c.Claimed = id
	l.at.keep(key, &c)
	return &c
}

func (l *loader) record(row store.Person) *signal.Person {
	if p, ok := l.seen[row.ID]; ok {
		return p
	}
	groups, err := l.tx.GroupsOf(row.ID)
	if l.fail(err) {
		return nil
	}
	limits, err := l.tx.LimitsOf(row.ID)
	if l.fail(err) {
		return nil
	}
	changed, err := l.tx.FactorChanged(row.ID)
	if l.fail(err) {
		return nil
	}
	p := signalPerson(row, groups, limits, l.m.doc.Kind)
	p.FactorChanged = changed
	l.seen[row.ID] = &p
	return &p
}

// signalPerson puts together what is weighed about a person, for one kind of
// document.
func signalPerson(row store.Person, groups []store.Membership, limits []store.PersonLimit, kind string) signal.Person {
	p := signal.Person{ID: row.ID, Name: row.Name, Type: "person", Active: &row.Active, Privileged: &row.Privileged,
		Manager: &row.Manager, Groups: make([]string, 0, len(groups)), Roles: []string{}, Since: row.Created, RoleChanged: row.PrivilegedSince,
		Limit: signal.Limit{State: signal.LimitNone}}
	for _, g := range groups {
		p.Groups = append(p.Groups, g.Group)
		if g.Since.After(p.RoleChanged) {
			p.RoleChanged = g.Since
		}
	}
	for _, lim := range limits { // "" sorts before any kind: its own limit wins
		if lim.Kind == "" || lim.Kind == kind {
			p.Limit = signal.Limit{State: signal.LimitSet, Amount: signal.Money{Minor: lim.Minor, Currency: lim.Currency}}
			p.LimitChanged = lim.Since
		}
	}
	return p
}

var folder = cases.Fold()

// foldName makes names comparable: case folded, compatibility forms united, white
// space and punctuation at the ends dropped.
func foldName(s string) string {
	return strings.Join(strings.Fields(strings.Trim(folder.String(norm.NFKC.String(s)), " .,;")), " ")
}

// vendors reads what is kept about all vendors that the document names, at once, and asks
// ahead for whatever else there is to read about them and the people.
func (l *loader) vendors() {
	if l.err != nil {
		return
	}
	var ids []string
	if p := l.m.doc.Payee; p != nil && p.ID != "" {
		l.m.vendor = p.ID
		ids = append(ids, p.ID)
	}
	paid := map[string]bool{}
	for i := range l.m.doc.Lines {
		if p := l.m.doc.Lines[i].Payee; p != nil && p.ID != "" && !paid[p.ID] {
			paid[p.ID] = true
			l.m.paid = append(l.m.paid, p.ID)
			if p.ID != l.m.vendor {
				ids = append(ids, p.ID)
			}
		}
	}
	if len(ids) > 0 {
		var err error
		if l.kept, err = l.tx.FactsOfVendors(ids, l.at.unsettled); l.fail(err) {
			return
		}
	}
	asks := l.further(ids)
	for _, w := range l.m.windows(l.tx, l.v) { // the sums, which are read next
		asks = append(asks, func() { l.tx.SumOf(w.query) })
	}
	if len(asks) > 1 { // a single one is asked when it is needed
		l.fail(l.tx.Ahead(func() {
			for _, ask := range asks {
				ask()
			}
		}))
	}
}

func (l *loader) vendor() {
	p := l.m.doc.Payee
	if l.err != nil || p == nil || p.ID == "" {
		return
	}
	v := l.vendorOf(p.ID)
	if v == nil {
		return
	}
	if p.Account != nil {
		var err error
		if v.Fingerprint, err = l.a.fingerprint(l.tx, p.ID, *p.Account); l.fail(err) {
			return
		}
	}
	l.m.facts.Vendor, l.m.facts.History = v, l.history(v)
	l.m.facts.Differences = append(l.m.facts.Differences, signal.Differences(l.m.doc, v)...)
}

// vendorOf puts together what is on record about a vendor; nil where that failed.
func (l *loader) vendorOf(id string) *signal.Vendor {
	v := &signal.Vendor{ID: id, Record: store.AboutVendor(id), Accounts: []signal.Account{}, LastPaid: []string{}}
	kept := l.kept[id]
	if row := kept.Vendor; kept.OnRecord {
		v.OnRecord, v.Name, v.Country, v.TaxID, v.Status = true, row.Name, row.Country, row.TaxID, row.Status
		v.Created, v.RecordedSource, v.RecordedAt = row.Since, row.Source, row.Recorded
		if row.CreatedBy != "" {
			v.CreatedBy = l.creator(creator{row.Source, row.CreatedBy})
		}
	}
	if l.err != nil {
		return nil
	}
	accounts(v, kept.Accounts)
	return v
}

// creator is the natural person who created a vendor; "" where that is not known.
func (l *loader) creator(c creator) string {
	if id, known := l.at.createdBy(c); known {
		return id
	}
	by, err := identify(l.tx, c.source, c.subject)
	if errors.Is(err, store.ErrNotFound) || l.fail(err) {
		return ""
	}
	l.at.creators.Store(c, by.ID)
	return by.ID
}

func accounts(v *signal.Vendor, rows []store.VendorAccount) {
	for _, a := range rows {
		v.Accounts = append(v.Accounts, signal.Account{Fingerprint: a.Fingerprint, FirstSeen: a.First, Changed: a.Changed, LastPaid: a.Paid})
		if !a.Paid.IsZero() && len(v.LastPaid) < 3 { // rows come the one paid last first
			v.LastPaid = append(v.LastPaid, a.Fingerprint)
		}
	}
}

func (l *loader) history(v *signal.Vendor) *signal.History {
	kept := l.kept[v.ID]
	for _, s := range kept.Stats {
		l.rate(s.Currency)
	}
	if l.err != nil {
		return nil
	}
	h := l.m.facts.Summarise(kept.Stats, l.m.base, "history")
	h.Unsettled = int(kept.Unsettled)
	return h
}
