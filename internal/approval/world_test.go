package approval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// world drives one machine with random events over random people, groups and
// clauses, and writes down what really happened. The machine's state is never asked
// for the truth: the oracle judges by the notes alone.
type world struct {
	m      machine
	r      *rand.Rand
	now    time.Time
	people []Person
	bosses map[string]string // who reports to whom
	asked  map[string]bool   // the requester and the owner

	stored  State   // what the store holds
	earlier []State // what it held before: somebody may still look at it

	req       countersign.Requirement // truth: what is required now
	policies  int
	policy    countersign.Digest
	deadline  time.Time
	notes     []note
	ended     string // why it can never be approved any more
	reached   bool
	decisions int
}

// note is one approval that was committed, with the truth as of then.
type note struct {
	who, forWhom       string
	groups             []string
	active, chain      bool
	nominated, glass   bool
	glassOpen, covered bool
	assurance          countersign.Assurance
	age                time.Duration
	vouched            bool
	personal           countersign.Requirement
	digest             countersign.Digest
	requirement        countersign.Digest
	policy             countersign.Digest
	signer             string
	inTime, fresh      bool // before the deadline and the statement's end; made for the version that was stored
}

var groupNames = []string{"finance", "treasury", "plant"}

func newWorld(m machine, r *rand.Rand) *world {
	w := &world{m: m, r: r, now: noon, bosses: map[string]string{}, asked: map[string]bool{}}
	n := 4 + r.IntN(4)
	for i := range n {
		p := person(fmt.Sprintf("p%d", i))
		for _, g := range groupNames {
			if r.IntN(100) < 60 {
				p.Groups = append(p.Groups, g)
			}
		}
		p.Active = r.IntN(100) < 92
		if i > 0 && r.IntN(100) < 50 {
			boss := fmt.Sprintf("p%d", r.IntN(i))
			w.bosses[p.ID] = boss
			for at := boss; at != ""; at = w.bosses[at] {
				p.Managers = append(p.Managers, at)
			}
		}
		w.people = append(w.people, p)
	}
	requester := w.people[r.IntN(n)]
	w.asked[requester.ID] = true
	asked := []Requester{{ID: requester.ID, Name: requester.Name, Manager: w.bosses[requester.ID]}}
	if r.IntN(4) == 0 {
		owner := w.people[r.IntN(n)]
		w.asked[owner.ID] = true
		asked = append(asked, Requester{ID: owner.ID, Name: owner.Name, Owner: true, Manager: w.bosses[owner.ID]})
	}
	w.req, w.policy = w.requirement(), pol
	nominated := ""
	if r.IntN(6) == 0 {
		w.req.Clauses, nominated = nil, w.people[r.IntN(n)].ID
	}
	s, err := m.open(Submitted{ID: "req_1", Org: "org_1", Source: "erp", Kind: countersign.KindInvoice, Digest: doc, Amount: eur("100.00"), Requirement: w.req,
		PolicyDigest: pol, Requesters: asked, Nominated: nominated, Candidates: people(w.people...), Now: w.now})
	if err != nil {
		panic(err)
	}
	w.stored, w.deadline = s, w.now.Add(time.Duration(w.req.DecideWithin)*time.Second)
	return w
}

func (w *world) requirement() countersign.Requirement {
	levels := []countersign.Assurance{countersign.AssuranceSession, countersign.AssuranceMFA, countersign.AssurancePhishingResistant}
	r := countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: levels[w.r.IntN(3)], MaxAge: 600, DecideWithin: 7200, NoVouching: w.r.IntN(3) == 0}
	for range 1 + w.r.IntN(2) {
		from := []string{groupNames[w.r.IntN(3)]}
		if w.r.IntN(3) == 0 {
			from = append(from, groupNames[w.r.IntN(3)])
		}
		r = r.Merge(countersign.Requirement{Clauses: []countersign.Clause{{Count: 1 + w.r.IntN(2), From: from, OutsideChain: w.r.IntN(4) == 0}}})
	}
	if w.r.IntN(4) == 0 {
		r.Hold = 600
	}
	return r
}

// commit stores what a verb made, if the compare-and-swap lets it.
func (w *world) commit(next State) bool {
	if w.m.follows(w.stored, next) != nil {
		return false
	}
	w.earlier = append(w.earlier, w.stored)
	w.stored = next
	return true
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.r.IntN(400)) * time.Second)
	switch n := w.r.IntN(1000); {
	case n < 885:
		w.decide(countersign.ActApprove)
	case n < 910:
		w.decide(countersign.ActDeny)
	case n < 935:
		w.reweigh()
	case n < 955:
		w.recall()
	case n < 965:
		w.end("expired", func(s State) (State, error) { return w.m.expire(s, w.now) })
	case n < 972:
		w.end("cancelled", func(s State) (State, error) { return w.m.cancel(s, By{Source: "erp"}, w.now) })
	case n < 976:
		w.end("superseded", func(s State) (State, error) {
			return w.m.supersede(s, Superseding{Source: "erp", By: "req_2", Version: s.Version, Now: w.now})
		})
	default:
		w.now = w.now.Add(40 * time.Minute)
	}
}

func (w *world) end(why string, verb func(State) (State, error)) {
	before := w.stored.Version
	next, err := verb(w.stored)
	if err == nil && next.Version > before && w.commit(next) {
		w.ended = why
	}
}

// reweigh publishes a policy, mostly a stricter one.
func (w *world) reweigh() {
	w.policies++
	digest := countersign.SumBytes(fmt.Append(nil, "policy ", w.policies))
	req := w.requirement()
	if w.r.IntN(2) == 0 {
		req = countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssuranceMFA}
	}
	before := w.stored
	next, err := w.m.reweigh(before, Weighing{Requirement: req, PolicyDigest: digest, Candidates: people(w.people...), Why: "a new policy", Now: w.now})
	if err != nil || next.Version == before.Version || !w.commit(next) {
		return
	}
	w.tightened(before, req, digest)
}

// tightened notes by itself what the change means: the stricter of both, and
// whatever was signed under other words no longer counts.
func (w *world) tightened(before State, req countersign.Requirement, digest countersign.Digest) {
	merged := w.req.Merge(req)
	if merged.Digest() == w.req.Digest() && before.Status != countersign.StatusApproved {
		return // only whether it can be satisfied changed
	}
	w.req, w.policy, w.notes = merged, digest, nil
	if before.Status == countersign.StatusApproved {
		w.deadline = w.now.Add(time.Duration(merged.DecideWithin) * time.Second)
	}
}

// recall tries to release under a fresh alert.
func (w *world) recall() {
	before := w.stored
	r := Releasing{Execution: "run", Lease: "lea_1", Standing: Standing{Source: "erp", Digest: doc, Requirement: w.req, PolicyDigest: w.policy,
		Candidates: people(w.people...), Alerts: []Alert{{ID: "alr", Sentence: "call the vendor", Raised: w.now}}, Now: w.now}}
	next, err := w.m.release(before, r)
	if err == nil {
		panic("released under an alert")
	}
	if next.Version == before.Version || next.Status == countersign.StatusExpired {
		return
	}
	if w.commit(next) {
		w.tightened(before, w.req, w.policy)
	}
}

// decide lets a random person act, now and then in one of many wrong ways.
func (w *world) decide(what countersign.Act) {
	w.decisions++
	base := w.stored
	if len(w.earlier) > 0 && w.r.IntN(10) == 0 {
		base = w.earlier[w.r.IntN(len(w.earlier))]
	}
	p := w.people[w.r.IntN(len(w.people))]
	if w.r.IntN(12) == 0 {
		p.Weighed = &countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, MaxAge: 300}
	}
	a := act(base, p, what, w.now)
	a.Decision = fmt.Sprintf("dec_%d", w.decisions)
	n := note{who: p.ID, active: p.Active, groups: p.Groups, signer: p.ID, covered: true, chain: w.chain(p.ID), nominated: p.ID == base.Nominated, fresh: base.Version == w.stored.Version}
	if p.Weighed != nil {
		n.personal = *p.Weighed
	}
	if w.r.IntN(10) == 0 {
		w.standIn(&a, &n)
	}
	if w.r.IntN(25) == 0 {
		n.glass, n.glassOpen = true, w.r.IntN(2) == 0
		a.BreakGlass = &BreakGlass{Person: p.ID, NamedAt: w.now.Add(-100 * time.Hour), PerUse: *eur("500.00"), PerMonth: *eur("900.00"), UsedThisMonth: *eur("0.00")}
		if !n.glassOpen {
			a.BreakGlass.NamedAt = w.now.Add(-time.Hour)
		}
	}
	w.spoil(&a)
	expires, _ := time.Parse(time.RFC3339, a.Statement.Expires)
	n.assurance, n.age, n.vouched = a.Proof.Assurance, w.now.Sub(a.Proof.AuthTime), a.Proof.Vouched
	n.digest, n.requirement, n.policy = a.Statement.Digest, a.Statement.RequirementDigest, a.Statement.PolicyDigest
	n.signer = a.Statement.Person
	n.inTime = w.now.Before(w.deadline) && w.now.Before(expires)
	next, err := w.m.decide(base, a)
	if err != nil || !w.commit(next) {
		return
	}
	if what == countersign.ActDeny {
		w.ended = "denied"
		return
	}
	w.notes = append(w.notes, n)
}

func (w *world) standIn(a *Act, n *note) {
	from := w.people[w.r.IntN(len(w.people))]
	d := Delegation{From: from.ID, To: a.Person.ID, Starts: w.now.Add(-time.Hour), Ends: w.now.Add(time.Hour)}
	switch w.r.IntN(6) {
	case 0:
		d.Ends, n.covered = w.now, false
	case 1:
		d.Kinds, n.covered = []string{countersign.KindPayment}, false
	}
	*a = a.actingFor(from, d)
	n.covered = n.covered && from.ID != a.Person.ID
	n.forWhom, n.groups, n.nominated = from.ID, from.Groups, from.ID == w.stored.Nominated
	n.active = n.active && from.Active
	n.chain = n.chain || w.chain(from.ID)
}

// spoil makes about every third act wrong in one way.
func (w *world) spoil(a *Act) {
	switch w.r.IntN(30) {
	case 0:
		a.Statement.Digest = other
	case 1:
		a.Statement.RequirementDigest = other
	case 2:
		a.Statement.PolicyDigest = other
	case 3:
		a.Statement.Person = w.people[w.r.IntN(len(w.people))].ID
	case 4:
		a.Statement.Expires = w.now.Add(-time.Second).Format(time.RFC3339)
	case 5:
		a.Proof.Assurance = countersign.AssuranceSession
	case 6:
		a.Proof.Assurance = countersign.AssuranceNone
	case 7:
		a.Proof.AuthTime = w.now.Add(-time.Duration(5+w.r.IntN(20)) * time.Minute)
	case 8:
		a.Proof.Vouched = true
	case 9:
		a.Proof.Assurance = countersign.AssuranceMFA
	case 10:
		if a.Version > 1 {
			a.Version--
		}
	}
}

// chain is whether the person reports to one who asked, or is their direct boss.
func (w *world) chain(id string) bool {
	for at := w.bosses[id]; at != ""; at = w.bosses[at] {
		if w.asked[at] {
			return true
		}
	}
	for asked := range w.asked {
		if w.bosses[asked] == id {
			return true
		}
	}
	return false
}

// violation is the oracle: by set arithmetic over the notes, what is wrong with the
// state that the store holds; nothing where all is well.
func (w *world) violation() string {
	if w.stored.Status != countersign.StatusApproved {
		return ""
	}
	w.reached = true
	if w.ended != "" {
		return "approved after it was " + w.ended
	}
	valid := slices.DeleteFunc(slices.Clone(w.notes), func(n note) bool { return w.flaw(n) != "" })
	// Nobody's authority twice: the sets of people behind the acts share nobody.
	everybody := map[string]int{}
	for _, n := range valid {
		everybody[n.who]++
		if n.forWhom != "" && n.forWhom != n.who {
			everybody[n.forWhom]++
		}
	}
	for id, times := range everybody {
		if times > 1 {
			return fmt.Sprintf("%s counts %d times", id, times)
		}
	}
	clauses := w.req.Clauses
	if len(clauses) == 0 {
		clauses = []countersign.Clause{{Count: 1}}
	}
	for _, c := range clauses {
		set := map[string]bool{}
		for _, n := range valid {
			in := n.glass || (len(c.From) == 0 && n.nominated)
			for _, g := range n.groups {
				in = in || slices.Contains(c.From, g)
			}
			if in && !(c.OutsideChain && n.chain) {
				set[n.who] = true
			}
		}
		if len(set) < c.Count {
			return fmt.Sprintf("%d of %v approved validly, %d are needed; flaws: %s", len(set), c.From, c.Count, w.flaws())
		}
	}
	strong := map[string]bool{}
	glass := false
	for _, n := range valid {
		glass = glass || n.glass
		if n.assurance == countersign.AssurancePhishingResistant || n.assurance == countersign.AssuranceHardware {
			strong[n.who] = true
		}
	}
	if glass && len(strong) < 2 {
		return "break-glass without two people's passkeys"
	}
	return ""
}

func (w *world) flaws() string {
	var all []string
	for _, n := range w.notes {
		all = append(all, n.who+": "+w.flaw(n))
	}
	return fmt.Sprint(all)
}

// flaw is why an act must not count.
func (w *world) flaw(n note) string {
	need := map[countersign.Assurance]int{"": 0, countersign.AssuranceSession: 1, countersign.AssuranceMFA: 2, countersign.AssurancePhishingResistant: 3, countersign.AssuranceHardware: 4}
	level := max(need[w.req.Assurance], need[n.personal.Assurance], 1)
	if n.glass {
		level = max(level, 3)
	}
	oldest := time.Duration(w.req.MaxAge) * time.Second
	if n.personal.MaxAge > 0 {
		oldest = min(oldest, time.Duration(n.personal.MaxAge)*time.Second)
	}
	switch {
	case w.asked[n.who] || w.asked[n.forWhom]:
		return "asked for it"
	case !n.active:
		return "not active"
	case !n.covered:
		return "the delegation does not cover it"
	case n.glass && !n.glassOpen:
		return "break-glass is not open"
	case need[n.assurance] < level:
		return "the factor is too weak"
	case n.age > oldest:
		return "the factor is too old"
	case n.vouched && w.req.NoVouching:
		return "vouched"
	case n.digest != doc || n.requirement != w.req.Digest() || n.policy != w.policy || n.signer != n.who:
		return "signed something else"
	case !n.inTime:
		return "too late"
	case !n.fresh:
		return "made for another version"
	}
	return ""
}
