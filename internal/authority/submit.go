package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// Submitted is the answer to a submission.
type Submitted struct {
	Approval *countersign.Approval
	Created  bool // false: the same request was there already
}

// Submit takes a document in, weighs it and opens its approval (life of a request,
// step 2). The same document again is the same request. The answer is "approved",
// with a receipt, only when its log entry is covered by a published checkpoint;
// where that takes too long it is "pending", and asking again gives the answer.
func (a *Authority) Submit(ctx context.Context, key Key, body countersign.RequestBody) (*Submitted, error) {
	return a.SubmitParsed(ctx, key, Parsed{RequestBody: body})
}

// SubmitParsed is [Authority.Submit] of a body that was parsed already.
func (a *Authority) SubmitParsed(ctx context.Context, key Key, body Parsed) (*Submitted, error) {
	if err := key.need(authn.ScopeSubmit); err != nil {
		return nil, err
	}
	if err := a.clock.check(ctx, a.db); err != nil {
		return nil, err
	}
	s := &submission{a: a, key: key}
	if err := a.db.Read(ctx, func(tx *store.Tx) error { return s.prepare(tx, body) }); err != nil {
		return nil, fault(err)
	}
	committed, err := a.db.Write(ctx, s.write)
	if err != nil {
		return nil, fault(err)
	}
	out, err := a.answer(ctx, &s.caseFile, committed, key.viewer())
	if err != nil {
		return nil, fault(err)
	}
	a.metrics.submitted(s.row.Status, s.created)
	out.HandOverURL = s.handOver
	return &Submitted{out, s.created}, nil
}

// submission carries one call of Submit over its two transactions: what can be read
// and weighed beforehand is, so that the one writer does as little as possible.
type submission struct {
	a   *Authority
	key Key

	in      *intake
	at      *settingsAt
	matter  *matter
	weighed *weighing
	subText []byte // the submission's canonical bytes

	// of the write, set anew whenever it runs
	caseFile
	created  bool
	handOver string
	attempt  int64 // of this revision, where an earlier one ended
}

func (s *submission) prepare(tx *store.Tx, body Parsed) (err error) {
	if s.at, err = s.a.current(tx); err != nil {
		return err
	}
	if s.in, err = s.a.read(body, s.at.settings.Kinds); err != nil {
		return err
	}
	if err := s.key.allows(s.in.sub); err != nil {
		return err
	}
	s.matter = &matter{doc: s.in.doc, sub: s.in.sub, source: s.key.Source, ahead: true}
	if s.weighed, err = s.a.weighAt(tx, s.matter, policy.StageSubmit, s.at); err != nil {
		return err
	}
	if s.subText, err = countersign.Canonical(s.in.sub); err != nil {
		return err
	}
	return s.weighed.ready(s.matter, s.texts())
}

// texts are the openings of a submission beside what it was weighed to.
func (s *submission) texts() map[string][]byte {
	return map[string][]byte{countersign.OpeningDocument: s.in.canonical, countersign.OpeningSubmission: s.subText}
}

// allows refuses parts of a submission that the key has no scope for.
func (k Key) allows(sub *countersign.Submission) error {
	if sub.Vouch != nil {
		if err := k.need(authn.ScopeVouch); err != nil {
			return err
		}
	}
	if sub.ReturnURL != "" {
		u, err := url.Parse(sub.ReturnURL)
		if err != nil || !slices.Contains(k.Returns, u.Scheme+"://"+u.Host) {
			return countersign.Invalid(countersign.FieldError{Pointer: "/submission/return_url", Detail: "this key may not send people there; its allowed origins are set when the key is made"})
		}
	}
	return nil
}

// write runs inside the transaction that writes the request.
func (s *submission) write(tx *store.Tx) error {
	s.caseFile, s.created, s.handOver, s.attempt = caseFile{}, false, "", 0
	if err := s.ahead(tx); err != nil {
		return err
	}
	found, err := s.earlier(tx)
	if err != nil {
		return err
	}
	earlier := found.Requests
	known, err := s.known(tx, earlier)
	if known || err != nil {
		return err
	}
	if err := s.notTooOften(tx, earlier); err != nil {
		return err
	}
	w, err := s.weigh(tx, found)
	if err != nil {
		return err
	}
	if w.result.Refusal != "" {
		return countersign.NewProblem(countersign.CodeInvalid, "%s", w.result.Refusal).
			WithHint("nominate an approver in submission.approver, or set approvers.default in the policy")
	}
	follows, err := s.place(tx, earlier)
	if err != nil {
		return err
	}
	return s.open(tx, w, follows)
}

// earlier reads what the submission is held against.
func (s *submission) earlier(tx *store.Tx) (store.Earlier, error) {
	return tx.EarlierOn(s.key.Source, s.in.doc.Kind, s.in.doc.ID, maxEarlier)
}

// maxEarlier bounds the earlier requests for an object that are looked at.
const maxEarlier = 50

// ahead asks together for what will be read, as things stood a moment ago. It saves
// nothing where the database is in this process and only two questions are asked.
func (s *submission) ahead(tx *store.Tx) error {
	need := s.weighed.result.Requirement
	if s.a.db.Driver() == store.SQLite && need.Outcome == countersign.OutcomeAllow {
		return nil
	}
	return tx.Ahead(func() {
		s.earlier(tx)
		for _, w := range s.matter.windows(tx, s.weighed.version) {
			tx.SumOf(w.query)
		}
		if need.Outcome == countersign.OutcomeStepUp {
			tx.MembersOfAny(groupsAsked(need))
		}
	})
}

// weigh holds what was weighed ahead against what this transaction sees. Where there
// were requests for the object before, it is weighed anew, with their denials.
func (s *submission) weigh(tx *store.Tx, found store.Earlier) (*weighing, error) {
	if len(found.Requests) == 0 {
		return s.a.renew(tx, s.matter, s.weighed, policy.StageSubmit, found.FactsGen)
	}
	s.matter = &matter{doc: s.in.doc, sub: s.in.sub, source: s.key.Source}
	return s.a.weigh(tx, s.matter, policy.StageSubmit)
}

// known answers a document that was submitted before, or refuses other content
// under its revision (ruling 4).
func (s *submission) known(tx *store.Tx, earlier []store.ObjectRequest) (bool, error) {
	if len(earlier) == 0 {
		return false, nil
	}
	row, err := tx.ApprovalOf(s.key.Source, s.in.doc.Kind, s.in.doc.ID, s.in.doc.Revision)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	s.attempt = row.Attempt + 1
	if !row.Digest.Equal(s.in.digest) {
		diff, err := countersign.Compare(row.Document, s.in.canonical)
		if err != nil {
			return false, err
		}
		p := countersign.NewProblem(countersign.CodeChanged, "revision %q of %s %s was submitted with other content (%s)", row.Revision, row.Kind, row.Object, row.ID).
			WithHint("a changed document needs a new revision")
		p.Differences = diff
		return false, p
	}
	if row.Status.Final() && row.Status != countersign.StatusReleased && s.in.sub.Supersedes == row.ID {
		return false, nil // asked for again, after it ended
	}
	return true, s.caseFile.load(tx, row)
}

// notTooOften limits the rate of requests for one object: whoever sends revision
// after revision is probing what passes (ruling 4).
func (s *submission) notTooOften(tx *store.Tx, earlier []store.ObjectRequest) error {
	n, since := 0, tx.Now().Add(-time.Hour)
	for _, e := range earlier {
		if e.Created.After(since) {
			n++
		}
	}
	if n < s.at.settings.objectsPerHour() {
		return nil
	}
	p := countersign.NewProblem(countersign.CodeRateLimited, "%d requests for %s %s in the last hour", n, s.in.doc.Kind, s.in.doc.ID)
	p.RetryAfterSeconds = 3600
	return p
}

// place finds where the new request stands among the earlier ones for the object:
// it supersedes the open one that it names, or follows one that ended.
func (s *submission) place(tx *store.Tx, earlier []store.ObjectRequest) (follows string, err error) {
	named := s.in.sub.Supersedes
	for _, e := range earlier {
		open := !e.Status.Final()
		switch {
		case open && e.ID == named:
			return "", nil // superseded in the same transaction, by open
		case open:
			return "", countersign.NewProblem(countersign.CodeConflict, "revision %q of this object is %s as %s", e.Revision, e.Status, e.ID).
				WithHint("name it in submission.supersedes to replace it, or cancel it")
		case follows == "" && (e.Status == countersign.StatusReleased || e.Status == countersign.StatusDenied || e.ID == named):
			follows = e.ID
		}
	}
	if named != "" && !slices.ContainsFunc(earlier, func(e store.ObjectRequest) bool { return e.ID == named }) {
		return "", countersign.Invalid(countersign.FieldError{Pointer: "/submission/supersedes", Detail: "is no request for this object"})
	}
	return follows, nil
}

// open writes the request: the approval, its entry, what it replaces, the hand-over.
func (s *submission) open(tx *store.Tx, w *weighing, follows string) error {
	id := countersign.NewID(countersign.PrefixRequest, tx.Now())
	supersedes := ""
	if s.in.sub.Supersedes != "" {
		done, err := s.supersede(tx, id)
		if err != nil {
			return err
		}
		if done {
			supersedes = s.in.sub.Supersedes
		}
	}
	state, err := s.a.openState(tx, s.matter, w, approval.Submitted{ID: id, Org: tx.Org(), Source: s.key.Source, Kind: s.in.doc.Kind,
		Digest: s.in.digest, Supersedes: supersedes, Follows: follows, Now: tx.Now()})
	if err != nil {
		return err
	}
	if w.sealed == nil { // weighed anew inside the transaction
		if err := w.ready(s.matter, s.texts()); err != nil {
			return err
		}
	}
	row := &store.Approval{ID: id, Source: s.key.Source, Kind: s.in.doc.Kind, Object: s.in.doc.ID, Revision: s.in.doc.Revision, Attempt: s.attempt,
		Digest: s.in.digest, Document: s.in.canonical, Submission: string(s.subText), KeyID: s.key.ID, Vendor: s.matter.vendor,
		Requester: s.matter.requester, Nominated: s.matter.nominated, Category: s.in.doc.Category, Created: tx.Now()}
	s.amounts(row, w)
	if err := s.a.writeNew(tx, &s.caseFile, row, state, w, newCase{matter: s.matter, actor: s.key.ID, founding: s.at.founding}); err != nil {
		return err
	}
	s.created = true
	if s.in.sub.Vouch != nil && state.Status == countersign.StatusPending {
		return s.vouch(tx, state)
	}
	return nil
}

// amounts copies the amounts into the columns that are summed.
func (s *submission) amounts(row *store.Approval, w *weighing) {
	m, missing := s.matter.facts.Signed()
	if missing != "" {
		return
	}
	row.Currency, row.Minor = m.Currency, m.Minor
	if base, _, missing := s.matter.facts.InBase(m, w.version.Currency()); missing == "" {
		row.BaseCurrency, row.BaseMinor = base.Currency, base.Minor
	}
}

// supersede ends the request that the new one replaces, if it is still open.
func (s *submission) supersede(tx *store.Tx, by string) (bool, error) {
	old, err := tx.Approval(s.in.sub.Supersedes)
	if errors.Is(err, store.ErrNotFound) || (err == nil && (old.Source != s.key.Source || old.Kind != s.in.doc.Kind || old.Object != s.in.doc.ID)) {
		return false, countersign.Invalid(countersign.FieldError{Pointer: "/submission/supersedes", Detail: "is no request for this object"})
	}
	if err != nil {
		return false, err
	}
	if old.Status.Final() {
		return false, nil
	}
	state, err := stateOf(old)
	if err != nil {
		return false, err
	}
	next, err := approval.Supersede(state, approval.Superseding{Source: s.key.Source, By: by, Version: state.Version, Now: tx.Now()})
	if err != nil {
		return false, err
	}
	_, err = s.a.advance(tx, &old, state, next, entry{typ: countersign.EntryRequestSuperseded, actor: s.key.ID, facts: map[string]string{"by": by}})
	return true, err
}

// newCase is what writeNew needs beside the row and the state.
type newCase struct {
	matter   *matter
	actor    string
	founding bool
}

// writeNew writes a new request with its entry and its event, in one round trip.
func (a *Authority) writeNew(tx *store.Tx, c *caseFile, row *store.Approval, state approval.State, w *weighing, n newCase) error {
	return tx.Together(func() error { return a.writeCase(tx, c, row, state, w, n) })
}

func (a *Authority) writeCase(tx *store.Tx, c *caseFile, row *store.Approval, state approval.State, w *weighing, n newCase) error {
	if w.sealed == nil {
		if err := w.ready(n.matter, map[string][]byte{countersign.OpeningDocument: row.Document, countersign.OpeningSubmission: []byte(row.Submission)}); err != nil {
			return err
		}
	}
	if !state.RequirementDigest.Equal(countersign.SumBytes(w.requirement)) {
		return fmt.Errorf("request %s: the requirement that is logged is not the one that it was opened with", row.ID)
	}
	facts := map[string]string{"outcome": string(state.Requirement.Outcome), "status": string(state.Status),
		"policy_digest": string(state.PolicyDigest), "requirement_digest": string(state.RequirementDigest)}
	if n.founding {
		facts["founding"] = "true"
	}
	e, err := appendEntry(tx, entry{typ: countersign.EntryRequestSubmitted, subject: row.ID, actor: n.actor, facts: facts, sealed: *w.sealed})
	if err != nil {
		return err
	}
	row.EntryID, row.WeighedEntry = e.id, e.id
	row.PolicyDigest, row.PolicyVersion = w.stored.Digest, w.stored.Version
	row.Rules, row.Words, row.Founding = ruleNames(w.result.Reasons), searchWords(n.matter.doc), n.founding
	if err := a.put(row, state); err != nil {
		return err
	}
	if err := tx.InsertApproval(row); err != nil {
		return err
	}
	*c = caseFile{row: *row, state: state, submitted: e, weighed: record{Findings: w.result.Findings, Reasons: w.result.Reasons,
		ForRequester: w.result.ForRequester, Waiting: w.result.Waiting, Outcome: w.result.Outcome, PolicyVersion: w.stored.Version}, policy: w.stored, founding: n.founding}
	if matters(row.Kind, state.Status) {
		if err := tx.FactsChanged(); err != nil {
			return err
		}
	}
	if err := a.stuck(tx, row, state); err != nil {
		return err
	}
	return a.doorbell(tx, row, state, e)
}

// stuck raises the alert of a request that nobody can decide: it must not lie there in
// silence (ruling 8).
func (a *Authority) stuck(tx *store.Tx, row *store.Approval, s approval.State) error {
	if s.Status != countersign.StatusUnsatisfiable {
		return nil
	}
	return a.raise(tx, newAlert{about: store.AboutOperation, severity: "medium", external: alertUnsatisfiable + row.ID, days: defaultAlertDays, owner: GroupAdministrators,
		title: "too few people can decide on " + row.Kind + " " + row.Object})
}

// matters reports whether a request's being there is itself a fact that others are
// weighed by: a bank change that waits, or a denial.
func matters(kind string, s countersign.Status) bool {
	return kind == countersign.KindVendorBankChange || s == countersign.StatusDenied
}

// put copies what the state machine says into the row.
func (a *Authority) put(row *store.Approval, s approval.State) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	row.State, row.Status, row.Version, row.Due, row.Ended, row.SupersededBy = string(text), s.Status, s.Version, s.Due(), s.EndedAt, s.SupersededBy
	concern(row, s)
	return nil
}

// stateOf reads the state machine's record out of a row, and refuses one whose
// document is not the one that its digest names: the row was changed from outside.
func stateOf(row store.Approval) (approval.State, error) {
	var s approval.State
	if err := json.Unmarshal([]byte(row.State), &s); err != nil {
		return s, fmt.Errorf("state of %s: %w", row.ID, err)
	}
	if s.ID != row.ID || s.Version != row.Version || s.Status != row.Status || !s.Digest.Equal(row.Digest) {
		return s, tamperedWith("the row of %s contradicts its own state: it was changed in the database", row.ID)
	}
	if len(row.Document) > 0 && !countersign.SumBytes(row.Document).Equal(row.Digest) {
		return s, tamperedWith("the stored document of %s is not the one that was submitted: it was changed in the database", row.ID)
	}
	return s, nil
}

// advance stores a request's next state with its entry and event, by
// compare-and-swap.
func (a *Authority) advance(tx *store.Tx, row *store.Approval, from, to approval.State, e entry) (w written, err error) {
	err = tx.Together(func() error {
		w, err = a.step(tx, row, from, to, e)
		return err
	})
	return w, err
}

func (a *Authority) step(tx *store.Tx, row *store.Approval, from, to approval.State, e entry) (written, error) {
	if err := approval.Follows(from, to); err != nil {
		return written{}, err
	}
	e.subject = row.ID
	if e.facts == nil {
		e.facts = map[string]string{}
	}
	e.facts["status"] = string(to.Status)
	w, err := appendEntry(tx, e)
	if err != nil {
		return w, err
	}
	if weighed, ok := e.openings[countersign.OpeningWeighing]; ok {
		row.WeighedEntry = w.id
		if row.Rules, err = weighedRules(weighed); err != nil {
			return w, err
		}
	}
	if err := a.put(row, to); err != nil {
		return w, err
	}
	if err := tx.UpdateApproval(row, from.Version); err != nil {
		return w, err
	}
	if matters(row.Kind, to.Status) {
		if err := tx.FactsChanged(); err != nil {
			return w, err
		}
	}
	if err := a.stuck(tx, row, to); err != nil {
		return w, err
	}
	return w, a.doorbell(tx, row, to, w)
}
