package authority

import (
	"context"
	"strconv"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// EntryFilter narrows the audit explorer; empty members do not narrow.
type EntryFilter struct {
	Types  []countersign.EntryType
	Person string // who acted, or whom it is about: per_…
	Vendor string // of the request that it is about
	Kind   string // of the request's document
	Object string // the document's id
	Since  time.Time
	Until  time.Time // exclusive
	Number *int64    // exactly this entry
}

// EntryRow is one log entry as a row of the explorer.
type EntryRow struct {
	Index   int64
	ID      string // ent_…
	Type    countersign.EntryType
	At      time.Time
	Actor   countersign.Principal // as TimelineEvent.Actor
	Subject string                // opaque id
	Facts   map[string]string
	Request *RequestRow // where it is about a request
}

// EntryTable is a page of published entries, newest first.
type EntryTable struct {
	Items []EntryRow
	Next  string
	Size  int64 // of the published log
}

// EntryView is one entry with what proves it.
type EntryView struct {
	EntryRow
	Leaf       []byte                         // exact bytes
	Openings   map[string]countersign.Opening // those that were not erased
	Proof      string                         // c2sp.org/tlog-proof@v1
	Checkpoint []byte                         // signed note that the proof leads to
	Verifiers  []string                       // verifier keys, as audit verify takes them
	Receipt    bool                           // the request has a receipt: see Receipt
}

// Entries lists published entries for whoever may audit.
func (a *Authority) Entries(ctx context.Context, s Session, f EntryFilter, p TablePage) (*EntryTable, error) {
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	return look(ctx, a, s, func(r *reading) (*EntryTable, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		return r.entries(head, f, p)
	})
}

func (r *reading) entries(head checkpoint.Head, f EntryFilter, p TablePage) (*EntryTable, error) {
	before := head.Tree.N
	if p.After != "" {
		n, err := strconv.ParseInt(p.After, 10, 64)
		if err != nil || n < 0 {
			return nil, badAfter()
		}
		before = min(before, n)
	}
	if len(f.Types) > maxTypes {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/types", Detail: "want at most 20 types"})
	}
	p = p.bounded()
	out := &EntryTable{Size: head.Tree.N}
	entries, err := f.read(r.tx, before, p.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(entries) > p.Limit {
		entries = entries[:p.Limit]
		out.Next = strconv.FormatInt(entries[p.Limit-1].Index, 10)
	}
	out.Items, err = r.entryRows(entries)
	return out, err
}

// maxTypes bounds the types of one filter.
const maxTypes = 20

func (f EntryFilter) read(tx *store.Tx, before int64, limit int) ([]store.Entry, error) {
	if f.Number == nil {
		return tx.EntryTable(store.EntryFilter{Types: f.Types, Person: f.Person, Vendor: f.Vendor, Kind: f.Kind, Object: f.Object, Since: f.Since, Until: f.Until}, before, limit)
	}
	if *f.Number < 0 || *f.Number >= before {
		return nil, nil
	}
	return tx.Entries(*f.Number, 1)
}

// entryRows reads entries with the names of who acted and the requests they are about.
func (r *reading) entryRows(entries []store.Entry) ([]EntryRow, error) {
	b, err := r.requests()
	if err != nil {
		return nil, err
	}
	actors := make([]string, len(entries))
	out := make([]EntryRow, len(entries))
	about := make([]string, len(entries))
	for i, e := range entries {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, err
		}
		out[i] = EntryRow{Index: e.Index, ID: e.ID, Type: leaf.Type, Subject: leaf.Subject, Facts: leaf.Facts}
		if out[i].At, err = time.Parse(countersign.TimeFormat, leaf.Time); err != nil {
			return nil, err
		}
		actors[i] = leaf.Actor
		for _, id := range []string{leaf.Subject, leaf.Facts["request"]} {
			if about[i] == "" && countersign.IsID(countersign.PrefixRequest, id) {
				about[i] = id
			}
		}
	}
	requests, err := b.requestRows(unique(about))
	if err != nil {
		return nil, err
	}
	byID := map[string]*RequestRow{}
	for i := range requests {
		byID[requests[i].ID] = &requests[i]
	}
	names, err := r.principalsOf(actors)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Request, out[i].Actor = byID[about[i]], countersign.Principal{ID: actors[i], Name: names[actors[i]]}
	}
	return out, nil
}

// Entry reads one published entry with its proof.
func (a *Authority) Entry(ctx context.Context, s Session, index int64) (*EntryView, error) {
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	return look(ctx, a, s, func(r *reading) (*EntryView, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		return r.entry(head, index)
	})
}
