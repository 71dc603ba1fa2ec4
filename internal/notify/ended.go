package notify

import (
	"slices"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// mostEntries is how far back the log is read for what came before an event.
const mostEntries = 100

// before reads the log entries about a request that came before an event's own, the
// latest first, and who did what the event tells.
func before(tx *store.Tx, e countersign.Event) (past []countersign.Leaf, actor string, err error) {
	rows, err := tx.EntriesAbout(e.Subject, mostEntries)
	if err != nil {
		return nil, "", err
	}
	at := slices.IndexFunc(rows, func(r store.Entry) bool { return r.ID == e.Entry })
	for i := at; i >= 0; i-- {
		leaf, err := countersign.ParseLeaf(rows[i].Leaf)
		if err != nil {
			return nil, "", err
		}
		if i == at {
			actor = leaf.Actor
			continue
		}
		past = append(past, leaf)
	}
	return past, actor, nil
}

// statusBefore is the status that the latest of these entries left.
func statusBefore(past []countersign.Leaf) countersign.Status {
	for _, l := range past {
		if s := l.Facts["status"]; s != "" {
			return countersign.Status(s)
		}
	}
	return ""
}

// toldOfWithdrawal tells who asked that the request was taken back or replaced, unless
// they did it themselves; and whoever was asked, watches its hold or has decided, that
// nothing is needed of them any more. Whoever is asked by what replaces it is told only
// that. What passed undisturbed disturbs nobody now either.
func (b *Bell) toldOfWithdrawal(tx *store.Tx, row store.Approval, e countersign.Event, l letter) ([]store.Job, error) {
	if row.Outcome == countersign.OutcomeAllow {
		return nil, nil
	}
	past, actor, err := before(tx, e)
	if err != nil {
		return nil, err
	}
	audience, err := tx.AudienceOf(row.ID)
	if err != nil {
		return nil, err
	}
	mine := requesters(row, audience)
	people, err := b.concerned(tx, row, audience, statusBefore(past))
	if err != nil {
		return nil, err
	}
	l.Kind = kindCancelled
	var again []string
	if row.Status == countersign.StatusSuperseded {
		l.Kind = kindSuperseded
		if again, err = b.askedBy(tx, row.SupersededBy); err != nil {
			return nil, err
		}
	}
	jobs, err := b.to(l, slices.DeleteFunc(slices.Clone(mine), func(p string) bool { return p == actor }), row.ID)
	if err != nil {
		return nil, err
	}
	l.Kind = kindNotNeeded
	people = slices.DeleteFunc(people, func(p string) bool { return p == actor || slices.Contains(mine, p) || slices.Contains(again, p) })
	more, err := b.to(l, people, row.ID)
	return append(jobs, more...), err
}

// concerned are those whom a request that has ended had asked until then, or who watched
// its hold, and those who had decided.
func (b *Bell) concerned(tx *store.Tx, row store.Approval, audience []store.Audience, was countersign.Status) (people []string, err error) {
	switch was {
	case countersign.StatusPending:
		people, err = b.askedOf(tx, row, func(a store.Audience) bool { return a.Part == store.PartSee })
	case countersign.StatusApproved:
		var groups []string
		for _, a := range audience {
			if g, ok := strings.CutPrefix(a.Who, store.AudienceWatch); ok {
				groups = append(groups, g)
			}
		}
		people, err = members(tx, groups...)
	}
	if err != nil {
		return nil, err
	}
	decisions, err := tx.Decisions(row.ID)
	for _, d := range decisions {
		people = append(people, d.Person)
	}
	return people, err
}

// askedBy are the people whom the request of an id asks.
func (b *Bell) askedBy(tx *store.Tx, id string) ([]string, error) {
	row, err := tx.Approval(id)
	if err != nil {
		return nil, unlessGone(err)
	}
	return b.asked(tx, row)
}

// refusedHow says in which words a refused release is told, by why it was refused and where
// the request stands now; "" where nobody need be told: it is too early, has ended, or
// what stood against it has been settled. What stands against a request that goes back
// to its approvers is not told: who asked may be whom it is about.
func refusedHow(reason string, status countersign.Status) string {
	switch {
	case reason == "document" && status == countersign.StatusApproved, reason == "execution" && status == countersign.StatusReleased:
		return reason
	case status == countersign.StatusPending, status == countersign.StatusUnsatisfiable:
		return "again"
	}
	return ""
}

// toldOfRefusal tells who asked that a release was refused: once, however often the
// caller asks again, until something else happens to the request.
func (b *Bell) toldOfRefusal(tx *store.Tx, row store.Approval, e countersign.Event, l letter) ([]store.Job, error) {
	if refusedHow(e.Facts["reason"], row.Status) == "" {
		return nil, nil
	}
	past, _, err := before(tx, e)
	if err != nil {
		return nil, err
	}
	for _, p := range past {
		if p.Type != countersign.EntryReleaseRefused {
			break
		}
		if p.Facts["reason"] == e.Facts["reason"] {
			return nil, nil
		}
	}
	audience, err := tx.AudienceOf(row.ID)
	if err != nil {
		return nil, err
	}
	l.Kind = kindReleaseRefused
	return b.to(l, requesters(row, audience), row.ID)
}
