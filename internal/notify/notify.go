// Package notify is the doorbell: it drains the outbox, finds who is to be told of an
// event, and writes each of them a mail with a link. A mail says that something waits,
// what and by whom it is asked; it carries no account, no digest and nothing that acts.
//
// An event becomes one job for each mail, in the transaction that removes the event,
// so that each mail is tried, repeated and given up by itself. A job holds ids only:
// what a mail says is read when it is sent, and a mail that has nothing to say any
// more is not sent. Delivery is at least once; a repeated mail has the Message-ID of
// the first.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Topics of the outbox that are drained here.
const (
	topicEvent  = "doorbell"          // a countersign.Event, from the authority
	topicLater  = "doorbell.reminder" // a reminder or an escalation, when its time comes
	topicLetter = "doorbell.mail"     // one mail to one person
)

// What a mail says of what is asked.
const (
	DetailsSummary = "summary" // kind, number, amount, payee's name, who asks
	DetailsNone    = "none"    // that something waits, until when, and the link
)

// Post takes mails on: [SMTP] hands them to a server, [Folder] writes them to a disk.
type Post interface {
	// Deliver returns a [*DeliveryError] when the mail was not taken on.
	Deliver(ctx context.Context, m *Mail) error
}

// Config is what a bell needs.
type Config struct {
	DB      *store.DB // bound to one organisation
	Log     *slog.Logger
	Post    Post         // nil: what is to be told becomes a line of the log, and nothing else
	From    mail.Address // whom the mails come from
	Details string       // one of the Details constants
}

// Bell drains the outbox of one organisation. Several may run at once.
type Bell struct {
	Config
	texts *texts
}

// New makes a bell. It fails on a catalogue that cannot be read.
func New(c Config) (*Bell, error) {
	t, err := loadTexts("en")
	if err != nil {
		return nil, err
	}
	if c.Details != DetailsNone && c.Details != DetailsSummary && c.Post != nil {
		return nil, fmt.Errorf("details %q: want %s or %s", c.Details, DetailsSummary, DetailsNone)
	}
	return &Bell{Config: c, texts: t}, nil
}

const (
	// claimFor is longer than claimMany deliveries to a server that is as slow as it may be.
	claimFor  = 15 * time.Minute
	claimMany = 10
	lookEvery = time.Second // for what other replicas wrote
)

// Run rings until the context ends.
func (b *Bell) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		grown := b.DB.Changed(store.OutboxGrew)
		n, err := b.round(ctx)
		if err != nil && ctx.Err() == nil {
			b.Log.Error("the outbox could not be read", "error", err)
		}
		if n == claimMany {
			continue
		}
		select {
		case <-ctx.Done():
		case <-grown:
		case <-tick.C:
		}
	}
}

// round claims what is due and does it. When the mail server cannot be reached, the
// other mails of the round wait too: it is asked once, and not ten times.
func (b *Bell) round(ctx context.Context) (int, error) {
	claims, err := b.DB.Claim(ctx, claimFor, claimMany)
	var away error
	for _, c := range claims {
		if away != nil && c.Topic == topicLetter {
			b.failed(ctx, c, away)
			continue
		}
		err := b.one(ctx, c)
		if ctx.Err() != nil {
			return len(claims), nil // the lease ends, and the job comes again
		}
		var d *DeliveryError
		if errors.As(err, &d) && d.Unreachable {
			away = err
		}
		if err != nil {
			b.failed(ctx, c, err)
		}
	}
	return len(claims), err
}

// failed gives a job back, to come again after a while; what was refused for good, or
// has been tried often enough, becomes a dead letter.
func (b *Bell) failed(ctx context.Context, c store.Claim, cause error) {
	delivery := store.DefaultDelivery
	var d *DeliveryError
	if errors.As(cause, &d) && d.Permanent {
		delivery.Attempts = c.Attempts
	}
	dead, err := b.DB.Failed(ctx, c, delivery, cause.Error())
	b.Log.Warn("an event could not be told", "event", c.ID, "topic", c.Topic, "attempts", c.Attempts, "given_up", dead, "error", cause)
	if err != nil && ctx.Err() == nil {
		b.Log.Error("the outbox could not be written", "error", err)
	}
}

// one does one job.
func (b *Bell) one(ctx context.Context, c store.Claim) error {
	switch c.Topic {
	case topicEvent:
		return b.event(ctx, c)
	case topicLater:
		return b.later(ctx, c)
	case topicLetter:
		return b.letter(ctx, c)
	}
	return fmt.Errorf("nobody is there for the topic %q", c.Topic)
}

// event turns an event into the mails that it asks for.
func (b *Bell) event(ctx context.Context, c store.Claim) error {
	var e countersign.Event
	if err := json.Unmarshal(c.Payload, &e); err != nil {
		return fmt.Errorf("the event cannot be read: %w", err)
	}
	b.Log.Info(saying(e), "event", e.ID, "type", string(e.Type), "subject", e.Subject, "entry", e.Entry)
	if b.Post == nil {
		return b.done(ctx, c)
	}
	var jobs []store.Job
	err := b.DB.Read(ctx, func(tx *store.Tx) (err error) {
		jobs, err = b.told(tx, e, c.Subject)
		return err
	})
	if err != nil {
		return err
	}
	return b.replace(ctx, c, jobs)
}

// later tells what was to be told at this time, if it still is.
func (b *Bell) later(ctx context.Context, c store.Claim) error {
	l, err := readLetter(c.Payload)
	if err != nil {
		return err
	}
	if b.Post == nil {
		return b.done(ctx, c)
	}
	var jobs []store.Job
	err = b.DB.Read(ctx, func(tx *store.Tx) (err error) {
		jobs, err = b.due(tx, l)
		return err
	})
	if err != nil {
		return err
	}
	return b.replace(ctx, c, jobs)
}

// letter writes one mail and hands it over.
func (b *Bell) letter(ctx context.Context, c store.Claim) error {
	l, err := readLetter(c.Payload)
	if err != nil {
		return err
	}
	if b.Post == nil { // mail was turned off in the meantime
		return b.done(ctx, c)
	}
	var m *Mail
	err = b.DB.Read(ctx, func(tx *store.Tx) (err error) {
		m, err = b.compose(tx, l)
		return err
	})
	if err != nil {
		return err
	}
	if m == nil {
		b.Log.Info("a mail has nothing to say any more", "event", l.Event, "letter", l.Kind, "person", l.Person)
		return b.done(ctx, c)
	}
	m.ID = c.ID
	if err := b.Post.Deliver(ctx, m); err != nil {
		return err
	}
	b.Log.Info("a mail was handed over", "event", l.Event, "letter", l.Kind, "person", l.Person, "subject", l.Subject)
	return b.done(ctx, c)
}

// done removes a job. When the claim had ended it comes again: the mail then has the
// same Message-ID.
func (b *Bell) done(ctx context.Context, c store.Claim) error {
	if err := b.DB.Done(ctx, c); err != nil && ctx.Err() == nil {
		b.Log.Warn("an event will be told again", "event", c.ID, "error", err)
	}
	return nil
}

func (b *Bell) replace(ctx context.Context, c store.Claim, jobs []store.Job) error {
	err := b.DB.Replace(ctx, c, jobs)
	if errors.Is(err, store.ErrConflict) { // somebody else has it now
		return nil
	}
	return err
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

// isID reports whether an id has a prefix.
func isID(id, prefix string) bool { return strings.HasPrefix(id, prefix+"_") }
