package authority_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// TestPolicyDraft: a draft is loaded as it would be here, its tests run on it, and a
// proposal names the difference that a second person signs.
func TestPolicyDraft(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, rosa, marta := h.who["samuel"], h.who["claire"], h.who["rosa"], h.who["marta"]
		d, err := h.a.StartDraft(h.ctx, samuel.session)
		h.must(err)
		trial, err := h.a.TryPolicy(h.ctx, samuel.session, *d)
		h.must(err)
		if !trial.Same || len(trial.Errors) > 0 || trial.Suite == nil || trial.Suite.Failed > 0 || len(trial.Suite.Cases) < 20 {
			t.Errorf("%+v", trial)
		}
		broken := *d
		broken.Text = strings.Replace(d.Text, "amount >= large", "ammount >= large", 1)
		trial, err = h.a.TryPolicy(h.ctx, claire.session, broken)
		h.must(err)
		if len(trial.Errors) != 1 || trial.Errors[0].Line == 0 || !strings.Contains(trial.Errors[0].Message, "ammount") || trial.Suite != nil {
			t.Errorf("%+v", trial.Errors)
		}
		draft := *d
		draft.Text = strings.Replace(strings.Replace(d.Text, "  large: 30000 ", "  large: 25000 ", 1), "default: [approvers]", "default: [nobody-here]", 1)
		trial, err = h.a.TryPolicy(h.ctx, samuel.session, draft)
		h.must(err)
		if trial.Same || trial.Suite.Failed == 0 || !slices.Contains(trial.Empty, "nobody-here") {
			t.Errorf("%v, %+v", trial.Empty, trial.Suite)
		}
		draft.Tests = "cases: 1"
		if trial, err = h.a.TryPolicy(h.ctx, samuel.session, draft); err != nil || trial.TestError == nil || len(trial.Errors) > 0 {
			t.Errorf("%v, %+v", err, trial)
		}
		for _, other := range []*dweller{h.who["tomas"], marta} { // who may read it may not write it
			_, err := h.a.TryPolicy(h.ctx, other.session, *d)
			h.refused(err, countersign.CodeForbidden)
			_, err = h.a.StartDraft(h.ctx, other.session)
			h.refused(err, countersign.CodeForbidden)
		}
		draft.Text = strings.Replace(d.Text, "  large: 30000 ", "  large: 25000 ", 1)
		changes := authority.PolicyChanges(trial.Live, draft)
		if len(changes) != 1 || changes[0].From != trial.Live.Text || changes[0].To != draft.Text {
			t.Fatalf("%d changes", len(changes))
		}
		first, err := samuel.propose(countersign.KindPolicyPublish, "policy", changes...)
		h.must(err)
		h.clock.forward(time.Second)
		second, err := samuel.propose(countersign.KindPolicyPublish, "policy", authority.PolicyChanges(trial.Live, *d)...)
		h.must(err)
		if v := claire.approve(first.ID); v.Status != countersign.StatusApproved {
			t.Fatalf("%+v", v)
		}
		if now, err := h.a.Policy(h.ctx, rosa.session, 0); err != nil || now.Text != draft.Text || now.Version != 2 {
			t.Errorf("%v: version %d", err, now.Version)
		}
		// The other one says of the policy in force what it is no longer.
		_, err = claire.byPasskey(second.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeConflict)
		_, err = samuel.propose(countersign.KindPolicyPublish, "policy", changes...)
		h.refused(err, countersign.CodeConflict)
	})
}

// TestRuleFigures: how often each rule counted, over 30 and 90 days, and what is open.
func TestRuleFigures(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 12, nil)
		large := h.submit(order("PO-1", "30000.00")).ID
		h.submit(order("PO-2", "31000.00"))
		h.submit(order("PO-3", "9.00"))
		h.who["marta"].approve(large)
		_, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: string(source(t).Text) + "\n# one\n"})
		h.must(err)
		f, err := h.a.RuleFigures(h.ctx, h.who["rosa"].session)
		h.must(err)
		if f.Month.Requests != 3 || f.Quarter.Requests != 3 || f.Month.Counted["large-purchase"] != 2 || f.Month.Counted["change-to-countersign"] != 0 || f.Open != 3 {
			t.Errorf("%+v", f)
		}
		if !f.Month.Since.Equal(h.clock.Now().AddDate(0, 0, -30)) && h.clock.Now().Sub(f.Month.Since) < 29*24*time.Hour {
			t.Errorf("since %v", f.Month.Since)
		}
		_, err = h.a.RuleFigures(h.ctx, h.who["marta"].session)
		h.refused(err, countersign.CodeForbidden)
		c, err := h.a.TableChoices(h.ctx, h.who["rosa"].session, authority.TableFilter{Vendor: "V-1", Requester: h.who["priya"].id})
		h.must(err)
		if c.Vendor != "Nordwind Technik GmbH" || c.Requester == "" || len(c.Deciders) != 1 || c.Deciders[0].Name != "Marta Silva" || !slices.Contains(c.Groups, "finance") || !slices.Contains(c.Rules, "large-purchase") {
			t.Errorf("%+v", c)
		}
		_, err = h.a.TableChoices(h.ctx, h.who["marta"].session, authority.TableFilter{})
		h.refused(err, countersign.CodeForbidden)
	})
}
