package authority_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

// chance plays random acts of random people on random documents.
type chance struct {
	h        *house
	r        *rand.Rand
	requests []*played
	approved int // how often a request became approved by people
	n        int
}

// played is a request with its document, to release it with.
type played struct {
	id  string
	doc *countersign.Document
}

// TestAnythingByAnybody: whatever happens, nothing is approved without the people and
// factors that its receipt proves, and nobody sees what is not theirs.
func TestAnythingByAnybody(t *testing.T) {
	acts := 400
	if testing.Short() {
		acts = 80
	}
	each(t, func(h *house) {
		if h.db.Driver() == store.Postgres {
			acts = min(acts, 120)
		}
		seed := uint64(20261124)
		c := &chance{h: h, r: rand.New(rand.NewPCG(seed, 1))}
		h.vendor("V-1", "Nordwind Technik GmbH", 6, &countersign.Account{Scheme: "iban", Value: "DE89370400440532013000"})
		for range acts {
			c.act()
			c.hold()
		}
		ended := map[countersign.Status]int{}
		for _, p := range c.requests {
			ended[h.get(p.id).Status]++
		}
		h.t.Logf("%d requests after %d acts: %v; %d became approved by people", len(c.requests), acts, ended, c.approved)
		if 5*c.approved < len(c.requests) {
			h.t.Error("too few were approved for the test to mean anything")
		}
	})
}

func pick[T any](c *chance, from []T) T { return from[c.r.IntN(len(from))] }

var everybody = []string{"samuel", "claire", "marta", "daniel", "ingrid", "tomas", "amara", "rosa", "elif"}

func (c *chance) person() *dweller {
	d := c.h.who[pick(c, everybody)]
	if c.h.clock.Now().Sub(d.since) > 45*time.Minute {
		d.trySignIn() // refused while they are not active
	}
	return d
}

// asked is somebody of the groups that a request asks.
func (c *chance) asked(p *played) *dweller {
	a := c.h.get(p.id)
	for range 20 {
		d := c.person()
		for _, cl := range a.Requirement.Clauses {
			if slices.ContainsFunc(d.groups, func(g string) bool { return slices.Contains(cl.From, g) }) {
				return d
			}
		}
	}
	return c.person()
}

// act does something, which may be refused: the problems are not of interest, faults
// of ours are.
func (c *chance) act() {
	var err error
	switch n := c.r.IntN(100); {
	case n < 14 || len(c.requests) == 0:
		err = c.submit()
	case n < 70:
		err = c.decide()
	case n < 80:
		p := pick(c, c.requests)
		d := p.doc
		if c.r.IntN(4) == 0 {
			d = order(p.doc.ID, "1.00")
		}
		_, err = c.h.release(p.id, d, fmt.Sprintf("run-%d", c.r.IntN(2)))
	case n < 83:
		_, _, err = c.h.a.RaiseAlert(c.h.ctx, authority.Caller{Key: &c.h.key}, countersign.AlertBody{ID: fmt.Sprint(c.r.IntN(5)), Severity: pick(c, []string{"low", "high"}), Title: "something",
			About: pick(c, []countersign.AlertSubject{{Vendor: "V-1"}, {Vendor: "V-2"}, {Person: "marta"}, {Person: "elif"}})})
	case n < 86:
		d := c.h.who[pick(c, []string{"daniel", "amara", "tomas"})]
		d.state(func(p *countersign.PersonFact) { p.Inactive, p.Privileged = c.r.IntN(3) == 0, c.r.IntN(2) == 0 })
	case n < 90:
		c.h.clock.forward(time.Duration(c.r.IntN(30)) * time.Hour)
	case n < 94:
		err = c.h.a.Tick(c.h.ctx)
	case n < 97:
		_, err = c.h.a.Cancel(c.h.ctx, authority.Caller{Session: &c.person().session}, pick(c, c.requests).id)
	default:
		err = c.h.a.Reweigh(c.h.ctx, pick(c, c.requests).id, "chance")
	}
	if code := codeOf(err); code == countersign.CodeInternal || code == countersign.CodeUnavailable {
		c.h.t.Fatal(describe(err))
	}
}

func (c *chance) submit() error {
	c.n++
	kind := pick(c, []string{countersign.KindPurchaseOrder, countersign.KindInvoice, countersign.KindPayment, countersign.KindVendorBankChange})
	d := order(fmt.Sprintf("D-%d", c.n), pick(c, []string{"500.00", "12000.00", "30000.00", "60000.00"}), func(d *countersign.Document) {
		d.Kind, d.Category = kind, fmt.Sprint(c.r.IntN(50))
		vendor := pick(c, []string{"V-1", "V-1", "V-2"})
		d.Payee = &countersign.Payee{ID: vendor, Name: "Vendor"}
		requester := pick(c, []string{"elif", "priya", "marta", "ingrid"})
		d.Requester = &countersign.Party{Type: "person", ID: requester}
		if kind == countersign.KindPayment || kind == countersign.KindVendorBankChange {
			d.Payee.Account = &countersign.Account{Scheme: "iban", Value: pick(c, []string{"DE89370400440532013000", "GB82WEST12345698765432"})}
		}
		if kind == countersign.KindVendorBankChange {
			d.Amount, d.ID = nil, d.ID+"-"+vendor
		}
	})
	out, err := c.h.a.Submit(c.h.ctx, c.h.key, body(d, nil))
	if err == nil {
		c.requests = append(c.requests, &played{id: out.Approval.ID, doc: d})
	}
	return err
}

func (c *chance) decide() error {
	open := slices.DeleteFunc(slices.Clone(c.requests), func(p *played) bool { return c.h.get(p.id).Status != countersign.StatusPending })
	if len(open) == 0 {
		return c.submit()
	}
	p, d := pick(c, open), c.person()
	if c.r.IntN(3) > 0 { // mostly somebody who is asked
		d = c.asked(p)
	}
	act := countersign.ActApprove
	if c.r.IntN(15) == 0 {
		act = countersign.ActDeny
	}
	before := len(c.h.get(p.id).Decisions)
	var out *countersign.Approval
	var err error
	switch c.r.IntN(6) {
	case 0:
		out, err = d.bySession(p.id, act)
	case 1:
		if d.secret == "" {
			return nil
		}
		c.h.clock.forward(time.Minute)
		out, err = d.byCode(p.id, pick(c, []string{d.code(0), d.code(0), d.wrongCode(), d.last}))
	default:
		out, err = d.byPasskey(p.id, act)
	}
	if err == nil && out.Status == countersign.StatusApproved && len(out.Decisions) > before {
		c.approved++
	}
	return err
}

// hold checks from the outside what must always hold.
func (c *chance) hold() {
	h := c.h
	h.t.Helper()
	h.step()
	if len(c.requests) == 0 {
		return
	}
	p := pick(c, c.requests)
	c.receipt(p, h.get(p.id))
	c.receipt(c.requests[len(c.requests)-1], h.get(c.requests[len(c.requests)-1].id))
	c.sight(p)
	c.rows()
}

// receipt holds an answer to its receipt: it is the judge of people and factors.
func (c *chance) receipt(p *played, a *countersign.Approval) {
	if a.Status != countersign.StatusApproved && a.Status != countersign.StatusReleased {
		return
	}
	v := c.h.verified(a.Receipt)
	if v.Digest != digestOf(p.doc) || v.Status != a.Status {
		c.h.t.Fatalf("the receipt of %s proves %+v", a.ID, v)
	}
	if a.Outcome == countersign.OutcomeAllow {
		return
	}
	people := map[string]bool{}
	for _, d := range a.Decisions {
		if d.Act == countersign.ActApprove {
			people[d.Person.ID] = true
		}
		if p.doc.Requester != nil && c.h.who[p.doc.Requester.ID].id == d.Person.ID {
			c.h.t.Fatalf("%s decided on their own request %s", d.Person.Name, a.ID)
		}
	}
	for _, cl := range a.Requirement.Clauses {
		if len(people) < cl.Count {
			c.h.t.Fatalf("%s needs %d of %v, %d people approved", a.ID, cl.Count, cl.From, len(people))
		}
	}
}

// sight holds what a person sees to what they may: who is in no group that is asked,
// did not ask, did not decide and oversees nothing sees nothing.
func (c *chance) sight(p *played) {
	d := c.person()
	out, err := c.h.a.Get(c.h.ctx, authority.Caller{Session: &d.session}, p.id)
	full := c.h.get(p.id)
	must := p.doc.Requester != nil && p.doc.Requester.ID == d.login
	asked := full.Outcome == countersign.OutcomeStepUp
	for _, g := range d.groups {
		must = must || g == "administrators" || g == "controllers" || slices.Contains(full.Requirement.Watchers, g)
		for _, cl := range full.Requirement.Clauses {
			must = must || (asked && slices.Contains(cl.From, g))
		}
	}
	for _, dec := range full.Decisions {
		must = must || dec.Person.ID == d.id
	}
	// Whoever decided may have brought a requirement of their own, which asks others.
	may := must || (asked && len(full.Decisions) > 0 && slices.ContainsFunc(d.groups, func(g string) bool {
		return g == "finance" || g == "treasury" || g == "approvers"
	}))
	if (must && err != nil) || (!may && err == nil) {
		c.h.t.Fatalf("%s sees %s (%s): %v; must: %v, may: %v", d.login, p.id, full.Status, err, must, may)
	}
	if err == nil && p.doc.Requester.ID == d.login && len(out.Findings) > 0 {
		c.h.t.Fatalf("%s, who asked, is shown findings with their thresholds", d.login)
	}
}

// rows holds the rows to the log and the sums to the rows.
func (c *chance) rows() {
	var wrong int64
	c.h.read(func(tx *store.Tx) error {
		for _, text := range []string{
			`SELECT COUNT(*) FROM decision d WHERE d.org_id = $1 AND (SELECT COUNT(*) FROM audit_entry e WHERE e.org_id = $1 AND e.id = d.entry_id AND e.subject = d.approval_id) <> 1`,
			`SELECT COUNT(*) FROM approval a WHERE a.org_id = $1 AND a.counted <> (CASE WHEN a.status IN ('pending','approved','released','unsatisfiable') THEN 1 ELSE 0 END)`,
			`SELECT COUNT(*) FROM approval a WHERE a.org_id = $1 AND (SELECT COUNT(*) FROM audit_entry e WHERE e.org_id = $1 AND e.id = a.entry_id) <> 1`,
		} {
			var n int64
			if err := tx.Row(text).Scan(&n); err != nil {
				return err
			}
			wrong += n
		}
		return nil
	})
	if wrong != 0 {
		c.h.t.Fatalf("%d rows contradict the log or themselves", wrong)
	}
}
