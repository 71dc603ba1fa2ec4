// Package policy parses, checks, compiles and evaluates a policy: facts in,
// outcome, requirement and reasons out.
//
// A policy is a YAML file whose conditions are written in CEL. Every rule that
// fires adds to one requirement, dimension by dimension the strictest value wins,
// and a rule whose condition cannot be told fires too. A version is immutable,
// compiled once and safe for concurrent use. The package is pure: it reads no
// clock, no database and no network; the text comes in as bytes and now is one of
// the facts.
package policy

import (
	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/signal"
)

// Source is what a version is made of.
type Source struct {
	File string // name shown in errors: "procurement.yaml"
	Text []byte // the YAML text
	// Lists holds the text of each list that the policy keeps in a file, by the
	// list's name (not the file's): see [Files].
	Lists map[string]string
	Options
}

// Options are facts about the installation that decide whether a policy can work
// there. They are not part of the policy's digest.
type Options struct {
	// Hardware says that at least one attestation root is configured; without one a
	// policy that asks for assurance "hardware" does not load.
	Hardware bool
	// Witness says that at least one witness is configured; without one a policy that
	// waits for a witness does not load.
	Witness bool
	// Kinds are the custom kinds that are configured, beyond the built-in ones.
	Kinds []string
}

// Stage says at which of the weighings a policy is asked.
type Stage string

// The stages. At StageSubmit without a named approver, a rule that turns on who
// approves waits for the person, see [Result.Waiting]; at the others the person is
// there, and an unknown fact about them counts as any other.
const (
	StageSubmit  Stage = "submit"  // the document, and whoever is known
	StagePerson  Stage = "person"  // at challenge and at decide, for the person about to sign
	StageRelease Stage = "release" // for whatever can only tighten
)

// Result is the policy's answer.
type Result struct {
	Outcome     countersign.Outcome     `json:"outcome"`
	Requirement countersign.Requirement `json:"requirement"`
	// Reasons lists the rules that fired, in the order of the file, and those that
	// an exception silenced or whose unknown condition was only recorded.
	Reasons []countersign.Reason `json:"reasons"`
	// ForRequester holds the same reasons with sentences that keep the policy's
	// secret thresholds out. Findings name thresholds too: they are not for
	// requesters.
	ForRequester []countersign.Reason  `json:"-"`
	Findings     []countersign.Finding `json:"findings"`
	// Waiting names the rules that turn on the approver alone, where none is named
	// yet: they are weighed when the person is known. A deny then makes only that
	// person ineligible. A policy that wants a name at submission says so with
	// approver.present.
	Waiting []string `json:"waiting,omitempty"`
	// AboutPerson names the rules among Reasons that turn on who approves: where one
	// of them denies at [StagePerson], another person may still approve.
	AboutPerson []string `json:"about_person,omitempty"`
	// Refusal is set when the request cannot be taken in at all: nobody is named, a
	// rule that fired names no group, and the policy has no default group. Outcome is
	// deny then.
	Refusal      string             `json:"refusal,omitempty"`
	PolicyDigest countersign.Digest `json:"policy_digest"`
}

// Evaluate weighs the facts. It is deterministic and safe for concurrent use.
func (v *Version) Evaluate(f *signal.Facts, stage Stage) Result { return v.evaluate(f, stage) }
