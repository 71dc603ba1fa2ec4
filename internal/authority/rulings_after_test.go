package authority_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func TestRuling26OnlyTheSourceReleases(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		d := order("PO-1", "900.00")
		id := h.submit(d).ID
		other := h.apiKey("other", "release", "submit")
		ask := countersign.ReleaseBody{Request: id, Document: body(order("PO-1", "901.00"), nil).Document, Execution: "x"}
		_, err := h.a.Release(h.ctx, other, ask)
		if p := h.refused(err, countersign.CodeNotFound); len(p.Differences) > 0 {
			h.t.Error("another source is told what is stored")
		}
		_, err = h.a.Check(h.ctx, other, ask)
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.ConfirmRelease(h.ctx, other, id, "x")
		h.refused(err, countersign.CodeNotFound)
		_, err = h.a.Submit(h.ctx, other, body(order("PO-1", "900.00", func(d *countersign.Document) { d.Revision = "2" }), &countersign.Submission{Supersedes: id}))
		h.refused(err, countersign.CodeInvalid)
	})
}

func TestRuling28SilentReceipt(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "900.00"))
		said := false
		for _, c := range h.verified(out.Receipt).Claims {
			said = said || c.Text == "allowed by policy v1; nobody was asked"
			if strings.HasPrefix(c.By, "person") {
				h.t.Errorf("a person is said to have signed: %s", c.Text)
			}
		}
		if !said {
			h.t.Error("the receipt does not say that nobody was asked")
		}
		// Events carry ids and digests, not contents.
		h.who["marta"].approve(h.submit(order("PO-2", "30000.00")).ID)
		h.must(h.a.Publish(h.ctx))
		claims, err := h.db.Claim(h.ctx, time.Minute, 100)
		h.must(err)
		if len(claims) == 0 {
			h.t.Error("nobody is told")
		}
		for _, c := range claims {
			for _, content := range []string{"30000", "Nordwind", "Elif", "PO-2"} {
				if bytes.Contains(c.Payload, []byte(content)) {
					h.t.Errorf("an event carries %q: %s", content, c.Payload)
				}
			}
		}
	})
}

func TestRuling33ErasureClearsEveryCopy(t *testing.T) {
	each(t, func(h *house) {
		h.erased = true
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.settings(func(s *authority.Settings) { s.RetentionDays = 1 })
		d := order("PO-geheim-4711", "30000.00", func(d *countersign.Document) { d.Subject = "streng vertraulich 4711" })
		id := h.submit(d).ID
		_, err := h.who["marta"].byPasskey(id, countersign.ActApprove, func(b *countersign.ChallengeBody) { b.Reason = "vertraulich 4711 gesehen" })
		h.must(err)
		_, err = h.release(id, d, "run-geheim")
		h.must(err)
		call := authority.Call{Caller: h.key.ID, Method: "POST", Path: "/v1/requests", Key: "k"}
		_, err = h.a.BeginCall(h.ctx, call)
		h.must(err)
		h.must(h.a.FinishCall(h.ctx, call, authority.KeptAnswer{Status: 201, Body: body(d, nil).Document, Subject: id}))
		h.clock.forward(25 * time.Hour)
		h.who["samuel"].signIn()
		h.who["claire"].signIn()
		p, err := h.who["samuel"].propose(countersign.KindErasure, id)
		h.must(err)
		h.who["samuel"].approve(p.ID)
		h.who["claire"].approve(p.ID)
		out := h.get(id)
		if _, err := json.Marshal(out); err != nil || string(out.Document) != "null" {
			h.t.Errorf("%s: %v", out.Document, err)
		}
		if _, err := h.a.List(h.ctx, authority.Caller{Key: &h.key}, authority.ListQuery{}); err != nil {
			h.t.Error(describe(err))
		}
		h.read(func(tx *store.Tx) error {
			for text, what := range map[string]string{
				`SELECT COUNT(*) FROM approval WHERE org_id = $1 AND (CAST(document AS TEXT) LIKE '%4711%' OR object_id LIKE '%4711%' OR state LIKE '%4711%')`: "approval",
				`SELECT COUNT(*) FROM audit_opening WHERE org_id = $1 AND CAST(value AS TEXT) LIKE '%4711%'`:                                                   "openings",
				`SELECT COUNT(*) FROM decision WHERE org_id = $1 AND body LIKE '%4711%'`:                                                                       "decisions",
				`SELECT COUNT(*) FROM purchase WHERE org_id = $1 AND id LIKE '%4711%'`:                                                                         "history",
				`SELECT COUNT(*) FROM outbox WHERE org_id = $1 AND CAST(payload AS TEXT) LIKE '%4711%'`:                                                        "outbox",
				`SELECT COUNT(*) FROM idempotency WHERE org_id = $1 AND CAST(body AS TEXT) LIKE '%4711%'`:                                                      "kept answers",
				`SELECT COUNT(*) FROM challenge WHERE org_id = $1 AND CAST(statement AS TEXT) LIKE '%4711%'`:                                                   "challenges",
			} {
				if h.db.Driver() == store.Postgres {
					for _, col := range []string{"document", "value", "payload", "body", "statement"} {
						text = strings.ReplaceAll(text, "CAST("+col+" AS TEXT)", "encode("+col+"::bytea, 'escape')")
					}
				}
				var n int
				if err := tx.Row(text).Scan(&n); err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				if n != 0 {
					h.t.Errorf("%d %s still know of it", n, what)
				}
			}
			return nil
		})
	})
}

func TestRuling34OneFormOnly(t *testing.T) {
	h := onSQLite(t)
	good := string(body(order("PO-1", "900.00"), nil).Document)
	for name, text := range map[string]string{
		"unknown member":   strings.Replace(good, `"entity"`, `"entitiy"`, 1),
		"wrong case":       strings.Replace(good, `"entity"`, `"Entity"`, 1),
		"duplicate":        strings.Replace(good, `"entity":"DE01"`, `"entity":"DE01","entity":"DE02"`, 1),
		"null":             strings.Replace(good, `"DE01"`, `null`, 1),
		"trailing":         good + "{}",
		"exponent":         strings.Replace(good, `900.00`, `900.0`, 1),
		"number":           strings.Replace(good, `"900.00"`, `900.00`, 1),
		"not normalised":   strings.Replace(good, `Nordwind`, "No\u0308rdwind", 1),
		"internal kind":    strings.Replace(good, `purchase_order`, "countersign.policy_publish", 1),
		"unconfigured":     strings.Replace(good, `purchase_order`, "travel", 1),
		"nothing":          ``,
		"not utf-8":        strings.Replace(good, `Nordwind`, "\xff", 1),
		"lone surrogate":   strings.Replace(good, `Nordwind`, `\ud800`, 1),
		"negative zero":    strings.Replace(good, `900.00`, `-0.00`, 1),
		"thousands":        strings.Replace(good, `900.00`, `1,900.00`, 1),
		"unknown currency": strings.Replace(good, `"EUR"`, `"EURO"`, 1),
	} {
		_, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: json.RawMessage(text)})
		if code := codeOf(err); code != countersign.CodeInvalid && code != countersign.CodeMalformed {
			t.Errorf("%s: %q", name, code)
		}
	}
	// White space and the order of members are no difference.
	out, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: json.RawMessage(good)})
	h.must(err)
	var m map[string]any
	h.must(json.Unmarshal([]byte(good), &m))
	spaced, err := json.MarshalIndent(m, "", "   ")
	h.must(err)
	again, err := h.a.Submit(h.ctx, h.key, countersign.RequestBody{Document: spaced})
	h.must(err)
	if again.Approval.ID != out.Approval.ID {
		t.Error("the same document in another spelling is another request")
	}
}

func TestRuling35SilentHasNoDecisions(t *testing.T) {
	each(t, func(h *house) {
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		out := h.submit(order("PO-1", "900.00"))
		if out.Status != countersign.StatusApproved || len(out.Decisions) != 0 {
			h.t.Errorf("%s with %d decisions", out.Status, len(out.Decisions))
		}
		_, err := h.who["marta"].byPasskey(out.ID, countersign.ActApprove)
		h.refused(err, countersign.CodeNotFound) // nobody is asked, so nobody sees it
		// One denial denies, whatever the others said.
		id := h.submit(order("INV-1", "12000.00", func(d *countersign.Document) {
			d.Kind, d.Payee = countersign.KindInvoice, &countersign.Payee{ID: "V-NEW", Name: "Brandneu AG"}
		})).ID
		h.who["marta"].approve(id)
		_, err = h.who["daniel"].bySession(id, countersign.ActDeny)
		h.must(err)
		_, err = h.who["ingrid"].byPasskey(id, countersign.ActApprove)
		h.refused(err, countersign.CodeState)
	})
}

func TestRuling39ChangesNeedASecondPerson(t *testing.T) {
	each(t, func(h *house) {
		samuel, claire, priya := h.who["samuel"], h.who["claire"], h.who["priya"]
		al := h.alert("1", "high", countersign.AlertSubject{Vendor: "V-1"})
		for kind, p := range map[string]struct {
			id      string
			changes []countersign.Change
		}{
			countersign.KindPeopleChange: {priya.id, []countersign.Change{{Field: "limit", To: "1000.00 EUR"}, {Field: "group.add", To: "finance"}}},
			countersign.KindFactorReset:  {h.who["amara"].id, nil},
			countersign.KindAlertClose:   {al.ID, nil},
		} {
			out, err := samuel.propose(kind, p.id, p.changes...)
			h.must(err)
			_, err = samuel.byPasskey(out.ID, countersign.ActApprove)
			h.refused(err, countersign.CodeForbidden)
			if out = claire.approve(out.ID); out.Status != countersign.StatusApproved {
				h.t.Errorf("%s: %s", kind, out.Status)
			}
		}
		h.read(func(tx *store.Tx) error {
			groups, err := tx.GroupsOf(priya.id)
			if len(groups) != 1 || groups[0].Group != "finance" {
				h.t.Errorf("priya is in %v", groups)
			}
			factors, _ := tx.Authenticators(h.who["amara"].id)
			open, _ := tx.OpenAlerts([]string{store.AboutVendor("V-1")})
			if len(factors) != 0 || len(open) != 0 {
				h.t.Errorf("%d factors, %d alerts are left", len(factors), len(open))
			}
			return err
		})
		if err := h.who["amara"].trySignIn(); codeOf(err) != countersign.CodeUnauthenticated {
			h.t.Errorf("a removed passkey signs in: %v", err)
		}
		// Nothing of the kind is submitted by a key.
		_, err := h.a.Submit(h.ctx, h.key, body(&countersign.Document{Kind: countersign.KindPeopleChange, ID: priya.id, Revision: "1",
			Requester: &countersign.Party{Type: "person", ID: "elif"}}, nil))
		h.refused(err, countersign.CodeInvalid)
	})
}

// On PostgreSQL an entry has its place only when somebody sequences it: until then the
// answer is pending, and asking again gives the approval.
func TestRuling41PendingUntilSigned(t *testing.T) {
	each(t, func(h *house) {
		if h.db.Driver() != store.Postgres {
			return
		}
		h.vendor("V-1", "Nordwind Technik GmbH", 6, nil)
		h.must(h.a.Publish(h.ctx))
		h.stop()
		d := order("PO-1", "900.00")
		out := h.submit(d)
		if out.Status != countersign.StatusPending || len(out.Receipt) > 0 {
			h.t.Errorf("%s", out.Status)
		}
		if again := h.submit(d); again.ID != out.ID || again.Status != countersign.StatusPending {
			h.t.Errorf("again: %s", again.Status)
		}
		_, err := h.release(out.ID, d, "run-1")
		h.refused(err, countersign.CodeUnavailable)
		h.must(h.a.Publish(h.ctx))
		if again := h.submit(d); again.ID != out.ID || again.Status != countersign.StatusReleased {
			h.t.Errorf("again: %s", again.Status)
		}
		h.loop()
	})
}

// A generation of facts that was rolled back never comes again: what was read under it
// would be taken for the facts of the later one.
func TestGenerationNeverComesAgain(t *testing.T) {
	each(t, func(h *house) {
		seen := map[int64]bool{}
		for range 3 {
			_, err := h.db.Write(h.ctx, func(tx *store.Tx) error {
				if err := tx.FactsChanged(); err != nil {
					return err
				}
				gen, err := tx.FactsGen()
				if seen[gen] {
					h.t.Errorf("generation %d came again", gen)
				}
				seen[gen] = true
				return errors.Join(err, errors.New("rolled back"))
			})
			if err == nil {
				h.t.Fatal("it was not rolled back")
			}
		}
	})
}
