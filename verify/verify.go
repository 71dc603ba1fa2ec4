package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/jcs"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Names of the steps of a verification, in the order in which they are taken.
// They are stable; the sentences beside them may change. Steps about a decision
// are taken once for each, and the detail names it.
const (
	StepEncoding         = "encoding"             // one byte encoding, known type
	StepProof            = "proof"                // every entry is under the one checkpoint
	StepCheckpoint       = "checkpoint signature" // by the log's key
	StepWitnesses        = "witnesses"            // enough cosignatures
	StepConsistency      = "consistency"          // with an earlier checkpoint
	StepExpected         = "expected log"         // organisation and origin are those asked for
	StepEntries          = "entries"              // roles, types, subjects, order
	StepCommitment       = "commitment"           // every opening opens its commitment
	StepOpenings         = "openings"             // nothing needed is erased
	StepPolicy           = "policy"               // published in the log before it was applied
	StepDocument         = "document digest"      // the document shown is the one compared with
	StepRequirement      = "requirement"          // the one that the policy's answer names
	StepDecision         = "decision"             // agrees with its entry
	StepStatement        = "statement"            // names this document, requirement, policy, act and person
	StepExpiry           = "expiry"               // made before the statement expired and within its time
	StepReason           = "reason"               // given where required
	StepAttestations     = "attestations"         // every question answered
	StepEnrolment        = "enrolment"            // the key was the person's before the decision
	StepPasskeyChallenge = "passkey challenge"    // type, and the digest of the statement
	StepPasskeyOrigin    = "passkey origin"       // origin, relying party, not in a foreign frame
	StepUserVerification = "user verification"    // flags of this assertion
	StepPasskeySignature = "passkey signature"    // by the enrolled key
	StepCode             = "code"                 // a code on top of another factor, as the server states
	StepAssurance        = "assurance"            // derived from the evidence, reaches the requirement
	StepFreshness        = "freshness"            // no factor older than allowed
	StepDistinct         = "distinct people"      // nobody counts twice
	StepClauses          = "clauses"              // enough people of the groups
	StepStatus           = "status"               // follows from the entries
	StepFounding         = "founding"             // stamped as the entries say
	StepRelease          = "release"              // after the hold, within its time
	StepSummary          = "summary"              // says what the entries say
)

// Options are the verifier's own inputs, got out of band. Only Keys is
// needed.
type Options struct {
	// Keys are the log's verifier keys in the form name+hash+base64 (C2SP
	// signed-note); several after a rotation. One must have signed.
	Keys []string
	// Document is compared with the document that was decided on, where given:
	// any JSON form of it.
	Document []byte

	Org     string   // the organisation expected, where given
	Origin  string   // of the log expected, where given
	RPID    string   // WebAuthn relying party expected, where given
	Origins []string // web origins accepted, where given

	// Witnesses are keys of witnesses in the same form as Keys. At least
	// WitnessesNeeded of them must have cosigned.
	Witnesses       []string
	WitnessesNeeded int

	// Earlier is a signed checkpoint kept from another day, and Consistency the
	// proof (RFC 6962 §2.1.2) between it and the receipt's: whichever is the
	// smaller tree must be the beginning of the other.
	Earlier     []byte
	Consistency []tlog.Hash

	// AllowErased accepts a receipt from which openings that the proof needs are
	// missing, as after an erasure: inclusion is still proven, and
	// [Result.Erased] says what is not. Without it such a receipt is refused.
	AllowErased bool
}

// Step is one step of a verification.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Claim is one thing that the receipt says, and who answers for it.
type Claim struct {
	Text string `json:"text"`
	// By is "person per_…" for what that person's key signed, "server" for what
	// the server states, "caller key_…" for what a calling system states, and
	// "nobody" for what can no longer be shown.
	By string `json:"by"`
}

// ByServer and ByNobody are values of [Claim.By].
const (
	ByServer = "server"
	ByNobody = "nobody"
)

// Unshown is an opening whose content is not in the receipt.
type Unshown struct {
	Entry   string `json:"entry"` // ent_…
	Role    string `json:"role"`
	Opening string `json:"opening"`
}

// Result is what came of verifying a receipt: every step in order up to the first that
// failed, and, where none did, what is claimed by whom.
type Result struct {
	OK     bool    `json:"ok"`
	Failed string  `json:"failed,omitempty"` // the step that failed
	Steps  []Step  `json:"steps"`
	Claims []Claim `json:"claims,omitempty"`

	Org        string             `json:"org,omitempty"`
	Request    string             `json:"request,omitempty"`
	Status     countersign.Status `json:"status,omitempty"`
	Digest     countersign.Digest `json:"digest,omitempty"` // of the document, where it is shown
	NotBefore  string             `json:"not_before,omitempty"`
	Founding   bool               `json:"founding,omitempty"`
	Simulated  bool               `json:"simulated,omitempty"` // a passkey was the demo's software authenticator
	Checkpoint Checkpoint         `json:"checkpoint"`

	Erased   []Unshown `json:"erased,omitempty"`    // needed for the proof, and not there
	NotShown []Unshown `json:"not_shown,omitempty"` // not needed, and not there
}

// Error is the error of a verification that failed.
type Error struct {
	Step   string // one of the Step constants
	Detail string
}

func (e *Error) Error() string { return "verify: " + e.Step + ": " + e.Detail }

// maxReceipt bounds a receipt that comes from outside: a document of the largest
// size, escaped, and some decisions.
const maxReceipt = 8 << 20

// Receipt verifies a receipt offline. The error is a [*Error] that names the first step
// that failed; an error of another type says that the options cannot be used. The result
// is returned in both cases.
//
// A receipt is evidence, never permission: it proves what was decided, not that it
// may still be acted on.
func Receipt(receipt []byte, opts Options) (*Result, error) {
	c := &checker{v: &Result{Steps: []Step{}}, opts: opts}
	keys, witnesses, err := opts.verifiers()
	if err != nil {
		return c.v, err
	}
	r, proofs := c.encoding(receipt)
	c.checkpoint(proofs, keys, witnesses)
	c.consistency(keys)
	c.expected(r)
	if c.failed() {
		return c.result()
	}
	entries := make([]CaseEntry, len(r.Entries))
	for i, e := range r.Entries {
		leaf, err := countersign.ParseLeaf([]byte(e.Leaf))
		if err != nil {
			c.step(StepEntries, "", fmt.Errorf("entry %d: %w", i+1, err))
			return c.result()
		}
		entries[i] = CaseEntry{Role: e.Role, Index: proofs[i].Index, Leaf: leaf, Openings: e.Openings}
	}
	c.caseOf(entries, &r)
	return c.result()
}

// Case verifies what a receipt of these entries would claim, for a verifier
// that has established by other means that they are in the log: everything from
// the step "entries" on, but the summary. The case may still be pending. It is how
// an exported log is verified; Keys of the options are not used.
func Case(entries []CaseEntry, opts Options) (*Result, error) {
	c := &checker{v: &Result{Steps: []Step{}}, opts: opts}
	c.caseOf(entries, nil)
	return c.result()
}

func (o Options) verifiers() (keys, witnesses []note.Verifier, err error) {
	if len(o.Keys) == 0 {
		return nil, nil, errors.New("verify: no key of the log is given: without one a receipt proves nothing")
	}
	for _, k := range o.Keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, nil, fmt.Errorf("verify: log key %q: %w", jcs.Clip(k), err)
		}
		if !slices.ContainsFunc(keys, func(have note.Verifier) bool { return have.Name() == v.Name() && have.KeyHash() == v.KeyHash() }) {
			keys = append(keys, v)
		}
	}
	for _, k := range o.Witnesses {
		v, err := WitnessVerifier(k)
		if err != nil {
			return nil, nil, fmt.Errorf("verify: %w", err)
		}
		if !slices.ContainsFunc(witnesses, func(have note.Verifier) bool { return have.Name() == v.Name() && have.KeyHash() == v.KeyHash() }) {
			witnesses = append(witnesses, v)
		}
	}
	if o.WitnessesNeeded < 0 || o.WitnessesNeeded > len(witnesses) {
		return nil, nil, fmt.Errorf("verify: %d witnesses needed, %d keys of witnesses given", o.WitnessesNeeded, len(witnesses))
	}
	return keys, witnesses, nil
}

// checker takes steps until one fails; later ones are not taken, because they
// would speak about what is already known to be wrong.
type checker struct {
	v    *Result
	opts Options
}

func (c *checker) failed() bool { return c.v.Failed != "" }

// step records a step and reports whether the verification goes on.
func (c *checker) step(name, detail string, err error) bool {
	if c.failed() {
		return false
	}
	if err != nil {
		detail = err.Error()
		c.v.Failed = name
	}
	c.v.Steps = append(c.v.Steps, Step{Name: name, OK: err == nil, Detail: detail})
	return err == nil
}

func (c *checker) result() (*Result, error) {
	if c.failed() {
		c.v.Claims = nil // nothing is claimed by a receipt that does not verify
		last := c.v.Steps[len(c.v.Steps)-1]
		return c.v, &Error{Step: last.Name, Detail: last.Detail}
	}
	c.v.OK = true
	return c.v, nil
}

// encoding reads the receipt and its proofs, each in its one byte form, and proves
// every entry to the one checkpoint that all proofs must share.
func (c *checker) encoding(receipt []byte) (r countersign.Receipt, proofs []Proof) {
	if !c.step(StepEncoding, "one canonical form", decodeReceipt(receipt, &r)) {
		return r, nil
	}
	proofs, head, err := proveEntries(r)
	c.step(StepProof, fmt.Sprintf("%d entries are in the log of %d", len(proofs), head.Size), err)
	c.v.Checkpoint = head
	return r, proofs
}

func decodeReceipt(data []byte, r *countersign.Receipt) error {
	if len(data) > maxReceipt {
		return fmt.Errorf("%d bytes, at most %d", len(data), maxReceipt)
	}
	if err := countersign.DecodeStrict(data, r); err != nil {
		return err
	}
	if r.Type != countersign.ReceiptType {
		return fmt.Errorf("type %q is not known; this program knows %q", jcs.Clip(r.Type), countersign.ReceiptType)
	}
	if string(r.Bytes()) != string(data) {
		return errors.New("not in the canonical form, the only one a receipt has")
	}
	if len(r.Entries) == 0 || len(r.Entries) > maxCaseEntries {
		return fmt.Errorf("%d entries, want 1 to %d", len(r.Entries), maxCaseEntries)
	}
	return nil
}

func proveEntries(r countersign.Receipt) (proofs []Proof, head Checkpoint, err error) {
	proofs = make([]Proof, len(r.Entries))
	for i, e := range r.Entries {
		if proofs[i], err = ParseProof([]byte(e.Proof)); err != nil {
			return nil, head, fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	if !sameCheckpoint(proofs) {
		return nil, head, errors.New("the entries are proven to different checkpoints")
	}
	if head, _, err = splitCheckpoint(proofs[0].Checkpoint); err != nil {
		return nil, head, err
	}
	if head.Origin != r.Origin {
		return nil, head, fmt.Errorf("the checkpoint is of the log %q, the receipt says %q", jcs.Clip(head.Origin), jcs.Clip(r.Origin))
	}
	for i, p := range proofs {
		if err := Inclusion(head, p, []byte(r.Entries[i].Leaf)); err != nil {
			return nil, head, fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	return proofs, head, nil
}

// Inclusion checks that the leaf stands at the proof's index in the tree of
// the checkpoint (RFC 6962 §2.1.1). It does not look at signatures.
func Inclusion(head Checkpoint, p Proof, leaf []byte) error {
	if p.Index >= head.Size {
		return fmt.Errorf("index %d is outside a log of %d entries", p.Index, head.Size)
	}
	if err := tlog.CheckRecord(p.Path, head.Size, head.Root, p.Index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("the path from index %d does not lead to the checkpoint's root", p.Index)
	}
	return nil
}

func (c *checker) checkpoint(proofs []Proof, keys, witnesses []note.Verifier) {
	if c.failed() {
		return
	}
	signed := proofs[0].Checkpoint
	_, sigs, err := OpenCheckpoint(signed, keys...)
	detail := ""
	if err == nil {
		detail = "signed by " + signerNames(sigs)
	}
	if !c.step(StepCheckpoint, detail, err) || c.opts.WitnessesNeeded == 0 {
		return
	}
	n, err := note.Open(signed, note.VerifierList(witnesses...))
	have := 0
	if err == nil {
		have = len(n.Sigs)
	}
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &invalid):
	case have < c.opts.WitnessesNeeded:
		err = fmt.Errorf("%d of %d cosignatures needed", have, c.opts.WitnessesNeeded)
	default:
		detail = "cosigned by " + signerNames(n.Sigs)
	}
	c.step(StepWitnesses, detail, err)
}

func (c *checker) consistency(keys []note.Verifier) {
	if c.failed() || c.opts.Earlier == nil {
		return
	}
	other, _, err := OpenCheckpoint(c.opts.Earlier, keys...)
	if err == nil {
		err = Consistency(other, c.v.Checkpoint, c.opts.Consistency)
	}
	c.step(StepConsistency, fmt.Sprintf("agrees with the checkpoint of %d entries", other.Size), err)
}

// Consistency checks that of two checkpoints of one log the smaller tree is
// the beginning of the larger (RFC 6962 §2.1.2). It does not look at signatures.
func Consistency(a, b Checkpoint, proof []tlog.Hash) error {
	if a.Origin != b.Origin {
		return fmt.Errorf("checkpoints of two logs, %q and %q", jcs.Clip(a.Origin), jcs.Clip(b.Origin))
	}
	if a.Size > b.Size {
		a, b = b, a
	}
	switch {
	case a.Size == b.Size && a.Root != b.Root:
		return fmt.Errorf("fork: two different logs of %d entries are signed", a.Size)
	case a.Size == b.Size, a.Size == 0:
		if len(proof) > 0 {
			return errors.New("no proof is needed between these sizes, and one is given")
		}
		return nil
	}
	if err := tlog.CheckTree(proof, b.Size, b.Root, a.Size, a.Root); err != nil {
		return fmt.Errorf("the log of %d entries is not proven to continue the log of %d: a fork, or not the proof between them", b.Size, a.Size)
	}
	return nil
}

func (c *checker) expected(r countersign.Receipt) {
	if c.failed() || (c.opts.Org == "" && c.opts.Origin == "") {
		return
	}
	var err error
	switch {
	case c.opts.Org != "" && r.Org != c.opts.Org:
		err = fmt.Errorf("organisation %q, expected %q", jcs.Clip(r.Org), c.opts.Org)
	case c.opts.Origin != "" && r.Origin != c.opts.Origin:
		err = fmt.Errorf("log %q, expected %q", jcs.Clip(r.Origin), c.opts.Origin)
	}
	c.step(StepExpected, strings.TrimSpace(c.opts.Org+" "+c.opts.Origin), err)
}
