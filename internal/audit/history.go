package audit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// history follows an exported log from entry to entry and checks that what
// happened could happen: nothing is decided, released or ended that was not
// submitted and open; every decision verifies as it would in a receipt.
type history struct {
	x          *exportVerifier
	open       map[string]*openCase // by request
	policies   map[string]verify.CaseEntry
	enrolments map[string]verify.CaseEntry // passkeys, by authenticator
	continued  bool                        // the log begins with the recovery of another
	lastKey    map[string]string           // the newest announced key, by the origin that it is named after
	former     map[string]int64            // origins whose keys were rotated before the log had its present one, and where
}

// openCase is a request that is pending or approved. Of an approved one only the
// indices of its entries are kept, and when it may be released.
type openCase struct {
	status    countersign.Status
	entries   []verify.CaseEntry // while pending: submission, reweighing, decisions
	indices   []caseIndex
	notBefore time.Time
}

type caseIndex struct {
	role  string
	index int64
}

func newHistory(x *exportVerifier) *history {
	return &history{x: x, open: map[string]*openCase{}, policies: map[string]verify.CaseEntry{}, enrolments: map[string]verify.CaseEntry{},
		lastKey: map[string]string{}, former: map[string]int64{}}
}

// next takes one entry.
func (h *history) next(index int64, leaf countersign.Leaf, openings map[string]countersign.Opening) error {
	e := verify.CaseEntry{Index: index, Leaf: leaf, Openings: openings}
	switch leaf.Type {
	case countersign.EntryRequestSubmitted:
		return h.submitted(e)
	case countersign.EntryRequestReweighed:
		return h.reweighed(e)
	case countersign.EntryDecisionMade:
		return h.decided(e)
	case countersign.EntryRequestReleased:
		return h.released(e)
	case countersign.EntryRequestCancelled, countersign.EntryRequestExpired, countersign.EntryRequestSuperseded:
		if h.open[leaf.Subject] == nil {
			return h.unknown(leaf)
		}
		delete(h.open, leaf.Subject)
	case countersign.EntryPolicyPublished:
		return h.published(e)
	case countersign.EntryAuthenticatorEnrolled:
		if leaf.Facts["type"] == "passkey" {
			e.Role = countersign.RoleEnrolment
			h.enrolments[leaf.Facts["authenticator"]] = e
		}
	case countersign.EntryKeyRotated:
		return h.rotated(index, leaf)
	case countersign.EntryLogRecovered:
		return h.recovered(index, leaf)
	}
	return nil
}

// unknown is the answer about a request that is not open: wrong, unless the log
// continues another whose entries are not here.
func (h *history) unknown(leaf countersign.Leaf) error {
	if h.continued {
		h.x.report.Unresolved++
		return nil
	}
	return fmt.Errorf("%s about %s, which is not open here: never submitted, or already ended", leaf.Type, leaf.Subject)
}

func (h *history) submitted(e verify.CaseEntry) error {
	if h.open[e.Leaf.Subject] != nil {
		return fmt.Errorf("%s is submitted a second time", e.Leaf.Subject)
	}
	h.x.report.Requests++
	e.Role = countersign.RoleSubmission
	return h.settle(e.Leaf.Subject, []verify.CaseEntry{e})
}

func (h *history) reweighed(e verify.CaseEntry) error {
	e.Role = countersign.RoleReweighing
	entries, err := h.caseOf(e.Leaf.Subject)
	if err != nil {
		return err
	}
	if entries == nil {
		return h.unknown(e.Leaf)
	}
	governing := entries[0]
	if len(entries) > 1 && entries[1].Role == countersign.RoleReweighing {
		governing = entries[1]
	}
	if governing.Leaf.Facts["requirement_digest"] == e.Leaf.Facts["requirement_digest"] && h.open[e.Leaf.Subject].status != countersign.StatusApproved {
		// Nothing new is asked: people became eligible, or ceased to be. Decisions stand.
		return nil
	}
	// Decisions made before no longer count: a stricter requirement stands, or what was
	// approved went back to its approvers, who may be asked for the same again.
	return h.settle(e.Leaf.Subject, []verify.CaseEntry{entries[0], e})
}

func (h *history) decided(e verify.CaseEntry) error {
	e.Role = countersign.RoleDecision
	h.x.report.Decisions++
	entries, err := h.caseOf(e.Leaf.Subject)
	if err != nil {
		return err
	}
	if entries == nil {
		return h.unknown(e.Leaf)
	}
	return h.settle(e.Leaf.Subject, append(entries, e))
}

// settle verifies a case as it stands now, and keeps of it what is needed next.
func (h *history) settle(request string, entries []verify.CaseEntry) error {
	v, err := verify.Case(h.complete(entries), verify.Options{AllowErased: true, RPID: h.x.opts.RPID, Origins: h.x.opts.Origins})
	if err != nil {
		var failed *verify.Error
		if errors.As(err, &failed) {
			return fmt.Errorf("%s: %s", failed.Step, failed.Detail)
		}
		return err
	}
	if v.Simulated && entries[len(entries)-1].Role == countersign.RoleDecision {
		h.x.report.Simulated++
	}
	c := &openCase{status: v.Status}
	switch v.Status {
	case countersign.StatusPending, countersign.StatusUnsatisfiable:
		c.entries = entries
	case countersign.StatusApproved:
		for _, e := range entries {
			c.indices = append(c.indices, caseIndex{e.Role, e.Index})
		}
		if v.NotBefore != "" {
			if c.notBefore, err = time.Parse(TimeFormat, v.NotBefore); err != nil {
				return err
			}
		}
	default:
		delete(h.open, request)
		return nil
	}
	h.open[request] = c
	return nil
}

// complete adds the enrolments and policies that the entries name.
func (h *history) complete(entries []verify.CaseEntry) []verify.CaseEntry {
	all := append([]verify.CaseEntry(nil), entries...)
	add := func(from map[string]verify.CaseEntry, names []string) {
		var found []verify.CaseEntry
		seen := map[string]bool{}
		for _, name := range names {
			if e, ok := from[name]; ok && !seen[name] {
				seen[name] = true
				found = append(found, e)
			}
		}
		all = append(all, byIndex(found)...)
	}
	var keys, digests []string
	for _, e := range entries {
		digests = append(digests, e.Leaf.Facts["policy_digest"])
		var d countersign.Decision
		if o, shown := e.Openings[countersign.OpeningDecision]; shown && countersign.DecodeStrict([]byte(o.Value), &d) == nil && d.Evidence.Passkey != nil {
			keys = append(keys, d.Evidence.Passkey.Authenticator)
		}
	}
	add(h.enrolments, keys)
	add(h.policies, digests)
	return all
}

// caseOf returns the entries of an open request, nil where it is not open. Those of
// an approved one are read again.
func (h *history) caseOf(request string) ([]verify.CaseEntry, error) {
	c := h.open[request]
	if c == nil {
		return nil, nil
	}
	if c.entries != nil {
		return c.entries, nil
	}
	var entries []verify.CaseEntry
	for _, at := range c.indices {
		e, err := h.x.again(at.index)
		if err != nil {
			return nil, err
		}
		e.Role = at.role
		entries = append(entries, e)
	}
	return entries, nil
}

func (h *history) released(e verify.CaseEntry) error {
	c := h.open[e.Leaf.Subject]
	if c == nil {
		return h.unknown(e.Leaf)
	}
	at, err := time.Parse(time.RFC3339Nano, e.Leaf.Time)
	switch {
	case err != nil:
		return err
	case c.status != countersign.StatusApproved:
		return fmt.Errorf("%s is released while %s", e.Leaf.Subject, c.status)
	case at.Before(c.notBefore):
		return fmt.Errorf("%s is released at %s, before %s", e.Leaf.Subject, e.Leaf.Time, c.notBefore.Format(TimeFormat))
	}
	h.x.report.Releases++
	delete(h.open, e.Leaf.Subject)
	return nil
}

func (h *history) published(e verify.CaseEntry) error {
	e.Role = countersign.RolePolicy
	digest := e.Leaf.Facts["policy_digest"]
	if o, shown := e.Openings[countersign.OpeningPolicy]; shown && string(countersign.SumBytes([]byte(o.Value))) != digest {
		return fmt.Errorf("the policy's text has not the digest %s", digest)
	}
	if n, err := strconv.ParseInt(e.Leaf.Facts["version"], 10, 64); err != nil || n < 0 || strconv.FormatInt(n, 10) != e.Leaf.Facts["version"] {
		return fmt.Errorf("policy version %q is no number", e.Leaf.Facts["version"])
	}
	e.Openings = nil // compared, and long
	h.policies[digest] = e
	return nil
}

// rotated checks that a rotation names keys of this log, or of an origin that it had
// before: then a later recovery must say so. It does not make the new key trusted:
// whoever verifies decides that.
func (h *history) rotated(index int64, leaf countersign.Leaf) error {
	var origin string
	for _, name := range []string{FactOldKey, FactNewKey} {
		v, err := note.NewVerifier(leaf.Facts[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if origin != "" && v.Name() != origin {
			return fmt.Errorf("the old key is named %q, the new one %q", origin, v.Name())
		}
		origin = v.Name()
	}
	if _, told := h.former[origin]; !told && origin != h.x.report.Checkpoint.Origin {
		h.former[origin] = index
	}
	if last := h.lastKey[origin]; last != "" && last != leaf.Facts[FactOldKey] {
		return errors.New("the old key is not the one that the rotation before made")
	}
	h.lastKey[origin] = leaf.Facts[FactNewKey]
	h.x.report.NewKeys = append(h.x.report.NewKeys, leaf.Facts[FactNewKey])
	return nil
}

// end checks what only the whole log can tell: that keys of another name were those
// of an origin that the log had, until a recovery after them.
func (h *history) end() error {
	for origin, index := range h.former {
		if !slices.ContainsFunc(h.x.report.Recoveries, func(r Recovery) bool { return r.OldOrigin == origin && r.Index > index }) {
			return &ExportError{ExportHistory, index, fmt.Sprintf("it rotates a key of %q, the log is %q, and no recovery leads from one to the other", origin, h.x.report.Checkpoint.Origin)}
		}
	}
	return nil
}

// recovered reads a recovery. One that goes on under the same origin must name a
// tree that is the beginning of this one.
func (h *history) recovered(index int64, leaf countersign.Leaf) error {
	r := Recovery{Index: index, OldOrigin: leaf.Facts[FactOldOrigin], OldRoot: leaf.Facts[FactOldRoot]}
	if err := CheckOrigin(r.OldOrigin); err != nil {
		return err
	}
	size, err := strconv.ParseInt(leaf.Facts[FactOldSize], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != leaf.Facts[FactOldSize] {
		return fmt.Errorf("old size %q is no number", leaf.Facts[FactOldSize])
	}
	root, err := tlog.ParseHash(r.OldRoot)
	if err != nil {
		return fmt.Errorf("old root %q: %w", r.OldRoot, err)
	}
	r.OldSize = size
	if r.OldOrigin == h.x.report.Checkpoint.Origin {
		if size > index {
			return fmt.Errorf("it continues %d entries, and %d stand before it", size, index)
		}
		if have, err := Root(size, h.x.exportedTile); err != nil || have != root {
			return fmt.Errorf("the first %d entries are not the tree that it continues", size)
		}
	} else if index == 0 {
		h.continued = true
	}
	h.x.report.Recoveries = append(h.x.report.Recoveries, r)
	return nil
}
