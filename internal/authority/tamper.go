package authority

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/verify"
)

// errTampered says that a stored row was changed by somebody else than the
// authority.
var errTampered = errors.New("stored data was changed from outside")

func tamperedWith(format string, args ...any) error {
	return countersign.NewProblem(countersign.CodeChanged, format, args...).
		WithHint("nothing is decided or released on it; tell the operator").WithCause(errTampered)
}

// raiseTampered raises the alert about a request whose stored data was changed from
// outside, once.
func (a *Authority) raiseTampered(tx *store.Tx, request string) error {
	return a.raise(tx, newAlert{about: store.AboutOrganisation, severity: "critical", external: alertTampered + request, days: 30,
		title: "the stored data of request " + request + " was changed from outside"})
}

// discovered raises that alert where somebody was about to act on such a request. The
// act was refused and left nothing behind; that it was found out must not be lost with
// it. It returns the error that it was given.
func (a *Authority) discovered(ctx context.Context, request string, err error) error {
	if !errors.Is(err, errTampered) {
		return err
	}
	if _, raising := a.db.Write(ctx, func(tx *store.Tx) error { return a.raiseTampered(tx, request) }); raising != nil {
		a.log.Error("the alert about a changed row could not be raised", "request", request, "error", raising)
	}
	return err
}

// asLogged holds a stored request to its entries: the document to the one that was
// logged when it was submitted, the requirement to the one of its last weighing. A
// digest beside a document proves nothing where both can be written; the entries'
// commitments stand in the signed tree.
func (c *caseFile) asLogged(submitted, weighed countersign.Leaf, openings map[string]countersign.Opening) error {
	if len(c.row.Document) == 0 {
		return nil // erased, and the openings with it
	}
	o, ok := openings[countersign.OpeningDocument]
	if !ok {
		return tamperedWith("the document of %s is stored, but its entry has none", c.row.ID)
	}
	if sum, err := o.Commitment(countersign.OpeningDocument); err != nil || sum != submitted.Commitments[countersign.OpeningDocument] {
		return tamperedWith("the logged document of %s is not the one that was committed to", c.row.ID)
	}
	if o.Value != string(c.row.Document) {
		return tamperedWith("the stored document of %s is not the one that was submitted: it was changed in the database", c.row.ID)
	}
	s := c.state
	if !s.Requirement.Digest().Equal(s.RequirementDigest) || string(s.RequirementDigest) != weighed.Facts["requirement_digest"] {
		return tamperedWith("the stored requirement of %s is not the one that was weighed: it was changed in the database", c.row.ID)
	}
	return nil
}

// leafIn finds the entry of an id among those that were read.
func leafIn(entries map[string]store.Entry, id string) (countersign.Leaf, error) {
	e, ok := entries[id]
	if !ok {
		return countersign.Leaf{}, store.ErrNotFound
	}
	return countersign.ParseLeaf(e.Leaf)
}

// leafOf reads the entry of an id.
func leafOf(tx *store.Tx, id string) (countersign.Leaf, error) {
	e, err := tx.EntryByID(id)
	if err != nil {
		return countersign.Leaf{}, err
	}
	return countersign.ParseLeaf(e.Leaf)
}

// proven refuses the release of what people approved when its own receipt does not
// prove it: rows say what happened, but only the signed log is held to account. It
// returns the version of the approval that was proven; 0 where nobody was asked.
func (a *Authority) proven(ctx context.Context, key Key, request string) (int64, error) {
	var c *caseFile
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		c, _, err = a.find(tx, Caller{Key: &key}, request)
		return err
	})
	if err != nil {
		return 0, err
	}
	if c.state.Status != countersign.StatusApproved || c.state.Requirement.Outcome != countersign.OutcomeStepUp {
		return 0, nil
	}
	head, err := a.publisher.Last()
	if err != nil {
		return 0, err
	}
	r, err := a.waitingReceipt(ctx, c, head)
	if err != nil {
		return 0, err
	}
	v, err := verify.Receipt(r.Bytes(), verify.Options{Keys: a.Verifiers()})
	if err == nil && v.Status != countersign.StatusApproved {
		err = fmt.Errorf("its entries say %q", v.Status)
	}
	if err == nil {
		return c.state.Version, nil
	}
	a.log.Error("the receipt of a stored approval does not verify", "request", request, "error", err)
	return 0, tamperedWith("the log does not prove that %s was approved: %v", request, err)
}
