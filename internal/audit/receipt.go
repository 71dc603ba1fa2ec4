package audit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	countersign "github.com/countersign/countersign"
	"github.com/countersign/countersign/verify"
	"golang.org/x/mod/sumdb/tlog"
)

// Logged is one entry of a case as the log holds it.
type Logged struct {
	Role     string // one of the Role constants
	Index    int64
	Leaf     []byte                         // exact bytes
	Openings map[string]countersign.Opening // those to show
	Decoded  *countersign.Leaf              // the same as Leaf, where the caller has it; nil is read out of Leaf
}

// ReceiptInput is what a receipt is made of: the entries of the case in any order
// (the submission; the last reweighing that the decisions refer to, if any; the
// decisions; the enrolment of every passkey used; the entry of every policy named;
// the release, if any), and the signed checkpoint that covers them.
type ReceiptInput struct {
	Entries    []Logged
	Checkpoint []byte // signed
	// Prove returns the path of an entry in the tree of the checkpoint's size:
	// [Prover.Inclusion], or [InclusionProof] over tiles.
	Prove func(size, index int64) ([]tlog.Hash, error)
}

var roleOrder = map[string]int{
	countersign.RoleSubmission: 1, countersign.RoleReweighing: 2, countersign.RoleDecision: 3,
	countersign.RoleEnrolment: 4, countersign.RolePolicy: 5, countersign.RoleRelease: 6,
}

// BuildReceipt puts a receipt together. It checks what it needs for that and
// nothing more: [verify.Receipt] says whether the receipt proves
// anything.
func BuildReceipt(in ReceiptInput) (countersign.Receipt, error) {
	r := countersign.Receipt{Type: countersign.ReceiptType}
	head, err := readCheckpoint(in.Checkpoint)
	if err != nil {
		return r, err
	}
	r.Origin = head.Origin
	logged := slices.Clone(in.Entries)
	slices.SortStableFunc(logged, func(a, b Logged) int {
		return cmp.Or(cmp.Compare(roleOrder[a.Role], roleOrder[b.Role]), cmp.Compare(a.Index, b.Index))
	})
	if len(logged) == 0 || logged[0].Role != countersign.RoleSubmission {
		return r, errors.New("receipt: no submission among the entries")
	}
	cases := make([]verify.CaseEntry, len(logged))
	r.Entries = make([]countersign.ReceiptEntry, len(logged))
	for i, e := range logged {
		leaf, err := e.decoded()
		if err != nil {
			return r, fmt.Errorf("receipt: entry at index %d: %w", e.Index, err)
		}
		path, err := in.Prove(head.Size, e.Index)
		if err != nil {
			return r, fmt.Errorf("receipt: %w", err)
		}
		openings := e.Openings
		if openings == nil {
			openings = map[string]countersign.Opening{}
		}
		cases[i] = verify.CaseEntry{Role: e.Role, Index: e.Index, Leaf: leaf, Openings: openings}
		r.Entries[i] = countersign.ReceiptEntry{Role: e.Role, Leaf: string(e.Leaf), Openings: openings, Proof: FormatProof(e.Index, path, in.Checkpoint)}
		if e.Role != countersign.RoleEnrolment && e.Role != countersign.RolePolicy {
			r.Status = countersign.Status(leaf.Facts["status"]) // of the last that changed it
			r.Founding = r.Founding || leaf.Facts["founding"] == "true"
		}
	}
	r.Org, r.Request = cases[0].Leaf.Org, cases[0].Leaf.Subject
	r.Summary = verify.Summary(cases)
	return r, nil
}

func (e Logged) decoded() (countersign.Leaf, error) {
	if e.Decoded != nil {
		return *e.Decoded, nil
	}
	return countersign.ParseLeaf(e.Leaf)
}

// readCheckpoint reads the body of a checkpoint that the caller has signed itself.
func readCheckpoint(signed []byte) (Checkpoint, error) {
	body, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("receipt: the checkpoint is not signed")
	}
	return verify.ParseCheckpoint(body + "\n")
}
