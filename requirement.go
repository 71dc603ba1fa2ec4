package countersign

import (
	"cmp"
	"slices"
	"strings"
)

// Outcome is what the policy answers, weakest first.
type Outcome string

// The outcomes. A hold is part of the [Requirement], not an outcome.
const (
	OutcomeAllow  Outcome = "allow"   // approved at once, nobody is asked
	OutcomeStepUp Outcome = "step_up" // people must decide, as the requirement says
	OutcomeDeny   Outcome = "deny"    // refused
)

// Assurance is how strongly the person proves who they are, for the one act of
// deciding. It is derived each time from the facts of the act, never stored as a
// property of a session.
type Assurance string

// The assurances, weakest first, with the NIST SP 800-63B-4 level each supports.
const (
	AssuranceNone              Assurance = ""                   // nothing that counts
	AssuranceSession           Assurance = "session"            // a live sign-in (AAL1)
	AssuranceMFA               Assurance = "mfa"                // two different factors, fresh (AAL2)
	AssurancePhishingResistant Assurance = "phishing_resistant" // a passkey with user verification (AAL2, phishing-resistant)
	AssuranceHardware          Assurance = "hardware"           // a device-bound key attested to a configured root (AAL3 capable)
)

var assuranceRank = map[Assurance]int{AssuranceNone: 0, AssuranceSession: 1, AssuranceMFA: 2, AssurancePhishingResistant: 3, AssuranceHardware: 4}

// Valid reports whether a is one of the four assurances.
func (a Assurance) Valid() bool { return assuranceRank[a] > 0 }

// AtLeast reports whether a is as strong as want. An unknown assurance never is.
func (a Assurance) AtLeast(want Assurance) bool {
	have, ok := assuranceRank[a]
	need, known := assuranceRank[want]
	return ok && known && have >= need
}

// Clause asks for decisions of Count distinct natural persons, each a member of at
// least one of the groups From. All clauses of a requirement must be met; a person
// who belongs to several clauses counts once in each.
type Clause struct {
	Count int `json:"count"`
	// From are group names, sorted; none asks for the approver whom the request names.
	From []string `json:"from,omitempty"`
	// OutsideChain excludes, beyond the requester and their owner, everybody who
	// reports to the requester or whom the requester reports to directly.
	OutsideChain bool `json:"outside_chain,omitempty"`
}

// Attestation is a question that the approver answers; question and answer are
// part of what is signed.
type Attestation struct {
	ID       string `json:"id"`               // "callback", …
	Question string `json:"question"`         //
	Answer   string `json:"answer,omitempty"` // given by the approver, in the signed statement
}

// Escalate says who is told of a request that nobody has decided for so long. It makes
// nobody eligible: the requirement stays what it is.
type Escalate struct {
	After int      `json:"after_seconds"` // from submission
	To    []string `json:"to"`            // groups, sorted
}

// Requirement is what must happen before the request is approved: the strictest
// value of every rule that fired, dimension by dimension.
type Requirement struct {
	Outcome      Outcome       `json:"outcome"`
	Assurance    Assurance     `json:"assurance,omitempty"`       // of each approver's act
	MaxAge       int           `json:"max_age_seconds,omitempty"` // oldest factor that still counts
	Clauses      []Clause      `json:"approvers,omitempty"`
	Attestations []Attestation `json:"attestations,omitempty"`
	Hold         int           `json:"hold_seconds,omitempty"`     // from the last needed decision to the earliest release
	Reason       bool          `json:"reason,omitempty"`           // a written justification is required
	NoVouching   bool          `json:"no_vouching,omitempty"`      // a first factor stated by a caller does not count
	Witness      bool          `json:"wait_for_witness,omitempty"` // nothing is allowed or released before a witness has cosigned the log entry
	Watchers     []string      `json:"watchers,omitempty"`         // groups told of a hold, who may stop it

	// Reminders are told to whoever has still to decide, so many seconds before the
	// request expires; sorted. Escalate tells others when it has waited too long.
	Reminders []int     `json:"remind_before_seconds,omitempty"`
	Escalate  *Escalate `json:"escalate,omitempty"`

	DecideWithin  int `json:"decide_within_seconds,omitempty"`  // from submission
	ReleaseWithin int `json:"release_within_seconds,omitempty"` // from the end of the hold
}

// Merge returns the stricter of two requirements in every dimension. It is
// commutative, associative and idempotent, and its result is never weaker than
// either side.
func (r Requirement) Merge(o Requirement) Requirement {
	m := r
	if outcomeRank[o.Outcome] > outcomeRank[m.Outcome] {
		m.Outcome = o.Outcome
	}
	if assuranceRank[o.Assurance] > assuranceRank[m.Assurance] {
		m.Assurance = o.Assurance
	}
	m.MaxAge = shortest(m.MaxAge, o.MaxAge)
	m.DecideWithin = shortest(m.DecideWithin, o.DecideWithin)
	m.ReleaseWithin = shortest(m.ReleaseWithin, o.ReleaseWithin)
	m.Hold = max(m.Hold, o.Hold)
	m.Reason = m.Reason || o.Reason
	m.NoVouching = m.NoVouching || o.NoVouching
	m.Witness = m.Witness || o.Witness
	m.Clauses = mergeClauses(r.Clauses, o.Clauses)
	m.Attestations = mergeAttestations(r.Attestations, o.Attestations)
	m.Watchers = union(r.Watchers, o.Watchers)
	m.Reminders = union(r.Reminders, o.Reminders)
	m.Escalate = mergeEscalate(r.Escalate, o.Escalate)
	return m
}

// mergeEscalate tells everybody whom either side tells, at the earlier time.
func mergeEscalate(a, b *Escalate) *Escalate {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return &Escalate{After: min(a.After, b.After), To: union(a.To, b.To)}
}

// Valid reports whether the outcome is one of the constants.
func (o Outcome) Valid() bool { return outcomeRank[o] > 0 }

var outcomeRank = map[Outcome]int{OutcomeAllow: 1, OutcomeStepUp: 2, OutcomeDeny: 3}

// shortest treats zero as "not set".
func shortest(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func union[T cmp.Ordered](a, b []T) []T {
	if len(a)+len(b) == 0 {
		return nil
	}
	u := slices.Concat(a, b)
	slices.Sort(u)
	return slices.Compact(u)
}

// mergeClauses keeps the set of clauses in one order; of two that differ in their
// count only, the larger count stays.
func mergeClauses(a, b []Clause) []Clause {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := make([]Clause, 0, len(a)+len(b))
	for _, c := range slices.Concat(a, b) {
		c.From = union(c.From, nil)
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y Clause) int {
		if d := slices.Compare(x.From, y.From); d != 0 {
			return d
		}
		if x.OutsideChain != y.OutsideChain {
			if y.OutsideChain {
				return -1
			}
			return 1
		}
		return cmp.Compare(y.Count, x.Count)
	})
	return slices.CompactFunc(all, func(x, y Clause) bool {
		return slices.Equal(x.From, y.From) && x.OutsideChain == y.OutsideChain
	})
}

func mergeAttestations(a, b []Attestation) []Attestation {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y Attestation) int {
		return cmp.Or(strings.Compare(x.ID, y.ID), strings.Compare(x.Question, y.Question))
	})
	return slices.Compact(all)
}

// Digest is the digest of the requirement's canonical bytes: what an approver's
// statement names, so that a requirement cannot be exchanged under a signature.
func (r Requirement) Digest() Digest {
	b, err := Canonical(r)
	if err != nil { // strings, ints and bools always marshal
		panic(err)
	}
	return SumBytes(b)
}
