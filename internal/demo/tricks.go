package demo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// The tricks: what somebody would try to get a document past its approvers. Each is
// carried out for real, and caught by another part.
const (
	TrickRevision = "revision" // the ERP submits a changed revision behind the approver's back
	TrickRow      = "row"      // somebody with access to the database edits the stored document
	TrickReplay   = "replay"   // an old receipt is presented for another payment
)

// Played is what came of a trick.
type Played struct {
	Request     string // that it was about
	Was, Is     string // what was changed: an amount, an account, an execution
	Problem     *countersign.Problem
	Replacement string // the request that took its place
}

// Play carries a trick out.
func (l *Live) Play(ctx context.Context, trick string) (*Played, error) {
	switch trick {
	case TrickRevision:
		return l.revise(ctx)
	case TrickRow:
		return l.editRow(ctx)
	case TrickReplay:
		return l.replay(ctx)
	}
	return nil, fmt.Errorf("no trick is called %q", trick)
}

// waiting is a case that still waits for its approvers, and its request.
func (l *Live) waiting(ctx context.Context, names ...string) (Case, *countersign.Approval, error) {
	for _, name := range names {
		id := l.Request(name)
		if id == "" {
			continue
		}
		a, err := l.h.Authority.Get(ctx, authority.Caller{Key: &l.key}, id)
		if err == nil && a.Status == countersign.StatusPending {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.cases[name], a, nil
		}
	}
	return Case{}, nil, countersign.NewProblem(countersign.CodeState, "none of the cases waits for anybody now").WithHint("begin the day anew first")
}

// revise submits the waiting order again with another amount, as somebody would who
// can edit the order in the ERP while the approver has the page open.
func (l *Live) revise(ctx context.Context) (*Played, error) {
	c, a, err := l.waiting(ctx, "large-order", "agent-order", "new-vendor-invoice", "split-4", "payment-to-old-account")
	if err != nil {
		return nil, err
	}
	d := c.Document
	was := *d.Amount
	minor, err := was.Minor()
	if err != nil {
		return nil, err
	}
	d.Amount = &countersign.Amount{Value: countersign.FormatMinor(minor+minor/10*8, was.Currency), Currency: was.Currency}
	d.Lines = nil
	d.Revision = fmt.Sprintf("%d", time.Now().UnixMilli())
	document, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	s, err := l.h.Authority.Submit(ctx, l.key, countersign.RequestBody{Document: document, Submission: &countersign.Submission{Approver: c.Approver, Channel: c.Channel, Supersedes: a.ID}})
	if err != nil {
		return nil, err
	}
	c.Document = d
	l.mu.Lock()
	l.cases[c.Name], l.open[c.Name] = c, s.Approval.ID
	l.mu.Unlock()
	return &Played{Request: a.ID, Replacement: s.Approval.ID, Was: was.Value + " " + was.Currency, Is: d.Amount.Value + " " + d.Amount.Currency}, nil
}

// editRow changes the account in the stored document, past the program, as somebody
// could who has the database's file.
func (l *Live) editRow(ctx context.Context) (*Played, error) {
	_, a, err := l.waiting(ctx, "new-vendor-invoice", "payment-to-old-account", "large-order", "agent-order", "split-4")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.h.dir, dataFolder, dataFile)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var document []byte
	if err := db.QueryRowContext(ctx, `SELECT document FROM approval WHERE id = ?`, a.ID).Scan(&document); err != nil {
		return nil, err
	}
	var d countersign.Document
	if err := countersign.DecodeStrict(document, &d); err != nil {
		return nil, err
	}
	if d.Payee == nil || d.Payee.Account == nil {
		return nil, errors.New("the case has no account to exchange")
	}
	was, is := d.Payee.Account.Value, forgedIBAN()
	edited := bytes.ReplaceAll(document, []byte(was), []byte(is))
	if _, err := db.ExecContext(ctx, `UPDATE approval SET document = ? WHERE id = ?`, edited, a.ID); err != nil {
		return nil, err
	}
	p := &Played{Request: a.ID, Was: was, Is: is}
	_, err = l.h.Authority.Release(ctx, l.key, countersign.ReleaseBody{Request: a.ID, Document: edited, Execution: "intruder", Confirm: true})
	errors.As(err, &p.Problem)
	// The row is put back, so that the case can be played on.
	_, err = db.ExecContext(ctx, `UPDATE approval SET document = ? WHERE id = ?`, document, a.ID)
	return p, err
}

// replay presents the receipt of the small order, which was executed, for another
// execution.
func (l *Live) replay(ctx context.Context) (*Played, error) {
	id := l.Request(executed)
	if id == "" {
		return nil, countersign.NewProblem(countersign.CodeState, "the small order is not there yet").WithHint("try again in a moment")
	}
	l.mu.Lock()
	first := l.execution(l.cases[executed], id)
	l.mu.Unlock()
	again := first
	again.Execution = "order-run-again"
	_, err := l.h.Authority.Release(ctx, l.key, again)
	p := &Played{Request: id, Was: first.Execution, Is: again.Execution}
	if !errors.As(err, &p.Problem) {
		return nil, fmt.Errorf("the receipt was accepted twice: %w", err)
	}
	return p, nil
}
