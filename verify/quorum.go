package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
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
		if countersign.Act(m.entry.Leaf.Facts["act"]) != countersign.ActApprove {
			continue
		}
		p := m.entry.Leaf.Actor
		if !countersign.IsID(countersign.PrefixPerson, p) {
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
		if countersign.Act(m.entry.Leaf.Facts["act"]) != countersign.ActApprove {
			continue
		}
		says := countersign.Status(m.entry.Leaf.Facts["status"])
		met, known := f.met(f.decisions[:i+1])
		switch {
		case says != countersign.StatusApproved && says != countersign.StatusPending:
			return fmt.Errorf("after the approval %s the status is %q", m.entry.Leaf.Facts["decision"], jcs.Clip(string(says)))
		case known && says == countersign.StatusApproved && !met:
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
	var approved []*countersign.Decision
	breakGlass := false
	var strong []*countersign.Decision // what break-glass needs two of, whatever their groups
	for _, m := range made {
		if countersign.Act(m.entry.Leaf.Facts["act"]) != countersign.ActApprove {
			continue
		}
		if m.decision == nil {
			return false, false
		}
		approved = append(approved, m.decision)
		breakGlass = breakGlass || m.decision.BreakGlass
		if m.decision.Evidence.Assurance.AtLeast(countersign.AssurancePhishingResistant) { // compared with the evidence in its own step
			strong = append(strong, m.decision)
		}
	}
	if len(approved) == 0 || (breakGlass && counted(countersign.Clause{}, strong) < 2) {
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
func counted(cl countersign.Clause, approved []*countersign.Decision) int {
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
func (c *checker) endSteps(f *caseFile, r *countersign.Receipt) {
	if c.failed() {
		return
	}
	status, since, err := f.status()
	switch {
	case err != nil || r == nil:
	case status == countersign.StatusPending || status == countersign.StatusUnsatisfiable:
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
func (f *caseFile) status() (status countersign.Status, approved time.Time, err error) {
	for _, e := range []*CaseEntry{f.submission, f.reweighing} {
		if e == nil {
			continue
		}
		status = countersign.Status(e.Leaf.Facts["status"])
		if err := weighedStatus(countersign.Outcome(e.Leaf.Facts["outcome"]), status); err != nil {
			return status, approved, fmt.Errorf("%s: %w", e.Leaf.ID, err)
		}
		if approved, err = countersign.ParseTime(e.Leaf.Time); err != nil {
			return status, approved, err
		}
	}
	for _, m := range f.decisions {
		act, says := countersign.Act(m.entry.Leaf.Facts["act"]), countersign.Status(m.entry.Leaf.Facts["status"])
		id := m.entry.Leaf.Facts["decision"]
		switch {
		case status != countersign.StatusPending && status != countersign.StatusUnsatisfiable && !(status == countersign.StatusApproved && act == countersign.ActRevoke):
			return status, approved, fmt.Errorf("%s was made when the status was %q", id, jcs.Clip(string(status)))
		case act == countersign.ActDeny && says != countersign.StatusDenied, act == countersign.ActRevoke && says != countersign.StatusRevoked,
			act == countersign.ActApprove && says != countersign.StatusApproved && says != countersign.StatusPending:
			return status, approved, fmt.Errorf("%s is to %s, and the status after it %q", id, act, jcs.Clip(string(says)))
		}
		status = says
		if status == countersign.StatusApproved {
			approved = m.at
		}
	}
	if f.release != nil {
		if says := countersign.Status(f.release.Leaf.Facts["status"]); status != countersign.StatusApproved || says != countersign.StatusReleased {
			return status, approved, fmt.Errorf("released from the status %q into %q", status, jcs.Clip(string(says)))
		}
		status = countersign.StatusReleased
	}
	return status, approved, nil
}

func weighedStatus(outcome countersign.Outcome, status countersign.Status) error {
	ok := false
	switch outcome {
	case countersign.OutcomeAllow:
		ok = status == countersign.StatusApproved
	case countersign.OutcomeStepUp:
		ok = status == countersign.StatusPending || status == countersign.StatusUnsatisfiable
	case countersign.OutcomeDeny:
		ok = status == countersign.StatusDenied || status == countersign.StatusRevoked // revoked: it had been approved before
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
func stampable(role string) bool {
	return role != countersign.RoleEnrolment && role != countersign.RolePolicy
}

// notBefore is the earliest release: the hold counts from the last decision that
// was needed, not from the submission.
func (f *caseFile) notBefore(approved time.Time) (time.Time, bool) {
	if f.requirement == nil || f.requirement.Hold == 0 {
		return approved, false
	}
	return approved.Add(seconds(f.requirement.Hold)), true
}

func (f *caseFile) checkRelease(approved time.Time) error {
	at, err := countersign.ParseTime(f.release.Leaf.Time)
	if err != nil {
		return err
	}
	if !countersign.IsID(countersign.PrefixLease, f.release.Leaf.Facts["lease"]) {
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
