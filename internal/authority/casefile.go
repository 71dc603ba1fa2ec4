package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// caseFile is a request with everything that an answer about it needs.
type caseFile struct {
	row       store.Approval
	state     approval.State
	decisions []store.Decision
	submitted written // the submission's entry, where it was written just now
	weighed   record
	policy    store.Policy // in force when it was submitted, where that was just now
	founding  bool
}

// load reads a request that is stored.
func (c *caseFile) load(tx *store.Tx, row store.Approval) (err error) {
	c.row = row
	if c.state, err = stateOf(row); err != nil {
		return err
	}
	if err := tx.Ahead(func() { caseAhead(tx, row) }); err != nil {
		return err
	}
	if c.decisions, err = tx.Decisions(row.ID); err != nil {
		return err
	}
	return c.loadEntries(tx)
}

// caseAhead asks ahead for what [caseFile.load] reads.
func caseAhead(tx *store.Tx, row store.Approval) {
	tx.Decisions(row.ID)
	tx.EntriesByID(entriesOf(row))
	tx.OpeningsOfEach(entriesOf(row))
}

// entriesOf are the entries of a request's submission and of its last weighing.
func entriesOf(row store.Approval) []string {
	if row.WeighedEntry == row.EntryID {
		return []string{row.EntryID}
	}
	return []string{row.EntryID, row.WeighedEntry}
}

// loadEntries reads the entries of the submission and of the last weighing, and holds
// the request to them.
func (c *caseFile) loadEntries(tx *store.Tx) error {
	entries, err := tx.EntriesByID(entriesOf(c.row))
	if err != nil {
		return err
	}
	openings, err := tx.OpeningsOfEach(entriesOf(c.row))
	if err != nil {
		return err
	}
	submitted, err := leafIn(entries, c.row.EntryID)
	if err != nil {
		return err
	}
	weighed, err := leafIn(entries, c.row.WeighedEntry)
	if err != nil {
		return err
	}
	c.founding = submitted.Facts["founding"] == "true"
	if o, ok := openings[c.row.WeighedEntry][countersign.OpeningWeighing]; ok { // after an erasure there is nothing to read
		if err := json.Unmarshal([]byte(o.Value), &c.weighed); err != nil {
			return err
		}
	}
	return c.asLogged(submitted, weighed, openings[c.row.EntryID])
}

// asOf shows a request that is past its deadline as expired, from that instant on,
// though the clock's own work, which changes it, comes up to a second later or, while
// the clock cannot be trusted, not at all. It is for reading only.
func (c *caseFile) asOf(now time.Time) {
	switch c.state.Status {
	case countersign.StatusPending, countersign.StatusUnsatisfiable, countersign.StatusApproved:
		if due := c.state.Due(); !due.IsZero() && !now.Before(due) {
			c.state.Status, c.state.EndedAt = countersign.StatusExpired, due
		}
	}
}

// viewer says who looks at a request, and so what they may see of it.
type viewer struct {
	source string // a key's: sees what its source submitted
	person string
	only   string // the one request that a hand-over session sees
	groups []string

	inPlaceOf []inPlaceOf // whom the person may act for now
	glass     bool        // may break the glass
}

// inPlaceOf is somebody whom a viewer may act for now, and on what.
type inPlaceOf struct {
	person string
	groups []string
	kinds  []string // of documents; none: every kind
}

// delegators are those for whom the viewer may act on a kind of document, each once, and
// their groups. Changes to Countersign itself are never decided in another's place.
func (v viewer) delegators(kind string) (people, groups []string) {
	if countersign.InternalKind(kind) {
		return nil, nil
	}
	for _, p := range v.inPlaceOf {
		if len(p.kinds) == 0 || slices.Contains(p.kinds, kind) {
			people, groups = append(people, p.person), append(groups, p.groups...)
		}
	}
	slices.Sort(people)
	return slices.Compact(people), groups
}

// seesAll reports whether the viewer's groups let them see every request.
func (v viewer) seesAll() bool {
	return slices.ContainsFunc(v.groups, func(g string) bool {
		return g == GroupAuditors || g == GroupControllers || g == GroupAdministrators
	})
}

// sees reports whether the viewer may see the request. To anybody else it is not
// there (ruling 11).
func (c *caseFile) sees(v viewer) bool {
	if v.source != "" {
		return v.source == c.row.Source
	}
	if v.only != "" && v.only != c.row.ID {
		return false
	}
	if v.person == "" {
		return false
	}
	if v.only == c.row.ID || v.seesAll() || v.person == c.row.Nominated || v.person == c.row.Requester {
		return true
	}
	from, delegated := v.delegators(c.row.Kind)
	if slices.Contains(from, c.row.Nominated) || (v.glass && !c.state.Status.Final()) {
		return true
	}
	if slices.ContainsFunc(c.state.Requesters, func(r approval.Requester) bool { return r.ID == v.person }) {
		return true
	}
	if slices.ContainsFunc(c.decisions, func(d store.Decision) bool { return d.Person == v.person }) {
		return true
	}
	for _, cl := range c.state.Clauses() {
		for _, g := range cl.From {
			if slices.Contains(v.groups, g) || slices.Contains(delegated, g) {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.state.Requirement.Watchers, func(g string) bool { return slices.Contains(v.groups, g) })
}

// viewerOf completes a person's view with their groups, whom they may act for, and
// whether they may break the glass: who may decide must be able to look.
func viewerOf(tx *store.Tx, s Session) (viewer, error) {
	v := s.viewer()
	if err := tx.Ahead(func() { viewerAhead(tx, v.person) }); err != nil {
		return v, err
	}
	var err error
	if v.groups, err = groupNames(tx, v.person); err != nil {
		return v, err
	}
	delegations, err := tx.DelegationsTo(v.person)
	if err != nil {
		return v, err
	}
	theirs, err := tx.GroupsOfEach(delegators(delegations))
	if err != nil {
		return v, err
	}
	for _, d := range delegations {
		var groups []string
		for _, g := range theirs[d.From] {
			groups = append(groups, g.Group)
		}
		of, err := delegationOf(d)
		if err != nil {
			return v, err
		}
		v.inPlaceOf = append(v.inPlaceOf, inPlaceOf{d.From, groups, of.Kinds})
	}
	names, err := tx.BreakGlassNames()
	for _, n := range names {
		v.glass = v.glass || (n.Person == v.person && !n.Effective.After(tx.Now()))
	}
	return v, err
}

// viewerAhead asks ahead for what [viewerOf] reads.
func viewerAhead(tx *store.Tx, person string) {
	tx.GroupsOf(person)
	tx.BreakGlassNames()
	if delegations, err := tx.DelegationsTo(person); err == nil {
		tx.GroupsOfEach(delegators(delegations))
	}
}

// delegators are who made delegations, each once.
func delegators(all []store.Delegation) []string {
	var out []string
	for _, d := range all {
		out = append(out, d.From)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func groupNames(tx *store.Tx, person string) ([]string, error) {
	groups, err := tx.GroupsOf(person)
	var names []string
	for _, g := range groups {
		names = append(names, g.Group)
	}
	return names, err
}

// view writes the request as it goes over the wire.
func (a *Authority) view(c *caseFile, v viewer) (*countersign.Approval, error) {
	s := c.state
	reasons, findings := c.weighed.Reasons, c.weighed.Findings
	if v.source != "" || slices.ContainsFunc(s.Requesters, func(r approval.Requester) bool { return r.ID == v.person }) {
		findings = nil // they name thresholds, and the source shows what it gets to the requester
		if c.weighed.ForRequester != nil {
			reasons = c.weighed.ForRequester
		}
	}
	if reasons == nil {
		reasons = []countersign.Reason{}
	}
	out := &countersign.Approval{ID: s.ID, Status: s.Status, Version: s.Version, Document: c.row.Document, Digest: s.Digest, Source: s.Source,
		Outcome: s.Requirement.Outcome, Requirement: s.Requirement, RequirementDigest: s.RequirementDigest, PolicyDigest: s.PolicyDigest,
		PolicyVersion: c.row.PolicyVersion, Reasons: reasons, Findings: findings, Founding: c.founding, Decisions: []countersign.Decision{},
		CreatedAt: stamp(s.CreatedAt), DecideBy: stamp(s.DecideBy), NotBefore: stamp(s.NotBefore), ReleaseBy: stamp(s.ReleaseBy), EndedAt: stamp(s.EndedAt),
		Supersedes: s.Supersedes, SupersededBy: s.SupersededBy, Follows: s.Follows}
	if len(c.row.Document) == 0 {
		out.Document = json.RawMessage("null") // erased
	}
	for _, d := range c.decisions {
		var dec countersign.Decision
		if err := json.Unmarshal([]byte(d.Body), &dec); err != nil {
			return nil, err
		}
		out.Decisions = append(out.Decisions, dec)
	}
	if s.Status == countersign.StatusPending || s.Status == countersign.StatusUnsatisfiable {
		out.Missing = approval.MissingInWords(s)
		out.StepUpURL = a.org.PublicURL + "/r/" + s.ID
	}
	return out, nil
}

// answer views the case for whoever asked, with its receipt where it allows
// something. It waits until what was committed is covered by a published
// checkpoint; where that takes too long, an allowing answer is "pending" (ruling 41).
func (a *Authority) answer(ctx context.Context, c *caseFile, committed store.Committed, v viewer) (*countersign.Approval, error) {
	out, err := a.view(c, v)
	if err != nil {
		return nil, err
	}
	head, err := a.publisher.Settle(ctx, committed)
	if !c.allows() {
		if err != nil {
			a.log.Warn("an entry is not covered by a checkpoint yet", "request", c.row.ID, "error", err)
		}
		return out, nil
	}
	for _, e := range committed.Entries {
		if e.ID == c.submitted.id {
			c.submitted.index = e.Index
		}
	}
	var receipt countersign.Receipt
	switch {
	case err != nil:
	case len(committed.Entries) > 0:
		receipt, err = a.waitingReceipt(ctx, c, head)
	default: // whoever only looks waits for nothing
		receipt, err = a.receipt(ctx, c, head)
	}
	if errors.Is(err, checkpoint.ErrNotCovered) {
		a.waitsToBeCovered(c, out, err)
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Receipt = receipt.Bytes()
	return out, nil
}

// waitsToBeCovered makes an answer that allows something one that still waits.
func (a *Authority) waitsToBeCovered(c *caseFile, out *countersign.Approval, err error) {
	a.log.Warn("an approval is not covered by a checkpoint yet", "request", c.row.ID, "error", err)
	out.Status, out.NotBefore, out.ReleaseBy = countersign.StatusPending, "", ""
	out.Missing = []string{"the log entry to be signed; ask again in a second"}
	if errors.Is(err, checkpoint.ErrNotCosigned) {
		out.Missing = []string{"the log entry to be cosigned by a witness; ask again in a moment"}
	}
}

// receipt puts the receipt of a case together under a published checkpoint.
func (a *Authority) receipt(ctx context.Context, c *caseFile, head checkpoint.Head) (countersign.Receipt, error) {
	entries, err := a.receiptOf(ctx, c)
	if err != nil {
		return countersign.Receipt{}, err
	}
	return a.receiptUnder(ctx, c, entries, head)
}

// allows reports whether the request may be acted on, or was.
func (c *caseFile) allows() bool {
	return c.state.Status == countersign.StatusApproved || c.state.Status == countersign.StatusReleased
}

// withReceipt puts the receipt into an answer that allows something, or lets the answer
// wait for being covered.
func (a *Authority) withReceipt(ctx context.Context, c *caseFile, out *countersign.Approval, entries []audit.Logged, head checkpoint.Head) error {
	receipt, err := a.receiptUnder(ctx, c, entries, head)
	if errors.Is(err, checkpoint.ErrNotCovered) {
		a.waitsToBeCovered(c, out, err)
		return nil
	}
	if err == nil {
		out.Receipt = receipt.Bytes()
	}
	return err
}

func (a *Authority) receiptUnder(ctx context.Context, c *caseFile, entries []audit.Logged, head checkpoint.Head) (countersign.Receipt, error) {
	head, err := a.coveredBy(c, entries, head)
	if err != nil {
		return countersign.Receipt{}, err
	}
	return audit.BuildReceipt(audit.ReceiptInput{Entries: entries, Checkpoint: head.Checkpoint, Prove: a.publisher.Prove(ctx)})
}

// coveredBy finds the checkpoint that covers all entries of a case's receipt.
func (a *Authority) coveredBy(c *caseFile, entries []audit.Logged, head checkpoint.Head) (checkpoint.Head, error) {
	size := int64(0)
	for _, e := range entries {
		if e.Index < 0 || e.Index >= head.Tree.N {
			return head, checkpoint.ErrNotCovered
		}
		size = max(size, e.Index+1)
	}
	head = a.publisher.Best(head, size)
	if c.allows() && c.state.Requirement.Witness && !a.publisher.CosignedOver(size) {
		return head, checkpoint.ErrNotCosigned
	}
	return head, nil
}

// receiptOf collects the entries that the receipt of a case consists of.
func (a *Authority) receiptOf(ctx context.Context, c *caseFile) (out []audit.Logged, err error) {
	if c.submitted.leaf != nil && c.submitted.index != store.Unplaced && len(c.decisions) == 0 && c.state.Status == countersign.StatusApproved {
		p, err := a.policyEntry(ctx, c.policy)
		if err != nil {
			return nil, err
		}
		return []audit.Logged{c.submitted.logged(countersign.RoleSubmission, countersign.OpeningDocument, countersign.OpeningRequirement), p}, nil
	}
	err = a.db.Read(ctx, func(tx *store.Tx) (err error) {
		out, err = receiptEntries(tx, c)
		return err
	})
	return out, err
}

// receiptAhead asks ahead for what [receiptEntries] reads.
func receiptAhead(tx *store.Tx, c *caseFile) {
	entry := func(id string) {
		tx.Openings(id)
		e, err := tx.EntryByID(id)
		if err != nil {
			return
		}
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil || leaf.Facts["policy_digest"] == "" {
			return
		}
		if p, err := tx.PolicyByDigest(leaf.Facts["policy_digest"]); err == nil {
			tx.EntryByID(p.EntryID)
		}
	}
	for _, id := range entriesOf(c.row) {
		entry(id)
	}
	for _, d := range c.decisions {
		entry(d.EntryID)
		var dec countersign.Decision
		if json.Unmarshal([]byte(d.Body), &dec) != nil || dec.Evidence.Passkey == nil {
			continue
		}
		if f, err := tx.Authenticator(dec.Evidence.Passkey.Authenticator); err == nil {
			entry(f.EntryID)
		}
	}
	if c.state.Status == countersign.StatusReleased {
		if id, err := releaseEntry(tx, c.row.ID); err == nil {
			tx.EntryByID(id)
		}
	}
}

// receiptEntries collects them in a transaction.
func receiptEntries(tx *store.Tx, c *caseFile) ([]audit.Logged, error) {
	if err := tx.Ahead(func() { receiptAhead(tx, c) }); err != nil {
		return nil, err
	}
	g := gatherer{tx: tx}
	g.entry(countersign.RoleSubmission, c.row.EntryID, countersign.OpeningDocument, countersign.OpeningRequirement)
	digests := []string{}
	if c.row.WeighedEntry != c.row.EntryID {
		g.entry(countersign.RoleReweighing, c.row.WeighedEntry, countersign.OpeningRequirement)
	}
	if len(c.row.Document) == 0 {
		if err := g.erasedDecisions(c.row); err != nil {
			return nil, err
		}
	}
	for _, d := range c.decisions {
		if !decisionStands(c.state, d.ID) {
			continue
		}
		g.entry(countersign.RoleDecision, d.EntryID, countersign.OpeningDecision)
		var dec countersign.Decision
		if err := json.Unmarshal([]byte(d.Body), &dec); err != nil {
			return nil, err
		}
		if dec.Evidence.Passkey != nil {
			f, err := tx.Authenticator(dec.Evidence.Passkey.Authenticator)
			if err != nil {
				return nil, err
			}
			g.entry(countersign.RoleEnrolment, f.EntryID, countersign.OpeningEnrolment)
		}
	}
	for _, e := range g.out {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, err
		}
		if p := leaf.Facts["policy_digest"]; p != "" && !slices.Contains(digests, p) {
			digests = append(digests, p)
		}
	}
	for _, digest := range digests {
		p, err := tx.PolicyByDigest(digest)
		if err != nil {
			return nil, err
		}
		g.entry(countersign.RolePolicy, p.EntryID)
	}
	if c.state.Status == countersign.StatusReleased {
		id, err := releaseEntry(tx, c.row.ID)
		if err != nil {
			return nil, err
		}
		g.entry(countersign.RoleRelease, id)
	}
	return g.out, g.err
}

// decisionStands reports whether a decision still counts: a stricter requirement
// voids what was signed before it.
func decisionStands(s approval.State, id string) bool {
	for _, d := range s.Decisions {
		if d.ID == id {
			return d.Void == ""
		}
	}
	return false
}

// releaseEntry finds the entry of a request's release.
func releaseEntry(tx *store.Tx, request string) (string, error) {
	entries, err := tx.EntriesBySubject(request, -1, 1000)
	if err != nil {
		return "", err
	}
	for _, e := range slices.Backward(entries) {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return "", err
		}
		if leaf.Type == countersign.EntryRequestReleased {
			return e.ID, nil
		}
	}
	return "", checkpoint.ErrNotCovered // it was written, and has no place in the log yet
}

// erasedDecisions gathers the decisions on a request that was erased, of which only
// the entries are left: those since it was weighed last, whose requirement they name.
func (g *gatherer) erasedDecisions(row store.Approval) error {
	weighed, err := g.tx.EntryByID(row.WeighedEntry)
	if err != nil {
		return err
	}
	entries, err := g.tx.EntriesBySubject(row.ID, weighed.Index, 1000)
	if err != nil {
		return err
	}
	of, err := countersign.ParseLeaf(weighed.Leaf)
	if err != nil {
		return err
	}
	for _, e := range entries {
		leaf, err := countersign.ParseLeaf(e.Leaf)
		if err != nil {
			return err
		}
		if leaf.Type == countersign.EntryDecisionMade && leaf.Facts["requirement_digest"] == of.Facts["requirement_digest"] {
			g.entry(countersign.RoleDecision, e.ID, countersign.OpeningDecision)
		}
	}
	return nil
}

// gatherer reads entries with the openings that are to be shown.
type gatherer struct {
	tx   *store.Tx
	out  []audit.Logged
	seen map[string]bool
	err  error
}

func (g *gatherer) entry(role, id string, openings ...string) {
	if g.err != nil || g.seen[id] {
		return
	}
	if g.seen == nil {
		g.seen = map[string]bool{}
	}
	g.seen[id] = true
	e, err := g.tx.EntryByID(id)
	if err != nil {
		g.err = err
		return
	}
	l := audit.Logged{Role: role, Index: e.Index, Leaf: e.Leaf}
	if len(openings) > 0 {
		all, err := g.tx.Openings(id)
		if err != nil {
			g.err = err
			return
		}
		l.Openings = map[string]countersign.Opening{}
		for _, name := range openings {
			if o, ok := all[name]; ok {
				l.Openings[name] = o
			}
		}
	}
	g.out = append(g.out, l)
}

// logged is an entry that was written just now, as a receipt shows it.
func (w written) logged(role string, openings ...string) audit.Logged {
	l := audit.Logged{Role: role, Index: w.index, Leaf: w.leaf, Decoded: &w.entry, Openings: make(map[string]countersign.Opening, len(openings))}
	for _, name := range openings {
		if o, ok := w.openings[name]; ok {
			l.Openings[name] = o
		}
	}
	return l
}

// policyEntry reads the entry of a published policy. It never changes, so it is kept
// once it has its place.
func (a *Authority) policyEntry(ctx context.Context, p store.Policy) (audit.Logged, error) {
	if l, ok := a.published.Load(p.EntryID); ok {
		return l.(audit.Logged), nil
	}
	var l audit.Logged
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		g := gatherer{tx: tx}
		g.entry(countersign.RolePolicy, p.EntryID)
		if g.err == nil {
			l = g.out[0]
		}
		return g.err
	})
	if err == nil && l.Index != store.Unplaced {
		leaf, err := countersign.ParseLeaf(l.Leaf)
		if err != nil {
			return l, err
		}
		l.Decoded = &leaf
		a.published.Store(p.EntryID, l)
	}
	return l, err
}
