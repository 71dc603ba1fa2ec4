package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign"
)

// The tabs of the inbox.
const (
	TabYou     = "you"     // the person could decide now, for themself or in another's place
	TabOthers  = "others"  // open, and in other hands: they asked for it, watch it, decided already, or see it by their group
	TabDecided = "decided" // what they decided or asked for, and that is over or no longer open
)

// InboxQuery asks for one page of one tab.
type InboxQuery struct {
	Tab   string // one of the Tab constants; "" is TabYou
	After string // InboxPage.Next of the page before; "" for the first
	Limit int    // 1 to 100; 0 is 25
}

// InboxPage is one page of the inbox. A page may have fewer items than were asked for
// and still a next one: what is looked at for one page is bounded.
type InboxPage struct {
	Tab    string
	Items  []InboxItem
	Next   string // what to give as After for the next page; "" at the end
	Counts InboxCounts
}

// InboxCounts says how many requests each tab holds.
type InboxCounts struct{ You, Others, Decided InboxCount }

// InboxCount is a number up to MaxInboxCount. You is exact while all of it fits one
// page; beyond, it counts whom the requirement asks, before each is judged.
type InboxCount struct {
	N    int
	More bool // there are more than N
}

// MaxInboxCount is the most that is counted for a tab.
const MaxInboxCount = 999

// InboxItem is one request as a row of the inbox.
type InboxItem struct {
	ID        string // req_…
	Kind      string
	Object    string              // the document's id
	Revision  string              //
	Subject   string              // the document's subject; may be empty
	Amount    *countersign.Amount // nil where the document has none
	Payee     string              // name; "" where nobody is paid
	Requester string              // name of who asked
	Source    string              // the system that submitted it
	Status    countersign.Status
	Created   time.Time
	Due       time.Time // decide-by while it is open, release-by once approved; zero when over
	HeldUntil time.Time // a release before is refused; zero without a hold
	Ended     time.Time // zero while it is open
	Decided   time.Time // when the person decided; zero where they did not
	Act       countersign.Act
	Progress  Progress
	Reasons   []countersign.Reason // the strongest, at most two
	// ActingFor is whom the person would decide for, where they could not for themself.
	ActingFor *countersign.Principal
	// Needs is what the person has to do or wait for before they can approve, as an
	// obstacle's code ("factor", "cool_off"): denying is open to them at once.
	Needs    string
	Expiring bool // due within ExpiringWithin
}

// ExpiringWithin is how near a deadline must be for the request to stand first.
const ExpiringWithin = 4 * time.Hour

// Progress is how many of the approvals that are needed there are.
type Progress struct{ Have, Need int }

// Inbox reads one page of a person's inbox. "you" is ordered by what expires first,
// then by the weight of the findings, then by age; the others newest first.
func (a *Authority) Inbox(ctx context.Context, s Session, q InboxQuery) (*InboxPage, error) {
	return nil, notFound()
}
