package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// MaxFacts is how many facts one body may carry.
const MaxFacts = 5000

// RecordFacts takes in what other systems say about vendors, purchases and rates,
// and, for keys with the provisioning scope, about people. A bad item refuses the
// whole body, naming it: nothing is half known. Sending the same facts again changes
// nothing.
func (a *Authority) RecordFacts(ctx context.Context, key Key, body countersign.FactsBody) (*countersign.FactsAnswer, error) {
	if len(body.Vendors)+len(body.Purchases)+len(body.Rates) > 0 || len(body.People) == 0 {
		if err := key.need(authn.ScopeFacts); err != nil {
			return nil, err
		}
	}
	if len(body.People) > 0 {
		if err := key.need(authn.ScopeProvisioning); err != nil {
			return nil, err
		}
	}
	n := len(body.Vendors) + len(body.People) + len(body.Purchases) + len(body.Rates)
	if n == 0 || n > MaxFacts {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "", Detail: "want 1 to 5000 facts in one body"})
	}
	if err := countersign.ValidateFacts(&body); err != nil {
		return nil, err
	}
	return a.recordFacts(ctx, recorder{a: a, source: key.Source, actor: key.ID, trusted: slices.Contains(key.Scopes, authn.ScopeProvisioning)}, body)
}

// RecordOffline takes facts in on the data folder, stamped "operator". Settled says
// that history counts at once.
func (a *Authority) RecordOffline(ctx context.Context, source string, settled bool, body countersign.FactsBody) (*countersign.FactsAnswer, error) {
	if err := countersign.ValidateFacts(&body); err != nil {
		return nil, err
	}
	return a.recordFacts(ctx, recorder{a: a, source: source, actor: actorOperator, settled: settled, trusted: true}, body)
}

func (a *Authority) recordFacts(ctx context.Context, r recorder, body countersign.FactsBody) (*countersign.FactsAnswer, error) {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		r.tx, r.answer = tx, countersign.FactsAnswer{}
		return r.record(body)
	})
	if err != nil {
		return nil, fault(err)
	}
	return &r.answer, nil
}

// recorder writes facts of one source.
type recorder struct {
	a       *Authority
	source  string
	actor   string
	settled bool
	trusted bool // may say rates that are far from the last

	tx     *store.Tx
	at     *settingsAt
	answer countersign.FactsAnswer
}

func (r *recorder) record(body countersign.FactsBody) (err error) {
	if r.at, err = r.a.current(r.tx); err != nil {
		return err
	}
	for _, v := range body.Vendors {
		if err := r.vendor(v); err != nil {
			return err
		}
	}
	if err := r.people(body.People); err != nil {
		return err
	}
	if len(body.People) > 0 {
		if err := r.a.endFounding(r.tx, r.at); err != nil {
			return err
		}
	}
	for _, p := range body.Purchases {
		if err := r.purchase(p); err != nil {
			return err
		}
	}
	for i, rate := range body.Rates {
		if err := r.putRate(i, rate); err != nil {
			return err
		}
	}
	if r.answer.New+r.answer.Changed == 0 {
		return nil
	}
	text, err := countersign.Canonical(body)
	if err != nil {
		return err
	}
	detail, err := countersign.Canonical(map[string]string{"source": r.source, "digest": string(countersign.SumBytes(text))})
	if err != nil {
		return err
	}
	if _, err := appendEntry(r.tx, entry{typ: countersign.EntryFactsRecorded, subject: r.tx.Org(), actor: r.actor,
		facts:    map[string]string{"new": strconv.Itoa(r.answer.New), "changed": strconv.Itoa(r.answer.Changed)},
		openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
		return err
	}
	return r.tx.FactsChanged()
}

func (r *recorder) count(fresh, changed bool) {
	switch {
	case fresh:
		r.answer.New++
	case changed:
		r.answer.Changed++
	default:
		r.answer.Unchanged++
	}
}

func (r *recorder) vendor(v countersign.VendorFact) error {
	row := store.Vendor{ID: v.ID, Name: v.Name, Folded: foldName(v.Name), Country: v.Country, TaxID: v.TaxID, Status: v.Status,
		Since: anyTime(v.CreatedAt), CreatedBy: v.CreatedBy, Source: r.source}
	if row.Status == "" {
		row.Status = "active"
	}
	old, err := r.tx.Vendor(v.ID)
	fresh := errors.Is(err, store.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	old.Recorded = row.Recorded
	changed := fresh || old != row
	if changed {
		if err := r.tx.PutVendor(row); err != nil {
			return err
		}
	}
	for _, acc := range v.Accounts {
		// The first accounts that a vendor comes with are its own from the beginning;
		// one that comes later has changed, at the latest now.
		when := anyTime(acc.ChangedAt)
		if when.IsZero() && !fresh {
			when = r.tx.Now()
		}
		ok, err := r.account(v.ID, acc.Account, when)
		if err != nil {
			return err
		}
		changed = changed || ok
	}
	r.count(fresh, changed)
	return nil
}

// account records a vendor's account. One that is on record keeps the time of its
// change unless a later one is stated.
func (r *recorder) account(vendor string, acc countersign.Account, changed time.Time) (bool, error) {
	fp, err := r.a.recordedFingerprint(r.tx, vendor, acc)
	if err != nil {
		return false, err
	}
	known, err := r.tx.VendorAccounts(vendor)
	if err != nil {
		return false, err
	}
	if i := slices.IndexFunc(known, func(k store.VendorAccount) bool { return k.Fingerprint == fp }); i >= 0 && changed.Equal(r.tx.Now()) {
		changed = known[i].Changed
	}
	return r.tx.PutVendorAccount(store.VendorAccount{Vendor: vendor, Fingerprint: fp, First: r.tx.Now(), Changed: changed, Source: r.source})
}

func (r *recorder) purchase(p countersign.PurchaseFact) error {
	day, err := time.Parse(time.DateOnly, p.Date)
	if err != nil {
		return err
	}
	minor, err := p.Amount.Minor()
	if err != nil {
		return err
	}
	row := store.Purchase{Kind: p.Kind, ID: p.ID, Line: p.Line, Vendor: p.Vendor, Currency: p.Amount.Currency, Minor: minor, Dated: day,
		Requester: p.Requester, Approver: p.Approver, Department: p.Department, Category: p.Category, Source: r.source,
		Settles: r.tx.Now().Add(r.at.settings.historySettling())}
	if r.settled {
		row.Settles = r.tx.Now()
	}
	if p.Account != nil {
		if row.Fingerprint, err = r.a.recordedFingerprint(r.tx, p.Vendor, *p.Account); err != nil {
			return err
		}
	}
	fresh, err := r.tx.InsertPurchase(row)
	if err != nil {
		return err
	}
	if fresh && row.Fingerprint != "" && r.settledAlready(row) && p.Kind != countersign.KindPurchaseOrder {
		if _, err := r.tx.PutVendorAccount(store.VendorAccount{Vendor: p.Vendor, Fingerprint: row.Fingerprint, First: day, Paid: day, Source: r.source}); err != nil {
			return err
		}
	}
	if fresh && !r.settledAlready(row) {
		r.answer.SettlesAt = stamp(row.Settles)
	}
	r.count(fresh, false)
	return nil
}

// settledAlready: what a system states about the past does not make an account one
// that was paid before the statement itself has settled (ruling 9).
func (r *recorder) settledAlready(p store.Purchase) bool { return !p.Settles.After(r.tx.Now()) }

func anyTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// people records what a directory says of people, in two passes: a manager may come
// after whoever reports to them. Whatever is written is counted and logged.
func (r *recorder) people(people []countersign.PersonFact) error {
	type outcome struct {
		id             string
		fresh, changed bool
	}
	all := make([]outcome, len(people))
	for i, p := range people {
		id, fresh, err := r.person(p)
		if err != nil {
			return err
		}
		joined, err := r.identities(id, p)
		if err != nil {
			return err
		}
		changed, err := r.attributes(id, p, fresh || joined)
		if err != nil {
			return err
		}
		all[i] = outcome{id, fresh, changed}
	}
	for i, p := range people {
		moved, err := r.manager(all[i].id, p, "/people/"+strconv.Itoa(i)+"/manager")
		if err != nil {
			return err
		}
		r.count(all[i].fresh, all[i].changed || moved)
	}
	return nil
}

// manager sets whom a person reports to.
func (r *recorder) manager(id string, p countersign.PersonFact, pointer string) (bool, error) {
	if p.Manager == "" {
		return false, nil
	}
	m, err := identify(r.tx, r.source, p.Manager)
	if errors.Is(err, store.ErrNotFound) {
		return false, countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: "is nobody on record, nor in this body"})
	} else if err != nil {
		return false, err
	}
	row, err := r.tx.Person(id)
	if err != nil || row.Manager == m.ID {
		return false, err
	}
	row.Manager = m.ID
	if err := r.tx.UpdatePerson(row); err != nil {
		return false, err
	}
	return true, r.personEntry(id, p)
}

// personEntry logs what a directory says of a person who was changed.
func (r *recorder) personEntry(id string, p countersign.PersonFact) error {
	detail, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = appendEntry(r.tx, entry{typ: countersign.EntryPersonChanged, subject: id, actor: r.actor, openings: map[string][]byte{countersign.OpeningDetail: detail}})
	return err
}

func (r *recorder) person(p countersign.PersonFact) (id string, fresh bool, err error) {
	row, err := identify(r.tx, r.source, p.Subject)
	for _, alias := range p.Aliases {
		if !errors.Is(err, store.ErrNotFound) {
			break
		}
		row, err = r.tx.PersonByIdentity(alias.Source, recordedSubject(alias))
	}
	now := r.tx.Now()
	switch {
	case errors.Is(err, store.ErrNotFound):
		row = store.Person{ID: countersign.NewID(countersign.PrefixPerson, now), Name: p.Name, Email: p.Email, Active: !p.Inactive, Privileged: p.Privileged,
			Handle: authn.NewUserHandle(), Settings: "{}", ActiveSince: now, PrivilegedSince: now, Created: now}
		return row.ID, true, r.tx.InsertPerson(row)
	case err != nil:
		return "", false, err
	}
	return row.ID, false, nil
}

// identities binds the ids that the directory states, and reports whether any was new.
// recordedSubject is the form in which an identifier is on record: what people sign in
// with has one form only.
func recordedSubject(a countersign.Alias) string {
	if a.Source == directory {
		return foldLogin(a.Subject)
	}
	return a.Subject
}

func (r *recorder) identities(person string, p countersign.PersonFact) (joined bool, err error) {
	all := append([]countersign.Alias{{Source: r.source, Subject: p.Subject}}, p.Aliases...)
	for _, alias := range all {
		fresh, err := r.tx.PutIdentity(store.Identity{Source: alias.Source, Subject: recordedSubject(alias), Person: person})
		if errors.Is(err, store.ErrConflict) {
			return false, countersign.NewProblem(countersign.CodeConflict, "%s knows %q as another person", alias.Source, alias.Subject).
				WithHint("two ids of one natural person cannot be joined by sending facts; an administrator does it")
		} else if err != nil {
			return false, err
		}
		joined = joined || fresh
	}
	return joined, nil
}

// attributes sets what the directory says: name, activity, privilege, groups, limits.
// A change is logged with what it was and what it is.
func (r *recorder) attributes(id string, p countersign.PersonFact, changed bool) (bool, error) {
	row, err := r.tx.Person(id)
	if err != nil {
		return false, err
	}
	now := r.tx.Now()
	before := row
	row.Name = p.Name
	if p.Email != "" {
		row.Email = p.Email
	}
	if row.Active == p.Inactive {
		row.Active, row.ActiveSince = !p.Inactive, now
	}
	if row.Privileged != p.Privileged {
		row.Privileged, row.PrivilegedSince = p.Privileged, now
	}
	if row.Name != before.Name || row.Email != before.Email || row.Active != before.Active || row.Privileged != before.Privileged {
		changed = true
		if err := r.tx.UpdatePerson(row); err != nil {
			return false, err
		}
		if !row.Active {
			if err := r.tx.EndSessionsOf(id); err != nil {
				return false, err
			}
		}
	}
	moved, err := r.groups(id, p.Groups)
	if err != nil {
		return false, err
	}
	limited, err := r.limits(id, p.Limits)
	if err != nil || !(changed || moved || limited) {
		return false, err
	}
	return true, r.personEntry(id, p)
}

// groups sets the groups that this source states. Groups that change Countersign
// itself are never set by a key: who is in them is decided by two people.
func (r *recorder) groups(id string, want []string) (changed bool, err error) {
	have, err := r.tx.GroupsOf(id)
	if err != nil {
		return false, err
	}
	var moved groupsMoved
	for _, g := range want {
		if r.guarded(g) && !slices.ContainsFunc(have, func(m store.Membership) bool { return m.Group == g }) {
			return false, countersign.NewProblem(countersign.CodeForbidden, "membership of %q is not set by facts: two administrators decide it", g)
		}
		if err := moved.join(r.tx, g, id); err != nil {
			return false, err
		}
	}
	for _, m := range have {
		if slices.Contains(want, m.Group) || r.guarded(m.Group) {
			continue
		}
		if err := moved.leave(r.tx, m.Group, id); err != nil {
			return false, err
		}
	}
	return moved.any(), moved.log(r.tx, entry{subject: id, actor: r.actor})
}

func (r *recorder) guarded(group string) bool {
	return r.actor != actorOperator && (group == GroupAdministrators || group == GroupControllers || group == GroupAuditors)
}

func (r *recorder) limits(id string, want []countersign.LimitFact) (changed bool, err error) {
	have, err := r.tx.LimitsOf(id)
	if err != nil {
		return false, err
	}
	for _, l := range want {
		minor, err := l.Amount.Minor()
		if err != nil {
			return false, err
		}
		ok, err := r.tx.PutLimit(store.PersonLimit{Person: id, Kind: l.Kind, Currency: l.Amount.Currency, Minor: minor})
		if err != nil {
			return false, err
		}
		changed = changed || ok
	}
	for _, l := range have {
		if !slices.ContainsFunc(want, func(w countersign.LimitFact) bool { return w.Kind == l.Kind }) {
			if _, err := r.tx.RemoveLimit(id, l.Kind); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}

// becameHistory turns what was released into history: the purchase itself, the
// account that is paid, the account that a bank change brought.
func (a *Authority) becameHistory(tx *store.Tx, row store.Approval, m *matter) error {
	if row.Kind == countersign.KindPaymentBatch {
		return a.batchBecameHistory(tx, row, m.doc)
	}
	if row.Vendor == "" {
		return nil
	}
	r := &recorder{a: a, source: row.Source, actor: actorSystem, tx: tx}
	account := m.doc.Payee.Account
	if row.Kind == countersign.KindVendorBankChange && account != nil {
		if _, err := r.account(row.Vendor, *account, tx.Now()); err != nil {
			return err
		}
		return tx.FactsChanged()
	}
	if row.Currency == "" || countersign.InternalKind(row.Kind) {
		return nil
	}
	p := store.Purchase{Kind: row.Kind, ID: row.Object, Vendor: row.Vendor, Currency: row.Currency, Minor: row.Minor, Dated: tx.Now(), Requester: row.Requester,
		Category: row.Category, Source: row.Source, Settles: tx.Now()}
	return a.purchased(tx, p, account)
}
