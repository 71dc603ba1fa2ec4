package audit

import (
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	countersign "github.com/countersign/countersign"
)

// MaxLeaf is the largest leaf in bytes: C2SP tlog-tiles writes the length of an
// entry in two bytes.
const MaxLeaf = 65535

// TimeFormat is the form of times in entries: RFC 3339 in UTC with microseconds.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Facts of entries about the log itself. A rotation names both verifier keys whole,
// so that whoever holds the log can read when which key was in force. A recovery
// names the head that is no longer continued.
const (
	FactOldKey    = "old_key"    // log.key_rotated: verifier key that signed until now
	FactNewKey    = "new_key"    // log.key_rotated: verifier key that signs from now
	FactOldOrigin = "old_origin" // log.recovered
	FactOldSize   = "old_size"   // log.recovered, decimal
	FactOldRoot   = "old_root"   // log.recovered, base64
)

// EntrySpec is what an entry shall say.
type EntrySpec struct {
	ID       string // ent_…
	Org      string
	Type     countersign.EntryType
	Time     time.Time
	Subject  string            // opaque id
	Actor    string            // opaque id, "system" or "operator"
	Facts    map[string]string // enumerations and opaque ids only
	Openings map[string][]byte // values to commit to, by opening name: UTF-8
	Sealed   Sealed            // values that were committed to before, beside Openings
}

// Sealed are values with their commitments, made before the entry that holds them:
// hashing what is long need not wait for the transaction.
type Sealed struct {
	openings    map[string]countersign.Opening
	commitments map[string]string
}

// Seal commits to values, each with a fresh salt. They must be UTF-8.
func Seal(values map[string][]byte) (Sealed, error) {
	s := Sealed{make(map[string]countersign.Opening, len(values)), make(map[string]string, len(values))}
	return s, s.add(values)
}

func (s Sealed) add(values map[string][]byte) error {
	for name, value := range values {
		if !utf8.Valid(value) {
			return fmt.Errorf("opening %q is not UTF-8", name)
		}
		o := countersign.NewOpening(value)
		commitment, err := o.Commitment(name)
		if err != nil {
			return err
		}
		s.openings[name], s.commitments[name] = o, commitment
	}
	return nil
}

// NewEntry makes the leaf and the openings of its commitments, each with a fresh
// salt. It refuses what the log cannot hold: a missing field, a value that is not
// UTF-8, a leaf over [MaxLeaf].
func NewEntry(spec EntrySpec) (countersign.Leaf, map[string]countersign.Opening, error) {
	leaf, _, openings, err := NewLeaf(spec)
	return leaf, openings, err
}

// NewLeaf is [NewEntry] with the leaf's bytes, which are encoded once.
func NewLeaf(spec EntrySpec) (leaf countersign.Leaf, data []byte, openings map[string]countersign.Opening, err error) {
	leaf = countersign.Leaf{
		Version: countersign.LeafVersion, ID: spec.ID, Org: spec.Org, Type: spec.Type,
		Time: spec.Time.UTC().Format(TimeFormat), Subject: spec.Subject, Actor: spec.Actor,
		Facts: maps.Clone(spec.Facts),
	}
	for _, f := range [...]struct{ name, value string }{{"id", leaf.ID}, {"org", leaf.Org}, {"type", string(leaf.Type)}, {"subject", leaf.Subject}, {"actor", leaf.Actor}} {
		if f.value == "" {
			return leaf, nil, nil, fmt.Errorf("log entry %q: no %s", leaf.Type, f.name)
		}
	}
	if leaf.Facts == nil {
		leaf.Facts = map[string]string{}
	}
	s := Sealed{make(map[string]countersign.Opening, len(spec.Openings)+len(spec.Sealed.openings)), make(map[string]string, len(spec.Openings)+len(spec.Sealed.openings))}
	maps.Copy(s.openings, spec.Sealed.openings)
	maps.Copy(s.commitments, spec.Sealed.commitments)
	if err := s.add(spec.Openings); err != nil {
		return leaf, nil, nil, fmt.Errorf("log entry %q: %w", leaf.Type, err)
	}
	leaf.Commitments = s.commitments
	data = leaf.Bytes()
	if len(data) > MaxLeaf {
		return leaf, nil, nil, fmt.Errorf("log entry %q: %d bytes, at most %d; what is long belongs in an opening", leaf.Type, len(data), MaxLeaf)
	}
	return leaf, data, s.openings, nil
}
