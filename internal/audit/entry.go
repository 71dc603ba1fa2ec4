package audit

import (
	"fmt"
	"maps"
	"slices"
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
}

// NewEntry makes the leaf and the openings of its commitments, each with a fresh
// salt. It refuses what the log cannot hold: a missing field, a value that is not
// UTF-8, a leaf over [MaxLeaf].
func NewEntry(spec EntrySpec) (countersign.Leaf, map[string]countersign.Opening, error) {
	leaf := countersign.Leaf{
		Version: countersign.LeafVersion, ID: spec.ID, Org: spec.Org, Type: spec.Type,
		Time: spec.Time.UTC().Format(TimeFormat), Subject: spec.Subject, Actor: spec.Actor,
		Facts: maps.Clone(spec.Facts), Commitments: make(map[string]string, len(spec.Openings)),
	}
	for name, value := range map[string]string{"id": leaf.ID, "org": leaf.Org, "type": string(leaf.Type), "subject": leaf.Subject, "actor": leaf.Actor} {
		if value == "" {
			return leaf, nil, fmt.Errorf("log entry %q: no %s", leaf.Type, name)
		}
	}
	if leaf.Facts == nil {
		leaf.Facts = map[string]string{}
	}
	openings := make(map[string]countersign.Opening, len(spec.Openings))
	for _, name := range slices.Sorted(maps.Keys(spec.Openings)) {
		if !utf8.Valid(spec.Openings[name]) {
			return leaf, nil, fmt.Errorf("log entry %q: opening %q is not UTF-8", leaf.Type, name)
		}
		o := countersign.NewOpening(spec.Openings[name])
		commitment, err := o.Commitment(name)
		if err != nil {
			return leaf, nil, err
		}
		leaf.Commitments[name], openings[name] = commitment, o
	}
	if n := len(leaf.Bytes()); n > MaxLeaf {
		return leaf, nil, fmt.Errorf("log entry %q: %d bytes, at most %d; what is long belongs in an opening", leaf.Type, n, MaxLeaf)
	}
	return leaf, openings, nil
}
