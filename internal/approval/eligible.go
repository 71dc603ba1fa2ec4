package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Obstacle is a reason why a person may not decide.
type Obstacle struct {
	Code     string // one of the Obstacle constants, for machines
	Sentence string // for a person
	// ApproveOnly marks what bars approving and not denying: to stop a request must
	// stay easy, and a session suffices for it (ruling 35).
	ApproveOnly bool
	// Passing marks what ends by itself or by the person's own doing.
	Passing bool
}

// Codes of [Obstacle].
const (
	ObstacleStatus     = "status"      // the request waits for nobody
	ObstacleInactive   = "inactive"    // the person, or whom they act for, is not active
	ObstacleRequester  = "requester"   // asked for it
	ObstacleOwner      = "owner"       // owns the service or agent that asked
	ObstacleChain      = "chain"       // reports to the requester, or is their direct manager
	ObstacleGroup      = "group"       // in no group that is asked
	ObstacleNominated  = "nominated"   // another person was nominated
	ObstaclePolicy     = "policy"      // the policy denies it for this person
	ObstacleDelegation = "delegation"  // the delegation does not cover this
	ObstacleBreakGlass = "break_glass" // break-glass is not open to them
	ObstacleDecided    = "decided"     // approved already
	ObstacleFilled     = "filled"      // enough people of their groups have approved
	ObstacleLimit      = "limit"       // over what they may approve
	ObstacleCoolOff    = "cool_off"    // a factor is too new
	ObstacleFactor     = "factor"      // has no factor that is strong enough
)

// Eligibility is the answer to who may decide.
type Eligibility struct {
	MayApprove bool
	MayDeny    bool
	Obstacles  []Obstacle           // why not, most telling first
	Clauses    []countersign.Clause // in which an approval would count
}

// Eligible says whether the person may decide on the approval now, and if not, why.
// It judges the person; how an act is proven is judged with the act.
func Eligible(s State, c Candidate, now time.Time) Eligibility {
	m := strict()
	e := m.checks.eligible(s, c, now)
	if !Can(s.Status, EventApprove) || m.checks.passed(s.DecideBy, now) {
		e.MayApprove, e.MayDeny = false, false
		e.Obstacles = append([]Obstacle{{Code: ObstacleStatus, Sentence: "the request is not waiting for a decision"}}, e.Obstacles...)
	}
	return e
}

func (m machine) judge(s State, c Candidate, now time.Time) Eligibility {
	d := s.decisionOf(c)
	obstacles := s.lasting(c)
	obstacles = append(obstacles, s.authority(c, now)...)
	var clauses []countersign.Clause
	open := false
	for _, cl := range s.Clauses() {
		if belongs(cl, d) {
			clauses = append(clauses, cl)
			open = open || m.counted(cl, s.Decisions) < cl.Count
		}
	}
	// After break-glass two people are needed whatever the clauses ask.
	open = open || m.breakGlassLacks(s.Decisions) > 0
	used := m.usedAuthority(s, d)
	if used != "" {
		obstacles = append(obstacles, Obstacle{Code: ObstacleDecided, Sentence: used, ApproveOnly: true})
	} else if len(clauses) > 0 && !open {
		obstacles = append(obstacles, Obstacle{Code: ObstacleFilled, Sentence: "enough people of " + groupsOf(clauses) + " have approved; others are still needed", ApproveOnly: true})
	}
	obstacles = append(obstacles, s.passing(c, now)...)
	e := Eligibility{MayApprove: len(obstacles) == 0, MayDeny: true, Obstacles: obstacles, Clauses: clauses}
	for _, o := range obstacles {
		e.MayDeny = e.MayDeny && o.ApproveOnly
	}
	return e
}

// usedAuthority says whose authority was used already, or nothing.
func (m machine) usedAuthority(s State, d Decision) string {
	mine := m.checks.people(d)
	for _, earlier := range s.Decisions {
		if !earlier.Stands() {
			continue
		}
		for _, p := range m.checks.people(earlier) {
			if !slices.Contains(mine, p) {
				continue
			}
			if p == d.Person && p == earlier.Person {
				return fmt.Sprintf("%s has already decided", d.Name)
			}
			return fmt.Sprintf("%s has already decided, and a person and who acts for them count once", earlier.Name)
		}
	}
	return ""
}

// lasting are the obstacles that stand in the way of approving and, but for the
// limit, of denying, whatever the time.
func (s State) lasting(c Candidate) []Obstacle {
	p := c.Person
	var out []Obstacle
	add := func(code, format string, args ...any) {
		out = append(out, Obstacle{Code: code, Sentence: fmt.Sprintf(format, args...)})
	}
	both := []Person{p}
	if c.ActingFor != nil {
		both = append(both, c.ActingFor.Person)
	}
	for _, who := range both {
		if who.ID == "" || !who.Active {
			add(ObstacleInactive, "%s is not active", who.Name)
		}
		for _, r := range s.Requesters {
			switch {
			case r.ID != who.ID:
			case r.Owner:
				add(ObstacleOwner, "%s owns the service that asked for this", who.Name)
			default:
				add(ObstacleRequester, "%s asked for this", who.Name)
			}
		}
	}
	if p.Weighed != nil && p.Weighed.Outcome == countersign.OutcomeDeny {
		add(ObstaclePolicy, "the policy does not let %s decide on this", p.Name)
	}
	out = append(out, s.place(c, both)...)
	for _, who := range both {
		if o, over := overLimit(who.Name, who.Limit, s.Amount); over {
			out = append(out, o)
		}
	}
	return out
}

// place finds the obstacles of belonging: the person counts in no clause.
func (s State) place(c Candidate, both []Person) []Obstacle {
	d := s.decisionOf(c)
	clauses := s.Clauses()
	byChain, byGroup, byName := false, false, false
	for _, cl := range clauses {
		if belongs(cl, d) {
			return nil
		}
		outside := d
		outside.InChain = false
		switch {
		case belongs(cl, outside):
			byChain = true
		case len(cl.From) == 0:
			byName = true
		default:
			byGroup = true
		}
	}
	var out []Obstacle
	if byChain {
		out = append(out, Obstacle{Code: ObstacleChain, Sentence: s.chainSentence(both)})
	}
	if byName {
		out = append(out, Obstacle{Code: ObstacleNominated, Sentence: fmt.Sprintf("%s is not the approver who was nominated", c.Person.Name)})
	}
	if byGroup {
		out = append(out, Obstacle{Code: ObstacleGroup, Sentence: fmt.Sprintf("%s is not in %s", both[len(both)-1].Name, groupsOf(clauses))})
	}
	if len(out) == 0 {
		out = append(out, Obstacle{Code: ObstacleStatus, Sentence: "nobody is asked to decide on this"})
	}
	return out
}

// authority are the obstacles of acting for another and of break-glass.
func (s State) authority(c Candidate, now time.Time) []Obstacle {
	var out []Obstacle
	if c.ActingFor != nil {
		if err := c.ActingFor.covers(s, c.Person, now); err != nil {
			out = append(out, Obstacle{Code: ObstacleDelegation, Sentence: err.Error()})
		}
		if o, over := overLimit(c.ActingFor.Person.Name+"'s delegation", c.ActingFor.Delegation.Limit, s.Amount); over {
			out = append(out, o)
		}
		if o, beyond := c.ActingFor.beyond(s.requiredOf(c).Assurance); beyond {
			out = append(out, o)
		}
	}
	if b := c.BreakGlass; b != nil {
		err := b.Open(s.Amount, now)
		if b.Person != c.Person.ID {
			err = fmt.Errorf("%s is not on the break-glass list", c.Person.Name)
		}
		if err != nil {
			out = append(out, Obstacle{Code: ObstacleBreakGlass, Sentence: err.Error()})
		}
	}
	return out
}

// passing are the obstacles that end by waiting or by enrolling a stronger factor.
func (s State) passing(c Candidate, now time.Time) []Obstacle {
	var out []Obstacle
	p := c.Person
	if now.Before(p.CoolOffUntil) {
		out = append(out, Obstacle{Code: ObstacleCoolOff, Sentence: fmt.Sprintf("%s has a new factor, which may approve from %s on", p.Name, stamp(p.CoolOffUntil)), ApproveOnly: true, Passing: true})
	}
	if need := s.requiredOf(c).Assurance; p.Strongest != countersign.AssuranceNone && !p.Strongest.AtLeast(need) {
		out = append(out, Obstacle{Code: ObstacleFactor, Sentence: fmt.Sprintf("%s needs a factor of assurance %s", p.Name, need), ApproveOnly: true, Passing: true})
	}
	return out
}

// mayEver reports whether nothing lasting bars the candidate.
func (s State) mayEver(c Candidate, now time.Time) bool {
	return len(s.lasting(c)) == 0 && len(s.authority(c, now)) == 0
}

// requiredOf is the requirement that binds this person's act: the request's, the
// policy's answer for this person, and at break-glass a phishing-resistant factor.
func (s State) requiredOf(c Candidate) countersign.Requirement {
	r := s.Requirement
	if c.Person.Weighed != nil {
		r = r.Merge(*c.Person.Weighed)
	}
	floor := countersign.AssuranceSession
	if c.BreakGlass != nil || s.UsedBreakGlass() {
		floor = countersign.AssurancePhishingResistant
	}
	return r.Merge(countersign.Requirement{Assurance: floor})
}

// decisionOf fills what a decision records about the person.
func (s State) decisionOf(c Candidate) Decision {
	p := c.Person
	d := Decision{Person: p.ID, Name: p.Name, Groups: p.Groups, Nominated: s.Nominated != "" && p.ID == s.Nominated, InChain: s.inChain(p),
		Limit: p.Limit, Privileged: p.Privileged, BreakGlass: c.BreakGlass != nil, Weighed: p.Weighed}
	if c.ActingFor != nil {
		from := c.ActingFor.Person
		d.ActingFor, d.Groups = from.ID, from.Groups
		d.Nominated = s.Nominated != "" && from.ID == s.Nominated
		d.InChain = d.InChain || s.inChain(from)
		d.Limit = smallest(p.Limit, from.Limit, c.ActingFor.Delegation.Limit)
	}
	d.Groups = slices.Compact(slices.Sorted(slices.Values(d.Groups)))
	return d
}

// inChain reports whether the person reports to a requester, at any distance, or is
// whom a requester reports to directly.
func (s State) inChain(p Person) bool {
	return slices.ContainsFunc(s.Requesters, func(r Requester) bool {
		return slices.Contains(p.Managers, r.ID) || (r.Manager != "" && r.Manager == p.ID)
	})
}

func (s State) chainSentence(both []Person) string {
	for _, p := range both {
		for _, r := range s.Requesters {
			if slices.Contains(p.Managers, r.ID) {
				return fmt.Sprintf("%s reports to %s, who asked for this", p.Name, r.Name)
			}
			if r.Manager != "" && r.Manager == p.ID {
				return fmt.Sprintf("%s, who asked for this, reports to %s", r.Name, p.Name)
			}
		}
	}
	return "somebody outside the requester's reporting line must decide"
}

func groupsOf(clauses []countersign.Clause) string {
	var names []string
	for _, c := range clauses {
		names = append(names, c.From...)
	}
	if len(names) == 0 {
		return "those who were nominated"
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " or ")
}
