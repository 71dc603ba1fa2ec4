package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// peopleOf returns the natural persons whose authority a decision uses: who acted,
// and for whom. Nobody's authority is used twice.
func peopleOf(d Decision) []string {
	if d.ActingFor == "" {
		return []string{d.Person}
	}
	return []string{d.Person, d.ActingFor}
}

// Clauses are the clauses that must be met now: those of the requirement, and those
// that bind a person who already approved. A requirement without clauses is that of
// the nominated approver, written as one clause without groups.
func (s State) Clauses() []countersign.Clause {
	return clausesOf(s.Requirement, s.Decisions)
}

func clausesOf(r countersign.Requirement, decisions []Decision) []countersign.Clause {
	if r.Outcome != countersign.OutcomeStepUp {
		return nil
	}
	all := countersign.Requirement{Clauses: r.Clauses}
	if len(r.Clauses) == 0 {
		all.Clauses = []countersign.Clause{{Count: 1}}
	}
	for _, d := range decisions {
		if d.Stands() && d.Weighed != nil {
			all = all.Merge(countersign.Requirement{Clauses: d.Weighed.Clauses})
		}
	}
	return all.Clauses
}

// belongs reports whether a decision counts in a clause. It looks at the groups as
// of the decision, so that a later change of groups neither adds nor takes away.
func belongs(c countersign.Clause, d Decision) bool {
	if c.OutsideChain && d.InChain {
		return false
	}
	if d.BreakGlass { // replaces which group signs, and nothing else (ruling 21)
		return true
	}
	if len(c.From) == 0 {
		return d.Nominated
	}
	return slices.ContainsFunc(d.Groups, func(g string) bool { return slices.Contains(c.From, g) })
}

// counted is how many distinct natural persons count in the clause.
func (m machine) counted(c countersign.Clause, decisions []Decision) int {
	seen := map[string]bool{}
	n := 0
	for _, d := range decisions {
		if !d.Stands() || !belongs(c, d) {
			continue
		}
		people := m.checks.people(d)
		if slices.ContainsFunc(people, func(p string) bool { return seen[p] }) {
			continue
		}
		for _, p := range people {
			seen[p] = true
		}
		n++
	}
	return n
}

// breakGlassLacks is how many more people with a phishing-resistant factor must
// approve where break-glass was used: there are always two (ruling 21).
func (m machine) breakGlassLacks(decisions []Decision) int {
	used := false
	var strong []Decision
	for _, d := range decisions {
		if !d.Stands() {
			continue
		}
		used = used || d.BreakGlass
		if d.Assurance.AtLeast(countersign.AssurancePhishingResistant) {
			d.BreakGlass = true // counts whatever the groups: it is the people that are counted
			strong = append(strong, d)
		}
	}
	if !used {
		return 0
	}
	return max(0, 2-m.counted(countersign.Clause{}, strong))
}

// met reports whether every clause has its people. Nothing to meet is not met: an
// approval without decisions comes from the policy's allow alone (ruling 35).
func (m machine) met(s State) bool {
	clauses := s.Clauses()
	if len(clauses) == 0 {
		return false
	}
	for _, c := range clauses {
		if c.Count < 1 || m.counted(c, s.Decisions) < c.Count {
			return false
		}
	}
	return m.breakGlassLacks(s.Decisions) == 0
}

// MissingInWords says what is still needed, one sentence for each clause that is
// not met; nothing where the request waits for nobody.
func MissingInWords(s State) []string {
	m := strict()
	if s.Status != countersign.StatusPending && s.Status != countersign.StatusUnsatisfiable {
		return nil
	}
	var out []string
	for _, c := range s.Clauses() {
		if n := c.Count - m.counted(c, s.Decisions); n > 0 {
			out = append(out, fmt.Sprintf("%s must approve", whom(c, n)))
		}
	}
	if n := m.breakGlassLacks(s.Decisions); n > 0 {
		out = append(out, fmt.Sprintf("%d more %s with a passkey must approve, because break-glass was used", n, personOrPeople(n)))
	}
	if s.Status == countersign.StatusUnsatisfiable {
		out = append(out, "fewer people may approve this than are needed")
	}
	return out
}

// personOrPeople is the word for n of them.
func personOrPeople(n int) string {
	if n == 1 {
		return "person"
	}
	return "people"
}

// whom names n people of a clause: "2 people of finance or treasury, outside the
// requester's reporting line".
func whom(c countersign.Clause, n int) string {
	s := fmt.Sprintf("%d %s of %s", n, personOrPeople(n), strings.Join(c.From, " or "))
	if len(c.From) == 0 {
		s = "the nominated approver"
	}
	if c.OutsideChain {
		s += ", outside the requester's reporting line,"
	}
	return s
}

// unmet returns the clauses that the candidates cannot meet, each clause counted
// against its own eligible people. Who only has to wait or to enrol a stronger
// factor counts: they may still decide in time. Each natural person counts once.
// Break-glass does not count: a request that needs it is not satisfiable.
func (m machine) unmet(s State, candidates []Candidate, now time.Time) []countersign.Clause {
	var alone, forOthers []Decision
	for i, c := range candidates {
		c.BreakGlass = nil
		if !s.mayEver(c, now) {
			continue
		}
		d := s.decisionOf(c)
		d.ID, d.Act = fmt.Sprint("candidate ", i), countersign.ActApprove
		if c.ActingFor == nil {
			alone = append(alone, d)
		} else {
			forOthers = append(forOthers, d)
		}
	}
	// Who stands in for another takes up two people, so they are counted last.
	able := append(alone, forOthers...)
	var lacking []countersign.Clause
	for _, c := range s.Clauses() {
		if m.counted(c, able) < c.Count {
			lacking = append(lacking, c)
		}
	}
	return lacking
}
