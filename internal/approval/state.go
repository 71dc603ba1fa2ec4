package approval

import (
	"slices"
	"time"

	"github.com/countersign/countersign"
)

// Windows that hold where the requirement sets none.
const (
	DefaultDecideWithin  = 7 * 24 * time.Hour  // from submission
	DefaultReleaseWithin = 30 * 24 * time.Hour // from the end of the hold
	DefaultMaxAge        = 15 * time.Minute    // of the oldest factor counted, above assurance "session"
)

// State is all that the machine knows of one approval. Verbs copy before they
// change, so that the state they were given stays what it was. It is stored as the
// JSON of encoding/json. Times are UTC.
type State struct {
	ID     string             `json:"id"`     // req_…
	Org    string             `json:"org"`    // org_…
	Source string             `json:"source"` // the system that submitted it; only it may supersede and release
	Kind   string             `json:"kind"`
	Digest countersign.Digest `json:"digest"` // of the document
	// Amount is the document's amount in the currency that limits are set in; nil
	// where the document has none or it cannot be converted.
	Amount *countersign.Amount `json:"amount,omitempty"`

	Requirement       countersign.Requirement `json:"requirement"`
	RequirementDigest countersign.Digest      `json:"requirement_digest"`
	PolicyDigest      countersign.Digest      `json:"policy_digest"`

	Requesters []Requester `json:"requesters,omitempty"` // who asked, and the owner of a service that asked
	Nominated  string      `json:"nominated,omitempty"`  // person id of the approver that the submission names, or to whom they handed it over
	Reassigned int         `json:"reassigned,omitempty"` // how often it was handed over

	Status    countersign.Status `json:"status"`
	Version   int64              `json:"version"` // 1 when opened, one more with every change
	Decisions []Decision         `json:"decisions,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	DecideBy   time.Time `json:"decide_by"`            // from this instant on it is expired
	ApprovedAt time.Time `json:"approved_at,omitzero"` // of the last needed decision
	NotBefore  time.Time `json:"not_before,omitzero"`  // a release before is refused
	ReleaseBy  time.Time `json:"release_by,omitzero"`  // from this instant on it is expired
	EndedAt    time.Time `json:"ended_at,omitzero"`    // when a final status was reached

	Supersedes   string `json:"supersedes,omitempty"`
	SupersededBy string `json:"superseded_by,omitempty"`
	Follows      string `json:"follows,omitempty"` // a released or denied request for the same object

	Lease *Lease `json:"lease,omitempty"`
	Why   string `json:"why,omitempty"` // of the last change that nobody signed: sent back, revoked by the policy
}

// Requester is a person who counts as having asked: the requester, or the owner of
// the service or agent that asked (ruling 20).
type Requester struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Owner   bool   `json:"owner,omitempty"`
	Manager string `json:"manager,omitempty"` // person id of whom they report to directly
}

// Person is what is known about a natural person at the moment of the act.
type Person struct {
	ID       string
	Name     string
	Active   bool
	Groups   []string            // names
	Managers []string            // person ids, upwards from the direct manager
	Limit    *countersign.Amount // the most they may approve of this kind; nil where none is set

	Privileged   bool      // has elevated purchasing permissions; recorded, never a bypass
	Controller   bool      // may revoke any approval before its release
	CoolOffUntil time.Time // a new factor may not approve before; zero where there is none

	// Strongest is the strongest assurance that the person's factors could give;
	// AssuranceNone where that is not known. It only explains: what counts is the
	// proof of the act.
	Strongest countersign.Assurance

	// Weighed is the policy's answer for this person, from weighing the request
	// again at challenge and decide (ruling 6); nil where it was not weighed. What
	// is stricter binds this person's act; outcome deny bars this person only.
	Weighed *countersign.Requirement
}

// Candidate is a person who wants to decide: for themselves, for somebody they
// stand in for, or by break-glass.
type Candidate struct {
	Person     Person
	ActingFor  *Delegator
	BreakGlass *BreakGlass
}

// Decision is one person's act on the approval, with the facts it was judged by.
// Acts are never removed; one that no longer counts says why in Void.
type Decision struct {
	ID           string                    `json:"id"` // dec_…
	Person       string                    `json:"person"`
	Name         string                    `json:"name"`
	ActingFor    string                    `json:"acting_for,omitempty"`
	Act          countersign.Act           `json:"act"`
	Reason       string                    `json:"reason,omitempty"`
	Unexpected   bool                      `json:"unexpected,omitempty"`
	Attestations []countersign.Attestation `json:"attestations,omitempty"`

	// Groups are the groups as of then whose authority the decision uses: the
	// delegator's where one acts for another.
	Groups     []string            `json:"groups"`
	Nominated  bool                `json:"nominated,omitempty"` // the nominated approver, or their delegate
	InChain    bool                `json:"in_chain,omitempty"`  // reports to a requester, or is their direct manager
	Limit      *countersign.Amount `json:"limit,omitempty"`     // as of then; the smallest that applied
	Privileged bool                `json:"privileged,omitempty"`
	BreakGlass bool                `json:"break_glass,omitempty"`

	Assurance         countersign.Assurance    `json:"assurance"`
	AuthTime          time.Time                `json:"auth_time,omitzero"`
	Authenticators    []string                 `json:"authenticators,omitempty"`
	Digest            countersign.Digest       `json:"digest"`
	RequirementDigest countersign.Digest       `json:"requirement_digest"`
	PolicyDigest      countersign.Digest       `json:"policy_digest"`
	Weighed           *countersign.Requirement `json:"weighed,omitempty"` // the stricter requirement that bound this person
	At                time.Time                `json:"at"`
	Void              string                   `json:"void,omitempty"`
}

// Stands reports whether the decision is an approval that still counts.
func (d Decision) Stands() bool { return d.Act == countersign.ActApprove && d.Void == "" }

// clone copies what verbs change in place.
func (s State) clone() State {
	s.Decisions = slices.Clone(s.Decisions)
	if s.Lease != nil {
		l := *s.Lease
		s.Lease = &l
	}
	return s
}

// Due is the next instant at which time alone changes the state: the deadline to
// decide, to release, or the end of an open lease. Zero where there is none.
func (s State) Due() time.Time {
	switch s.Status {
	case countersign.StatusPending, countersign.StatusUnsatisfiable:
		return s.DecideBy
	case countersign.StatusApproved:
		return s.ReleaseBy
	case countersign.StatusReleased:
		if s.Lease != nil && s.Lease.Outcome == LeaseOpen {
			return s.Lease.Expires
		}
	}
	return time.Time{}
}

// UsedBreakGlass reports whether a standing approval was made by break-glass.
func (s State) UsedBreakGlass() bool {
	return slices.ContainsFunc(s.Decisions, func(d Decision) bool { return d.Stands() && d.BreakGlass })
}

// judgedSince is the earliest moment at which somebody who still counts judged the
// request: what is newer they did not know. Without decisions it is the submission.
func (s State) judgedSince() time.Time {
	t := time.Time{}
	for _, d := range s.Decisions {
		if d.Stands() && (t.IsZero() || d.At.Before(t)) {
			t = d.At
		}
	}
	if t.IsZero() {
		return s.CreatedAt
	}
	return t
}

func seconds(n int, otherwise time.Duration) time.Duration {
	if n == 0 {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
