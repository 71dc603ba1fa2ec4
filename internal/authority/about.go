package authority

import (
	"context"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// maxAbout bounds the entries that are looked at for one subject.
const maxAbout = 1000

// LogAbout reads the published entries about a subject that have one of the types, in
// order, with those openings that were not erased: what was submitted about a request,
// which keys a person enrolled. Of a subject with more than a thousand entries it
// reads the first thousand.
func (a *Authority) LogAbout(ctx context.Context, c Caller, subject string, types ...countersign.EntryType) ([]LoggedEntry, error) {
	if err := a.MayAudit(ctx, c); err != nil {
		return nil, err
	}
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	var out []LoggedEntry
	err = a.db.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = logAbout(tx, head, subject, types...)
		return err
	})
	return out, fault(err)
}

func logAbout(tx *store.Tx, head checkpoint.Head, subject string, types ...countersign.EntryType) ([]LoggedEntry, error) {
	rows, err := tx.EntriesBySubject(subject, -1, maxAbout)
	if err != nil {
		return nil, err
	}
	var out []LoggedEntry
	for _, r := range rows {
		if r.Index >= head.Tree.N { // only what is published
			break
		}
		leaf, err := countersign.ParseLeaf(r.Leaf)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(types, leaf.Type) {
			continue
		}
		openings, err := tx.Openings(r.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, LoggedEntry{Index: r.Index, ID: r.ID, Leaf: string(r.Leaf), Openings: openings})
	}
	return out, nil
}
