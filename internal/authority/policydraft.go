package authority

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/policies"
)

// PolicyDraft is a policy that somebody writes, with the tests beside it. Nobody keeps
// it: it is proposed, or it is gone.
type PolicyDraft struct {
	Text  string
	Lists map[string]string // of the lists that it keeps in files, by the list's name
	Tests string            // a suite of cases; "" for none
}

// PolicyTrial is what came of trying a draft.
type PolicyTrial struct {
	Live   PolicyView    // what it would replace, with its text
	Errors policy.Errors // everything that is wrong with it; none when it loads
	Same   bool          // it is the version in force, word for word
	// Suite is what came of its tests; nil where there are none, or nothing to run them on.
	Suite     *policy.SuiteResult
	Uncovered []string // rules that no case shows both firing and silent
	TestError error    // why the tests could not be read
	// Empty are groups that it names and that have no members: what asks them could be
	// decided by nobody.
	Empty []string
	Open  int // requests of which something may still come: they would be weighed again
}

// StartDraft is the draft to begin with: the version in force, and the tests that ship
// with it where it is one that ships.
func (a *Authority) StartDraft(ctx context.Context, s Session) (*PolicyDraft, error) {
	return look(ctx, a, s, func(r *reading) (*PolicyDraft, error) {
		live, err := r.draftable()
		if err != nil {
			return nil, err
		}
		return startOf(*live), nil
	})
}

func startOf(live PolicyView) *PolicyDraft {
	d := &PolicyDraft{Text: live.Text, Lists: live.Lists}
	if name := policy.OutlineOf([]byte(live.Text), nil).Name; name != "" && !strings.ContainsAny(name, "/.") {
		if tests, err := policies.Files.ReadFile(name + "_test.yaml"); err == nil {
			d.Tests = string(tests)
		}
	}
	return d
}

// draftable reads the version in force, for whoever may propose another.
func (r *reading) draftable() (*PolicyView, error) {
	if err := r.member(policyPublish.groups...); err != nil {
		return nil, err
	}
	return r.policy(0)
}

// TryPolicy loads a draft as it would be loaded here, and runs its tests. It changes
// nothing.
func (a *Authority) TryPolicy(ctx context.Context, s Session, d PolicyDraft) (*PolicyTrial, error) {
	return a.tryPolicy(ctx, s, func(PolicyView) PolicyDraft { return d })
}

// BeginDraft tries the draft to begin with: see [Authority.StartDraft].
func (a *Authority) BeginDraft(ctx context.Context, s Session) (*PolicyDraft, *PolicyTrial, error) {
	var d PolicyDraft
	out, err := a.tryPolicy(ctx, s, func(live PolicyView) PolicyDraft {
		d = *startOf(live)
		return d
	})
	return &d, out, err
}

// tryPolicy reads what a draft is tried against on one snapshot, and then tries it: a
// suite of tests may be long, and no transaction waits for it.
func (a *Authority) tryPolicy(ctx context.Context, s Session, draft func(live PolicyView) PolicyDraft) (*PolicyTrial, error) {
	var members []store.Membership
	var options policy.Options
	out, err := look(ctx, a, s, func(r *reading) (*PolicyTrial, error) {
		live, err := r.draftable()
		if err != nil {
			return nil, err
		}
		at, err := r.settings()
		if err != nil {
			return nil, err
		}
		options = a.policyOptions(at)
		if members, err = r.tx.Memberships(); err != nil {
			return nil, err
		}
		open, err := r.tx.CountOpen()
		return &PolicyTrial{Live: *live, Open: open}, err
	})
	if err != nil {
		return nil, err
	}
	d := draft(out.Live)
	src := policy.Source{File: "policy", Text: []byte(d.Text), Lists: d.Lists, Options: options}
	v, err := policy.Load(src)
	if err != nil {
		if errors.As(err, &out.Errors) {
			return out, nil
		}
		return nil, fault(err)
	}
	out.Same = string(v.Digest()) == out.Live.Digest
	for _, g := range v.Groups() {
		if !slices.ContainsFunc(members, func(m store.Membership) bool { return m.Group == g }) {
			out.Empty = append(out.Empty, g)
		}
	}
	if strings.TrimSpace(d.Tests) != "" {
		suite, err := policy.ParseSuite("tests", []byte(d.Tests))
		if err != nil {
			out.TestError = err
			return out, nil
		}
		r := suite.Run(v)
		out.Suite, out.Uncovered = &r, v.Uncovered(r)
	}
	return out, nil
}

// policyOptions are the facts of this installation that a policy must fit.
func (a *Authority) policyOptions(at *settingsAt) policy.Options {
	return a.optionsFor(at.settings.Kinds)
}
