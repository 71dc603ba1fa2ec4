package authority

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// eachOnce refuses a proposal that says one thing twice, or what its kind has no place
// for: what is shown to whoever decides is what happens, all of it.
func eachOnce(d *countersign.Document) error {
	if d.Kind == countersign.KindSettingsChange || d.Kind == countersign.KindDelegation { // whose own checks do
		return nil
	}
	seen := map[string]bool{}
	for i, ch := range d.Changes {
		key, known := ch.Field, false
		switch d.Kind {
		case countersign.KindPeopleChange, countersign.KindBreakGlassNames:
			known = true // looked at by the kind's own check
		case countersign.KindPolicyPublish:
			name, list := strings.CutPrefix(ch.Field, "list:")
			known = ch.Field == "policy" || list && name != ""
		case countersign.KindFreezeExtend:
			known = ch.Field == fieldUntil
		}
		if ch.Field == fieldGroupAdd || ch.Field == fieldGroupRemove {
			key = "group " + ch.To
		}
		bad := func(format string, args ...any) error {
			return countersign.Invalid(countersign.FieldError{Pointer: changePointer(i), Detail: fmt.Sprintf(format, args...)})
		}
		switch {
		case !known:
			return bad("%q is nothing that such a proposal changes", clipText(ch.Field))
		case seen[key]:
			return bad("%q stands twice", clipText(ch.Field))
		}
		seen[key] = true
	}
	return nil
}

// fromWhatIs completes the changes of a proposal by what each field is now, and refuses
// one that says something else: a raise must not look like a cut.
func fromWhatIs(tx *store.Tx, d *countersign.Document) error {
	if d.Kind == countersign.KindPolicyPublish {
		return fromPolicy(tx, d)
	}
	changes := slices.Clone(d.Changes)
	for i := range changes {
		is, known, err := fieldNow(tx, d, changes[i].Field)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil // there is no such person or freeze: refused afterwards
		case err != nil:
			return err
		case !known:
			continue
		case changes[i].From == "":
			changes[i].From = is
		case !sameFrom(changes[i].From, is):
			return notFrom(changes[i], is)
		}
	}
	d.Changes = changes
	return nil
}

// fromPolicy completes a proposed policy by the one in force, so that whoever decides sees
// what is different. Where both are more than a document holds, it is left out; what is
// said wrongly is refused afterwards.
func fromPolicy(tx *store.Tx, d *countersign.Document) error {
	stored, err := tx.CurrentPolicy()
	if err != nil {
		return err
	}
	live, err := parseBody(stored.Body)
	if err != nil {
		return err
	}
	draft := PolicyDraft{Lists: map[string]string{}}
	for _, ch := range d.Changes {
		if name, list := strings.CutPrefix(ch.Field, "list:"); list {
			draft.Lists[name] = ch.To
		} else {
			draft.Text = ch.To
		}
	}
	changes := slices.Clone(d.Changes)
	for _, full := range PolicyChanges(PolicyView{Text: string(live.Text), Lists: live.Lists}, draft) {
		for i := range changes {
			if changes[i].Field == full.Field && changes[i].From == "" {
				changes[i].From = full.From
			}
		}
	}
	d.Changes = changes
	return nil
}

// stillFrom refuses to carry out a change that was made from something else than is now.
func stillFrom(tx *store.Tx, d *countersign.Document) error {
	for _, ch := range d.Changes {
		is, known, err := fieldNow(tx, d, ch.Field)
		if err != nil {
			return err
		}
		if known && !sameFrom(ch.From, is) {
			return notFrom(ch, is)
		}
	}
	return nil
}

func notFrom(ch countersign.Change, is string) error {
	return countersign.NewProblem(countersign.CodeConflict, "%s is %q now, and the change was made from %q", clipText(ch.Field), is, clipText(ch.From)).
		WithHint("look at what is, and propose it anew")
}

// sameFrom compares what a change says was with what is. A time may be written in
// another zone.
func sameFrom(said, is string) bool {
	if said == is {
		return true
	}
	a, errA := time.Parse(time.RFC3339, said)
	b, errB := time.Parse(time.RFC3339, is)
	return errA == nil && errB == nil && a.Truncate(time.Second).Equal(b.Truncate(time.Second))
}

// fieldNow is what a field of whatever a proposal is about is now; known is false for
// fields that are held to what is elsewhere.
func fieldNow(tx *store.Tx, d *countersign.Document, field string) (is string, known bool, err error) {
	switch d.Kind {
	case countersign.KindFreezeExtend:
		f, err := tx.Freeze(d.ID)
		return stamp(f.Expires), true, err
	case countersign.KindBreakGlassNames:
		names, err := tx.BreakGlassNames()
		named := slices.ContainsFunc(names, func(n store.BreakGlassName) bool { return n.Person == d.ID })
		return strconv.FormatBool(named), true, err
	case countersign.KindPeopleChange:
	default:
		return "", false, nil
	}
	p, err := tx.Person(d.ID)
	if err != nil {
		return "", false, err
	}
	name, kind, _ := strings.Cut(field, ":")
	switch name {
	case fieldPrivileged:
		is = strconv.FormatBool(p.Privileged)
	case fieldActive:
		is = strconv.FormatBool(p.Active)
	case fieldLimit:
		limits, err := tx.LimitsOf(d.ID)
		for _, l := range limits {
			if l.Kind == kind {
				is = amountText(countersign.Amount{Value: countersign.FormatMinor(l.Minor, l.Currency), Currency: l.Currency})
			}
		}
		return is, true, err
	}
	return is, true, nil // to come into a group, or to leave it, is from nothing
}
