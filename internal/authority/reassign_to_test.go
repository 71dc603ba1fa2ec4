package authority_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign"
)

// TestHandOverToIsWhatReassignTakes: whoever is offered is accepted, and nobody else is.
func TestHandOverToIsWhatReassignTakes(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	marta, n, taken := h.who["marta"], 0, 0
	submit := func() string {
		n++
		sent, err := h.a.Submit(h.ctx, h.key, body(order(fmt.Sprintf("PO-%d", n), "30000.00"), &countersign.Submission{Approver: "marta"}))
		h.must(err)
		return sent.Approval.ID
	}
	offered := map[string]bool{}
	people, err := h.a.HandOverTo(h.ctx, marta.session, submit())
	h.must(err)
	for i, p := range people {
		offered[p.ID] = true
		if i > 0 && people[i-1].Name > p.Name {
			t.Errorf("%s stands before %s", people[i-1].Name, p.Name)
		}
	}
	for login, d := range h.who {
		id := submit()
		if _, err := marta.reassign(id, d.id); (err == nil) != offered[d.id] {
			t.Errorf("%s: offered %v, and %v", login, offered[d.id], err)
		} else if err == nil {
			taken++
		}
	}
	if taken == 0 || taken == len(h.who) {
		t.Errorf("%d of %d are offered: nothing is shown", taken, len(h.who))
	}
	_, err = h.a.HandOverTo(h.ctx, h.who["tomas"].session, submit())
	h.refused(err, countersign.CodeNotFound)
	people, err = h.a.HandOverTo(h.ctx, h.who["elif"].session, submit()) // who asked does not choose who decides
	h.must(err)
	if len(people) != 0 {
		t.Errorf("whoever asked is offered %v", people)
	}
}
