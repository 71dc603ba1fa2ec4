package policy

import (
	"slices"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// Counts reports whether a reason is part of what is required: no exception silences it,
// and it is not only recorded.
func Counts(r *countersign.Reason) bool { return r.Silenced == "" && !r.Recorded }

// Verdict is a result seen both ways: as the policy answers, and by what is known alone,
// as if every fact that is missing were known and harmless.
type Verdict struct {
	Answer, Known         countersign.Requirement
	Refused, KnownRefused bool     // nobody could be asked
	Fired                 []string // rules that counted by what is known
}

// Verdict says what a result means for counting.
func (v *Version) Verdict(f *signal.Facts, r *Result) Verdict {
	out := Verdict{Answer: r.Requirement, Refused: r.Refusal != ""}
	for i := range r.Reasons {
		reason := &r.Reasons[i]
		if !Counts(reason) || reason.State == countersign.Unknown {
			continue
		}
		at := slices.IndexFunc(v.rules, func(rule *rule) bool { return rule.name == reason.Rule })
		if at < 0 {
			continue // a change to Countersign itself is no purchase
		}
		out.Fired = append(out.Fired, reason.Rule)
		out.Known = out.Known.Merge(v.rules[at].demands())
	}
	settle(&out.Known)
	if nobody(&out.Known, f.Approver != nil) {
		out.Known.Outcome, out.KnownRefused = countersign.OutcomeDeny, true
	}

	return out
}

// OnlyMissing: it would pass if what is missing were known and harmless.
func (v *Verdict) OnlyMissing() bool {
	return v.Answer.Outcome != countersign.OutcomeAllow && v.Known.Outcome == countersign.OutcomeAllow
}

// Stricter: people are asked for more than what is known demands.
func (v *Verdict) Stricter() bool {
	return v.Known.Outcome != countersign.OutcomeAllow && !sameDemand(v.Answer, v.Known)
}

// sameDemand compares what is asked of people.
func sameDemand(a, b countersign.Requirement) bool {
	return a.Outcome == b.Outcome && a.Assurance == b.Assurance && a.Hold == b.Hold && a.Reason == b.Reason &&
		len(a.Attestations) == len(b.Attestations) && slices.EqualFunc(a.Clauses, b.Clauses, func(x, y countersign.Clause) bool {
		return x.Count == y.Count && x.OutsideChain == y.OutsideChain && slices.Equal(x.From, y.From)
	})
}

// demands is what the rule requires where its condition is true.
func (r *rule) demands() countersign.Requirement {
	if r.deny {
		return countersign.Requirement{Outcome: countersign.OutcomeDeny}
	}
	return r.requirement
}

// settle fills in what no rule said.
func settle(req *countersign.Requirement) {
	switch {
	case req.Outcome == "":
		req.Outcome = countersign.OutcomeAllow
	case req.Outcome == countersign.OutcomeStepUp && req.Assurance == countersign.AssuranceNone:
		req.Assurance = countersign.AssuranceSession
	}
}

// nobody reports a request that nobody could decide: a clause without groups asks the
// approver who is named, and none is (ruling 7).
func nobody(req *countersign.Requirement, named bool) bool {
	return req.Outcome == countersign.OutcomeStepUp && !named &&
		slices.ContainsFunc(req.Clauses, func(c countersign.Clause) bool { return len(c.From) == 0 })
}
