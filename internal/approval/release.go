package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// Leases.
const (
	DefaultLease = 15 * time.Minute
	MaxLease     = 24 * time.Hour
	maxExecution = 200 // bytes of an execution id
)

// LeaseOutcome is what became of a release.
type LeaseOutcome string

// The outcomes of a lease. From lapsed the caller can still confirm or abandon:
// then what happened is known after all.
const (
	LeaseOpen      LeaseOutcome = "open"
	LeaseConfirmed LeaseOutcome = "confirmed" // the caller did it
	LeaseAbandoned LeaseOutcome = "abandoned" // the caller did not, and will not
	LeaseLapsed    LeaseOutcome = "lapsed"    // outcome unknown
)

// Lease is the one permission to execute, under the caller's execution id. It is
// never given twice: after an abandoned or lapsed one, a new request is needed.
type Lease struct {
	ID        string             `json:"id"`        // lea_…
	Execution string             `json:"execution"` // the caller's id
	Digest    countersign.Digest `json:"digest"`    // of the document that was released
	Opened    time.Time          `json:"opened"`
	Expires   time.Time          `json:"expires"` // from this instant on it has lapsed
	Outcome   LeaseOutcome       `json:"outcome"`
	Ended     time.Time          `json:"ended,omitzero"`
}

// Alert is an open alert on the vendor or on a person of the request.
type Alert struct {
	ID       string
	Sentence string
	Raised   time.Time
}

// BankChange is a pending change of the vendor's bank account.
type BankChange struct {
	Request string // req_… of the change
	ToNew   bool   // this request pays to the new account
	Since   time.Time
}

// Standing is everything as it is at the moment of release (ruling 27). It is read
// in the transaction that releases. What the approval is about itself is left out:
// the release of a bank change does not list that change.
type Standing struct {
	Source string             // of the key that asks
	Digest countersign.Digest // of the document as the caller sends it

	// Requirement is the policy's answer, weighed now; it must have been weighed.
	Requirement  countersign.Requirement
	PolicyDigest countersign.Digest
	Candidates   []Candidate // who could decide, should the request go back

	Alerts      []Alert
	Freezes     []Freeze     // on the vendor or on a person of the request
	BankChanges []BankChange // of the vendor
	Inactive    []string     // person ids of approvers and delegators who are not active
	Reported    []string     // fac_… reported lost or stolen
	Now         time.Time
}

// Objection is something that stands against a release now.
type Objection struct {
	Code     string
	Sentence string
	// Back means that the request goes back to its approvers; otherwise it stays as
	// it is and may be released later, or never.
	Back bool
}

// Codes of [Objection].
const (
	ObjectionStatus     = "status"
	ObjectionDigest     = "digest"
	ObjectionExpired    = "expired"
	ObjectionHold       = "hold"
	ObjectionQuorum     = "quorum"
	ObjectionFrozen     = "frozen"
	ObjectionAlert      = "alert"
	ObjectionBankChange = "bank_change"
	ObjectionInactive   = "inactive"
	ObjectionFactor     = "factor"
	ObjectionStricter   = "stricter"
	ObjectionDenied     = "denied"
)

// CheckRelease says what stands against a release now; nothing means that it would
// be released. It changes nothing and may be asked any number of times (ruling 25).
// The error is "not_found" for another source than the one that submitted.
func CheckRelease(s State, f Standing) ([]Objection, error) { return strict().checkRelease(s, f) }

func (m machine) checkRelease(s State, f Standing) ([]Objection, error) {
	if f.Source == "" || f.Source != s.Source {
		return nil, countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
	}
	if err := checkRequirement(f.Requirement); err != nil {
		return nil, err
	}
	if !f.PolicyDigest.Valid() {
		return nil, countersign.NewProblem(countersign.CodeInternal, "request %s was not weighed for its release", s.ID)
	}
	var out []Objection
	against := func(code, format string, args ...any) {
		out = append(out, Objection{Code: code, Sentence: fmt.Sprintf(format, args...)})
	}
	if s.Status != countersign.StatusApproved {
		against(ObjectionStatus, "the request is %s", s.Status)
	}
	if !f.Digest.Equal(s.Digest) {
		against(ObjectionDigest, "the document is not the one that was approved")
	}
	if s.Status != countersign.StatusApproved {
		return out, nil
	}
	if m.checks.passed(s.ReleaseBy, f.Now) {
		against(ObjectionExpired, "the approval expired on %s", stamp(s.ReleaseBy))
	}
	if f.Now.Before(s.NotBefore) {
		against(ObjectionHold, "it is held until %s", stamp(s.NotBefore))
	}
	if s.Requirement.Outcome != countersign.OutcomeAllow && !m.met(s) {
		against(ObjectionQuorum, "its decisions do not meet the requirement")
	}
	return append(out, s.objections(f)...), nil
}

// objections are those that send the request back (ruling 27).
func (s State) objections(f Standing) []Objection {
	var out []Objection
	back := func(code, format string, args ...any) {
		out = append(out, Objection{Code: code, Sentence: fmt.Sprintf(format, args...), Back: true})
	}
	since := s.judgedSince()
	for _, z := range f.Freezes {
		if z.InForce(f.Now) {
			back(ObjectionFrozen, "%s is frozen", z.Subject)
		}
	}
	for _, a := range f.Alerts {
		if !a.Raised.Before(since) {
			back(ObjectionAlert, "an alert was raised since it was judged: %s", a.Sentence)
		}
	}
	for _, b := range f.BankChanges {
		if b.ToNew {
			back(ObjectionBankChange, "it pays to an account whose change is not yet approved (%s)", b.Request)
		} else if !b.Since.Before(since) {
			back(ObjectionBankChange, "a change of the payee's account was asked for since it was judged (%s)", b.Request)
		}
	}
	for _, d := range s.Decisions {
		if !d.Stands() {
			continue
		}
		if slices.Contains(f.Inactive, d.Person) || (d.ActingFor != "" && slices.Contains(f.Inactive, d.ActingFor)) {
			back(ObjectionInactive, "%s, who approved it, is no longer active", d.Name)
		}
		if slices.ContainsFunc(d.Authenticators, func(a string) bool { return slices.Contains(f.Reported, a) }) {
			back(ObjectionFactor, "a factor that %s approved it with was reported", d.Name)
		}
	}
	if s.tighter(f.Requirement) {
		if f.Requirement.Outcome == countersign.OutcomeDeny {
			back(ObjectionDenied, "the policy denies it now")
		} else {
			back(ObjectionStricter, "more is required now than was approved")
		}
	}
	return out
}

// Releasing is a caller's ask to execute.
type Releasing struct {
	Standing
	Execution string        // the caller's id for this execution
	Lease     string        // lea_…: the id of the lease it becomes
	For       time.Duration // how long the lease is open; zero means [DefaultLease]
	Confirm   bool          // release and confirm in one call: the caller needs no lease
}

// Release opens the one lease (ruling 25). The same execution id with the same
// document gets the same answer, as long as the lease is open or confirmed; another
// id is the problem "already_released" naming the first. A document that changed is
// "document_changed". Anything that stands against it is "not_releasable" with the
// reasons, and what goes back to its approvers comes back as a risen state.
func Release(s State, r Releasing) (State, error) { return strict().release(s, r) }

func (m machine) release(s State, r Releasing) (State, error) {
	if r.Source == "" || r.Source != s.Source {
		return s, countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
	}
	if err := r.valid(); err != nil {
		return s, err
	}
	if err := require(s, EventRelease); err != nil {
		return s, err
	}
	if !r.Digest.Equal(s.Digest) {
		return s, countersign.NewProblem(countersign.CodeChanged, "the document is not the one that was approved").WithHint("submit the changed document as a new revision")
	}
	if s.Status == countersign.StatusReleased {
		return m.again(s, r)
	}
	s, err := m.settle(s, r.Now)
	if err != nil {
		return s, err
	}
	objections, err := m.checkRelease(s, r.Standing)
	if err != nil {
		return s, err
	}
	if len(objections) > 0 {
		return m.refuse(s, r.Standing, objections)
	}
	s = s.clone()
	s.Lease = &Lease{ID: r.Lease, Execution: r.Execution, Digest: s.Digest, Opened: r.Now, Expires: r.Now.Add(r.For), Outcome: LeaseOpen}
	if r.For == 0 {
		s.Lease.Expires = r.Now.Add(DefaultLease)
	}
	if r.Confirm {
		s.Lease.Outcome, s.Lease.Ended = LeaseConfirmed, r.Now
	}
	return s, s.move(EventRelease, countersign.StatusReleased, r.Now)
}

func (r Releasing) valid() error {
	switch {
	case strings.TrimSpace(r.Execution) == "" || len(r.Execution) > maxExecution:
		return countersign.Invalid(countersign.FieldError{Pointer: "/execution_id", Detail: "required, at most 200 bytes: your id for this execution"})
	case r.For < 0 || r.For > MaxLease:
		return countersign.Invalid(countersign.FieldError{Pointer: "/lease_seconds", Detail: "want up to 24 hours"})
	case r.Lease == "" || r.Now.IsZero():
		return countersign.NewProblem(countersign.CodeInternal, "a release needs an id for its lease and a time")
	}
	return nil
}

// again answers a release that was already given.
func (m machine) again(s State, r Releasing) (State, error) {
	s, err := m.lapse(s, r.Now)
	if err != nil {
		return s, err
	}
	l := s.Lease
	if l.Execution != r.Execution {
		return s, countersign.NewProblem(countersign.CodeReleased, "it was released on %s under the execution id %q", stamp(l.Opened), l.Execution)
	}
	switch l.Outcome {
	case LeaseAbandoned:
		return s, countersign.NewProblem(countersign.CodeReleased, "this execution was abandoned on %s", stamp(l.Ended)).WithHint("submit a new request")
	case LeaseLapsed:
		return s, countersign.NewProblem(countersign.CodeReleased, "the lease of this execution lapsed on %s, and its outcome is not known", stamp(l.Ended)).
			WithHint("find out whether it was executed, and confirm or abandon it")
	}
	return s, nil
}

// refuse answers what stands against the release, and sends back what must be
// decided again.
func (m machine) refuse(s State, f Standing, objections []Objection) (State, error) {
	p := countersign.NewProblem(countersign.CodeNotReleasable, "%s", objections[0].Sentence)
	var back []string
	for _, o := range objections {
		p.Reasons = append(p.Reasons, countersign.Reason{Rule: o.Code, State: countersign.True, Sentence: o.Sentence, Effect: countersign.OutcomeStepUp})
		if o.Back {
			back = append(back, o.Sentence)
		}
	}
	if len(back) == 0 {
		return s, p
	}
	next, err := m.sendBack(s, Weighing{Requirement: f.Requirement, PolicyDigest: f.PolicyDigest, Candidates: f.Candidates, Why: strings.Join(back, "; "), Now: f.Now})
	if err != nil {
		return s, err
	}
	return next, p.WithHint("the request is %s", next.Status)
}

// Settling ends a lease: the caller says what happened.
type Settling struct {
	Source    string
	Execution string
	Now       time.Time
}

// Confirm records that the caller executed what was released. Saying it twice
// changes nothing.
func Confirm(s State, in Settling) (State, error) {
	return strict().settleLease(s, in, EventConfirm)
}

// Abandon records that the caller did not execute and will not. The approval is
// used up all the same: a release is given once.
func Abandon(s State, in Settling) (State, error) {
	return strict().settleLease(s, in, EventAbandon)
}

func (m machine) settleLease(s State, in Settling, event Event) (State, error) {
	if in.Source == "" || in.Source != s.Source {
		return s, countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
	}
	if err := require(s, event); err != nil {
		return s, err
	}
	outcome := LeaseConfirmed
	if event == EventAbandon {
		outcome = LeaseAbandoned
	}
	switch l := s.Lease; {
	case l == nil:
		return s, countersign.NewProblem(countersign.CodeInternal, "request %s is released without a lease", s.ID)
	case l.Execution != in.Execution:
		return s, countersign.NewProblem(countersign.CodeReleased, "it was released under the execution id %q", l.Execution)
	case l.Outcome == outcome:
		return s, nil
	case l.Outcome != LeaseOpen && l.Outcome != LeaseLapsed:
		return s, countersign.NewProblem(countersign.CodeState, "this execution was already %s", l.Outcome)
	}
	s = s.clone()
	s.Lease.Outcome, s.Lease.Ended = outcome, in.Now
	return s, s.move(event, countersign.StatusReleased, in.Now)
}

// lapse ends an open lease that is past its end: its outcome is unknown, and it is
// never reused by itself.
func (m machine) lapse(s State, now time.Time) (State, error) {
	if s.Lease == nil {
		return s, countersign.NewProblem(countersign.CodeInternal, "request %s is released without a lease", s.ID)
	}
	if s.Lease.Outcome != LeaseOpen || !m.checks.passed(s.Lease.Expires, now) {
		return s, nil
	}
	s = s.clone()
	s.Lease.Outcome, s.Lease.Ended = LeaseLapsed, now
	return s, s.move(EventLapse, countersign.StatusReleased, now)
}
