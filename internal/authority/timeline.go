package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign"
)

// RequestView is all that the page of a request shows.
type RequestView struct {
	Approval  *countersign.Approval // as Get gives it
	Canonical []byte                // the document's stored bytes, exactly; empty after an erasure
	Earlier   *EarlierVersion       // what to hold it against; nil where there is nothing
	You       YourPart
	Missing   []MissingClause
	Decisions []DecisionLine
	Timeline  []TimelineEvent
	Links     RequestLinks
	Hold      *Hold // nil without one
	Vendor    string
	Requester countersign.Principal // ID "" where it is nobody on record here
	Nominated *countersign.Principal
}

// EarlierVersion is a stored document that this one is compared with.
type EarlierVersion struct {
	Request   string // req_…
	Revision  string
	Canonical []byte
	Why       string // "supersedes", "follows", or "former_account": the last released change or payment that names the account before
}

// RequestLinks are the requests around this one for the same object.
type RequestLinks struct {
	Supersedes, SupersededBy, Follows string // req_…; "" for none
}

// Hold is the time before which nothing is released.
type Hold struct {
	Seconds  int       // that the requirement asks for
	Until    time.Time // zero before the last needed decision
	Watchers []string  // groups that are told and may stop it
}

// YourPart is what the person who looks may do here.
type YourPart struct {
	Acts       []string // open to them now: the Can constants
	WhyNot     []WhyNot // why they may not approve, most telling first; empty where they may
	ActingFor  []ActingFor
	Need       countersign.Assurance // of their act of approving
	MaxAge     time.Duration         // of the oldest factor that counts; zero for none
	Factors    []OwnFactor
	BreakGlass bool // they may sign in place of a group
	Watching   bool // by a group that watches the hold
	Concerned  bool // they may write into the thread of questions
}

// What may be open to a person on a request.
const (
	CanApprove  = "approve"
	CanDeny     = "deny"
	CanRevoke   = "revoke"   // take an approval back before release
	CanWithdraw = "withdraw" // take back what they asked for
	CanReassign = "reassign" // hand it over
	CanFreeze   = "freeze"   // the vendor, or a person, with a step-up
)

// WhyNot is one reason why a person may not approve. Code is one of the approval
// package's Obstacle codes, "frozen", or "session" where the session is for one thing
// only; Args are what a sentence in any language is built from.
type WhyNot struct {
	Code     string
	Sentence string
	Args     map[string]string // "by", "groups", "assurance", "until", "limit": those that apply
	Passing  bool              // ends by itself or by the person's own doing
}

// ActingFor is somebody in whose place the person could decide now.
type ActingFor struct {
	Person  countersign.Principal
	Acts    []string // CanApprove, CanDeny
	WhyNot  []WhyNot
	EndsAt  time.Time // of the delegation
	Covered bool      // the delegation covers the document's kind
}

// OwnFactor is one of the person's factors, and whether it would do.
type OwnFactor struct {
	ID, Type, Name string
	Would          bool
	CountsFrom     time.Time // end of the cool-off; zero where it counts already
}

// MissingClause is a clause of the requirement with what it still needs.
type MissingClause struct {
	Clause countersign.Clause
	Have   int
	Lacks  int
	// Who could decide, by name, where they are at most MaxNamed; Eligible is how many.
	Who      []countersign.Principal
	Eligible int
}

// MaxNamed is the most people that a clause names.
const MaxNamed = 10

// DecisionLine is a decision as a line of the page.
type DecisionLine struct {
	ID         string // dec_…
	Person     countersign.Principal
	ActingFor  *countersign.Principal
	Act        countersign.Act
	Factor     string // "passkey", "totp", "session"
	Assurance  countersign.Assurance
	Simulated  bool   // by the demo's software authenticator
	BreakGlass bool   //
	Unexpected bool   // "I did not expect this"
	Reason     string //
	At         time.Time
	Void       string // why it no longer counts; "" while it does
	Entry      string // ent_…
	Index      int64  // of the log entry; -1 before it has its place
	Yours      bool
}

// TimelineEvent is one log entry about the request.
type TimelineEvent struct {
	Entry     string // ent_…
	Index     int64
	Published bool // under a checkpoint that was published
	Type      countersign.EntryType
	At        time.Time
	Actor     countersign.Principal // a person, a key, or "system" or "operator" by ID without a name
	Facts     map[string]string
}

// RequestPage reads a request for its page. Whoever may not see it cannot learn that it
// is there.
func (a *Authority) RequestPage(ctx context.Context, s Session, id string) (*RequestView, error) {
	return nil, notFound()
}
