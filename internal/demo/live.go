package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// Live is the day of the sample company as it happens: its ERP submits the cases, and
// they arrive in people's inboxes.
type Live struct {
	h   *House
	key authority.Key

	mu    sync.Mutex
	round int
	cases map[string]Case   // by name
	open  map[string]string // by case: the request's id
	seen  map[string]bool   // what the visitor has seen, of what no status tells
}

// Login names of those whom a visitor is led to be.
const (
	LoginBuyer            = buyer
	LoginHeadOfProduction = headMaking
	LoginController       = controller
	LoginChiefFinance     = chiefFinance
	LoginTreasurer        = treasurer
)

// See notes that the visitor has seen something, and Seen tells.
func (l *Live) See(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[what] = true
}

// Seen reports whether the visitor has seen something.
func (l *Live) Seen(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[what]
}

// GoLive readies the day. Nothing is submitted yet.
func (h *House) GoLive(ctx context.Context) (*Live, error) {
	key, err := h.Authority.AuthenticateKey(ctx, h.Info.Key)
	if err != nil {
		return nil, fmt.Errorf("the key of the sample company's ERP: %w", err)
	}
	return &Live{h: h, key: key, cases: map[string]Case{}, open: map[string]string{}, seen: map[string]bool{}}, nil
}

// Run submits the day's cases, one after the other with a pause between them, until
// all are there or the context ends.
func (l *Live) Run(ctx context.Context, pause time.Duration) error {
	l.mu.Lock()
	l.round++
	cases := liveRound(l.h.Company, time.Now(), l.round)
	l.mu.Unlock()
	for i, c := range cases {
		if i > 0 && pause > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
		if err := l.submit(ctx, c); err != nil {
			return fmt.Errorf("case %s: %w", c.Name, err)
		}
	}
	return nil
}

func (l *Live) submit(ctx context.Context, c Case) error {
	document, err := json.Marshal(c.Document)
	if err != nil {
		return err
	}
	s, err := l.h.Authority.Submit(ctx, l.key, countersign.RequestBody{Document: document, Submission: &countersign.Submission{Approver: c.Approver, Channel: c.Channel}})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.cases[c.Name], l.open[c.Name] = c, s.Approval.ID
	l.mu.Unlock()
	if c.Name == executed && s.Approval.Status == countersign.StatusApproved {
		_, err = l.h.Authority.Release(ctx, l.key, l.execution(c, s.Approval.ID))
	}
	return err
}

// executed is the case that the ERP carries out at once, as it does with what passes.
const executed = "small-order"

// execution is what the ERP asks when it carries a case out.
func (l *Live) execution(c Case, request string) countersign.ReleaseBody {
	document, err := json.Marshal(c.Document)
	if err != nil {
		panic(err) // it was submitted before
	}
	return countersign.ReleaseBody{Request: request, Document: document, Execution: "order-run-" + request[len(request)-6:], Confirm: true}
}

// Request is the id of a case's request; "" before it was submitted.
func (l *Live) Request(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[name]
}

// Status is where a case stands; "" before it was submitted, or where its stored row
// was changed from outside.
func (l *Live) Status(ctx context.Context, name string) (countersign.Status, int) {
	id := l.Request(name)
	if id == "" {
		return "", 0
	}
	a, err := l.h.Authority.Get(ctx, authority.Caller{Key: &l.key}, id)
	if err != nil {
		return "", 0
	}
	return a.Status, len(a.Decisions)
}

// liveRound is a day's cases with numbers of their own, so that the day can begin anew.
func liveRound(c Company, now time.Time, round int) []Case {
	m := caseMaker{company: c, now: now.UTC(), last: 100 * round}
	cases := []Case{m.small(), m.large(), m.newVendor()}
	cases = append(cases, m.bankChange()...)
	cases = append(cases, m.agent())
	return append(cases, m.split()...)
}
