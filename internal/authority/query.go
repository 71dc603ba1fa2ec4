package authority

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// Caller is whoever asks: a calling system or a signed-in person. Exactly one is set.
type Caller struct {
	Key     *Key
	Session *Session
}

func (a *Authority) viewerFor(tx *store.Tx, c Caller) (viewer, error) {
	switch {
	case c.Key != nil:
		return c.Key.viewer(), nil
	case c.Session != nil:
		if c.Session.Request() == "" { // a session for enrolling sees no request
			if err := c.Session.browse(); err != nil {
				return viewer{}, err
			}
		}
		return viewerOf(tx, *c.Session)
	}
	return viewer{}, countersign.NewProblem(countersign.CodeUnauthenticated, "who is asking is not known")
}

// findAhead asks ahead for what [Authority.find] reads.
func findAhead(tx *store.Tx, c Caller, id string) {
	tx.FactsGen()
	if c.Session != nil {
		viewerAhead(tx, c.Session.Person.ID)
	}
	if row, err := tx.Approval(id); err == nil {
		caseAhead(tx, row)
	}
}

// find reads a request that the caller may see.
func (a *Authority) find(tx *store.Tx, c Caller, id string) (*caseFile, viewer, error) {
	if err := tx.Ahead(func() { findAhead(tx, c, id) }); err != nil {
		return nil, viewer{}, err
	}
	v, err := a.viewerFor(tx, c)
	if err != nil {
		return nil, v, err
	}
	row, err := tx.Approval(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, v, notFound()
	} else if err != nil {
		return nil, v, err
	}
	f := &caseFile{}
	err = f.load(tx, row)
	if (err == nil || errors.Is(err, errTampered)) && !f.sees(v) { // what was changed in the database, too, is told to whom it concerns
		return nil, v, notFound()
	}
	if err != nil {
		return nil, v, a.tampered(tx, row, err)
	}
	return f, v, nil
}

// Get reads one request, with its receipt where it is approved or released.
func (a *Authority) Get(ctx context.Context, c Caller, id string) (*countersign.Approval, error) {
	var f *caseFile
	var v viewer
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		if f, v, err = a.find(tx, c, id); err == nil {
			f.asOf(tx.Now())
		}
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.answer(ctx, f, store.Committed{}, v)
	return out, fault(err)
}

// Receipt is the receipt of a request as its one encoding: evidence, never
// permission.
func (a *Authority) Receipt(ctx context.Context, c Caller, id string) ([]byte, error) {
	var f *caseFile
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		f, _, err = a.find(tx, c, id)
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	if st := f.state.Status; st == countersign.StatusPending || st == countersign.StatusUnsatisfiable {
		return nil, countersign.NewProblem(countersign.CodeState, "the request is %s: nothing has been decided, so there is nothing to prove", st)
	}
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	r, err := a.receipt(ctx, f, head)
	if errors.Is(err, checkpoint.ErrNotCovered) && !errors.Is(err, checkpoint.ErrNotCosigned) {
		return nil, countersign.NewProblem(countersign.CodeUnavailable, "the log entry is not signed yet").WithHint("ask again in a second")
	}
	if err != nil {
		return nil, fault(err)
	}
	return r.Bytes(), nil
}

// ListQuery narrows a list of requests.
type ListQuery struct {
	store.ApprovalFilter
	After string // the id that the last page ended with
	Limit int
}

// List lists requests, newest first. A key sees its source's; a person who sees
// everything by their group sees all, others what concerns them.
func (a *Authority) List(ctx context.Context, c Caller, q ListQuery) (countersign.Page[countersign.Approval], error) {
	page := countersign.Page[countersign.Approval]{Items: []countersign.Approval{}}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	given := q
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		page = countersign.Page[countersign.Approval]{Items: []countersign.Approval{}}
		v, err := a.viewerFor(tx, c)
		if err != nil {
			return err
		}
		if v.source != "" {
			q.Source = v.source
		}
		if q.Requester, err = requesterKey(tx, v.source, given.Requester); err != nil {
			return err
		}
		if q.Statuses, err = overdue(tx, given.Statuses); err != nil {
			return err
		}
		before, scanned := q.After, 0
		for len(page.Items) < q.Limit {
			rows, err := tx.Approvals(q.ApprovalFilter, before, q.Limit)
			if err != nil {
				return err
			}
			for _, row := range rows {
				before = row.ID
				f := &caseFile{}
				if err := f.load(tx, row); err != nil {
					if errors.Is(err, errTampered) {
						continue // shown on its own page, with what was changed
					}
					return err
				}
				if !f.sees(v) {
					continue
				}
				f.asOf(tx.Now())
				if len(given.Statuses) > 0 && !slices.Contains(given.Statuses, f.state.Status) {
					continue
				}
				out, err := a.view(f, v)
				if err != nil {
					return err
				}
				page.Items = append(page.Items, *out)
				if len(page.Items) == q.Limit {
					page.Next = before
					break
				}
			}
			if scanned += len(rows); len(rows) < q.Limit {
				return nil
			}
			if scanned >= 20*q.Limit { // a person who sees little of much: go on with the next page
				page.Next = before
				return nil
			}
		}
		return nil
	})
	return page, fault(err)
}

// overdue widens a list of what has expired by what can expire, while something is
// past its deadline that the clock has not ended yet.
func overdue(tx *store.Tx, statuses []countersign.Status) ([]countersign.Status, error) {
	if !slices.Contains(statuses, countersign.StatusExpired) {
		return statuses, nil
	}
	due, err := tx.Due(1)
	if err != nil || len(due) == 0 {
		return statuses, err
	}
	return append(slices.Clone(statuses), countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusApproved), nil
}

// requesterKey is how requests name who asked: the natural person where the
// identifier is known, and otherwise the source with the identifier.
func requesterKey(tx *store.Tx, source, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	p, err := identify(tx, source, id)
	if errors.Is(err, store.ErrNotFound) {
		return source + ":" + id, nil
	}
	return p.ID, err
}

// Evaluate says what would happen to a document: it changes nothing (ruling 11).
func (a *Authority) Evaluate(ctx context.Context, key Key, body countersign.RequestBody) (*countersign.Evaluation, error) {
	if err := key.need(authn.ScopeEvaluate); err != nil {
		return nil, err
	}
	var out *countersign.Evaluation
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		at, err := a.current(tx)
		if err != nil {
			return err
		}
		in, err := a.read(Parsed{RequestBody: body}, at.settings.Kinds)
		if err != nil {
			return err
		}
		m := &matter{doc: in.doc, sub: in.sub, source: key.Source}
		w, err := a.weigh(tx, m, policy.StageSubmit)
		if err != nil {
			return err
		}
		r := w.result
		out = &countersign.Evaluation{Outcome: r.Outcome, Requirement: r.Requirement, Reasons: r.ForRequester, Findings: r.Findings, Digest: in.digest,
			PolicyDigest: countersign.Digest(w.stored.Digest), PolicyVersion: w.stored.Version, WaitsFor: r.Waiting, Satisfiable: true}
		if out.Reasons == nil {
			out.Reasons = []countersign.Reason{}
		}
		if r.Refusal != "" {
			return countersign.NewProblem(countersign.CodeInvalid, "%s", r.Refusal)
		}
		if r.Outcome != countersign.OutcomeStepUp {
			return nil
		}
		state, err := a.openState(tx, m, w, approval.Submitted{ID: "req_evaluate", Org: tx.Org(), Source: key.Source, Kind: in.doc.Kind, Digest: in.digest, Now: tx.Now()})
		if err != nil {
			return err
		}
		out.Satisfiable = state.Status != countersign.StatusUnsatisfiable
		return nil
	})
	return out, fault(err)
}

// MayAudit refuses whoever may not read the log's entries.
func (a *Authority) MayAudit(ctx context.Context, c Caller) error {
	if c.Key != nil {
		return c.Key.need(authn.ScopeAudit)
	}
	if c.Session == nil {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "who is asking is not known")
	}
	return a.member(ctx, *c.Session, GroupAuditors, GroupControllers, GroupAdministrators)
}

// LoggedEntry is one entry of the log as it goes over the wire.
type LoggedEntry struct {
	Index    int64                          `json:"index"`
	ID       string                         `json:"id"`
	Leaf     string                         `json:"leaf"` // exact bytes
	Openings map[string]countersign.Opening `json:"openings"`
}

// LogEntries reads entries from an index on, with those openings that were not
// erased.
func (a *Authority) LogEntries(ctx context.Context, c Caller, from int64, limit int) (countersign.Page[LoggedEntry], error) {
	page := countersign.Page[LoggedEntry]{Items: []LoggedEntry{}}
	if err := a.MayAudit(ctx, c); err != nil {
		return page, err
	}
	if limit <= 0 || limit > 500 {
		limit = 100
	}
	head, err := a.publisher.Last()
	if err != nil {
		return page, fault(err)
	}
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		page.Items = page.Items[:0]
		rows, err := tx.Entries(from, limit)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Index >= head.Tree.N { // only what is published
				return nil
			}
			openings, err := tx.Openings(r.ID)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, LoggedEntry{Index: r.Index, ID: r.ID, Leaf: string(r.Leaf), Openings: openings})
		}
		if n := len(page.Items); n == limit && page.Items[n-1].Index+1 < head.Tree.N {
			page.Next = strconv.FormatInt(page.Items[n-1].Index+1, 10)
		}
		return nil
	})
	return page, fault(err)
}

// LogTile reads a tile of the published tree (C2SP tlog-tiles): width hashes.
func (a *Authority) LogTile(ctx context.Context, c Caller, k audit.TileKey, width int) ([]byte, error) {
	if err := a.MayAudit(ctx, c); err != nil {
		return nil, err
	}
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	data, err := a.db.Tiles(ctx, head.Tree.N)(k)
	if err != nil || len(data) < width*tlog.HashSize {
		return nil, notFound().WithCause(err)
	}
	return data[:width*tlog.HashSize], nil
}

// LogEntryTile reads a tile of published entries (C2SP tlog-tiles): width leaves, each
// after two bytes of its length.
func (a *Authority) LogEntryTile(ctx context.Context, c Caller, index int64, width int) ([]byte, error) {
	if err := a.MayAudit(ctx, c); err != nil {
		return nil, err
	}
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	from := index * audit.TileWidth
	if from+int64(width) > head.Tree.N {
		return nil, notFound()
	}
	var data []byte
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		data = nil
		rows, err := tx.Entries(from, width)
		if err != nil {
			return err
		}
		if len(rows) < width {
			return notFound()
		}
		for _, r := range rows {
			data = binary.BigEndian.AppendUint16(data, uint16(len(r.Leaf)))
			data = append(data, r.Leaf...)
		}
		return nil
	})
	return data, fault(err)
}

// LogProof proves that an entry is in the published tree, as c2sp.org/tlog-proof@v1.
func (a *Authority) LogProof(ctx context.Context, c Caller, index int64) (string, error) {
	if err := a.MayAudit(ctx, c); err != nil {
		return "", err
	}
	head, err := a.publisher.Last()
	if err != nil {
		return "", fault(err)
	}
	if index < 0 || index >= head.Tree.N {
		return "", notFound()
	}
	path, err := audit.InclusionProof(head.Tree.N, index, a.db.Tiles(ctx, head.Tree.N))
	if err != nil {
		return "", fault(err)
	}
	return audit.FormatProof(index, path, head.Checkpoint), nil
}

// LogConsistency proves that the published tree has grown out of one of old entries
// (RFC 6962 §2.1.2).
func (a *Authority) LogConsistency(ctx context.Context, c Caller, old int64) (checkpoint []byte, path []tlog.Hash, err error) {
	if err := a.MayAudit(ctx, c); err != nil {
		return nil, nil, err
	}
	head, err := a.publisher.Last()
	if err != nil {
		return nil, nil, fault(err)
	}
	if old < 1 || old > head.Tree.N {
		return nil, nil, countersign.NewProblem(countersign.CodeNotFound, "the published tree has %d entries", head.Tree.N)
	}
	path, err = audit.ConsistencyProof(old, head.Tree.N, a.db.Tiles(ctx, head.Tree.N))
	return head.Checkpoint, path, fault(err)
}
