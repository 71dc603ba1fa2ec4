package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// Kinds of mails. Each has its texts in the catalogue.
const (
	kindWaiting        = "waiting"
	kindReminder       = "reminder"
	kindEscalation     = "escalation"
	kindHeld           = "held"
	kindApproved       = "approved"
	kindDenied         = "denied"
	kindRevoked        = "revoked"
	kindExpired        = "expired"
	kindCancelled      = "cancelled"
	kindSuperseded     = "superseded"
	kindNotNeeded      = "not_needed" // to whoever was asked for what was taken back
	kindReleaseRefused = "release_refused"
	kindUnsatisfiable  = "unsatisfiable"
	kindQuestion       = "question"
	kindAnswer         = "answer"
	kindFactorAdded    = "factor_added"
	kindFactorRemoved  = "factor_removed"
	kindFactorReset    = "factor_reset"
	kindResetOf        = "reset_of" // to administrators
	kindFactorLost     = "factor_reported"
	kindFactorLocked   = "factor_locked"
	kindDelegation     = "delegation"
	kindAlert          = "alert"
	kindFreeze         = "freeze"
	kindBreakGlass     = "break_glass"
)

// The groups that Countersign itself knows.
const (
	administrators = "administrators"
	controllers    = "controllers"
)

// mostTold bounds whom one event is told to: a group of thousands is asked on the pages.
const mostTold = 500

// letter is the payload of a job: ids and times, never contents.
type letter struct {
	Kind    string            `json:"kind"`
	Person  string            `json:"person,omitempty"` // who is written to
	Subject string            `json:"subject"`          // what it is about: req_…, per_…, alr_…, frz_…
	Event   string            `json:"event"`            // what it came from
	At      time.Time         `json:"at"`               // of the event
	Due     time.Time         `json:"due,omitzero"`     // of a reminder: the end that it reminds of
	Facts   map[string]string `json:"facts,omitempty"`  // of the event
}

func readLetter(payload []byte) (letter, error) {
	var l letter
	if err := json.Unmarshal(payload, &l); err != nil {
		return l, fmt.Errorf("the job cannot be read: %w", err)
	}
	return l, nil
}

// to makes the jobs of a letter to several people. The job's id is the same whenever
// the same event is told to the same person, and so is the mail's Message-ID.
func (b *Bell) to(l letter, people []string, erase string) ([]store.Job, error) {
	slices.Sort(people)
	people = slices.Compact(people)
	if len(people) > mostTold {
		b.Log.Warn("an event is not told to everybody: too many people", "event", l.Event, "people", len(people), "told", mostTold)
		people = people[:mostTold]
	}
	jobs := make([]store.Job, 0, len(people))
	for _, p := range people {
		l.Person = p
		payload, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, store.Job{ID: l.Event + "." + p + "." + l.Kind, Topic: topicLetter, Subject: erase, Payload: payload})
	}
	return jobs, nil
}

// told finds the mails that an event asks for. Erase is the id that the event is about
// in the outbox: for a person that the entry names otherwise, theirs.
func (b *Bell) told(tx *store.Tx, e countersign.Event, erase string) ([]store.Job, error) {
	at, err := time.Parse(countersign.TimeFormat, e.Time)
	if err != nil {
		return nil, fmt.Errorf("the time of %s: %w", e.ID, err)
	}
	l := letter{Subject: erase, Event: e.ID, At: at, Facts: e.Facts}
	switch {
	case isID(erase, countersign.PrefixRequest):
		return b.toldOfRequest(tx, e, l)
	case isID(erase, countersign.PrefixPerson):
		return b.toldPerson(tx, e, l)
	case e.Type == countersign.EntryAlertRaised:
		return b.toldOfAlert(tx, l)
	case e.Type == countersign.EntryFreezePlaced:
		l.Kind = kindFreeze
		people, err := members(tx, administrators, controllers)
		if err != nil {
			return nil, err
		}
		return b.to(l, people, erase)
	}
	return nil, nil
}

// securityMails are the mails to a person about their own authenticators.
var securityMails = map[countersign.EntryType]string{
	countersign.EntryAuthenticatorEnrolled: kindFactorAdded,
	countersign.EntryAuthenticatorRemoved:  kindFactorRemoved,
	countersign.EntryAuthenticatorReported: kindFactorLost,
	countersign.EntryAuthenticatorLocked:   kindFactorLocked,
	countersign.EntryDelegationChanged:     kindDelegation,
}

func (b *Bell) toldPerson(tx *store.Tx, e countersign.Event, l letter) ([]store.Job, error) {
	l.Kind = securityMails[e.Type]
	if l.Kind == "" {
		return nil, nil
	}
	var more []store.Job
	if l.Kind == kindFactorRemoved && e.Facts["request"] != "" { // by two administrators, not by the person
		past, _, err := before(tx, e)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(past, func(p countersign.Leaf) bool { return p.Type == e.Type && p.Facts["request"] == e.Facts["request"] }) {
			return nil, nil // one reset takes several authenticators, and is told with the first
		}
		l.Kind = kindResetOf
		people, err := members(tx, administrators)
		if err != nil {
			return nil, err
		}
		people = slices.DeleteFunc(people, func(p string) bool { return p == l.Subject })
		if more, err = b.to(l, people, l.Subject); err != nil {
			return nil, err
		}
		l.Kind = kindFactorReset
	}
	own, err := b.to(l, []string{l.Subject}, l.Subject)
	return append(own, more...), err
}

// unsatisfiable begins the alert about a request that nobody can decide, which has a
// mail of its own.
const unsatisfiable = "unsatisfiable:"

func (b *Bell) toldOfAlert(tx *store.Tx, l letter) ([]store.Job, error) {
	l.Kind = kindAlert
	a, err := tx.Alert(l.Subject)
	if errors.Is(err, store.ErrNotFound) || strings.HasPrefix(a.External, unsatisfiable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	people := []string{a.Owner}
	if !isID(a.Owner, countersign.PrefixPerson) {
		if people, err = members(tx, a.Owner); err != nil {
			return nil, err
		}
	}
	people = slices.DeleteFunc(people, func(p string) bool { return p == a.Source }) // who raised it
	return b.to(l, people, l.Subject)
}

// toldOfRequest finds who is to be told of a request's change.
func (b *Bell) toldOfRequest(tx *store.Tx, e countersign.Event, l letter) ([]store.Job, error) {
	row, err := tx.Approval(l.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch e.Type {
	case countersign.EntryRequestQuestion:
		return b.toldOfQuestion(tx, row, l)
	case countersign.EntryReleaseRefused:
		return b.toldOfRefusal(tx, row, e, l)
	case countersign.EntryBreakGlassUsed:
		l.Kind = kindBreakGlass
		people, err := members(tx, administrators, controllers)
		if err != nil {
			return nil, err
		}
		return b.to(l, people, row.ID)
	}
	switch status := countersign.Status(e.Facts["status"]); status {
	case countersign.StatusPending:
		return b.toldOfWaiting(tx, row, e, l)
	case countersign.StatusUnsatisfiable:
		l.Kind = kindUnsatisfiable
		people, err := members(tx, administrators)
		if err != nil {
			return nil, err
		}
		return b.to(l, people, row.ID)
	case countersign.StatusApproved, countersign.StatusDenied, countersign.StatusExpired, countersign.StatusRevoked:
		return b.toldOfEnd(tx, row, status, e, l)
	case countersign.StatusCancelled, countersign.StatusSuperseded:
		return b.toldOfWithdrawal(tx, row, e, l)
	}
	return nil, nil
}

// toldOfWaiting tells those who are asked, and plans what they are told later. A
// decision that leaves the request waiting asks nobody anew.
func (b *Bell) toldOfWaiting(tx *store.Tx, row store.Approval, e countersign.Event, l letter) ([]store.Job, error) {
	l.Kind = kindWaiting
	if e.Type == countersign.EntryDecisionMade {
		return nil, nil
	}
	if row.Status != countersign.StatusPending { // it has moved on
		return nil, nil
	}
	if e.Type == countersign.EntryRequestReassigned {
		if isID(e.Facts["to"], countersign.PrefixPerson) {
			return b.to(l, []string{e.Facts["to"]}, row.ID)
		}
		return nil, nil
	}
	people, err := b.asked(tx, row)
	if err != nil {
		return nil, err
	}
	jobs, err := b.to(l, people, row.ID)
	if err != nil {
		return nil, err
	}
	more, err := b.plan(tx, row, l)
	return append(jobs, more...), err
}

// toldOfEnd tells who asked how it ended; of a hold, also those who may stop it.
func (b *Bell) toldOfEnd(tx *store.Tx, row store.Approval, status countersign.Status, e countersign.Event, l letter) ([]store.Job, error) {
	kinds := map[countersign.Status]string{countersign.StatusApproved: kindApproved, countersign.StatusDenied: kindDenied,
		countersign.StatusExpired: kindExpired, countersign.StatusRevoked: kindRevoked}
	if status == countersign.StatusApproved && e.Type != countersign.EntryDecisionMade && e.Type != countersign.EntryRequestSubmitted {
		return nil, nil // it was approved before
	}
	audience, err := tx.AudienceOf(row.ID)
	if err != nil {
		return nil, err
	}
	var jobs []store.Job
	if status == countersign.StatusApproved && row.Held.After(tx.Now()) {
		var groups []string
		for _, a := range audience {
			if g, ok := strings.CutPrefix(a.Who, store.AudienceWatch); ok && a.Live {
				groups = append(groups, g)
			}
		}
		people, err := members(tx, groups...)
		if err != nil {
			return nil, err
		}
		l.Kind = kindHeld
		if jobs, err = b.to(l, people, row.ID); err != nil {
			return nil, err
		}
	}
	l.Kind = kinds[status]
	more, err := b.to(l, requesters(row, audience), row.ID)
	return append(jobs, more...), err
}

// toldOfQuestion tells a question to who asked for the request, a requester's own to
// those who decide, and an answer to who had asked.
func (b *Bell) toldOfQuestion(tx *store.Tx, row store.Approval, l letter) ([]store.Job, error) {
	thread, err := tx.Questions(row.ID)
	if err != nil {
		return nil, err
	}
	l.Kind = kindQuestion
	by := slices.IndexFunc(thread, func(q store.Question) bool { return q.ID == l.Facts["question"] })
	if by < 0 {
		return nil, nil
	}
	author := thread[by].Person
	audience, err := tx.AudienceOf(row.ID)
	if err != nil {
		return nil, err
	}
	people := requesters(row, audience)
	if to := l.Facts["answers"]; to != "" {
		l.Kind = kindAnswer
		people = nil
		for _, q := range thread {
			if q.ID == to {
				people = append(people, q.Person)
			}
		}
	} else if slices.Contains(people, author) {
		if people, err = b.asked(tx, row); err != nil {
			return nil, err
		}
	}
	people = slices.DeleteFunc(people, func(p string) bool { return p == author })
	return b.to(l, people, row.ID)
}
