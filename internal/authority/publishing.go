package authority

import (
	"context"
	"errors"
	"strconv"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
	"github.com/countersign/countersign/internal/store"
)

// Publish sequences what is committed, signs it and records in the database that it
// did. The loop does it by itself; so may a command before it ends.
func (a *Authority) Publish(ctx context.Context) error { return a.publisher.Publish(ctx) }

// Verifiers are the public keys of the log in the form name+hash+base64: all that
// ever signed, those of origins that this log continues first, the newest last.
func (a *Authority) Verifiers() []string { return a.publisher.Verifiers() }

// Checkpoint is the last published checkpoint, or a problem before the first.
func (a *Authority) Checkpoint() ([]byte, error) {
	c, err := a.publisher.Checkpoint()
	if err != nil {
		return nil, countersign.NewProblem(countersign.CodeUnavailable, "the log cannot be signed").WithCause(err)
	}
	if c == nil {
		return nil, notFound()
	}
	return c, nil
}

// Witnesses says how far each witness has come.
func (a *Authority) Witnesses() []checkpoint.WitnessState { return a.publisher.Witnesses() }

// WitnessKeys are the public keys of the witnesses, as name+hash+base64.
func (a *Authority) WitnessKeys() []string { return a.publisher.WitnessKeys() }

// AskWitness asks the witness of that key (name+hash) to cosign the last published
// checkpoint, once. The loop does it by itself.
func (a *Authority) AskWitness(ctx context.Context, id string) error {
	err := a.publisher.AskWitness(ctx, id)
	a.witnessTold(ctx, id, err)
	return err
}

// followWitness asks a witness for everything that is published, until the context ends.
func (a *Authority) followWitness(ctx context.Context, id string) {
	a.publisher.FollowWitness(ctx, id, func(err error) {
		a.witnessTold(ctx, id, err)
		if errors.Is(err, checkpoint.ErrGuard) {
			return
		}
		if err := a.noteOverdue(ctx, id); err != nil && ctx.Err() == nil {
			a.log.Error("the alert about an overdue witness could not be written", "witness", id, "error", err)
		}
	})
}

// witnessTold counts what came of asking a witness. That it has seen another log than
// this is said as loudly as can be (ruling 31).
func (a *Authority) witnessTold(ctx context.Context, id string, err error) {
	for _, w := range a.publisher.Witnesses() {
		if w.Witness == id {
			a.metrics.witnessAnswered(w, err)
		}
	}
	var other *checkpoint.ContradictionError
	if !errors.As(err, &other) {
		return
	}
	_, alert := a.db.Write(ctx, func(tx *store.Tx) error {
		return a.raise(tx, newAlert{about: store.AboutOrganisation, severity: "critical", days: maxAlertDays,
			external: "witness:" + other.Witness + ":" + strconv.FormatInt(other.Size, 10),
			title:    "a witness has seen another log than this one, and nothing is signed any more: " + other.Cause.Error()})
	})
	if alert != nil {
		a.log.Error("the alert about a forked log could not be written", "error", alert)
	}
}
