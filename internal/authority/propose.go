package authority

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// Proposal is a change to Countersign itself. It becomes a request like any other:
// the change is the document, and other people decide on it (ruling 39).
type Proposal struct {
	Kind    string               `json:"kind"`
	ID      string               `json:"id"`      // what is changed: a person, a freeze, an alert, a vendor, a request, "policy", "settings"
	Subject string               `json:"subject"` // why
	Changes []countersign.Change `json:"changes,omitempty"`
}

// Propose opens the request for a change to Countersign itself. While the
// organisation is founding, a single administrator's proposal is carried out at once,
// stamped as founding; afterwards others must decide.
func (a *Authority) Propose(ctx context.Context, s Session, p Proposal) (*countersign.Approval, error) {
	kind := changes[p.Kind]
	if kind == nil {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/kind", Detail: "is no change to Countersign that is known"})
	}
	if err := a.mayPropose(ctx, s, kind); err != nil {
		return nil, err
	}
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	var c caseFile
	var v viewer
	committed, err := a.db.Write(ctx, func(tx *store.Tx) (err error) {
		c = caseFile{}
		if v, err = viewerOf(tx, s); err != nil {
			return err
		}
		return a.propose(tx, &c, s, p, kind)
	})
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.answer(ctx, &c, committed, v)
	return out, fault(err)
}

func (a *Authority) mayPropose(ctx context.Context, s Session, kind *change) error {
	if kind.proposers == whoeverCheckLets {
		return s.browse()
	}
	return a.member(ctx, s, kind.groups...)
}

func (a *Authority) propose(tx *store.Tx, c *caseFile, s Session, p Proposal, kind *change) error {
	at, err := a.current(tx)
	if err != nil {
		return err
	}
	if err := mayFound(tx, at, s.Person.ID); err != nil {
		return err
	}
	doc, err := kind.document(tx, s, p)
	if err != nil {
		return err
	}

	canonical, err := countersign.Canonical(doc)
	if err != nil {
		return err
	}
	m := &matter{doc: doc, sub: &countersign.Submission{Channel: "ui"}, source: store.InternalSource}
	if err := kind.check(a, tx, doc); err != nil {
		return err
	}
	stored, v, err := a.policyNow(tx, at)
	if err != nil {
		return err
	}
	w := &weighing{stored: stored, version: v, gen: at.gen, result: a.required(tx, m, s, kind, at.founding)}
	id := countersign.NewID(countersign.PrefixRequest, tx.Now())
	state, err := a.openState(tx, m, w, approval.Submitted{ID: id, Org: tx.Org(), Source: store.InternalSource, Kind: p.Kind,
		Digest: countersign.SumBytes(canonical), Now: tx.Now()})
	if err != nil {
		return err
	}
	sub, err := countersign.Canonical(m.sub)
	if err != nil {
		return err
	}
	row := &store.Approval{ID: id, Source: store.InternalSource, Kind: p.Kind, Object: p.ID, Revision: doc.Revision, Digest: state.Digest, Document: canonical,
		Submission: string(sub), KeyID: "", Requester: s.Person.ID, Created: tx.Now()}
	if err := a.writeNew(tx, c, row, state, w, newCase{matter: m, actor: s.Person.ID, founding: at.founding}); err != nil {
		return err
	}
	if state.Status == countersign.StatusApproved {
		return a.apply(tx, c, s.Person.ID)
	}
	return nil
}

// document is the change as a document: what is proposed, completed by what is now and by
// the names of what it is about.
func (k *change) document(tx *store.Tx, s Session, p Proposal) (*countersign.Document, error) {
	doc := &countersign.Document{Kind: p.Kind, ID: p.ID, Revision: tx.Now().UTC().Format("20060102T150405.000000Z"),
		Subject: p.Subject, Changes: p.Changes, Requester: &countersign.Party{Type: "person", ID: s.Person.ID, Name: s.Person.Name}}
	if k.deciders == twoPeople {
		// Nobody counts as having asked: whoever proposes signs as one of the two.
		doc.Requester = &countersign.Party{Type: "service", ID: store.InternalSource}
		doc.Custom = map[string]string{"proposed_by": s.Person.ID}
	}

	if err := k.fields(tx, doc); err != nil {
		return nil, err
	}
	if err := k.from(tx, doc); err != nil {
		return nil, err
	}
	if err := k.spellOut(tx, doc, s.Person.Name); err != nil {
		return nil, err
	}
	return doc, doc.Validate("/")
}

// required says what a change needs. It does not come from the policy, which is
// itself among what is changed.
func (a *Authority) required(tx *store.Tx, m *matter, s Session, kind *change, founding bool) policy.Result {
	m.facts = signal.Facts{Now: tx.Now(), Source: m.source, Document: m.doc, Submission: m.sub}
	if kind.deciders == secondPerson {
		m.facts.Requester = &signal.Person{ID: s.Person.ID, Name: s.Person.Name, Type: "person", Manager: &s.Person.Manager}
		m.requester = s.Person.ID
	}
	if founding {
		return policy.Result{Outcome: countersign.OutcomeAllow, Requirement: countersign.Requirement{Outcome: countersign.OutcomeAllow},
			Reasons: []countersign.Reason{{Rule: "founding", State: countersign.True, Effect: countersign.OutcomeAllow,
				Sentence: "the organisation has fewer than two administrators yet: one of them is enough"}}}
	}
	n, sentence := 1, "a change to Countersign itself needs a second person"
	if kind.deciders == twoPeople {
		n, sentence = 2, "this needs two people"
	}
	r := countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: kind.assurance, MaxAge: 900,
		Clauses: []countersign.Clause{{Count: n, From: slices.Sorted(slices.Values(kind.groups))}}}
	return policy.Result{Outcome: r.Outcome, Requirement: r,
		Reasons: []countersign.Reason{{Rule: "change-to-countersign", State: countersign.True, Effect: countersign.OutcomeStepUp, Sentence: sentence}}}
}

const fieldUntil = "until"

// apply carries an approved change out, in the transaction that approved it.
func (a *Authority) apply(tx *store.Tx, c *caseFile, actor string) error {
	m, err := c.matter()
	if err != nil {
		return err
	}
	kind := changes[m.doc.Kind]
	if kind == nil {
		return fmt.Errorf("nothing is known to do for %s", m.doc.Kind)
	}
	if err := decidedByOthers(tx, c, m.doc); err != nil {
		return err
	}
	if err := kind.still(tx, m.doc); err != nil {
		return err
	}
	return kind.apply(a, tx, agreed{doc: m.doc, request: c.row.ID, actor: actor})
}
