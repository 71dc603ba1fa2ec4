package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
)

// What the verifier takes where the requirement leaves it open.
const (
	defaultMaxAge        = 15 * time.Minute    // of a factor that counts towards more than a session
	defaultDecideWithin  = 7 * 24 * time.Hour  // from submission, or from being sent back
	defaultReleaseWithin = 30 * 24 * time.Hour // from the end of the hold
	codePeriod           = 30                  // seconds of a TOTP time step (RFC 6238 §4.1)
	codeSteps            = 2                   // a code may be this many steps away from the entry's time
)

// decisionSteps takes the steps about one decision: first what the entry alone
// says, then, where the decision is shown, what it says and what was signed.
func (c *checker) decisionSteps(f *caseFile, m *madeDecision) {
	if c.failed() {
		return
	}
	id := m.entry.Leaf.Facts["decision"]
	if !c.step(StepDecision, id, m.open(f)) || m.decision == nil {
		return
	}
	d := m.decision
	c.step(StepStatement, id, m.checkStatement(f))
	c.step(StepExpiry, id, m.checkExpiry(f))
	if f.requirement != nil && d.Act == countersign.ActApprove {
		if f.requirement.Reason {
			c.step(StepReason, id, checkReason(d))
		}
		if len(f.requirement.Attestations) > 0 {
			c.step(StepAttestations, id, checkAttestations(f.requirement, d))
		}
	}
	if d.Evidence.Passkey != nil {
		c.passkeySteps(f, m)
	}
	if d.Evidence.TOTP != nil && !c.failed() {
		c.step(StepCode, id+": the server states that a code was right; there is nothing to compute", m.checkCode(f))
	}
	if !c.failed() {
		c.step(StepAssurance, id, m.checkAssurance(f))
		c.step(StepFreshness, id, m.checkFreshness(f))
	}
}

// open reads the decision and checks it against its entry.
func (m *madeDecision) open(f *caseFile) error {
	facts := m.entry.Leaf.Facts
	if countersign.Digest(facts["requirement_digest"]) != f.needDigest {
		return fmt.Errorf("%s was made under another requirement than %s demands", facts["decision"], f.governing().Leaf.ID)
	}
	if facts["policy_digest"] != f.governing().Leaf.Facts["policy_digest"] {
		return fmt.Errorf("%s was made under another policy than %s names", facts["decision"], f.governing().Leaf.ID)
	}
	switch countersign.Act(facts["act"]) {
	case countersign.ActApprove, countersign.ActDeny, countersign.ActRevoke:
	default:
		return fmt.Errorf("%s: no act %q", facts["decision"], jcs.Clip(facts["act"]))
	}
	o, shown := m.entry.Openings[countersign.OpeningDecision]
	if !shown {
		return nil
	}
	var d countersign.Decision
	if !jcs.IsCanonical([]byte(o.Value)) {
		return errors.New("the decision is not in canonical form")
	}
	if err := countersign.DecodeStrict([]byte(o.Value), &d); err != nil {
		return fmt.Errorf("decision: %w", err)
	}
	at, err := countersign.ParseTime(d.At)
	switch {
	case err != nil:
		return fmt.Errorf("decision: at: %w", err)
	case d.ID != facts["decision"]:
		return fmt.Errorf("the entry is of %s, the decision is %s", jcs.Clip(facts["decision"]), jcs.Clip(d.ID))
	case d.Person.ID != m.entry.Leaf.Actor:
		return fmt.Errorf("the entry's actor is %s, the decision's person %s", jcs.Clip(m.entry.Leaf.Actor), jcs.Clip(d.Person.ID))
	case string(d.Act) != facts["act"]:
		return fmt.Errorf("the entry says %q, the decision %q", facts["act"], jcs.Clip(string(d.Act)))
	case string(d.Evidence.Assurance) != facts["assurance"]:
		return fmt.Errorf("the entry says assurance %q, the decision %q", jcs.Clip(facts["assurance"]), jcs.Clip(string(d.Evidence.Assurance)))
	case !at.Equal(m.at):
		return fmt.Errorf("the entry is of %s, the decision of %s", m.entry.Leaf.Time, d.At)
	}
	m.decision = &d
	return nil
}

// checkStatement checks that what was signed names exactly what stands around it.
func (m *madeDecision) checkStatement(f *caseFile) error {
	d := m.decision
	s, err := countersign.ParseStatement(d.Evidence.Statement)
	if err != nil {
		return err
	}
	m.statement = s
	acting := ""
	if d.ActingFor != nil {
		acting = d.ActingFor.ID
	}
	nonce, err := jcs.DecodeBase64(base64.RawURLEncoding, s.Nonce)
	switch {
	case err != nil || len(nonce) != 32:
		return errors.New("the nonce is not 32 bytes of base64url")
	case s.Org != m.entry.Leaf.Org:
		return fmt.Errorf("it is for the organisation %q", jcs.Clip(s.Org))
	case s.Approval != m.entry.Leaf.Subject:
		return fmt.Errorf("it is for the request %q", jcs.Clip(s.Approval))
	case f.digest != "" && !s.Digest.Equal(f.digest):
		return fmt.Errorf("it is for the document %s, not %s", jcs.Clip(string(s.Digest)), f.digest)
	case !s.Digest.Valid():
		return errors.New("it names no document")
	case s.RequirementDigest != f.needDigest:
		return errors.New("it names another requirement than the one that stood")
	case string(s.PolicyDigest) != m.entry.Leaf.Facts["policy_digest"]:
		return errors.New("it names another policy than the one that stood")
	case s.Act != d.Act:
		return fmt.Errorf("it says %q, the decision %q", jcs.Clip(string(s.Act)), d.Act)
	case s.Person != d.Person.ID:
		return fmt.Errorf("it is by %q, the decision by %s", jcs.Clip(s.Person), d.Person.ID)
	case s.ActingFor != acting:
		return fmt.Errorf("it acts for %q, the decision for %q", jcs.Clip(s.ActingFor), acting)
	case s.Reason != d.Reason:
		return errors.New("it gives another reason than the decision")
	case !slices.Equal(s.Attestations, d.Attestations):
		return errors.New("its attestations are not those of the decision")
	}
	return nil
}

// checkExpiry: the statement was still open when the decision was logged, and the
// time to decide had not passed. One clock, the log's, judges both.
func (m *madeDecision) checkExpiry(f *caseFile) error {
	expires, err := countersign.ParseTime(m.statement.Expires)
	if err != nil {
		return fmt.Errorf("expires: %w", err)
	}
	if !m.at.Before(expires) {
		return fmt.Errorf("decided at %s under a statement that expired at %s", m.entry.Leaf.Time, m.statement.Expires)
	}
	// The time to decide starts again when the request is sent back.
	since, err := countersign.ParseTime(f.governing().Leaf.Time)
	if err != nil || f.requirement == nil || m.decision.Act != countersign.ActApprove {
		return err
	}
	if by := since.Add(orDefault(f.requirement.DecideWithin, defaultDecideWithin)); m.at.After(by) {
		return fmt.Errorf("decided at %s, later than %s", m.entry.Leaf.Time, by.Format(time.RFC3339))
	}
	return nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func orDefault(n int, standard time.Duration) time.Duration {
	if n == 0 {
		return standard
	}
	return seconds(n)
}

func checkReason(d *countersign.Decision) error {
	if d.Reason == "" {
		return errors.New("a written reason is required, and none is signed")
	}
	return nil
}

func checkAttestations(r *countersign.Requirement, d *countersign.Decision) error {
	for _, want := range r.Attestations {
		if !slices.ContainsFunc(d.Attestations, func(a countersign.Attestation) bool {
			return a.ID == want.ID && a.Question == want.Question && a.Answer != ""
		}) {
			return fmt.Errorf("the question %q is not answered", jcs.Clip(want.ID))
		}
	}
	return nil
}

// checkCode: a code counts only on top of a fresh factor of another kind, and its
// time step must be about the time of the decision (rulings: a code alone is
// nothing; a vouched factor counts where the requirement lets it).
func (m *madeDecision) checkCode(f *caseFile) error {
	e := m.decision.Evidence
	if e.TOTP.Authenticator == "" {
		return errors.New("it names no authenticator")
	}
	if off := m.at.Unix()/codePeriod - e.TOTP.Step; off > codeSteps || off < -codeSteps {
		return fmt.Errorf("time step %d is not of %s", e.TOTP.Step, m.entry.Leaf.Time)
	}
	if e.FirstFactor == nil {
		return errors.New("a code counts only on top of another factor, and there is none")
	}
	switch e.FirstFactor.Method {
	case "pwd", "passkey":
		if e.FirstFactor.StatedBy != "" {
			return fmt.Errorf("a first factor %q is seen here and stated by nobody else", e.FirstFactor.Method)
		}
	case "idp":
		if e.FirstFactor.StatedBy == "" {
			return errors.New("a first factor at an identity provider does not say which")
		}
	case "vouched":
		if !countersign.IsID(countersign.PrefixKey, e.FirstFactor.StatedBy) {
			return errors.New("a vouched first factor does not say which key stated it")
		}
		if f.requirement != nil && f.requirement.NoVouching && m.decision.Act == countersign.ActApprove {
			return errors.New("the requirement does not let a caller vouch for the first factor")
		}
	default:
		return fmt.Errorf("%q is no first factor", jcs.Clip(e.FirstFactor.Method))
	}
	return nil
}

// derive computes the assurance from the evidence, as far as it is shown. A
// passkey has been verified when this is asked.
func (m *madeDecision) derive() countersign.Assurance {
	e := m.decision.Evidence
	switch {
	case e.Passkey != nil && m.enrolment == nil:
		return countersign.AssuranceNone // the key is not shown: nothing was computed
	case e.Passkey != nil && m.enrolment.AttestedBy != "" && !m.enrolment.BackupEligible && !m.enrolment.Simulated:
		return countersign.AssuranceHardware
	case e.Passkey != nil:
		return countersign.AssurancePhishingResistant
	case e.TOTP != nil:
		return countersign.AssuranceMFA
	case e.FirstFactor != nil && e.FirstFactor.Method == "idp" && e.FirstFactor.StatedBy != "" && slices.Contains(e.AMR, "mfa"):
		return countersign.AssuranceMFA // as the identity provider states
	}
	return countersign.AssuranceSession
}

// checkAssurance compares what the evidence supports with what the server says it
// was, and with what was required. To deny or revoke, a session suffices.
func (m *madeDecision) checkAssurance(f *caseFile) error {
	stated := m.decision.Evidence.Assurance
	if !stated.Valid() {
		return fmt.Errorf("no assurance %q", jcs.Clip(string(stated)))
	}
	derived := m.derive()
	if derived == countersign.AssuranceNone {
		return nil // the enrolment is erased, and listed as such
	}
	if !derived.AtLeast(stated) {
		return fmt.Errorf("the evidence supports %q, the server says %q", derived, stated)
	}
	m.assurance = stated
	if f.requirement == nil || m.decision.Act != countersign.ActApprove {
		return nil
	}
	need := f.requirement.Assurance
	if m.decision.BreakGlass && !need.AtLeast(countersign.AssurancePhishingResistant) {
		need = countersign.AssurancePhishingResistant
	}
	if !stated.AtLeast(need) {
		return fmt.Errorf("%q is required, the evidence supports %q", need, stated)
	}
	return nil
}

// checkFreshness: max_age covers every factor that was counted.
func (m *madeDecision) checkFreshness(f *caseFile) error {
	e := m.decision.Evidence
	oldest, err := countersign.ParseTime(e.AuthTime)
	if err != nil {
		return fmt.Errorf("auth_time: %w", err)
	}
	if e.FirstFactor != nil {
		first, err := countersign.ParseTime(e.FirstFactor.At)
		if err != nil {
			return fmt.Errorf("first factor: %w", err)
		}
		if first.Before(oldest) || first.After(m.at) {
			return fmt.Errorf("the first factor is of %s, not between auth_time %s and the decision", e.FirstFactor.At, e.AuthTime)
		}
	}
	if oldest.After(m.at) {
		return fmt.Errorf("a factor of %s, after the decision", e.AuthTime)
	}
	if m.decision.Act != countersign.ActApprove {
		return nil
	}
	most := time.Duration(0)
	if e.Assurance != countersign.AssuranceSession {
		most = defaultMaxAge
	}
	if f.requirement != nil && f.requirement.MaxAge > 0 {
		most = seconds(f.requirement.MaxAge)
	}
	if most > 0 && m.at.Sub(oldest) > most {
		return fmt.Errorf("a factor of %s is older than %v at %s", e.AuthTime, most, m.entry.Leaf.Time)
	}
	return nil
}
