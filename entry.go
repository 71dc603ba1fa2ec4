package countersign

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/jcs"
)

// EntryType names what a log entry records. The same names are event names.
type EntryType string

// Entry types. Each is written in the transaction that makes the change.
const (
	EntryOrganisationCreated   EntryType = "organisation.created"
	EntryFoundingEnded         EntryType = "organisation.founding_ended"
	EntrySettingsChanged       EntryType = "organisation.settings_changed"
	EntryOrganisationMoved     EntryType = "organisation.moved" // to another address; its detail says from where
	EntryRequestSubmitted      EntryType = "request.submitted"  // facts say the outcome and the status
	EntryRequestReweighed      EntryType = "request.reweighed"
	EntryDecisionMade          EntryType = "decision.made" // facts say the status after it
	EntryRequestCancelled      EntryType = "request.cancelled"
	EntryRequestExpired        EntryType = "request.expired"
	EntryRequestSuperseded     EntryType = "request.superseded"
	EntryRequestReassigned     EntryType = "request.reassigned" // facts say from whom to whom
	EntryRequestQuestion       EntryType = "request.question"   // asked or answered
	EntryAttachmentStored      EntryType = "attachment.stored"
	EntryRequestReleased       EntryType = "request.released"
	EntryReleaseConfirmed      EntryType = "release.confirmed"
	EntryReleaseAbandoned      EntryType = "release.abandoned"
	EntryReleaseLapsed         EntryType = "release.lapsed"
	EntryReleaseRefused        EntryType = "release.refused" // facts say why; once for each request, reason and hour
	EntryPersonChanged         EntryType = "person.changed"
	EntryGroupChanged          EntryType = "group.changed"
	EntryDelegationChanged     EntryType = "delegation.changed"
	EntryInvitationMade        EntryType = "invitation.made"
	EntryAuthenticatorEnrolled EntryType = "authenticator.enrolled"
	EntryEnrolmentConfirmed    EntryType = "authenticator.confirmed"
	EntryAuthenticatorRemoved  EntryType = "authenticator.removed"
	EntryAuthenticatorLocked   EntryType = "authenticator.locked"   // for a time, or for good, after wrong codes
	EntryAuthenticatorReported EntryType = "authenticator.reported" // lost or stolen: it counts no more
	EntrySignedIn              EntryType = "session.started"
	EntryPolicyPublished       EntryType = "policy.published"
	EntryKeyCreated            EntryType = "key.created"
	EntryKeyConfirmed          EntryType = "key.confirmed" // by a second person: from then on it works
	EntryKeyRevoked            EntryType = "key.revoked"
	EntryAlertRaised           EntryType = "alert.raised"
	EntryAlertClosed           EntryType = "alert.closed"
	EntryFreezePlaced          EntryType = "freeze.placed"
	EntryFreezeLifted          EntryType = "freeze.lifted"
	EntryBreakGlassUsed        EntryType = "break_glass.used"
	EntryBreakGlassReviewed    EntryType = "break_glass.reviewed"
	EntryBreakGlassNamed       EntryType = "break_glass.named"
	EntryFactsRecorded         EntryType = "facts.recorded"
	EntryKeyRotated            EntryType = "log.key_rotated"
	EntrySecretRotated         EntryType = "key.rotated" // of sealing, or of naming accounts
	EntryLogRecovered          EntryType = "log.recovered"
	EntryErased                EntryType = "erasure.done"
)

// Leaf is one entry of the audit log, in the exact form that is hashed into the
// tree. It holds no personal data and nothing that could be guessed: what was said
// stands in openings beside it, under salted commitments, and can be erased while
// the tree stays whole.
type Leaf struct {
	Version     int               `json:"v"`  // 1
	ID          string            `json:"id"` // ent_…
	Org         string            `json:"org"`
	Type        EntryType         `json:"type"`
	Time        string            `json:"time"`        // RFC 3339, UTC, microseconds
	Subject     string            `json:"subject"`     // opaque id of what changed: req_…, per_…, …
	Actor       string            `json:"actor"`       // opaque id: per_…, key_…, "system", "operator"
	Facts       map[string]string `json:"facts"`       // status, act, policy digest, …: enumerations and opaque ids only
	Commitments map[string]string `json:"commitments"` // opening name → commitment, base64
}

// LeafVersion is the only version of [Leaf] there is.
const LeafVersion = 1

// Bytes returns the leaf's canonical bytes. They are written directly, because every
// entry of the log passes here several times.
func (l Leaf) Bytes() []byte {
	b := make([]byte, 0, 512)
	b = jcs.AppendString(append(b, `{"actor":`...), valid(l.Actor))
	b = appendTexts(append(b, `,"commitments":`...), l.Commitments)
	b = appendTexts(append(b, `,"facts":`...), l.Facts)
	b = jcs.AppendString(append(b, `,"id":`...), valid(l.ID))
	b = jcs.AppendString(append(b, `,"org":`...), valid(l.Org))
	b = jcs.AppendString(append(b, `,"subject":`...), valid(l.Subject))
	b = jcs.AppendString(append(b, `,"time":`...), valid(l.Time))
	b = jcs.AppendString(append(b, `,"type":`...), valid(string(l.Type)))
	b = strconv.AppendInt(append(b, `,"v":`...), int64(l.Version), 10)
	return append(b, '}')
}

// ParseLeaf reads canonical leaf bytes and refuses any other form.
func ParseLeaf(b []byte) (Leaf, error) {
	var l Leaf
	if err := DecodeStrict(b, &l); err != nil {
		return l, fmt.Errorf("log entry: %w", err)
	}
	if l.Version != LeafVersion {
		return l, fmt.Errorf("log entry: version %d is not known", l.Version)
	}
	if string(l.Bytes()) != string(b) {
		return l, fmt.Errorf("log entry: not in canonical form")
	}
	return l, nil
}

// Names of openings. Each holds canonical JSON unless it says otherwise.
const (
	OpeningDocument    = "document"    // the Document's canonical bytes
	OpeningSubmission  = "submission"  // the Submission
	OpeningWeighing    = "weighing"    // full typed input, findings, reasons, requirement
	OpeningRequirement = "requirement" // the Requirement
	OpeningDecision    = "decision"    // the Decision with its evidence
	OpeningEnrolment   = "enrolment"   // the Enrolment
	OpeningPolicy      = "policy"      // {"text": …, "lists": {…}}
	OpeningDetail      = "detail"      // whatever else the entry is about
)

// Opening opens one commitment of a leaf: the salt and the committed bytes.
type Opening struct {
	Salt  string `json:"salt"`  // 32 bytes, base64
	Value string `json:"value"` // the committed bytes, as text
}

const commitPrefix = "countersign/commit/v1\x00"

// NewOpening makes an opening with a fresh salt over value, which must be UTF-8.
func NewOpening(value []byte) Opening {
	var salt [32]byte
	rand.Read(salt[:])
	return Opening{Salt: base64.StdEncoding.EncodeToString(salt[:]), Value: string(value)}
}

// Commitment is SHA-256 over a fixed prefix, the length of the name and the name,
// the salt, and the value. The name is inside, so that an opening cannot pass for
// another; the lengths are fixed or written, so that no two inputs share bytes.
func (o Opening) Commitment(name string) (string, error) {
	salt, err := jcs.DecodeBase64(base64.StdEncoding, o.Salt)
	if err != nil || len(salt) != 32 {
		return "", fmt.Errorf("opening %q: the salt is not 32 bytes of base64", jcs.Clip(name))
	}
	h := sha256.New()
	h.Write([]byte(commitPrefix))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(name))))
	h.Write([]byte(name))
	h.Write(salt)
	h.Write([]byte(o.Value))
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// Receipt is a statement that another system or an auditor verifies offline. It is
// evidence, never permission: only a release is that. It has one byte encoding,
// the canonical one.
type Receipt struct {
	Type     string         `json:"type"` // "countersign.receipt/v1"
	Org      string         `json:"org"`
	Origin   string         `json:"origin"`  // of the log
	Request  string         `json:"request"` // req_…
	Status   Status         `json:"status"`  // when the receipt was made
	Founding bool           `json:"founding"`
	Summary  string         `json:"summary"` // one sentence: what was decided, by whom, under which policy
	Entries  []ReceiptEntry `json:"entries"`
}

// ReceiptType is the type of the only receipt format there is.
const ReceiptType = "countersign.receipt/v1"

// Roles of entries in a receipt.
const (
	RoleSubmission = "submission" // exactly one, first
	RoleDecision   = "decision"
	RoleEnrolment  = "enrolment"
	RolePolicy     = "policy" // exactly one
	RoleReweighing = "reweighing"
	RoleRelease    = "release"
)

// ReceiptEntry is one log entry with the openings that are shown and its proof.
type ReceiptEntry struct {
	Role     string             `json:"role"`
	Leaf     string             `json:"leaf"`     // exact bytes
	Openings map[string]Opening `json:"openings"` // may be fewer than the commitments
	Proof    string             `json:"proof"`    // verbatim c2sp.org/tlog-proof@v1
}

// Bytes returns the receipt's one encoding. It is written directly: a silent
// approval waits for it.
func (r Receipt) Bytes() []byte {
	n := 512
	for _, e := range r.Entries {
		n += len(e.Leaf) + len(e.Proof) + 512
		for _, o := range e.Openings {
			n += len(o.Value) + len(o.Value)/8 + 128
		}
	}
	b := append(make([]byte, 0, n), `{"entries":[`...)
	for i, e := range r.Entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.appendCanonical(b)
	}
	b = strconv.AppendBool(append(b, `],"founding":`...), r.Founding)
	b = jcs.AppendString(append(b, `,"org":`...), valid(r.Org))
	b = jcs.AppendString(append(b, `,"origin":`...), valid(r.Origin))
	b = jcs.AppendString(append(b, `,"request":`...), valid(r.Request))
	b = jcs.AppendString(append(b, `,"status":`...), valid(string(r.Status)))
	b = jcs.AppendString(append(b, `,"summary":`...), valid(r.Summary))
	b = jcs.AppendString(append(b, `,"type":`...), valid(r.Type))
	return append(b, '}')
}

func (e ReceiptEntry) appendCanonical(b []byte) []byte {
	b = jcs.AppendString(append(b, `{"leaf":`...), valid(e.Leaf))
	b = append(b, `,"openings":{`...)
	for i, name := range slices.SortedFunc(maps.Keys(e.Openings), jcs.CompareNames) {
		if i > 0 {
			b = append(b, ',')
		}
		o := e.Openings[name]
		b = jcs.AppendString(append(jcs.AppendString(b, valid(name)), `:{"salt":`...), valid(o.Salt))
		b = append(jcs.AppendString(append(b, `,"value":`...), valid(o.Value)), '}')
	}
	b = jcs.AppendString(append(b, `},"proof":`...), valid(e.Proof))
	return append(jcs.AppendString(append(b, `,"role":`...), valid(e.Role)), '}')
}

// appendTexts writes an object of strings in canonical form.
func appendTexts(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, name := range slices.SortedFunc(maps.Keys(m), jcs.CompareNames) {
		if i > 0 {
			b = append(b, ',')
		}
		b = jcs.AppendString(append(jcs.AppendString(b, valid(name)), ':'), valid(m[name]))
	}
	return append(b, '}')
}

// valid replaces what is not UTF-8, one replacement character for each byte, as
// encoding/json does.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// Event is what leaves through the outbox: ids and digests, never contents.
type Event struct {
	ID      string            `json:"id"`
	Type    EntryType         `json:"type"`
	Org     string            `json:"org"`
	Time    string            `json:"time"`
	Subject string            `json:"subject"`
	Facts   map[string]string `json:"facts,omitempty"`
	Entry   string            `json:"entry"` // ent_…
}

// TimeFormat is how times are written in entries and on the wire: RFC 3339 in UTC
// with exactly six decimals, so that equal times have equal bytes and text sorts as
// time does.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// ParseTime reads a time of the log: RFC 3339 in UTC.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !strings.HasSuffix(s, "Z") {
		return t, fmt.Errorf("%q is not a time as 2026-11-24T06:00:00.000000Z (RFC 3339, UTC)", jcs.Clip(s))
	}
	return t, nil
}
