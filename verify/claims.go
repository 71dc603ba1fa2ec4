package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign"
)

// claims lists what the receipt says, and who answers for each part of it. Only
// what a passkey signed is the person's own word; everything else somebody states.
func (c *checker) claims(f *caseFile) {
	if actor := f.submission.Leaf.Actor; countersign.IsID(countersign.PrefixKey, actor) {
		c.claim("caller "+actor, "submitted the document %s", shownOr(string(f.digest)))
	} else {
		c.claim(ByServer, "the document %s was submitted by %s", shownOr(string(f.digest)), actor)
	}
	if f.outcome == countersign.OutcomeAllow {
		c.claim(ByServer, "allowed by policy v%s; nobody was asked", f.policyVersion())
	} else {
		c.claim(ByServer, "policy v%s answered %s", f.policyVersion(), f.outcome)
	}
	for i := range f.decisions {
		c.decisionClaims(&f.decisions[i])
		c.eligibilityClaims(f, &f.decisions[i])
	}
	c.chainClaim(f)
	c.claim(ByServer, "status %s", c.v.Status)
	if c.v.NotBefore != "" {
		c.claim(ByServer, "held: no release before %s", c.v.NotBefore)
	}
	if f.release != nil {
		c.claim(ByServer, "released at %s under %s", f.release.Leaf.Time, f.release.Leaf.Facts["lease"])
	}
	if c.v.Founding {
		c.claim(ByServer, "made while the organisation had fewer than two administrators")
	}
	for _, u := range c.v.Erased {
		c.claim(ByNobody, "the %s of %s is no longer shown and cannot be verified; that it was committed to is proven", u.Opening, u.Entry)
	}
}

func (c *checker) claim(by, format string, args ...any) {
	c.v.Claims = append(c.v.Claims, Claim{Text: fmt.Sprintf(format, args...), By: by})
}

func shownOr(s string) string {
	if s == "" {
		return "(no longer shown)"
	}
	return s
}

func (c *checker) decisionClaims(m *madeDecision) {
	d := m.decision
	if d == nil {
		c.claim(ByServer, "%s: %s at %s", m.entry.Leaf.Actor, m.entry.Leaf.Facts["act"], m.entry.Leaf.Time)
		return
	}
	by := ByServer
	if m.enrolment != nil {
		by = "person " + d.Person.ID
	}
	c.claim(by, "%s: %s the document %s under the requirement %s and the policy %s",
		d.Person.ID, d.Act, m.statement.Digest, m.statement.RequirementDigest, m.statement.PolicyDigest)
	if m.statement.ActingFor != "" {
		c.claim(by, "%s acts for %s", d.Person.ID, m.statement.ActingFor)
	}
	if m.statement.Reason != "" {
		c.claim(by, "%s gives the reason: %s", d.Person.ID, m.statement.Reason)
	}
	for _, a := range m.statement.Attestations {
		c.claim(by, "%s answers %q: %s", d.Person.ID, a.Question, a.Answer)
	}
	c.claim(ByServer, "%s is %s, in the groups %s, at %s", d.Person.ID, d.Person.Name, strings.Join(d.Groups, ", "), m.entry.Leaf.Time)
	if d.BreakGlass {
		c.claim(ByServer, "%s decided under break-glass, in place of the groups that the requirement names", d.Person.ID)
	}
	c.evidenceClaims(m)
}

// eligibilityClaims says what made an approval count that no receipt can prove: who
// reports to whom, who asked, and what a person may do stand in the server's records
// of that day alone.
func (c *checker) eligibilityClaims(f *caseFile, m *madeDecision) {
	if countersign.Act(m.entry.Leaf.Facts["act"]) != countersign.ActApprove {
		return
	}
	who := m.entry.Leaf.Actor
	c.claim(ByServer, "%s was active and eligible, and is neither who asked for this nor who answers for them", who)
	if f.requirement == nil || m.decision == nil {
		return
	}
	if slices.ContainsFunc(f.requirement.Clauses, func(cl countersign.Clause) bool { return len(cl.From) == 0 }) || len(f.requirement.Clauses) == 0 {
		c.claim(ByServer, "%s is the approver whom the request names", who)
	}
	if f.brokeGlass() && m.assurance == countersign.AssuranceNone {
		c.claim(ByServer, "%s approved beside a break-glass with %s, which is not computed here", who, m.decision.Evidence.Assurance)
	}
}

// chainClaim says whose word it is that people outside the requester's line approved.
func (c *checker) chainClaim(f *caseFile) {
	if f.requirement == nil || len(f.decisions) == 0 || !slices.ContainsFunc(f.requirement.Clauses, func(cl countersign.Clause) bool { return cl.OutsideChain }) {
		return
	}
	c.claim(ByServer, "somebody outside the requester's reporting line was asked for: who reports to whom is not shown, and the server counted them")
}

// brokeGlass reports whether an approval was made by break-glass, as far as is shown.
func (f *caseFile) brokeGlass() bool {
	return slices.ContainsFunc(f.decisions, func(m madeDecision) bool {
		return m.decision != nil && m.decision.BreakGlass && m.decision.Act == countersign.ActApprove
	})
}

// evidenceClaims says how the act was proven, and what that cannot prove.
func (c *checker) evidenceClaims(m *madeDecision) {
	e, person := m.decision.Evidence, m.decision.Person.ID
	switch {
	case m.enrolment != nil:
		c.claim(ByServer, "the key of %s belongs to %s, %s (enrolled by %s)", m.enrolment.Authenticator, m.enrolment.Person, m.enrolment.Name, m.enrolment.EnrolledBy)
		if m.enrolment.Simulated {
			c.claim(ByNobody, "%s is a simulated authenticator: its signature proves nothing about a person", m.enrolment.Authenticator)
		}
	case e.Passkey != nil:
		c.claim(ByServer, "%s used the passkey %s, whose key is no longer shown", person, e.Passkey.Authenticator)
	case e.TOTP != nil:
		c.claim(ByServer, "%s entered a right code of %s: nothing can be computed here, because the server knows the secret too; "+
			"and a code can be asked out of a person by a false page, so it is weaker than a passkey", person, e.TOTP.Authenticator)
	default:
		c.claim(ByServer, "%s was signed in: nothing was signed for this act", person)
	}
	if ff := e.FirstFactor; ff != nil {
		if ff.Method == "vouched" {
			c.claim("caller "+ff.StatedBy, "first factor of %s at %s, %s: stated by key %s", person, ff.At, ff.Method, ff.StatedBy)
		} else {
			c.claim(ByServer, "first factor of %s at %s: %s", person, ff.At, strings.TrimSpace(ff.Method+" "+ff.StatedBy))
		}
	}
}

// Summary is the one sentence that a receipt of these entries bears: what was
// decided, by whom, under which policy; and what the receipt does not show. It is
// a function of the entries, so that it cannot say anything else than they do.
func Summary(entries []CaseEntry) string {
	var s summary
	for i := range entries {
		s.add(&entries[i])
	}
	return s.String()
}

type summary struct {
	request, digest, policy, release string
	outcome                          countersign.Outcome
	policies                         map[string]string // digest → version
	acts                             []string
	simulated, founding              bool
	notShown                         map[string]bool
}

func (s *summary) add(e *CaseEntry) {
	facts := e.Leaf.Facts
	s.founding = s.founding || (stampable(e.Role) && facts["founding"] == "true")
	switch e.Role {
	case countersign.RoleSubmission, countersign.RoleReweighing:
		s.outcome, s.policy = countersign.Outcome(facts["outcome"]), facts["policy_digest"]
		if e.Role == countersign.RoleSubmission {
			s.request, s.digest = e.Leaf.Subject, "(not shown)"
			if o, shown := e.Openings[countersign.OpeningDocument]; shown {
				s.digest = string(countersign.SumBytes([]byte(o.Value)))
			}
		}
	case countersign.RolePolicy:
		if s.policies == nil {
			s.policies = map[string]string{}
		}
		s.policies[facts["policy_digest"]] = facts["version"]
	case countersign.RoleDecision:
		s.acts = append(s.acts, s.act(e))
	case countersign.RoleRelease:
		s.release = e.Leaf.Time
	}
	for name := range e.Leaf.Commitments {
		if _, shown := e.Openings[name]; !shown {
			if s.notShown == nil {
				s.notShown = map[string]bool{}
			}
			s.notShown[name] = true
		}
	}
}

var actWords = map[string]string{string(countersign.ActApprove): "approved", string(countersign.ActDeny): "denied", string(countersign.ActRevoke): "revoked"}

func (s *summary) act(e *CaseEntry) string {
	who := e.Leaf.Actor
	how := ""
	var d countersign.Decision
	if o, shown := e.Openings[countersign.OpeningDecision]; shown && countersign.DecodeStrict([]byte(o.Value), &d) == nil {
		who = d.Person.Name + " (" + who + ")"
		switch {
		case d.Evidence.Passkey != nil:
			how = " with a passkey"
			s.simulated = s.simulated || d.Evidence.Passkey.Simulated
		case d.Evidence.TOTP != nil:
			how = " with a code"
		default:
			how = " while signed in"
		}
	}
	return actWords[e.Leaf.Facts["act"]] + " by " + who + how
}

func (s *summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Request %s, document %s: ", s.request, s.digest)
	version := s.policies[s.policy]
	switch {
	case len(s.acts) > 0:
		fmt.Fprintf(&b, "%s, under policy v%s.", strings.Join(s.acts, ", "), version)
	case s.outcome == countersign.OutcomeAllow:
		fmt.Fprintf(&b, "allowed by policy v%s; nobody was asked.", version)
	default:
		fmt.Fprintf(&b, "%s by policy v%s.", map[countersign.Outcome]string{countersign.OutcomeDeny: "refused", countersign.OutcomeStepUp: "not decided"}[s.outcome], version)
	}
	if s.release != "" {
		fmt.Fprintf(&b, " Released at %s.", s.release)
	}
	if s.founding {
		b.WriteString(" Made while the organisation had fewer than two administrators.")
	}
	if s.simulated {
		b.WriteString(" A passkey was simulated.")
	}
	if len(s.notShown) > 0 {
		fmt.Fprintf(&b, " Not shown: %s.", strings.Join(slices.Sorted(maps.Keys(s.notShown)), ", "))
	}
	return b.String()
}
