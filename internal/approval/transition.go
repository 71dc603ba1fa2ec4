package approval

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// Event is what happens to an approval.
type Event string

// The events. states.mmd draws them, and a test holds it to the table below.
const (
	EventSubmit    Event = "submit"
	EventApprove   Event = "approve"
	EventDeny      Event = "deny"
	EventCancel    Event = "cancel"
	EventSupersede Event = "supersede"
	EventExpire    Event = "expire"
	EventReweigh   Event = "reweigh" // something stricter or new: also what a refused release does
	EventRevoke    Event = "revoke"
	EventRelease   Event = "release"
	EventConfirm   Event = "confirm"
	EventAbandon   Event = "abandon"
	EventLapse     Event = "lapse"
	EventReassign  Event = "reassign" // another person is nominated; nobody has decided by it
)

// transitions lists, for each status and event, the statuses it may lead to. What
// is not listed is refused. The empty status is that of a request not yet opened.
var transitions = map[countersign.Status]map[Event][]countersign.Status{
	"": {
		EventSubmit: {countersign.StatusApproved, countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusDenied},
	},
	countersign.StatusPending: {
		EventApprove:   {countersign.StatusPending, countersign.StatusApproved},
		EventDeny:      {countersign.StatusDenied},
		EventCancel:    {countersign.StatusCancelled},
		EventSupersede: {countersign.StatusSuperseded},
		EventExpire:    {countersign.StatusExpired},
		EventReweigh:   {countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusDenied},
		EventReassign:  {countersign.StatusPending},
	},
	countersign.StatusUnsatisfiable: {
		EventCancel:    {countersign.StatusCancelled},
		EventSupersede: {countersign.StatusSuperseded},
		EventExpire:    {countersign.StatusExpired},
		EventReweigh:   {countersign.StatusUnsatisfiable, countersign.StatusPending, countersign.StatusDenied},
	},
	countersign.StatusApproved: {
		EventCancel:    {countersign.StatusCancelled},
		EventSupersede: {countersign.StatusSuperseded},
		EventExpire:    {countersign.StatusExpired},
		EventReweigh:   {countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusRevoked},
		EventRevoke:    {countersign.StatusRevoked},
		EventRelease:   {countersign.StatusReleased},
	},
	countersign.StatusReleased: { // the status stays; the lease changes
		EventRelease: {countersign.StatusReleased}, // the same execution id asks again: nothing is written
		EventConfirm: {countersign.StatusReleased},
		EventAbandon: {countersign.StatusReleased},
		EventLapse:   {countersign.StatusReleased},
	},
}

// Can reports whether the event is possible in the status at all.
func Can(status countersign.Status, event Event) bool { return len(transitions[status][event]) > 0 }

// checks are the six judgements on which an approval rests. They stand in one place
// so that the tests can take each away and see that it is missed. Nothing outside
// this package, and no setting, reaches them.
type checks struct {
	people   func(Decision) []string                               // natural persons whose authority a decision uses
	eligible func(State, Candidate, time.Time) Eligibility         // who may decide
	factor   func(countersign.Requirement, Proof, time.Time) error // how the act was proven
	passed   func(deadline, now time.Time) bool                    // whether a deadline is over
	agrees   func(State, Act) error                                // the signed statement names what stands here
	version  func(stands, seen int64) error                        // nothing changed since it was read
}

type machine struct{ checks checks }

// strict is the machine with all its checks, the only one there is.
func strict() machine {
	m := machine{checks{people: peopleOf, factor: proves, passed: passed, agrees: agrees, version: sameVersion}}
	m.checks.eligible = m.judge
	return m
}

// passed reports whether the deadline is over: at the instant itself it is. A
// deadline that was never set is over.
func passed(deadline, now time.Time) bool { return !now.Before(deadline) }

func sameVersion(stands, seen int64) error {
	if stands != seen {
		return countersign.NewProblem(countersign.CodeConflict, "the request changed meanwhile: it is at version %d, and this was made for version %d", stands, seen).
			WithHint("read it again and look at what changed")
	}
	return nil
}

// Follows is the compare-and-swap of the store in words: next may replace stored
// only when it was made from it. A lost race is the problem "conflict".
func Follows(stored, next State) error { return strict().follows(stored, next) }

func (m machine) follows(stored, next State) error {
	if stored.ID != next.ID {
		return countersign.NewProblem(countersign.CodeInternal, "approval %s cannot replace %s", next.ID, stored.ID)
	}
	return m.checks.version(stored.Version, next.Version-1)
}

// require refuses an event that the status does not allow.
func require(s State, event Event) error {
	if Can(s.Status, event) {
		return nil
	}
	p := countersign.NewProblem(countersign.CodeState, "the request is %s: %s is not possible", s.Status, event)
	if s.SupersededBy != "" {
		return p.WithHint("it was replaced by %s", s.SupersededBy)
	}
	return p
}

// move is the only place where a status changes.
func (s *State) move(event Event, to countersign.Status, at time.Time) error {
	if !slices.Contains(transitions[s.Status][event], to) {
		return countersign.NewProblem(countersign.CodeState, "the request is %s: %s cannot make it %s", s.Status, event, to)
	}
	s.Status = to
	s.Version++
	if to.Final() && s.EndedAt.IsZero() {
		s.EndedAt = at
	}
	return nil
}

// settle brings the state up to the time: what is past its deadline is expired
// before anything else is looked at. The error is the problem "gone".
func (m machine) settle(s State, now time.Time) (State, error) {
	switch s.Status {
	case countersign.StatusPending, countersign.StatusUnsatisfiable:
		if !m.checks.passed(s.DecideBy, now) {
			return s, nil
		}
	case countersign.StatusApproved:
		if !m.checks.passed(s.ReleaseBy, now) {
			return s, nil
		}
	default:
		return s, nil
	}
	deadline := s.Due()
	s = s.clone()
	if err := s.move(EventExpire, countersign.StatusExpired, now); err != nil {
		return s, err
	}
	return s, countersign.NewProblem(countersign.CodeGone, "the request expired on %s", stamp(deadline)).WithHint("submit it again")
}

// stamp writes a time for a sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
