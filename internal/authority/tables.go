package authority

import (
	"context"
	"iter"
	"time"

	"github.com/countersign/countersign"
)

// TableFilter narrows the control owner's tables; empty members do not narrow.
type TableFilter struct {
	Status    countersign.Status
	Kind      string
	Vendor    string // the vendor's id
	Requester string // per_…, or "source:id" of somebody who is not on record
	Decider   string // per_… of who decided, for themself or in another's place
	Group     string // that the requirement asks or that watches
	Outcome   countersign.Outcome
	Rule      string // name of a rule that counted
	Source    string
	Since     time.Time // of submission, or of the decision; inclusive
	Until     time.Time // exclusive
	Text      string    // in the object's id, subject, payee's or requester's name; at most 100 characters
}

// TablePage says which page of a table is read.
type TablePage struct {
	After string // Next of the page before
	Limit int    // 1 to 200; 0 is 50
}

// RequestRow is a request as a row of the table.
type RequestRow struct {
	InboxItem
	Outcome       countersign.Outcome
	PolicyVersion int64
	Rules         []string // that counted, in the policy's order
	Deciders      []countersign.Principal
	Founding      bool
}

// DecisionRow is a decision as a row of the table.
type DecisionRow struct {
	DecisionLine
	Request InboxItem
}

// RequestTable is a page of requests, newest first.
type RequestTable struct {
	Items []RequestRow
	Next  string
}

// DecisionTable is a page of decisions, newest first.
type DecisionTable struct {
	Items []DecisionRow
	Next  string
}

// Requests lists requests for controllers, auditors and administrators.
func (a *Authority) Requests(ctx context.Context, s Session, f TableFilter, p TablePage) (*RequestTable, error) {
	return nil, notFound()
}

// AllRequests goes over all requests of a filter, newest first, a page in memory at a
// time, for an export. It ends with an error, with ctx, or when the loop is left.
func (a *Authority) AllRequests(ctx context.Context, s Session, f TableFilter) iter.Seq2[RequestRow, error] {
	return func(yield func(RequestRow, error) bool) { yield(RequestRow{}, notFound()) }
}

// Decisions lists decisions for controllers, auditors and administrators. The filter's
// times are those of the decision.
func (a *Authority) Decisions(ctx context.Context, s Session, f TableFilter, p TablePage) (*DecisionTable, error) {
	return nil, notFound()
}

// AllDecisions is AllRequests over decisions.
func (a *Authority) AllDecisions(ctx context.Context, s Session, f TableFilter) iter.Seq2[DecisionRow, error] {
	return func(yield func(DecisionRow, error) bool) { yield(DecisionRow{}, notFound()) }
}

// HoldRow is a hold that runs: approved, and not to be released yet.
type HoldRow struct {
	InboxItem
	Watchers []string
}

// HoldsRunning lists the holds that run, the one that ends first at the top.
func (a *Authority) HoldsRunning(ctx context.Context, s Session, p TablePage) ([]HoldRow, error) {
	return nil, notFound()
}

// FoundingState says how far an organisation is from having two administrators.
type FoundingState struct {
	Founding       bool
	Since          time.Time               // when the organisation was created
	Administrators []countersign.Principal // with a factor that counts and was confirmed
	Needed         int                     // how many there must be
	Stamped        int                     // requests whose receipts are stamped "founding"
}

// Founding reads the founding state.
func (a *Authority) Founding(ctx context.Context, s Session) (*FoundingState, error) {
	return nil, notFound()
}
