package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

// CaseEntry is one log entry of a request's case, and what part it plays.
type CaseEntry struct {
	Role     string // one of the Role constants
	Index    int64  // in the log, from 0
	Leaf     countersign.Leaf
	Openings map[string]countersign.Opening // may be fewer than the commitments
}

// maxCaseEntries bounds a case: far more people than any requirement asks for.
const maxCaseEntries = 256

// parts says for each role its order in a case and the entry type it must have.
var parts = map[string]struct {
	order int
	of    countersign.EntryType
}{
	countersign.RoleSubmission: {1, countersign.EntryRequestSubmitted},
	countersign.RoleReweighing: {2, countersign.EntryRequestReweighed},
	countersign.RoleDecision:   {3, countersign.EntryDecisionMade},
	countersign.RoleEnrolment:  {4, countersign.EntryAuthenticatorEnrolled},
	countersign.RolePolicy:     {5, countersign.EntryPolicyPublished},
	countersign.RoleRelease:    {6, countersign.EntryRequestReleased},
}

// needed names the openings without which something of a case is not proven.
var needed = map[string][]string{
	countersign.RoleSubmission: {countersign.OpeningDocument, countersign.OpeningRequirement},
	countersign.RoleReweighing: {countersign.OpeningRequirement},
	countersign.RoleDecision:   {countersign.OpeningDecision},
	countersign.RoleEnrolment:  {countersign.OpeningEnrolment},
}

// caseFile is a case sorted by roles, with what its openings hold as far as they
// are there.
type caseFile struct {
	all        []CaseEntry
	submission *CaseEntry
	reweighing *CaseEntry
	release    *CaseEntry
	decisions  []madeDecision
	enrolments map[string]*CaseEntry             // by authenticator
	policies   map[countersign.Digest]*CaseEntry // by digest

	document    *countersign.Document    // nil: not shown
	digest      countersign.Digest       // of the document; "" where it is not shown
	requirement *countersign.Requirement // that governs the decisions; nil: not shown
	needDigest  countersign.Digest       // the governing requirement's digest, as logged
	outcome     countersign.Outcome      // of the governing weighing, as logged
}

// madeDecision is a decision entry, and the decision where it is shown.
type madeDecision struct {
	entry     *CaseEntry
	at        time.Time
	decision  *countersign.Decision // nil: not shown
	statement countersign.Statement
	enrolment *countersign.Enrolment // of the passkey used, where shown
	assurance countersign.Assurance  // derived from the evidence; none where that is not shown
}

// governing is the entry whose requirement the decisions were made under.
func (f *caseFile) governing() *CaseEntry {
	if f.reweighing != nil {
		return f.reweighing
	}
	return f.submission
}

// caseOf takes the steps about what the entries say. r is the receipt they came
// in, or nil.
func (c *checker) caseOf(entries []CaseEntry, r *countersign.Receipt) {
	if c.failed() {
		return
	}
	f, err := sortCase(entries, r)
	if !c.step(StepEntries, "in their order, each of its type and about the one request", err) ||
		!c.step(StepCommitment, "every opening opens its commitment", checkCommitments(entries)) {
		return
	}
	c.v.Org, c.v.Request = f.submission.Leaf.Org, f.submission.Leaf.Subject
	c.unshown(f)
	c.step(StepPolicy, policyDetail(f), f.checkPolicies())
	c.documentSteps(f)
	c.requirementStep(f)
	for i := range f.decisions {
		c.decisionSteps(f, &f.decisions[i])
	}
	c.quorumSteps(f)
	c.endSteps(f, r)
	if !c.failed() {
		c.claims(f)
	}
}

// sortCase puts the entries to their roles and checks everything that can be said
// of the leaves alone.
func sortCase(entries []CaseEntry, r *countersign.Receipt) (*caseFile, error) {
	f := &caseFile{all: entries, enrolments: map[string]*CaseEntry{}, policies: map[countersign.Digest]*CaseEntry{}}
	if len(entries) == 0 || len(entries) > maxCaseEntries || entries[0].Role != countersign.RoleSubmission {
		return f, errors.New("want the submission first")
	}
	f.submission = &entries[0]
	subject, org := entries[0].Leaf.Subject, entries[0].Leaf.Org
	if r != nil && (r.Request != subject || r.Org != org) {
		return f, fmt.Errorf("the receipt is about %s of %s, its submission about %s of %s", jcs.Clip(r.Request), jcs.Clip(r.Org), jcs.Clip(subject), jcs.Clip(org))
	}
	indices := map[int64]bool{}
	for i := range entries {
		e := &entries[i]
		part, known := parts[e.Role]
		switch {
		case !known:
			return f, fmt.Errorf("entry %d: no role %q", i+1, jcs.Clip(e.Role))
		case e.Leaf.Type != part.of:
			return f, fmt.Errorf("entry %d: a %s cannot be the %s", i+1, jcs.Clip(string(e.Leaf.Type)), e.Role)
		case e.Leaf.Org != org:
			return f, fmt.Errorf("entry %d: of another organisation", i+1)
		case indices[e.Index]:
			return f, fmt.Errorf("entry %d: index %d stands twice", i+1, e.Index)
		case e.Role != countersign.RoleEnrolment && e.Role != countersign.RolePolicy && e.Leaf.Subject != subject:
			return f, fmt.Errorf("entry %d: about %q, not about %s", i+1, jcs.Clip(e.Leaf.Subject), subject)
		}
		indices[e.Index] = true
		if i > 0 {
			if err := f.follows(&entries[i-1], e); err != nil {
				return f, fmt.Errorf("entry %d: %w", i+1, err)
			}
		}
		if err := f.place(e); err != nil {
			return f, fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	return f, f.checkOrder()
}

// follows keeps the one order: by role, and within a role as logged.
func (f *caseFile) follows(before, e *CaseEntry) error {
	a, b := parts[before.Role].order, parts[e.Role].order
	if b < a || (a == b && e.Index < before.Index) {
		return fmt.Errorf("a %s out of order", e.Role)
	}
	if a == b && (e.Role == countersign.RoleSubmission || e.Role == countersign.RoleReweighing || e.Role == countersign.RoleRelease) {
		return fmt.Errorf("a second %s", e.Role)
	}
	return nil
}

func (f *caseFile) place(e *CaseEntry) error {
	at, err := countersign.ParseTime(e.Leaf.Time)
	if err != nil {
		return err
	}
	switch e.Role {
	case countersign.RoleReweighing:
		f.reweighing = e
	case countersign.RoleRelease:
		f.release = e
	case countersign.RoleDecision:
		f.decisions = append(f.decisions, madeDecision{entry: e, at: at})
	case countersign.RoleEnrolment:
		id := e.Leaf.Facts["authenticator"]
		if id == "" || f.enrolments[id] != nil {
			return fmt.Errorf("authenticator %q is enrolled by no or by another entry", jcs.Clip(id))
		}
		f.enrolments[id] = e
	case countersign.RolePolicy:
		d := countersign.Digest(e.Leaf.Facts["policy_digest"])
		if !d.Valid() || f.policies[d] != nil {
			return fmt.Errorf("policy %q is published by no or by another entry", jcs.Clip(string(d)))
		}
		f.policies[d] = e
	}
	return nil
}

// checkOrder checks that the case happened in its order: what is decided stands in
// the log after what it decides on.
func (f *caseFile) checkOrder() error {
	last := f.submission.Index
	for i := range f.all {
		e := &f.all[i]
		switch e.Role {
		case countersign.RoleReweighing, countersign.RoleDecision, countersign.RoleRelease:
			if e.Index < last {
				return fmt.Errorf("the %s stands in the log before what it follows", e.Role)
			}
			last = e.Index
		}
	}
	return nil
}

func checkCommitments(entries []CaseEntry) error {
	for i, e := range entries {
		for _, name := range slices.Sorted(maps.Keys(e.Openings)) {
			want, ok := e.Leaf.Commitments[name]
			if !ok {
				return fmt.Errorf("entry %d: nothing is committed under %q", i+1, jcs.Clip(name))
			}
			have, err := e.Openings[name].Commitment(name)
			if err != nil {
				return fmt.Errorf("entry %d: %w", i+1, err)
			}
			if have != want {
				return fmt.Errorf("entry %d: %q is not what was committed to", i+1, name)
			}
		}
	}
	return nil
}

// unshown lists what is missing, and refuses a case from which something is
// missing that the proof needs, unless the verifier allows it.
func (c *checker) unshown(f *caseFile) {
	for i := range f.all {
		e := &f.all[i]
		for _, name := range needed[e.Role] {
			if _, committed := e.Leaf.Commitments[name]; !committed {
				c.step(StepOpenings, "", fmt.Errorf("the %s %s commits to no %s", e.Role, e.Leaf.ID, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Leaf.Commitments)) {
			if _, shown := e.Openings[name]; shown {
				continue
			}
			u := Unshown{Entry: e.Leaf.ID, Role: e.Role, Opening: name}
			if slices.Contains(needed[e.Role], name) {
				c.v.Erased = append(c.v.Erased, u)
			} else {
				c.v.NotShown = append(c.v.NotShown, u)
			}
		}
	}
	detail := "everything that the proof needs is shown"
	var err error
	if n := len(c.v.Erased); n > 0 {
		names := make([]string, n)
		for i, u := range c.v.Erased {
			names[i] = u.Opening + " of " + u.Entry
		}
		detail = "erased or not shown: " + strings.Join(names, ", ")
		if !c.opts.AllowErased {
			err = errors.New(detail)
		}
	}
	c.step(StepOpenings, detail, err)
}

// checkPolicies checks that every policy that was applied had been published in
// the log before, and that no other is in the case.
func (f *caseFile) checkPolicies() error {
	used := map[countersign.Digest]bool{}
	for i := range f.all {
		e := &f.all[i]
		if e.Role != countersign.RoleSubmission && e.Role != countersign.RoleReweighing && e.Role != countersign.RoleDecision {
			continue
		}
		d := countersign.Digest(e.Leaf.Facts["policy_digest"])
		p := f.policies[d]
		if p == nil {
			return fmt.Errorf("no entry publishes the policy %q that the %s %s names", jcs.Clip(string(d)), e.Role, e.Leaf.ID)
		}
		if p.Index > e.Index {
			return fmt.Errorf("the policy %s was applied by %s before it was published", d, e.Leaf.ID)
		}
		used[d] = true
	}
	for d, p := range f.policies {
		if !used[d] {
			return fmt.Errorf("the policy %s has no part in this", d)
		}
		if _, err := parseDecimal(p.Leaf.Facts["version"]); err != nil {
			return fmt.Errorf("policy version: %w", err)
		}
		if o, shown := p.Openings[countersign.OpeningPolicy]; shown && countersign.SumBytes([]byte(o.Value)) != d {
			return fmt.Errorf("the text of policy version %s has another digest than its entry says", p.Leaf.Facts["version"])
		}
	}
	return nil
}

func policyDetail(f *caseFile) string {
	return "published before it was applied: version " + f.policyVersion()
}

func (f *caseFile) policyVersion() string {
	if p := f.policies[countersign.Digest(f.governing().Leaf.Facts["policy_digest"])]; p != nil {
		return p.Leaf.Facts["version"]
	}
	return "unknown"
}

func (c *checker) documentSteps(f *caseFile) {
	o, shown := f.submission.Openings[countersign.OpeningDocument]
	if c.failed() || (!shown && c.opts.Document == nil) {
		return
	}
	err := func() error {
		if !shown {
			return errors.New("the receipt does not show the document, so the one given cannot be compared")
		}
		if !jcs.IsCanonical([]byte(o.Value)) {
			return errors.New("the document is not in canonical form")
		}
		var d countersign.Document
		if err := countersign.DecodeStrict([]byte(o.Value), &d); err != nil {
			return err
		}
		f.document, f.digest = &d, countersign.SumBytes([]byte(o.Value))
		c.v.Digest = f.digest
		if c.opts.Document == nil {
			return nil
		}
		given, err := countersign.Canonicalize(c.opts.Document)
		if err != nil {
			return fmt.Errorf("the document given: %w", err)
		}
		if string(given) != o.Value {
			return fmt.Errorf("the document given has the digest %s, the one in the receipt %s", countersign.SumBytes(given), f.digest)
		}
		return nil
	}()
	c.step(StepDocument, string(f.digest), err)
}

func (c *checker) requirementStep(f *caseFile) {
	if c.failed() {
		return
	}
	err := func() error {
		for _, e := range []*CaseEntry{f.submission, f.reweighing} {
			if e == nil {
				continue
			}
			r, err := openRequirement(e)
			if err != nil {
				return err
			}
			if e == f.governing() {
				f.requirement = r
			}
		}
		f.needDigest = countersign.Digest(f.governing().Leaf.Facts["requirement_digest"])
		f.outcome = countersign.Outcome(f.governing().Leaf.Facts["outcome"])
		return nil
	}()
	c.step(StepRequirement, string(f.outcome), err)
}

// openRequirement returns the requirement of a weighing, nil where it is not shown.
func openRequirement(e *CaseEntry) (*countersign.Requirement, error) {
	want := countersign.Digest(e.Leaf.Facts["requirement_digest"])
	outcome := countersign.Outcome(e.Leaf.Facts["outcome"])
	if !want.Valid() {
		return nil, fmt.Errorf("%s names no requirement", e.Leaf.ID)
	}
	if !outcome.Valid() {
		return nil, fmt.Errorf("%s has no outcome %q", e.Leaf.ID, jcs.Clip(string(outcome)))
	}
	o, shown := e.Openings[countersign.OpeningRequirement]
	if !shown {
		return nil, nil
	}
	var r countersign.Requirement
	if err := countersign.DecodeStrict([]byte(o.Value), &r); err != nil {
		return nil, fmt.Errorf("requirement of %s: %w", e.Leaf.ID, err)
	}
	if countersign.SumBytes([]byte(o.Value)) != want || r.Digest() != want {
		return nil, fmt.Errorf("the requirement of %s has another digest than the entry says", e.Leaf.ID)
	}
	if r.Outcome != outcome {
		return nil, fmt.Errorf("%s says %q, its requirement %q", e.Leaf.ID, outcome, r.Outcome)
	}
	for _, cl := range r.Clauses {
		if cl.Count < 1 {
			return nil, fmt.Errorf("the requirement of %s asks for %d people: a quorum is at least one", e.Leaf.ID, cl.Count)
		}
	}
	return &r, nil
}
