package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// presented is a document as a caller presents it for a check or a release. It may
// be anything: it is only compared.
func presented(raw json.RawMessage) ([]byte, countersign.Digest, error) {
	if len(raw) == 0 {
		return nil, "", countersign.Invalid(countersign.FieldError{Pointer: "/document", Detail: "required: the document as it stands now, whole"})
	}
	canonical, err := countersign.Canonicalize(raw)
	if err != nil {
		return nil, "", countersign.NewProblem(countersign.CodeMalformed, "/document: %v", err)
	}
	return canonical, countersign.SumBytes(canonical), nil
}

// Check says what a release would say now. It changes nothing and may be asked any
// number of times (ruling 25).
func (a *Authority) Check(ctx context.Context, key Key, body countersign.ReleaseBody) (*countersign.CheckAnswer, error) {
	if err := key.need(authn.ScopeRelease); err != nil {
		return nil, err
	}
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	document, digest, err := presented(body.Document)
	if err != nil {
		return nil, err
	}
	var out *countersign.CheckAnswer
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		r := &releasing{a: a, key: key, document: document, digest: digest, body: body}
		if err := r.load(tx); err != nil {
			return err
		}
		if r.state.Status != countersign.StatusApproved { // of an approved one the objections say it
			r.asOf(tx.Now())
		}
		objections, err := approval.CheckRelease(r.state, r.standing)
		if err != nil {
			return err
		}
		if err := r.refuse(objections); err != nil {
			return err
		}
		out = &countersign.CheckAnswer{Request: r.row.ID, Releasable: true, Status: r.state.Status, NotBefore: stamp(r.state.NotBefore)}
		return nil
	})
	return out, fault(err)
}

// Release answers the caller's last question: may this document, as it stands now,
// be executed? It says yes once (rulings 25 to 28). What is new and tightens sends
// the request back to its approvers; that is committed, and the answer is a problem.
func (a *Authority) Release(ctx context.Context, key Key, body countersign.ReleaseBody) (*countersign.ReleaseAnswer, error) {
	if err := key.need(authn.ScopeRelease); err != nil {
		return nil, err
	}
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	document, digest, err := presented(body.Document)
	if err != nil {
		return nil, err
	}
	r := &releasing{a: a, key: key, document: document, digest: digest, body: body}
	committed, err := r.commit(ctx)
	if err == nil {
		err = r.refused
	}
	if err != nil {
		a.metrics.releases.WithLabelValues("refused").Inc()
		a.recordRefusal(ctx, r, err)
		return nil, fault(a.discovered(ctx, body.Request, err))
	}
	head, err := a.publisher.Settle(ctx, committed)
	if err != nil {
		return nil, fault(countersign.NewProblem(countersign.CodeUnavailable, "the release is not covered by a signed checkpoint yet").
			WithHint("ask again with the same execution id: you get the same answer").WithCause(err))
	}
	a.metrics.releases.WithLabelValues("released").Inc()
	receipt, err := a.waitingReceipt(ctx, &r.caseFile, head)
	if err != nil {
		return nil, fault(err)
	}
	out := r.answer()
	out.Receipt = receipt.Bytes()
	return out, nil
}

// commit releases, or commits what a refusal leaves behind. Where the request was
// approved anew between the proof and the transaction, both are done again.
func (r *releasing) commit(ctx context.Context) (committed store.Committed, err error) {
	const races = 5
	for range races {
		if r.proven, err = r.a.proven(ctx, r.key, r.body.Request); err != nil {
			return committed, err
		}
		if committed, err = r.a.db.Write(ctx, r.write); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return committed, err
}

// releasing is one call of Check or Release.
type releasing struct {
	a        *Authority
	key      Key
	document []byte
	digest   countersign.Digest
	body     countersign.ReleaseBody
	proven   int64 // version of the approval whose receipt was verified

	// of the transaction, set anew whenever it runs
	caseFile
	matter   *matter
	weighing *weighing // of now, where the request is approved
	standing approval.Standing
	refused  error
}

func (r *releasing) answer() *countersign.ReleaseAnswer {
	l := r.state.Lease
	return &countersign.ReleaseAnswer{Request: r.row.ID, Status: r.state.Status, Digest: r.state.Digest, Lease: l.ID, State: string(l.Outcome),
		Execution: l.Execution, ExpiresAt: stamp(l.Expires)}
}

// load reads the request and everything that could stand against its release.
func (r *releasing) load(tx *store.Tx) error {
	r.caseFile, r.refused = caseFile{}, nil
	if err := tx.Ahead(func() { tx.Approval(r.body.Request); tx.FactsGen() }); err != nil {
		return err
	}
	row, err := tx.Approval(r.body.Request)
	if errors.Is(err, store.ErrNotFound) || (err == nil && row.Source != r.key.Source) {
		return countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
	} else if err != nil {
		return err
	}
	if err := r.caseFile.load(tx, row); err != nil {
		return r.a.tampered(tx, row, err)
	}
	if len(row.Document) == 0 {
		return countersign.NewProblem(countersign.CodeGone, "the request was erased")
	}
	if r.matter, err = r.caseFile.matter(); err != nil {
		return err
	}
	return r.stand(tx)
}

// stand reads what stands at the moment of release (ruling 27): only what can
// tighten. What is required is what stands; it is weighed again only when something
// new is found, so that later requests of the same vendor do not pull back earlier
// ones.
func (r *releasing) stand(tx *store.Tx) error {
	s := r.state
	r.standing = approval.Standing{Source: r.key.Source, Digest: r.digest, Requirement: s.Requirement, PolicyDigest: s.PolicyDigest, Now: tx.Now()}
	if s.Status != countersign.StatusApproved {
		return nil
	}
	var err error
	if r.weighing, err = r.a.weigh(tx, r.matter, policy.StageSubmit); err != nil {
		return err
	}
	for _, al := range r.matter.facts.Alerts {
		r.standing.Alerts = append(r.standing.Alerts, approval.Alert{ID: al.ID, Sentence: al.Kind, Raised: al.Raised})
	}
	for _, z := range r.matter.facts.Freezes {
		r.standing.Freezes = append(r.standing.Freezes, approval.Freeze{ID: z.ID, Subject: z.About, Ends: z.Until})
	}
	if f := &r.matter.facts; pays(r.matter.doc) {
		r.bankChanges(f.Vendor, f.BankChanges)
		for i := range f.Payments {
			r.bankChanges(f.Payments[i].Vendor, f.Payments[i].BankChanges)
		}
	}
	if err := r.people(tx); err != nil {
		return err
	}
	objections, err := approval.CheckRelease(s, r.standing)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(objections, func(o approval.Objection) bool { return o.Back }) {
		return nil
	}
	return r.tighten(tx)
}

// tighten finds what is required of a request that goes back: what the policy says
// of the document and of everybody who signed, as things stand now. Where the policy
// denies now, the request still waits: as long as it denies, nobody is eligible, and
// when that passes people must have looked (ruling 27).
func (r *releasing) tighten(tx *store.Tx) error {
	w := r.weighing
	need := w.result.Requirement
	of := r.a.dossier(tx, &r.caseFile)
	for _, d := range r.state.Decisions {
		if !d.Stands() {
			continue
		}
		theirs, err := of.weigh(d.Person, d.ActingFor)
		if err != nil {
			return err
		}
		if theirs != nil && theirs.Outcome == countersign.OutcomeStepUp {
			need = need.Merge(*theirs)
		}
	}
	if need.Outcome != countersign.OutcomeStepUp {
		// The policy has no rule for it, or only denies, but people must look: the
		// default group.
		need.Outcome = countersign.OutcomeAllow
		need = need.Merge(w.version.Fallback())
	}
	need.Reason = true // whoever signs it now says why it is right in spite of that
	r.standing.Requirement, r.standing.PolicyDigest = need, countersign.Digest(w.stored.Digest)
	var err error
	r.standing.Candidates, err = r.a.candidates(tx, r.row.Kind, r.state.Requirement.Merge(need), r.row.Nominated)
	return err
}

// bankChanges adds the changes of the bank details of somebody who is paid, each once:
// that one line pays the new account says more than that another pays the old one.
func (r *releasing) bankChanges(v *signal.Vendor, changes []signal.BankChange) {
	for _, b := range changes {
		is := approval.BankChange{Request: b.Request, ToNew: v != nil && b.To != "" && b.To == v.Fingerprint, Since: b.At}
		at := slices.IndexFunc(r.standing.BankChanges, func(o approval.BankChange) bool { return o.Request == is.Request })
		if at < 0 {
			r.standing.BankChanges = append(r.standing.BankChanges, is)
		} else if is.ToNew {
			r.standing.BankChanges[at].ToNew = true
		}
	}
}

// signers are the people whose decisions stand, those they acted for, and what they signed
// with.
func (r *releasing) signers() (people, factors []string) {
	for _, d := range r.state.Decisions {
		if !d.Stands() {
			continue
		}
		people = append(people, d.Person)
		if d.ActingFor != "" {
			people = append(people, d.ActingFor)
		}
		factors = append(factors, d.Authenticators...)
	}
	return people, factors
}

// people finds approvers who are no longer active, factors that were reported, and
// alerts and freezes about whoever approved.
func (r *releasing) people(tx *store.Tx) error {
	about, factors := r.signers()
	if len(about) == 0 {
		return nil
	}
	if err := tx.Ahead(func() {
		for _, id := range about {
			tx.Person(id)
		}
		for _, id := range factors {
			tx.Authenticator(id)
		}
		tx.OpenAlerts(about)
		tx.Freezes(about)
	}); err != nil {
		return err
	}
	for _, d := range r.state.Decisions {
		if !d.Stands() {
			continue
		}
		for _, id := range []string{d.Person, d.ActingFor} {
			if id == "" {
				continue
			}
			p, err := tx.Person(id)
			if err != nil {
				return err
			}
			if !p.Active {
				r.standing.Inactive = append(r.standing.Inactive, id)
			}
		}
		for _, f := range d.Authenticators {
			row, err := tx.Authenticator(f)
			if err != nil {
				return err
			}
			if !row.Reported.IsZero() { // by its owner, or by whoever reset the person's factors
				r.standing.Reported = append(r.standing.Reported, f)
			}
		}
	}
	alerts, err := tx.OpenAlerts(about)
	if err != nil {
		return err
	}
	for _, al := range alerts {
		r.standing.Alerts = append(r.standing.Alerts, approval.Alert{ID: al.ID, Sentence: al.Title, Raised: al.Raised})
	}
	freezes, err := tx.Freezes(about)
	if err != nil {
		return err
	}
	for _, z := range freezes {
		r.standing.Freezes = append(r.standing.Freezes, approval.Freeze{ID: z.ID, Subject: z.About, Ends: z.Expires})
	}
	return nil
}

// refuse turns objections into the problem that a check answers with.
func (r *releasing) refuse(objections []approval.Objection) error {
	if len(objections) == 0 {
		return nil
	}
	if i := slices.IndexFunc(objections, func(o approval.Objection) bool { return o.Code == approval.ObjectionDigest }); i >= 0 {
		return r.differs()
	}
	code := countersign.CodeNotReleasable
	p := countersign.NewProblem(code, "%s", objections[0].Sentence)
	for _, o := range objections {
		p.Reasons = append(p.Reasons, countersign.Reason{Rule: o.Code, State: countersign.True, Sentence: o.Sentence, Effect: countersign.OutcomeStepUp})
	}
	return p
}

// differs names the fields in which the document that was presented is not the one
// that was approved. The source that asks submitted it, so it may see both.
func (r *releasing) differs() error {
	diff, err := countersign.Compare(r.row.Document, r.document)
	if err != nil {
		return err
	}
	p := countersign.NewProblem(countersign.CodeChanged, "the document is not the one that was approved").
		WithHint("submit the changed document as a new revision")
	p.Differences = diff
	return p
}

func (r *releasing) write(tx *store.Tx) error {
	if err := r.load(tx); err != nil {
		return err
	}
	if !r.digest.Equal(r.state.Digest) {
		return r.differs()
	}
	at, err := r.a.current(tx)
	if err != nil {
		return err
	}
	before := r.state
	if before.Status == countersign.StatusApproved && before.Requirement.Outcome == countersign.OutcomeStepUp && before.Version != r.proven {
		return store.ErrConflict // it was approved anew meanwhile
	}
	next, err := approval.Release(before, approval.Releasing{Standing: r.standing, Execution: r.body.Execution,
		Lease: countersign.NewID(countersign.PrefixLease, tx.Now()), For: at.settings.lease(), Confirm: r.body.Confirm})
	if err != nil {
		r.refused = err
		if next.Version == before.Version {
			return err
		}
		return r.sendBack(tx, next)
	}
	if next.Version == before.Version {
		return nil // the same execution again: the same answer
	}
	facts := map[string]string{"lease": next.Lease.ID, "requirement_digest": string(next.RequirementDigest), "policy_digest": string(next.PolicyDigest)}
	detail, err := countersign.Canonical(map[string]string{"execution": next.Lease.Execution, "outcome": string(next.Lease.Outcome), "digest": string(r.digest)})
	if err != nil {
		return err
	}
	if _, err := r.a.advance(tx, &r.row, before, next, entry{typ: countersign.EntryRequestReleased, actor: r.key.ID, facts: facts,
		openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
		return err
	}
	r.state = next
	return r.a.becameHistory(tx, r.row, r.matter)
}

// sendBack stores what a refused release leaves behind: the request waits again
// under the stricter requirement, or has expired, or is revoked.
func (r *releasing) sendBack(tx *store.Tx, next approval.State) error {
	e := entry{typ: countersign.EntryRequestReweighed, actor: r.key.ID}
	if next.Status == countersign.StatusExpired {
		e = entry{typ: countersign.EntryRequestExpired, actor: actorSystem}
		_, err := r.a.advance(tx, &r.row, r.state, next, e)
		return err
	}
	return r.a.reweighed(tx, &r.caseFile, next, newWeighing{r.matter, r.weighing.sentBack(next.Why)}, e)
}

// RuleSentBack stands among the reasons, in the place of a rule's name, of a request that
// its release sent back: what was new against it then.
const RuleSentBack = "sent-back"

// sentBack is the weighing with why the release sent the request back, before the rules
// that counted: whoever decides again must know what is new. Who asked may be whom it is
// about, and is told only that something is.
func (w *weighing) sentBack(why string) *weighing {
	told := *w
	reason := func(sentence string, rest []countersign.Reason) []countersign.Reason {
		return append([]countersign.Reason{{Rule: RuleSentBack, State: countersign.True, Sentence: sentence, Effect: countersign.OutcomeStepUp}}, rest...)
	}
	told.result.Reasons = reason("sent back by its release: "+why, w.result.Reasons)
	told.result.ForRequester = reason("sent back by its release: something new stands against it", w.result.ForRequester)
	return &told
}

// ConfirmRelease records that the caller executed what was released.
func (a *Authority) ConfirmRelease(ctx context.Context, key Key, request, execution string) (*countersign.ReleaseAnswer, error) {
	return a.settleRelease(ctx, key, request, execution, approval.Confirm, countersign.EntryReleaseConfirmed)
}

// AbandonRelease records that the caller did not execute it and will not.
func (a *Authority) AbandonRelease(ctx context.Context, key Key, request, execution string) (*countersign.ReleaseAnswer, error) {
	return a.settleRelease(ctx, key, request, execution, approval.Abandon, countersign.EntryReleaseAbandoned)
}

func (a *Authority) settleRelease(ctx context.Context, key Key, request, execution string,
	verb func(approval.State, approval.Settling) (approval.State, error), typ countersign.EntryType) (*countersign.ReleaseAnswer, error) {
	if err := key.need(authn.ScopeRelease); err != nil {
		return nil, err
	}
	r := &releasing{a: a, key: key}
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Approval(request)
		if errors.Is(err, store.ErrNotFound) || (err == nil && row.Source != key.Source) {
			return countersign.NewProblem(countersign.CodeNotFound, "there is no such request")
		} else if err != nil {
			return err
		}
		if err := r.caseFile.load(tx, row); err != nil {
			return a.tampered(tx, row, err)
		}
		next, err := verb(r.state, approval.Settling{Source: key.Source, Execution: execution, Now: tx.Now()})
		if err != nil || next.Version == r.state.Version {
			return err
		}
		_, err = a.advance(tx, &r.row, r.state, next, entry{typ: typ, actor: key.ID, facts: map[string]string{"lease": next.Lease.ID}})
		r.state = next
		return err
	})
	if err != nil {
		return nil, fault(err)
	}
	return r.answer(), nil
}
