package policy

import countersign "github.com/countersign/countersign"

// Fallback is what is required when something new stands against a request that no
// rule has an answer for: somebody of the default groups looks at it, with two
// factors.
func (v *Version) Fallback() countersign.Requirement {
	return countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssuranceMFA, MaxAge: defaultMaxAge,
		Clauses:      []countersign.Clause{{Count: 1, From: v.defaults.groups}},
		DecideWithin: v.defaults.decideWithin, ReleaseWithin: v.defaults.releaseWithin,
		Reminders: v.defaults.reminders, Escalate: v.defaults.escalate}
}
