package approval

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// maxReassigned bounds how often a request goes from hand to hand.
const maxReassigned = 20

// Reassigning hands a request that waits over to another person.
type Reassigning struct {
	From Candidate // who hands over: the nominated approver, or somebody who is eligible
	To   Candidate // who shall decide
	// Approvers are the groups, beside those that the requirement asks, out of which
	// somebody may be nominated: the policy's default ones.
	Approvers []string
	Now       time.Time
}

// Reassign nominates another person in place of whoever was nominated. The requirement
// stays what it is, and nothing that was signed changes: whoever hands over has not
// decided. The new person must be eligible in their own right (never the requester,
// never in conflict) and be one of those whom the organisation lets approve: being
// nominated by a colleague is less than being nominated by the source, and must not make
// an approver out of anybody who has an account (ruling 7).
func Reassign(s State, in Reassigning) (State, error) { return strict().reassign(s, in) }

func (m machine) reassign(s State, in Reassigning) (State, error) {
	if err := require(s, EventReassign); err != nil {
		return s, err
	}
	s, err := m.settle(s, in.Now)
	if err != nil {
		return s, err
	}
	from, to := in.From.Person, in.To.Person
	switch {
	case in.From.ActingFor != nil || in.From.BreakGlass != nil || in.To.ActingFor != nil || in.To.BreakGlass != nil:
		return s, countersign.NewProblem(countersign.CodeInternal, "a request is handed over by oneself, to a person themself")
	case s.Reassigned >= maxReassigned:
		return s, countersign.NewProblem(countersign.CodeState, "the request was handed over %d times", s.Reassigned).WithHint("decide on it, deny it, or ask who submitted it to withdraw it")
	case from.ID == to.ID:
		return s, countersign.NewProblem(countersign.CodeInvalid, "it is handed over to another person, not to oneself")
	}
	if err := m.mayHandOver(s, in.From); err != nil {
		return s, err
	}
	if to.ID == s.Nominated {
		return s, countersign.NewProblem(countersign.CodeState, "%s is nominated already", to.Name)
	}
	next := s.clone()
	next.Nominated = to.ID
	next.Reassigned++
	if e := m.checks.eligible(next, in.To, in.Now); !e.MayApprove {
		return s, barred(Act{Candidate: in.To}, e, false)
	}
	if !s.approver(from, to, in.Approvers) {
		return s, countersign.NewProblem(countersign.CodeForbidden, "%s is in no group that approves this", to.Name).
			WithHint("hand it to somebody whom the policy asks, or let the system that submitted it nominate another approver")
	}
	return next, next.move(EventReassign, countersign.StatusPending, in.Now)
}

// mayHandOver refuses whoever has no business with the decision, or has made theirs.
// What asks for the nominated approver is theirs alone to hand over; what asks groups,
// anybody's who may decide in them.
func (m machine) mayHandOver(s State, c Candidate) error {
	p := c.Person
	refused := func(format string, args ...any) error {
		return countersign.NewProblem(countersign.CodeForbidden, format, args...)
	}
	if slices.ContainsFunc(s.Decisions, func(d Decision) bool { return d.Stands() && slices.Contains(m.checks.people(d), p.ID) }) {
		return countersign.NewProblem(countersign.CodeConflict, "%s has already decided", p.Name)
	}
	if slices.ContainsFunc(s.Requesters, func(r Requester) bool { return r.ID == p.ID }) {
		return refused("%s asked for this, and does not choose who decides", p.Name)
	}
	if !p.Active {
		return refused("%s is not active", p.Name)
	}
	if s.Nominated != "" && s.Nominated == p.ID {
		return nil // over their limit or in conflict: the more reason to let another decide
	}
	asksNominated := slices.ContainsFunc(s.Clauses(), func(cl countersign.Clause) bool { return len(cl.From) == 0 && m.counted(cl, s.Decisions) < cl.Count })
	if asksNominated && s.Nominated != "" {
		return refused("the nominated approver is asked, and only they may hand it over")
	}
	if len(s.lasting(c)) > 0 { // that a factor is too new or too weak is a reason to hand over, not a bar
		return refused("%s is neither the nominated approver nor may decide on this", p.Name)
	}
	return nil
}

// approver reports whether a person is one whom the organisation lets approve: of the
// groups that the requirement asks, of the policy's default ones, of a group of whoever
// hands over, or whom they report to.
func (s State) approver(from, p Person, groups []string) bool {
	if slices.Contains(from.Managers, p.ID) {
		return true
	}
	groups = slices.Concat(groups, from.Groups)
	for _, c := range s.Clauses() {
		groups = append(groups, c.From...)
	}
	return slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(groups, g) })
}
