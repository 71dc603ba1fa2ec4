package authority

import (
	"cmp"
	"context"
	"errors"
	"slices"
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

func (q PeopleQuery) bounded() PeopleQuery {
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	return q
}

// SearchPeople lists people by name, a page at a time, for those who may read the
// register.
func (a *Authority) SearchPeople(ctx context.Context, s Session, q PeopleQuery) (countersign.Page[PersonView], error) {
	return look(ctx, a, s, func(r *reading) (countersign.Page[PersonView], error) {
		if err := r.register(); err != nil {
			return countersign.Page[PersonView]{}, err
		}
		return r.searchPeople(q.bounded())
	})
}

func (r *reading) searchPeople(q PeopleQuery) (countersign.Page[PersonView], error) {
	page := countersign.Page[PersonView]{Items: []PersonView{}}
	found, err := searchPeople(r.tx, q)
	if err != nil {
		return page, err
	}
	if q.After != "" {
		last, err := r.tx.Person(q.After) // who need not be among those found any more
		if err != nil {
			return page, err
		}
		found = slices.DeleteFunc(found, func(p store.Person) bool { return byName(p, last) <= 0 })
	}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = found[q.Limit-1].ID
	}
	page.Items, err = viewPeople(r.tx, found)
	return page, err
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
	slices.SortFunc(all, byName)
	return all, nil
}

// byName orders people as they are listed.
func byName(p, q store.Person) int {
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
	return look(ctx, a, s, func(r *reading) (*PersonRecord, error) { return r.personRecord(id) })
}

func (r *reading) personRecord(id string) (*PersonRecord, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	tx := r.tx
	row, err := tx.Person(id)
	if err != nil {
		return nil, err
	}
	out := &PersonRecord{Authenticators: []AuthenticatorView{}, Since: row.Created}
	if out.Person, err = viewPerson(tx, row); err != nil {
		return nil, err
	}
	if m, err := tx.Person(row.Manager); err == nil {
		out.Manager = &countersign.Principal{ID: m.ID, Name: m.Name}
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	factors, err := tx.Authenticators(id)
	if err != nil {
		return nil, err
	}
	for _, f := range factors {
		v, err := viewAuthenticator(f)
		if err != nil {
			return nil, err
		}
		out.Authenticators = append(out.Authenticators, v)
	}
	if out.Sessions, err = tx.CountSessionsOf(id); err != nil {
		return nil, err
	}
	names, err := tx.BreakGlassNames()
	for _, n := range names {
		if n.Person == id {
			out.BreakGlassFrom = n.Effective
		}
	}
	return out, err
}

// Group is a group with how many active people are in it.
type Group struct {
	Name    string
	Members int
}

// Groups lists the groups that anybody is in, that the policy names, and that
// Countersign itself knows, by name.
func (a *Authority) Groups(ctx context.Context, s Session) ([]Group, error) {
	return look(ctx, a, s, (*reading).allGroups)
}

func (r *reading) allGroups() ([]Group, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	count := map[string]int{GroupAdministrators: 0, GroupAuditors: 0, GroupControllers: 0}
	all, err := r.tx.Memberships()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		count[m.Group]++
	}
	at, err := r.settings()
	if err != nil {
		return nil, err
	}
	_, v, err := r.a.policyNow(r.tx, at)
	if err != nil {
		return nil, err
	}
	for _, name := range v.Groups() { // also those that nobody is in yet
		count[name] += 0
	}
	var out []Group
	for name, n := range count {
		out = append(out, Group{name, n})
	}
	slices.SortFunc(out, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
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
	ToReview []BreakGlassUse // oldest first
	// BlockedFrom is when the oldest use without a review blocks the next one; zero where
	// none waits.
	BlockedFrom time.Time
}

// BreakGlassState reads it, for those who may read the register.
func (a *Authority) BreakGlassState(ctx context.Context, s Session) (*BreakGlass, error) {
	return look(ctx, a, s, (*reading).breakGlass)
}

func (r *reading) breakGlass() (*BreakGlass, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	at, err := r.settings()
	if err != nil {
		return nil, err
	}
	out := &BreakGlass{Amount: at.settings.BreakGlassAmount, PerMonth: at.settings.breakGlassPerMonth()}
	names, err := r.tx.BreakGlassNames()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(names))
	for i, n := range names {
		ids[i] = n.Person
	}
	people, err := principals(r.tx, ids)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		out.Names = append(out.Names, BreakGlassName{people[n.Person], n.Effective})
	}
	uses, err := r.tx.BreakGlassUses(r.tx.Now())
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		if !u.Reviewed.IsZero() {
			continue
		}
		out.ToReview = append(out.ToReview, viewUse(u))
		if blocks := u.Used.Add(approval.BreakGlassReviewAfter); out.BlockedFrom.IsZero() || blocks.Before(out.BlockedFrom) {
			out.BlockedFrom = blocks
		}
	}
	return out, nil
}

// Colleagues are whom a person can name when they arrange who decides in whose place.
type Colleagues struct {
	All   []countersign.Principal // active, in some group, by name; never the person
	Below []countersign.Principal // for whom the person may propose a delegation
}

// Colleagues lists them. Their names and ids are all that is said of them, so that
// whoever may decide can be named by whoever may delegate.
func (a *Authority) Colleagues(ctx context.Context, s Session) (*Colleagues, error) {
	return look(ctx, a, s, (*reading).colleagues)
}

func (r *reading) colleagues() (*Colleagues, error) {
	if err := r.s.browse(); err != nil {
		return nil, err
	}
	people, err := everybody(r.tx)
	if err != nil {
		return nil, err
	}
	members, err := r.tx.Memberships()
	if err != nil {
		return nil, err
	}
	me := r.s.Person.ID
	grouped, administers := map[string]bool{}, false
	for _, m := range members {
		grouped[m.Person] = true
		administers = administers || m.Person == me && m.Group == GroupAdministrators
	}
	managerOf := make(map[string]string, len(people))
	for _, p := range people {
		managerOf[p.ID] = p.Manager
	}
	out := &Colleagues{}
	for _, p := range people {
		if p.ID == me || !p.Active || !grouped[p.ID] {
			continue
		}
		who := countersign.Principal{ID: p.ID, Name: p.Name}
		out.All = append(out.All, who)
		if administers || above(managerOf, me, p.ID) {
			out.Below = append(out.Below, who)
		}
	}
	return out, nil
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

// Names reads what people and vendors are called, for those who may read the register.
func (a *Authority) Names(ctx context.Context, s Session, ids ...string) (Names, error) {
	return look(ctx, a, s, func(r *reading) (Names, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		return r.names(ids...)
	})
}

// DelegationState is a delegation, and whether the visitor may end it.
type DelegationState struct {
	DelegationView
	MayEnd bool
}

// ReadDelegation reads one delegation. Both of its people see it, whoever is above the
// delegator, and those who see all; to anybody else it is not there.
func (a *Authority) ReadDelegation(ctx context.Context, s Session, id string) (*DelegationState, error) {
	return look(ctx, a, s, func(r *reading) (*DelegationState, error) {
		if err := s.browse(); err != nil {
			return nil, err
		}
		row, err := r.tx.Delegation(id)
		if err != nil {
			return nil, err
		}
		out := &DelegationState{}
		if out.MayEnd, err = a.mayEndDelegation(r.tx, s.Person.ID, row); err != nil {
			return nil, err
		}
		groups, err := r.mine()
		if err != nil {
			return nil, err
		}
		if !out.MayEnd && !(viewer{groups: groups}).seesAll() {
			return nil, notFound()
		}
		views, err := viewDelegations(r.tx, []store.Delegation{row})
		if err != nil {
			return nil, err
		}
		out.DelegationView = views[0]
		out.MayEnd = out.MayEnd && out.State != delegationOver
		return out, nil
	})
}
