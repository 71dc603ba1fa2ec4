package countersign

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/jcs"
)

// quorumSteps counts people: natural persons, never decisions or groups.
func (c *checker) quorumSteps(f *caseFile) {
	if c.failed() {
		return
	}
	people, err := f.approvers()
	if !c.step(StepDistinct, fmt.Sprintf("%d approved", len(people)), err) {
		return
	}
	c.step(StepClauses, "", f.checkClauses())
}

// approvers returns the persons who approved. The entries' actors tell them apart
// even where the decisions are no longer shown.
func (f *caseFile) approvers() ([]string, error) {
	var people []string
	for _, m := range f.decisions {
		if Act(m.entry.Leaf.Facts["act"]) != ActApprove {
			continue
		}
		p := m.entry.Leaf.Actor
		if !IsID(PrefixPerson, p) {
			return nil, fmt.Errorf("%q is no person", jcs.Clip(p))
		}
		if slices.Contains(people, p) {
			return nil, fmt.Errorf("%s approved twice", p)
		}
		people = append(people, p)
	}
	return people, nil
}

// checkClauses checks that the case was approved only when enough people of the
// named groups had approved. It may stay pending longer: what a person was asked
// for in particular can bind their approval beyond the request's requirement.
func (f *caseFile) checkClauses() error {
	for i, m := range f.decisions {
		if Act(m.entry.Leaf.Facts["act"]) != ActApprove {
			continue
		}
		says := Status(m.entry.Leaf.Facts["status"])
		met, known := f.met(f.decisions[:i+1])
		switch {
		case says != StatusApproved && says != StatusPending:
			return fmt.Errorf("after the approval %s the status is %q", m.entry.Leaf.Facts["decision"], jcs.Clip(string(says)))
		case known && says == StatusApproved && !met:
			return fmt.Errorf("approved with %s, when fewer people had approved than the requirement asks for", m.entry.Leaf.Facts["decision"])
		}
	}
	return nil
}

// met reports whether the decisions so far meet the requirement, and whether that
// can be said of what is shown. A clause without groups asks for the approver
// whom the request names, which only the server knows.
func (f *caseFile) met(made []madeDecision) (met, known bool) {
	if f.requirement == nil {
		return false, false
	}
	var approved []*Decision
	breakGlass := false
	var strong []*Decision // what break-glass needs two of, whatever their groups
	for _, m := range made {
		if Act(m.entry.Leaf.Facts["act"]) != ActApprove {
			continue
		}
		if m.decision == nil {
			return false, false
		}
		approved = append(approved, m.decision)
		breakGlass = breakGlass || m.decision.BreakGlass
		if m.decision.Evidence.Assurance.AtLeast(AssurancePhishingResistant) { // compared with the evidence in its own step
			strong = append(strong, m.decision)
		}
	}
	if len(approved) == 0 || (breakGlass && counted(Clause{}, strong) < 2) {
		return false, true
	}
	for _, cl := range f.requirement.Clauses {
		if counted(cl, approved) < cl.Count {
			return false, true
		}
	}
	return true, true
}

// counted is how many people count in a clause. Nobody's authority is used twice:
// neither that of who acted, nor that of whom they acted for.
func counted(cl Clause, approved []*Decision) int {
	used := map[string]bool{}
	n := 0
	for _, d := range approved {
		if !d.BreakGlass && len(cl.From) > 0 && !slices.ContainsFunc(d.Groups, func(g string) bool { return slices.Contains(cl.From, g) }) {
			continue
		}
		people := []string{d.Person.ID}
		if d.ActingFor != nil {
			people = append(people, d.ActingFor.ID)
		}
		if slices.ContainsFunc(people, func(p string) bool { return used[p] }) {
			continue
		}
		for _, p := range people {
			used[p] = true
		}
		n++
	}
	return n
}

// endSteps take what the case came to: its status, its stamp, its release.
func (c *checker) endSteps(f *caseFile, r *Receipt) {
	if c.failed() {
		return
	}
	status, since, err := f.status()
	switch {
	case err != nil || r == nil:
	case status == StatusPending || status == StatusUnsatisfiable:
		err = fmt.Errorf("%q: nothing has been decided, so there is nothing to prove", status)
	case r.Status != status:
		err = fmt.Errorf("the receipt says %q, the entries %q", jcs.Clip(string(r.Status)), status)
	}
	c.v.Status = status
	c.step(StepStatus, string(status), err)
	c.v.Founding, err = f.founding()
	if err == nil && r != nil && r.Founding != c.v.Founding {
		err = fmt.Errorf("the receipt says %v, the entries %v", r.Founding, c.v.Founding)
	}
	c.step(StepFounding, fmt.Sprint(c.v.Founding), err)
	if c.failed() {
		return
	}
	if notBefore, ok := f.notBefore(since); ok {
		c.v.NotBefore = notBefore.Format("2006-01-02T15:04:05.000000Z")
	}
	if f.release != nil {
		c.step(StepRelease, f.release.Leaf.Time, f.checkRelease(since))
	}
	if r != nil {
		c.step(StepSummary, r.Summary, checkSummary(r.Summary, f.all))
	}
}

func checkSummary(says string, entries []CaseEntry) error {
	if want := Summary(entries); says != want {
		return fmt.Errorf("it says %q, the entries say %q", jcs.Clip(says), want)
	}
	return nil
}

// status follows the case through its entries, and returns where it ended and when
// it was approved.
func (f *caseFile) status() (status Status, approved time.Time, err error) {
	for _, e := range []*CaseEntry{f.submission, f.reweighing} {
		if e == nil {
			continue
		}
		status = Status(e.Leaf.Facts["status"])
		if err := weighedStatus(Outcome(e.Leaf.Facts["outcome"]), status); err != nil {
			return status, approved, fmt.Errorf("%s: %w", e.Leaf.ID, err)
		}
		if approved, err = ParseTime(e.Leaf.Time); err != nil {
			return status, approved, err
		}
	}
	for _, m := range f.decisions {
		act, says := Act(m.entry.Leaf.Facts["act"]), Status(m.entry.Leaf.Facts["status"])
		id := m.entry.Leaf.Facts["decision"]
		switch {
		case status != StatusPending && status != StatusUnsatisfiable && !(status == StatusApproved && act == ActRevoke):
			return status, approved, fmt.Errorf("%s was made when the status was %q", id, jcs.Clip(string(status)))
		case act == ActDeny && says != StatusDenied, act == ActRevoke && says != StatusRevoked,
			act == ActApprove && says != StatusApproved && says != StatusPending:
			return status, approved, fmt.Errorf("%s is to %s, and the status after it %q", id, act, jcs.Clip(string(says)))
		}
		status = says
		if status == StatusApproved {
			approved = m.at
		}
	}
	if f.release != nil {
		if says := Status(f.release.Leaf.Facts["status"]); status != StatusApproved || says != StatusReleased {
			return status, approved, fmt.Errorf("released from the status %q into %q", status, jcs.Clip(string(says)))
		}
		status = StatusReleased
	}
	return status, approved, nil
}

func weighedStatus(outcome Outcome, status Status) error {
	ok := false
	switch outcome {
	case OutcomeAllow:
		ok = status == StatusApproved
	case OutcomeStepUp:
		ok = status == StatusPending || status == StatusUnsatisfiable
	case OutcomeDeny:
		ok = status == StatusDenied || status == StatusRevoked // revoked: it had been approved before
	}
	if !ok {
		return fmt.Errorf("the outcome %q does not lead to the status %q", jcs.Clip(string(outcome)), jcs.Clip(string(status)))
	}
	return nil
}

// founding reads the stamp of the entries. It is there as "true", or not at all.
func (f *caseFile) founding() (bool, error) {
	founding := false
	for _, e := range f.all {
		if !stampable(e.Role) {
			continue
		}
		switch says, stamped := e.Leaf.Facts["founding"]; {
		case !stamped:
		case says == "true":
			founding = true
		default:
			return false, fmt.Errorf("%s is stamped %q", e.Leaf.ID, jcs.Clip(says))
		}
	}
	return founding, nil
}

// stampable: what happened to the request is stamped; when a key was enrolled or a
// policy published says nothing about it.
func stampable(role string) bool { return role != RoleEnrolment && role != RolePolicy }

// notBefore is the earliest release: the hold counts from the last decision that
// was needed, not from the submission.
func (f *caseFile) notBefore(approved time.Time) (time.Time, bool) {
	if f.requirement == nil || f.requirement.Hold == 0 {
		return approved, false
	}
	return approved.Add(seconds(f.requirement.Hold)), true
}

func (f *caseFile) checkRelease(approved time.Time) error {
	at, err := ParseTime(f.release.Leaf.Time)
	if err != nil {
		return err
	}
	if !IsID(PrefixLease, f.release.Leaf.Facts["lease"]) {
		return errors.New("the release names no lease")
	}
	from, _ := f.notBefore(approved)
	if at.Before(from) {
		return fmt.Errorf("released at %s, before %s", f.release.Leaf.Time, from.Format(time.RFC3339Nano))
	}
	if f.requirement != nil {
		if by := from.Add(orDefault(f.requirement.ReleaseWithin, defaultReleaseWithin)); at.After(by) {
			return fmt.Errorf("released at %s, later than %s", f.release.Leaf.Time, by.Format(time.RFC3339Nano))
		}
	}
	return nil
}
