package authority

import (
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// dossier is a stored request with all that is weighed about it, as of one transaction. It
// is loaded once, whoever decides: only the person is swapped.
type dossier struct {
	a  *Authority
	tx *store.Tx
	c  *caseFile
	*people

	version *policy.Version
	at      *standingAt
	matter  *matter // with nobody deciding; nil until it was loaded
	about   []string
	stands  map[string]bool // people whose alerts and freezes were read
	alerts  []store.Alert
	freezes []store.Freeze

	delegations map[string][]store.Delegation
	answers     map[[2]string]*countersign.Requirement
}

func (a *Authority) dossier(tx *store.Tx, c *caseFile) *dossier {
	return a.dossierOf(tx, c, a.people(tx))
}

// dossierOf is a dossier beside others in the same transaction, which know the same people.
func (a *Authority) dossierOf(tx *store.Tx, c *caseFile, p *people) *dossier {
	return &dossier{a: a, tx: tx, c: c, people: p, stands: map[string]bool{}, delegations: map[string][]store.Delegation{},
		answers: map[[2]string]*countersign.Requirement{}}
}

// actor puts together who acts: the person, weighed again for this request (ruling 6), whom
// they stand in for, and break-glass if they ask for it.
func (d *dossier) actor(person, actingFor string, glass bool) (approval.Candidate, error) {
	if err := d.expect(person, actingFor); err != nil {
		return approval.Candidate{}, err
	}
	p, err := d.candidate(d.c.row.Kind, person)
	if err != nil {
		return approval.Candidate{}, err
	}
	who := approval.Candidate{Person: p}
	if actingFor != "" {
		if who.ActingFor, err = d.delegator(person, actingFor); err != nil {
			return who, err
		}
	}
	if who.Person.Weighed, err = d.weigh(person, actingFor); err != nil {
		return who, err
	}
	if glass {
		who.BreakGlass, err = d.a.breakGlass(d.tx, d.c, person)
	}
	return who, err
}

// expect reads what will be needed of several people at once.
func (d *dossier) expect(ids ...string) error {
	internal := countersign.InternalKind(d.c.row.Kind)
	if err := d.tx.Ahead(func() {
		d.meet(ids...)
		if !internal && d.load() == nil {
			d.standing(ids)
		}
	}); err != nil {
		return err
	}
	if err := d.meet(ids...); err != nil || internal {
		return err
	}
	if err := d.load(); err != nil {
		return err
	}
	return d.standing(ids)
}

// delegator finds the delegation under which a person acts for another: of several, the
// one that lets the most pass.
func (d *dossier) delegator(person, from string) (*approval.Delegator, error) {
	if countersign.InternalKind(d.c.row.Kind) {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "changes to Countersign itself are not decided in another's place")
	}
	all, ok := d.delegations[person]
	if !ok {
		var err error
		if all, err = d.tx.DelegationsTo(person); err != nil {
			return nil, err
		}
		d.delegations[person] = all
	}
	var best *approval.Delegation
	for _, row := range all {
		if row.From != from {
			continue
		}
		of, err := d.a.delegationFor(d.tx, row, d.c.row.Kind)
		if err != nil {
			return nil, err
		}
		if best == nil || wider(of, *best, d.c.row.Kind) {
			best = &of
		}
	}
	if best == nil {
		return nil, countersign.NewProblem(countersign.CodeForbidden, "nobody of that id has delegated to you now")
	}
	p, err := d.candidate(d.c.row.Kind, from)
	return &approval.Delegator{Person: p, Delegation: *best}, err
}

// weigh asks the policy in force about the person who is about to sign. What is stricter
// binds this person; a deny bars only them.
func (d *dossier) weigh(person, actingFor string) (*countersign.Requirement, error) {
	if countersign.InternalKind(d.c.row.Kind) {
		return d.a.aboutThemselves(d.tx, d.c, person, actingFor)
	}
	who := [2]string{person, actingFor}
	if r, ok := d.answers[who]; ok {
		return r, nil
	}
	f, err := d.factsFor(person, actingFor)
	if err != nil {
		return nil, err
	}
	r := d.version.Evaluate(f, policy.StagePerson).Requirement
	d.answers[who] = &r
	return &r, nil
}

// load reads what is weighed whoever decides.
func (d *dossier) load() error {
	if d.matter != nil {
		return nil
	}
	m, err := d.c.matter()
	if err != nil {
		return err
	}
	m.sub.Approver, m.sub.ActingFor = "", ""
	at, err := d.a.current(d.tx)
	if err != nil {
		return err
	}
	if _, d.version, err = d.a.policyNow(d.tx, at); err != nil {
		return err
	}
	if d.at, err = d.a.standing(d.tx, at.gen); err != nil {
		return err
	}
	if err := d.tx.Ahead(func() { d.loadAhead(m, at.gen) }); err != nil {
		return err
	}
	if err := d.a.load(d.tx, d.version, m, at.gen); err != nil {
		return err
	}
	if err := m.sums(d.tx, d.version); err != nil {
		return err
	}
	l := &loader{m: m}
	d.matter, d.about = m, l.about()
	return nil
}

// loadAhead asks together for what [dossier.load] reads one after the other: the facts, the
// earlier requests for the object, and the sums, which need to know who asked.
func (d *dossier) loadAhead(m *matter, gen int64) {
	facts, sums := *m, *m
	d.a.load(d.tx, d.version, &facts, gen)
	d.tx.VerdictsOnObject(m.source, m.doc.Kind, m.doc.ID, maxVerdicts)
	l := &loader{a: d.a, tx: d.tx, v: d.version, m: &sums, at: d.at, seen: map[string]*signal.Person{}}
	if l.people(); l.err != nil {
		return
	}
	if p := m.doc.Payee; p != nil {
		sums.vendor = p.ID
	}
	sums.sums(d.tx, d.version)
}

// standing reads the alerts and freezes of people, where there are any at all.
func (d *dossier) standing(ids []string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || d.stands[id] || slices.Contains(d.about, id) })
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	var alerts []store.Alert
	var freezes []store.Freeze
	var err error
	if d.at.alerts {
		if alerts, err = d.tx.OpenAlertsOfEach(ids); err != nil {
			return err
		}
	}
	if d.at.freezes {
		if freezes, err = d.tx.FreezesOfEach(ids); err != nil {
			return err
		}
	}
	d.alerts, d.freezes = append(d.alerts, alerts...), append(d.freezes, freezes...)
	for _, id := range ids {
		d.stands[id] = true
	}
	return nil
}

// factsFor are the facts with a person deciding, in another's place or in their own.
func (d *dossier) factsFor(person, actingFor string) (*signal.Facts, error) {
	if err := d.expect(person, actingFor); err != nil {
		return nil, err
	}
	f, sub := d.matter.facts, *d.matter.sub
	sub.Approver, sub.ActingFor = person, actingFor
	f.Submission = &sub
	var err error
	if f.Approver, err = d.weighed(d.c.row.Kind, person); err != nil {
		return nil, err
	}
	if f.ActingFor, err = d.weighed(d.c.row.Kind, actingFor); err != nil {
		return nil, err
	}
	f.Rates = slices.Clone(f.Rates)
	f.Alerts, f.Freezes = slices.Clone(f.Alerts), slices.Clone(f.Freezes)
	l := &loader{a: d.a, tx: d.tx, v: d.version, m: &matter{doc: d.matter.doc, facts: f, base: d.matter.base, rates: map[string]bool{}}, at: d.at}
	for c := range d.matter.rates {
		l.m.rates[c] = true
	}
	l.amounts()
	f = l.m.facts
	who := []string{person, actingFor}
	for _, al := range d.alerts {
		if slices.Contains(who, al.About) {
			f.Alerts = append(f.Alerts, alertFact(al, al.About))
		}
	}
	slices.SortStableFunc(f.Alerts, func(x, y signal.Alert) int { return y.Raised.Compare(x.Raised) })
	for _, z := range d.freezes {
		if slices.Contains(who, z.About) {
			f.Freezes = append(f.Freezes, signal.Freeze{ID: z.ID, About: z.About, Until: z.Expires})
		}
	}
	return &f, l.err
}

func alertFact(al store.Alert, about string) signal.Alert {
	return signal.Alert{ID: al.ID, Severity: signal.Severity(al.Severity), About: about, Kind: al.Title, Raised: al.Raised}
}
