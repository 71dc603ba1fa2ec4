package authority

import (
	"context"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// AuditPage is a page of log entries, and beside it one of them where one was chosen.
type AuditPage struct {
	EntryTable
	People     []countersign.Principal // whom the entries can be narrowed to
	Entry      *EntryView              // nil where none was chosen
	Submitted  *LoggedEntry            // the submission of the request that the chosen entry is about; nil for none
	Checkpoint []byte                  // signed note under which all of it stands; nil before the first
}

// mostNarrowed bounds the people whom the log can be narrowed to.
const mostNarrowed = 200

// AuditPage reads it for whoever may audit. Entry is the index of the chosen entry, or nil.
func (a *Authority) AuditPage(ctx context.Context, s Session, f EntryFilter, p TablePage, entry *int64) (*AuditPage, error) {
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	return look(ctx, a, s, func(r *reading) (*AuditPage, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		out := &AuditPage{Checkpoint: head.Checkpoint}
		if entry != nil {
			if out.Entry, err = r.entry(head, *entry); err != nil {
				return nil, err
			}
			if q := out.Entry.Request; q != nil {
				if out.Submitted, err = r.submission(head, q.ID); err != nil {
					return nil, err
				}
			}
		}
		table, err := r.entries(head, f, p)
		if err != nil {
			return nil, err
		}
		out.EntryTable = *table
		people, err := r.tx.People("", mostNarrowed)
		for _, p := range people {
			out.People = append(out.People, countersign.Principal{ID: p.ID, Name: p.Name})
		}
		return out, err
	})
}

// submission is the published entry by which a request was submitted; nil for none.
func (r *reading) submission(head checkpoint.Head, request string) (*LoggedEntry, error) {
	found, err := logAbout(r.tx, head, request, countersign.EntryRequestSubmitted)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// ProvenEntry is an entry with its way to the checkpoint.
type ProvenEntry struct {
	LoggedEntry
	Proof string // c2sp.org/tlog-proof@v1
}

// LogProofs is what one checkpoint proves.
type LogProofs struct {
	Checkpoint []byte
	Entry      *ProvenEntry // nil where none was asked for
	Submission *ProvenEntry // of a decision: the submission of what was decided on
	Enrolment  *ProvenEntry // of a decision: the enrolment of the passkey that signed
	Growth     []tlog.Hash  // RFC 6962 §2.1.2, where Grown
	Grown      bool
}

// LogProofs proves an entry, if one is named, and that the tree has grown out of one of
// so many entries, where it has. All of it stands under one checkpoint.
func (a *Authority) LogProofs(ctx context.Context, s Session, entry *int64, since int64) (*LogProofs, error) {
	head, err := a.publisher.Last()
	if err != nil {
		return nil, fault(err)
	}
	if head.Checkpoint == nil {
		return nil, notFound()
	}
	return look(ctx, a, s, func(r *reading) (*LogProofs, error) {
		if err := r.register(); err != nil {
			return nil, err
		}
		out := &LogProofs{Checkpoint: head.Checkpoint}
		if entry != nil {
			e, err := r.logged(head, *entry)
			if err != nil {
				return nil, err
			}
			if out.Entry, err = r.proven(head, *e); err != nil {
				return nil, err
			}
			if err := r.behind(head, out); err != nil {
				return nil, err
			}
		}
		if since < 1 || since > head.Tree.N {
			return out, nil
		}
		out.Growth, err = audit.ConsistencyProof(since, head.Tree.N, a.db.TilesIn(r.tx, head.Tree.N))
		out.Grown = err == nil
		return out, err
	})
}

// logged reads a published entry.
func (r *reading) logged(head checkpoint.Head, index int64) (*LoggedEntry, error) {
	if index < 0 || index >= head.Tree.N {
		return nil, notFound()
	}
	rows, err := r.tx.Entries(index, 1)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || rows[0].Index != index {
		return nil, notFound()
	}
	openings, err := r.tx.Openings(rows[0].ID)
	return &LoggedEntry{Index: index, ID: rows[0].ID, Leaf: string(rows[0].Leaf), Openings: openings}, err
}

func (r *reading) proven(head checkpoint.Head, e LoggedEntry) (*ProvenEntry, error) {
	path, err := audit.InclusionProof(head.Tree.N, e.Index, r.a.db.TilesIn(r.tx, head.Tree.N))
	if err != nil {
		return nil, err
	}
	return &ProvenEntry{e, audit.FormatProof(e.Index, path, head.Checkpoint)}, nil
}

// behind adds, to a decision, what it was about and which key signed it.
func (r *reading) behind(head checkpoint.Head, out *LogProofs) error {
	leaf, err := countersign.ParseLeaf([]byte(out.Entry.Leaf))
	if err != nil || leaf.Type != countersign.EntryDecisionMade {
		return err
	}
	submitted, err := r.submission(head, leaf.Subject)
	if err != nil || submitted == nil {
		return err
	}
	if out.Submission, err = r.proven(head, *submitted); err != nil {
		return err
	}
	key := passkeyThatSigned(out.Entry.Openings)
	if key == "" {
		return nil
	}
	enrolled, err := logAbout(r.tx, head, leaf.Actor, countersign.EntryAuthenticatorEnrolled)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(enrolled, func(e LoggedEntry) bool {
		l, err := countersign.ParseLeaf([]byte(e.Leaf))
		return err == nil && l.Facts["authenticator"] == key
	})
	if at >= 0 {
		out.Enrolment, err = r.proven(head, enrolled[at])
	}
	return err
}

// passkeyThatSigned is the authenticator that a decision was signed with; "" without one,
// or where it was erased.
func passkeyThatSigned(openings map[string]countersign.Opening) string {
	var d countersign.Decision
	o, ok := openings[countersign.OpeningDecision]
	if !ok || countersign.DecodeStrict([]byte(o.Value), &d) != nil || d.Evidence.Passkey == nil {
		return ""
	}
	return d.Evidence.Passkey.Authenticator
}

// principalsOf names whoever acted: people and keys. Nobody of an id is shown by the id
// alone.
func (r *reading) principalsOf(actors []string) (map[string]string, error) {
	var people, keys []string
	for _, id := range unique(actors) {
		switch {
		case countersign.IsID(countersign.PrefixPerson, id):
			people = append(people, id)
		case countersign.IsID(countersign.PrefixKey, id):
			keys = append(keys, id)
		}
	}
	persons, err := r.tx.PeopleByID(people)
	if err != nil {
		return nil, err
	}
	made, err := r.tx.KeysByID(keys)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for id, p := range persons {
		out[id] = p.Name
	}
	for id, k := range made {
		out[id] = k.Name
	}
	return out, nil
}

// entry reads one published entry with its proof.
func (r *reading) entry(head checkpoint.Head, index int64) (*EntryView, error) {
	e, err := r.logged(head, index)
	if err != nil {
		return nil, err
	}
	proven, err := r.proven(head, *e)
	if err != nil {
		return nil, err
	}
	rows, err := r.entryRows([]store.Entry{{ID: e.ID, Index: index, Leaf: []byte(e.Leaf)}})
	if err != nil {
		return nil, err
	}
	out := &EntryView{EntryRow: rows[0], Leaf: []byte(e.Leaf), Openings: e.Openings, Proof: proven.Proof, Checkpoint: head.Checkpoint, Verifiers: r.a.Verifiers()}
	out.Receipt = out.Request != nil && !out.Request.Tampered && out.Request.Status != countersign.StatusPending && out.Request.Status != countersign.StatusUnsatisfiable
	return out, nil
}
