package authority

import (
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// inboxOf is one person's inbox inside one transaction. What is known of people is read
// once for each kind of document, since limits differ by kind.
type inboxOf struct {
	a      *Authority
	tx     *store.Tx
	viewer viewer
	people *people
	cases  map[string]*dossier            // by request
	judged map[string]approval.Person     // by id and kind of document
	others map[string]*approval.Delegator // by id and kind of document
}

func (a *Authority) inboxOf(tx *store.Tx, s Session) (*inboxOf, error) {
	v, err := viewerOf(tx, s)
	return &inboxOf{a: a, tx: tx, viewer: v, people: a.people(tx), cases: map[string]*dossier{}, judged: map[string]approval.Person{}, others: map[string]*approval.Delegator{}}, err
}

// asked are the names under which the person is asked, for themself or for another.
func (b *inboxOf) asked() []string {
	who := []string{b.viewer.person}
	for _, g := range b.viewer.groups {
		who = append(who, store.AudienceGroup+g, store.AudienceInner+g)
	}
	for _, p := range b.viewer.inPlaceOf {
		who = append(who, p.person)
		for _, g := range p.groups {
			who = append(who, store.AudienceGroup+g)
		}
	}
	slices.Sort(who)
	return slices.Compact(who)
}

// concerned are the names under which anything concerns the person.
func (b *inboxOf) concerned() []string {
	who := append(b.asked(), store.AudienceOwn+b.viewer.person)
	for _, g := range b.viewer.groups {
		who = append(who, store.AudienceWatch+g)
	}
	return who
}

// light is a stored request as the inbox needs it: its decisions are those that its
// state names. It is held to the log where it is looked at by itself.
func light(row store.Approval) (*caseFile, error) {
	state, err := stateOf(row)
	if err != nil {
		return nil, err
	}
	c := &caseFile{row: row, state: state, founding: row.Founding}
	for _, d := range state.Decisions {
		c.decisions = append(c.decisions, store.Decision{Approval: row.ID, ID: d.ID, Person: d.Person, Act: d.Act, At: d.At})
	}
	return c, nil
}

func (b *inboxOf) dossier(c *caseFile) *dossier {
	d := b.cases[c.row.ID]
	if d == nil {
		d = b.a.dossierOf(b.tx, c, b.people)
		b.cases[c.row.ID] = d
	}
	return d
}

// expect asks together for what judging requests takes: as many round trips for a page of
// them as for one.
func (b *inboxOf) expect(files []*caseFile) error {
	return b.tx.Ahead(func() {
		for _, c := range files {
			b.waits(c)
		}
	})
}

// waiting says that a request waits for the person, and how.
type waiting struct {
	actingFor *countersign.Principal
	needs     string // obstacle's code: what they lack for approving
}

// waits judges whether a request waits for the person: whether they could decide on it
// now, for themself or in another's place. Somebody who only has to wait or to enrol a
// stronger factor is waited for: they can deny at once. It is nil where it does not.
func (b *inboxOf) waits(c *caseFile) (*waiting, error) {
	me, err := b.person(b.viewer.person, c.row.Kind)
	if err != nil {
		return nil, err
	}
	w, err := b.judge(c, approval.Candidate{Person: me})
	if err != nil || (w != nil && w.needs == "") {
		return w, err
	}
	delegators, _ := b.viewer.delegators(c.row.Kind)
	for _, from := range delegators {
		d, err := b.delegator(c, from)
		if err != nil {
			return nil, err
		}
		other, err := b.judge(c, approval.Candidate{Person: me, ActingFor: d})
		if err != nil {
			return nil, err
		}
		if other != nil && (w == nil || other.needs == "") {
			other.actingFor = &countersign.Principal{ID: d.Person.ID, Name: d.Person.Name}
			if w = other; w.needs == "" {
				return w, nil
			}
		}
	}
	return w, nil
}

// judge asks the state machine, and then once more with what the policy says of this
// person (ruling 6): weighing is dear, and can only take away.
func (b *inboxOf) judge(c *caseFile, who approval.Candidate) (*waiting, error) {
	if waitsFor(approval.Eligible(c.state, who, b.tx.Now())) == nil {
		return nil, nil
	}
	from := ""
	if who.ActingFor != nil {
		from = who.ActingFor.Person.ID
	}
	var err error
	if who.Person.Weighed, err = b.dossier(c).weigh(who.Person.ID, from); err != nil {
		return nil, err
	}
	return waitsFor(approval.Eligible(c.state, who, b.tx.Now())), nil
}

// waitsFor reads an eligibility. What passes by itself bars approving only, so that
// whoever it bars may deny.
func waitsFor(e approval.Eligibility) *waiting {
	switch {
	case e.MayApprove:
		return &waiting{}
	case slices.ContainsFunc(e.Obstacles, func(o approval.Obstacle) bool { return !o.Passing }):
		return nil
	}
	return &waiting{needs: e.Obstacles[0].Code}
}

func (b *inboxOf) person(id, kind string) (approval.Person, error) {
	key := id + " " + kind
	if p, ok := b.judged[key]; ok {
		return p, nil
	}
	p, err := b.people.candidate(kind, id)
	if err == nil {
		b.judged[key] = p
	}
	return p, err
}

func (b *inboxOf) delegator(c *caseFile, from string) (*approval.Delegator, error) {
	key := from + " " + c.row.Kind
	if d, ok := b.others[key]; ok {
		return d, nil
	}
	d, err := b.dossier(c).delegator(b.viewer.person, from)
	if err == nil {
		b.others[key] = d
	}
	return d, err
}

// files reads requests in the given order. One that was changed from outside is left
// out: its own page says so.
func (b *inboxOf) files(ids []string) ([]*caseFile, error) {
	rows, err := b.tx.ApprovalsByID(ids)
	if err != nil {
		return nil, err
	}
	var out []*caseFile
	for _, id := range ids {
		row, ok := rows[id]
		if !ok {
			continue
		}
		c, err := light(row)
		if errors.Is(err, errTampered) {
			continue
		} else if err != nil {
			return nil, err
		}
		c.asOf(b.tx.Now())
		out = append(out, c)
	}
	return out, nil
}
