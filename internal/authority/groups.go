package authority

import (
	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/store"
)

// groupsMoved collects which groups a person came into and left, as it is written.
type groupsMoved struct{ joined, left []string }

func (g *groupsMoved) join(tx *store.Tx, group, person string) error {
	fresh, err := tx.AddMembership(group, person)
	if fresh {
		g.joined = append(g.joined, group)
	}
	return err
}

func (g *groupsMoved) leave(tx *store.Tx, group, person string) error {
	was, err := tx.RemoveMembership(group, person)
	if was {
		g.left = append(g.left, group)
	}
	return err
}

func (g *groupsMoved) any() bool { return len(g.joined)+len(g.left) > 0 }

// log writes one entry of what moved, beside that of the person: from these entries
// alone it can be told who was in which group when, and so who could approve. A name
// of a group says something about the person, so it stands in the opening.
func (g *groupsMoved) log(tx *store.Tx, e entry) error {
	if !g.any() {
		return nil
	}
	detail := map[string][]string{}
	if g.joined != nil {
		detail["joined"] = g.joined
	}
	if g.left != nil {
		detail["left"] = g.left
	}
	text, err := countersign.Canonical(detail)
	if err != nil {
		return err
	}
	e.typ, e.openings = countersign.EntryGroupChanged, map[string][]byte{countersign.OpeningDetail: text}
	_, err = appendEntry(tx, e)
	return err
}
