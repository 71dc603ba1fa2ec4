package authority

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// change is one kind of change to Countersign itself: all that the verbs have to know of
// it. Each kind is written in a file of its own, change_….go, which puts it into
// [changes]. No field may be left out: one that has nothing to do says so by name.
type change struct {
	kind      string
	groups    []string // any member of them decides
	deciders  deciders
	proposers proposers
	assurance countersign.Assurance // of the proof that a decision needs

	// about names whom it is about: people by id, or something that is nobody. They do
	// not decide on it (ruling 22).
	about func(*store.Tx, *countersign.Document) ([]string, error)
	// fields refuses what the kind has no place for, and what is said twice.
	fields checkChanges
	// from completes the changes by what is now, and refuses those made from anything else.
	from checkChanges
	// still refuses, before it is carried out, what was made from anything else than is now.
	still checkChanges
	// names adds what the document's ids stand for, so that whoever decides reads it.
	names func(tx *store.Tx, d *countersign.Document, add func(name, text string)) error
	// check refuses a proposal that could not be carried out anyway.
	check func(*Authority, *store.Tx, *countersign.Document) error
	// apply carries it out, in the transaction that approved it.
	apply func(*Authority, *store.Tx, agreed) error
}

// checkChanges looks at what a document changes, and may complete it.
type checkChanges func(*store.Tx, *countersign.Document) error

// deciders says how many decide on a change: as a number, so many.
type deciders int

const (
	// secondPerson: whoever proposes has asked for it, and one other person decides.
	secondPerson deciders = iota + 1
	// twoPeople: two decide, and whoever proposes may be one of them: the proposal itself
	// asks for nothing.
	twoPeople
)

// proposers says who may propose a change.
type proposers int

const (
	// thoseWhoDecide: members of the groups that decide on it.
	thoseWhoDecide proposers = iota + 1
	// whoeverCheckLets: anybody who is signed in, as far as the kind's check lets them.
	whoeverCheckLets
)

// ChangeRule says who decides on a kind of change to Countersign itself.
type ChangeRule struct {
	Groups []string // any member of them
	People int      // of two, whoever proposes may be one; else a second person decides
}

// RuleOfChange is the rule of a kind; of one that is not known nobody decides.
func RuleOfChange(kind string) ChangeRule {
	k := changes[kind]
	if k == nil {
		return ChangeRule{}
	}
	return ChangeRule{Groups: slices.Clone(k.groups), People: int(k.deciders)}
}

// agreed is a change that enough people decided on.
type agreed struct {
	doc     *countersign.Document
	request string // req_…
	actor   string // whose decision was the last
}

// facts are those of the entry that says it was carried out.
func (g agreed) facts() map[string]string { return map[string]string{"request": g.request} }

// changes are all kinds of changes to Countersign itself, by kind.
var changes = map[string]*change{}

// register puts a kind among those that can be proposed.
func register(c change) *change {
	if changes[c.kind] != nil {
		panic("two changes of the kind " + c.kind)
	}
	changes[c.kind] = &c
	return &c
}

// What a kind says that has nothing to say.
var (
	// byItsCheck leaves it to the kind's check, which is made once more when it is carried out.
	byItsCheck checkChanges = func(*store.Tx, *countersign.Document) error { return nil }
	// nothingToFill is of a kind whose changes have no value that is now.
	nothingToFill = byItsCheck
	noFields      = eachOnce(func(countersign.Change) string { return "" })
)

func aboutNobody(*store.Tx, *countersign.Document) ([]string, error) { return nil, nil }

func noNames(*store.Tx, *countersign.Document, func(name, text string)) error { return nil }

// aboutThePerson is of a change whose object is a person.
func aboutThePerson(_ *store.Tx, d *countersign.Document) ([]string, error) {
	return []string{d.ID}, nil
}

func nameOfPerson(tx *store.Tx, d *countersign.Document, add func(name, text string)) error {
	p, err := tx.Person(d.ID)
	add("person", p.Name)
	return err
}

func isPerson(_ *Authority, tx *store.Tx, d *countersign.Document) error {
	if _, err := tx.Person(d.ID); err != nil {
		return badChange("/id", "is no person here")
	}
	return nil
}

func badChange(pointer, format string, args ...any) error {
	return countersign.Invalid(countersign.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// eachOnce refuses a proposal that says one thing twice, or what its kind has no place
// for: what is shown to whoever decides is what happens, all of it. The key is what a
// change changes, "" where it is nothing that is known.
func eachOnce(key func(countersign.Change) string) checkChanges {
	return func(_ *store.Tx, d *countersign.Document) error {
		seen := map[string]bool{}
		for i, ch := range d.Changes {
			switch k := key(ch); {
			case k == "":
				return badChange(changePointer(i), "%q is nothing that such a proposal changes", clipText(ch.Field))
			case seen[k]:
				return badChange(changePointer(i), "%q stands twice", clipText(ch.Field))
			default:
				seen[k] = true
			}
		}
		return nil
	}
}

// fieldNow is what a field of whatever a proposal is about is now.
type fieldNow func(tx *store.Tx, d *countersign.Document, field string) (is string, err error)

// fromNow completes the changes of a proposal by what each field is now, and refuses one
// that says something else: a raise must not look like a cut.
func fromNow(now fieldNow) checkChanges {
	return func(tx *store.Tx, d *countersign.Document) error {
		all := slices.Clone(d.Changes)
		for i := range all {
			is, err := now(tx, d, all[i].Field)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return nil // there is no such person or freeze: refused afterwards
			case err != nil:
				return err
			case all[i].From == "":
				all[i].From = is
			case !sameFrom(all[i].From, is):
				return notFrom(all[i], is)
			}
		}
		d.Changes = all
		return nil
	}
}

// stillNow refuses to carry out a change that was made from something else than is now.
func stillNow(now fieldNow) checkChanges {
	return func(tx *store.Tx, d *countersign.Document) error {
		for _, ch := range d.Changes {
			is, err := now(tx, d, ch.Field)
			if err != nil {
				return err
			}
			if !sameFrom(ch.From, is) {
				return notFrom(ch, is)
			}
		}
		return nil
	}
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

// changedTo is what a document's change sets a field to; "" where it does not.
func changedTo(d *countersign.Document, field string) string {
	for _, ch := range d.Changes {
		if ch.Field == field {
			return ch.To
		}
	}
	return ""
}
