package authority

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
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
	watchers      []string
	Vendor        string // id of who is paid; "" where nobody is
	RequesterKey  string // as TableFilter.Requester takes it
	Outcome       countersign.Outcome
	PolicyVersion int64
	Rules         []string // that counted, in the policy's order
	Deciders      []countersign.Principal
	Founding      bool
	// Tampered says that the stored row contradicts itself or its document: it was changed
	// in the database. Little else is said of it; its own page says what was changed.
	Tampered bool
}

// DecisionRow is a decision as a row of the table.
type DecisionRow struct {
	DecisionLine
	Request RequestRow
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
	return look(ctx, a, s, func(r *reading) (*RequestTable, error) { return r.requestTable(f, p) })
}

func (r *reading) requestTable(f TableFilter, p TablePage) (*RequestTable, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	if p.After != "" && !countersign.IsID(countersign.PrefixRequest, p.After) {
		return nil, badAfter()
	}
	p = p.bounded()
	out := &RequestTable{}
	filter, err := f.stored(r.tx)
	if err != nil {
		return nil, err
	}
	ids, err := r.tx.RequestTable(filter, p.After, p.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(ids) > p.Limit {
		ids = ids[:p.Limit]
		out.Next = ids[p.Limit-1]
	}
	b, err := r.requests()
	if err != nil {
		return nil, err
	}
	out.Items, err = b.requestRows(ids)
	if f.Status != "" { // past its deadline it is of another status already
		out.Items = slices.DeleteFunc(out.Items, func(q RequestRow) bool { return q.Status != f.Status })
	}
	return out, err
}

// AllRequests goes over all requests of a filter, newest first, a page in memory at a
// time, for an export. It ends with an error, with ctx, or when the loop is left.
func (a *Authority) AllRequests(ctx context.Context, s Session, f TableFilter) iter.Seq2[RequestRow, error] {
	return everyPage(func(p TablePage) ([]RequestRow, string, error) {
		t, err := a.Requests(ctx, s, f, p)
		if err != nil {
			return nil, "", err
		}
		return t.Items, t.Next, nil
	})
}

// everyPage goes over the rows of all pages, and ends with the first error.
func everyPage[Row any](page func(TablePage) (rows []Row, next string, err error)) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for p := (TablePage{Limit: maxTablePage}); ; {
			rows, next, err := page(p)
			if err != nil {
				var none Row
				yield(none, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if p.After = next; next == "" {
				return
			}
		}
	}
}

// Decisions lists decisions for controllers, auditors and administrators. The filter's
// times are those of the decision.
func (a *Authority) Decisions(ctx context.Context, s Session, f TableFilter, p TablePage) (*DecisionTable, error) {
	return look(ctx, a, s, func(r *reading) (*DecisionTable, error) { return r.decisionTable(f, p) })
}

func (r *reading) decisionTable(f TableFilter, p TablePage) (*DecisionTable, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	before, id, err := splitAfter(p.After, countersign.PrefixDecision)
	if err != nil {
		return nil, err
	}
	p = p.bounded()
	out := &DecisionTable{}
	filter, err := f.stored(r.tx)
	if err != nil {
		return nil, err
	}
	rows, err := r.tx.DecisionTable(filter, before, id, p.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		out.Next = joinAfter(rows[p.Limit-1].At, rows[p.Limit-1].ID)
	}
	b, err := r.requests()
	if err != nil {
		return nil, err
	}
	out.Items, err = b.decisionRows(rows)
	return out, err
}

// AllDecisions is AllRequests over decisions.
func (a *Authority) AllDecisions(ctx context.Context, s Session, f TableFilter) iter.Seq2[DecisionRow, error] {
	return everyPage(func(p TablePage) ([]DecisionRow, string, error) {
		t, err := a.Decisions(ctx, s, f, p)
		if err != nil {
			return nil, "", err
		}
		return t.Items, t.Next, nil
	})
}

// HoldRow is a hold that runs: approved, and not to be released yet.
type HoldRow struct {
	RequestRow
	Watchers []string // groups
}

// HoldTable is a page of holds.
type HoldTable struct {
	Items []HoldRow
	Next  string
}

// HoldsRunning lists the holds that run, the one that ends first at the top.
func (a *Authority) HoldsRunning(ctx context.Context, s Session, p TablePage) (*HoldTable, error) {
	return look(ctx, a, s, func(r *reading) (*HoldTable, error) { return r.holds(p) })
}

func (r *reading) holds(p TablePage) (*HoldTable, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	after, id, err := splitAfter(p.After, countersign.PrefixRequest)
	if err != nil {
		return nil, err
	}
	p = p.bounded()
	ids, err := r.tx.HeldNow(after, id, p.Limit+1)
	if err != nil {
		return nil, err
	}
	more := len(ids) > p.Limit
	ids = ids[:min(len(ids), p.Limit)]
	b, err := r.requests()
	if err != nil {
		return nil, err
	}
	rows, err := b.requestRows(ids)
	if err != nil {
		return nil, err
	}
	out := &HoldTable{}
	for _, row := range rows {
		out.Items = append(out.Items, HoldRow{RequestRow: row, Watchers: row.watchers})
	}
	if n := len(rows); more && n > 0 {
		out.Next = joinAfter(rows[n-1].HeldUntil, rows[n-1].ID)
	}
	return out, nil
}

// FoundingState says how far an organisation is from having two administrators.
type FoundingState struct {
	Founding       bool
	Since          time.Time               // when the organisation was created
	Administrators []countersign.Principal // who are active and have a passkey or an app
	Needed         int                     // how many there must be
	Stamped        int                     // requests whose receipts are stamped "founding"
}

// foundersNeeded is how many administrators end the founding state (ruling 14).
const foundersNeeded = 2

// Founding reads the founding state, for controllers, auditors and administrators.
func (a *Authority) Founding(ctx context.Context, s Session) (*FoundingState, error) {
	return look(ctx, a, s, (*reading).founding)
}

func (r *reading) founding() (*FoundingState, error) {
	if err := r.register(); err != nil {
		return nil, err
	}
	o, err := r.tx.Organisation()
	if err != nil {
		return nil, err
	}
	out := &FoundingState{Founding: o.Founding, Since: o.Created, Needed: foundersNeeded}
	if out.Administrators, err = ableAdministrators(r.tx); err != nil {
		return nil, err
	}
	out.Stamped, err = r.tx.CountFounding()
	return out, err
}

// ableAdministrators are the active administrators who can prove themselves.
func ableAdministrators(tx *store.Tx) ([]countersign.Principal, error) {
	members, err := tx.Memberships()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range members {
		if m.Group == GroupAdministrators {
			ids = append(ids, m.Person)
		}
	}
	factors, err := tx.AuthenticatorsOfEach(ids)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(factors[id], func(f store.Authenticator) bool { return f.Type == store.FactorPasskey || f.Type == store.FactorTOTP })
	})
	people, err := principals(tx, ids)
	if err != nil {
		return nil, err
	}
	var out []countersign.Principal
	for _, id := range ids {
		out = append(out, people[id])
	}
	return out, nil
}
