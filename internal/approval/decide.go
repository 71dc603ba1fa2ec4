package approval

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

// maxReason bounds the bytes of a written reason.
const maxReason = 2000

// Proof is how the act was proven, as derived from its evidence (package authn).
type Proof struct {
	Assurance      countersign.Assurance
	AuthTime       time.Time // of the oldest factor that was counted
	Vouched        bool      // a calling system stated the first factor (ruling 13)
	Authenticators []string  // fac_… that were used
}

// Act is one person's act on an approval, already authenticated.
type Act struct {
	Decision string // dec_…: the id of the decision it becomes
	Version  int64  // of the approval that the person acted on: compare-and-swap
	Candidate
	Statement  countersign.Statement // what was signed
	Unexpected bool                  // "I did not expect this": with a denial only
	Proof      Proof
	Now        time.Time
}

// Decide records an approval or a denial (ruling 35: one eligible denial denies, and
// a session suffices for it). The errors are problems: conflict (another version, or
// decided already), gone (expired), wrong_state, document_changed, forbidden with
// the reasons in words, invalid (attestations, reason), unauthenticated (factor).
//
// A denial needs no written reason and no attestations, and may come from a person
// who has approved before or whose limit is too small: to stop must stay easy.
func Decide(s State, a Act) (State, error) { return strict().decide(s, a) }

func (m machine) decide(s State, a Act) (State, error) {
	event := EventApprove
	switch a.Statement.Act {
	case countersign.ActApprove:
	case countersign.ActDeny:
		event = EventDeny
	default:
		return s, countersign.NewProblem(countersign.CodeInvalid, "the act %q is neither approve nor deny", a.Statement.Act)
	}
	s, err := m.admit(s, a, event)
	if err != nil {
		return s, err
	}
	e := m.checks.eligible(s, a.Candidate, a.Now)
	if event == EventDeny {
		return m.deny(s, a, e)
	}
	if !e.MayApprove {
		return s, barred(a, e, false)
	}
	r := s.requiredOf(a.Candidate)
	if err := m.checks.factor(r, a.Proof, a.Now); err != nil {
		return s, err
	}
	if err := justified(r, a); err != nil {
		return s, err
	}
	s = s.record(a)
	if !m.met(s) {
		return s, s.move(EventApprove, countersign.StatusPending, a.Now)
	}
	s.approve(a.Now)
	return s, s.move(EventApprove, countersign.StatusApproved, a.Now)
}

// admit is what every act passes first: the version, the status, both deadlines and
// the statement. The deadlines are of one clock: an act in time by one and late by
// the other is late.
func (m machine) admit(s State, a Act, event Event) (State, error) {
	if a.Decision == "" || a.Now.IsZero() {
		return s, countersign.NewProblem(countersign.CodeInternal, "an act needs an id and a time")
	}
	if err := require(s, event); err != nil {
		return s, err
	}
	if err := m.checks.version(s.Version, a.Version); err != nil {
		return s, err
	}
	s, err := m.settle(s, a.Now)
	if err != nil {
		return s, err
	}
	expires, err := time.Parse(time.RFC3339, a.Statement.Expires)
	if err != nil {
		return s, countersign.NewProblem(countersign.CodeInvalid, "the statement does not say when it expires")
	}
	if m.checks.passed(expires, a.Now) {
		return s, countersign.NewProblem(countersign.CodeGone, "the statement expired on %s", stamp(expires)).WithHint("ask for a new challenge")
	}
	if slices.ContainsFunc(s.Decisions, func(d Decision) bool { return d.ID == a.Decision }) {
		return s, countersign.NewProblem(countersign.CodeConflict, "the decision %s is already recorded", a.Decision)
	}
	return s, m.checks.agrees(s, a)
}

func (m machine) deny(s State, a Act, e Eligibility) (State, error) {
	if !e.MayDeny {
		return s, barred(a, e, true)
	}
	if err := signedIn(a.Proof); err != nil {
		return s, err
	}
	if len(a.Statement.Reason) > maxReason {
		return s, countersign.NewProblem(countersign.CodeInvalid, "the reason has %d bytes, at most %d", len(a.Statement.Reason), maxReason)
	}
	s = s.record(a)
	return s, s.move(EventDeny, countersign.StatusDenied, a.Now)
}

// agrees refuses a statement that names anything else than what stands here
// (ruling 16): a digest that is computed, shown and stored, and compared with
// nothing, is none.
func agrees(s State, a Act) error {
	st := a.Statement
	acting := ""
	if a.ActingFor != nil {
		acting = a.ActingFor.Person.ID
	}
	changed := func(what string) error {
		return countersign.NewProblem(countersign.CodeConflict, "%s changed since it was shown", what).WithHint("look at the request again and ask for a new challenge")
	}
	switch {
	case !st.Digest.Equal(s.Digest):
		return countersign.NewProblem(countersign.CodeChanged, "the document that was shown is not the one that is stored").WithHint("look at the request again and ask for a new challenge")
	case !st.RequirementDigest.Equal(s.RequirementDigest):
		return changed("what is required")
	case !st.PolicyDigest.Equal(s.PolicyDigest):
		return changed("the policy")
	case st.Version != countersign.StatementVersion, st.Org != s.Org, st.Approval != s.ID:
		return countersign.NewProblem(countersign.CodeForbidden, "the statement is for another request")
	case st.Person != a.Person.ID || st.Person == "", st.ActingFor != acting:
		return countersign.NewProblem(countersign.CodeForbidden, "the statement is of another person")
	case st.Nonce == "":
		return countersign.NewProblem(countersign.CodeInvalid, "the statement has no nonce")
	}
	return nil
}

// proves refuses a proof that is too weak or too old for the requirement
// (rulings 13, 18). It is judged for this act: what the session could do does not
// count. Who it is, is known, so the problem is "forbidden"; only a proof of nothing
// is "unauthenticated".
func proves(r countersign.Requirement, p Proof, now time.Time) error {
	if !p.Assurance.AtLeast(countersign.AssuranceSession) {
		return countersign.NewProblem(countersign.CodeUnauthenticated, "this needs %s, and the act was proven by %s", assuranceWords(r.Assurance), assuranceWords(p.Assurance)).
			WithHint("sign in and prove it")
	}
	if !p.Assurance.AtLeast(r.Assurance) {
		return countersign.NewProblem(countersign.CodeForbidden, "this needs %s, and the act was proven by %s", assuranceWords(r.Assurance), assuranceWords(p.Assurance)).
			WithHint("prove it again with a stronger factor")
	}
	if r.NoVouching && p.Vouched {
		return countersign.NewProblem(countersign.CodeForbidden, "a first factor that another system states does not count here").WithHint("sign in here")
	}
	if r.MaxAge == 0 && r.Assurance == countersign.AssuranceSession {
		return nil // a live session, however old its sign-in
	}
	most := seconds(r.MaxAge, DefaultMaxAge)
	if age := now.Sub(p.AuthTime); p.AuthTime.IsZero() || age > most || age < -ClockTolerance {
		return countersign.NewProblem(countersign.CodeForbidden, "a factor that was used is older than %s", most).WithHint("use it again for this act")
	}
	return nil
}

// signedIn is all that an act needs that only stops a request.
func signedIn(p Proof) error {
	if p.Assurance.AtLeast(countersign.AssuranceSession) {
		return nil
	}
	return countersign.NewProblem(countersign.CodeUnauthenticated, "nobody is signed in").WithHint("sign in")
}

func assuranceWords(a countersign.Assurance) string {
	switch a {
	case countersign.AssuranceSession:
		return "a live sign-in"
	case countersign.AssuranceMFA:
		return "two different factors"
	case countersign.AssurancePhishingResistant:
		return "a passkey"
	case countersign.AssuranceHardware:
		return "an attested hardware key"
	}
	return "nothing that counts"
}

// justified refuses an approval without the required reason or answers. The
// answered questions are exactly those that are required: one more would be signed
// without having been asked.
func justified(r countersign.Requirement, a Act) error {
	var wrong []countersign.FieldError
	reason := strings.TrimSpace(a.Statement.Reason)
	if r.Reason && reason == "" {
		wrong = append(wrong, countersign.FieldError{Pointer: "/reason", Detail: "required: why this is right"})
	}
	if len(a.Statement.Reason) > maxReason {
		wrong = append(wrong, countersign.FieldError{Pointer: "/reason", Detail: "too long"})
	}
	if a.Unexpected {
		wrong = append(wrong, countersign.FieldError{Pointer: "/unexpected", Detail: "goes with a denial only"})
	}
	type question struct{ id, text string }
	open := map[question]bool{}
	for _, q := range r.Attestations {
		open[question{q.ID, q.Question}] = true
	}
	for _, q := range a.Statement.Attestations {
		key := question{q.ID, q.Question}
		switch {
		case !open[key]:
			wrong = append(wrong, countersign.FieldError{Pointer: "/attestations", Detail: "the question " + q.ID + " is not asked, or stands twice"})
		case strings.TrimSpace(q.Answer) == "" || len(q.Answer) > maxReason:
			wrong = append(wrong, countersign.FieldError{Pointer: "/attestations", Detail: "the question " + q.ID + " needs an answer of at most 2000 bytes"})
		}
		delete(open, key)
	}
	for _, q := range r.Attestations {
		if open[question{q.ID, q.Question}] {
			wrong = append(wrong, countersign.FieldError{Pointer: "/attestations", Detail: "the question " + q.ID + " is not answered: " + q.Question})
		}
	}
	if len(wrong) > 0 {
		return countersign.Invalid(wrong...)
	}
	return nil
}

// record appends the act to a copy of the state. The person's own requirement is
// kept where it is stricter: its clauses and its hold bind the approval.
func (s State) record(a Act) State {
	d := s.decisionOf(a.Candidate)
	st := a.Statement
	d.ID, d.Act, d.Reason, d.Unexpected, d.Attestations = a.Decision, st.Act, st.Reason, a.Unexpected, slices.Clone(st.Attestations)
	d.Assurance, d.AuthTime, d.Authenticators = a.Proof.Assurance, a.Proof.AuthTime, slices.Clone(a.Proof.Authenticators)
	d.Digest, d.RequirementDigest, d.PolicyDigest, d.At = st.Digest, st.RequirementDigest, st.PolicyDigest, a.Now
	if w := d.Weighed; w != nil {
		own := *w
		d.Weighed = &own
		if !s.tighter(own) {
			d.Weighed = nil
		}
	}
	s = s.clone()
	s.Decisions = append(s.Decisions, d)
	return s
}

// barred is the problem of a person who may not decide, with every reason.
func barred(a Act, e Eligibility, deny bool) error {
	code := countersign.CodeForbidden
	var reasons []countersign.Reason
	var words []string
	for _, o := range e.Obstacles {
		if deny && o.ApproveOnly {
			continue
		}
		if o.Code == ObstacleDecided || o.Code == ObstacleFilled {
			code = countersign.CodeConflict
		}
		words = append(words, o.Sentence)
		reasons = append(reasons, countersign.Reason{Rule: o.Code, State: countersign.True, Sentence: o.Sentence, Effect: countersign.OutcomeDeny})
	}
	if len(reasons) > 1 { // a mere conflict is told only when it is the only reason
		code = countersign.CodeForbidden
	}
	p := countersign.NewProblem(code, "%s may not decide: %s", a.Person.Name, strings.Join(words, "; "))
	p.Reasons = reasons
	return p
}
