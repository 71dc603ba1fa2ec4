package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/internal/store"
)

// Run does what time alone brings about, until the context ends: it publishes
// checkpoints, expires what is past its deadline, lapses leases, lets settled history
// count, looks again at what nobody could decide, and sweeps what is over. It is the
// only loop, and it uses the same verbs as everybody else. Beside it each witness is
// asked for what is published: nobody waits for that.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	// What the database is told of publication lags a little behind: a write for every
	// checkpoint would make every lone caller wait for it.
	save := time.NewTicker(250 * time.Millisecond)
	defer save.Stop()
	var witnesses sync.WaitGroup
	defer witnesses.Wait()
	for _, w := range a.publisher.Witnesses() {
		witnesses.Go(func() { a.followWitness(ctx, w.Witness) })
	}
	var swept time.Time
	for {
		grown := a.db.Changed(store.LogGrew)
		if err := a.publisher.Sequence(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the log could not be published", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
			continue
		case <-save.C:
			if err := a.publisher.SaveSigned(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("what is published could not be recorded", "error", err)
			}
			continue
		case <-tick.C:
		}
		if err := a.Tick(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("what is due could not be done", "error", err)
		}
		if now := a.db.Now(); now.Sub(swept) > 10*time.Minute {
			swept = now
			if _, err := a.db.Write(ctx, a.sweep); err != nil && ctx.Err() == nil {
				a.log.Error("what is over could not be swept", "error", err)
			}
		}
	}
}

// sweep deletes what is over: sessions, challenges, links, answers kept for callers
// that repeat a call.
func (a *Authority) sweep(tx *store.Tx) error {
	if err := tx.SweepExpired(); err != nil {
		return err
	}
	if err := sweepThrottles(tx); err != nil {
		return err
	}
	_, err := tx.PurgeCalls(10_000)
	return err
}

// Tick does what is due now, once.
func (a *Authority) Tick(ctx context.Context) error {
	if err := a.clock.check(ctx, a.db); err != nil {
		return err
	}
	var due []string
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.Due(100)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range due {
		if err := a.expire(ctx, id); err != nil {
			return fmt.Errorf("expire %s: %w", id, err)
		}
	}
	if err := a.settleHistory(ctx); err != nil {
		return err
	}
	return a.lookAgain(ctx)
}

// expire ends a request that is past its deadline, or lapses its lease.
func (a *Authority) expire(ctx context.Context, id string) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Approval(id)
		if err != nil {
			return err
		}
		state, err := stateOf(row)
		if err != nil {
			return a.quarantine(tx, row, err)
		}
		next, err := approval.Expire(state, tx.Now())
		if err != nil || next.Version == state.Version {
			return err
		}
		e := entry{typ: countersign.EntryRequestExpired, actor: actorSystem}
		if next.Status == countersign.StatusReleased {
			e.typ, e.facts = countersign.EntryReleaseLapsed, map[string]string{"lease": next.Lease.ID}
			if err := a.outcomeUnknown(tx, row); err != nil {
				return err
			}
		}
		_, err = a.advance(tx, &row, state, next, e)
		return err
	})
	return err
}

// quarantine takes a row that was changed from outside off the clock, so that the
// loop does not stumble over it for ever, and raises an alert. Nothing is decided or
// released on it.
func (a *Authority) quarantine(tx *store.Tx, row store.Approval, cause error) error {
	a.log.Error("a stored request contradicts itself", "request", row.ID, "error", cause)
	if err := a.raiseTampered(tx, row.ID); err != nil {
		return err
	}
	return tx.TakeOffClock(row.ID)
}

// outcomeUnknown raises the alert of a lease that lapsed: nobody said whether the
// money went out (ruling 25).
func (a *Authority) outcomeUnknown(tx *store.Tx, row store.Approval) error {
	about := store.AboutOrganisation
	if row.Vendor != "" {
		about = store.AboutVendor(row.Vendor)
	}
	return a.raise(tx, newAlert{about: about, severity: "high", external: alertLease + row.ID, days: 14,
		title: "outcome unknown: " + row.Kind + " " + row.Object + " was released and never confirmed"})
}

// settleHistory lets pushed history count whose settling time has come.
func (a *Authority) settleHistory(ctx context.Context) error {
	for {
		n := 0
		var waiting bool
		err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
			waiting, err = tx.SettledWaiting()
			return err
		})
		if err != nil || !waiting {
			return err
		}
		_, err = a.db.Write(ctx, func(tx *store.Tx) (err error) {
			if n, err = tx.FoldSettled(500); err != nil || n == 0 {
				return err
			}
			return tx.FactsChanged()
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// lookAgain weighs requests anew that nobody could decide, when facts have changed:
// somebody may have enrolled or joined a group.
func (a *Authority) lookAgain(ctx context.Context) error {
	var ids []string
	var gen int64
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		if gen, err = tx.FactsGen(); err != nil || gen == a.lookedAt.Load() {
			return err
		}
		rows, err := tx.Approvals(store.ApprovalFilter{Statuses: []countersign.Status{countersign.StatusUnsatisfiable}}, "", 200)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.Reweigh(ctx, id, "the people who may decide have changed"); err != nil {
			return fmt.Errorf("weigh %s again: %w", id, err)
		}
	}
	a.lookedAt.Store(gen)
	return nil
}

// Reweigh holds an open request to the policy and the facts of now. It only ever
// tightens.
func (a *Authority) Reweigh(ctx context.Context, id, why string) error {
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.Approval(id)
		if err != nil {
			return err
		}
		c := &caseFile{}
		if err := c.load(tx, row); err != nil {
			return a.quarantine(tx, row, err)
		}
		if c.state.Status != countersign.StatusPending && c.state.Status != countersign.StatusUnsatisfiable && c.state.Status != countersign.StatusApproved {
			return nil
		}
		m, err := c.matter()
		if err != nil {
			return err
		}
		in := approval.Weighing{Requirement: c.state.Requirement, PolicyDigest: c.state.PolicyDigest, Why: why, Now: tx.Now()}
		var w *weighing
		if !countersign.InternalKind(row.Kind) {
			if w, err = a.weigh(tx, m, policy.StageSubmit); err != nil {
				return err
			}
			in.Requirement, in.PolicyDigest = w.result.Requirement, countersign.Digest(w.stored.Digest)
		}
		if in.Candidates, err = a.candidates(tx, row.Kind, c.state.Requirement.Merge(in.Requirement), row.Nominated); err != nil {
			return err
		}
		if in.Candidates, err = bystanders(tx, m.doc, in.Candidates); err != nil {
			return err
		}
		next, err := approval.Reweigh(c.state, in)
		var p *countersign.Problem
		if errors.As(err, &p) && next.Version > c.state.Version {
			_, err = a.advance(tx, &c.row, c.state, next, entry{typ: countersign.EntryRequestExpired, actor: actorSystem})
			return err
		}
		if err != nil || next.Version == c.state.Version {
			return err
		}
		return a.reweighed(tx, c, next, newWeighing{m, w}, entry{typ: countersign.EntryRequestReweighed, actor: actorSystem})
	})
	return err
}

// newWeighing is a matter with its new weighing; none for a change to Countersign
// itself, which no policy weighs.
type newWeighing struct {
	matter *matter
	*weighing
}

// text is what the log keeps of it.
func (n newWeighing) text(c *caseFile) ([]byte, error) {
	if n.weighing != nil {
		return n.record(n.matter)
	}
	return json.Marshal(c.weighed)
}

// reweighed stores a request that was weighed again, with what it was weighed on.
func (a *Authority) reweighed(tx *store.Tx, c *caseFile, next approval.State, n newWeighing, e entry) error {
	requirement, err := countersign.Canonical(next.Requirement)
	if err != nil {
		return err
	}
	weighed, err := n.text(c)
	if err != nil {
		return err
	}
	e.facts = map[string]string{"outcome": string(next.Requirement.Outcome), "policy_digest": string(next.PolicyDigest),
		"requirement_digest": string(next.RequirementDigest), "why": "reweighed"}
	e.openings = map[string][]byte{countersign.OpeningRequirement: requirement, countersign.OpeningWeighing: weighed}
	c.row.PolicyDigest = string(next.PolicyDigest)
	if n.weighing != nil && n.stored.Digest == c.row.PolicyDigest {
		c.row.PolicyVersion = n.stored.Version
	}
	if _, err := a.advance(tx, &c.row, c.state, next, e); err != nil {
		return err
	}
	c.state = next
	return nil
}
