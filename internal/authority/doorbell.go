package authority

import (
	"encoding/json"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/approval"
	"github.com/countersign/countersign/internal/store"
)

// TopicDoorbell is the outbox topic of what people are to be told: that something
// waits for them, is held, was denied. The payload is a countersign.Event: ids and
// no contents. It leaves when a published checkpoint covers its entry.
const TopicDoorbell = "doorbell"

// doorbell enqueues the event of a request's change, where somebody is to be told.
func (a *Authority) doorbell(tx *store.Tx, row *store.Approval, s approval.State, w written) error {
	if s.Status == countersign.StatusApproved && s.NotBefore.IsZero() && len(s.Decisions) == 0 {
		return nil // passed undisturbed: nobody is disturbed afterwards either
	}
	return a.tell(tx, w.entry, row.ID)
}

func (a *Authority) tell(tx *store.Tx, leaf countersign.Leaf, subject string) error {
	e := countersign.Event{ID: countersign.NewID(countersign.PrefixEvent, tx.Now()), Type: leaf.Type, Org: leaf.Org, Time: leaf.Time,
		Subject: leaf.Subject, Facts: leaf.Facts, Entry: leaf.ID}
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return tx.Enqueue(store.Job{ID: e.ID, Topic: TopicDoorbell, Subject: subject, Payload: payload, Entry: leaf.ID})
}
