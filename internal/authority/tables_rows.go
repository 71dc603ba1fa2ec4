package authority

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

const (
	maxTablePage  = 200
	maxSearchText = 100 // characters
)

func (p TablePage) bounded() TablePage {
	if p.Limit <= 0 || p.Limit > maxTablePage {
		p.Limit = 50
	}
	return p
}

func badAfter() error {
	return countersign.Invalid(countersign.FieldError{Pointer: "/after", Detail: "want what the page before gave as the next"})
}

// joinAfter names a place in a list that is ordered by a time and an id.
func joinAfter(at time.Time, id string) string {
	return strconv.FormatInt(store.Micros(at), 10) + "." + id
}

func splitAfter(after, prefix string) (time.Time, string, error) {
	if after == "" {
		return time.Time{}, "", nil
	}
	us, id, _ := strings.Cut(after, ".")
	n, err := strconv.ParseInt(us, 10, 64)
	if err != nil || n <= 0 || !countersign.IsID(prefix, id) {
		return time.Time{}, "", badAfter()
	}
	return store.Time(n), id, nil
}

// stored is the filter in the store's terms.
func (f TableFilter) stored(tx *store.Tx) (store.TableFilter, error) {
	if utf8.RuneCountInString(f.Text) > maxSearchText {
		return store.TableFilter{}, countersign.Invalid(countersign.FieldError{Pointer: "/text", Detail: "want at most 100 characters"})
	}
	out := store.TableFilter{Status: f.Status, Outcome: f.Outcome, Kind: f.Kind, Vendor: f.Vendor, Requester: f.Requester, Source: f.Source, Rule: f.Rule,
		Decider: f.Decider, Group: f.Group, Words: foldName(f.Text), Since: f.Since, Until: f.Until}
	if source, id, ok := strings.Cut(f.Requester, ":"); ok {
		var err error
		if out.Requester, err = requesterKey(tx, source, id); err != nil {
			return out, err
		}
	}
	return out, nil
}

// requestRows writes requests as rows of the table. One that was changed from outside is
// there all the same, and says so.
func (b *inboxOf) requestRows(ids []string) ([]RequestRow, error) {
	rows, err := b.tx.ApprovalsByID(ids)
	if err != nil {
		return nil, err
	}
	var sound []inboxRow
	out := make([]RequestRow, 0, len(ids))
	place := map[string]int{}
	for _, id := range ids {
		row, ok := rows[id]
		if !ok {
			continue
		}
		v := RequestRow{Vendor: row.Vendor, RequesterKey: row.Requester, Outcome: row.Outcome, PolicyVersion: row.PolicyVersion, Rules: strings.Fields(row.Rules), Founding: row.Founding}
		c, err := light(row)
		switch {
		case errors.Is(err, errTampered):
			v.Tampered = true
			v.InboxItem = InboxItem{ID: row.ID, Kind: row.Kind, Object: row.Object, Revision: row.Revision, Source: row.Source, Status: row.Status, Created: row.Created}
		case err != nil:
			return nil, err
		default:
			c.asOf(b.tx.Now())
			for _, d := range c.state.Decisions {
				v.Deciders = append(v.Deciders, countersign.Principal{ID: d.Person, Name: d.Name})
			}
			v.watchers = c.state.Requirement.Watchers
			sound = append(sound, inboxRow{caseFile: c})
		}
		place[id] = len(out)
		out = append(out, v)
	}
	items, err := b.items(sound)
	for _, v := range items {
		out[place[v.ID]].InboxItem = v
	}
	return out, err
}

func (b *inboxOf) decisionRows(decisions []store.Decision) ([]DecisionRow, error) {
	ids, logged := make([]string, len(decisions)), make([]string, len(decisions))
	for i, d := range decisions {
		ids[i], logged[i] = d.Approval, d.EntryID
	}
	entries, err := b.tx.EntriesByID(logged)
	if err != nil {
		return nil, err
	}
	requests, err := b.requestRows(unique(ids))
	if err != nil {
		return nil, err
	}
	items := map[string]RequestRow{}
	for _, r := range requests {
		items[r.ID] = r
	}
	out := make([]DecisionRow, 0, len(decisions))
	for _, d := range decisions {
		line, err := decisionLine(d)
		if err != nil {
			return nil, err
		}
		e, ok := entries[d.EntryID]
		if !ok {
			return nil, store.ErrNotFound
		}
		line.Index, line.Yours = e.Index, d.Person == b.viewer.person
		out = append(out, DecisionRow{DecisionLine: line, Request: items[d.Approval]})
	}
	return out, nil
}

// unique drops repetitions and keeps the order.
func unique(ids []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
