package audit_test

import (
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
)

// Requirements of the stories.
var (
	allowed   = countersign.Requirement{Outcome: countersign.OutcomeAllow}
	needsCode = countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssuranceMFA,
		Clauses: []countersign.Clause{{Count: 1, From: []string{"approvers"}}}}
	needsKey = countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant,
		Clauses: []countersign.Clause{{Count: 1, From: []string{"finance"}}}}
	needsTwo = countersign.Requirement{Outcome: countersign.OutcomeStepUp, Assurance: countersign.AssurancePhishingResistant, Hold: 86400, Reason: true,
		Clauses:      []countersign.Clause{{Count: 2, From: []string{"treasury"}}},
		Attestations: []countersign.Attestation{{ID: "callback", Question: "did you call the vendor on a number known before?"}}}
)

var password = countersign.FirstFactor{Method: "pwd"}

// stories are the kinds of receipts there are.
var stories = []struct {
	name string
	tell func(*world) *request
}{
	{"silent", func(w *world) *request { return w.submit(allowed) }},
	{"silent, released", func(w *world) *request {
		q := w.submit(allowed)
		q.release(time.Minute)
		return q
	}},
	{"passkey", func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{"code", func(w *world) *request {
		ann := w.person("Ann", "approvers")
		q := w.submit(needsCode)
		q.code(ann, password, countersign.StatusApproved, bend{})
		return q
	}},
	{"code, vouched", func(w *world) *request {
		ann := w.person("Ann", "approvers")
		q := w.submit(needsCode)
		q.code(ann, countersign.FirstFactor{Method: "vouched", StatedBy: w.caller}, countersign.StatusApproved, bend{})
		return q
	}},
	{"two people, held, released", func(w *world) *request {
		ann, bob := w.person("Ann", "treasury"), w.person("Bob", "finance", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.release(25 * time.Hour)
		return q
	}},
	{"reweighed", func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(allowed)
		w.publish("rules: [stricter]\n", 2)
		q.reweigh(needsKey, countersign.StatusPending)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{"the nominated, outside the chain", func(w *world) *request {
		ann := w.person("Ann", "sales")
		q := w.submit(needs(func(r *countersign.Requirement) { r.Clauses = []countersign.Clause{{Count: 1, OutsideChain: true}} }))
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{"break-glass", func(w *world) *request {
		ann, bob := w.person("Ann", "sales"), w.person("Bob", "treasury")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{decision: func(d *countersign.Decision) { d.BreakGlass = true }})
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{"denied", func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActDeny, countersign.StatusDenied, bend{})
		return q
	}},
	{"founding, simulated", func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		ann.enrolment.Simulated = true
		w.enrol(ann)
		q := w.submit(needsKey, func(s *audit.EntrySpec) { s.Facts["founding"] = "true" })
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{spec: func(s *audit.EntrySpec) { s.Facts["founding"] = "true" }})
		return q
	}},
}
