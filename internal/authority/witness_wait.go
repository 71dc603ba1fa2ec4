package authority

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/checkpoint"
)

// cosignWait is how long an answer that allows, or a release, waits for a witness where
// the requirement says so.
const cosignWait = 10 * time.Second

// waitingReceipt is the receipt of a case, once a witness has cosigned what it consists
// of where the requirement waits for that. What was committed stays: whoever asks again
// gets the same answer.
func (a *Authority) waitingReceipt(ctx context.Context, c *caseFile, head checkpoint.Head) (countersign.Receipt, error) {
	within, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	for {
		witnessed := a.publisher.Witnessed()
		r, err := a.receipt(ctx, c, head)
		if !errors.Is(err, checkpoint.ErrNotCosigned) {
			return r, err
		}
		select {
		case <-witnessed:
		case <-within.Done():
			return r, err
		}
	}
}
