package approval

import (
	"time"

	"github.com/countersign/countersign"
)

// The six faults that are planted, each the absence of one check.
const (
	faultNone         = "none"
	faultDistinctness = "distinctness"
	faultEligibility  = "eligibility"
	faultFactor       = "factor"
	faultExpiry       = "expiry"
	faultDigest       = "digest"
	faultVersion      = "compare-and-swap"
)

var faults = []string{faultDistinctness, faultEligibility, faultFactor, faultExpiry, faultDigest, faultVersion}

// faulty is the machine with one check taken away.
func faulty(fault string) machine {
	m := strict()
	switch fault {
	case faultDistinctness: // counts rows, not people
		m.checks.people = func(d Decision) []string { return []string{d.ID} }
	case faultEligibility:
		m.checks.eligible = func(State, Candidate, time.Time) Eligibility { return Eligibility{MayApprove: true, MayDeny: true} }
		return m
	case faultFactor:
		m.checks.factor = func(countersign.Requirement, Proof, time.Time) error { return nil }
	case faultExpiry:
		m.checks.passed = func(time.Time, time.Time) bool { return false }
	case faultDigest:
		m.checks.agrees = func(State, Act) error { return nil }
	case faultVersion:
		m.checks.version = func(int64, int64) error { return nil }
	}
	m.checks.eligible = m.judge
	return m
}
