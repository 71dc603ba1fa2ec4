package countersign

import "encoding/json"

// Status is where an approval stands. Transitions: pending → approved → released;
// pending → denied, expired, cancelled, superseded; approved → pending (something
// new stands against it), expired, cancelled, revoked, superseded; unsatisfiable → pending
// (when enough people have become eligible), cancelled, superseded, expired.
type Status string

// The statuses.
const (
	StatusPending       Status = "pending"
	StatusApproved      Status = "approved" // perhaps not before a time, see Approval.NotBefore
	StatusDenied        Status = "denied"
	StatusExpired       Status = "expired"
	StatusCancelled     Status = "cancelled"
	StatusSuperseded    Status = "superseded"
	StatusUnsatisfiable Status = "unsatisfiable" // fewer eligible people exist than the requirement needs
	StatusReleased      Status = "released"
	StatusRevoked       Status = "revoked"
)

// Final reports whether nothing can change the status any more.
func (s Status) Final() bool {
	switch s {
	case StatusDenied, StatusExpired, StatusCancelled, StatusSuperseded, StatusReleased, StatusRevoked:
		return true
	}
	return false
}

// Approval is the record around a document: what is required, who decided what,
// where it stands. Times are RFC 3339 in UTC with microseconds.
type Approval struct {
	ID                string          `json:"id"`
	Status            Status          `json:"status"`
	Version           int64           `json:"version"` // rises with every change
	Document          json.RawMessage `json:"document"`
	Digest            Digest          `json:"digest"`
	Source            string          `json:"source"` // the system that submitted it
	Outcome           Outcome         `json:"outcome"`
	Requirement       Requirement     `json:"requirement"`
	RequirementDigest Digest          `json:"requirement_digest"`
	PolicyDigest      Digest          `json:"policy_digest"`
	PolicyVersion     int64           `json:"policy_version"`
	Reasons           []Reason        `json:"reasons"`
	Findings          []Finding       `json:"findings,omitempty"`
	Decisions         []Decision      `json:"decisions"`
	Missing           []string        `json:"missing,omitempty"`  // in words: what is still needed
	Founding          bool            `json:"founding,omitempty"` // the organisation had fewer than two administrators

	CreatedAt string `json:"created_at"`
	DecideBy  string `json:"decide_by,omitempty"`
	NotBefore string `json:"not_before,omitempty"` // release earlier is refused
	ReleaseBy string `json:"release_by,omitempty"`
	EndedAt   string `json:"ended_at,omitempty"`

	Supersedes   string `json:"supersedes,omitempty"`
	SupersededBy string `json:"superseded_by,omitempty"`
	Follows      string `json:"follows,omitempty"`       // a released or denied request for the same object
	StepUpURL    string `json:"step_up_url,omitempty"`   // where to send the approver
	HandOverURL  string `json:"hand_over_url,omitempty"` // for a vouched user, once; never repeated on a replay

	Receipt json.RawMessage `json:"receipt,omitempty"` // where the status is approved or released
}
