package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// DelegationBody lets another person decide in one's place for a time. It never
// widens: the smallest of the delegator's limit, the delegate's and its own counts, and
// both people are held to separation of duties (ruling 20). Changes to Countersign
// itself are never decided in another's place.
type DelegationBody struct {
	To     string              `json:"to"`                  // per_… who may decide
	Starts string              `json:"starts_at,omitempty"` // RFC 3339; default now, at most 180 days ahead
	Ends   string              `json:"ends_at"`             // RFC 3339; at most 92 days after it starts
	Kinds  []string            `json:"kinds,omitempty"`     // of documents; none: every kind
	Limit  *countersign.Amount `json:"limit,omitempty"`     // the most for one document. With a limit, a kind that has no amount is covered where it is named
	Reason string              `json:"reason"`

	StepUp StepUpBody `json:"step_up"`
}

// DelegationSubject is what a step-up for a delegation is made for: all that it
// allows, so that nothing of it can be changed under the person's answer.
func DelegationSubject(b DelegationBody) string {
	limit := ""
	if b.Limit != nil {
		limit = amountText(*b.Limit)
	}
	return strings.Join([]string{"delegate", b.To, b.Starts, b.Ends, strings.Join(b.Kinds, ","), limit}, ":")
}

// DelegationView is a delegation.
type DelegationView struct {
	ID        string                `json:"id"`   // del_…
	From      countersign.Principal `json:"from"` // in whose place
	To        countersign.Principal `json:"to"`   // who may decide
	Kinds     []string              `json:"kinds"`
	Limit     *countersign.Amount   `json:"limit,omitempty"`
	StartsAt  string                `json:"starts_at"`
	EndsAt    string                `json:"ends_at"`
	State     string                `json:"state"` // "upcoming", "in_force" or "over"
	CreatedAt string                `json:"created_at"`
	CreatedBy string                `json:"created_by"` // per_… who made it, or the last of those who agreed to it
	EndedAt   string                `json:"ended_at,omitempty"`
}

// States of a delegation.
const (
	delegationUpcoming = "upcoming"
	delegationInForce  = "in_force"
	delegationOver     = "over"
)

// Bounds of a delegation. Somebody who is away for longer hands over for good.
const (
	longestDelegation = 92 * 24 * time.Hour
	delegationAhead   = 180 * 24 * time.Hour
	mostDelegations   = 20  // of one person, that are not over
	mostKindsText     = 150 // bytes of the kinds that one names, with commas between: all of the terms are the subject of a step-up, which has a bound
)

// Delegate lets another person decide in one's own place. It widens who may approve,
// so it is an act of its own with a step-up for [DelegationSubject], proven with the
// strongest that the person has: a code that was phished must not give another what only
// their passkey could do. For somebody who
// is absent their manager proposes it, as countersign.delegation about the person, and
// an administrator or controller decides.
func (a *Authority) Delegate(ctx context.Context, s Session, body DelegationBody) (*DelegationView, error) {
	if err := s.browse(); err != nil {
		return nil, err
	}
	j, err := a.stepUp(ctx, s, DelegationSubject(body), body.StepUp)
	if err != nil {
		return nil, fault(err)
	}
	var out *DelegationView
	_, err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := a.judged(tx, j); err != nil {
			return err
		}
		row, err := a.delegationTerms(tx, s.Person.ID, body)
		if err != nil {
			return err
		}
		row.CreatedBy = s.Person.ID
		if err := a.makeDelegation(tx, row, nil, map[string]any{"reason": body.Reason, "evidence": j.Evidence()}); err != nil {
			return err
		}
		out, err = viewDelegation(tx, row)
		return err
	})
	return out, fault(err)
}

// delegationTerms checks what a delegation says, and makes the row of it.
func (a *Authority) delegationTerms(tx *store.Tx, from string, b DelegationBody) (row store.Delegation, err error) {
	v := &termErrors{}
	row = store.Delegation{ID: countersign.NewID(countersign.PrefixDelegation, tx.Now()), From: from, To: b.To, Created: tx.Now()}
	if b.Reason == "" || len(b.Reason) > 2000 {
		v.add("/reason", "required, at most 2000 bytes")
	}
	if row.Starts, row.Ends, err = v.times(b, tx.Now()); err != nil {
		return row, err
	}
	if err := a.delegatedKinds(tx, v, b.Kinds); err != nil {
		return row, err
	}
	if l := b.Limit; l != nil {
		if row.Minor, err = l.Minor(); err != nil || row.Minor <= 0 {
			v.add("/limit", "want an amount above zero, with exactly the currency's decimals")
		}
		row.Currency = l.Currency
	}
	if err := v.people(tx, from, b.To); err != nil {
		return row, err
	}
	if len(v.errs) > 0 {
		return row, countersign.Invalid(v.errs...)
	}
	if b.Kinds == nil {
		b.Kinds = []string{}
	}
	kinds, err := json.Marshal(b.Kinds)
	if err != nil {
		return row, err
	}
	row.Kinds = string(kinds)
	n, err := tx.CountDelegationsFrom(from)
	if err == nil && n >= mostDelegations {
		err = countersign.NewProblem(countersign.CodeState, "%d delegations of this person are not over: that is the most", n).WithHint("end one of them")
	}
	return row, err
}

// termErrors collects what is wrong with a delegation.
type termErrors struct{ errs []countersign.FieldError }

func (v *termErrors) add(pointer, detail string) {
	v.errs = append(v.errs, countersign.FieldError{Pointer: pointer, Detail: detail})
}

// times reads from when to when. What began before now begins now.
func (v *termErrors) times(b DelegationBody, now time.Time) (starts, ends time.Time, err error) {
	starts = now
	if b.Starts != "" {
		t, err := time.Parse(time.RFC3339, b.Starts)
		if err != nil || t.After(now.Add(delegationAhead)) {
			v.add("/starts_at", "want a time as 2026-11-24T06:00:00Z (RFC 3339), at most 180 days ahead")
		} else if t.After(now) {
			starts = t.UTC()
		}
	}
	ends, failed := time.Parse(time.RFC3339, b.Ends)
	switch {
	case failed != nil:
		v.add("/ends_at", "want a time as 2026-12-24T06:00:00Z (RFC 3339)")
	case !ends.After(starts):
		v.add("/ends_at", "want a time after it starts, and after now")
	case ends.After(starts.Add(longestDelegation)):
		v.add("/ends_at", "want at most 92 days after it starts")
	}
	return starts, ends.UTC(), nil
}

func (a *Authority) delegatedKinds(tx *store.Tx, v *termErrors, kinds []string) error {
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	for i, k := range kinds {
		pointer := fmt.Sprintf("/kinds/%d", i)
		switch {
		case countersign.InternalKind(k):
			v.add(pointer, "changes to Countersign itself are not decided in another's place")
		case !countersign.BuiltinKind(k) && !slices.Contains(at.settings.Kinds, k):
			v.add(pointer, fmt.Sprintf("%q is no kind that is known here", clipText(k)))
		case slices.Contains(kinds[:i], k):
			v.add(pointer, fmt.Sprintf("%q stands twice", k))
		}
	}
	if len(strings.Join(kinds, ",")) > mostKindsText {
		v.add("/kinds", "too many to name: name none, for every kind")
	}
	return nil
}

// people refuses a delegation to oneself, to nobody, or between people of whom one may
// do nothing.
func (v *termErrors) people(tx *store.Tx, from, to string) error {
	if from == to {
		v.add("/to", "nobody delegates to themselves")
		return nil
	}
	for _, p := range []struct{ pointer, id string }{{"/to", to}, {"/from", from}} {
		row, err := tx.Person(p.id)
		if errors.Is(err, store.ErrNotFound) {
			v.add(p.pointer, "is no person here: want an id as per_…")
		} else if err != nil {
			return err
		} else if !row.Active {
			v.add(p.pointer, row.Name+" is not active")
		}
	}
	return nil
}

// makeDelegation stores a delegation with its entry, and tells both people.
func (a *Authority) makeDelegation(tx *store.Tx, row store.Delegation, facts map[string]string, detail map[string]any) error {
	if err := tx.InsertDelegation(row); err != nil {
		return err
	}
	detail["kinds"], detail["starts_at"], detail["ends_at"] = json.RawMessage(row.Kinds), stamp(row.Starts), stamp(row.Ends)
	if row.Currency != "" {
		detail["limit"] = countersign.Amount{Value: countersign.FormatMinor(row.Minor, row.Currency), Currency: row.Currency}
	}
	return a.delegationChanged(tx, row, delegationEntry{state: "made", actor: row.CreatedBy, facts: facts, detail: detail})
}

// delegationEntry is what the log says of a delegation that was made or ended.
type delegationEntry struct {
	state, actor string
	facts        map[string]string
	detail       map[string]any
}

func (a *Authority) delegationChanged(tx *store.Tx, row store.Delegation, e delegationEntry) error {
	facts := map[string]string{"from": row.From, "to": row.To, "state": e.state}
	for name, value := range e.facts {
		facts[name] = value
	}
	var openings map[string][]byte
	if e.detail != nil {
		text, err := countersign.Canonical(e.detail)
		if err != nil {
			return err
		}
		openings = map[string][]byte{countersign.OpeningDetail: text}
	}
	w, err := appendEntry(tx, entry{typ: countersign.EntryDelegationChanged, subject: row.ID, actor: e.actor, facts: facts, openings: openings})
	if err != nil {
		return err
	}
	for _, person := range []string{row.From, row.To} {
		if err := a.tell(tx, w.entry, person); err != nil {
			return err
		}
	}
	return tx.FactsChanged()
}

// EndDelegation ends a delegation at once. The delegator does, the delegate, anybody
// above the delegator in the reporting line, or an administrator.
func (a *Authority) EndDelegation(ctx context.Context, s Session, id string) error {
	if err := s.browse(); err != nil {
		return err
	}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Delegation(id)
		if err != nil {
			return err
		}
		may, err := a.mayEndDelegation(tx, s.Person.ID, row)
		if err != nil {
			return err
		}
		if !may {
			return notFound()
		}
		over := countersign.NewProblem(countersign.CodeState, "this delegation is over already")
		if !row.Ends.After(tx.Now()) {
			return over
		}
		if err := tx.RevokeDelegation(id); errors.Is(err, store.ErrConflict) {
			return over
		} else if err != nil {
			return err
		}
		return a.delegationChanged(tx, row, delegationEntry{state: "ended", actor: s.Person.ID})
	})
	return fault(err)
}

func (a *Authority) mayEndDelegation(tx *store.Tx, person string, row store.Delegation) (bool, error) {
	if person == row.From || person == row.To {
		return true, nil
	}
	groups, err := groupNames(tx, person)
	if err != nil || slices.Contains(groups, GroupAdministrators) {
		return err == nil, err
	}
	return manages(tx, person, row.From)
}

// manages reports whether a person is above another in the reporting line.
func manages(tx *store.Tx, person, other string) (bool, error) {
	p, err := tx.Person(other)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	line, err := managers(tx, p.Manager)
	return slices.Contains(line, person), err
}

// DelegationQuery narrows a list of delegations.
type DelegationQuery struct {
	Person string // per_… whose they are, in either part; "me"; or "all"
	After  string // the id that the last page ended with
	Limit  int
}

// Delegations lists delegations, newest first. Everybody sees their own and those of
// the people below them; auditors, controllers and administrators see all.
func (a *Authority) Delegations(ctx context.Context, s Session, q DelegationQuery) (countersign.Page[DelegationView], error) {
	return look(ctx, a, s, func(r *reading) (countersign.Page[DelegationView], error) { return r.delegations(q) })
}

func (r *reading) delegations(q DelegationQuery) (countersign.Page[DelegationView], error) {
	page := countersign.Page[DelegationView]{Items: []DelegationView{}}
	if err := r.s.browse(); err != nil {
		return page, err
	}
	me := r.s.Person.ID
	if q.Person == "" || q.Person == "me" {
		q.Person = me
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	if q.Person != me {
		below, err := manages(r.tx, me, q.Person)
		if err != nil {
			return page, err
		}
		groups, err := r.mine()
		if err != nil {
			return page, err
		}
		if !below && !(viewer{groups: groups}).seesAll() {
			return page, countersign.NewProblem(countersign.CodeForbidden, "you see your own delegations, and those of the people who report to you")
		}
	}
	if q.Person == "all" {
		q.Person = ""
	}
	rows, err := r.tx.Delegations(q.Person, q.After, q.Limit+1)
	if err != nil {
		return page, err
	}
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		page.Next = rows[q.Limit-1].ID
	}
	page.Items, err = viewDelegations(r.tx, rows)
	return page, err
}

func viewDelegation(tx *store.Tx, row store.Delegation) (*DelegationView, error) {
	all, err := viewDelegations(tx, []store.Delegation{row})
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

func viewDelegations(tx *store.Tx, rows []store.Delegation) ([]DelegationView, error) {
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.From, row.To)
	}
	people, err := principals(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]DelegationView, len(rows))
	for i, row := range rows {
		d, err := delegationOf(row)
		if err != nil {
			return nil, err
		}
		v := DelegationView{ID: row.ID, From: people[row.From], To: people[row.To], Kinds: d.Kinds, Limit: d.Limit, StartsAt: stamp(row.Starts),
			EndsAt: stamp(row.Ends), CreatedAt: stamp(row.Created), CreatedBy: row.CreatedBy, EndedAt: stamp(row.Revoked), State: delegationInForce}
		switch {
		case !row.Revoked.IsZero() || !row.Ends.After(tx.Now()):
			v.State = delegationOver
		case row.Starts.After(tx.Now()):
			v.State = delegationUpcoming
		}
		out[i] = v
	}
	return out, nil
}

// delegationOf is a delegation as the state machine knows it.
func delegationOf(row store.Delegation) (approval.Delegation, error) {
	d := approval.Delegation{ID: row.ID, From: row.From, To: row.To, Starts: row.Starts, Ends: row.Ends, Own: row.CreatedBy == row.From}
	if row.Currency != "" {
		d.Limit = &countersign.Amount{Value: countersign.FormatMinor(row.Minor, row.Currency), Currency: row.Currency}
	}
	return d, json.Unmarshal([]byte(row.Kinds), &d.Kinds)
}
