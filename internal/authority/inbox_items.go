package authority

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// askedMark stands before the id in the cursor of the second part of what is in other hands.
const askedMark = "asked."

// waitingPages bounds how much that waits for the person is weighed for one page of what
// does not: so many times the page.
const waitingPages = 2

// inOtherHands lists what is open and does not wait for the person: first what concerns
// them otherwise than by asking them to decide, newest first; then, also newest first,
// what they are asked and could not decide. Most of what they are asked does wait for
// them, and would hide the other in the midst of thousands.
func (b *inboxOf) inOtherHands(q InboxQuery) ([]InboxItem, string, error) {
	before, asked := strings.CutPrefix(q.After, askedMark)
	if before != "" && !countersign.IsID(countersign.PrefixRequest, before) {
		return nil, "", countersign.Invalid(countersign.FieldError{Pointer: "/after", Detail: "want what the page before gave as the next"})
	}
	o, next := elsewhere{inboxOf: b, limit: q.Limit}, ""
	if !asked {
		last, more, err := o.sweep(before, false)
		if err != nil {
			return nil, "", err
		}
		if before = ""; more {
			next = last
		}
	}
	if next == "" && !b.viewer.seesAll() { // to who sees all, all that is open is shown by now
		last, more, err := o.sweep(before, true)
		if err != nil {
			return nil, "", err
		}
		if more {
			next = askedMark + last
		}
	}
	items, err := b.items(o.rows)
	return items, next, err
}

// elsewhere gathers one page of what is in other hands.
type elsewhere struct {
	*inboxOf
	limit   int
	rows    []inboxRow
	looked  int
	waiting int // of those looked at
}

func (o *elsewhere) full() bool {
	return len(o.rows) == o.limit || o.looked >= sweepPages*o.limit || o.waiting >= waitingPages*o.limit
}

// sweep goes through one of the two parts from an id on, until the page is full. It
// returns the id that it ended with, and whether there is more.
func (o *elsewhere) sweep(before string, asked bool) (string, bool, error) {
	for {
		ids, skip, err := o.part(before, asked)
		if err != nil {
			return "", false, err
		}
		files, err := o.files(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return skip[id] }))
		if err != nil {
			return "", false, err
		}
		if err := o.expect(slices.DeleteFunc(slices.Clone(files), func(c *caseFile) bool { return !c.sees(o.viewer) || o.partOf(c) })); err != nil {
			return "", false, err
		}
		byID := map[string]*caseFile{}
		for _, c := range files {
			byID[c.row.ID] = c
		}
		for _, id := range ids {
			if o.full() {
				return before, true, nil
			}
			o.looked++
			before = id
			if c := byID[id]; c != nil { // nil also where it was changed from outside
				if err := o.look(c); err != nil {
					return "", false, err
				}
			}
		}
		if len(ids) <= o.limit {
			return before, false, nil
		}
	}
}

// part lists the next ids of one of the two parts, and which of them stand in the first
// already.
func (o *elsewhere) part(before string, asked bool) ([]string, map[string]bool, error) {
	if !asked {
		ids, err := o.open(before, o.limit+1)
		return ids, nil, err
	}
	ids, err := o.tx.Asking(o.asked(), before, o.limit+1)
	if err != nil {
		return nil, nil, err
	}
	skip, err := o.tx.ConcernedBy(ids, o.concerned())
	return ids, skip, err
}

// look takes a request onto the page where it is in other hands.
func (o *elsewhere) look(c *caseFile) error {
	partOf := o.partOf(c)
	if !c.sees(o.viewer) || (c.state.Status == countersign.StatusApproved && partOf) { // what they had a part in is done
		return nil
	}
	if !partOf {
		w, err := o.waits(c)
		if err != nil {
			return err
		}
		if w != nil {
			o.waiting++
			return nil
		}
	}
	o.rows = append(o.rows, inboxRow{caseFile: c})
	return nil
}

// partOf reports whether the person asked for a request or has decided on it: it does
// not wait for them then, whatever they could still do.
func (b *inboxOf) partOf(c *caseFile) bool {
	return slices.ContainsFunc(c.state.Requesters, func(r approval.Requester) bool { return r.ID == b.viewer.person }) ||
		slices.ContainsFunc(c.state.Decisions, func(d approval.Decision) bool { return d.Person == b.viewer.person && d.Void == "" })
}

// open lists the ids of what is open and may concern the person otherwise than by asking
// them, newest first; to who sees all, of all that is open.
func (b *inboxOf) open(before string, limit int) ([]string, error) {
	ids, err := b.tx.Concerning(b.concerned(), before, limit)
	if err != nil || !b.viewer.seesAll() {
		return ids, err
	}
	all, err := b.tx.OpenRequests(before, limit)
	if err != nil {
		return nil, err
	}
	ids = append(ids, all...)
	slices.SortFunc(ids, func(x, y string) int { return cmp.Compare(y, x) })
	ids = slices.Compact(ids)
	return ids[:min(limit, len(ids))], nil
}

// finished lists what the person decided or asked for and that is not open any more,
// newest first.
func (b *inboxOf) finished(q InboxQuery) ([]InboxItem, string, error) {
	us, id, _ := strings.Cut(q.After, ".")
	var before int64
	if q.After != "" {
		var err error
		if before, err = strconv.ParseInt(us, 10, 64); err != nil || !countersign.IsID(countersign.PrefixRequest, id) {
			return nil, "", countersign.Invalid(countersign.FieldError{Pointer: "/after", Detail: "want what the page before gave as the next"})
		}
	}
	list, err := b.tx.FinishedOf(b.viewer.person, store.Time(before), id, q.Limit+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(list) > q.Limit {
		list = list[:q.Limit]
		last := list[q.Limit-1]
		next = strconv.FormatInt(store.Micros(last.At), 10) + "." + last.ID
	}
	ids := make([]string, len(list))
	byID := map[string]store.Finished{}
	for i, f := range list {
		ids[i], byID[f.ID] = f.ID, f
	}
	files, err := b.files(ids)
	if err != nil {
		return nil, "", err
	}
	var rows []inboxRow
	for _, c := range files {
		if c.sees(b.viewer) {
			rows = append(rows, inboxRow{caseFile: c, finished: byID[c.row.ID]})
		}
	}
	items, err := b.items(rows)
	return items, next, err
}

// items writes rows as the inbox shows them, with the strongest reasons out of the log.
func (b *inboxOf) items(rows []inboxRow) ([]InboxItem, error) {
	entries := make([]string, len(rows))
	for i, r := range rows {
		entries[i] = r.row.WeighedEntry
	}
	weighed, err := b.tx.OpeningsNamed(entries, countersign.OpeningWeighing)
	if err != nil {
		return nil, err
	}
	out := make([]InboxItem, len(rows))
	for i, r := range rows {
		if out[i], err = itemOf(r.caseFile); err != nil {
			return nil, err
		}
		asked := slices.ContainsFunc(r.state.Requesters, func(q approval.Requester) bool { return q.ID == b.viewer.person })
		if out[i].Reasons, err = strongestReasons(weighed[r.row.WeighedEntry], asked); err != nil {
			return nil, err
		}
		out[i].Expiring = r.expiring
		if r.waiting != nil {
			out[i].ActingFor, out[i].Needs = r.waiting.actingFor, r.waiting.needs
		}
		for _, d := range r.state.Decisions {
			if d.Person == b.viewer.person {
				out[i].Decided, out[i].Act = d.At, d.Act
			}
		}
	}
	return out, nil
}

// itemOf is a request as a row, without what differs from one who looks to another.
func itemOf(c *caseFile) (InboxItem, error) {
	s := c.state
	v := InboxItem{ID: c.row.ID, Kind: c.row.Kind, Object: c.row.Object, Revision: c.row.Revision, Source: c.row.Source, Status: s.Status,
		Created: s.CreatedAt, Due: s.Due(), HeldUntil: c.row.Held, Ended: s.EndedAt}
	for _, cl := range s.Clauses() {
		v.Progress.Need += cl.Count
		v.Progress.Have += cl.Count - lacks(s, cl)
	}
	if len(c.row.Document) == 0 { // erased
		return v, nil
	}
	var d summary
	if err := json.Unmarshal(c.row.Document, &d); err != nil {
		return v, err
	}
	v.Subject, v.Amount = d.Subject, d.Amount
	if d.Payee != nil {
		v.Payee = cmp.Or(d.Payee.Name, d.Payee.ID)
	}
	if d.Requester != nil {
		v.Requester = cmp.Or(d.Requester.Name, d.Requester.ID)
	}
	return v, nil
}

// summary is what a row shows of a document. The whole is read where it is decided on.
type summary struct {
	Subject   string              `json:"subject"`
	Amount    *countersign.Amount `json:"amount"`
	Payee     *countersign.Payee  `json:"payee"`
	Requester *countersign.Party  `json:"requester"`
}

// strongestReasons are the two reasons of a weighing that say most: what denies before
// what asks, what is known before what cannot be said. Whoever asked reads what is
// written for them.
func strongestReasons(opening []byte, asked bool) ([]countersign.Reason, error) {
	if len(opening) == 0 { // erased
		return nil, nil
	}
	var r struct {
		Reasons      []countersign.Reason `json:"reasons"`
		ForRequester []countersign.Reason `json:"for_requester"`
	}
	if err := json.Unmarshal(opening, &r); err != nil {
		return nil, err
	}
	all := r.Reasons
	if asked && r.ForRequester != nil {
		all = r.ForRequester
	}
	all = slices.DeleteFunc(all, func(x countersign.Reason) bool { return !policy.Counts(&x) })
	weight := func(x countersign.Reason) int {
		n := map[countersign.Outcome]int{countersign.OutcomeDeny: 4, countersign.OutcomeStepUp: 2}[x.Effect]
		if x.State == countersign.True {
			n++
		}
		return n
	}
	slices.SortStableFunc(all, func(a, b countersign.Reason) int { return cmp.Compare(weight(b), weight(a)) })
	return all[:min(2, len(all))], nil
}
