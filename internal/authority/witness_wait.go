package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign"
)

// errNotCosigned says that a checkpoint covers what allows, and no witness has cosigned
// one that does, for which the requirement waits (ruling 29).
var errNotCosigned = fmt.Errorf("%w that a witness has cosigned", errNotCovered)

// cosignWait is how long an answer that allows, or a release, waits for a witness where
// the requirement says so.
const cosignWait = 10 * time.Second

// cosignedOver reports whether a witness that is asked has cosigned so many entries.
func (b *book) cosignedOver(size int64) bool {
	b.state.Lock()
	defer b.state.Unlock()
	return b.cosigned.checkpoint != nil && b.cosigned.tree.N >= size
}

// waitingReceipt is the receipt of a case, once a witness has cosigned what it consists
// of where the requirement waits for that. What was committed stays: whoever asks again
// gets the same answer.
func (a *Authority) waitingReceipt(ctx context.Context, c *caseFile, head signedHead) (countersign.Receipt, error) {
	within, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	for {
		a.book.state.Lock()
		witnessed := a.book.witnessed
		a.book.state.Unlock()
		r, err := a.receipt(ctx, c, head)
		if !errors.Is(err, errNotCosigned) {
			return r, err
		}
		select {
		case <-witnessed:
		case <-within.Done():
			return r, err
		}
	}
}
