package authority

import (
	"context"
	"time"

	"github.com/countersign/countersign"
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
	Request *InboxItem // where it is about a request
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
	Checkpoint []byte                         // signed note
	Verifiers  []string                       // verifier keys, as audit verify takes them
	Receipt    bool                           // the request has a receipt: see Receipt
}

// Entries lists published entries for whoever may audit.
func (a *Authority) Entries(ctx context.Context, s Session, f EntryFilter, p TablePage) (*EntryTable, error) {
	return nil, notFound()
}

// Entry reads one published entry with its proof.
func (a *Authority) Entry(ctx context.Context, s Session, index int64) (*EntryView, error) {
	return nil, notFound()
}
