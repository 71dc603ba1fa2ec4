package authority_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// atOnce runs n functions that all begin at the same moment.
func atOnce(n int, fn func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			fn(i)
		})
	}
	close(gate)
	wg.Wait()
}

// codeOf is the code of a problem, "" for none.
func codeOf(err error) countersign.Code {
	var p *countersign.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return countersign.Code(err.Error())
	}
	return ""
}

// Twenty equal parts of one purchase at the same instant: what passes unasked stays
// below the limit, and so does their sum (ruling 9).
func TestRuling09TwentyPartsAtOnce(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		ids := make([]string, 20)
		atOnce(len(ids), func(i int) {
			for {
				out, err := h.a.Submit(h.ctx, h.key, body(order(fmt.Sprintf("PO-%d", i), "2000.00"), nil))
				if codeOf(err) == countersign.CodeConflict {
					continue // the caller repeats
				}
				if err != nil {
					h.t.Error(describe(err))
					return
				}
				ids[i] = out.Approval.ID
				return
			}
		})
		h.step()
		passed := 0
		for _, id := range ids {
			if h.get(id).Status == countersign.StatusApproved {
				passed++
			}
		}
		if passed != 14 { // 28,000; the fifteenth makes it 30,000
			h.t.Errorf("%d parts of 2,000 passed unasked, the limit is 30,000", passed)
		}
	})
}

// 200 decisions at once on a request that needs two people: exactly two, once.
func TestTwoHundredDecideOnce(t *testing.T) {
	each(t, func(h *house) {
		d := order("INV-1", "12000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
		})
		id := h.submit(d).ID
		people := []*dweller{h.who["marta"], h.who["daniel"], h.who["ingrid"]}
		var keys [3]sync.Mutex
		var done atomic.Int64
		atOnce(200, func(i int) {
			p := people[i%3]
			c, err := p.challenge(id, countersign.ActApprove)
			if err != nil {
				return // too late already
			}
			keys[i%3].Lock()
			response, err := p.key.Assert(c.Passkey, publicURL)
			keys[i%3].Unlock()
			if err != nil {
				h.t.Error(err)
			}
			_, err = h.a.Decide(h.ctx, p.session, id, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
			switch codeOf(err) {
			case "":
				done.Add(1)
			case countersign.CodeConflict, countersign.CodeState, countersign.CodeForbidden, countersign.CodeUnauthenticated:
			default:
				h.t.Error(describe(err))
			}
		})
		h.step()
		out := h.get(id)
		if out.Status == countersign.StatusPending && done.Load() < 2 { // all the others lost against the first
			for _, p := range people {
				if _, err := p.byPasskey(id, countersign.ActApprove); err == nil {
					done.Add(1)
				}
			}
			out = h.get(id)
		}
		if out.Status != countersign.StatusApproved || len(out.Decisions) != 2 || done.Load() != 2 {
			h.t.Fatalf("%s with %d decisions, %d were acknowledged", out.Status, len(out.Decisions), done.Load())
		}
		if out.Decisions[0].Person.ID == out.Decisions[1].Person.ID {
			h.t.Error("one person decided twice")
		}
		h.verified(out.Receipt)
		made := 0
		for _, e := range h.entries(id) {
			if e == countersign.EntryDecisionMade {
				made++
			}
		}
		if made != 2 {
			h.t.Errorf("%d decisions in the log", made)
		}
	})
}

// One code from fifty at once, each on a request of its own: accepted once
// (ruling 18).
func TestRuling18OneCodeAtOnce(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		ids := make([]string, 50)
		for i := range ids {
			ids[i] = h.submit(order(fmt.Sprintf("PO-%d", i), "30000.00")).ID
		}
		marta := h.who["marta"]
		h.clock.forward(time.Minute)
		code := marta.code(0)
		challenges := make([]*countersign.ChallengeAnswer, len(ids))
		for i, id := range ids {
			c, err := marta.challenge(id, countersign.ActApprove)
			h.must(err)
			challenges[i] = c
		}
		var accepted atomic.Int64
		atOnce(len(ids), func(i int) {
			_, err := h.a.Decide(h.ctx, marta.session, ids[i], countersign.DecisionBody{Challenge: challenges[i].ID, Password: password, TOTP: code})
			switch codeOf(err) {
			case "":
				accepted.Add(1)
			case countersign.CodeUnauthenticated, countersign.CodeLocked, countersign.CodeConflict:
			default:
				h.t.Error(describe(err))
			}
		})
		h.step()
		approved := 0
		for _, id := range ids {
			if h.get(id).Status == countersign.StatusApproved {
				approved++
			}
		}
		if accepted.Load() != 1 || approved != 1 {
			h.t.Errorf("accepted %d times, %d requests approved", accepted.Load(), approved)
		}
	})
}

// One challenge answered fifty times at once: once (ruling 17).
func TestRuling17OneChallengeAtOnce(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		id := h.submit(order("PO-1", "30000.00")).ID
		marta := h.who["marta"]
		c, err := marta.challenge(id, countersign.ActApprove)
		h.must(err)
		response, err := marta.key.Assert(c.Passkey, publicURL)
		h.must(err)
		var done, gone atomic.Int64
		atOnce(50, func(int) {
			_, err := h.a.Decide(h.ctx, marta.session, id, countersign.DecisionBody{Challenge: c.ID, Passkey: response})
			switch codeOf(err) {
			case "":
				done.Add(1)
			case countersign.CodeGone:
				gone.Add(1)
			default:
				h.t.Error(describe(err))
			}
		})
		if done.Load() != 1 || gone.Load() != 49 {
			h.t.Errorf("%d answered, %d gone", done.Load(), gone.Load())
		}
		// Nor is a challenge given back by a failed verification.
		other := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" })).ID
		c, err = marta.challenge(other, countersign.ActApprove)
		h.must(err)
		marta.key.Behaviour.BreakSignature = true
		_, err = marta.answer(other, c)
		h.refused(err, countersign.CodeUnauthenticated)
		marta.key.Behaviour.BreakSignature = false
		_, err = marta.answer(other, c)
		h.refused(err, countersign.CodeGone)
	})
}

// Fifty releases at once under fifty execution ids: one (ruling 25).
func TestRuling25OneReleaseAtOnce(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		id := h.submit(d).ID
		h.who["marta"].approve(id)
		var won atomic.Pointer[countersign.ReleaseAnswer]
		atOnce(50, func(i int) {
			out, err := h.release(id, d, fmt.Sprintf("run-%d", i))
			switch codeOf(err) {
			case "":
				if !won.CompareAndSwap(nil, out) {
					h.t.Errorf("released as %s and as %s", won.Load().Execution, out.Execution)
				}
			case countersign.CodeReleased, countersign.CodeConflict:
			default:
				h.t.Error(describe(err))
			}
		})
		if won.Load() == nil {
			h.t.Fatal("nobody could release it")
		}
		again, err := h.release(id, d, won.Load().Execution)
		h.must(err)
		if again.Lease != won.Load().Lease {
			h.t.Error("the same execution id got another lease")
		}
	})
}

// A policy is published while requests come in: every one names a version that was in
// force when it was weighed, and whoever came after the publication names the new one.
func TestPolicyPublishedUnderLoad(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		p, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy",
			To: string(source(h.t).Text) + "\n# the second version\n"})
		h.must(err)
		var mu sync.Mutex
		type seen struct {
			began   time.Time
			version int64
			digest  countersign.Digest
		}
		var all []seen
		var stop atomic.Bool
		var published atomic.Int64 // when, in microseconds
		more := func() {           // waits for some that are weighed from now on
			mu.Lock()
			enough := len(all) + 8
			mu.Unlock()
			steady.Until(h.t, "requests that come in", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(all) >= enough || h.t.Failed()
			})
		}
		atOnce(9, func(i int) {
			if i == 0 {
				more()
				if _, err := h.who["claire"].byPasskey(p.ID, countersign.ActApprove); err != nil {
					h.t.Error(describe(err))
				}
				published.Store(h.clock.Now().UnixMicro())
				more()
				more() // among the first there are those that were under way
				stop.Store(true)
				return
			}
			for n := 0; !stop.Load(); n++ {
				began := h.clock.Now()
				out, err := h.a.Submit(h.ctx, h.key, body(order(fmt.Sprintf("PO-%d-%d", i, n), "9.00"), nil))
				if codeOf(err) == countersign.CodeConflict {
					continue
				}
				if err != nil {
					h.t.Error(describe(err))
					return
				}
				mu.Lock()
				all = append(all, seen{began, out.Approval.PolicyVersion, out.Approval.PolicyDigest})
				mu.Unlock()
			}
		})
		var versions []store.Policy
		h.read(func(tx *store.Tx) (err error) {
			versions, err = tx.Policies(10)
			return err
		})
		if len(versions) != 2 {
			h.t.Fatalf("%d versions", len(versions))
		}
		count := map[int64]int{}
		for _, s := range all {
			i := slices.IndexFunc(versions, func(v store.Policy) bool {
				return v.Version == s.version && v.Digest == string(s.digest)
			})
			if i < 0 || (s.began.UnixMicro() > published.Load() && s.version != 2) {
				h.t.Fatalf("a request that began at %v names version %d, %s", s.began, s.version, s.digest)
			}
			count[s.version]++
		}
		h.t.Logf("%d requests under the first version, %d under the second", count[1], count[2])
		if count[1] == 0 || count[2] == 0 {
			h.t.Error("the publication did not fall between requests")
		}
	})
}

// Two authorities over one database, as two replicas have it: the guard is advanced by
// both, and neither loses anything.
func TestTwoReplicasAdvanceOneGuard(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		other, err := authority.Open(h.ctx, h.cfg)
		h.must(err)
		authority.ServerClock(other, h.clock.Now)
		both := []*authority.Authority{h.a, other}
		atOnce(20, func(i int) {
			a := both[i%2]
			id := fmt.Sprintf("PO-%d", i)
			for range 50 {
				out, err := a.Submit(h.ctx, h.key, body(order(id, "9.00"), nil))
				if codeOf(err) == countersign.CodeConflict || codeOf(err) == countersign.CodeUnavailable {
					continue
				}
				if err != nil {
					h.t.Error(describe(err))
					return
				}
				if out.Approval.Status == countersign.StatusApproved {
					return
				}
				if err := a.Publish(h.ctx); err != nil {
					h.t.Error(err)
				}
			}
			h.t.Errorf("%s was never signed", id)
		})
		h.must(h.a.Publish(h.ctx))
		h.must(other.Publish(h.ctx))
	})
}
