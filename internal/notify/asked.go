package notify

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// requesters are the people who asked, or answer for the service that asked.
func requesters(row store.Approval, audience []store.Audience) []string {
	var people []string
	if isID(row.Requester, countersign.PrefixPerson) {
		people = append(people, row.Requester)
	}
	for _, a := range audience {
		if p, ok := strings.CutPrefix(a.Who, store.AudienceOwn); ok && a.Part == store.PartAsk && isID(p, countersign.PrefixPerson) {
			people = append(people, p)
		}
	}
	return people
}

// members are the active people of groups.
func members(tx *store.Tx, groups ...string) ([]string, error) {
	var people []string
	for _, g := range groups {
		all, err := tx.MembersOf(g, mostTold+1)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			people = append(people, p.ID)
		}
	}
	return people, nil
}

// asked are the people whom a request asks to decide, and those who decide in their
// place: without whoever asked for it or has decided. Whether each of them really may
// is judged by the page that the link opens.
func (b *Bell) asked(tx *store.Tx, row store.Approval) ([]string, error) {
	return b.askedOf(tx, row, func(a store.Audience) bool { return a.Part == store.PartDecide && a.Live })
}

// askedOf is [Bell.asked] of those parts of the audience that count.
func (b *Bell) askedOf(tx *store.Tx, row store.Approval, counts func(store.Audience) bool) ([]string, error) {
	audience, err := tx.AudienceOf(row.ID)
	if err != nil {
		return nil, err
	}
	var people, own []string
	for _, a := range audience {
		if p, ok := strings.CutPrefix(a.Who, store.AudienceOwn); ok {
			own = append(own, p)
			continue
		}
		if !counts(a) {
			continue
		}
		if isID(a.Who, countersign.PrefixPerson) {
			people = append(people, a.Who)
			continue
		}
		_, group, _ := strings.Cut(a.Who, ":")
		all, err := members(tx, group)
		if err != nil {
			return nil, err
		}
		people = append(people, all...)
	}
	slices.Sort(people)
	people = slices.Compact(people)
	if !countersign.InternalKind(row.Kind) { // those are never decided in another's place
		for _, p := range slices.Clip(people) {
			others, err := delegates(tx, p, row.Kind)
			if err != nil {
				return nil, err
			}
			people = append(people, others...)
		}
	}
	return slices.DeleteFunc(people, func(p string) bool { return slices.Contains(own, p) || p == row.Requester }), nil
}

// delegates are those who may decide in a person's place now.
func delegates(tx *store.Tx, person, kind string) ([]string, error) {
	rows, err := tx.DelegationsFrom(person)
	if err != nil {
		return nil, err
	}
	var people []string
	for _, d := range rows {
		var kinds []string
		if err := json.Unmarshal([]byte(d.Kinds), &kinds); err != nil {
			return nil, err
		}
		if len(kinds) == 0 || slices.Contains(kinds, kind) {
			people = append(people, d.To)
		}
	}
	return people, nil
}

// stillAsked reports whether a person has something to do about a request: it waits,
// and they neither asked for it nor have decided.
func stillAsked(tx *store.Tx, row store.Approval, person string) (bool, error) {
	if row.Status != countersign.StatusPending || row.Requester == person {
		return false, nil
	}
	audience, err := tx.AudienceOf(row.ID)
	return !slices.ContainsFunc(audience, func(a store.Audience) bool { return a.Who == store.AudienceOwn+person }), err
}

// requirementOf reads the requirement out of the state machine's record.
func requirementOf(state string) (countersign.Requirement, error) {
	var s struct {
		Requirement countersign.Requirement `json:"requirement"`
	}
	err := json.Unmarshal([]byte(state), &s)
	return s.Requirement, err
}

// remindBefore is when people are reminded where the policy says nothing.
var remindBefore = []int{24 * 3600}

// plan makes the jobs of what is told later: reminders before the end, and the
// escalation. A job that waits already is not planned again.
func (b *Bell) plan(tx *store.Tx, row store.Approval, l letter) ([]store.Job, error) {
	requirement, err := requirementOf(row.State)
	if err != nil {
		return nil, err
	}
	var jobs []store.Job
	add := func(run time.Time, id string) error {
		if !run.After(tx.Now()) {
			return nil
		}
		payload, err := json.Marshal(l)
		jobs = append(jobs, store.Job{ID: id, Topic: topicLater, Subject: row.ID, Payload: payload, Run: run})
		return err
	}
	before := requirement.Reminders
	if before == nil {
		before = remindBefore
	}
	l.Kind, l.Due = kindReminder, row.Due
	for _, s := range before {
		run := row.Due.Add(-time.Duration(s) * time.Second)
		l.Event = row.ID + "." + kindReminder + "." + strconv.FormatInt(run.Unix(), 10)
		if err := add(run, l.Event); err != nil {
			return nil, err
		}
	}
	if e := requirement.Escalate; e != nil {
		l.Kind, l.Event = kindEscalation, row.ID+"."+kindEscalation
		if err := add(row.Created.Add(time.Duration(e.After)*time.Second), l.Event); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// due finds who is told what was planned: nobody where the request has been decided,
// or ends at another time than was thought.
func (b *Bell) due(tx *store.Tx, l letter) ([]store.Job, error) {
	row, err := tx.Approval(l.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || row.Status != countersign.StatusPending || !row.Due.After(tx.Now()) {
		return nil, err
	}
	if l.Kind == kindReminder {
		if !row.Due.Equal(l.Due) {
			return nil, nil
		}
		people, err := b.asked(tx, row)
		if err != nil {
			return nil, err
		}
		return b.to(l, people, row.ID)
	}
	requirement, err := requirementOf(row.State)
	if err != nil || requirement.Escalate == nil {
		return nil, err
	}
	people, err := members(tx, requirement.Escalate.To...)
	if err != nil {
		return nil, err
	}
	return b.to(l, people, row.ID)
}
