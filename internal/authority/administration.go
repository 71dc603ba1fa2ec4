package authority

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// PeopleQuery narrows the list of people; empty members do not narrow.
type PeopleQuery struct {
	Text  string // in the name or the e-mail address, or the login name itself; upper and lower case are one
	Group string // active members of
	After string // Next of the page before
	Limit int    // 1 to 200; 0 is 50
}

// SearchPeople lists people by name, a page at a time, for those who may read the
// register.
func (a *Authority) SearchPeople(ctx context.Context, s Session, q PeopleQuery) (countersign.Page[PersonView], error) {
	page := countersign.Page[PersonView]{Items: []PersonView{}}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	if err := a.register(ctx, s); err != nil {
		return page, err
	}
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		page = countersign.Page[PersonView]{Items: []PersonView{}}
		found, err := searchPeople(tx, q)
		if err != nil {
			return err
		}
		if q.After != "" {
			last, err := tx.Person(q.After) // who need not be among those found any more
			if err != nil {
				return err
			}
			found = slices.DeleteFunc(found, func(p store.Person) bool { return byName(&p, &last) <= 0 })
		}
		if len(found) > q.Limit {
			found = found[:q.Limit]
			page.Next = found[q.Limit-1].ID
		}
		for _, row := range found {
			v, err := viewPerson(tx, row)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, v)
		}
		return nil
	})
	return page, fault(err)
}

// searchPeople finds all whom a query lets through, by name. Names are compared as
// people read them, which no two databases do alike, so that the comparison is ours.
func searchPeople(tx *store.Tx, q PeopleQuery) ([]store.Person, error) {
	members := map[string]bool{}
	if q.Group != "" {
		all, err := tx.Memberships()
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			members[m.Person] = members[m.Person] || m.Group == q.Group
		}
	}
	text := foldLogin(strings.TrimSpace(q.Text))
	login := ""
	if text != "" {
		p, err := tx.PersonByIdentity(directory, text)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		login = p.ID
	}
	people, err := everybody(tx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(people, func(p store.Person) bool {
		if q.Group != "" && !members[p.ID] {
			return true
		}
		return text != "" && p.ID != login && p.ID != q.Text && !strings.Contains(foldLogin(p.Name), text) && !strings.Contains(foldLogin(p.Email), text)
	}), nil
}

// everybody reads all people, by name.
func everybody(tx *store.Tx) ([]store.Person, error) {
	const some = 1000
	var all []store.Person
	for after := ""; ; {
		rows, err := tx.People(after, some)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < some {
			break
		}
		after = rows[some-1].ID
	}
	sort.Slice(all, func(i, j int) bool { return byName(&all[i], &all[j]) < 0 })
	return all, nil
}

// byName orders people as they are listed.
func byName(p, q *store.Person) int {
	return cmp.Or(cmp.Compare(foldLogin(p.Name), foldLogin(q.Name)), cmp.Compare(p.ID, q.ID))
}

// PersonRecord is what the register knows of a person beside their rights. It holds
// nothing by which anybody could prove to be them.
type PersonRecord struct {
	Person         PersonView
	Manager        *countersign.Principal // nil where none is known
	Authenticators []AuthenticatorView    // oldest first
	Sessions       int                    // open now
	BreakGlassFrom time.Time              // from when on they may break the glass; zero where they are not named
	Since          time.Time              // on record
}

// PersonRecord reads a person's record, for those who may read the register.
func (a *Authority) PersonRecord(ctx context.Context, s Session, id string) (*PersonRecord, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out PersonRecord
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		row, err := tx.Person(id)
		if err != nil {
			return err
		}
		out = PersonRecord{Authenticators: []AuthenticatorView{}, Since: row.Created}
		if out.Person, err = viewPerson(tx, row); err != nil {
			return err
		}
		if m, err := tx.Person(row.Manager); err == nil {
			out.Manager = &countersign.Principal{ID: m.ID, Name: m.Name}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		factors, err := tx.Authenticators(id)
		if err != nil {
			return err
		}
		for _, f := range factors {
			v, err := viewAuthenticator(f)
			if err != nil {
				return err
			}
			out.Authenticators = append(out.Authenticators, v)
		}
		if out.Sessions, err = tx.CountSessionsOf(id); err != nil {
			return err
		}
		names, err := tx.BreakGlassNames()
		for _, n := range names {
			if n.Person == id {
				out.BreakGlassFrom = n.Effective
			}
		}
		return err
	})
	return &out, fault(err)
}

// EndSessions signs a person out everywhere, as an administrator does who hears that a
// device was lost. It takes nothing away that signing in anew does not give back, so one
// administrator is enough; the log says who did.
func (a *Authority) EndSessions(ctx context.Context, s Session, person string) error {
	if err := a.administrator(ctx, s); err != nil {
		return err
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Person(person); err != nil {
			return err
		}
		if err := tx.EndSessionsOf(person); err != nil {
			return err
		}
		_, err := appendEntry(tx, entry{typ: countersign.EntryPersonChanged, subject: person, actor: s.Person.ID, facts: map[string]string{"sessions": "ended"}})
		return err
	})
	return fault(err)
}

// AddPersonSubject is what a step-up for adding a person is made for.
func AddPersonSubject(login string) string { return "person:" + foldLogin(login) }

// AddPerson puts somebody on record whom no directory brought in, by the name that they
// sign in with. They are in no group and have no limit: they may do nothing until two
// people have agreed to it (ruling 7).
func (a *Authority) AddPerson(ctx context.Context, s Session, p NewPerson, body StepUpBody) (id string, err error) {
	if err := a.administrator(ctx, s); err != nil {
		return "", err
	}
	facts := countersign.FactsBody{People: []countersign.PersonFact{{Subject: p.Login, Name: p.Name, Email: p.Email}}}
	if err := countersign.ValidateFacts(&facts); err != nil {
		return "", err
	}
	if len(p.Groups) > 0 {
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/groups", Detail: "nobody comes into a group by being added: propose it, and a second person decides"})
	}
	j, err := a.stepUp(ctx, s, AddPersonSubject(p.Login), body)
	if err != nil {
		return "", fault(err)
	}
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		switch known, err := identify(tx, directory, p.Login); {
		case err == nil:
			return countersign.NewProblem(countersign.CodeConflict, "%q is the login name of %s already", clipText(p.Login), known.Name)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		r := recorder{a: a, tx: tx, source: directory, actor: s.Person.ID}
		if err := r.record(facts); err != nil {
			return err
		}
		row, err := identify(tx, directory, p.Login)
		id = row.ID
		return err
	})
	return id, fault(err)
}

// Group is a group with how many active people are in it.
type Group struct {
	Name    string
	Members int
}

// Groups lists the groups that anybody is in, that the policy names, and that
// Countersign itself knows, by name.
func (a *Authority) Groups(ctx context.Context, s Session) ([]Group, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out []Group
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		count := map[string]int{GroupAdministrators: 0, GroupAuditors: 0, GroupControllers: 0}
		all, err := tx.Memberships()
		if err != nil {
			return err
		}
		for _, m := range all {
			count[m.Group]++
		}
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		_, v, err := a.policyNow(tx, at)
		if err != nil {
			return err
		}
		for _, name := range v.Groups() { // also those that nobody is in yet
			count[name] += 0
		}
		out = nil
		for name, n := range count {
			out = append(out, Group{name, n})
		}
		sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
		return nil
	})
	return out, fault(err)
}

// BreakGlassName is a person who may break the glass, from a time on.
type BreakGlassName struct {
	Person    countersign.Principal
	Effective time.Time
}

// BreakGlass is what is arranged for emergencies, and what of it waits.
type BreakGlass struct {
	Amount   *countersign.Amount // the most for one use; nil: it is off
	PerMonth int
	Names    []BreakGlassName
	// BlockedFrom is when the oldest use without a review blocks the next one; zero where
	// none waits.
	BlockedFrom time.Time
}

// BreakGlassState reads it, for those who may read the register.
func (a *Authority) BreakGlassState(ctx context.Context, s Session) (*BreakGlass, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out BreakGlass
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		out = BreakGlass{Amount: at.settings.BreakGlassAmount, PerMonth: at.settings.breakGlassPerMonth()}
		names, err := tx.BreakGlassNames()
		if err != nil {
			return err
		}
		for _, n := range names {
			p, err := tx.Person(n.Person)
			if err != nil {
				return err
			}
			out.Names = append(out.Names, BreakGlassName{countersign.Principal{ID: p.ID, Name: p.Name}, n.Effective})
		}
		uses, err := tx.BreakGlassUses(tx.Now())
		for _, u := range uses {
			if blocks := u.Used.Add(approval.BreakGlassReviewAfter); u.Reviewed.IsZero() && (out.BlockedFrom.IsZero() || blocks.Before(out.BlockedFrom)) {
				out.BlockedFrom = blocks
			}
		}
		return err
	})
	return &out, fault(err)
}

// Colleagues are whom a person can name when they arrange who decides in whose place.
type Colleagues struct {
	All   []countersign.Principal // active, in some group, by name; never the person
	Below []countersign.Principal // for whom the person may propose a delegation
}

// Colleagues lists them. Their names and ids are all that is said of them, so that
// whoever may decide can be named by whoever may delegate.
func (a *Authority) Colleagues(ctx context.Context, s Session) (*Colleagues, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	var out Colleagues
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		out = Colleagues{}
		people, err := everybody(tx)
		if err != nil {
			return err
		}
		members, err := tx.Memberships()
		if err != nil {
			return err
		}
		grouped, administers := map[string]bool{}, false
		for _, m := range members {
			grouped[m.Person] = true
			administers = administers || m.Person == s.Person.ID && m.Group == GroupAdministrators
		}
		managerOf := make(map[string]string, len(people))
		for _, p := range people {
			managerOf[p.ID] = p.Manager
		}
		for _, p := range people {
			if p.ID == s.Person.ID || !p.Active || !grouped[p.ID] {
				continue
			}
			who := countersign.Principal{ID: p.ID, Name: p.Name}
			out.All = append(out.All, who)
			if administers || above(managerOf, s.Person.ID, p.ID) {
				out.Below = append(out.Below, who)
			}
		}
		return nil
	})
	return &out, fault(err)
}

// above is [manages] over people who are all read already.
func above(managerOf map[string]string, person, other string) bool {
	var seen []string
	for id := managerOf[other]; id != "" && !slices.Contains(seen, id) && len(seen) < 20; id = managerOf[id] {
		if id == person {
			return true
		}
		seen = append(seen, id)
	}
	return false
}

// Names reads what people and vendors are called, for those who may read the register:
// per_… and numbers of vendors as "vendor:4711". What is not known is left out.
func (a *Authority) Names(ctx context.Context, s Session, ids ...string) (map[string]string, error) {
	if err := a.register(ctx, s); err != nil {
		return nil, err
	}
	var out map[string]string
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		out = map[string]string{}
		for _, id := range ids {
			name := ""
			var err error
			if vendor, ok := vendorOf(id); ok {
				var v store.Vendor
				v, err = tx.Vendor(vendor)
				name = v.Name
			} else if countersign.IsID(countersign.PrefixPerson, id) {
				var p store.Person
				p, err = tx.Person(id)
				name = p.Name
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if name != "" {
				out[id] = name
			}
		}
		return nil
	})
	return out, fault(err)
}

// DelegationState is a delegation, and whether the visitor may end it.
type DelegationState struct {
	DelegationView
	MayEnd bool
}

// ReadDelegation reads one delegation. Both of its people see it, whoever is above the
// delegator, and those who see all; to anybody else it is not there.
func (a *Authority) ReadDelegation(ctx context.Context, s Session, id string) (*DelegationState, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	var out DelegationState
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		row, err := tx.Delegation(id)
		if err != nil {
			return err
		}
		if out.MayEnd, err = a.mayEndDelegation(tx, s.Person.ID, row); err != nil {
			return err
		}
		groups, err := groupNames(tx, s.Person.ID)
		if err != nil {
			return err
		}
		if !out.MayEnd && !(viewer{groups: groups}).seesAll() {
			return notFound()
		}
		v, err := viewDelegation(tx, row)
		if err != nil {
			return err
		}
		out.DelegationView, out.MayEnd = *v, out.MayEnd && v.State != delegationOver
		return nil
	})
	return &out, fault(err)
}
