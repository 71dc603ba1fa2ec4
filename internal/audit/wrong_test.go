package audit_test

import (
	"slices"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/verify"
)

// wrong is a case that fails at exactly one step.
type wrong struct {
	name string
	step string
	tell func(*world) *request             // nil: the passkey story
	edit func(*countersign.Receipt)        // of the finished receipt
	raw  func([]byte) []byte               // of its bytes
	opts func(*verify.Options)             // of the verifier
	more func(*world, *request) (q []byte) // instead of the receipt
}

// approveWith tells the passkey story with a bend.
func approveWith(r countersign.Requirement, b bend) func(*world) *request {
	return func(w *world) *request {
		ann := w.person("Ann", "finance", "approvers", "treasury")
		q := w.submit(r)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, b)
		return q
	}
}

func codeWith(r countersign.Requirement, first countersign.FirstFactor, b bend) func(*world) *request {
	return func(w *world) *request {
		ann := w.person("Ann", "finance", "approvers")
		q := w.submit(r)
		q.code(ann, first, countersign.StatusApproved, b)
		return q
	}
}

func statementWith(change func(*countersign.Statement)) func(*world) *request {
	return approveWith(needsKey, bend{statement: change})
}

func clientWith(change func(map[string]any)) func(*world) *request {
	return approveWith(needsKey, bend{client: change})
}

func flagsWith(flags byte) func(*world) *request {
	return approveWith(needsKey, bend{auth: func(b []byte) []byte { b[32] = flags; return b }})
}

func needs(change func(*countersign.Requirement)) countersign.Requirement {
	r := needsKey
	change(&r)
	return r
}

var wrongs = slices.Concat(wrongReceipts, wrongCases, wrongDecisions, wrongPasskeys)

var wrongReceipts = []wrong{
	{name: "a space at the end", step: verify.StepEncoding, raw: func(b []byte) []byte { return append(b, ' ') }},
	{name: "another type", step: verify.StepEncoding, edit: func(r *countersign.Receipt) { r.Type = "countersign.receipt/v2" }},
	{name: "no entries", step: verify.StepEncoding, edit: func(r *countersign.Receipt) { r.Entries = []countersign.ReceiptEntry{} }},
	{name: "proof of another entry", step: verify.StepProof, edit: func(r *countersign.Receipt) { r.Entries[0].Proof = r.Entries[1].Proof }},
	{name: "one leaf changed", step: verify.StepProof, edit: func(r *countersign.Receipt) {
		r.Entries[1].Leaf = strings.Replace(r.Entries[1].Leaf, `"act":"approve"`, `"act":"deny"`, 1)
	}},
	{name: "another origin", step: verify.StepProof, edit: func(r *countersign.Receipt) { r.Origin = "countersign.example/log/other" }},
	{name: "extra line", step: verify.StepProof, edit: func(r *countersign.Receipt) {
		r.Entries[0].Proof = strings.Replace(r.Entries[0].Proof, "\nindex", "\nextra AAAA\nindex", 1)
	}},
	{name: "two checkpoints", step: verify.StepProof, more: func(w *world, q *request) []byte {
		r := q.receipt()
		w.filler(2)
		later := q.receipt()
		r.Entries[1].Proof = later.Entries[1].Proof
		return r.Bytes()
	}},
	{name: "another key", step: verify.StepCheckpoint, opts: func(o *verify.Options) {
		k, err := audit.GenerateKey(origin)
		if err != nil {
			panic(err)
		}
		o.Keys = []string{k.Verifier}
	}},
	{name: "no witness", step: verify.StepWitnesses, opts: func(o *verify.Options) {
		k, err := audit.GenerateKey("witness.example/w1")
		if err != nil {
			panic(err)
		}
		o.Witnesses, o.WitnessesNeeded = []string{k.Verifier}, 1
	}},
	{name: "another organisation expected", step: verify.StepExpected, opts: func(o *verify.Options) { o.Org = "org_other" }},
	{name: "another log expected", step: verify.StepExpected, opts: func(o *verify.Options) { o.Origin = "elsewhere" }},
	{name: "another request", step: verify.StepEntries, edit: func(r *countersign.Receipt) { r.Request = "req_01jd4z0000000000000000000z" }},
	{name: "another role", step: verify.StepEntries, edit: func(r *countersign.Receipt) { r.Entries[2].Role = countersign.RolePolicy }},
	{name: "out of order", step: verify.StepEntries, edit: func(r *countersign.Receipt) { r.Entries[1], r.Entries[2] = r.Entries[2], r.Entries[1] }},
	{name: "an entry twice", step: verify.StepEntries, edit: func(r *countersign.Receipt) {
		r.Entries = slices.Insert(r.Entries, 1, r.Entries[1])
	}},
	{name: "value of an opening", step: verify.StepCommitment, edit: func(r *countersign.Receipt) {
		o := r.Entries[0].Openings[countersign.OpeningDocument]
		o.Value = strings.Replace(o.Value, "30000.00", "30000.01", 1)
		r.Entries[0].Openings[countersign.OpeningDocument] = o
	}},
	{name: "openings exchanged", step: verify.StepCommitment, edit: func(r *countersign.Receipt) {
		o := r.Entries[0].Openings
		o[countersign.OpeningDocument], o[countersign.OpeningRequirement] = o[countersign.OpeningRequirement], o[countersign.OpeningDocument]
	}},
	{name: "opening of nothing", step: verify.StepCommitment, edit: func(r *countersign.Receipt) {
		r.Entries[0].Openings["more"] = countersign.NewOpening([]byte("x"))
	}},
	{name: "document erased", step: verify.StepOpenings, edit: func(r *countersign.Receipt) { delete(r.Entries[0].Openings, countersign.OpeningDocument) }},
	{name: "status claimed", step: verify.StepStatus, edit: func(r *countersign.Receipt) { r.Status = countersign.StatusReleased }},
	{name: "founding denied", step: verify.StepFounding, edit: func(r *countersign.Receipt) { r.Founding = true }},
	{name: "summary embellished", step: verify.StepSummary, edit: func(r *countersign.Receipt) { r.Summary += " Paid." }},
	{name: "document given differs", step: verify.StepDocument, opts: func(o *verify.Options) {
		o.Document = []byte(strings.Replace(string(order), "30000.00", "30000.01", 1))
	}},
}

var wrongCases = []wrong{
	{name: "policy published afterwards", step: verify.StepPolicy, tell: func(w *world) *request {
		q := w.submit(allowed)
		w.publish("rules: []\n", 2) // the same text, later
		q.policies = map[int64]bool{w.policyAt: true}
		return q
	}},
	{name: "policy of no part", step: verify.StepPolicy, tell: func(w *world) *request {
		w.publish("rules: [other]\n", 2)
		q := w.submit(allowed)
		q.policies[1] = true
		return q
	}},
	{name: "requirement exchanged", step: verify.StepRequirement, tell: func(w *world) *request {
		return w.submit(needsKey, func(s *audit.EntrySpec) {
			s.Openings[countersign.OpeningRequirement] = w.canonical(needsCode)
		})
	}},
	{name: "outcome differs from the requirement", step: verify.StepRequirement, tell: func(w *world) *request {
		return w.submit(needsKey, func(s *audit.EntrySpec) { s.Facts["outcome"], s.Facts["status"] = "allow", "approved" })
	}},
	{name: "requirement in another form", step: verify.StepRequirement, tell: func(w *world) *request {
		return w.submit(allowed, func(s *audit.EntrySpec) {
			text := []byte(`{"assurance":"","outcome":"allow"}`)
			s.Openings[countersign.OpeningRequirement], s.Facts["requirement_digest"] = text, string(countersign.SumBytes(text))
		})
	}},
	{name: "trap: a key of another organisation", step: verify.StepEntries, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		own := w.org
		w.org = w.id(countersign.PrefixOrganisation)
		w.enrol(ann)
		w.org = own
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "by no person", step: verify.StepDistinct, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		ann.id, ann.enrolment.Person = w.caller, w.caller // ruling 11: no key decides
		w.enrol(ann)
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "decided before it was submitted", step: verify.StepEntries, tell: func(w *world) *request {
		ann := w.person("Ann", "finance")
		early := &request{w: w, id: w.id(countersign.PrefixRequest), document: order, requirement: needsKey, keys: map[string]bool{}, policies: map[int64]bool{w.policyAt: true}}
		early.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		q := w.submit(needsKey, func(s *audit.EntrySpec) { s.Subject = early.id })
		q.entries = append(q.entries, early.entries...)
		return q
	}},
	{name: "released under no lease", step: verify.StepRelease, tell: func(w *world) *request {
		q := w.submit(allowed)
		q.logged(countersign.RoleRelease, w.add(audit.EntrySpec{Type: countersign.EntryRequestReleased, Subject: q.id, Actor: w.caller, Facts: map[string]string{"status": "released"}}))
		return q
	}},
	{name: "trap: quorum of zero", step: verify.StepRequirement, tell: func(w *world) *request {
		return w.submit(needs(func(r *countersign.Requirement) {
			r.Clauses = []countersign.Clause{{Count: 0, From: []string{"finance"}}}
		}))
	}},
	{name: "trap: one person counts twice", step: verify.StepDistinct, tell: func(w *world) *request {
		ann := w.person("Ann", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "too few people", step: verify.StepClauses, tell: func(w *world) *request {
		ann := w.person("Ann", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "people of another group", step: verify.StepClauses, tell: func(w *world) *request {
		ann := w.person("Ann", "sales")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "delegate and delegator are one", step: verify.StepClauses, tell: func(w *world) *request {
		ann, bob := w.person("Ann", "treasury"), w.person("Bob", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{
			statement: func(s *countersign.Statement) { s.ActingFor = ann.id },
			decision:  func(d *countersign.Decision) { d.ActingFor = &countersign.Principal{ID: ann.id, Name: ann.name} }})
		return q
	}},
	{name: "break-glass by one", step: verify.StepClauses, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) { d.BreakGlass = true }})},
	{name: "TestRuling21: break-glass beside a code", step: verify.StepClauses, tell: func(w *world) *request {
		ann, bob := w.person("Ann", "sales"), w.person("Bob", "approvers")
		q := w.submit(needsCode)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{decision: func(d *countersign.Decision) { d.BreakGlass = true }})
		q.code(bob, password, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "pending", step: verify.StepStatus, tell: func(w *world) *request { return w.submit(needsKey) }},
	{name: "decided after a denial", step: verify.StepStatus, tell: func(w *world) *request {
		ann, bob := w.person("Ann", "finance"), w.person("Bob", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActDeny, countersign.StatusDenied, bend{})
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "trap: approved is a flag", step: verify.StepStatus, tell: func(w *world) *request {
		return w.submit(needsKey, func(s *audit.EntrySpec) { s.Facts["status"] = "approved" })
	}},
	{name: "released before the hold ends", step: verify.StepRelease, tell: func(w *world) *request {
		ann, bob := w.person("Ann", "treasury"), w.person("Bob", "treasury")
		q := w.submit(needsTwo)
		q.decide(ann, countersign.ActApprove, countersign.StatusPending, bend{})
		w.now = w.now.Add(23 * time.Hour) // ruling 23: the hold counts from the last decision
		q.decide(bob, countersign.ActApprove, countersign.StatusApproved, bend{})
		q.release(2 * time.Hour)
		return q
	}},
	{name: "released too late", step: verify.StepRelease, tell: func(w *world) *request {
		q := w.submit(allowed)
		q.release(31 * 24 * time.Hour)
		return q
	}},
}

var wrongDecisions = []wrong{
	{name: "entry of another person", step: verify.StepDecision, tell: approveWith(needsKey, bend{spec: func(s *audit.EntrySpec) { s.Actor = "per_01jd4z0000000000000000000z" }})},
	{name: "entry of another act", step: verify.StepDecision, tell: approveWith(needsKey, bend{spec: func(s *audit.EntrySpec) { s.Facts["act"] = "deny" }})},
	{name: "entry of another time", step: verify.StepDecision, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) { d.At = "2026-11-24T06:00:00.000000Z" }})},
	{name: "under another requirement", step: verify.StepDecision, tell: func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		q.requirement = needsCode
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "under another policy", step: verify.StepDecision, tell: func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(needsKey)
		w.publish("rules: [other]\n", 2)
		q.policies[w.policyAt] = true
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "TestRuling16: another organisation", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Org = "org_other" })},
	{name: "TestRuling16: another request", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Approval = "req_other" })},
	{name: "TestRuling16: another document", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Digest = countersign.SumBytes([]byte("x")) })},
	{name: "TestRuling16: another requirement", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.RequirementDigest = countersign.SumBytes([]byte("x")) })},
	{name: "TestRuling16: another policy", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.PolicyDigest = countersign.SumBytes([]byte("x")) })},
	{name: "TestRuling16: another act", step: verify.StepStatement, tell: approveWith(needsKey, bend{statement: func(s *countersign.Statement) { s.Act = countersign.ActDeny },
		decision: func(d *countersign.Decision) { d.Act = countersign.ActApprove }})},
	{name: "TestRuling16: another person", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Person = "per_other" })},
	{name: "TestRuling16: acting for somebody", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.ActingFor = "per_other" })},
	{name: "TestRuling16: another reason", step: verify.StepStatement, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) { d.Reason = "put in afterwards" }})},
	{name: "TestRuling16: other answers", step: verify.StepStatement, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) {
		d.Attestations = []countersign.Attestation{{ID: "callback", Question: "?", Answer: "yes"}}
	}})},
	{name: "TestRuling16: short nonce", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Nonce = "AAAA" })},
	{name: "TestRuling16: another version", step: verify.StepStatement, tell: statementWith(func(s *countersign.Statement) { s.Version = 2 })},
	{name: "statement expired", step: verify.StepExpiry, tell: statementWith(func(s *countersign.Statement) { s.Expires = "2026-11-24T06:00:00.000000Z" })},
	{name: "time to decide over", step: verify.StepExpiry, tell: func(w *world) *request {
		ann := w.person("Ann", "finance")
		q := w.submit(needs(func(r *countersign.Requirement) { r.DecideWithin = 3600 }))
		w.now = w.now.Add(2 * time.Hour)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "no reason", step: verify.StepReason, tell: approveWith(needs(func(r *countersign.Requirement) { r.Reason = true }), bend{statement: func(s *countersign.Statement) { s.Reason = "" }})},
	{name: "question not answered", step: verify.StepAttestations, tell: approveWith(needs(func(r *countersign.Requirement) { r.Attestations = needsTwo.Attestations }),
		bend{statement: func(s *countersign.Statement) { s.Attestations[0].Answer = "" }})},
	{name: "question not asked", step: verify.StepAttestations, tell: approveWith(needs(func(r *countersign.Requirement) { r.Attestations = needsTwo.Attestations }),
		bend{statement: func(s *countersign.Statement) { s.Attestations = nil }})},
	{name: "TestRuling18: code alone", step: verify.StepCode, tell: codeWith(needsCode, password, bend{decision: func(d *countersign.Decision) { d.Evidence.FirstFactor = nil }})},
	{name: "TestRuling18: code on a code", step: verify.StepCode, tell: codeWith(needsCode, countersign.FirstFactor{Method: "totp"}, bend{})},
	{name: "TestRuling13: vouching refused", step: verify.StepCode, tell: func(w *world) *request {
		r := needsCode
		r.NoVouching = true
		return codeWith(r, countersign.FirstFactor{Method: "vouched", StatedBy: w.caller}, bend{})(w)
	}},
	{name: "vouched by nobody", step: verify.StepCode, tell: codeWith(needsCode, countersign.FirstFactor{Method: "vouched"}, bend{})},
	{name: "code of another time", step: verify.StepCode, tell: codeWith(needsCode, password, bend{decision: func(d *countersign.Decision) { d.Evidence.TOTP.Step -= 10 }})},
	{name: "code where a passkey is asked", step: verify.StepAssurance, tell: codeWith(needsKey, password, bend{})},
	{name: "more stated than shown", step: verify.StepAssurance, tell: codeWith(needsCode, password, bend{decision: func(d *countersign.Decision) {
		d.Evidence.Assurance = countersign.AssurancePhishingResistant
	}})},
	{name: "TestRuling19: hardware without attestation", step: verify.StepAssurance, tell: approveWith(needs(func(r *countersign.Requirement) { r.Assurance = countersign.AssuranceHardware }),
		bend{decision: func(d *countersign.Decision) { d.Evidence.Assurance = countersign.AssuranceHardware }})},
	{name: "signed in only", step: verify.StepAssurance, tell: codeWith(needsCode, password, bend{decision: func(d *countersign.Decision) {
		d.Evidence.TOTP, d.Evidence.Assurance = nil, countersign.AssuranceSession
	}})},
	{name: "trap: max_age covers every factor", step: verify.StepFreshness, tell: func(w *world) *request {
		return codeWith(needsCode, countersign.FirstFactor{Method: "pwd", At: w.now.Add(-16 * time.Minute).Format(audit.TimeFormat)}, bend{})(w)
	}},
	{name: "auth_time later than the first factor", step: verify.StepFreshness, tell: codeWith(needsCode, password, bend{decision: func(d *countersign.Decision) { d.Evidence.AuthTime = d.At }})},
	{name: "auth_time in the future", step: verify.StepFreshness, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) { d.Evidence.AuthTime = "2026-12-24T06:00:00.000000Z" }})},
}

var wrongPasskeys = []wrong{
	{name: "enrolled afterwards", step: verify.StepEnrolment, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		w.enrol(ann)
		q.entries = q.entries[:2]
		q.logged(countersign.RoleEnrolment, ann.enrolledAt)
		return q
	}},
	{name: "not enrolled", step: verify.StepEnrolment, edit: func(r *countersign.Receipt) { r.Entries = slices.Delete(r.Entries, 2, 3) }},
	{name: "another person's key", step: verify.StepEnrolment, tell: func(w *world) *request {
		ann, eve := w.person("Ann", "finance"), w.person("Eve")
		ann.fac, ann.key, ann.enrolledAt, ann.enrolment = eve.fac, eve.key, eve.enrolledAt, eve.enrolment
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "bound to another person", step: verify.StepEnrolment, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		ann.enrolment.Person = "per_other"
		w.enrol(ann)
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "enrolled for another relying party", step: verify.StepEnrolment, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		ann.enrolment.RPID = "other.example"
		w.enrol(ann)
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "another credential", step: verify.StepEnrolment, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) { d.Evidence.Passkey.CredentialID = "AAAA" }})},
	{name: "simulated, not stamped", step: verify.StepEnrolment, tell: func(w *world) *request {
		ann := w.stranger("Ann", "finance")
		ann.enrolment.Simulated = true
		w.enrol(ann)
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{decision: func(d *countersign.Decision) { d.Evidence.Passkey.Simulated = false }})
		return q
	}},
	{name: "another challenge", step: verify.StepPasskeyChallenge, tell: clientWith(func(m map[string]any) { m["challenge"] = b64(strings.Repeat("x", 32)) })},
	{name: "registration for assertion", step: verify.StepPasskeyChallenge, tell: clientWith(func(m map[string]any) { m["type"] = "webauthn.create" })},
	{name: "payment for assertion", step: verify.StepPasskeyChallenge, tell: clientWith(func(m map[string]any) { m["type"] = "payment.get" })},
	{name: "no challenge", step: verify.StepPasskeyChallenge, tell: clientWith(func(m map[string]any) { delete(m, "challenge") })},
	{name: "another site", step: verify.StepPasskeyOrigin, tell: clientWith(func(m map[string]any) { m["origin"] = "https://approve.example.evil.test" })},
	{name: "another site in the evidence too", step: verify.StepPasskeyOrigin, tell: approveWith(needsKey, bend{client: func(m map[string]any) { m["origin"] = "https://evil.test" },
		decision: func(d *countersign.Decision) { d.Evidence.Passkey.Origin = "https://evil.test" }})},
	{name: "trap: in a foreign frame", step: verify.StepPasskeyOrigin, tell: clientWith(func(m map[string]any) { m["crossOrigin"] = true })},
	{name: "trap: under a foreign page", step: verify.StepPasskeyOrigin, tell: clientWith(func(m map[string]any) { m["topOrigin"] = "https://evil.test" })},
	{name: "another relying party", step: verify.StepPasskeyOrigin, tell: approveWith(needsKey, bend{auth: func(b []byte) []byte { b[0] ^= 1; return b }})},
	{name: "another relying party expected", step: verify.StepPasskeyOrigin, opts: func(o *verify.Options) { o.RPID = "other.example" }},
	{name: "another site expected", step: verify.StepPasskeyOrigin, opts: func(o *verify.Options) { o.Origins = []string{"https://other.example"} }},
	{name: "person not verified", step: verify.StepUserVerification, tell: flagsWith(0x01)},
	{name: "nobody present", step: verify.StepUserVerification, tell: flagsWith(0x04)},
	{name: "backed up and not eligible", step: verify.StepUserVerification, tell: flagsWith(0x15)},
	{name: "eligible and not enrolled so", step: verify.StepUserVerification, tell: flagsWith(0x0D)},
	{name: "signature of another key", step: verify.StepPasskeySignature, tell: func(w *world) *request {
		ann, eve := w.person("Ann", "finance"), w.stranger("Eve")
		ann.key = eve.key
		q := w.submit(needsKey)
		q.decide(ann, countersign.ActApprove, countersign.StatusApproved, bend{})
		return q
	}},
	{name: "signature damaged", step: verify.StepPasskeySignature, tell: approveWith(needsKey, bend{sign: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }})},
	{name: "counter changed after signing", step: verify.StepPasskeySignature, tell: approveWith(needsKey, bend{decision: func(d *countersign.Decision) {
		d.Evidence.Passkey.AuthenticatorData = strings.TrimSuffix(d.Evidence.Passkey.AuthenticatorData, "Bw") + "CA"
	}})},
}
