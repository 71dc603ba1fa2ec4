package policy

import (
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

func (v *Version) evaluate(f *signal.Facts, stage Stage) Result {
	findings := signal.Compute(f, &v.settings)
	a, _ := v.pool.Get().(*activation)
	if a == nil {
		a = v.newActivation()
	}
	a.fill(f, findings)
	w := weighing{a: a, stage: stage, result: Result{Reasons: []countersign.Reason{}, Findings: findings, PolicyDigest: v.digest}}
	kind := ""
	if f.Document != nil {
		kind = f.Document.Kind
	}
	w.internal(kind)
	for _, r := range v.rules {
		if r.applies(kind) {
			w.weigh(r)
		}
	}
	w.finish(kind)
	a.fill(&signal.Facts{}, nil) // keep nothing of this request
	v.pool.Put(a)
	return w.result
}

// applies reports whether the rule is meant for such a document. A rule without a
// kind is meant for all documents, but not for changes to Countersign itself,
// whose facts are others: a rule names those it is meant for.
func (r *rule) applies(kind string) bool {
	if r.kinds == nil {
		return !countersign.InternalKind(kind)
	}
	return slices.Contains(r.kinds, kind)
}

// weighing is one evaluation while it runs.
type weighing struct {
	a      *activation
	stage  Stage
	result Result
}

// internal makes every change to Countersign itself step up, whatever the rules
// say: no policy can let its own change pass silently.
func (w *weighing) internal(kind string) {
	if !countersign.InternalKind(kind) {
		return
	}
	w.result.Requirement = countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssuranceMFA, MaxAge: defaultMaxAge,
		Clauses: []countersign.Clause{{Count: 1, From: w.a.v.defaults.groups}}}
	w.add(countersign.Reason{Rule: "change-to-countersign", State: countersign.True, Effect: countersign.OutcomeStepUp,
		Sentence: "a change to Countersign itself always needs a second person"}, "")
}

// add appends a reason for both readers; an empty sentence for the requester is
// the same one.
func (w *weighing) add(r countersign.Reason, forRequester string) {
	w.result.Reasons = append(w.result.Reasons, r)
	if forRequester != "" {
		r.Sentence = forRequester
	}
	w.result.ForRequester = append(w.result.ForRequester, r)
}

// weigh asks one rule.
func (w *weighing) weigh(r *rule) {
	state, missing := r.condition.state(w.a)
	if state == countersign.False {
		return
	}
	if state == countersign.Unknown && w.waits(missing) {
		w.result.Waiting = append(w.result.Waiting, r.name)
		return
	}
	reason := countersign.Reason{Rule: r.name, State: state, Effect: countersign.OutcomeStepUp, Missing: missing, Line: r.line}
	requirement := r.demands()
	switch {
	case state == countersign.Unknown:
		requirement = r.onUnknown
		reason.Recorded = r.recordOnly
	case r.deny:
		reason.Effect = countersign.OutcomeDeny
	}
	reason.Silenced = w.a.v.silenced(w.a, r)
	forApprover, forRequester := r.sentences(w.a, state, missing)
	reason.Sentence = forApprover
	w.add(reason, forRequester)
	if r.uses.person {
		w.result.AboutPerson = append(w.result.AboutPerson, r.name)
	}
	if Counts(&reason) {
		w.result.Requirement = w.result.Requirement.Merge(requirement)
	}
}

// waits reports whether a rule cannot be told only because nobody is named yet to
// approve. It is asked again for the person who is about to sign (ruling 6). As
// soon as any other fact is missing as well, the rule fires now.
func (w *weighing) waits(missing []string) bool {
	if w.stage != StageSubmit || w.a.f.Approver != nil || len(missing) == 0 {
		return false
	}
	for _, m := range missing {
		name, _, _ := strings.Cut(m, ".")
		if name != signal.MissingApprover && name != "acting_for" {
			return false
		}
	}
	return true
}

// silenced names the exception that keeps the rule from counting. Only an
// exception that has not expired and is certainly true does.
func (v *Version) silenced(a *activation, r *rule) string {
	for _, x := range v.exceptions {
		if x.rule != r.name || a.f.Now.IsZero() || !a.f.Now.Before(x.until) {
			continue
		}
		if state, _ := x.condition.state(a); state == countersign.True {
			return x.words
		}
	}
	return ""
}

// finish fills in what no rule said.
func (w *weighing) finish(kind string) {
	v, req := w.a.v, &w.result.Requirement
	if kind == "" {
		w.refuse("there is no document to weigh")
	}
	switch settle(req); req.Outcome {
	case countersign.OutcomeAllow:
		req.ReleaseWithin = v.defaults.releaseWithin
	case countersign.OutcomeStepUp:
		req.DecideWithin, req.ReleaseWithin = v.defaults.decideWithin, v.defaults.releaseWithin
		req.Reminders, req.Escalate = v.defaults.reminders, v.defaults.escalate
		req.NoVouching = req.NoVouching || slices.Contains(v.refuseVouch, kind)
		if req.Hold > 0 {
			*req = req.Merge(countersign.Requirement{Watchers: v.watchers})
		}
		if nobody(req, w.a.f.Approver != nil) {
			w.refuse("nobody is named to approve, and the policy has no approvers.default")
		}
	}
	w.result.Outcome = req.Outcome
}

func (w *weighing) refuse(why string) {
	w.result.Refusal = why
	w.result.Requirement.Outcome = countersign.OutcomeDeny
}
