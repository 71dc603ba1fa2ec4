package authority

import (
	"slices"
	"time"

	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// people are persons as one transaction sees them. They are read many at once: how often
// the database is asked does not depend on how many they are.
type people struct {
	a       *Authority
	tx      *store.Tx
	met     map[string]bool
	rows    map[string]store.Person // also of those above them
	groups  map[string][]store.Membership
	limits  map[string][]store.PersonLimit
	factors map[string][]store.Authenticator // also what was removed
}

func (a *Authority) people(tx *store.Tx) *people {
	return &people{a: a, tx: tx, met: map[string]bool{}, rows: map[string]store.Person{}, groups: map[string][]store.Membership{},
		limits: map[string][]store.PersonLimit{}, factors: map[string][]store.Authenticator{}}
}

// meet reads those who were not met yet.
func (p *people) meet(ids ...string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || p.met[id] })
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	if err := p.tx.Ahead(func() { p.ask(ids) }); err != nil {
		return err
	}
	rows, err := p.tx.PeopleAndAbove(ids)
	if err != nil {
		return err
	}
	groups, err := p.tx.GroupsOfEach(ids)
	if err != nil {
		return err
	}
	limits, err := p.tx.LimitsOfEach(ids)
	if err != nil {
		return err
	}
	factors, err := p.tx.FactorsOfEach(ids)
	if err != nil {
		return err
	}
	for id, row := range rows {
		p.rows[id] = row
	}
	for _, id := range ids {
		p.met[id], p.groups[id], p.limits[id], p.factors[id] = true, groups[id], limits[id], factors[id]
	}
	return nil
}

// ask asks ahead for all that is known of people, and for the rates of their limits.
func (p *people) ask(ids []string) {
	p.tx.PeopleAndAbove(ids)
	p.tx.GroupsOfEach(ids)
	p.tx.FactorsOfEach(ids)
	limits, err := p.tx.LimitsOfEach(ids)
	if err != nil {
		return
	}
	at, err := p.a.current(p.tx)
	if err != nil {
		return
	}
	_, v, err := p.a.policyNow(p.tx, at)
	if err != nil {
		return
	}
	for _, of := range limits {
		for _, l := range of {
			if base := v.Currency(); l.Currency != base {
				rateNow(p.tx, base, l.Currency)
			}
		}
	}
}

// candidate is what the state machine needs to know about a person, for one kind of
// document.
func (p *people) candidate(kind, id string) (approval.Person, error) {
	if err := p.meet(id); err != nil {
		return approval.Person{}, err
	}
	row, ok := p.rows[id]
	if !ok {
		return approval.Person{}, store.ErrNotFound
	}
	out := approval.Person{ID: row.ID, Name: row.Name, Active: row.Active, Privileged: row.Privileged, Groups: []string{}, Managers: p.above(row)}
	for _, g := range p.groups[id] {
		out.Groups = append(out.Groups, g.Group)
		out.Controller = out.Controller || g.Group == GroupControllers
	}
	var err error
	if out.Limit, err = p.a.limitInBase(p.tx, p.limits[id], kind); err != nil {
		return out, err
	}
	out.Strongest, out.CoolOffUntil, err = p.a.strongest(p.has(id), p.tx.Now())
	return out, err
}

// has are the authenticators that a person has now.
func (p *people) has(id string) []store.Authenticator {
	return slices.DeleteFunc(slices.Clone(p.factors[id]), func(f store.Authenticator) bool { return !f.Removed.IsZero() })
}

// above walks the reporting line upwards, as [managers] does.
func (p *people) above(row store.Person) []string {
	var line []string
	for id := row.Manager; id != "" && !slices.Contains(line, id) && len(line) < maxLine; id = p.rows[id].Manager {
		line = append(line, id)
	}
	return line
}

// weighed is what is weighed about a person, for one kind of document. Whoever is not on
// record comes back with only the claim.
func (p *people) weighed(kind, id string) (*signal.Person, error) {
	if id == "" {
		return nil, nil
	}
	if err := p.meet(id); err != nil {
		return nil, err
	}
	row, ok := p.rows[id]
	if !ok {
		return &signal.Person{Claimed: id}, nil
	}
	out := signalPerson(row, p.groups[id], p.limits[id], kind)
	out.Claimed, out.FactorChanged = id, factorChanged(p.factors[id])
	return &out, nil
}

// factorChanged is when a person's authenticators changed last, by all that they have and
// had; see [store.Tx.FactorChanged].
func factorChanged(all []store.Authenticator) (at time.Time) {
	for _, f := range all {
		for _, t := range []time.Time{f.Created, f.Removed} {
			if t.After(at) {
				at = t
			}
		}
	}
	return at
}
