package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// doorbell drains the outbox of one organisation. Nobody is written to yet: what
// people are to be told becomes a line of the log, ids and no contents.
type doorbell struct {
	db  *store.DB
	log *slog.Logger
}

const (
	claimFor  = time.Minute
	claimMany = 50
	lookEvery = time.Second // for what other replicas wrote
)

// run rings until the context ends.
func (d *doorbell) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		grown := d.db.Changed(store.OutboxGrew)
		claims, err := d.db.Claim(ctx, claimFor, claimMany)
		if err != nil && ctx.Err() == nil {
			d.log.Error("the outbox could not be read", "error", err)
		}
		for _, c := range claims {
			d.deliver(ctx, c)
		}
		if len(claims) == claimMany {
			continue
		}
		select {
		case <-ctx.Done():
		case <-grown:
		case <-tick.C:
		}
	}
}

// deliver rings for one job, and gives it back when that failed: it comes again after
// a while, and after many attempts it is a dead letter.
func (d *doorbell) deliver(ctx context.Context, c store.Claim) {
	if err := d.ring(c.Job); err != nil {
		dead, failed := d.db.Failed(ctx, c, store.DefaultDelivery, err.Error())
		d.log.Warn("an event could not be told", "event", c.ID, "topic", c.Topic, "attempts", c.Attempts, "given_up", dead, "error", err)
		if failed != nil && ctx.Err() == nil {
			d.log.Error("the outbox could not be written", "error", failed)
		}
		return
	}
	if err := d.db.Done(ctx, c); err != nil && ctx.Err() == nil {
		d.log.Warn("an event will be told again", "event", c.ID, "error", err)
	}
}

func (d *doorbell) ring(j store.Job) error {
	if j.Topic != authority.TopicDoorbell {
		return fmt.Errorf("nobody is there for the topic %q", j.Topic)
	}
	var e countersign.Event
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		return fmt.Errorf("the event cannot be read: %w", err)
	}
	d.log.Info(saying(e), "event", e.ID, "type", string(e.Type), "subject", e.Subject, "entry", e.Entry)
	return nil
}

// saying is what a line of the log begins with.
func saying(e countersign.Event) string {
	switch countersign.Status(e.Facts["status"]) {
	case countersign.StatusPending:
		return "waiting for a decision"
	case countersign.StatusUnsatisfiable:
		return "waiting for more people who may decide"
	case countersign.StatusApproved:
		return "waiting for its release"
	case "":
		return "something happened"
	}
	return "ended: " + e.Facts["status"]
}
