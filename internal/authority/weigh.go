package authority

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// weighing is the answer of the policy on one matter, with what it was asked.
type weighing struct {
	stored  store.Policy
	version *policy.Version
	result  policy.Result
	gen     int64        // generation of the facts that were read
	sums    []signal.Sum // that were weighed; the matter's own are read anew by every attempt to write

	// What goes into the log, where it was made ready before the transaction: sealed
	// holds the openings "requirement" and "weighing", over the requirement that
	// result names.
	requirement []byte
	sealed      *audit.Sealed
}

// ready makes ready what the weighing leaves in the log, so that the writing
// transaction need not. It belongs to this result only.
func (w *weighing) ready(m *matter, more map[string][]byte) error {
	var err error
	if w.requirement, err = countersign.Canonical(w.result.Requirement); err != nil {
		return err
	}
	weighed, err := w.record(m)
	if err != nil {
		return err
	}
	values := map[string][]byte{countersign.OpeningRequirement: w.requirement, countersign.OpeningWeighing: weighed}
	maps.Copy(values, more)
	s, err := audit.Seal(values)
	w.sealed = &s
	return err
}

// policyNow returns the version in force.
func (a *Authority) policyNow(tx *store.Tx, at *settingsAt) (store.Policy, *policy.Version, error) {
	if p := a.inForce.Load(); p != nil && p.gen == at.gen {
		return p.stored, p.version, nil
	}
	stored, err := tx.CurrentPolicy()
	if err != nil {
		return stored, nil, err
	}
	v, err := a.version(stored, at.settings.Kinds)
	if err != nil {
		return stored, nil, err
	}
	a.inForce.Store(&policyAt{at.gen, stored, v})
	return stored, v, nil
}

// policyAt is the version in force as of a generation of the facts.
type policyAt struct {
	gen     int64
	stored  store.Policy
	version *policy.Version
}

// weigh reads the facts of a matter and asks the policy in force.
func (a *Authority) weigh(tx *store.Tx, m *matter, stage policy.Stage) (*weighing, error) {
	at, err := a.current(tx)
	if err != nil {
		return nil, err
	}
	return a.weighAt(tx, m, stage, at)
}

// weighAt is weigh with the settings as of the transaction.
func (a *Authority) weighAt(tx *store.Tx, m *matter, stage policy.Stage, at *settingsAt) (*weighing, error) {
	stored, v, err := a.policyNow(tx, at)
	if err != nil {
		return nil, err
	}
	return a.weighBy(tx, m, stage, stored, v, at.gen)
}

func (a *Authority) weighBy(tx *store.Tx, m *matter, stage policy.Stage, stored store.Policy, v *policy.Version, gen int64) (*weighing, error) {
	if err := a.load(tx, v, m, gen); err != nil {
		return nil, err
	}
	if err := m.sums(tx, v); err != nil {
		return nil, err
	}
	return &weighing{stored: stored, version: v, result: v.Evaluate(&m.facts, stage), gen: gen, sums: slices.Clone(m.facts.Sums)}, nil
}

// renew holds a weighing that was made before the transaction against what the
// transaction sees: facts that changed are read again, sums always.
func (a *Authority) renew(tx *store.Tx, m *matter, w *weighing, stage policy.Stage, gen int64) (*weighing, error) {
	if gen != w.gen {
		return a.weigh(tx, m, stage)
	}
	if err := m.sums(tx, w.version); err != nil {
		return nil, err
	}
	// Held against what was weighed, not against what the matter held last: after a
	// collision the transaction runs again, and an attempt that was rolled back has read
	// newer sums into the matter than the answer at hand was given on.
	if slices.Equal(w.sums, m.facts.Sums) {
		return w, nil
	}
	again := *w
	again.sealed, again.sums = nil, slices.Clone(m.facts.Sums)
	again.result = w.version.Evaluate(&m.facts, stage)
	return &again, nil
}

// record is what a weighing leaves in the log: the full typed input, so that the
// answer can be replayed exactly, and the answer.
type record struct {
	Facts         *signal.Facts         `json:"facts"`
	Outcome       countersign.Outcome   `json:"outcome"`
	Findings      []countersign.Finding `json:"findings"`
	Reasons       []countersign.Reason  `json:"reasons"`
	ForRequester  []countersign.Reason  `json:"for_requester,omitempty"`
	Waiting       []string              `json:"waits_for,omitempty"`
	PolicyVersion int64                 `json:"policy_version"`
	PolicyDigest  countersign.Digest    `json:"policy_digest"`
}

func (w *weighing) record(m *matter) ([]byte, error) {
	r := record{Facts: &m.facts, Outcome: w.result.Outcome, Findings: w.result.Findings, Reasons: w.result.Reasons, Waiting: w.result.Waiting,
		PolicyVersion: w.stored.Version, PolicyDigest: countersign.Digest(w.stored.Digest)}
	if !sameReasons(w.result.ForRequester, w.result.Reasons) {
		r.ForRequester = w.result.ForRequester
	}
	return json.Marshal(r)
}

func sameReasons(a, b []countersign.Reason) bool {
	return slices.EqualFunc(a, b, func(x, y countersign.Reason) bool { return x.Rule == y.Rule && x.Sentence == y.Sentence })
}
