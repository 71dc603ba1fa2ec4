package approval

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// Expire ends what is past its deadline, and lapses a lease that is past its end.
// Where nothing is due the state comes back as it is.
func Expire(s State, now time.Time) (State, error) { return strict().expire(s, now) }

func (m machine) expire(s State, now time.Time) (State, error) {
	if s.Status == countersign.StatusReleased {
		return m.lapse(s, now)
	}
	next, err := m.settle(s, now)
	if next.Status == countersign.StatusExpired && next.Version > s.Version {
		return next, nil // "gone" is what was asked for
	}
	return next, err
}

// By says who withdraws a request: the key's source, or a person.
type By struct {
	Source string // of the key; empty for a person
	Person string // person id; empty for a key
}

// Cancel withdraws a request that was not released: by the source that submitted it,
// or by a requester. To any other source the request is not there. A change to
// Countersign itself is carried out by its approval, and cannot be withdrawn then.
func Cancel(s State, by By, now time.Time) (State, error) { return strict().cancel(s, by, now) }

func (m machine) cancel(s State, by By, now time.Time) (State, error) {
	switch {
	case by.Source != "" && by.Person == "":
		if by.Source != s.Source {
			return s, countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
		}
	case by.Person != "" && by.Source == "":
		if !slices.ContainsFunc(s.Requesters, func(r Requester) bool { return r.ID == by.Person }) {
			return s, countersign.NewProblem(countersign.CodeForbidden, "only who asked for it may cancel it")
		}
	default:
		return s, countersign.NewProblem(countersign.CodeInternal, "who cancels is either a source or a person")
	}
	if err := require(s, EventCancel); err != nil {
		return s, err
	}
	if s.Status == countersign.StatusApproved && countersign.InternalKind(s.Kind) {
		return s, countersign.NewProblem(countersign.CodeState, "the change was carried out when it was approved").WithHint("propose the change that takes it back")
	}
	s, err := m.settle(s, now)
	if err != nil {
		return s, err
	}
	s = s.clone()
	return s, s.move(EventCancel, countersign.StatusCancelled, now)
}

// Superseding replaces a request by a newer one for the same object.
type Superseding struct {
	Source  string // of the key that submits the new one
	By      string // id of the new request
	Version int64  // of the approval that the caller replaces: compare-and-swap
	Now     time.Time
}

// Supersede ends an unreleased request in favour of a newer one (ruling 4). Only the
// source that submitted may; a released request is never superseded, the new one
// follows it instead. Decisions do not travel.
func Supersede(s State, in Superseding) (State, error) { return strict().supersede(s, in) }

func (m machine) supersede(s State, in Superseding) (State, error) {
	if in.Source != s.Source {
		return s, countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
	}
	if in.By == "" || in.By == s.ID {
		return s, countersign.NewProblem(countersign.CodeInternal, "a request is superseded by another one")
	}
	if s.Status == countersign.StatusReleased {
		return s, countersign.NewProblem(countersign.CodeState, "the request is released and cannot be superseded").WithHint("submit the new revision without naming it: it will follow it")
	}
	if err := require(s, EventSupersede); err != nil {
		return s, err
	}
	if err := m.checks.version(s.Version, in.Version); err != nil {
		return s, err
	}
	s, err := m.settle(s, in.Now)
	if err != nil {
		return s, err
	}
	s = s.clone()
	s.SupersededBy = in.By
	return s, s.move(EventSupersede, countersign.StatusSuperseded, in.Now)
}

// Revoke takes an approval back before its release (ruling 22): by one who approved
// it, by a controller, or, while the hold runs, by a watcher (ruling 23). A session
// suffices, but the statement must name what stands here.
func Revoke(s State, a Act) (State, error) { return strict().revoke(s, a) }

func (m machine) revoke(s State, a Act) (State, error) {
	if a.Statement.Act != countersign.ActRevoke {
		return s, countersign.NewProblem(countersign.CodeInvalid, "the act %q is not revoke", a.Statement.Act)
	}
	s, err := m.admit(s, a, EventRevoke)
	if err != nil {
		return s, err
	}
	if err := MayRevoke(s, a.Candidate, a.Now); err != nil {
		return s, countersign.NewProblem(countersign.CodeForbidden, "%v", err)
	}
	if err := signedIn(a.Proof); err != nil {
		return s, err
	}
	s = s.record(a)
	return s, s.move(EventRevoke, countersign.StatusRevoked, a.Now)
}

// MayRevoke says why the person may not take the approval back, or nil.
func MayRevoke(s State, c Candidate, now time.Time) error {
	p := c.Person
	switch {
	case p.ID == "" || !p.Active:
		return fmt.Errorf("%s is not active", p.Name)
	case c.ActingFor != nil || c.BreakGlass != nil:
		return fmt.Errorf("an approval is taken back for oneself only")
	case p.Controller:
		return nil
	case slices.ContainsFunc(s.Decisions, func(d Decision) bool { return d.Stands() && d.Person == p.ID }):
		return nil
	case now.Before(s.NotBefore) && slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(s.watchers(), g) }):
		return nil
	}
	return fmt.Errorf("%s neither approved this nor is a controller, nor a watcher of a running hold", p.Name)
}

// watchers are the groups that may stop the hold: also those that the requirement
// of a single approver adds.
func (s State) watchers() []string {
	all := slices.Clone(s.Requirement.Watchers)
	for _, d := range s.Decisions {
		if d.Stands() && d.Weighed != nil {
			all = append(all, d.Weighed.Watchers...)
		}
	}
	return all
}
