package approval

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// longest bounds every window of a requirement, so that adding it to a time cannot
// overflow: ten years in seconds.
const longest = 10 * 366 * 24 * 3600

// Submitted is a request that was weighed and is to be opened.
type Submitted struct {
	ID, Org, Source, Kind string
	Digest                countersign.Digest  // of the document
	Amount                *countersign.Amount // in the currency of limits; nil where not known
	Requirement           countersign.Requirement
	PolicyDigest          countersign.Digest
	Requesters            []Requester
	Nominated             string      // person id
	Candidates            []Candidate // everybody who might decide: the members of the groups asked, the nominated, their delegates
	Supersedes, Follows   string
	Now                   time.Time
}

// Open makes the approval of a weighed request. Allow approves at once, without
// decisions (ruling 35); step_up waits, or is unsatisfiable where fewer eligible
// people exist than a clause needs (ruling 8); deny denies. A requirement that
// cannot be read, or asks for fewer than one person, is an error: never an approval.
func Open(in Submitted) (State, error) { return strict().open(in) }

func (m machine) open(in Submitted) (State, error) {
	if in.ID == "" || in.Org == "" || in.Source == "" || in.Now.IsZero() {
		return State{}, countersign.NewProblem(countersign.CodeInternal, "a request needs an id, an organisation, a source and a time to be opened")
	}
	if !in.Digest.Valid() || !in.PolicyDigest.Valid() {
		return State{}, countersign.NewProblem(countersign.CodeInternal, "request %s: the digest of its document or policy is not valid", in.ID)
	}
	if err := checkRequirement(in.Requirement); err != nil {
		return State{}, err
	}
	if in.Requirement.Outcome == countersign.OutcomeStepUp && len(in.Requirement.Clauses) == 0 && in.Nominated == "" {
		return State{}, countersign.NewProblem(countersign.CodeInvalid, "nobody is named who could decide: the request nominates no approver, and the policy no group").
			WithHint("nominate an approver, or set approvers.default in the policy")
	}
	s := State{ID: in.ID, Org: in.Org, Source: in.Source, Kind: in.Kind, Digest: in.Digest, Amount: in.Amount,
		Requirement: in.Requirement, RequirementDigest: in.Requirement.Digest(), PolicyDigest: in.PolicyDigest,
		Requesters: slices.Clone(in.Requesters), Nominated: in.Nominated, CreatedAt: in.Now,
		DecideBy: in.Now.Add(seconds(in.Requirement.DecideWithin, DefaultDecideWithin)), Supersedes: in.Supersedes, Follows: in.Follows}
	to := countersign.StatusPending
	switch in.Requirement.Outcome {
	case countersign.OutcomeAllow:
		s.approve(in.Now)
		to = countersign.StatusApproved
	case countersign.OutcomeDeny:
		to = countersign.StatusDenied
	default:
		if len(m.unmet(s, in.Candidates, in.Now)) > 0 {
			to = countersign.StatusUnsatisfiable
		}
	}
	return s, s.move(EventSubmit, to, in.Now)
}

// approve sets the times that follow from the last needed decision (ruling 23).
func (s *State) approve(at time.Time) {
	hold, within := s.Requirement.Hold, s.Requirement.ReleaseWithin
	for _, d := range s.Decisions {
		if d.Stands() && d.Weighed != nil {
			hold = max(hold, d.Weighed.Hold)
		}
	}
	s.ApprovedAt = at
	s.NotBefore = time.Time{}
	end := at.Add(seconds(hold, 0))
	if hold > 0 {
		s.NotBefore = end
	}
	s.ReleaseBy = end.Add(seconds(within, DefaultReleaseWithin))
}

// checkRequirement refuses what no policy that loads can answer, and what would
// otherwise read as "nothing is needed".
func checkRequirement(r countersign.Requirement) error {
	bad := func(format string, args ...any) error {
		return countersign.NewProblem(countersign.CodeInternal, "requirement: "+format, args...)
	}
	switch r.Outcome {
	case countersign.OutcomeAllow, countersign.OutcomeStepUp, countersign.OutcomeDeny:
	default:
		return bad("the outcome %q is not known", r.Outcome)
	}
	if r.Assurance != countersign.AssuranceNone && !r.Assurance.Valid() {
		return bad("the assurance %q is not known", r.Assurance)
	}
	for _, c := range r.Clauses {
		if c.Count < 1 {
			return bad("a clause asks for %d people: want at least one", c.Count)
		}
	}
	times := append([]int{r.MaxAge, r.Hold, r.DecideWithin, r.ReleaseWithin}, r.Reminders...)
	if r.Escalate != nil {
		times = append(times, r.Escalate.After)
	}
	for _, n := range times {
		if n < 0 || n > longest {
			return bad("a time of %d seconds: want 0 to %d", n, longest)
		}
	}
	return nil
}

// Weighing is a request weighed again (rulings 6 and 27).
type Weighing struct {
	Requirement  countersign.Requirement
	PolicyDigest countersign.Digest
	Candidates   []Candidate
	Why          string // a sentence: what was published or found
	Now          time.Time
}

// Reweigh holds an open request to a newly weighed requirement. It only ever
// tightens: the stricter of the old and the new counts in every dimension. Where
// that changes nothing, decisions stand and so does the policy they name; only
// pending and unsatisfiable may change places, as people become eligible. Where it
// is stricter, the request waits again and every earlier approval is void: what was
// signed names the old requirement, so it says nothing about the new. Where the
// policy now denies, what is pending is denied and what is approved is revoked.
func Reweigh(s State, w Weighing) (State, error) { return strict().reweigh(s, w) }

func (m machine) reweigh(s State, w Weighing) (State, error) {
	if err := require(s, EventReweigh); err != nil {
		return s, err
	}
	if s, err := m.settle(s, w.Now); err != nil {
		return s, err
	}
	if err := checkRequirement(w.Requirement); err != nil {
		return s, err
	}
	if !w.PolicyDigest.Valid() {
		return s, countersign.NewProblem(countersign.CodeInternal, "request %s: the digest of the policy is not valid", s.ID)
	}
	if s.tighter(w.Requirement) {
		return m.sendBack(s, w)
	}
	if s.Status == countersign.StatusApproved {
		return s, nil
	}
	to := countersign.StatusPending
	if len(m.unmet(s, w.Candidates, w.Now)) > 0 {
		to = countersign.StatusUnsatisfiable
	}
	if to == s.Status {
		return s, nil
	}
	s = s.clone()
	s.Why = w.Why
	return s, s.move(EventReweigh, to, w.Now)
}

// tighter reports whether the requirement asks for anything beyond what stands.
func (s State) tighter(r countersign.Requirement) bool {
	return !s.Requirement.Merge(r).Digest().Equal(s.Requirement.Merge(s.Requirement).Digest())
}

// sendBack makes the request wait again, under the stricter requirement, for
// everybody who is needed: who approved before did not know what is new.
func (m machine) sendBack(s State, w Weighing) (State, error) {
	approved := s.Status == countersign.StatusApproved
	s = s.clone()
	s.Requirement = s.Requirement.Merge(w.Requirement)
	if s.Requirement.Outcome == countersign.OutcomeAllow {
		// Something stands against it that the policy has no rule for: people look.
		s.Requirement.Outcome = countersign.OutcomeStepUp
	}
	s.RequirementDigest, s.PolicyDigest, s.Why = s.Requirement.Digest(), w.PolicyDigest, w.Why
	for i := range s.Decisions {
		if s.Decisions[i].Stands() {
			s.Decisions[i].Void = fmt.Sprintf("made before: %s", w.Why)
		}
	}
	within := seconds(s.Requirement.DecideWithin, DefaultDecideWithin)
	if approved { // the time to decide starts again, or it would be over at once
		s.DecideBy = w.Now.Add(within)
	} else if by := s.CreatedAt.Add(within); by.Before(s.DecideBy) {
		s.DecideBy = by
	}
	if s.Requirement.Outcome == countersign.OutcomeDeny {
		if approved {
			return s, s.move(EventReweigh, countersign.StatusRevoked, w.Now)
		}
		return s, s.move(EventReweigh, countersign.StatusDenied, w.Now)
	}
	s.ApprovedAt, s.NotBefore, s.ReleaseBy = time.Time{}, time.Time{}, time.Time{}
	to := countersign.StatusPending
	if len(m.unmet(s, w.Candidates, w.Now)) > 0 {
		to = countersign.StatusUnsatisfiable
	}
	return s, s.move(EventReweigh, to, w.Now)
}
