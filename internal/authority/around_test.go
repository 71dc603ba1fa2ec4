package authority_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/jcs"
	"github.com/countersign/countersign/internal/store"
)

func (d *dweller) caller() authority.Caller { return authority.Caller{Session: &d.session} }

func (d *dweller) reassign(request, to string) (*countersign.Approval, error) {
	return d.h.a.Reassign(d.h.ctx, d.session, request, countersign.ReassignBody{To: to, Reason: "on leave from tomorrow"})
}

// told counts the doorbells of a type about a request.
func (h *house) told(request string, typ countersign.EntryType) (n int) {
	h.t.Helper()
	h.read(func(tx *store.Tx) error {
		n = 0
		rows := tx.Query(`SELECT payload FROM outbox WHERE org_id = $1 AND topic = $2 AND subject = $3`, authority.TopicDoorbell, request)
		defer rows.Close()
		for rows.Next() {
			var payload []byte
			var e countersign.Event
			if err := rows.Scan(&payload); err != nil {
				return err
			}
			h.must(json.Unmarshal(payload, &e))
			if e.Type == typ {
				n++
			}
		}
		return rows.Err()
	})
	return n
}

// nominating is a policy that names no groups: whom the source nominates is asked.
const nominating = `policy: nominating
currency: EUR
rules:
  - name: large
    for: [purchase_order]
    when: amount >= 30000
    require: {assurance: mfa}
    because: "{kind} of {amount} is large"
`

// TestReassignStory: Marta hands an order over to Daniel. Nothing is decided by it, the
// requirement stays, and his approval is proven and released like any other.
func TestReassignStory(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "30000.00")
		sent, err := h.a.Submit(h.ctx, h.key, body(d, &countersign.Submission{Approver: "marta"}))
		h.must(err)
		before := sent.Approval
		marta, daniel := h.who["marta"], h.who["daniel"]
		after, err := marta.reassign(before.ID, "daniel")
		h.must(err)
		if after.Status != countersign.StatusPending || len(after.Decisions) != 0 || after.RequirementDigest != before.RequirementDigest || after.Version != before.Version+1 {
			h.t.Errorf("handed over: %s, version %d, decisions %v", after.Status, after.Version, after.Decisions)
		}
		h.read(func(tx *store.Tx) error {
			row, err := tx.Approval(before.ID)
			if row.Nominated != daniel.id {
				h.t.Errorf("nominated is %s", row.Nominated)
			}
			return err
		})
		if got := h.told(before.ID, countersign.EntryRequestReassigned); got != 1 {
			h.t.Errorf("%d doorbells", got)
		}
		_, err = marta.reassign(before.ID, "daniel")
		h.refused(err, countersign.CodeState)
		_, err = marta.reassign(before.ID, "elif") // asked for it
		h.refused(err, countersign.CodeForbidden)
		_, err = marta.reassign(before.ID, "tomas") // of treasury, which is not asked
		h.refused(err, countersign.CodeForbidden)
		_, err = marta.reassign(before.ID, "nobody at all")
		h.refused(err, countersign.CodeInvalid)
		_, err = h.who["elif"].reassign(before.ID, "daniel")
		h.refused(err, countersign.CodeForbidden)
		_, err = h.who["tomas"].reassign(before.ID, "daniel") // does not see it
		h.refused(err, countersign.CodeNotFound)
		if out := daniel.approve(before.ID); out.Status != countersign.StatusApproved {
			h.t.Fatalf("have %s", out.Status)
		} else {
			h.verified(out.Receipt)
		}
		_, err = daniel.reassign(before.ID, "marta")
		h.refused(err, countersign.CodeState)
		out, err := h.release(before.ID, d, "run-1")
		h.must(err)
		h.verified(out.Receipt)
		if have := h.entries(before.ID); !slices.Contains(have, countersign.EntryRequestReassigned) {
			h.t.Errorf("the log has %v", have)
		}
	})
}

// TestReassignOfTheNominated: where the policy names no groups, whom the source nominated
// is asked alone, and only they hand it over: within their groups.
func TestReassignOfTheNominated(t *testing.T) {
	h := onSQLite(t)
	h.broken = true // how such a request is proven is another test's
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	p, err := h.who["samuel"].propose(countersign.KindPolicyPublish, "policy", countersign.Change{Field: "policy", To: nominating})
	h.must(err)
	h.who["claire"].approve(p.ID)
	sent, err := h.a.Submit(h.ctx, h.key, body(order("PO-1", "30000.00"), &countersign.Submission{Approver: "marta"}))
	h.must(err)
	id := sent.Approval.ID
	if cl := sent.Approval.Requirement.Clauses; len(cl) != 1 || len(cl[0].From) != 0 {
		t.Fatalf("asks for %+v", cl)
	}
	_, err = h.who["daniel"].byPasskey(id, countersign.ActApprove)
	h.refused(err, countersign.CodeNotFound)
	_, err = h.who["marta"].reassign(id, "tomas")
	h.refused(err, countersign.CodeForbidden)
	_, err = h.who["marta"].reassign(id, "daniel")
	h.must(err)
	_, err = h.who["marta"].byPasskey(id, countersign.ActApprove)
	h.refused(err, countersign.CodeNotFound) // it is no longer hers to see
	if out := h.who["daniel"].approve(id); out.Status != countersign.StatusApproved {
		t.Errorf("have %s", out.Status)
	}
}

// TestReassignIsWeighedAnew: an alert about whoever handed over does not hold the
// request back any more; one about the new approver does.
func TestReassignIsWeighedAnew(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	for i, c := range []struct {
		about string
		want  countersign.Code
	}{{"marta", ""}, {"daniel", countersign.CodeNotReleasable}} {
		d := order("PO-"+string(rune('1'+i)), "30000.00", func(d *countersign.Document) { d.Category = d.ID })
		sent, err := h.a.Submit(h.ctx, h.key, body(d, &countersign.Submission{Approver: "marta"}))
		h.must(err)
		_, err = h.who["marta"].reassign(sent.Approval.ID, "daniel")
		h.must(err)
		h.who["daniel"].approve(sent.Approval.ID)
		h.alert("mail-"+c.about, "high", countersign.AlertSubject{Person: c.about})
		_, err = h.release(sent.Approval.ID, d, "run-"+d.ID)
		if c.want == "" {
			h.must(err)
		} else {
			h.refused(err, c.want)
		}
	}
}

// TestWithdrawStory: an approval is withdrawn before its release, by whoever asked or by
// the source; what is released, or carried out, cannot be.
func TestWithdrawStory(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		elif := h.who["elif"]
		asked := func(id string) (*countersign.Document, string) {
			d := order(id, "30000.00", func(d *countersign.Document) { d.Category = id })
			return d, h.submit(d).ID
		}
		d, first := asked("PO-1")
		h.who["marta"].approve(first)
		_, err := h.a.Withdraw(h.ctx, h.who["marta"].caller(), first, "I changed my mind")
		h.refused(err, countersign.CodeForbidden) // who approved revokes
		out, err := h.a.Withdraw(h.ctx, elif.caller(), first, "the vendor withdrew the offer")
		h.must(err)
		if out.Status != countersign.StatusCancelled || len(out.Decisions) != 1 {
			h.t.Errorf("have %s with %d decisions", out.Status, len(out.Decisions))
		}
		if got := h.told(first, countersign.EntryRequestCancelled); got != 1 {
			h.t.Errorf("%d doorbells", got)
		}
		again, err := h.a.Withdraw(h.ctx, elif.caller(), first, "")
		h.must(err)
		if again.Version != out.Version {
			h.t.Error("withdrawing twice changed it twice")
		}
		_, err = h.release(first, d, "run-1")
		h.refused(err, countersign.CodeState)

		_, second := asked("PO-2")
		h.who["daniel"].approve(second)
		_, err = h.a.Cancel(h.ctx, authority.Caller{Key: new(h.apiKey("other", "submit"))}, second)
		h.refused(err, countersign.CodeNotFound)
		out, err = h.a.Cancel(h.ctx, authority.Caller{Key: &h.key}, second)
		h.must(err)
		if out.Status != countersign.StatusCancelled {
			h.t.Errorf("have %s", out.Status)
		}

		d, third := asked("PO-3")
		h.who["marta"].approve(third)
		_, err = h.release(third, d, "run-3")
		h.must(err)
		_, err = h.a.Withdraw(h.ctx, elif.caller(), third, "")
		h.refused(err, countersign.CodeState)

		p, err := h.who["samuel"].propose(countersign.KindPeopleChange, h.who["tomas"].id, countersign.Change{Field: "group.add", To: "finance"})
		h.must(err)
		h.who["claire"].approve(p.ID)
		_, err = h.a.Withdraw(h.ctx, h.who["samuel"].caller(), p.ID, "")
		h.refused(err, countersign.CodeState)
	})
}

func TestPreferencesAreOnesOwn(t *testing.T) {
	each(t, func(h *house) {
		marta, daniel := h.who["marta"], h.who["daniel"]
		defaults := countersign.Preferences{TimeZone: "UTC", NumberFormat: "space-point", DateFormat: "day-month", Language: "en"}
		have, err := h.a.GetPreferences(h.ctx, marta.session)
		h.must(err)
		if *have != defaults {
			h.t.Errorf("the defaults are %+v", *have)
		}
		want := countersign.Preferences{TimeZone: "America/Argentina/Buenos_Aires", NumberFormat: "point-comma", DateFormat: "iso", Language: "en"}
		set, err := h.a.SetPreferences(h.ctx, marta.session, want)
		h.must(err)
		have, err = h.a.GetPreferences(h.ctx, marta.session)
		h.must(err)
		other, err := h.a.GetPreferences(h.ctx, daniel.session)
		h.must(err)
		if *set != want || *have != want || *other != defaults {
			h.t.Errorf("set %+v, have %+v, Daniel has %+v", *set, *have, *other)
		}
		h.read(func(tx *store.Tx) error {
			p, err := tx.Person(marta.id)
			if !jcs.IsCanonical([]byte(p.Settings)) {
				h.t.Errorf("stored as %s", p.Settings)
			}
			return err
		})
		for _, zone := range []string{"Local", "local", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe/Berlin\n", "localtime", "europe/berlin", "Europe/", strings.Repeat("A", 65)} {
			_, err := h.a.SetPreferences(h.ctx, marta.session, countersign.Preferences{TimeZone: zone})
			h.refused(err, countersign.CodeInvalid)
		}
		_, err = h.a.SetPreferences(h.ctx, marta.session, countersign.Preferences{NumberFormat: "roman", DateFormat: "julian", Language: "la"})
		if p := h.refused(err, countersign.CodeInvalid); len(p.Errors) != 3 {
			h.t.Errorf("%+v", p.Errors)
		}
		cleared, err := h.a.SetPreferences(h.ctx, marta.session, countersign.Preferences{})
		h.must(err)
		if *cleared != defaults {
			h.t.Errorf("cleared to %+v", *cleared)
		}
	})
}

// TestReturnURLStory: the approver goes back with the status of now, signed by the log's
// key; nobody is sent anywhere that the key may not send them.
func TestReturnURLStory(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		made, err := h.a.CreateKeyOffline(h.ctx, authority.NewKey{Name: "shop", Source: "erp", Scopes: []string{"submit"}, Returns: []string{"https://erp.example.com"}})
		h.must(err)
		key, err := h.a.AuthenticateKey(h.ctx, made.Key)
		h.must(err)
		to := "https://erp.example.com/po/1?tab=approvals"
		sent, err := h.a.Submit(h.ctx, key, body(order("PO-1", "30000.00"), &countersign.Submission{ReturnURL: to}))
		h.must(err)
		id, marta := sent.Approval.ID, h.who["marta"]
		result := func() *countersign.Return {
			h.t.Helper()
			h.must(h.a.Publish(h.ctx))
			signed, err := h.a.ReturnURL(h.ctx, marta.session, id)
			h.must(err)
			r, err := countersign.VerifyReturn(signed, h.a.Verifiers(), h.clock.Now())
			h.must(err)
			if r.URL != to || r.Request != id || r.Digest != sent.Approval.Digest || r.Org != h.a.Org() || r.Origin != h.a.Organisation().Origin {
				h.t.Errorf("%+v", r)
			}
			if _, err := countersign.VerifyReturn(signed, h.a.Verifiers(), h.clock.Now().Add(countersign.ReturnLifetime)); err == nil {
				h.t.Error("it does not expire")
			}
			return r
		}
		if r := result(); r.Status != countersign.StatusPending {
			h.t.Errorf("have %s", r.Status)
		}
		marta.approve(id)
		if r := result(); r.Status != countersign.StatusApproved {
			h.t.Errorf("have %s", r.Status)
		}
		_, err = h.a.ReturnURL(h.ctx, h.who["tomas"].session, id)
		h.refused(err, countersign.CodeNotFound)

		without := h.submit(order("PO-2", "30000.00", func(d *countersign.Document) { d.Category = "b" }))
		if none, err := h.a.ReturnURL(h.ctx, marta.session, without.ID); err != nil || none != "" {
			h.t.Errorf("%q, %v", none, err)
		}
		// Somebody who can write to the database sends nobody elsewhere.
		h.write(func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE api_key SET returns = $3 WHERE org_id = $1 AND id = $2`, key.ID, `["https://evil.example.com"]`)
			return err
		})
		_, err = h.a.ReturnURL(h.ctx, marta.session, id)
		h.refused(err, countersign.CodeForbidden)
		h.write(func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE audit_opening SET value = $2 WHERE org_id = $1 AND name = 'submission' AND entry_id = (SELECT entry_id FROM approval WHERE org_id = $1 AND id = $3)`,
				[]byte(`{"return_url":"https://evil.example.com/"}`), id)
			return err
		})
		_, err = h.a.ReturnURL(h.ctx, marta.session, id)
		h.refused(err, countersign.CodeChanged)
		h.broken = true
	})
}

// TestReturnURLAfterARotation: the key that signs now signs the result, and whoever has
// only the older one is told so.
func TestReturnURLAfterARotation(t *testing.T) {
	h := onSQLite(t)
	h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
	made, err := h.a.CreateKeyOffline(h.ctx, authority.NewKey{Name: "shop", Source: "erp", Scopes: []string{"submit"}, Returns: []string{"https://erp.example.com"}})
	h.must(err)
	key, err := h.a.AuthenticateKey(h.ctx, made.Key)
	h.must(err)
	sent, err := h.a.Submit(h.ctx, key, body(order("PO-1", "30000.00"), &countersign.Submission{ReturnURL: "https://erp.example.com/"}))
	h.must(err)
	old := h.a.Verifiers()
	samuel := h.who["samuel"]
	_, err = h.a.RotateKey(h.ctx, samuel.session, "log", samuel.stepUp("rotate:log"))
	h.must(err)
	h.must(h.a.Publish(h.ctx))
	h.clock.forward(time.Second)
	h.submit(order("PO-2", "900.00"))
	signed, err := h.a.ReturnURL(h.ctx, h.who["marta"].session, sent.Approval.ID)
	h.must(err)
	if _, err := countersign.VerifyReturn(signed, h.a.Verifiers(), h.clock.Now()); err != nil {
		t.Error(err)
	}
	if _, err := countersign.VerifyReturn(signed, old, h.clock.Now()); err == nil {
		t.Error("the key before the rotation verifies it")
	}
}
